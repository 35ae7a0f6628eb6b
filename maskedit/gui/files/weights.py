"""The weights that draw: their card, others in their place, the published checkpoint made one of ours."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QApplication

from maskedit.errors import UserError
from maskedit.gui.dialogs.dialogs import CHECKPOINTS, WEIGHTS, Dialogs
from maskedit.gui.editor import Editor
from maskedit.gui.preferences import Preferences
from maskedit.gui.states import Level
from maskedit.resources import default_weights


@dataclass(frozen=True)
class Card:
    """What a file of weights says of itself."""

    facts: tuple[tuple[str, str], ...] = ()
    """The most important lines: what, and how much or which."""
    text: str = ""
    """All of it, as ``maskedit-weights info`` prints it."""


class Weights(QObject):
    """What Render > Weights… does, and the choice of the engine.

    Args:
        editor: draws with what is chosen.
        dialogs: ask the person.
        preferences: remember what was chosen.
    """

    changed = Signal()
    """`card`, `note` or `busy`, or the choice itself is another."""

    def __init__(self, editor: Editor, dialogs: Dialogs, preferences: Preferences, parent: QObject):
        super().__init__(parent)
        self._editor, self._dialogs, self._preferences = editor, dialogs, preferences
        self.card = Card()
        """Of the weights that draw; empty until it is read."""
        self.note = ""
        """What is going on, or why it failed."""
        self.busy = False
        """Whether other weights are being made or loaded."""
        self._asking = False
        editor.chooser.changed.connect(self._read_card)

    @property
    def engine(self) -> str:
        """One of `ENGINES`."""
        return self._editor.chooser.choice.engine

    @property
    def settled(self) -> bool:
        """Whether the bundled weights draw, and will at the next start."""
        return self._editor.chooser.choice.weights is None and not self._preferences["weights"]

    @property
    def path(self) -> Path | None:
        """The file that draws; None where the bundled one is missing."""
        try:
            return self._editor.chooser.choice.weights or default_weights()
        except UserError:
            return None

    @property
    def _folder(self) -> str:
        return str(Path.home() if self.path is None else self.path.parent)

    def ask(self) -> None:
        """Show the weights' card, and let the person choose others."""
        self.note, self._asking = self.note if self.busy else "", True
        self._read_card()
        self._dialogs.ask_weights(self)
        self._asking = False

    def choose(self) -> None:
        """Another file."""
        path = self._dialogs.ask_open("Weights", self._folder, WEIGHTS)
        if path is not None:
            self.use(weights=path)

    def import_published(self) -> None:
        """The published checkpoint as a file of ours, which draws then."""
        source = self._dialogs.ask_open("The published checkpoint", str(Path.home()), CHECKPOINTS)
        output = source and self._dialogs.ask_save(
            "Save the weights", source.with_name(f"{source.stem}.safetensors"), WEIGHTS
        )
        if not output:
            return
        self._tell(f"{source.name} is converted…", busy=True)
        self._editor.jobs.run(
            lambda services: _import(source, output),
            lambda _: self.use(weights=output),
            self._failed,
            asked_by_dialog=True,
        )

    def use(self, **changes: Path | str | None) -> None:
        """Draw with other ``weights``, None for the bundled ones, or another ``engine``; what draws is remembered.

        A learning under way ends, if the person agrees: it trains the network that there is.
        """
        if self._editor.tuning.progress is not None and not self._dialogs.ask_stop_learning():
            self._tell("", busy=False)
            return

        def chosen() -> None:
            for name, value in changes.items():
                self._preferences[name] = str(Path(value).absolute()) if isinstance(value, Path) else value or ""
            self._tell("", busy=False)

        self._tell("It is loaded…", busy=True)
        self._editor.chooser.choose(then=chosen, otherwise=self._failed, **changes)

    def _failed(self, reason: str) -> None:
        self._tell(reason, busy=False)
        if QApplication.activeModalWidget() is None:  # the dialog, which shows the note, has been closed
            self._editor.tell(Level.ERROR, reason)

    def _tell(self, note: str, *, busy: bool) -> None:
        self.note, self.busy = note, busy
        self.changed.emit()

    def _read_card(self) -> None:
        """Have the card of what draws read, if somebody looks at it."""
        path, self.card = self.path, Card()
        self.changed.emit()
        if path is None or not self._asking:
            return

        def show(card: Card) -> None:
            if path == self.path:
                self.card = card
                self.changed.emit()

        self._editor.jobs.run(lambda services: _read(path), show, self._failed, asked_by_dialog=True)


def _import(source: Path, output: Path) -> None:
    from maskedit.models.cli import import_official

    import_official(source, output, force=True)  # whether it may be replaced has been asked


def _read(path: Path) -> Card:
    # torch is loaded by the render thread, never by the window's.
    from maskedit.models.checkpoint import read_header
    from maskedit.models.cli import describe

    header = read_header(path)
    described = list(describe(path))
    size = dict(line.split(": ", 1) for line in described if line.startswith(("size: ", "parameters: ")))
    variant = getattr(header.config, "variant", header.network)
    return Card(
        (
            ("File", str(path)),
            ("Network", f"Dense Mapping Network ({variant}), width {header.config.width}"),
            ("Size", f"{size['size']}, {size['parameters']} parameters"),
            *_facts(header.card),
        ),
        "\n".join(described),
    )


def _facts(card: dict) -> Iterator[tuple[str, str]]:
    """The lines of a model card that one asks for first; what it does not say is left out."""
    for title, name in (("Trained on", "data"), ("Converted from", "source"), ("Stage", "stage")):
        if name in card:
            yield title, str(card[name])
    if isinstance(card.get("steps"), int):
        hours = card.get("hours")
        yield "Steps", f"{card['steps']:,}" + (f" in {hours:.1f} hours" if isinstance(hours, int | float) else "")
    validation = card.get("validation")
    if isinstance(validation, dict):
        figures = (f"{name} {value:.4g}" for name, value in validation.items() if isinstance(value, int | float))
        yield "On held-out photos", ", ".join(figures)
    yield "Licence", str(card.get("licence", "not stated"))
