"""Every stage through the command: it runs, it learns, it leaves a checkpoint that loads, and it resumes."""

import json
import os
import signal

import pytest
import torch

from maskedit import Renderer
from maskedit.data.source import DeviceSource
from maskedit.labels import NUM_LABELS
from maskedit.measures.segmentation import confusion_figures
from maskedit.models.checkpoint import load_checkpoint
from maskedit.models.mask_vae import MaskVAE
from maskedit.models.parser import Parser
from maskedit.training import cli
from maskedit.training.config import EbstOptions, ParserOptions
from maskedit.training.ebst import EbstStage
from maskedit.training.losses import dice_loss
from maskedit.training.parser import ParserStage
from maskedit.training.run_folder import RunFolder
from tests.folders import write_faces

pytestmark = pytest.mark.slow

STEPS = 60


@pytest.fixture(scope="module")
def faces(tmp_path_factory):
    return write_faces(tmp_path_factory.mktemp("data") / "faces", 10)


@pytest.fixture(scope="module")
def common(faces):
    return (
        f"--data {faces} --preset tiny --validation 2 --batch 4 --device cpu --precision float32 --threads 1 "
        f"--validate-every {STEPS // 2} --ema 0.9"
    ).split()


def stats(run):
    rows = [json.loads(line) for line in (run / "stats.jsonl").read_text().splitlines()]
    return [row for row in rows if "validation" not in row], [row["validation"] for row in rows if "validation" in row]


@pytest.fixture(scope="module")
def vae(common, tmp_path_factory):
    run = tmp_path_factory.mktemp("runs") / "vae"
    assert cli.main(["vae", *common, "--steps", str(STEPS), "--rate", "0.002", "--out", str(run)]) == 0
    return run


@pytest.fixture(scope="module")
def dmn(common, tmp_path_factory):
    run = tmp_path_factory.mktemp("runs") / "dmn"
    assert cli.main(["dmn", *common, "--steps", "20", "--out", str(run)]) == 0
    return run


def test_the_parser_learns(common, tmp_path):
    run = tmp_path / "parser"
    flags = ["parser", *common, "--steps", str(STEPS), "--rate", "0.005", "--out", str(run)]
    assert cli.main(flags) == 0
    losses, figures = stats(run)
    assert losses[-1]["cross_entropy"] < 0.85 * losses[0]["cross_entropy"]
    assert figures[-1]["accuracy"] > 0.5
    assert 0 < figures[-1]["mean_f1"] < 1
    assert sum(name.startswith("f1_") for name in figures[-1]) == NUM_LABELS
    network, header = load_checkpoint(run / "latest.safetensors", Parser)
    assert header.network == "parser"
    assert header.card["validation"]["mean_f1"] == figures[-1]["mean_f1"]
    assert network(torch.zeros(1, 3, 64, 64)).shape == (1, NUM_LABELS, 64, 64)
    assert len(list((run / "samples").iterdir())) == 2
    assert cli.main(["parser", *common, "--steps", str(STEPS + 2), "--rate", "0.005", "--out", str(run)]) == 0
    assert load_checkpoint(run / "latest.safetensors", Parser)[1].card["steps"] == STEPS + 2


def test_every_stage_starts_from_a_checkpoint_of_its_own_kind(common, vae, tmp_path, capsys):
    again = [
        "--init",
        str(vae / "latest.safetensors"),
        "--steps",
        "1",
        "--rate",
        "1e-9",
        "--out",
        str(tmp_path / "run"),
    ]
    assert cli.main(["vae", *common, *again]) == 0
    before, after = (load_checkpoint(run / "latest.safetensors", MaskVAE)[0] for run in (vae, tmp_path / "run"))
    for ours, theirs in zip(after.parameters(), before.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-3, rtol=1e-2)
    assert cli.main(["parser", *common, *again[:-1], str(tmp_path / "other")]) == 1
    assert "holds a MaskVAE, wanted a face parser" in capsys.readouterr().err


def test_the_mask_vae_learns(vae):
    losses, figures = stats(vae)
    assert losses[-1]["cross_entropy"] < 0.8 * losses[0]["cross_entropy"]
    assert figures[-1]["accuracy"] > 0.4
    network, header = load_checkpoint(vae / "latest.safetensors", MaskVAE)
    assert header.network == "mask_vae"
    assert network.config.size == 64


def test_ebst_goes_on_from_a_trained_dmn(common, dmn, vae, tmp_path):
    run = tmp_path / "ebst"
    weights = str(vae / "latest.safetensors")
    flags = ["ebst", *common, "--steps", "20", "--init", str(dmn), "--vae", weights, "--out", str(run)]
    assert cli.main(flags) == 0
    losses, figures = stats(run)
    assert {"l1", "blend_l1", "discriminator", "blend_discriminator"} <= set(losses[-1])
    assert figures[-1]["psnr"] > 0
    network, header = load_checkpoint(run / "latest.safetensors")
    assert header.network == "dmn"
    assert header.card["stage"] == "ebst"
    assert header.card["initialised_from"]["stage"] == "dmn"
    before = load_checkpoint(dmn / "latest.safetensors")[0].state_dict()
    assert any((value != before[name]).any() for name, value in network.state_dict().items())


def test_ebst_moves_all_three_networks_and_never_the_vae(faces, dmn, vae):
    weights = str(vae / "latest.safetensors")
    options = EbstOptions(data=str(faces), preset="tiny", init=str(dmn), vae=weights, precision="float32")
    stage = EbstStage(options, torch.device("cpu"))
    photos, ids = torch.rand(2, 3, 64, 64) * 2 - 1, torch.randint(0, NUM_LABELS, (2, 64, 64)).to(torch.uint8)
    assert [phase.optimisers for phase in stage.phases] == [
        ("discriminator", "generator"),
        ("discriminator", "generator", "blender"),
    ]
    stage.phases[1].backward(photos, ids, 1.0)
    for network in stage.networks.values():
        assert any(p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters())
    assert all(p.grad is None for p in stage.vae.parameters())
    inner, outer = stage.perturbed(ids)
    assert inner.shape == outer.shape == ids.shape
    assert inner.dtype == torch.uint8
    assert int(inner.max()) < NUM_LABELS


@pytest.mark.parametrize("missing", ["--vae", "--init"])
def test_ebst_names_what_it_needs(common, vae, dmn, missing, tmp_path, capsys):
    given = {"--vae": str(vae / "latest.safetensors"), "--init": str(dmn)}
    del given[missing]
    flags = [word for pair in given.items() for word in pair]
    assert cli.main(["ebst", *common, *flags, "--out", str(tmp_path / "run")]) == 1
    assert f"{missing} is missing" in capsys.readouterr().err


def test_ebst_refuses_another_stages_run(common, vae, tmp_path, capsys):
    flags = ["--vae", str(vae / "latest.safetensors"), "--init", str(vae), "--out", str(tmp_path / "run")]
    assert cli.main(["ebst", *common, *flags]) == 1
    assert "holds no generator and discriminator" in capsys.readouterr().err
    flags[1] = str(RunFolder(vae).states[0])
    assert cli.main(["ebst", *common, *flags]) == 1
    assert "not a safetensors file" in capsys.readouterr().err


@pytest.mark.parametrize("stage", ["parser", "vae", "dmn"])
def test_dry_run_prints_the_networks_sizes(stage, capsys):
    assert cli.main([stage, "--data", "x", "--preset", "paper", "--dry-run"]) == 0
    printed = capsys.readouterr().out
    expected = {"parser": "1,944,355", "vae": "170,619,571", "dmn": "89,702,595"}[stage]
    assert f"{expected} parameters" in printed
    assert "preset = paper" in printed


def test_rare_classes_weigh_more(faces):
    from maskedit.data.folder import find_pairs
    from maskedit.data.pairs import load_pairs

    stage = ParserStage(ParserOptions(data=str(faces), preset="tiny"), torch.device("cpu"))
    pairs = load_pairs(find_pairs(faces)[:4], 64, quiet=True)
    source = DeviceSource(pairs)
    repeats = stage.prepare(source)
    assert repeats.shape == (4,)
    assert repeats.min() >= 1
    counts = source.counts().sum(dim=0)
    assert stage.weights[counts.argmax()] == stage.weights.min()
    share = counts / counts.sum()
    assert float((stage.weights * share).sum()) == pytest.approx(1.0, abs=0.02)


def test_figures_of_a_confusion_known_by_hand():
    confusion = torch.zeros(NUM_LABELS, NUM_LABELS, dtype=torch.long)
    confusion[0, 0], confusion[0, 1], confusion[1, 1] = 6, 2, 4
    figures = confusion_figures(confusion)
    assert figures["f1_background"] == pytest.approx(12 / 14)
    assert figures["f1_skin"] == pytest.approx(8 / 10)
    assert figures["f1_nose"] == 1.0
    assert figures["accuracy"] == pytest.approx(10 / 12)
    assert figures["mean_f1"] == pytest.approx((12 / 14 + 0.8 + 17) / 19)


def test_dice_is_zero_for_the_truth_and_one_for_its_opposite():
    targets = torch.randint(0, 3, (2, 8, 8))
    right = torch.nn.functional.one_hot(targets, 3).permute(0, 3, 1, 2).float() * 60 - 30
    assert float(dice_loss(right, targets)) == pytest.approx(0, abs=1e-4)
    assert float(dice_loss(right.roll(1, dims=1), targets)) > 0.9


def test_all_stages_in_order_and_again(faces, tmp_path, capsys):
    out = tmp_path / "all"
    flags = f"all --data {faces} --out {out} --preset tiny --share 0.02 --validation 2 --device cpu --threads 1".split()
    assert cli.main(flags) == 0
    assert sorted(path.name for path in out.iterdir()) == [
        "1-parser-1-64",
        "2-vae",
        "3-dmn-1-64",
        "3-dmn-2-64",
        "4-ebst",
        "5-context-1-64",
    ]
    last = out / "5-context-1-64"
    network, header = load_checkpoint(last / "latest.safetensors")
    assert header.network == "dmn"
    assert header.config.variant == "maskgan-context"
    assert header.card["initialised_from"]["stage"] == "ebst"
    assert header.card["initialised_from"]["initialised_from"]["initialised_from"]["stage"] == "dmn"
    assert Renderer(last / "latest.safetensors", device="cpu").size == 64
    before = {path.name for path in out.iterdir()}
    for leg in ("4-ebst", last.name):
        for state in RunFolder(out / leg).states:
            state.unlink()  # cut off before its first checkpoint
    assert cli.main(flags) == 0
    again, _ = load_checkpoint(last / "latest.safetensors")
    assert all(value.equal(network.state_dict()[name]) for name, value in again.state_dict().items())
    assert str(last) in capsys.readouterr().out
    assert before == {path.name for path in out.iterdir()}


def test_all_stops_when_its_time_is_up(faces, tmp_path, capsys):
    out = tmp_path / "all"
    flags = f"all --data {faces} --out {out} --preset tiny --share 0.02 --validation 2 --device cpu --threads 1".split()
    for stopped_at in ("step 1 of 3", "step 2 of 3"):
        assert cli.main([*flags, "--minutes", "0.000001"]) == 0
        printed = capsys.readouterr()
        assert f"{stopped_at}, leg 1 of 6" in printed.out
        assert "the same command goes on" in printed.out
    assert [path.name for path in out.iterdir()] == ["1-parser-1-64"]


def test_all_does_not_take_a_rehearsal_for_the_run(faces, tmp_path, capsys):
    flags = f"all --data {faces} --out {tmp_path / 'all'} --preset tiny --validation 2 --device cpu --threads 1".split()
    assert cli.main([*flags, "--share", "0.02", "--minutes", "0.000001"]) == 0
    assert cli.main([*flags, "--share", "0.04", "--minutes", "0.000001"]) == 1
    error = capsys.readouterr().err
    assert "was begun with steps 3, and now it is 6: keep --share as it was" in error
    assert RunFolder(tmp_path / "all" / "1-parser-1-64").step == 1


@pytest.mark.parametrize("wrong", ["--perceptual=vgg", "--l1-weight=-1", "--minutes=-1", "--accumulate=0"])
def test_all_tells_of_wrong_flags_before_the_first_leg(faces, tmp_path, capsys, wrong):
    out = tmp_path / "all"
    assert cli.main(["all", "--data", str(faces), "--out", str(out), "--preset", "tiny", wrong]) == 1
    assert wrong.partition("=")[0] in capsys.readouterr().err
    assert not out.exists()


def test_all_stops_between_legs_when_asked_during_the_last_step(faces, tmp_path, capsys, monkeypatch):
    out = tmp_path / "all"
    flags = f"all --data {faces} --out {out} --preset tiny --share 0.02 --validation 2 --device cpu --threads 1".split()
    validate = ParserStage.validate

    def interrupted(self, network, pairs):
        os.kill(os.getpid(), signal.SIGTERM)
        return validate(self, network, pairs)

    monkeypatch.setattr(ParserStage, "validate", interrupted)
    assert cli.main(flags) == 0
    assert "step 3 of 3, leg 1 of 6" in capsys.readouterr().out
    assert [path.name for path in out.iterdir()] == ["1-parser-1-64"]


def test_ebst_needs_two_photos_at_once(common, dmn, vae, tmp_path, capsys):
    flags = ["--init", str(dmn), "--vae", str(vae / "latest.safetensors"), "--accumulate", "4"]
    assert cli.main(["ebst", *common, *flags, "--out", str(tmp_path / "run")]) == 1
    assert "--batch 4 gives a process 1 photo at a time, and ebst needs 2" in capsys.readouterr().err


def test_all_needs_a_folder_and_shows_its_recipe(faces, capsys):
    assert cli.main(["all", "--data", str(faces)]) == 1
    assert "--out is missing" in capsys.readouterr().err
    assert cli.main(["all", "--data", str(faces), "--out", "x", "--preset", "paper", "--dry-run"]) == 0
    assert "Leg(size=512, batch=8, steps=400000, " in capsys.readouterr().out
