"""Folders of pairs: how flags name them, what they hold and hold out, left and right mended."""

from fractions import Fraction

import numpy as np
import pytest

from maskedit.data.folder import brief_folder, find_pairs, find_split, folder_and_weight, mend_left_right, split
from maskedit.errors import UserError
from maskedit.labels import BY_NAME, mirrored
from tests.faces import draw_face
from tests.folders import swapped, write_faces


@pytest.mark.parametrize(
    ("text", "name", "weight"),
    [
        ("faces", "faces", None),
        ("faces:0.5", "faces", Fraction(1, 2)),
        ("faces:2", "faces", Fraction(2)),
        ("faces:0.1", "faces", Fraction(1, 10)),
        ("nowhere:1e1", "nowhere", Fraction(10)),
        ("nowhere:some", "nowhere:some", None),
        ("with:2", "with:2", None),
        ("with:2:3", "with:2", Fraction(3)),
    ],
)
def test_a_folder_and_its_weight(tmp_path, monkeypatch, text, name, weight):
    monkeypatch.chdir(tmp_path)
    for folder in ("faces", "with:2"):
        (tmp_path / folder).mkdir()
    path, found = folder_and_weight(text)
    assert (str(path), found) == (name, weight)
    shown = name if weight is None else f"{name}:{float(weight):g}"
    assert brief_folder(text) == brief_folder(str(tmp_path / text)) == shown


@pytest.mark.parametrize("names", [("eye",), ("brow",), ("ear",), ("eye", "brow"), ("eye", "brow", "ear")])
def test_swapped_sides_are_mended(names):
    _, labels = draw_face(64, 3)
    assert (swapped(labels, *names) != labels).any()
    assert np.array_equal(mend_left_right(swapped(labels, *names)), labels)


def test_a_sound_map_is_left_alone():
    _, labels = draw_face(64, 3)
    assert mend_left_right(labels) is labels
    assert np.array_equal(mend_left_right(mirrored(labels)), mirrored(labels))
    assert (mend_left_right(np.zeros((8, 8), np.uint8)) == 0).all()


def test_a_lone_part_follows_the_pairs_that_can_be_judged():
    _, labels = draw_face(64, 3)
    labels[labels == BY_NAME["l_brow"].id] = BY_NAME["skin"].id
    assert np.array_equal(mend_left_right(swapped(labels, "eye", "ear", "brow")), labels)
    # Where the others disagree among themselves nothing can be said of it, and it stays.
    assert np.array_equal(mend_left_right(swapped(labels, "eye")), labels)


def test_pairs_are_sorted_by_stem(tmp_path):
    folder = write_faces(tmp_path / "faces", 0)
    for stem in ("b", "a-1", "a"):
        (folder / "images" / f"{stem}.PNG").write_bytes(b"")
        (folder / "masks" / f"{stem}.png").write_bytes(b"")
    (folder / "images" / "notes.txt").write_text("no photo")
    assert [photo.stem for photo, _ in find_pairs(folder)] == ["a", "a-1", "b"]
    assert all(photo.stem == mask.stem for photo, mask in find_pairs(folder))


def test_folders_that_hold_no_pairs(tmp_path):
    with pytest.raises(UserError, match="no folder images/"):
        find_pairs(tmp_path)
    folder = write_faces(tmp_path / "faces", 0)
    with pytest.raises(UserError, match="holds no photos"):
        find_pairs(folder)
    (folder / "images" / "alone.jpg").write_bytes(b"")
    with pytest.raises(UserError, match=r"alone\.jpg"):
        find_pairs(folder)


def test_the_last_are_held_out():
    assert split(list("abcde"), 2) == (["a", "b", "c"], ["d", "e"])
    for wrong in (5, 6, 0, -1):
        with pytest.raises(UserError, match=f"--validation {wrong}"):
            split(list("abcde"), wrong)


def test_a_prepared_folder_brings_its_own_split(tmp_path):
    write_faces(tmp_path / "train", 3)
    write_faces(tmp_path / "val", 5)
    training, held_out = find_split(tmp_path, 2)
    assert [photo.relative_to(tmp_path).as_posix() for photo, _ in held_out] == [
        "val/images/003.png",
        "val/images/004.png",
    ]
    assert len(training) == 3
    assert all(photo.is_relative_to(tmp_path / "train") for photo, _ in training)
    with pytest.raises(UserError, match=r"--validation 6 must lie in 1\.\.5"):
        find_split(tmp_path, 6)
    assert find_split(tmp_path / "train", 1) == split(find_pairs(tmp_path / "train"), 1)
