"""agreement, parsing and masks through the real command, on drawn faces and tiny networks."""

import json
import shutil

import numpy as np
import pytest
import torch
from PIL import Image

from maskedit import resources
from maskedit.data.folder import find_pairs
from maskedit.data.pairs import load_pairs
from maskedit.evaluation import cli, protocols
from maskedit.evaluation.agreement import agreement_figures
from maskedit.labels import LABELS
from maskedit.measures.parsing import parsing_figures
from maskedit.models.checkpoint import load_checkpoint, save_checkpoint
from maskedit.models.config import MASK_VAE_PRESETS, PARSER_PRESETS, PRESETS
from maskedit.models.dense_mapping import DenseMappingNetwork, Generator
from maskedit.models.mask_vae import MaskVAE
from maskedit.models.parser import Parser, build_parser
from tests.folders import write_faces
from tests.oracles import PerfectGenerator, PerfectParser
from tests.squeezenet import write_squeezenet

PROTOCOLS = ("agreement", "parsing", "masks")


@pytest.fixture(scope="module")
def faces(tmp_path_factory):
    return write_faces(tmp_path_factory.mktemp("data") / "faces", 6)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("weights")
    networks = {
        "dmn": DenseMappingNetwork(PRESETS["tiny"]),
        "parser": build_parser(PARSER_PRESETS["tiny"]),
        "mask_vae": MaskVAE(MASK_VAE_PRESETS["tiny"]),
    }
    return {name: save_checkpoint(folder / f"{name}.safetensors", net, {}) for name, net in networks.items()}


@pytest.fixture
def flags(faces, weights):
    def made(protocol):
        own = {"agreement": "dmn", "parsing": "parser", "masks": "mask_vae"}[protocol]
        others = ["--parser", str(weights["parser"]), "--vae", str(weights["mask_vae"])]
        return [
            protocol,
            "--data",
            str(faces),
            "--weights",
            str(weights[own]),
            "--validation",
            "3",
            *(others if protocol == "agreement" else ()),
        ]

    return made


def run(flags, tmp_path, capsys):
    """The report and the printed lines; the command succeeds."""
    assert cli.main([*flags, "--json", str(tmp_path / "figures.json")]) == 0
    text = (tmp_path / "figures.json").read_text()
    assert str(tmp_path.parent) not in text
    return json.loads(text), capsys.readouterr().out.splitlines()


def held_out(faces, size=64):
    return load_pairs(find_pairs(faces)[3:], size, quiet=True)


@pytest.mark.slow
def test_agreement(flags, faces, weights, tmp_path, capsys):
    net = f"squeezenet:{write_squeezenet(tmp_path / 'squeezenet.npz')}"
    report, lines = run([*flags("agreement"), "--perceptual", net], tmp_path, capsys)
    assert (report["protocol"], report["weights"], report["photos"]) == ("agreement", "dmn.safetensors", 3)
    assert report["perceptual"] == "squeezenet"
    assert report["parser"]["weights"] == "parser.safetensors"
    assert report["parser"]["size"] == 64
    assert len({report["sha256"], report["parser"]["sha256"], report["vae"]["sha256"]}) == 3
    networks = [
        load_checkpoint(weights[name], wanted)[0]
        for name, wanted in (("dmn", Generator), ("parser", Parser), ("mask_vae", MaskVAE))
    ]
    rows = agreement_figures(*networks, held_out(faces), None)
    assert report["rows"]["own"].pop("features") > 0
    assert report["rows"] == rows
    assert lines[1].split() == ["PSNR", "dB", "SSIM", "features", "accuracy", "mean", "F1", "mean", "IoU"]
    assert [line[:9].strip() for line in lines[2:]] == list(rows)
    assert lines[2].split()[1:4] == ["-"] * 3  # photos are not compared with themselves
    assert f"{rows['perturbed']['mean_iou']:.4f}" in lines[5]
    assert len({len(line) for line in lines[1:]}) == 1


def test_a_perfect_pair_agrees_wholly_through_the_command(flags, tmp_path, capsys, monkeypatch):
    load = load_checkpoint

    def perfect(path, wanted=None):
        network, header = load(path, torch.nn.Module)
        if wanted is MaskVAE:
            return network, header
        return (PerfectParser() if wanted is Parser else PerfectGenerator()), header

    monkeypatch.setattr(protocols, "load_checkpoint", perfect)
    report, _ = run(flags("agreement"), tmp_path, capsys)
    for row in ("own", "another's", "perturbed"):
        assert {report["rows"][row][name] for name in ("accuracy", "mean_f1", "mean_iou")} == {1.0}
    assert report["rows"]["photos"]["accuracy"] < 1  # drawn faces do not show ids in grey


def test_agreement_renders_at_size(flags, tmp_path, capsys):
    report, lines = run([*flags("agreement"), "--size", "32"], tmp_path, capsys)
    assert report["size"] == 32
    assert "at 32 px" in lines[0]
    assert "parsed at 64 px" in lines[0]


@pytest.mark.parametrize("mirror", [False, True])
@pytest.mark.parametrize("size", [None, 64, 96])
def test_parsing(flags, faces, weights, tmp_path, capsys, mirror, size):
    given = (["--mirror"] if mirror else []) + (["--size", str(size)] if size else [])
    report, lines = run([*flags("parsing"), *given], tmp_path, capsys)
    assert (report["size"], report["parsed_at"], report["mirror"]) == (size or 64, 64, mirror)
    parser, _ = load_checkpoint(weights["parser"], Parser)
    wanted = parsing_figures(parser, held_out(faces).photos, held_out(faces, size or 64).labels, mirror=mirror)
    assert report["figures"] == wanted
    assert ("mirrored" in lines[0]) == mirror
    assert lines[1].split() == ["accuracy", "F1"]
    assert lines[2].split() == ["all", "classes", f"{wanted['accuracy']:.4f}", f"{wanted['mean_f1']:.4f}"]
    assert lines[5].split() == ["nose", "-", f"{wanted['f1_nose']:.4f}"]
    assert len(lines) == 3 + len(LABELS)


def test_masks(flags, faces, weights, tmp_path, capsys):
    report, lines = run(flags("masks"), tmp_path, capsys)
    vae, _ = load_checkpoint(weights["mask_vae"], MaskVAE)
    assert report["figures"] == protocols.masks_figures(vae, held_out(faces).labels)
    assert report["size"] == 64
    assert lines[1].split() == ["accuracy", "IoU"]
    assert lines[2].split()[-1] == f"{report['figures']['mean_iou']:.4f}"
    assert len(lines) == 3 + len(LABELS)


@pytest.mark.parametrize(("protocol", "columns"), [("parsing", 3), ("masks", 4)])
def test_grids(flags, tmp_path, protocol, columns):
    assert cli.main([*flags(protocol), "--grid", str(tmp_path / "grid.png"), "--rows", "2"]) == 0
    gap, side = 12, 160  # tiles under 160 px are enlarged, so that captions fit
    grid = np.asarray(Image.open(tmp_path / "grid.png").convert("RGB"))
    assert grid.shape[1] == gap + columns * (side + gap)
    assert grid.shape[0] > 2 * (gap + side)


@pytest.mark.parametrize(
    ("protocol", "flag", "kind"),
    [
        ("agreement", "--weights", "parser"),
        ("agreement", "--parser", "dmn"),
        ("agreement", "--vae", "parser"),
        ("parsing", "--weights", "dmn"),
        ("masks", "--weights", "parser"),
    ],
)
def test_a_wrong_kind_of_weight_file_is_named(flags, weights, capsys, protocol, flag, kind):
    assert cli.main([*flags(protocol), flag, str(weights[kind])]) == 1
    error = capsys.readouterr().err
    assert f"{kind}.safetensors holds a" in error
    assert "wanted a" in error
    assert len(error.splitlines()) == 1


def test_shipped_weights_are_the_default(faces, weights, monkeypatch, tmp_path, capsys):
    for name, path in weights.items():
        shutil.copy(path, tmp_path / f"{'context' if name == 'dmn' else name}.safetensors")
    monkeypatch.setattr(resources, "folder", lambda name: tmp_path)
    common = ["--data", str(faces), "--validation", "2"]
    for protocol in PROTOCOLS:
        assert cli.main([protocol, *common]) == 0
    capsys.readouterr()
    monkeypatch.setattr(resources, "folder", lambda name: tmp_path / "none")
    for protocol, missing in zip(PROTOCOLS, ("context", "parser", "mask_vae"), strict=True):
        assert cli.main([protocol, *common]) == 1
        assert f"{missing}.safetensors is missing" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("protocol", "given"),
    [
        ("agreement", "--size=40"),
        ("agreement", "--perceptual=vgg"),
        ("parsing", "--size=0"),
        ("parsing", "--rows=0"),
        ("masks", "--validation=6"),
        ("masks", "--grid=nowhere/a.png"),
        *((protocol, "--json=nowhere/a.json") for protocol in PROTOCOLS),
    ],
)
def test_failures_are_one_sentence(flags, capsys, protocol, given):
    assert cli.main([*flags(protocol), given]) == 1
    error = capsys.readouterr().err
    assert given.partition("=")[0] in error
    assert len(error.splitlines()) == 1


@pytest.mark.parametrize("wrong", [["agreement", "--grid=a.png"], ["masks", "--size=64"], ["parsing", "--vae=a"]])
def test_flags_of_other_protocols_are_wrong_usage(wrong):
    with pytest.raises(SystemExit) as caught:
        cli.main([*wrong, "--data=x"])
    assert caught.value.code == 2
