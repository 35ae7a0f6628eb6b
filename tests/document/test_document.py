"""Fill, lasso, attribute transfer, undo and the saved state."""

import numpy as np
import pytest

from maskedit.document.document import Document
from maskedit.document.history import Box, History
from maskedit.document.transfer import nearest_ids, transfer_labels
from maskedit.errors import UserError
from maskedit.imaging import resize_labels
from maskedit.labels import FACE_PARTS

BACKGROUND, SKIN, NOSE, GLASSES, L_EYE, BROW, MOUTH, U_LIP, L_LIP, HAIR = 0, 1, 2, 3, 4, 6, 10, 11, 12, 13
SMILE = set(FACE_PARTS["Smile"])


def document_of(labels) -> Document:
    labels = np.array(labels, dtype=np.uint8)
    return Document(np.zeros((*labels.shape, 3), np.uint8), labels)


def a_face() -> np.ndarray:
    """64 x 48: hair above, skin, a nose, and a mouth with lips."""
    labels = np.full((64, 48), SKIN, np.uint8)
    labels[:16] = HAIR
    labels[30:44, 20:28] = NOSE
    labels[46:49, 14:34] = U_LIP
    labels[49:52, 14:34] = MOUTH
    labels[52:56, 14:34] = L_LIP
    return labels


# Construction


def test_inputs_are_copied_and_views_are_read_only():
    photo, labels = np.zeros((4, 6, 3), np.uint8), np.zeros((4, 6), np.uint8)
    document = Document(photo, labels, name="cat", path="cat.maskedit")
    photo[:], labels[:] = 9, 9
    assert not document.photo.any()
    assert not document.labels.any()
    assert (document.width, document.height) == (6, 4)
    assert document.path.name == "cat.maskedit"
    snapshot = document.snapshot()
    for array in (document.photo, document.labels, document.reference_labels, snapshot):
        with pytest.raises(ValueError, match="read-only"):
            array[0, 0] = 1
    document.fill(0, 0, HAIR)
    assert (document.labels == HAIR).all()
    assert not snapshot.any()
    assert not document.reference_labels.any()


PHOTO, LABELS = np.zeros((4, 6, 3), np.uint8), np.zeros((4, 6), np.uint8)


@pytest.mark.parametrize(
    ("photo", "labels", "reference", "says"),
    [
        (np.zeros((4, 6), np.uint8), LABELS, None, "photo is 4 x 6 of uint8"),
        (PHOTO.astype(np.float32), LABELS, None, "float32"),
        (PHOTO[:0], LABELS, None, "empty"),
        (None, LABELS, None, "NoneType"),
        (PHOTO, LABELS.astype(np.int64), None, "int64"),
        (PHOTO, PHOTO, None, "4 x 6 x 3"),
        (PHOTO, LABELS[:3], None, "6 x 3 pixels but the photo 6 x 4"),
        (PHOTO, LABELS + np.uint8(19), None, r"19 \(24 pixels\)"),
        (PHOTO, LABELS, LABELS[:, :5], "reference label map has 5 x 4"),
        (np.broadcast_to(np.uint8(0), (8001, 8000, 3)), LABELS, None, "64 million"),
    ],
)
def test_bad_inputs_are_one_clear_error(photo, labels, reference, says):
    with pytest.raises(UserError, match=says):
        Document(photo, labels, reference_labels=reference)


def test_label_at_is_none_outside():
    document = document_of([[1, 2], [3, 4]])
    assert document.label_at(1.9, 0.2) == 2
    assert document.label_at(0, 1) == 3
    for point in ((-0.1, 0), (0, -0.1), (2, 0), (0, 2), (float("nan"), 0)):
        assert document.label_at(*point) is None


def test_a_label_that_does_not_exist_is_a_bug_of_the_caller():
    document = document_of([[0]])
    for act in (
        lambda: document.begin_stroke(19, diameter=2),
        lambda: document.fill(0, 0, -1),
        lambda: document.paint_polygon([(0, 0)], 19),
    ):
        with pytest.raises(ValueError, match="wanted 0"):
            act()


# Fill and lasso


def test_fill_is_four_connected_and_does_not_leak_through_a_diagonal():
    document = document_of([[0, 0, 1, 0], [0, 1, 0, 0], [1, 0, 0, 0]])
    assert document.fill(0.5, 0.5, HAIR) == Box(0, 0, 2, 2)
    assert document.labels.tolist() == [[13, 13, 1, 0], [13, 1, 0, 0], [1, 0, 0, 0]]
    assert document.history.names == ["Fill hair"]
    document.undo()
    assert document.labels.tolist() == [[0, 0, 1, 0], [0, 1, 0, 0], [1, 0, 0, 0]]


def test_fill_whole_class_takes_every_region():
    document = document_of([[1, 0, 2, 1], [0, 0, 2, 1]])
    assert document.fill(0, 0, HAIR, whole_class=True) == Box(0, 0, 4, 2)
    assert document.labels.tolist() == [[13, 0, 2, 13], [0, 0, 2, 13]]


def test_fill_that_cannot_change_anything_leaves_no_entry():
    document = document_of([[1, 0], [1, 0]])
    assert document.fill(0, 0, SKIN) is None
    assert document.fill(5, 0, HAIR) is None
    document.locked = {SKIN}
    assert document.fill(0, 0, HAIR) is None
    assert document.fill(0, 0, HAIR, whole_class=True) is None
    document.locked, document.only_over = set(), BACKGROUND
    assert document.fill(0, 0, HAIR) is None
    assert not document.can_undo
    assert document.fill(1, 0, HAIR) == Box(1, 0, 2, 2)


def test_polygon_holds_its_outline_and_what_lies_inside():
    document = document_of(np.zeros((20, 20)))
    assert document.paint_polygon([(3.2, 4.9), (10.9, 4.1), (10.5, 8.5), (3.9, 8.0)], HAIR) == Box(3, 4, 11, 9)
    assert (document.labels[4:9, 3:11] == HAIR).all()
    assert (document.labels == HAIR).sum() == 5 * 8
    assert document.history.names == ["Lasso hair"]


def test_polygon_against_the_even_odd_rule():
    rng = np.random.default_rng(4)
    y, x = np.mgrid[:40, :40]
    for _ in range(20):
        corners = rng.integers(0, 40, (6, 2))
        document = document_of(np.zeros((40, 40)))
        document.paint_polygon(corners + 0.5, HAIR)
        inside = np.zeros((40, 40), bool)
        rim = np.zeros((40, 40), bool)
        for (xa, ya), (xb, yb) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
            if ya != yb:
                crosses = (np.minimum(ya, yb) <= y) & (y < np.maximum(ya, yb))
                inside ^= crosses & (x < xa + (y - ya) * (xb - xa) / (yb - ya))
            length = max(np.hypot(xb - xa, yb - ya), 1e-9)
            t = np.clip(((x - xa) * (xb - xa) + (y - ya) * (yb - ya)) / length**2, 0, 1)
            rim |= np.hypot(x - xa - (xb - xa) * t, y - ya - (yb - ya) * t) <= 1.0
        painted = document.labels == HAIR
        assert not (inside & ~painted & ~rim).any()
        assert not (painted & ~inside & ~rim).any()
        assert painted[corners[:, 1], corners[:, 0]].all()


def test_polygon_clips_obeys_locks_and_takes_few_points():
    document = document_of(np.zeros((10, 10)))
    document.paint_polygon([(5, 0), (5, 9)], SKIN)
    assert (document.labels[:, 5] == SKIN).all()
    document.locked = {SKIN}
    assert document.paint_polygon([(-1e9, -50), (3e8, -50), (300, 300), (-300, 300)], HAIR) == Box(0, 0, 10, 10)
    assert (document.labels == HAIR).sum() == 90
    assert document.paint_polygon([], HAIR) is None
    assert document.paint_polygon([(-5, -5), (-2, -5), (-2, -2)], HAIR) is None
    assert document.paint_polygon([(2.5, 2.5)], NOSE) == Box(2, 2, 3, 3)
    with pytest.raises(ValueError, match="finite"):
        document.paint_polygon([(0, 0), (float("nan"), 1)], HAIR)


# Other maps


def test_style_copy_takes_the_whole_map_as_one_edit_and_ignores_locks():
    rng = np.random.default_rng(5)
    document = document_of(a_face())
    document.locked = {SKIN, HAIR}
    source = rng.integers(0, 19, (64, 48), dtype=np.uint8)
    assert document.replace_labels(source, name="Take all from b.png") == Box(0, 0, 48, 64)
    np.testing.assert_array_equal(document.labels, source)
    assert document.history.names == ["Take all from b.png"]
    assert document.reset_labels() is not None
    np.testing.assert_array_equal(document.labels, a_face())
    assert document.reset_labels() is None
    document.undo()
    document.undo()
    np.testing.assert_array_equal(document.labels, a_face())


def test_another_size_is_resized_to_the_nearest():
    source = np.array([[1, 2], [3, 4]], np.uint8)
    document = document_of(np.zeros((4, 6)))
    document.replace_labels(source, name="Take all")
    np.testing.assert_array_equal(document.labels, np.kron(source, np.ones((2, 3), np.uint8)))
    np.testing.assert_array_equal(resize_labels(np.kron(source, np.ones((3, 3), np.uint8)), (2, 2)), source)


def test_a_bad_source_map_is_refused_and_nothing_changes():
    document = document_of(a_face())
    for source in (a_face().astype(np.int32), np.full((4, 4), 77, np.uint8), np.zeros((0, 4), np.uint8)):
        with pytest.raises(UserError, match="source label map"):
            document.replace_labels(source, name="x")
    assert not document.can_undo


def test_a_new_smile_leaves_no_pixel_of_the_old_lips():
    source = a_face()
    source[44:60] = SKIN
    source[50:53, 8:40] = U_LIP
    source[53:54, 8:40] = L_LIP
    document = document_of(a_face())
    document.replace_labels(source, classes=SMILE, name="Take mouth")
    taken = np.isin(source, list(SMILE))
    np.testing.assert_array_equal(np.isin(document.labels, list(SMILE)), taken)
    np.testing.assert_array_equal(document.labels[taken], source[taken])
    gap = np.isin(a_face(), list(SMILE)) & ~taken
    assert gap.any()
    assert (document.labels[gap] == SKIN).all()
    np.testing.assert_array_equal(document.labels[:44], a_face()[:44])


def test_a_lip_beside_the_nose_becomes_skin_not_nose():
    target = a_face()
    target[43:46, 20:28] = NOSE  # the nose touches the upper lip
    result = transfer_labels(target, np.full_like(target, SKIN), SMILE)
    assert (result[46:56] == SKIN).all()


def test_closing_the_mouth_alone_lets_the_lips_meet():
    source = a_face()
    source[49:52, 14:34] = SKIN
    result = transfer_labels(a_face(), source, {MOUTH})
    assert set(np.unique(result[49:52, 14:34])) == {U_LIP, L_LIP}


def test_taking_hair_away_grows_large_areas_not_brows():
    target = a_face()
    target[:4] = BACKGROUND
    target[16:18, 10:20] = BROW
    result = transfer_labels(target, np.zeros_like(target), {HAIR})
    assert set(np.unique(result[4:16])) == {BACKGROUND, SKIN}
    assert (result[5] == BACKGROUND).all()
    np.testing.assert_array_equal(result == BROW, target == BROW)


def test_eyes_inside_eyeglasses_leave_eyeglasses():
    target = a_face()
    target[20:28, 5:43] = GLASSES
    target[22:25, 10:16] = L_EYE
    result = transfer_labels(target, np.zeros_like(target), {L_EYE})
    assert (result[20:28, 5:43] == GLASSES).all()


def test_eyeglasses_that_only_the_source_has_are_laid_over():
    source = np.zeros_like(a_face())
    source[20:28, 5:43] = GLASSES
    result = transfer_labels(a_face(), source, {GLASSES})
    np.testing.assert_array_equal(result, np.where(source == GLASSES, GLASSES, a_face()))


def test_transfer_without_any_surroundings_falls_back():
    assert (transfer_labels(np.full((5, 5), HAIR, np.uint8), np.zeros((5, 5), np.uint8), {HAIR}) == BACKGROUND).all()
    half = np.full((4, 4), HAIR, np.uint8)
    half[0] = NOSE
    assert (transfer_labels(half, np.zeros((4, 4), np.uint8), {HAIR}) == NOSE).all()


def test_nearest_ids_against_a_slow_search():
    rng = np.random.default_rng(6)
    labels = rng.integers(0, 19, (24, 31), dtype=np.uint8)
    seeds = rng.random((24, 31)) < 0.03
    found = nearest_ids(labels, seeds)
    np.testing.assert_array_equal(found[seeds], labels[seeds])
    rows, columns = np.nonzero(seeds)
    for y, x in np.ndindex(labels.shape):
        distance = np.hypot(rows - y, columns - x)
        near = distance <= distance.min() * 1.03 + 0.01  # cv2's distance is good to 2 %
        assert found[y, x] in labels[rows[near], columns[near]]


# History


def random_change(document: Document, rng: np.random.Generator) -> None:
    label = int(rng.integers(19))
    x, y = rng.uniform(-5, 45, 2)
    document.locked = set(rng.integers(0, 19, rng.integers(4)).tolist())
    document.only_over = int(rng.integers(19)) if rng.random() < 0.2 else None
    kind = rng.integers(6)
    if kind <= 1:
        stroke = document.begin_stroke(label, diameter=rng.uniform(1, 15), mirror=bool(rng.random() < 0.5))
        for point in rng.uniform(-5, 45, (rng.integers(1, 6), 2)):
            stroke.move_to(*point)
        if rng.random() < 0.2:
            stroke.abort()
        else:
            stroke.commit()
    elif kind == 2:
        document.fill(x, y, label, whole_class=bool(rng.random() < 0.5))
    elif kind == 3:
        document.paint_polygon(rng.uniform(-5, 45, (5, 2)), label)
    elif kind == 4:
        source = rng.integers(0, 19, (7, 9), dtype=np.uint8)
        document.replace_labels(source, classes=rng.integers(0, 19, 3).tolist(), name="Take")
    elif rng.random() < 0.5:
        document.undo()
    else:
        document.redo()


@pytest.mark.parametrize("seed", range(8))
def test_undoing_all_restores_the_original_and_redoing_all_the_end(seed):
    rng = np.random.default_rng(seed)
    original = np.kron(rng.integers(0, 19, (8, 8), dtype=np.uint8), np.ones((5, 5), np.uint8))
    document = document_of(original)
    for _ in range(80):
        before, revision = document.snapshot(), document.revision
        random_change(document, rng)
        assert (document.revision > revision) or (before == document.labels).all()
        assert document.stroke is None
    while document.redo():
        pass
    end, names = document.snapshot(), document.history.names
    assert len(names) > 20
    steps = 0
    while document.undo():
        steps += 1
    assert steps == len(names)
    np.testing.assert_array_equal(document.labels, original)
    assert not document.is_modified
    while document.redo():
        pass
    np.testing.assert_array_equal(document.labels, end)


def test_undoing_back_to_the_saved_state_is_not_modified():
    document = document_of(np.zeros((8, 8)))
    assert not document.is_modified
    document.fill(0, 0, 1)
    assert document.is_modified
    document.mark_saved()
    document.fill(0, 0, 2)
    assert document.is_modified
    document.undo()
    assert not document.is_modified
    document.undo()
    assert document.is_modified
    document.redo()
    assert not document.is_modified


def test_a_replaced_branch_never_counts_as_saved():
    document = document_of(np.zeros((8, 8)))
    document.fill(0, 0, 1)
    document.mark_saved()
    document.undo()
    document.fill(0, 0, 2)  # the saved state cannot be reached any more, though as many edits are applied
    assert document.is_modified
    document.undo()
    assert document.is_modified
    document.mark_saved()
    assert not document.is_modified


def test_the_saved_state_survives_or_is_lost_with_the_trimmed_history():
    document = document_of(np.zeros((8, 8)))
    document.restore_history(History(max_bytes=4000))  # room for three small edits
    document.fill(0, 0, 1)
    for label in range(2, 9):
        document.fill(0, 0, label)
    while document.undo():
        pass
    assert document.label_at(0, 0) != 0
    assert document.is_modified  # the saved state was dropped: the oldest one kept is not it
    document.mark_saved()
    document.redo()
    assert document.is_modified
    document.undo()
    assert not document.is_modified


def test_a_stroke_in_progress_counts_as_modified():
    document = document_of(np.zeros((8, 8)))
    stroke = document.begin_stroke(HAIR, diameter=3)
    assert not document.is_modified
    stroke.move_to(4, 4)
    assert document.is_modified
    stroke.abort()
    assert not document.is_modified
    document.mark_unsaved()
    assert document.is_modified


def test_edit_count_counts_what_was_ever_committed():
    document = document_of(np.zeros((8, 8)))
    document.fill(0, 0, 1)
    document.fill(0, 0, 1)
    document.undo()
    document.fill(0, 0, 2)
    assert document.edit_count == 2


def test_the_history_is_gone_through_at_one_go():
    document = document_of(a_face())
    maps, boxes = [document.snapshot()], []
    for x in (2, 8, 14):
        stroke = document.begin_stroke(GLASSES if x != 8 else 14, diameter=3)
        stroke.move_to(x, 5)
        boxes.append(stroke.commit().box)
        maps.append(document.snapshot())
    assert document.go_to(1) == boxes[1].union(boxes[2])
    assert np.array_equal(document.labels, maps[1])
    assert document.go_to(1) is None
    assert document.go_to(3) == boxes[1].union(boxes[2])
    assert np.array_equal(document.labels, maps[3])
    document.begin_stroke(14, diameter=3)
    assert document.go_to(0) is None
    document.stroke.abort()
    assert document.history.complete
    document.restore_history(History.restored(document.history.edits, position=3, complete=False))
    assert not document.copy().history.complete
