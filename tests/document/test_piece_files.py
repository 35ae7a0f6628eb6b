"""Pieces on disk: what is saved comes back on another face, and damage is told in one sentence."""

import json

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from maskedit.document.document import Document
from maskedit.document.face_points import find_points
from maskedit.document.floating import lift
from maskedit.document.piece_files import SavedPiece, delete_piece, read_piece, read_pieces, write_piece
from maskedit.document.pieces import OUTSIDE
from maskedit.errors import UserError
from maskedit.labels import BY_NAME, ids_of
from tests.faces import draw_face

SIDE = 128
RIGHT_BROW, HAIR = BY_NAME["r_brow"].id, BY_NAME["hair"].id


@pytest.fixture
def document():
    return Document(*draw_face(SIDE, 1))


def taken(document, label, **how):
    rows, columns = np.nonzero(document.labels == label)
    return lift(document, columns[len(rows) // 2] + 0.5, rows[len(rows) // 2] + 0.5, **how)


def test_a_saved_piece_comes_back_where_it_belongs(document, tmp_path):
    folder = tmp_path / "new" / "pieces"
    floating = taken(document, RIGHT_BROW)
    floating.move(floating.placement.moved(0, -4))
    first = write_piece(folder, SavedPiece.of("  Brow/ up ", floating))
    second = write_piece(folder, SavedPiece.of("Brow/ up", floating))
    assert (first.path.name, second.path.name) == ("brow-up.png", "brow-up-2.png")
    saved = read_piece(first.path)
    assert saved.name == "Brow/ up"
    np.testing.assert_array_equal(saved.piece.ids, floating.piece.ids)
    assert not saved.adds
    (placed,) = saved.on(floating.before)
    assert placed.placement.x == pytest.approx(floating.placement.x)
    assert placed.placement.width == pytest.approx(floating.placement.width)
    # On a face of twice the size it is twice as large.
    larger = draw_face(2 * SIDE, 1)[1]
    (placed,) = saved.on(larger)
    assert placed.placement.height == pytest.approx(2 * floating.placement.height, rel=0.05)
    np.testing.assert_array_equal(saved.gone(larger, [placed]), larger == RIGHT_BROW)
    assert [piece.name for piece in read_pieces(folder)[0]] == ["Brow/ up", "Brow/ up"]
    delete_piece(second)
    delete_piece(second)
    assert len(read_pieces(folder)[0]) == 1
    assert read_pieces(tmp_path / "nowhere") == ([], [])


def test_both_sides_are_saved_as_one_and_a_part_of_hair_is_added(document, tmp_path):
    pair = SavedPiece.of("Brows", taken(document, RIGHT_BROW, mirror=True))
    assert pair.piece.classes == list(ids_of("l_brow", "r_brow"))
    assert pair.placement.x == pytest.approx(0, abs=0.05)
    document.begin_stroke(BY_NAME["hat"].id, diameter=8).move_to(5, 5)
    document.stroke.commit()
    document.fill(5, 5, HAIR)  # a lock of hair of its own
    lock = SavedPiece.of("", lift(document, 5, 5))
    assert lock.adds
    assert lock.name == "Piece"
    assert not lock.gone(document.labels, []).any()


def damage(path, kind):
    data, ids = path.read_bytes(), np.array([[HAIR, OUTSIDE]], np.uint8)
    text = {"version": 1, "name": "x", "adds": False, "mirrored": False, "place": [0, 0, 1, 1, 0]}
    if kind == "cut":
        path.write_bytes(data[: len(data) // 2])
    elif kind == "empty":
        path.write_bytes(b"")
    elif kind == "text":
        path.write_text("no picture")
    else:
        image, info = Image.fromarray(ids), PngInfo()
        if kind == "ids":
            image = Image.fromarray(np.array([[77]], np.uint8))
        if kind != "grey":
            image = Image.frombytes("P", image.size, image.tobytes())
            image.putpalette(bytes(768))
        text["place"] = {"far": [0, 0, 1e9, 1, 0], "nan": [0, 0, 1, float("nan"), 0], "short": [1]}.get(
            kind, text["place"]
        )
        if kind != "bare":
            info.add_itxt("maskedit-piece", "[" * 9000 if kind == "deep" else json.dumps(text))
        image.save(path, pnginfo=info)


@pytest.mark.parametrize(
    "kind", ["cut", "empty", "text", "ids", "grey", "far", "nan", "short", "bare", "deep", "turned round"]
)
def test_a_damaged_file_is_told_and_the_others_are_read(kind, document, tmp_path):
    good = write_piece(tmp_path, SavedPiece.of("Good", taken(document, RIGHT_BROW)))
    bad = write_piece(tmp_path, SavedPiece.of("Bad", taken(document, RIGHT_BROW)))
    damage(bad.path, kind)
    pieces, failures = read_pieces(tmp_path)
    if kind == "turned round":  # written by another hand, and whole
        assert (len(pieces), failures) == (2, [])
        return
    assert [piece.path for piece in pieces] == [good.path]
    (failure,) = failures
    assert "bad.png" in failure
    assert failure.endswith("save the piece anew.")


def test_the_points_of_the_face_are_the_measure():
    document = Document(*draw_face(SIDE, 1))
    saved = SavedPiece.of("Nose", taken(document, BY_NAME["nose"].id))
    points = find_points(document.labels)
    assert saved.placement.x == pytest.approx(0, abs=0.1)
    assert 0 < saved.placement.y * points.apart < points.mouth[1] - points.eyes[1]


def test_a_folder_that_cannot_be_made_is_told(document, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be made"):
        write_piece(tmp_path / "file" / "pieces", SavedPiece.of("x", taken(document, RIGHT_BROW)))
