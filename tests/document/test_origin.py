"""Where a document came from, and what was learned for its face."""

import numpy as np
import pytest

from maskedit.document import document as document_module
from maskedit.document import origin as origin_module
from maskedit.document.document import Document
from maskedit.document.origin import Origin
from maskedit.errors import UserError
from maskedit.imaging import Square

HAIR = 13
ORIGIN = Origin(b"photo", Square.middle(40, 30))


@pytest.fixture
def document() -> Document:
    return Document(np.zeros((6, 8, 3), np.uint8), np.zeros((6, 8), np.uint8), origin=ORIGIN)


def test_a_document_without_a_file():
    plain = Document(np.zeros((6, 8, 3), np.uint8), np.zeros((6, 8), np.uint8))
    assert plain.origin is None
    assert plain.face_weights is None
    assert plain.copy().origin is None


def test_the_origin_cannot_be_exchanged(document):
    assert document.origin is ORIGIN
    with pytest.raises(AttributeError):
        document.origin = None
    with pytest.raises(AttributeError):
        document.origin.data = b""
    assert len(repr(Origin(b"0" * 10_000, ORIGIN.square))) < 200  # a traceback need not show a photo


def test_a_copy_has_both(document):
    document.face_weights = b"weights"
    copy = document.copy()
    assert copy.origin is ORIGIN
    assert copy.face_weights == b"weights"
    copy.face_weights = None
    assert document.face_weights == b"weights"


def test_a_photo_file_that_no_session_could_keep_is_refused(monkeypatch):
    monkeypatch.setattr(origin_module, "MAX_ORIGIN_BYTES", 3 * 2**20)
    Origin(bytes(3 * 2**20), ORIGIN.square)
    with pytest.raises(UserError, match="up to 3 MiB"):
        Origin(bytes(3 * 2**20 + 1), ORIGIN.square)


@pytest.mark.parametrize(
    "square",
    [Square(0, 0, 0.9), Square(0, 0, 1.1e6), Square(-1.1e6, 0, 9), Square(0, 1.1e6, 9), Square(0, 0, 9, 1e7)],
)
def test_a_square_that_no_photo_has(square):
    with pytest.raises(ValueError, match="no photo has such a square"):
        Origin(b"photo", square)


def test_an_empty_file():
    with pytest.raises(ValueError, match="empty"):
        Origin(b"", ORIGIN.square)


def test_what_was_learned_counts_as_a_change_until_it_is_saved(document):
    assert not document.is_modified
    document.face_weights = b"weights"
    assert document.is_modified
    document.fill(0, 0, HAIR)
    document.undo()
    assert document.is_modified  # undo takes back strokes only
    document.face_weights = None
    assert not document.is_modified  # as if nothing had happened
    document.face_weights = b"weights"
    document.mark_saved()
    assert not document.is_modified
    document.face_weights = b"other weights"
    assert document.is_modified
    document.face_weights = None
    assert document.is_modified
    document.face_weights = b"weights"
    assert not document.is_modified
    document.fill(0, 0, HAIR)
    assert document.is_modified


def test_too_much_was_learned(document, monkeypatch):
    monkeypatch.setattr(document_module, "MAX_FACE_WEIGHTS_BYTES", 10)
    document.face_weights = b"0123456789"
    with pytest.raises(UserError, match="What was learned"):
        document.face_weights = b"0123456789A"
    assert document.face_weights == b"0123456789"
