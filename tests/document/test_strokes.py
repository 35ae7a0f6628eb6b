"""Brush strokes against a slow reference that looks at every pixel."""

from itertools import pairwise

import numpy as np
import pytest

from maskedit.document.document import Document
from maskedit.document.history import Box
from maskedit.document.strokes import polygon_mask
from maskedit.labels import mirrored

SKIN, L_EYE, R_EYE, HAIR = 1, 4, 5, 13


def blank(*, width: int = 60, height: int = 50, label: int = 0) -> Document:
    return Document(np.zeros((height, width, 3), np.uint8), np.full((height, width), label, np.uint8))


def swept(shape, start, end, start_radius, end_radius=None, *, steps: int = 0) -> np.ndarray:
    """The pixels a disc covers on its way, pixel by pixel; ``steps`` discs, or the exact distance when 0."""
    end_radius = start_radius if end_radius is None else end_radius
    y, x = np.mgrid[: shape[0], : shape[1]] + 0.5
    (xa, ya), (xb, yb) = start, end
    if steps:
        covered = np.zeros(shape, bool)
        for t in np.linspace(0, 1, steps):
            radius = start_radius + (end_radius - start_radius) * t
            covered |= (x - xa - (xb - xa) * t) ** 2 + (y - ya - (yb - ya) * t) ** 2 <= radius**2 + 1e-9
        return covered
    square = (xb - xa) ** 2 + (yb - ya) ** 2
    t = np.clip(((x - xa) * (xb - xa) + (y - ya) * (yb - ya)) / square, 0, 1) if square else 0
    return np.hypot(x - xa - (xb - xa) * t, y - ya - (yb - ya) * t) <= start_radius + 1e-9


@pytest.mark.parametrize("diameter", [2, 3, 4, 5, 7.5, 10, 21, 40, 200])
@pytest.mark.parametrize("point", [(30, 25), (30.5, 25.5), (30.25, 24.9), (0, 0), (59.9, 49.9), (-4, 60)])
def test_press_and_release_paints_exactly_the_disc(diameter, point):
    document = blank()
    stroke = document.begin_stroke(SKIN, diameter=diameter)
    box = stroke.move_to(*point)
    edit = stroke.commit()
    disc = swept((50, 60), point, point, diameter / 2)
    np.testing.assert_array_equal(document.labels == SKIN, disc)
    assert (edit is None) == (not disc.any())
    if edit is not None:
        assert edit.box == box
        assert edit.name == "Brush skin"
        np.testing.assert_array_equal(edit.changed, disc[box.slices])


@pytest.mark.parametrize("point", [(3.0, 3.0), (3.5, 3.5), (3.99, 3.01), (3.5, 3.0)])
def test_diameter_one_paints_exactly_the_pixel_under_the_pointer(point):
    document = blank()
    document.begin_stroke(SKIN, diameter=1).move_to(*point)
    assert document.stroke.commit().box == Box(3, 3, 4, 4)
    assert (document.labels == SKIN).sum() == 1


def test_fast_moves_leave_no_gap_and_equal_the_swept_disc():
    rng = np.random.default_rng(1)
    for _ in range(60):
        document = blank()
        diameter = rng.uniform(2, 30)
        points = rng.uniform(-20, 80, (4, 2))
        stroke = document.begin_stroke(HAIR, diameter=diameter)
        expected = np.zeros((50, 60), bool)
        previous = points[0]
        for point in points:
            stroke.move_to(*point)
            expected |= swept((50, 60), previous, point, diameter / 2)
            previous = point
        stroke.commit()
        np.testing.assert_array_equal(document.labels == HAIR, expected)


def test_a_thin_fast_line_is_connected():
    document = blank()
    stroke = document.begin_stroke(HAIR, diameter=1)
    stroke.move_to(2, 3)
    stroke.move_to(55.7, 31.2)
    painted = document.labels == HAIR
    assert painted[:, 2:56].any(axis=0).all()
    columns = [np.flatnonzero(painted[:, x]) for x in range(2, 56)]
    assert all(b.min() - a.max() <= 1 for a, b in pairwise(columns))
    assert painted.sum() < 54 * 2


@pytest.mark.slow
def test_pressure_changes_the_width_evenly():
    rng = np.random.default_rng(2)
    for _ in range(40):
        document = blank()
        start, end = rng.uniform(0, 50, (2, 2))
        first, last = rng.uniform(2, 40, 2)
        stroke = document.begin_stroke(HAIR, diameter=first)
        stroke.move_to(*start)
        stroke.move_to(*end, diameter=last)
        painted = document.labels == HAIR
        reference = swept((50, 60), start, end, first / 2, last / 2, steps=3000)
        assert not (reference & ~painted).any()
        assert (painted & ~reference).sum() <= 2  # the reference steps; a rim pixel may fall between
        stroke.commit()


@pytest.mark.parametrize("corner", [(0, 0), (60, 0), (0, 50), (60, 50)])
def test_a_drag_over_a_corner_clips(corner):
    document = blank()
    stroke = document.begin_stroke(SKIN, diameter=12)
    start, end = (30, 25), (corner[0] * 3 - 60, corner[1] * 3 - 50)
    stroke.move_to(*start)
    box = stroke.move_to(*end)
    assert box.clipped(60, 50) == box
    np.testing.assert_array_equal(document.labels == SKIN, swept((50, 60), start, end, 6))
    assert stroke.move_to(end[0] - 1000, end[1]) is None


def test_one_drag_is_one_undo_and_restores_every_byte():
    rng = np.random.default_rng(3)
    original = rng.integers(0, 19, (50, 60), dtype=np.uint8)
    document = Document(np.zeros((50, 60, 3), np.uint8), original)
    stroke = document.begin_stroke(HAIR, diameter=9)
    for x, y in rng.uniform(0, 60, (30, 2)):
        stroke.move_to(x, y)
    edit = stroke.commit()
    assert document.history.names == ["Brush hair"]
    assert document.edit_count == 1
    assert edit.old_ids.size == (document.labels != original).sum()
    painted = document.snapshot()
    assert document.undo() == edit.box
    np.testing.assert_array_equal(document.labels, original)
    assert document.redo() == edit.box
    np.testing.assert_array_equal(document.labels, painted)


def test_abort_restores_bytes_and_leaves_no_entry():
    document = blank(label=SKIN)
    stroke = document.begin_stroke(HAIR, diameter=9)
    stroke.move_to(10, 10)
    stroke.move_to(20, 10)
    revision = document.revision
    assert stroke.abort() == Box(6, 6, 24, 14).union(stroke.box)
    assert (document.labels == SKIN).all()
    assert document.revision > revision
    assert document.stroke is None
    assert not document.can_undo
    assert stroke.abort() is None
    with pytest.raises(RuntimeError, match="ended"):
        stroke.move_to(1, 1)


def test_a_stroke_that_changes_nothing_leaves_no_entry():
    document = blank(label=HAIR)
    stroke = document.begin_stroke(HAIR, diameter=9)
    assert stroke.move_to(10, 10) is None
    assert stroke.commit() is None
    assert not document.can_undo
    assert (document.revision, document.edit_count) == (0, 0)


def test_the_box_of_a_move_holds_what_that_move_changed():
    document = blank()
    stroke = document.begin_stroke(HAIR, diameter=8)
    for x in (10, 13, 30, 30, 20):
        before = document.snapshot()
        box = stroke.move_to(x, 20)
        rows, columns = np.nonzero(before != document.labels)
        if rows.size:
            assert box == Box(columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
        else:
            assert box is None


def test_locked_labels_stay_and_later_changes_of_the_locks_do_not_count():
    document = blank()
    document.fill(0, 0, SKIN)
    document.paint_polygon([(20, 0), (39, 0), (39, 49), (20, 49)], L_EYE)
    document.locked = {L_EYE}
    stroke = document.begin_stroke(HAIR, diameter=10)
    stroke.move_to(5, 25)
    document.locked.clear()
    stroke.move_to(55, 25)
    assert (document.labels[:, 20:40] == L_EYE).all()
    assert document.labels[25, 5] == document.labels[25, 50] == HAIR


def test_only_over_looks_at_the_ids_before_the_stroke():
    document = blank()
    document.paint_polygon([(0, 0), (29, 0), (29, 49), (0, 49)], SKIN)
    document.only_over = SKIN
    stroke = document.begin_stroke(HAIR, diameter=10, mirror=True)
    stroke.move_to(20, 25)
    stroke.move_to(40, 25)
    stroke.move_to(20, 25)
    assert (document.labels[:, 30:] == 0).all()
    expected = swept((50, 60), (20, 25), (40, 25), 5)[:, :30]
    np.testing.assert_array_equal(document.labels[:, :30] == HAIR, expected)


@pytest.mark.parametrize("width", [59, 60])
@pytest.mark.parametrize("label", [L_EYE, HAIR])
@pytest.mark.parametrize("points", [[(10.3, 10)], [(10, 10), (25, 30)], [(10, 10), (50, 40)], [(31, 20), (28, 20)]])
def test_the_mirrored_brush_paints_a_symmetric_map(width, label, points):
    document = blank(width=width)
    stroke = document.begin_stroke(label, diameter=9, mirror=True)
    for point in points:
        stroke.move_to(*point)
    stroke.commit()
    result, image = document.snapshot(), mirrored(document.labels)
    result, image = (np.delete(array, 29, axis=1) if width % 2 else array for array in (result, image))
    np.testing.assert_array_equal(result, image)
    own = swept((50, width), points[0], points[-1], 4.5)
    np.testing.assert_array_equal(document.labels != 0, own | own[:, ::-1])
    document.undo()
    assert not document.labels.any()


def test_the_mirror_takes_the_partner():
    document = blank()
    document.begin_stroke(L_EYE, diameter=4, mirror=True).move_to(50, 20)
    assert document.labels[20, 50] == L_EYE
    assert document.labels[20, 9] == R_EYE


def test_a_mirrored_stroke_obeys_the_locks_on_both_sides():
    document = blank()
    document.paint_polygon([(0, 0), (29, 0), (29, 49), (0, 49)], SKIN)
    document.locked = {SKIN}
    document.begin_stroke(L_EYE, diameter=6, mirror=True).move_to(50, 20)
    assert (document.labels[:, :30] == SKIN).all()


def test_only_one_stroke_at_a_time_and_nothing_else_meanwhile():
    document = blank()
    document.fill(0, 0, SKIN)
    stroke = document.begin_stroke(HAIR, diameter=3)
    stroke.move_to(9, 9)
    for change in (
        lambda: document.begin_stroke(HAIR, diameter=3),
        lambda: document.fill(0, 0, HAIR),
        lambda: document.paint_polygon([(0, 0), (3, 3)], HAIR),
        document.reset_labels,
    ):
        with pytest.raises(RuntimeError, match="stroke is in progress"):
            change()
    assert document.undo() is None
    assert not document.can_undo
    assert (document.committed_labels() == SKIN).all()
    stroke.commit()
    assert document.can_undo


def test_a_far_away_point_costs_nothing_and_harms_nothing():
    document = blank()
    stroke = document.begin_stroke(HAIR, diameter=10)
    stroke.move_to(-1e9, 25)
    box = stroke.move_to(1e9, 25)
    assert box.width == 60
    assert (document.labels[25] == HAIR).all()
    stroke.commit()


def test_a_polygon_whose_box_alone_reaches_into_the_map_has_no_pixels():
    assert polygon_mask([(-90, 20), (20, -90), (-90, -90)], width=64, height=64) is None
