"""The twelve everyday edits: each changes what it says and nothing else, on faces that have what it takes or not."""

import numpy as np
import pytest
import torch

from maskedit import imaging
from maskedit.evaluation import cli
from maskedit.evaluation.everyday import BUNDLED, CLOTH, EARRING, EDITS, GLASSES, HAIR, HAT, MOUTH, SKIN, Sources
from maskedit.labels import BY_NAME
from maskedit.models.checkpoint import save_checkpoint
from maskedit.models.config import DmnConfig
from maskedit.models.context import ContextNetwork
from tests.faces import draw_face
from tests.folders import write_faces, write_map

SIDE = 256
NEW = {
    "glasses by hand": {GLASSES},
    "another's glasses": {GLASSES},
    "longer hair": {HAIR},
    "bangs": {HAIR},
    "hat": {HAT},
    "earrings": {EARRING},
    "thicker brows": {BY_NAME["l_brow"].id, BY_NAME["r_brow"].id},
}
"""What each edit adds, and it alone."""
GONE = {"closed mouth": {MOUTH}, "short hair": {HAIR}, "bald": {HAIR}, "narrower jaw": {SKIN}}
"""What each edit takes away, and it alone."""


@pytest.fixture
def sources():
    smiling, wearing = draw_face(SIDE, 3)[1], draw_face(SIDE, 4)[1]
    smiling[160:190, 80:176] = BY_NAME["l_lip"].id
    smiling[165:180, 90:166] = MOUTH
    wearing[100:130, 70:120] = wearing[100:130, 136:186] = GLASSES
    return Sources(smiling, wearing)


@pytest.mark.parametrize("name", EDITS)
@pytest.mark.parametrize("seed", range(3))
def test_an_edit_changes_what_it_says(name, seed, sources):
    ids = draw_face(SIDE, seed)[1]
    before = ids.copy()
    edited = EDITS[name](ids, sources)
    assert np.array_equal(ids, before)
    assert edited.dtype == np.uint8
    changed = edited != ids
    assert 0.0005 < changed.mean() < 0.5
    if name in NEW:
        assert set(np.unique(edited[changed])) <= NEW[name] | ({SKIN} if name == "another's glasses" else set())
    if name in GONE:
        assert set(np.unique(ids[changed])) <= GONE[name]


@pytest.mark.parametrize("name", EDITS)
def test_a_map_without_a_face_stays_as_it_is(name, sources):
    nothing = np.zeros((SIDE, SIDE), np.uint8)
    assert np.array_equal(EDITS[name](nothing, sources), nothing)


def test_longer_hair_lies_behind_the_face(sources):
    ids = draw_face(SIDE, 0)[1]
    edited = EDITS["longer hair"](ids, sources)
    new = (edited == HAIR) & (ids != HAIR)
    assert set(np.unique(ids[new])) <= {0, CLOTH, BY_NAME["l_ear"].id, BY_NAME["r_ear"].id, EARRING}
    assert np.nonzero(new)[0].max() > np.nonzero(ids == SKIN)[0].max()


def test_brows_grow_upwards_more_than_downwards(sources):
    ids = draw_face(SIDE, 0)[1]
    edited = EDITS["thicker brows"](ids, sources)
    brow = BY_NAME["l_brow"].id
    rows, before = np.nonzero(edited == brow)[0], np.nonzero(ids == brow)[0]
    assert before.min() - rows.min() > rows.max() - before.max() >= 0


def test_a_smile_comes_to_where_the_mouth_is(sources):
    ids = draw_face(SIDE, 0)[1]
    moved = Sources(np.roll(sources.smile, 20, axis=0), sources.glasses)
    assert (EDITS["smile"](ids, moved) == EDITS["smile"](ids, sources)).mean() > 0.999


@pytest.mark.slow
def test_the_command_writes_a_sheet_a_face(tmp_path, capsys):
    torch.manual_seed(0)
    weights = tmp_path / "context.safetensors"
    save_checkpoint(weights, ContextNetwork(DmnConfig(width=4, size=64, variant="maskgan-context")), {})
    faces = write_faces(tmp_path / "faces", 3, side=128)
    labels = draw_face(128, 2)[1]
    labels[40:60, 30:100] = GLASSES
    write_map(faces / "masks" / "002.png", labels)
    flags = ["everyday", "--data", str(faces), "--validation", "2", "--weights", str(weights)]
    assert cli.main([*flags, "-o", str(tmp_path / "sheets")]) == 0
    for name in BUNDLED:
        sheet = imaging.read_photo(tmp_path / "sheets" / f"{name}.png")
        assert sheet.shape[0] > 12 * 512
        assert sheet.shape[1] > 4 * 512
        assert f"{name}.png" in capsys.readouterr().out or name == "hopper"


def test_no_glasses_no_edit_of_them(tmp_path, capsys):
    weights = tmp_path / "context.safetensors"
    save_checkpoint(weights, ContextNetwork(DmnConfig(width=4, size=64, variant="maskgan-context")), {})
    faces = write_faces(tmp_path / "faces", 3)
    flags = ["everyday", "--data", str(faces), "--validation", "2", "--weights", str(weights)]
    assert cli.main([*flags, "-o", str(tmp_path / "sheets")]) == 1
    assert "wears glasses" in capsys.readouterr().err


def test_a_folder_without_photos_is_told(tmp_path, capsys):
    flags = ["everyday", "--data", str(tmp_path), "--portraits", str(tmp_path), "-o", str(tmp_path / "sheets")]
    assert cli.main(flags) == 1
    assert "holds no photos" in capsys.readouterr().err
