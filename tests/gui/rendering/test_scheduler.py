"""When a render is due and what is asked for, with a clock that the test moves."""

import pytest

from maskedit.gui.rendering.scheduler import FAST, MAX_WAIT, PATIENCE, QUIET, SOON, LiveScheduler
from maskedit.render.modes import FULL, QUICK
from tests.gui.harness import Clock


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


# Boxes


@pytest.fixture
def boxes(clock):
    """A scheduler that has seen full renders of 0.8 s, and boxes of 0.08 s."""
    live = LiveScheduler(clock)
    live.has_quick = True
    for mode, seconds in ((QUICK, 0.08), (FULL, 0.8), (FULL, 0.8), (FULL, 0.8), (FULL, 0.8)):
        live.started()
        live.finished(seconds, mode)
    assert live.delay() is None
    return live


def test_boxes_follow_the_brush_and_a_full_render_its_release(boxes):
    boxes.stroke_began()
    for _ in range(3):
        boxes.edited()
        assert (boxes.delay(), boxes.mode) == (0, QUICK)
        boxes.started()
        assert boxes.delay() is None
        boxes.finished(0.08, QUICK)
    assert boxes.mode == FULL
    boxes.stroke_ended()
    assert (boxes.delay(), boxes.mode) == (0, FULL)
    boxes.started()
    boxes.finished(0.8, FULL)
    assert boxes.delay() is None


def test_a_brush_that_rests_while_pressed_gets_a_full_render(boxes, clock):
    boxes.stroke_began()
    boxes.edited()
    boxes.started()
    boxes.finished(0.08, QUICK)
    assert boxes.delay() == pytest.approx(QUIET)
    clock.now += QUIET
    assert (boxes.delay(), boxes.mode) == (0, FULL)


def test_a_brush_that_moves_on_overtakes_the_full_render(boxes):
    boxes.force()
    boxes.started()
    boxes.edited()
    assert boxes.delay() is None  # an edit that is no stroke can wait for what is under way
    boxes.stroke_began()
    boxes.edited()
    assert (boxes.delay(), boxes.mode) == (0, QUICK)
    boxes.started()
    boxes.edited()
    assert boxes.delay() is None  # boxes are not overtaken


def test_one_short_stroke_after_the_other_gets_a_full_render_in_the_end(boxes, clock):
    started = clock.now
    while clock.now < started + 20:
        boxes.stroke_began()
        boxes.edited()
        if boxes.delay() is None:
            break  # the full render under way is not given up any more
        assert boxes.mode == QUICK
        boxes.started()
        boxes.finished(0.08, QUICK)
        boxes.stroke_ended()
        assert (boxes.delay(), boxes.mode) == (0, FULL)
        boxes.started()
        clock.now += 0.45
    assert PATIENCE <= clock.now - started < PATIENCE + 1
    boxes.finished(0.8, FULL)
    assert (boxes.delay(), boxes.mode) == (0, QUICK)


def test_a_short_full_render_is_not_overtaken(boxes):
    for _ in range(9):
        boxes.finished(SOON / 2, FULL)
    boxes.force()
    boxes.started()
    boxes.stroke_began()
    boxes.edited()
    assert boxes.delay() is None


def test_without_boxes_a_slow_engine_still_waits_for_the_release(boxes):
    boxes.has_quick = False
    boxes.stroke_began()
    boxes.edited()
    assert (boxes.delay(), boxes.mode) == (None, FULL)


def test_boxes_that_save_nothing_are_not_used(boxes):
    for _ in range(9):
        boxes.finished(0.2, FULL)
        boxes.finished(0.19, QUICK)
    boxes.stroke_began()
    boxes.edited()
    assert boxes.mode == FULL


def test_where_full_renders_cannot_follow_boxes_do_though_they_save_little(boxes):
    for _ in range(9):
        boxes.finished(0.35, FULL)
        boxes.finished(0.25, QUICK)
    boxes.stroke_began()
    boxes.edited()
    assert (boxes.delay(), boxes.mode) == (0, QUICK)


def test_boxes_that_would_hold_up_the_result_do_not_follow(boxes):
    for _ in range(9):
        boxes.finished(0.9, FULL)
        boxes.finished(0.8, QUICK)
    boxes.stroke_began()
    boxes.edited()
    assert (boxes.delay(), boxes.mode) == (None, FULL)


def test_what_took_no_time_says_nothing_of_the_next(clock):
    """A label map that is the photo's own needs no network, where that completes."""
    live = LiveScheduler(clock)
    live.has_quick = True
    live.force()
    live.started()
    live.finished(0.001, FULL, typical=False)
    live.stroke_began()
    live.edited()
    assert (live.delay(), live.mode) == (0, QUICK)
    live.started()
    live.finished(0.2, QUICK)
    live.edited()
    assert (live.delay(), live.mode) == (0, QUICK)


def test_a_whole_edit_is_rendered_in_full_at_once_where_that_is_quick(boxes):
    boxes.edited()
    assert boxes.mode == QUICK
    for _ in range(9):
        boxes.finished(SOON / 2, FULL)
    boxes.edited()
    assert boxes.mode == FULL


def test_switched_off_nothing_follows_a_box(boxes):
    boxes.stroke_began()
    boxes.edited()
    boxes.started()
    boxes.finished(0.08, QUICK)
    boxes.enabled = False
    boxes.stroke_ended()
    assert boxes.delay() is None
    boxes.enabled = True
    assert boxes.delay() == 0
