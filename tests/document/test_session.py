"""Sessions come back as they were, malformed ones are one clear error, recovery files keep out of each other's way."""

import io
import json
import os
import subprocess
import sys
import warnings
import zipfile

import numpy as np
import psutil
import pytest
from PIL import Image

from maskedit import imaging
from maskedit.document import packing, session
from maskedit.document.document import Document
from maskedit.document.origin import Origin
from maskedit.document.session import (
    discard_recovery,
    find_recoveries,
    load_recovery,
    load_session,
    look_into_recovery,
    recovery_path,
    save_session,
    write_recovery,
)
from maskedit.document.styles import THUMBNAIL, PartStyle
from maskedit.errors import UserError
from maskedit.imaging import Square

HAIR = 13
OPTIONAL = ("origin", "learned.safetensors", "styles.json", "snapshots.json", "snapshots.bin")
ORIGIN = Origin(b"\xff\xd8 no photo, but nobody decodes it here", Square(31.5, -4.0, 99.25, -12.5))


@pytest.fixture
def document() -> Document:
    rng = np.random.default_rng(0)
    reference = np.kron(rng.integers(0, 19, (4, 5), dtype=np.uint8), np.ones((8, 8), np.uint8))
    document = Document(
        rng.integers(0, 256, (32, 40, 3), dtype=np.uint8), reference, reference_labels=reference, name="Zoë / 1",
        origin=ORIGIN,
    )  # fmt: skip
    document.face_weights = b"weights"
    stroke = document.begin_stroke(HAIR, diameter=7, mirror=True)
    stroke.move_to(3, 3)
    stroke.move_to(20, 20)
    stroke.commit()
    document.fill(39, 31, 4)
    document.replace_labels(rng.integers(0, 19, (32, 40), dtype=np.uint8), name="Take all from ü.png")
    document.undo()
    document.locked, document.only_over = {3, 5}, 0
    return document


@pytest.fixture
def saved(document, tmp_path):
    path = tmp_path / "a.maskedit"
    save_session(path, document)
    return path


def rewrite(path, **changes) -> None:
    """Write the session again with members (``labels_png=b"..."``) replaced, or left out when None."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members.update({name.replace("_png", ".png").replace("_bin", ".bin"): data for name, data in changes.items()})
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            if data is not None:
                archive.writestr(name, data)


def read_json(path, name):
    with zipfile.ZipFile(path) as archive:
        return json.loads(archive.read(name))


def png(array) -> bytes:
    target = io.BytesIO()
    Image.fromarray(array).save(target, "PNG")
    return target.getvalue()


def test_a_session_comes_back_with_its_history(document, saved):
    loaded = load_session(saved)
    np.testing.assert_array_equal(loaded.photo, document.photo)
    np.testing.assert_array_equal(loaded.labels, document.labels)
    np.testing.assert_array_equal(loaded.reference_labels, document.reference_labels)
    assert loaded.name == "Zoë / 1"
    assert loaded.path == saved
    assert (loaded.locked, loaded.only_over) == ({3, 5}, 0)
    assert loaded.origin == ORIGIN
    assert loaded.face_weights == b"weights"
    assert not loaded.is_modified
    assert loaded.history.names == document.history.names
    assert loaded.history.position == document.history.position == 2
    for act in ("redo", "undo", "undo", "undo", "undo", "redo"):
        assert getattr(loaded, act)() == getattr(document, act)()
        np.testing.assert_array_equal(loaded.labels, document.labels)
    assert loaded.is_modified
    loaded.redo()
    assert not loaded.is_modified
    loaded.fill(0, 0, 7)


def test_a_stroke_in_progress_is_left_out(document, tmp_path):
    committed = document.snapshot()
    document.begin_stroke(HAIR, diameter=30).move_to(20, 16)
    document.locked, document.only_over = set(), None
    save_session(tmp_path / "b.maskedit", document)
    np.testing.assert_array_equal(load_session(tmp_path / "b.maskedit").labels, committed)
    assert document.stroke is not None


def test_a_document_without_any_edit(tmp_path):
    labels = np.zeros((1, 1), np.uint8)
    save_session(tmp_path / "c.maskedit", Document(np.zeros((1, 1, 3), np.uint8), labels))
    loaded = load_session(tmp_path / "c.maskedit")
    assert loaded.labels.shape == (1, 1)
    assert not loaded.can_undo


def test_an_existing_file_stays_unless_told_otherwise(document, saved):
    content = saved.read_bytes()
    with pytest.raises(UserError):
        save_session(saved, document, overwrite=False)
    assert saved.read_bytes() == content
    document.redo()
    save_session(saved, document)
    np.testing.assert_array_equal(load_session(saved).labels, document.labels)
    assert os.listdir(saved.parent) == [saved.name]


def test_a_long_history_keeps_its_newest_part(document, tmp_path, monkeypatch):
    monkeypatch.setattr(packing, "_MAX_EDITS", 2)
    document.redo()
    document.locked, document.only_over = set(), None
    path = tmp_path / "d.maskedit"
    save_session(path, document)
    loaded = load_session(path)
    assert loaded.history.names == document.history.names[-2:]
    while document.undo() and loaded.undo():
        np.testing.assert_array_equal(loaded.labels, document.labels)
    save_session(path, document)  # all three undone: the first two to redo are kept
    loaded = load_session(path)
    assert (loaded.history.names, loaded.history.position) == (document.history.names[:2], 0)
    loaded.redo()
    document.redo()
    np.testing.assert_array_equal(loaded.labels, document.labels)


# The photo file, and what was learned


def test_a_session_of_before_there_were_origins(saved):
    state = read_json(saved, "session.json")
    del state["square"]
    rewrite(saved, **{"session.json": json.dumps(state), "origin": None, "learned.safetensors": None})
    loaded = load_session(saved)
    assert loaded.origin is None
    assert loaded.face_weights is None
    assert loaded.history.position == 2


def test_a_document_without_a_photo_file(document, tmp_path):
    plain = Document(document.photo, document.labels)
    save_session(tmp_path / "plain.maskedit", plain)
    assert load_session(tmp_path / "plain.maskedit").origin is None
    with zipfile.ZipFile(tmp_path / "plain.maskedit") as archive:
        assert set(archive.namelist()) == set(packing._LIMITS) - set(OPTIONAL)


def test_the_photo_file_is_stored_byte_for_byte(saved):
    assert ORIGIN.data in saved.read_bytes()  # packing a photo again would take time for nothing
    with zipfile.ZipFile(saved) as archive:
        assert archive.read("origin") == ORIGIN.data


def test_what_was_learned_is_saved_and_can_be_forgotten(document, saved, tmp_path):
    loaded = load_session(saved)
    assert not loaded.is_modified
    loaded.face_weights = None
    assert loaded.is_modified
    save_session(saved, loaded)
    loaded.mark_saved()
    assert not loaded.is_modified
    again = load_session(saved)
    assert (again.face_weights, again.origin) == (None, ORIGIN)


@pytest.mark.parametrize(
    "square",
    [
        None,
        {},
        "0123",
        [1, 2, 3],
        [1, 2, 3, 4, 5],
        [1, 2, "3", 0],
        [1, 2, True, 0],
        [1, 2, None, 0],
        [1, 2, [3], 0],
        [1, 2, 0, 0],
        [1, 2, 0.5, 0],
        [1, 2, -3, 0],
        [1, 2, 1e-300, 0],
        [1, 2, 1.1e6, 0],
        [-1.1e6, 2, 3, 0],
        [1, 1.1e6, 3, 0],
        [1, 2, 3, 1e7],
        [1, 2, float("inf"), 0],
        [float("nan"), 2, 3, 0],
        [1, 2, 3, float("-inf")],
        [10**400, 2, 3, 0],
    ],
)
def test_a_wrong_square(saved, square):
    state = read_json(saved, "session.json") | {"square": square}
    rewrite(saved, **{"session.json": json.dumps(state)})
    with pytest.raises(UserError, match=r"a\.maskedit cannot be opened"):
        load_session(saved)


def test_a_square_of_whole_numbers(saved):
    state = read_json(saved, "session.json") | {"square": [20, 16, 32, 0]}
    rewrite(saved, **{"session.json": json.dumps(state)})
    assert load_session(saved).origin == Origin(ORIGIN.data, Square(20.0, 16.0, 32.0))


@pytest.mark.parametrize("data", [None, b""])
def test_a_square_without_its_photo_file(saved, data):
    rewrite(saved, origin=data)
    with pytest.raises(UserError, match=r"photo .*(missing|empty)"):
        load_session(saved)


# Malformed sessions


def test_no_file_a_folder_and_other_files(tmp_path):
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "text").write_bytes(b"hello" * 100)
    for name in ("missing", "", "empty", "text"):
        with pytest.raises(UserError, match="session"):
            load_session(tmp_path / name)


@pytest.mark.parametrize("name", [name for name in packing._LIMITS if name not in OPTIONAL])
def test_a_missing_member(saved, name):
    rewrite(saved, **{name: None})
    with pytest.raises(UserError, match=f"{name} is missing"):
        load_session(saved)


@pytest.mark.parametrize("name", list(packing._LIMITS))
def test_a_member_larger_than_its_limit_is_not_unpacked(saved, name, monkeypatch):
    monkeypatch.setitem(packing._LIMITS, name, 20_000)
    rewrite(saved, **{name: bytes(20_001)})
    with pytest.raises(UserError, match="the limit is 20000"):
        load_session(saved)


def test_a_member_that_lies_about_its_size(saved):
    rewrite(saved, **{"history.bin": bytes(300_000)})
    raw = saved.read_bytes()
    with zipfile.ZipFile(saved) as archive:
        info = archive.getinfo("history.bin")
    size = info.file_size.to_bytes(4, "little")
    assert raw.count(size) == 2  # beside the data and in the directory
    saved.write_bytes(raw.replace(size, (100).to_bytes(4, "little")))
    with pytest.raises(UserError, match="cannot be opened"):
        load_session(saved)


def test_a_huge_directory_is_refused_before_it_is_read(saved):
    with zipfile.ZipFile(saved, "a") as archive:
        for number in range(40):
            archive.writestr(str(number), b"")
    with pytest.raises(UserError, match="48 members"):
        load_session(saved)


def test_other_compressions_and_comments(saved):
    with zipfile.ZipFile(saved) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(saved, "w", zipfile.ZIP_LZMA) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    with pytest.raises(UserError, match="compressed in an unknown way"):
        load_session(saved)
    with zipfile.ZipFile(saved, "a") as archive:
        archive.comment = b"hello"
    with pytest.raises(UserError, match="not a session file"):
        load_session(saved)


@pytest.mark.parametrize("keep", [0.1, 0.5, 0.99])
def test_a_file_that_is_cut_short(saved, keep):
    raw = saved.read_bytes()
    saved.write_bytes(raw[: int(len(raw) * keep)])
    with pytest.raises(UserError, match="cut short"):
        load_session(saved)


def test_damaged_bytes_never_raise_anything_else(saved):
    raw = saved.read_bytes()
    rng = np.random.default_rng(7)
    refused = 0
    for _ in range(200):
        damaged = bytearray(raw)
        for place in rng.integers(0, len(raw), 4):
            damaged[place] = rng.integers(256)
        saved.write_bytes(damaged)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                load_session(saved)
        except UserError:
            refused += 1
    assert refused > 150


def test_what_this_editor_does_not_know_is_passed_over(document, saved):
    state = read_json(saved, "session.json") | {
        "extras": {"brush": 12.5, "views": [1, None]}
    }  # as editors once wrote it
    rewrite(saved, **{"session.json": json.dumps(state)})
    np.testing.assert_array_equal(load_session(saved).labels, document.labels)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"version": 7}, "version 7 and this editor reads version 2"),
        ({"version": None}, "version None"),
        ({"version": True}, "version True"),
        ({"format": "zip"}, "does not describe"),
        ({"name": 3}, "wrong name"),
        ({"locked": 3}, "list of locks"),
        ({"locked": [19]}, "locks an id"),
        ({"locked": [[]]}, "locks an id"),
        ({"only_over": -1}, "locks an id"),
        ({"only_over": True}, "locks an id"),
        ({"position": 4}, "place in the history"),
        ({"position": -1}, "place in the history"),
        ({"position": None}, "place in the history"),
    ],
)
def test_a_wrong_state(saved, change, says):
    state = read_json(saved, "session.json") | change
    rewrite(saved, **{"session.json": json.dumps(state)})
    with pytest.raises(UserError, match=says):
        load_session(saved)


@pytest.mark.parametrize("text", [b"", b"[]", b"\xff\xfe", b"{", b"[" * 500_000, b"3" * 9000])
@pytest.mark.parametrize("name", ["session.json", "history.json"])
def test_broken_json(saved, name, text):
    rewrite(saved, **{name: text})
    with pytest.raises(UserError, match="cannot be opened"):
        load_session(saved)


def test_wrong_pictures(saved):
    good = saved.read_bytes()
    grey, colour = np.zeros((32, 40), np.uint8), np.zeros((32, 40, 3), np.uint8)
    jpeg = io.BytesIO()
    Image.fromarray(colour).save(jpeg, "JPEG")
    bomb = png(grey)[:16] + (60_000).to_bytes(4, "big") * 2 + png(grey)[24:]
    for changes, says in (
        ({"labels_png": png(colour)}, "labels.png has mode RGB, wanted L"),
        ({"photo_png": png(grey)}, "photo.png has mode L, wanted RGB"),
        ({"labels_png": png(grey[:, 1:])}, "labels.png has 39 x 32 pixels, the photo 40 x 32"),
        ({"reference_labels_png": png(grey[1:])}, "reference_labels.png has 40 x 31"),
        ({"labels_png": png(grey + np.uint8(19))}, r"19 \(1280 pixels\)"),
        ({"reference_labels_png": png(grey + np.uint8(200))}, r"200 \(1280 pixels\)"),
        ({"photo_png": jpeg.getvalue()}, "photo.png is not a readable PNG"),
        ({"photo_png": b""}, "photo.png is not a readable PNG"),
        ({"labels_png": png(grey)[:-30]}, "labels.png|damaged"),
        ({"labels_png": bomb}, "labels.png|damaged"),
    ):
        saved.write_bytes(good)
        rewrite(saved, **changes)
        with pytest.raises(UserError, match=says):
            load_session(saved)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"box": [0, 0, 41, 1]}, "outside the map"),
        ({"box": [-1, 0, 3, 3]}, "outside the map"),
        ({"box": [5, 5, 5, 9]}, "outside the map"),
        ({"box": [9, 5, 3, 9]}, "outside the map"),
        ({"box": [0, 0, 1]}, "no box"),
        ({"box": [0, 0, 1.0, 1]}, "no box"),
        ({"box": [0, 0, 10**30, 1]}, "outside the map"),
        ({"box": None}, "not an edit"),
        ({"name": None}, "not an edit"),
        ({"count": 0}, "wrong count"),
        ({"count": 10**9}, "wrong count"),
        ({"count": "3"}, "wrong count"),
        ({"count": 1}, "mask of another size"),
        ({"new": 19}, "wrong count or id"),
        ({"new": "hair"}, "wrong count or id"),
    ],
)
def test_a_wrong_edit(saved, change, says):
    entries = read_json(saved, "history.json")
    entries[1] |= change
    rewrite(saved, **{"history.json": json.dumps(entries)})
    with pytest.raises(UserError, match=says):
        load_session(saved)


def test_wrong_edit_data(saved):
    good = saved.read_bytes()
    with zipfile.ZipFile(saved) as archive:
        data = archive.read("history.bin")
    for changed, says in (
        (data + b"\0", "longer than its edits"),
        (data[:-1], "cut short"),
        (b"", "cut short"),
        (data[:-1] + b"\x13", "an id above 18"),
        (b"\xff" * len(data), "mask of another size"),
    ):
        saved.write_bytes(good)
        rewrite(saved, history_bin=changed)
        with pytest.raises(UserError, match=says):
            load_session(saved)
    saved.write_bytes(good)
    rewrite(saved, **{"history.json": "[3, 4]"})
    with pytest.raises(UserError, match=r"not an edit|place in the history"):
        load_session(saved)


# Recovery files


def test_recovery_files_of_dead_processes_are_found_newest_first(document, tmp_path):
    folder = tmp_path / "state" / "recovery"
    assert find_recoveries(folder) == []
    path = write_recovery(folder, document)
    assert path == recovery_path(folder, document.name)
    assert path.parent == folder
    assert str(os.getpid()) in path.name
    assert find_recoveries(folder) == []  # this process is alive

    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    older = path.rename(folder / f"recovery-{dead.pid}-0123abcd-older.maskedit")
    os.utime(older, (1000, 1000))
    newer = folder / f"recovery-{os.getpid()}-0123abcd-newer.maskedit"  # an earlier run with the same process id
    newer.write_bytes(older.read_bytes())
    alive = folder / f"recovery-{os.getppid()}-0123abcd-x.maskedit"
    for other in (alive, folder / "recovery-0-0123abcd-x.maskedit", folder / "recovery-mine.maskedit"):
        other.write_bytes(b"")
    assert find_recoveries(folder) == [newer, older]

    recovered = load_recovery(older)
    np.testing.assert_array_equal(recovered.labels, document.labels)
    assert recovered.path is None
    assert recovered.is_modified
    assert recovered.can_undo
    recovered.mark_saved()
    assert not recovered.is_modified

    discard_recovery(older)
    discard_recovery(older)
    assert find_recoveries(folder) == [newer]


@pytest.mark.skipif(not hasattr(os, "waitid"), reason="this system has no way to leave a zombie")
def test_the_work_of_a_killed_process_that_nobody_has_waited_for_is_found(document, tmp_path):
    killed = subprocess.Popen(["sleep", "60"])
    killed.kill()
    os.waitid(os.P_PID, killed.pid, os.WEXITED | os.WNOWAIT)  # it has ended, and stays a zombie
    path = write_recovery(tmp_path, document).rename(tmp_path / f"recovery-{killed.pid}-0123abcd-x.maskedit")
    assert find_recoveries(tmp_path) == [path]
    assert psutil.pid_exists(killed.pid)
    killed.wait()


def test_a_recovery_file_is_known_by_its_name_time_and_picture(document, tmp_path):
    path = write_recovery(tmp_path, document)
    os.utime(path, (1000, 1000))
    work = look_into_recovery(path, 32)
    assert (work.path, work.name, work.written) == (path, document.name, 1000)
    assert (work.picture.shape, work.picture.dtype) == ((32, 32, 3), np.uint8)
    assert (work.picture != imaging.resize_photo(document.photo, (32, 32))).any()
    path.write_bytes(b"cut short")
    broken = look_into_recovery(path, 32)
    assert broken.name in path.name
    assert broken.picture is None


def test_a_recovery_file_keeps_the_photo_file_and_what_was_learned_if_that_is_small(document, tmp_path, monkeypatch):
    monkeypatch.setattr(session, "_RECOVERY_FACE_WEIGHTS_BYTES", 7)
    recovered = load_recovery(write_recovery(tmp_path, document))
    assert (recovered.origin, recovered.face_weights) == (ORIGIN, b"weights")
    assert recovered.is_modified
    document.face_weights = b"too many weights"
    recovered = load_recovery(write_recovery(tmp_path, document))
    assert (recovered.origin, recovered.face_weights) == (ORIGIN, None)
    save_session(tmp_path / "whole.maskedit", document)
    assert load_session(tmp_path / "whole.maskedit").face_weights == b"too many weights"


def test_only_recovery_files_are_discarded(saved):
    with pytest.raises(ValueError, match="not a recovery file"):
        discard_recovery(saved)
    assert saved.exists()


def test_a_recovery_folder_that_cannot_be_made(document, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(UserError, match="recovery"):
        write_recovery(tmp_path / "file" / "x", document)


# Snapshots


def test_snapshots_come_back(document, tmp_path):
    style = PartStyle((60.0, 5.0, -3.0), None, "red", bytes(3 * THUMBNAIL**2))
    document.reset_labels()
    plain = document.take_snapshot("as parsed")
    document.fill(3, 3, HAIR)
    painted, labels = document.take_snapshot("hair"), document.snapshot()
    document.set_styles({"hair": style}, name="Style")
    document.reset_labels()
    red = document.take_snapshot("red hair alone")
    save_session(tmp_path / "s.maskedit", document)
    document.mark_saved()
    again = load_session(tmp_path / "s.maskedit")
    assert [each.name for each in again.snapshots] == ["as parsed", "hair", "red hair alone"]
    assert not again.is_modified
    for each in (plain, painted, red):
        assert document.snapshots[document.snapshots.index(each)] is each
    again.show_snapshot(again.snapshots[1])
    assert np.array_equal(again.labels, labels)
    assert again.styles == {}
    assert again.history.names[-1] == "Snapshot hair"
    again.undo()
    assert again.styles == {"hair": style}
    again.show_snapshot(again.snapshots[0])
    assert np.array_equal(again.labels, again.reference_labels)
    again.show_snapshot(again.snapshots[2])
    assert again.styles == {"hair": style}
    # The photo's own labels are corrected: the snapshots show what they showed.
    other = again.copy(reference_labels=labels)
    other.show_snapshot(other.snapshots[2])
    assert np.array_equal(other.labels, again.reference_labels)
    again.snapshots = again.snapshots[1:]
    assert again.is_modified


@pytest.mark.parametrize(
    ("entries", "data", "says"),
    [
        ("{}", b"", "the list of snapshots is wrong"),
        (json.dumps([{"name": "a", "box": [0, 0, 0, 0]}] * 101), b"", "too long"),
        ('[{"name": "a", "box": [0, 0, 1, 1], "count": 1, "new": 3}]', b"", "snapshot 1 is cut short"),
        ('[{"name": "a", "box": [0, 0, 0, 0]}]', b"x", "longer than its snapshots"),
        ('[{"name": 5}]', b"", "snapshot 1 is not an edit"),
    ],
)
def test_wrong_snapshots(saved, entries, data, says):
    with zipfile.ZipFile(saved, "a") as archive:
        archive.writestr("snapshots.json", entries)
        archive.writestr("snapshots.bin", data)
    with pytest.raises(UserError, match=says):
        load_session(saved)


def test_there_are_no_more_snapshots_than_a_session_keeps(document, monkeypatch):
    monkeypatch.setattr("maskedit.document.document.MAX_SNAPSHOTS", 2)
    for name in "ab":
        document.take_snapshot(name)
    with pytest.raises(UserError, match="2 snapshots already"):
        document.take_snapshot("c")
    assert [each.name for each in document.snapshots] == ["a", "b"]
