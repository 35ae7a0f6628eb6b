"""What the person likes: each preference is one value of the settings file, and stands nowhere else."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QSettings

from maskedit.gui.files.recovery import SECONDS

DEFAULTS: dict[str, str | bool | int] = {
    "theme": "system",
    "colour_blind": False,
    "bar_text": False,
    "live": True,
    "autosave": SECONDS,
    "engine": "auto",
    "weights": "",
}
"""Name -> value where nothing was chosen. ``autosave`` is in seconds; an empty path of weights is that of the
bundled ones."""


class Preferences:
    """Reads, keeps and hands on what was chosen; ``settings`` is the file."""

    def __init__(self, settings: QSettings):
        self.settings = settings
        self._followers: dict[str, list[Callable]] = {name: [] for name in DEFAULTS}

    def __getitem__(self, name: str) -> str | bool | int:
        # An INI file gives back False as the string "false", which is true: every value is read with its type.
        default = DEFAULTS[name]
        return self.settings.value(name, default, type=type(default))

    def __setitem__(self, name: str, value: str | bool | int) -> None:
        self.settings.setValue(name, value)
        for follower in self._followers[name]:
            follower(self[name])

    def follow(self, name: str, follower: Callable) -> None:
        """Call ``follower`` with a preference now, and whenever it is chosen."""
        self._followers[name].append(follower)
        follower(self[name])
