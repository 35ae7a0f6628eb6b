"""The reconstruction protocol through the real command, on drawn faces and a tiny network."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from maskedit import imaging, resources
from maskedit.data.folder import find_pairs
from maskedit.data.pairs import load_pairs
from maskedit.evaluation import cli, showcase
from maskedit.evaluation.everyday import EDITS, Sources
from maskedit.evaluation.reconstruction import mean_photo
from maskedit.measures.metrics import psnr
from maskedit.models.checkpoint import load_checkpoint, save_checkpoint
from maskedit.models.config import PRESETS
from maskedit.models.dense_mapping import DenseMappingNetwork
from maskedit.models.tensors import one_hot
from maskedit.resources import portrait
from tests.faces import draw_face
from tests.folders import write_faces
from tests.squeezenet import write_squeezenet


@pytest.fixture(scope="module")
def faces(tmp_path_factory):
    return write_faces(tmp_path_factory.mktemp("data") / "faces", 8)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    torch.manual_seed(0)
    network = DenseMappingNetwork(PRESETS["tiny"])
    return save_checkpoint(tmp_path_factory.mktemp("weights") / "tiny.safetensors", network, {"steps": 0})


@pytest.fixture
def flags(faces, weights):
    return ["reconstruction", "--data", str(faces), "--weights", str(weights), "--validation", "3"]


def test_figures_and_table(flags, faces, weights, tmp_path, capsys):
    squeezenet = write_squeezenet(tmp_path / "squeezenet.npz")
    given = ["--perceptual", f"squeezenet:{squeezenet}", "--json", str(tmp_path / "figures.json")]
    assert cli.main([*flags, *given]) == 0
    report = json.loads((tmp_path / "figures.json").read_text())
    assert report["weights"] == "tiny.safetensors"
    assert report["size"] == 64
    assert report["photos"] == 3
    assert len(report["sha256"]) == 64
    assert str(tmp_path) not in json.dumps(report)

    pairs = load_pairs(find_pairs(faces), 64, quiet=True)
    photos, labels = pairs.photos / 127.5 - 1, one_hot(pairs.labels)
    network, _ = load_checkpoint(weights)
    with torch.inference_mode():
        renders = network(photos[5:], labels[5:], labels[5:])
    assert report["network"]["psnr"] == pytest.approx(float(psnr(renders, photos[5:]).mean()), abs=1e-4)
    floor = photos[:5].mean(dim=0, keepdim=True).expand(3, -1, -1, -1)
    assert report["mean_face"]["psnr"] == pytest.approx(float(psnr(floor, photos[5:]).mean()), abs=1e-4)
    for figures in (report["network"], report["mean_face"]):
        assert figures["ssim"] < 1
        assert figures["features"] > 0

    lines = capsys.readouterr().out.splitlines()
    assert "3 held-out photos at 64 px" in lines[0]
    assert lines[1].split() == ["PSNR", "dB", "SSIM", "features"]
    assert lines[2].split()[:2] == ["tiny.safetensors", f"{report['network']['psnr']:.2f}"]
    assert lines[3].split()[:4] == ["mean", "training", "face", f"{report['mean_face']['psnr']:.2f}"]
    assert len({len(line) for line in lines[1:]}) == 1


def test_without_a_feature_network_there_is_no_column(flags, capsys):
    assert cli.main(flags) == 0
    assert "features" not in capsys.readouterr().out


def test_grid(flags, tmp_path):
    assert cli.main([*flags, "--grid", str(tmp_path / "grid.png"), "--rows", "2"]) == 0
    grid = np.asarray(Image.open(tmp_path / "grid.png").convert("RGB"))
    gap, side = 12, 160  # tiles under 160 px are enlarged, so that captions fit
    photo, _ = draw_face(64, 5)  # the first of the three held out
    assert np.array_equal(grid[gap : gap + side, gap : gap + side], imaging.resize_photo(photo, (side, side)))
    columns = [grid[gap : 2 * gap + 2 * side, gap + at * (side + gap) :][:, :side] for at in range(5)]
    assert (columns[1] != columns[3]).any()
    assert grid.shape[1] == gap + 5 * (side + gap)
    captions = grid[2 * gap + 2 * side :]
    for at in range(5):  # a caption under each
        assert captions[:, gap + at * (side + gap) :][:, :side].max() > 200


def test_size_is_the_weights_own_unless_given(flags, tmp_path):
    assert cli.main([*flags, "--size", "32", "--json", str(tmp_path / "a.json")]) == 0
    assert json.loads((tmp_path / "a.json").read_text())["size"] == 32


def test_shipped_weights_are_the_default(flags, weights, monkeypatch, capsys):
    monkeypatch.setattr(resources, "default_weights", lambda: weights)
    without = flags[:3] + flags[5:]
    assert "--weights" not in without
    assert cli.main(without) == 0
    assert "tiny.safetensors" in capsys.readouterr().out


def test_mean_photo_does_not_depend_on_the_chunk(faces):
    paths = find_pairs(faces)
    whole = mean_photo(paths, 32)
    assert whole.shape == (3, 32, 32)
    assert torch.allclose(mean_photo(paths, 32, chunk=3), whole, atol=1e-6)


@pytest.mark.parametrize(
    ("given", "flag"),
    [
        ("--data=nowhere", "--data"),
        ("--weights=nowhere.safetensors", "nowhere.safetensors"),
        ("--validation=8", "--validation"),
        ("--validation=0", "--validation"),
        ("--size=40", "--size"),
        ("--size=0", "--size"),
        ("--rows=0", "--rows"),
        ("--perceptual=vgg", "--perceptual"),
        ("--json=nowhere/a.json", "--json"),
        ("--grid=nowhere/a.png", "--grid"),
    ],
)
def test_failures_are_one_sentence(flags, capsys, given, flag):
    assert cli.main([*flags, given]) == 1
    error = capsys.readouterr().err
    assert error.startswith("maskedit-eval: ")
    assert flag in error
    assert len(error.splitlines()) == 1


@pytest.mark.parametrize("wrong", [[], ["fid"], ["reconstruction"], ["reconstruction", "--data", "a", "--size", "big"]])
def test_wrong_usage(wrong):
    with pytest.raises(SystemExit) as caught:
        cli.main(wrong)
    assert caught.value.code == 2


def test_help_has_an_example(capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main(["--help"])
    assert caught.value.code == 0
    assert "maskedit-eval reconstruction --data" in capsys.readouterr().out


@pytest.mark.slow
def test_showcase_edits_the_bundled_portraits(weights, tmp_path, capsys):
    out = tmp_path / "sheet.png"
    assert cli.main(["showcase", "-o", str(out), "--weights", str(weights)]) == 0
    sheet = np.array(Image.open(out))
    assert str(out) in capsys.readouterr().out
    assert sheet.shape[0] > len(showcase.ROWS) * 320
    assert sheet.shape[1] > (1 + len(showcase.ROWS[0][1])) * 320
    shown = [edit for _, edits in showcase.ROWS for edit in edits]
    assert sorted(shown) == sorted([*EDITS, *showcase.COLOURED])
    other = {"collins": "hopper", "hopper": "collins"}
    for name, edits in showcase.ROWS:
        labels, sources = (imaging.read_labels(portrait(each)[1]) for each in (name, other[name]))
        for edit in set(edits) & EDITS.keys():
            assert not np.array_equal(EDITS[edit](labels, Sources(sources, sources)), labels), (name, edit)
