"""Digits choose classes: two soon after each other are one number."""

import pytest

from maskedit.gui.panels.digits import DigitEntry
from tests.gui.harness import Clock


@pytest.mark.parametrize(
    ("presses", "chosen"),
    [
        ([(0.0, 1), (0.5, 3)], [1, 13]),
        ([(0.0, 1), (0.7, 3)], [1, 3]),
        ([(0.0, 2), (0.1, 5)], [2, 5]),  # there is no class 25
        ([(0.0, 1), (0.1, 8), (0.2, 4)], [1, 18, 4]),
        ([(0.0, 0), (0.1, 7)], [0, 7]),
        ([(0.0, 3), (0.1, 1), (0.2, 2)], [3, 1, 12]),  # 31 is none: the 1 begins anew
    ],
)
def test_digits(presses, chosen):
    clock, taken = Clock(), []
    entry = DigitEntry(lambda label, correction=False: taken.append(label), clock)
    for seconds, digit in presses:
        clock.now = 100.0 + seconds
        entry.press(digit)
    assert taken == chosen
