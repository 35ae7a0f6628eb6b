"""Styles belong to the document: given and taken by edits that can be undone, and kept in sessions."""

import base64
import json
import zipfile

import numpy as np
import pytest

from maskedit.document import packing
from maskedit.document.document import Document
from maskedit.document.history import NOWHERE
from maskedit.document.packed_styles import PackedStyles, UnpackedStyles
from maskedit.document.session import load_session, save_session
from maskedit.document.styles import THUMBNAIL, PartStyle
from maskedit.errors import UserError
from maskedit.labels import LABELS, STYLE_PART_OF, STYLE_PARTS

HAIR = 13
PICTURE = bytes(range(256)) * (3 * THUMBNAIL**2 // 256)


def style(lightness: float = 60, **other) -> PartStyle:
    usual = {"mean": (lightness, 10, 30), "spread": (9, 3, 4), "name": "Ann", "thumbnail": PICTURE, "tilt": (-0.1, 0.2)}
    return PartStyle(**usual | other)


@pytest.fixture
def document() -> Document:
    labels = np.kron(np.array([[1, 13], [12, 0]], np.uint8), np.ones((8, 8), np.uint8))
    return Document(np.full((16, 16, 3), 90, np.uint8), labels)


def test_every_class_but_background_and_mouth_belongs_to_one_part():
    assert sorted(STYLE_PART_OF) == [label.id for label in LABELS if label.name not in ("background", "mouth")]
    assert sum(map(len, STYLE_PARTS.values())) == len(STYLE_PART_OF)


@pytest.mark.parametrize(
    "wrong",
    [
        {"mean": (101, 0, 0)},
        {"mean": (-1, 0, 0)},
        {"mean": (50, float("nan"), 0)},
        {"mean": (50, 0, 200)},
        {"mean": (50, 0)},
        {"spread": (-1, 0, 0)},
        {"spread": (1, 2, 3, 4)},
        {"tilt": (1,)},
        {"mean": (50, 0), "spread": (1, 2, 3, 4)},
        {"mean": (50, 0, 1, 2), "spread": (1, 2)},
        {"tilt": (0, float("inf"))},
        {"strength": 1.1},
        {"strength": -0.1},
        {"thumbnail": b"abc"},
    ],
)
def test_numbers_that_are_no_style(wrong):
    with pytest.raises(ValueError, match=r"style|lightness|strength|thumbnail"):
        style(**wrong)


def test_a_style_is_given_and_taken_by_one_edit_each(document):
    before = document.snapshot()
    revision = document.revision
    assert document.styles == {}
    assert document.set_styles({"hair": style()}, name="Style hair") == NOWHERE
    assert document.styles == {"hair": style()}
    assert document.history.names == ["Style hair"]
    assert document.is_modified
    assert document.revision > revision
    document.set_styles({"hair": style(strength=0.5), "lips": style(40)}, name="Strength")
    document.set_styles({"hair": None}, name="Own style")
    assert document.styles == {"lips": style(40)}
    assert document.undo() == NOWHERE
    assert document.styles == {"hair": style(strength=0.5), "lips": style(40)}
    document.undo()
    assert document.styles == {"hair": style()}
    document.undo()
    assert document.styles == {}
    assert not document.is_modified
    document.redo()
    assert document.styles == {"hair": style()}
    np.testing.assert_array_equal(document.labels, before)


def test_what_is_so_already_is_no_edit(document):
    assert document.set_styles({"hair": None}, name="Own style") is None
    document.set_styles({"hair": style()}, name="Style hair")
    assert document.set_styles({"hair": style()}, name="Style hair") is None
    assert document.history.names == ["Style hair"]


def test_a_part_without_a_style(document):
    with pytest.raises(ValueError, match="'mouth' has no style"):
        document.set_styles({"mouth": style()}, name="Style")


def test_labels_and_styles_are_taken_as_one_edit(document):
    source = np.full((16, 16), HAIR, np.uint8)
    document.replace_labels(source, classes=[HAIR], styles={"hair": style()}, name="Take from Ann")
    assert (document.labels == HAIR).all()
    assert document.styles == {"hair": style()}
    document.undo()
    assert (document.labels == document.reference_labels).all()
    assert document.styles == {}
    document.redo()
    assert (document.labels == HAIR).all()
    assert document.styles == {"hair": style()}


def test_a_mapping_that_was_handed_out_never_changes(document):
    document.set_styles({"hair": style()}, name="Style hair")
    handed = document.styles
    document.set_styles({"hair": None}, name="Own style")
    assert handed == {"hair": style()}


def test_a_copy_has_the_styles_and_the_way_back(document):
    document.set_styles({"hair": style()}, name="Style hair")
    copy = document.copy()
    assert copy.styles == document.styles
    copy.undo()
    assert (copy.styles, document.styles) == ({}, {"hair": style()})


def test_a_session_keeps_styles_and_their_history(document, tmp_path):
    document.set_styles({"hair": style(), "lips": style(40, spread=None)}, name="Style hair")
    document.fill(1, 1, HAIR)
    document.replace_labels(np.zeros((16, 16), np.uint8), styles={"hair": style(strength=0.25)}, name="Take all")
    document.set_styles({"lips": None}, name="Own style")
    save_session(tmp_path / "a.maskedit", document)
    read = load_session(tmp_path / "a.maskedit")
    assert not read.is_modified
    for step in (Document.undo,) * 4 + (Document.redo,) * 4:
        assert read.styles == document.styles
        np.testing.assert_array_equal(read.labels, document.labels)
        step(read)
        step(document)
    assert read.history.names == document.history.names
    with zipfile.ZipFile(tmp_path / "a.maskedit") as archive:
        assert json.loads(archive.read("session.json"))["version"] == 2
        assert len(json.loads(archive.read("styles.json"))["thumbnails"]) == 1


def test_a_session_without_styles_is_one_that_older_editors_read(document, tmp_path):
    document.fill(1, 1, HAIR)
    save_session(tmp_path / "a.maskedit", document)
    with zipfile.ZipFile(tmp_path / "a.maskedit") as archive:
        assert json.loads(archive.read("session.json"))["version"] == 1
        assert "styles.json" not in archive.namelist()
        assert "styles" not in json.loads(archive.read("history.json"))[0]


def _entry(**wrong):
    good = {"mean": [50, 0, 0], "spread": None, "name": "x", "tilt": None, "strength": 1, "thumbnail": 0}
    picture = base64.b64encode(PICTURE).decode()
    return {"styles": [good | wrong], "thumbnails": [picture], "parts": {"hair": 0}}


@pytest.mark.parametrize(
    "state",
    [
        [],
        {},
        {"styles": 3, "thumbnails": [], "parts": {}},
        _entry(mean=[50, 0]),
        _entry(mean="abc"),
        _entry(mean=[True, 0, 0]),
        _entry(mean=[10**400, 0, 0]),
        _entry(spread=[1, 2]),
        _entry(name=None),
        _entry(tilt=[1]),
        _entry(tilt="ab"),
        _entry(strength=2),
        _entry(thumbnail=1),
        _entry(thumbnail=-1),
        _entry() | {"parts": {"hair": 1}},
        _entry() | {"parts": {"mouth": 0}},
        _entry() | {"parts": []},
        _entry() | {"thumbnails": ["AAAA"]},
        _entry() | {"thumbnails": ["no base 64"]},
        _entry() | {"thumbnails": [3]},
        _entry() | {"styles": [0] * 7_000},
        _entry() | {"thumbnails": [""] * 7_000},
    ],
)
def test_damaged_styles_are_one_clear_error(document, tmp_path, state):
    path = tmp_path / "a.maskedit"
    document.set_styles({"hair": style()}, name="Style hair")
    save_session(path, document)
    _rewrite(path, "styles.json", json.dumps(state).encode())
    with pytest.raises(UserError, match="its list of styles is damaged"):
        load_session(path)


@pytest.mark.parametrize(
    "changes",
    [
        3,
        ["hair"],
        [["hair", 0, None]] * 2,
        [["hair", None, 0]] * 11,
        [["hair", 0]],
        [["mouth", None, 0]],
        [[3, None, 0]],
        [["hair", None, 7]],
        [["hair", "a", 0]],
    ],
)
def test_damaged_styles_of_an_edit(document, tmp_path, changes):
    path = tmp_path / "a.maskedit"
    document.set_styles({"hair": style()}, name="Style hair")
    save_session(path, document)
    with zipfile.ZipFile(path) as archive:
        entries = json.loads(archive.read("history.json"))
    entries[0]["styles"] = changes
    _rewrite(path, "history.json", json.dumps(entries).encode())
    with pytest.raises(UserError, match="edit 1 of its history has wrong styles"):
        load_session(path)


def test_styles_are_packed_once_each():
    packed = PackedStyles({"hair": style()})
    assert (packed.number(style()), packed.number(style(30)), packed.number(None)) == (0, 1, None)
    assert UnpackedStyles(packed.data()).parts == {"hair": style()}


def test_a_long_history_of_styles_keeps_its_newest_changes(document, tmp_path, monkeypatch):
    monkeypatch.setattr(packing, "MAX_CHANGES", 3)
    for lightness in range(10, 60, 10):
        document.set_styles({"hair": style(lightness)}, name=f"Style {lightness}")
    save_session(tmp_path / "a.maskedit", document)
    loaded = load_session(tmp_path / "a.maskedit")
    assert [edit.name for edit in loaded.history.edits] == ["Style 30", "Style 40", "Style 50"]
    assert loaded.styles == {"hair": style(50)}


def _rewrite(path, name, data):
    with zipfile.ZipFile(path) as archive:
        members = {each: archive.read(each) for each in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for each, content in (members | {name: data}).items():
            archive.writestr(each, content)
