"""The parts of the window that need no window: clock-driven classes, tables, images."""

import numpy as np
import pytest
from PySide6.QtGui import QColor, QImage, QKeySequence

from maskedit.gui import theme
from maskedit.gui.actions import COMMANDS, MOUSE_KEYS
from maskedit.gui.commands import Commands
from maskedit.gui.digits import DigitEntry
from maskedit.gui.live import FAST, MAX_WAIT, QUIET, LiveScheduler
from maskedit.gui.qimage import LabelImage, image_photo, photo_image
from maskedit.gui.requests import Mailbox
from maskedit.labels import palette


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


# Digits


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


# When to render


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def live(clock):
    return LiveScheduler(clock)


def fast(live):
    live.started()
    live.finished(0.05)


def slow(live):
    live.started()
    live.finished(1.2)


def test_nothing_to_render(live):
    assert live.delay() is None


def test_a_fast_engine_follows_the_brush(live):
    fast(live)
    live.stroke_began()
    live.edited()
    assert live.delay() == 0


def test_one_render_in_flight(live):
    fast(live)
    live.edited()
    live.started()
    live.edited()
    assert live.delay() is None
    live.force()
    assert live.delay() is None
    live.finished(0.05)
    assert live.delay() == 0


def test_a_slow_engine_waits_for_the_release(live, clock):
    slow(live)
    live.stroke_began()
    live.edited()
    clock.now += 10
    assert live.delay() is None
    live.stroke_ended()
    assert live.delay() == 0  # the series has lasted longer than it may


def test_the_quiet_time_begins_with_the_last_edit_not_with_the_release(live, clock):
    slow(live)
    live.stroke_began()
    live.edited()
    clock.now += QUIET / 4
    live.stroke_ended()
    assert live.delay() == pytest.approx(QUIET * 3 / 4)
    clock.now += QUIET / 4
    live.stroke_began()  # the next dab, before the quiet time is over
    assert live.delay() is None
    live.edited()
    live.stroke_ended()
    assert live.delay() == pytest.approx(QUIET)
    clock.now += QUIET
    assert live.delay() == pytest.approx(0)


@pytest.mark.parametrize("painting", [False, True])
def test_a_fast_engine_has_no_quiet_time(live, clock, painting):
    fast(live)
    if painting:
        live.stroke_began()
    live.edited()
    assert live.delay() == 0
    live.stroke_ended()
    assert live.delay() == 0


def test_an_unknown_engine_counts_as_slow(live):
    live.stroke_began()
    live.edited()
    assert live.delay() is None


def test_a_slow_engine_waits_for_quiet_or_the_longest_wait(live, clock):
    slow(live)
    start = clock.now
    while clock.now - start < MAX_WAIT - 0.05:
        live.edited()
        assert 0 < live.delay() <= QUIET + 1e-9
        clock.now += 0.1
    clock.now = start + MAX_WAIT
    live.edited()
    assert live.delay() == 0
    live.started()
    live.finished(1.2)
    live.edited()
    clock.now += QUIET
    assert live.delay() == pytest.approx(0)


def test_always_one_render_after_the_release(live, clock):
    slow(live)
    live.stroke_began()
    live.edited()
    live.force()
    live.started()
    live.edited()
    live.stroke_ended()
    assert live.delay() is None
    live.finished(1.2)
    assert live.delay() == pytest.approx(QUIET)
    clock.now += QUIET
    assert live.delay() == pytest.approx(0)


def test_a_release_without_a_change_renders_nothing(live):
    slow(live)
    live.stroke_began()
    live.stroke_ended()
    assert live.delay() is None


def test_switched_off_only_a_forced_render_is_due(live):
    fast(live)
    live.enabled = False
    live.edited()
    assert live.delay() is None
    live.force()
    assert live.delay() == 0
    live.started()
    live.finished(None)
    assert live.delay() is None


def test_the_cost_takes_a_fast_render_at_once_and_a_slow_one_by_half(live):
    live.finished(2.0)
    live.finished(0.1)
    assert live.cost() == pytest.approx(0.1)
    live.finished(0.3)
    assert live.cost() == pytest.approx(0.2)
    assert live.cost() < FAST
    live.finished(None)
    assert live.cost() == pytest.approx(0.2)


def test_another_document_forgets_what_waits(live):
    fast(live)
    live.stroke_began()
    live.edited()
    live.force()
    live.reset()
    assert live.delay() is None


def test_mailbox_holds_the_newest_only():
    box = Mailbox()
    assert box.take() is None
    box.put("first")
    box.put("second")
    assert box.take() == "second"
    assert box.take() is None
    box.put("third")
    box.put(None)
    assert box.take() is None


# The table of commands


def test_every_key_belongs_to_one_command():
    keys = [QKeySequence(key).toString() for command in COMMANDS for key in command.keys]
    keys += [*"0123456789", "Space", "C", "Return", "Backspace"]
    assert "" not in keys
    assert len(keys) == len(set(keys)), sorted(key for key in keys if keys.count(key) > 1)


def test_every_command_has_a_handler_and_every_handler_a_command():
    handlers = {name[3:] for name in vars(Commands) if name.startswith("on_")}
    assert handlers == {command.id for command in COMMANDS}
    assert len({command.id for command in COMMANDS}) == len(COMMANDS)


def test_every_command_says_what_it_does():
    assert all(command.text and command.tip and command.menu for command in COMMANDS)
    assert all(command.icon for command in COMMANDS if command.bar)
    assert all(keys and text for keys, text in MOUSE_KEYS)


# Images


@pytest.mark.parametrize("width", [1, 3, 511, 513])
def test_photos_of_any_width(width):
    photo = np.random.default_rng(width).integers(0, 256, (5, width, 3), dtype=np.uint8)
    image = photo_image(photo)
    assert (image.width(), image.height()) == (width, 5)
    expected = photo.copy()
    photo[:] = 0  # the image owns its memory
    assert np.array_equal(image_photo(image), expected)
    assert image.pixelColor(width - 1, 4).getRgb()[:3] == tuple(expected[4, -1].tolist())


def test_transparent_pixels_become_white_and_scaled_images_keep_their_size():
    image = QImage(6, 4, QImage.Format.Format_ARGB32)
    image.fill(QColor(10, 20, 30, 0))
    image.setPixelColor(0, 0, QColor(10, 20, 30))
    image.setDevicePixelRatio(2.0)
    photo = image_photo(image)
    assert photo.shape == (4, 6, 3)
    assert photo[0, 0].tolist() == [10, 20, 30]
    assert photo[3, 5].tolist() == [255, 255, 255]


@pytest.mark.parametrize("width", [1, 3, 511, 513])
def test_label_images_change_in_the_box_alone(width):
    from maskedit.document.history import Box

    labels = np.full((4, width), 13, np.uint8)
    colours = np.concatenate([palette(), np.full((19, 1), 255, np.uint8)], axis=1)
    colours[1, 3] = 0
    image = LabelImage(labels, colours)
    labels[:] = 18
    labels[0, 0] = 1
    image.update(labels, Box(0, 0, 1, 2))
    assert image.image.pixelColor(0, 0).alpha() == 0
    assert image.image.pixelColor(0, 1).getRgb() == (0, 204, 0, 255)
    assert image.image.pixelColor(width - 1, 3).getRgb() == (0, 0, 204, 255)


def test_text_on_swatches_is_readable():
    assert theme.text_on((0, 0, 0)) == QColor("white")
    assert theme.text_on((255, 255, 255)) == QColor("black")
    assert theme.text_on((0, 0, 204)) == QColor("white")
    assert theme.text_on((255, 255, 0)) == QColor("black")
