"""The editor's memory: what is opened, edited and exported for it, in the real window with a fake engine."""

import tempfile

import numpy as np
import pytest

from maskedit import imaging
from maskedit.bench import memory
from maskedit.bench.memory import edit_and_export, large_photo
from maskedit.bench.report import Row, memory_line
from maskedit.errors import UserError
from maskedit.labels import BY_NAME
from maskedit.resources import portrait
from tests.gui.harness import FOUND, FakeEngine, FakeFinder


@pytest.fixture(autouse=True)
def sooner(monkeypatch):
    monkeypatch.setattr(memory, "QUIET", 0.1)


def test_a_portrait_is_edited_and_exported_and_nothing_is_kept(qapp, kept, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    engine = FakeEngine()
    sizes = edit_and_export(lambda: engine, None)
    assert min(sizes) > 1000
    before, last = imaging.read_labels(portrait("collins")[1]), engine.rendered[-1]
    assert (last != before).sum() > 1000
    assert (last[last != before] == BY_NAME["hair"].id).all()
    assert not kept.exists()
    assert list(tmp_path.iterdir()) == []


def test_a_photo_is_found_in_and_exported_whole(qapp, monkeypatch):
    monkeypatch.setattr(memory, "LARGE", (400, 300))
    finder = FakeFinder(FOUND)
    photo = large_photo()
    assert imaging.read_photo(photo).shape == (300, 400, 3)
    assert min(edit_and_export(FakeEngine, photo, make_finder=lambda: finder)) > 1000
    (searched,) = finder.photos
    assert np.array_equal(searched, imaging.read_photo(photo))


def test_the_large_photo_is_large():
    assert imaging.read_photo(large_photo()).shape == (4000, 6000, 3)


def test_what_fails_ends_it(qapp, kept):
    engine = FakeEngine()
    engine.error = RuntimeError("no such layer")
    with pytest.raises(UserError, match=r"memory could not be measured.*no such layer"):
        edit_and_export(lambda: engine, None)
    assert not kept.exists()


def test_what_takes_too_long_ends_it(qapp, monkeypatch):
    monkeypatch.setattr(memory, "DEADLINE", 0.2)
    with pytest.raises(UserError, match="not done within 0 seconds"):
        edit_and_export(lambda: FakeEngine(0.5), None)


def test_the_row_as_a_sentence():
    row = Row("cpu", "tiny", 64, "editor's memory, photo of 512 px", 9.0, 1, peak_memory_mib=860.4)
    assert memory_line(row) == "editor's memory, photo of 512 px: 860 MiB at most, until it was edited and exported"
