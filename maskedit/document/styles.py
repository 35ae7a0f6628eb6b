"""The style of a region: its colours, taken from a photo or chosen, as a document keeps them. Numbers only."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from maskedit.labels import STYLE_PARTS

THUMBNAIL = 48
"""Side in pixels of the little picture of where a style came from."""
_LARGEST = 128.0
"""No colour has a greater value in CIE Lab."""


@dataclass(frozen=True)
class PartStyle:
    """What colours a part of the face is to have.

    Raises:
        ValueError: numbers that are no colours, a strength beyond 0..1, or a thumbnail of another size.
    """

    mean: tuple[float, float, float]
    """The mean colour in CIE Lab: L 0..100, a and b -128..128."""
    spread: tuple[float, float, float] | None
    """The standard deviations of L, a and b; None keeps those of the photo that takes the style."""
    name: str
    """Where it came from, for a person: the photo's name, or a colour."""
    thumbnail: bytes
    """(`THUMBNAIL`, `THUMBNAIL`, 3) uint8 RGB, as the bytes of its rows."""
    tilt: tuple[float, float] | None = None
    """How much a and b grow with each unit of L: shadows in blond hair are redder, its lights more golden. None where
    that is not known."""
    strength: float = 1.0
    """0..1: how far the colours move to these; at 0 the photo stays as it is."""

    def __post_init__(self) -> None:
        given = (self.mean, 3), (self.spread, 3), (self.tilt, 2)
        numbers = [*self.mean, *(self.spread or ()), *(self.tilt or ()), self.strength]
        counted = all(values is None or len(values) == count for values, count in given)
        if not counted or not all(math.isfinite(each) and abs(each) <= _LARGEST for each in numbers):
            raise ValueError(f"a style has three means, three spreads and two tilts in CIE Lab, not {numbers}")
        if not 0 <= self.mean[0] <= 100 or min(self.spread or (0.0,)) < 0:
            raise ValueError(f"lightness runs from 0 to 100 and spreads from 0, not {self.mean[0]} and {self.spread}")
        if not 0 <= self.strength <= 1:
            raise ValueError(f"the strength of a style runs from 0 to 1, not {self.strength}")
        if len(self.thumbnail) != 3 * THUMBNAIL**2:
            raise ValueError(f"a thumbnail has {3 * THUMBNAIL**2} bytes, not {len(self.thumbnail)}")


Styles = Mapping[str, PartStyle]
"""Part, a key of `STYLE_PARTS`, -> its style. A part that is not there keeps the photo's own."""


def check_part(part: str) -> None:
    """Raise ValueError unless a part has a style."""
    if part not in STYLE_PARTS:
        raise ValueError(f"{part!r} has no style; there are {', '.join(STYLE_PARTS)}")
