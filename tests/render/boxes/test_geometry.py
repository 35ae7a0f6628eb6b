"""Which part of a layer an edit reaches, against counting it out; and boxes around what changed."""

import numpy as np
import pytest

from maskedit.document.history import Box
from maskedit.render.boxes.geometry import EVERYTHING, GRID, Geometry, Halo, Span, changed_boxes, spans

KINDS = [Geometry("same", 0, 3), Geometry("same", 4, 1), Geometry("down", 1, 1), Geometry("up", 3, 0)]


def inputs(geometry, output):
    """The inputs of one output, counted out; some may lie over the border."""
    if geometry.kind == "down":
        return {2 * output - 1, 2 * output, 2 * output + 1}
    if geometry.kind == "up":  # stride 2, padding 1: input i reaches outputs 2 i - 1 .. 2 i + 1
        return {i for i in range(-2, output + 3) if 2 * i - 1 <= output <= 2 * i + 1}
    return set(range(output - geometry.padding, output + geometry.padding + 1))


@pytest.mark.parametrize("geometry", KINDS, ids=lambda each: f"{each.kind}{each.padding}")
def test_what_is_reached_and_what_is_needed(geometry):
    for start in range(0, 9):
        for stop in range(start + 1, 12):
            reached = [o for o in range(-9, 40) if inputs(geometry, o) & set(range(start, stop))]
            assert geometry.affected_outputs(Span(start, stop)) == (reached[0], reached[-1] + 1)
            if geometry.kind != "up" or start % 2 == 0 == stop % 2:
                needed = set().union(*(inputs(geometry, o) for o in range(start, stop)))
                assert needed <= set(range(*geometry.required_inputs(Span(start, stop))))
                assert len(range(*geometry.required_inputs(Span(start, stop)))) <= len(needed) + 1


LAYERS = [
    Geometry("same", 0, 3), *(Geometry("down", level, 1) for level in (1, 2)), Geometry("same", 2, 1),
    *(Geometry("up", level, 0) for level in (1, 0)), Geometry("same", 0, 3, even=True),
]  # fmt: skip


def test_the_box_grows_as_far_as_the_edit_reaches_and_ends_at_the_border():
    found = spans(LAYERS, Span(32, 48), 128, EVERYTHING)
    assert found[0] == (29, 51)
    assert found[1] == (14, 26)
    assert found[2] == (7, 14)
    assert found[3] == (6, 15)
    assert found[4] == (10, 30)  # reached from 11 on; made even
    assert found[5] == (18, 60)
    assert found[6] == (14, 64)  # likewise
    assert spans(LAYERS, Span(0, 16), 128, EVERYTHING)[0] == (0, 19)
    assert spans(LAYERS, Span(0, 128), 128, EVERYTHING) == [(0, 128 >> layer.level) for layer in LAYERS]


def test_growth_is_limited_in_each_layers_own_pixels():
    found = spans(LAYERS, Span(32, 48), 128, Halo(down=1, blocks=2, up=2))
    assert found[:4] == [(31, 49), (15, 25), (7, 13), (6, 14)]
    assert found[4:] == [(14, 26), (28, 52), (28, 52)]  # 2 at half the resolution, 4 at full
    still = spans(LAYERS, Span(32, 48), 128, Halo(down=0, blocks=0, up=0))
    assert still == [(32, 48), (16, 24), (8, 12), (8, 12), (16, 24), (32, 48), (32, 48)]


def test_no_change_no_box():
    labels = np.zeros((96, 96), np.uint8)
    assert changed_boxes(labels != labels) == []


def test_boxes_hold_every_change_on_the_grid_and_inside_the_map():
    random = np.random.default_rng(0)
    for side in (64, 96, 250):
        for _ in range(30):
            before = random.integers(0, 19, (side, side)).astype(np.uint8)
            after = before.copy()
            for _ in range(random.integers(1, 5)):
                y, x = random.integers(0, side, 2)
                after[y : y + 5, x : x + 9] = 18 - after[y : y + 5, x : x + 9]
            left = before != after
            for box in changed_boxes(before != after):
                assert 0 <= box.x0 < box.x1 <= side
                assert 0 <= box.y0 < box.y1 <= side
                assert all(value % GRID == 0 or value == side for value in box)
                left[box.slices] = False
            assert not left.any()


def test_far_edits_have_boxes_of_their_own_and_near_ones_share_one():
    before = np.zeros((512, 512), np.uint8)
    far, near = before.copy(), before.copy()
    far[100:110, 100:110] = far[100:110, 400:410] = 1
    near[100:110, 100:110] = near[100:110, 150:160] = 1
    assert sorted(changed_boxes(before != far)) == [Box(96, 96, 112, 112), Box(400, 96, 416, 112)]
    assert changed_boxes(before != near) == [Box(96, 96, 160, 112)]
