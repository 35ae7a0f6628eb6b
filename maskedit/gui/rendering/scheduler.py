"""When to render, and what: a plain class with an injected clock, so that its rules can be tested without waiting.

There are two modes. A *full* render is the final one of a label map. A *quick* render, where the engine has one,
comes sooner and looks nearly the same (see `maskedit.render.modes`). The scheduler learns what each costs, and decides
which one is asked for: quick ones while the brush moves, a full one when it rests.
"""

from __future__ import annotations

from collections.abc import Callable

from maskedit.render.modes import FULL, QUICK, Mode

FAST = 0.3
"""Seconds: below it a render follows the brush at once; above it, it waits for the release and a quiet moment."""
QUIET = 0.2
"""Seconds without an edit that end a series of edits on a slow engine: a render begun too early holds up the next. Also
those after which a brush that is still pressed counts as resting."""
MAX_WAIT = 1.0
"""Seconds after which a series of edits is rendered between two strokes, even if it goes on."""
SOON = 0.1
"""Seconds. Where a full render takes no longer than this, no quick one comes before it once the brush is up, and one
that is under way is never given up."""
PATIENCE = 3.0
"""Seconds for which full renders may be given up, one after the other, for newer strokes; then one is waited for. The
errors of quick ones add up, and who paints one short stroke after the other would never see a full render."""
_WORTH = 0.5
"""A quick render that costs a larger share of a full one is not worth its error."""
SLOWEST = 0.6
"""Seconds. Where full renders are too slow to follow the brush, quick ones that take less than this follow it even if
`_WORTH` speaks against them; slower ones would hold up the full render after the release."""
_GUESS = 0.25
"""The share of a full render's cost that a quick one is expected to cost before one was measured."""
_HOPE = 0.8
"""The remembered cost of a quick render is multiplied by this after every full one, so that they are tried again."""


class LiveScheduler:
    """Says when the next render is due and which mode it should have; a newer one may overtake one in flight.

    Args:
        clock: seconds, monotonic.
    """

    def __init__(self, clock: Callable[[], float]):
        self._clock = clock
        self.enabled = True
        self.has_quick = False
        """Whether a quick render is anything else than a full one."""
        self._costs: dict[Mode, float] = {}
        self._in_flight: Mode | None = None
        self._painting = False
        self._first_edit: float | None = None
        self._last_edit = 0.0
        self._forced = False
        self._rough = False
        self._given_up: float | None = None
        """When a full render was first given up since the last that came."""

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
        """A render of the present label map, in the present mode, is on its way."""
        if self._in_flight is not None and self._given_up is None:
            self._given_up = self._clock()
        self._in_flight, self._forced, self._first_edit = self.mode, False, None

    def finished(self, seconds: float | None, mode: Mode = FULL, *, typical: bool = True) -> None:
        """It came back, in the mode that it was made in; ``seconds`` is None when it failed.

        One that is not ``typical`` says nothing of what the next will cost.
        """
        self._in_flight = None
        if seconds is not None:
            self._rough = mode == QUICK
            if mode == FULL:
                self._given_up = None
            if typical:
                self.measured(seconds, mode)

    def measured(self, seconds: float, mode: Mode = FULL) -> None:
        """A render in this mode took so long."""
        # A faster one counts at once: the first of a photo also computes its style code, and no later one does.
        # A slower one counts half: a single hiccup does not make an engine slow.
        self._costs[mode] = min(seconds, 0.5 * self.cost(mode) + 0.5 * seconds)
        if mode == FULL and QUICK in self._costs:
            self._costs[QUICK] *= _HOPE  # or quick ones that were slow once would never be tried again

    def reset(self) -> None:
        """Another document: nothing is waiting."""
        self._forced, self._painting, self._first_edit, self._rough = False, False, None, False
        self._given_up = None

    @property
    def in_flight(self) -> bool:
        """Whether a render has started and not come back."""
        return self._in_flight is not None

    @property
    def waiting(self) -> bool:
        """Whether there is something to render at all."""
        return self._forced or (self.enabled and (self._first_edit is not None or self._rough))

    def cost(self, mode: Mode = FULL) -> float:
        """What a render is expected to cost in seconds; an unknown engine counts as slow."""
        guess = FAST if mode == FULL else _GUESS * self._costs.get(FULL, FAST)
        return self._costs.get(mode, guess)

    @property
    def mode(self) -> Mode:
        """The mode of the next render."""
        if self._forced or self._first_edit is None or not self.has_quick:
            return FULL
        full, quick = self.cost(FULL), self.cost(QUICK)
        # Where a full one is too slow to follow the brush, whatever can follow it is worth it.
        if quick > _WORTH * full and not (full >= FAST and quick < SLOWEST):
            return FULL
        return QUICK if self._painting or self.cost(FULL) > SOON else FULL

    def delay(self) -> float | None:
        """Seconds until a render is due: 0 for now, None for not before something happens."""
        if self._in_flight is not None:
            return 0.0 if self._overtakes else None
        if not self.waiting:
            return None
        if self._forced:
            return 0.0
        now = self._clock()
        if self._first_edit is None:  # the last one was rough, and nothing has changed since
            return max(0.0, self._last_edit + QUIET - now) if self._painting else 0.0
        if self.cost(self.mode) < FAST or (self._painting and self.mode == QUICK):
            return 0.0
        if self._painting:
            return None
        due = min(self._last_edit + QUIET, self._first_edit + MAX_WAIT)
        return max(0.0, due - now)

    @property
    def _overtakes(self) -> bool:
        """Whether the brush has moved on under a full render, which a quick one need not wait for."""
        moving = self.enabled and self._painting and self._first_edit is not None
        patient = self._given_up is None or self._clock() - self._given_up < PATIENCE
        return moving and patient and self._in_flight == FULL and self.mode == QUICK and self.cost(FULL) > SOON
