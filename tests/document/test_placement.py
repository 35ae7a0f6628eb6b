"""Where a piece lies, and how handles move it."""

import numpy as np
import pytest

from maskedit.document.placement import FRAME, HANDLES, INSIDE, STALK, TURN, Placement, grip, handles

AT = Placement(50, 40, 40, 20)


def near(point):
    return pytest.approx(point, abs=1e-9)


def test_the_matrix_lays_a_piece_into_its_box():
    matrix = Placement(50, 40, 40, 20, degrees=90).matrix(20, 10)
    assert matrix @ [0, 0, 1] == near([60, 20])  # its top left corner is the top right one now
    assert matrix @ [10, 5, 1] == near([50, 40])
    assert Placement(50, 40, 40, 20, mirrored=True).matrix(20, 10) @ [0, 0, 1] == near([70, 30])


@pytest.mark.parametrize("degrees", [0, 30, -100])
@pytest.mark.parametrize("name", HANDLES)
def test_a_handle_leaves_the_opposite_side_where_it_is(name, degrees):
    start = Placement(50, 40, 40, 20, degrees)
    right, down = HANDLES[name]
    hand = start.at(right, down)
    end = start.at(1.5 * right, 1.5 * down)
    scaled = start.scaled(name, hand, end)
    assert scaled.at(-right, -down) == near(start.at(-right, -down))
    assert scaled.at(right, down) == near(end)
    assert (scaled.width, scaled.height) == near((40 * (1.25 if right else 1), 20 * (1.25 if down else 1)))


def test_corners_keep_proportions_unless_they_are_free_and_nothing_turns_inside_out():
    scaled = AT.scaled("bottom right", (70, 50), (90, 50))
    assert scaled.width / scaled.height == pytest.approx(2)
    assert scaled.width > 40
    free = AT.scaled("bottom right", (70, 50), (90, 50), free=True)
    assert (free.width, free.height) == near((60, 20))
    for name in HANDLES:
        crushed = AT.scaled(name, AT.at(*HANDLES[name]), AT.at(*(-9 * side for side in HANDLES[name])))
        assert min(crushed.width, crushed.height) >= 2 - 1e-9


def test_turning_mirroring_and_the_other_side():
    turned = AT.turned((70, 40), (50, 60))
    assert turned.degrees == pytest.approx(90)
    assert AT.turned((70, 40), (70, 44), snap=True).degrees == pytest.approx(15)
    assert turned.flipped().flipped() == turned
    assert turned.holds((50, 59))
    assert not AT.holds((50, 59))
    other = Placement(150, 40, 40, 20)
    moved = Placement(45, 38, 60, 20, degrees=10, mirrored=True)
    assert other.as_mirrored(AT, moved) == Placement(155, 38, 60, 20, degrees=-10, mirrored=True)


def test_each_part_of_the_frame_is_held_as_it_looks():
    pixel = 0.5
    points = handles(AT, pixel=pixel)
    assert set(points) == {*HANDLES, TURN}
    assert all(grip(AT, point, pixel=pixel) == name for name, point in points.items())
    assert points["top left"] == near((30 - FRAME * pixel, 30 - FRAME * pixel))
    assert points[TURN] == near((50, 30 - (FRAME + STALK) * pixel))
    assert grip(AT, (50, 40), pixel=pixel) == INSIDE
    assert grip(AT, (points["top left"][0] - 9, points["top left"][1] - 3), pixel=pixel) == TURN
    assert grip(AT, (5, 5), pixel=pixel) is None
    # Where a side is short on the screen, the middle of it belongs to the piece.
    assert "left" not in handles(AT, pixel=2)
    assert grip(AT, (50, 40), pixel=2) == INSIDE
    assert np.isfinite(list(handles(AT, pixel=2).values())).all()
