"""Boxes, edits and the byte bound of the history."""

import numpy as np
import pytest

from maskedit.document.history import Box, Edit, History, bounds


def edit_of(value: int, *, side: int = 8, name: str = "Brush skin") -> Edit:
    edit = Edit.between(np.zeros((side, side), np.uint8), np.full((side, side), value, np.uint8), name=name)
    assert edit is not None
    return edit


def test_box_union_and_clipping():
    box = Box(-3, 2, 5, 9)
    assert (box.width, box.height) == (8, 7)
    assert box.union(Box(4, 0, 7, 3)) == Box(-3, 0, 7, 9)
    assert box.clipped(4, 8) == Box(0, 2, 4, 8)
    assert Box(4, 0, 9, 9).clipped(4, 8) is None
    assert Box(-5, 0, 0, 9).clipped(4, 8) is None
    assert box.clipped(4, 8).slices == (slice(2, 8), slice(0, 4))


def test_bounds_are_tight():
    mask = np.zeros((6, 9), bool)
    assert bounds(mask) is None
    mask[2, 3] = mask[4, 7] = True
    assert bounds(mask, x0=10, y0=20) == Box(13, 22, 18, 25)


def test_edit_keeps_only_what_changed_and_goes_both_ways():
    rng = np.random.default_rng(0)
    before = rng.integers(0, 19, (40, 37), dtype=np.uint8)
    after = before.copy()
    after[5:9, 30:37] = rng.integers(0, 19, (4, 7), dtype=np.uint8)
    edit = Edit.between(before, after, name="Take hair")
    assert edit.box.x0 >= 30
    assert edit.changed.shape == (edit.box.height, edit.box.width)
    assert edit.changed.sum() == edit.old_ids.size == (before != after).sum()
    labels = before.copy()
    edit.apply(labels)
    np.testing.assert_array_equal(labels, after)
    edit.revert(labels)
    np.testing.assert_array_equal(labels, before)


def test_edit_between_equal_maps_is_none():
    labels = np.ones((3, 3), np.uint8)
    assert Edit.between(labels, labels, name="x") is None


def test_one_new_id_is_stored_as_a_number_and_masks_are_packed():
    edit = edit_of(5, side=64)
    assert edit.new_ids == 5
    assert edit.packed.nbytes == 64 * 64 // 8


def test_history_walks_and_pushing_clears_redo():
    history = History()
    edits = [edit_of(value, name=str(value)) for value in (1, 2, 3)]
    for edit in edits:
        history.push(edit)
    assert history.names == ["1", "2", "3"]
    assert history.redo() is None
    assert history.undo() is edits[2]
    assert history.undo() is edits[1]
    assert (history.position, history.can_undo, history.can_redo) == (1, True, True)
    assert history.redo() is edits[1]
    history.push(edit_of(9, name="9"))
    assert history.names == ["1", "2", "9"]
    assert not history.can_redo
    assert history.nbytes == sum(edit.nbytes for edit in history.edits)


def test_history_is_bounded_in_bytes_and_drops_the_oldest():
    size = edit_of(1, name="00").nbytes
    history = History(max_bytes=10 * size)
    for number in range(25):
        history.push(edit_of(1 + number % 18, name=f"{number:02}"))
    assert history.names == [f"{number:02}" for number in range(15, 25)]
    assert history.nbytes <= 10 * size
    assert history.position == 10


def test_the_newest_edit_stays_however_large():
    history = History(max_bytes=10)
    history.push(edit_of(1, name="a"))
    history.push(edit_of(2, side=200, name="b"))
    assert history.names == ["b"]
    assert history.can_undo


def test_a_state_number_returns_with_undo_and_is_never_reused():
    history = History()
    history.push(edit_of(1))
    first = history.state
    history.push(edit_of(2))
    second = history.state
    history.undo()
    assert history.state == first
    history.push(edit_of(3))
    assert history.state not in (first, second)


def test_restored_history_refuses_a_position_outside():
    for position in (-1, 3):
        with pytest.raises(ValueError, match="position"):
            History.restored([edit_of(1), edit_of(2)], position=position)
    assert History.restored([edit_of(1), edit_of(2)], position=1).can_redo
