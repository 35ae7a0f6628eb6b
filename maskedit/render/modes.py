"""What a renderer and those who ask it have words for; needs no torch."""

from __future__ import annotations

FULL, BOX = "full", "box"
"""How a render was made: the whole image, or only boxes around what changed, which is quick and nearly the same."""


class Cancelled(Exception):
    """A render was given up between two layers, because its caller wanted so."""


def never() -> bool:
    """A ``cancelled`` that lets every render end."""
    return False
