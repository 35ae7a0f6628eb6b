"""When to render: a plain class with an injected clock, so that its rules can be tested without waiting."""

from __future__ import annotations

from collections.abc import Callable

FAST = 0.3
"""Seconds: below it a render follows the brush at once; above it, it waits for the release and a quiet moment."""
QUIET = 0.2
"""Seconds without an edit that end a series of edits on a slow engine: a render begun too early holds up the next."""
MAX_WAIT = 1.0
"""Seconds after which a series of edits is rendered between two strokes, even if it goes on."""


class LiveScheduler:
    """Says when the next render is due; one is in flight at most.

    Args:
        clock: seconds, monotonic.
    """

    def __init__(self, clock: Callable[[], float]):
        self._clock = clock
        self.enabled = True
        self.cost = FAST
        """What a render is expected to cost in seconds; an unknown engine counts as slow."""
        self._in_flight = False
        self._painting = False
        self._first_edit: float | None = None
        self._last_edit = 0.0
        self._forced = False

    def edited(self) -> None:
        """The label map has changed."""
        now = self._clock()
        self._first_edit = now if self._first_edit is None else self._first_edit
        self._last_edit = now

    def stroke_began(self) -> None:
        self._painting = True

    def stroke_ended(self) -> None:
        """The button is up: what has changed and is not rendered yet may be, after the quiet time."""
        self._painting = False

    def force(self) -> None:
        """Render now, live or not."""
        self._forced = True

    def started(self) -> None:
        """A render of the present label map is on its way."""
        self._in_flight, self._forced, self._first_edit = True, False, None

    def finished(self, seconds: float | None) -> None:
        """It came back; ``seconds`` is None when it failed."""
        self._in_flight = False
        if seconds is not None:
            # A faster render counts at once: the first of a photo also computes its style code, and no later one
            # does. A slower one counts half: a single hiccup does not make an engine slow.
            self.cost = min(seconds, 0.5 * self.cost + 0.5 * seconds)

    def reset(self) -> None:
        """Another document: nothing is waiting."""
        self._forced, self._painting, self._first_edit = False, False, None

    @property
    def in_flight(self) -> bool:
        """Whether a render has started and not come back."""
        return self._in_flight

    @property
    def waiting(self) -> bool:
        """Whether there is something to render at all."""
        return self._forced or (self.enabled and self._first_edit is not None)

    def delay(self) -> float | None:
        """Seconds until a render is due: 0 for now, None for not before something happens."""
        if self._in_flight or not self.waiting:
            return None
        if self._forced or self.cost < FAST:
            return 0.0
        if self._painting:
            return None
        now = self._clock()
        due = min(self._last_edit + QUIET, self._first_edit + MAX_WAIT)
        return max(0.0, due - now)
