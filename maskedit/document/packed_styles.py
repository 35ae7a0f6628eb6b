"""The styles of a document and of its history as one member of a session file, and back.

Each style and each thumbnail stands there once, however many edits name it by its number.
"""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any

from maskedit.document.history import Edit, StyleChange
from maskedit.document.snapshots import MAX_SNAPSHOTS
from maskedit.document.styles import PartStyle, Styles, check_part
from maskedit.labels import STYLE_PARTS

_MAX_NAME = 200
MAX_CHANGES = 3_000
"""Changes of styles in a session's history: what they and their thumbnails take must fit into its file."""
_MAX_STYLES = 2 * MAX_CHANGES + (1 + MAX_SNAPSHOTS) * len(STYLE_PARTS)
"""Each change has a style before and one after; the document and each of its snapshots has one for each part."""


class PackedStyles:
    """Styles that are given numbers while a session is written.

    Args:
        styles: those of the document.
    """

    def __init__(self, styles: Styles):
        self._numbers: dict[PartStyle, int] = {}
        self._pictures: dict[bytes, int] = {}
        self._parts = {part: self.number(style) for part, style in styles.items()}

    def __bool__(self) -> bool:
        return bool(self._numbers)

    def number(self, style: PartStyle | None) -> int | None:
        """The number of a style; None for the photo's own."""
        return None if style is None else self._numbers.setdefault(style, len(self._numbers))

    def changes(self, edit: Edit) -> list[list[Any]]:
        """The styles that an edit changes: part, number before, number after."""
        return [[each.part, self.number(each.old), self.number(each.new)] for each in edit.styles]

    def data(self) -> bytes:
        """All that has a number, as JSON."""
        entries = [
            {
                "mean": style.mean,
                "spread": style.spread,
                "tilt": style.tilt,
                "name": style.name[:_MAX_NAME],
                "strength": style.strength,
                "thumbnail": self._pictures.setdefault(style.thumbnail, len(self._pictures)),
            }
            for style in self._numbers
        ]
        pictures = [base64.b64encode(picture).decode() for picture in self._pictures]
        return json.dumps({"styles": entries, "thumbnails": pictures, "parts": self._parts}).encode()


class UnpackedStyles:
    """Styles that are looked up by their numbers while a session is read.

    Args:
        data: what `PackedStyles.data` gave, or anything that a stranger put in its place; None where there is none.

    Raises:
        ValueError: it does not describe styles; the text is the end of a sentence.
    """

    def __init__(self, data: bytes | None):
        self._styles: list[PartStyle] = []
        self.parts: dict[str, PartStyle] = {}
        """The styles of the document."""
        if data is None:
            return
        try:
            state = json.loads(data)
            if max(len(state["styles"]), len(state["thumbnails"])) > _MAX_STYLES:
                raise ValueError(f"it has more than {_MAX_STYLES:,} styles")
            pictures = [base64.b64decode(picture, validate=True) for picture in state["thumbnails"]]
            self._styles = [_style(entry, pictures) for entry in state["styles"]]
            self.parts = {_part(part): self._style(number) for part, number in state["parts"].items()}
        except (KeyError, TypeError, AttributeError, IndexError, OverflowError, binascii.Error, ValueError) as error:
            raise ValueError(f"its list of styles is damaged ({error})") from error

    def changes(self, entries: object) -> tuple[StyleChange, ...]:
        """What `PackedStyles.changes` gave for an edit, or None; raises ValueError for anything else."""
        if entries is None:
            return ()
        try:
            if len(_listed(entries)) > len(STYLE_PARTS):
                raise ValueError(f"there are {len(STYLE_PARTS)} parts")
            changes = [StyleChange(_part(part), self._optional(old), self._optional(new)) for part, old, new in entries]
            if len({change.part for change in changes}) < len(changes):
                raise ValueError("a part is named twice")
            return tuple(changes)
        except (TypeError, ValueError) as error:
            raise ValueError(f"has wrong styles ({error})") from error

    def _optional(self, number: object) -> PartStyle | None:
        return None if number is None else self._style(number)

    def _style(self, number: object) -> PartStyle:
        if not isinstance(number, int) or not 0 <= number < len(self._styles):
            raise ValueError(f"there is no style {str(number)[:20]}")
        return self._styles[number]


def _style(entry: Any, pictures: list[bytes]) -> PartStyle:
    mean, spread, name = entry["mean"], entry["spread"], entry["name"]
    if not isinstance(name, str):
        raise ValueError("a style has no name")
    return PartStyle(
        _numbers(mean),
        None if spread is None else _numbers(spread),
        name[:_MAX_NAME],
        pictures[_whole(entry["thumbnail"])],
        None if entry["tilt"] is None else _numbers(entry["tilt"]),
        *_numbers([entry["strength"]]),
    )


def _numbers(values: object) -> tuple[float, ...]:
    if not all(isinstance(value, int | float) and not isinstance(value, bool) for value in _listed(values)):
        raise ValueError("a style has no numbers")
    return tuple(map(float, values))


def _whole(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError(f"there is no thumbnail {str(value)[:20]}")
    return value


def _listed(values: object) -> list[Any]:
    if not isinstance(values, list):
        raise ValueError("a list is missing")
    return values


def _part(part: object) -> str:
    if not isinstance(part, str):
        raise ValueError("a part has no name")
    check_part(part)
    return part
