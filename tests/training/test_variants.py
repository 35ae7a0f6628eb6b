"""Every generator variant through the real command, stage I and EBST."""

import json

import pytest
import torch

from maskedit.models.checkpoint import load_checkpoint, save_checkpoint
from maskedit.models.config import MASK_VAE_PRESETS, DmnConfig
from maskedit.models.mask_vae import MaskVAE
from maskedit.training import cli
from tests.folders import write_faces

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def common(tmp_path_factory):
    faces = write_faces(tmp_path_factory.mktemp("data") / "faces", 6)
    return (
        f"--data {faces} --preset tiny --validation 2 --batch 2 --device cpu --precision float32 --threads 1 "
        "--validate-every 10 --ema 0.9"
    ).split()


@pytest.fixture(scope="module")
def vae(tmp_path_factory):
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("vae") / "vae.safetensors"
    return save_checkpoint(path, MaskVAE(MASK_VAE_PRESETS["tiny"]), {})


@pytest.mark.parametrize("variant", DmnConfig.VARIANTS)
def test_stage_one_then_ebst(common, vae, variant, tmp_path):
    dmn, ebst = tmp_path / "dmn", tmp_path / "ebst"
    assert cli.main(["dmn", *common, "--variant", variant, "--steps", "4", "--out", str(dmn)]) == 0
    assert json.loads((dmn / "options.json").read_text())["variant"] == variant
    network, header = load_checkpoint(dmn / "latest.safetensors")
    assert network.config == DmnConfig(width=4, size=64, variant=variant)
    assert header.card["validation"]["psnr"] > 0
    # Resumed, and then the start of the next stage.
    assert cli.main(["dmn", *common, "--variant", variant, "--steps", "6", "--out", str(dmn)]) == 0
    flags = ["--init", str(dmn), "--vae", str(vae), "--variant", variant, "--steps", "2", "--out", str(ebst)]
    assert cli.main(["ebst", *common, *flags]) == 0
    network, header = load_checkpoint(ebst / "latest.safetensors")
    assert network.config.variant == variant
    assert header.card["initialised_from"]["steps"] == 6


def test_another_variant_is_not_gone_on_with(common, tmp_path, capsys):
    run = tmp_path / "run"
    assert cli.main(["dmn", *common, "--steps", "1", "--out", str(run)]) == 0
    assert cli.main(["dmn", *common, "--steps", "2", "--variant", "spade", "--out", str(run)]) == 1
    assert cli.main(["dmn", *common, "--steps", "2", "--variant", "spade", "--init", str(run)]) == 1
    assert capsys.readouterr().err.count("was made with other options") == 2


def test_an_unknown_variant_is_wrong_usage(common, capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main(["dmn", *common, "--variant", "spode"])
    assert caught.value.code == 2
    assert "pix2pixhd-m" in capsys.readouterr().err
