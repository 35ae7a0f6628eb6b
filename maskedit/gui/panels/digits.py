"""Classes by number: one digit chooses at once, a second one within 600 ms makes it a two-digit number."""

from __future__ import annotations

import time
from collections.abc import Callable

from maskedit.labels import NUM_LABELS

WINDOW = 0.6
"""Seconds in which a second digit belongs to the first."""


class DigitEntry:
    """Turns digits into class ids.

    Args:
        choose: called with the id; with ``correction=True`` as well when it takes the place of the class that the
            first digit chose, which was not meant.
        clock: seconds, monotonic.
    """

    def __init__(self, choose: Callable[..., None], clock: Callable[[], float] = time.monotonic):
        self._choose = choose
        self._clock = clock
        self._first: tuple[int, float] | None = None

    def press(self, digit: int) -> None:
        now = self._clock()
        if self._first is not None and now - self._first[1] <= WINDOW:
            number = self._first[0] * 10 + digit
            self._first = None
            if number < NUM_LABELS:
                self._choose(number, correction=True)
                return
        self._first = (digit, now)
        self._choose(digit)
