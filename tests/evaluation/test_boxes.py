"""maskedit-eval boxes through the real command, on drawn faces and a tiny network."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from maskedit import imaging
from maskedit.evaluation import boxes, cli
from maskedit.evaluation.strokes import KINDS, Edit, make_edit
from maskedit.labels import BY_NAME
from maskedit.models.checkpoint import save_checkpoint
from maskedit.models.config import DmnConfig
from maskedit.models.dense_mapping import DenseMappingNetwork
from maskedit.models.variants import build_generator
from maskedit.render.boxes.geometry import EVERYTHING, Halo
from tests.faces import draw_face
from tests.folders import write_faces, write_map

CONFIG = DmnConfig(width=4, size=64, blocks=1)


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return DenseMappingNetwork(CONFIG).eval().to(memory_format=torch.channels_last)


@pytest.fixture(scope="module")
def flags(network, tmp_path_factory):
    folder = tmp_path_factory.mktemp("boxes")
    weights = save_checkpoint(folder / "dmn.safetensors", network, {})
    given = {"--data": write_faces(folder / "faces", 5), "--weights": weights, "--validation": 3, "--count": 2}
    return ["boxes", *(str(part) for pair in given.items() for part in pair), "--precision", "float32"]


@pytest.mark.slow
def test_boxes(flags, tmp_path, capsys):
    report, strip = tmp_path / "boxes.json", tmp_path / "strip.png"
    assert cli.main([*flags, "--json", str(report), "-o", str(strip)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("8 edits of 2 held-out faces, dmn.safetensors, torch float32, 64 px, Halo(")
    assert lines[1].startswith("2 mouth, 2 brow, 2 hair, 2 glasses")
    assert "changed where nothing was rendered: 0 at most" in lines
    text = report.read_text()
    assert str(tmp_path.parent) not in text
    figures = json.loads(text)
    assert set(figures["figures"]) == {"mean", "percentile_95", *KINDS}
    assert figures["outside"] == 0
    assert figures["milliseconds"]["update"] > 0
    assert [edit["kind"] for edit in figures["edits"]] == [*KINDS, *KINDS]
    assert {edit["photo"] for edit in figures["edits"]} == {"002", "004"}
    for edit in figures["edits"]:
        assert edit["size"] > 0
        for mode in boxes.MODES:
            assert edit[f"{mode}_outside"] == 0
            # Closer to the full render than the picture before the edit is; and the jump is a mean of what is seen.
            assert 0 <= edit[f"{mode}_changed"] < edit["size"]
            assert edit[f"{mode}_picture"] <= edit[f"{mode}_picture_99"]
    picture = imaging.read_photo(strip)
    assert picture.shape[1] > 8 * 160
    assert picture.shape[0] > 8 * 160


@pytest.mark.slow
def test_growths(flags, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(boxes, "GROWTH_EDITS", 3)
    monkeypatch.setattr(boxes, "GROWTHS", (Halo(0, 0, 0), EVERYTHING))
    report = tmp_path / "growths.json"
    assert cli.main([*flags, "--growths", "--json", str(report)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("3 edits of 2 held-out faces")
    assert [line.split()[:3] for line in lines[2:]] == [["0", "0", "0"], ["all", "all", "all"]]
    nothing, everything = json.loads(report.read_text())["growths"]
    assert everything["changed"] < nothing["changed"]
    assert everything["milliseconds"] > 0
    assert everything["share"] > 0


def test_a_whole_image_is_a_full_render(network):
    photo, labels = draw_face(64, 1)
    edit = Edit("mouth", [labels.max() + 1 - labels], [labels])
    engine = boxes.WatchedEngine(network, EVERYTHING)
    row, tiles = boxes.measure(engine, boxes.Case("drawn", photo, labels, edit))
    assert row["size"] > 0
    assert {value for name, value in row.items() if name.partition("_")[0] in boxes.MODES} == {0}
    assert len(tiles) == len(boxes.CAPTIONS)
    assert engine.touched.all()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("turn", [0, 1])
def test_edits_are_painted_move_by_move(kind, turn):
    photo, labels = draw_face(256, turn)
    edit = make_edit(kind, photo, labels, turn)
    assert len(edit.maps) > 3
    for before, after in zip([labels, *edit.maps], edit.maps, strict=False):
        assert (before != after).any()
    assert (edit.undone[-1] == labels).all()
    assert 0.0005 < (edit.maps[-1] != labels).mean() < 0.1


def test_an_edit_that_a_map_has_no_place_for():
    photo, labels = draw_face(64, 0)
    bald = np.where(labels == BY_NAME["hair"].id, 0, labels).astype(np.uint8)
    assert make_edit("hair", photo, bald) is None
    framed = labels.copy()
    framed[:10, :10] = BY_NAME["eye_g"].id
    assert make_edit("glasses", photo, framed) is None
    for kind in KINDS:
        assert make_edit(kind, photo, np.zeros_like(labels)) is None


def test_one_brow_does_for_two():
    photo, labels = draw_face(64, 0)
    one = np.where(labels == BY_NAME["l_brow"].id, 1, labels).astype(np.uint8)
    edited = make_edit("brow", photo, one).maps[-1]
    assert set(edited[edited != one].tolist()) == {BY_NAME["r_brow"].id, BY_NAME["skin"].id}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("more", "told"),
    [
        (["--count", "0"], "--count 0 must be at least 1"),
        (["--size", "100"], "--size"),
        (["-o", "nowhere/strip.png"], "there is no folder nowhere"),
        (["--growths", "-o", "strip.png"], "leave out -o"),
        (["--validation", "9"], "--validation 9"),
    ],
)
def test_wrong_usage(flags, more, told, capsys):
    assert cli.main([*flags, *more]) == 1
    assert told in capsys.readouterr().err


def test_another_kind_of_network(flags, tmp_path, capsys):
    torch.manual_seed(0)
    other = build_generator(DmnConfig(width=4, size=64, blocks=1, variant="spade"))
    weights = save_checkpoint(tmp_path / "spade.safetensors", other, {})
    assert cli.main([*flags, "--weights", str(weights)]) == 1
    assert "spade.safetensors holds a spade network" in capsys.readouterr().err


def test_no_faces(flags, tmp_path, capsys):
    for part in ("images", "masks"):
        (tmp_path / part).mkdir()
    for index in range(4):
        Image.fromarray(np.zeros((64, 64, 3), np.uint8)).save(tmp_path / "images" / f"{index}.png")
        write_map(tmp_path / "masks" / f"{index}.png", np.zeros((64, 64), np.uint8))
    assert cli.main([*flags, "--data", str(tmp_path)]) == 1
    assert "has a place for any edit" in capsys.readouterr().err
