"""What the preview and its engine are doing, and how much a message matters: what is shown, but not in which words."""

from __future__ import annotations

from enum import Enum, StrEnum, auto


class PreviewState(Enum):
    """How the picture on the screen stands to the label map."""

    EMPTY = auto()
    """There is no document."""
    LOADING = auto()
    """A render waits for the network."""
    RENDERING = auto()
    """A render takes so long that it is worth saying."""
    LEARNING = auto()
    FAILED = auto()
    UP_TO_DATE = auto()
    FOLLOWING = auto()
    """A render of the label map as it stands is on its way, or will be."""
    OUT_OF_DATE = auto()
    """It is not."""


class EngineState(Enum):
    """Whether there is something that renders."""

    STARTING = auto()
    READY = auto()
    MISSING = auto()
    """It could not be made; the next request tries again."""


class Level(StrEnum):
    """How much a message matters; a string, because signals carry it as one."""

    INFO = auto()
    ERROR = auto()
