"""maskedit-eval person through the real command, on drawn faces and tiny networks."""

import json

import numpy as np
import pytest
import torch

from maskedit import imaging
from maskedit.evaluation import cli, person
from maskedit.models.checkpoint import save_checkpoint
from maskedit.models.config import PARSER_PRESETS, DmnConfig
from maskedit.models.dense_mapping import DenseMappingNetwork
from maskedit.models.parser import build_parser
from tests.faces import draw_face
from tests.folders import write_faces


@pytest.fixture(scope="module")
def flags(tmp_path_factory):
    folder = tmp_path_factory.mktemp("person")
    torch.manual_seed(0)
    parser = save_checkpoint(folder / "parser.safetensors", build_parser(PARSER_PRESETS["tiny"]), {})
    network = DenseMappingNetwork(DmnConfig(width=4, size=64, blocks=1))
    weights = save_checkpoint(folder / "dmn.safetensors", network, {})
    faces = write_faces(folder / "faces", 6)
    given = {"--data": faces, "--weights": weights, "--parser": parser, "--validation": 3, "--count": 2, "--steps": 25}
    return ["person", *(str(part) for pair in given.items() for part in pair)]


@pytest.mark.slow
def test_person(flags, tmp_path, capsys):
    report = tmp_path / "figures.json"
    assert cli.main([*flags, "--json", str(report), "-o", str(tmp_path / "out")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("2 held-out faces learned by dmn.safetensors, CPU")
    assert [line.split()[0] for line in lines[2:5]] == ["003", "005", "mean"]
    text = report.read_text()
    assert str(tmp_path.parent) not in text
    figures = json.loads(text)
    assert set(figures["photos"]) == {"003", "005"}
    for row in (*figures["photos"].values(), figures["mean"]):
        assert row["psnr"] > row["psnr_before"] + 0.5
        assert row["changed_outside"] == 0
        assert row["psnr_outside"] > row["psnr"]
        assert 0 <= row["mean_f1"] <= 1
        assert row["seconds"] > 0
    assert imaging.read_photo(tmp_path / "out" / "person.png").shape[1] > 7 * 160


def test_wrong_numbers(flags, capsys):
    assert cli.main([*flags, "--count", "0"]) == 1
    assert "--count 0 must be at least 1" in capsys.readouterr().err


def test_outside_looks_where_labels_stayed():
    photo = draw_face(64, 0)[0]
    changed = np.zeros((64, 64), bool)
    changed[20:40, 20:40] = True
    alpha = changed.astype(np.float32)
    image = np.where(changed[..., None], 0, photo).astype(np.uint8)
    figures = person.outside(image, alpha, photo, changed)
    assert figures == {"psnr_outside": 100, "ssim_outside": pytest.approx(1), "changed_outside": 0}
    image[0, 0] = photo[0, 0] ^ 8
    figures = person.outside(image, alpha, photo, changed)
    assert figures["changed_outside"] == 8
    assert figures["psnr_outside"] < 70
