"""Stage I through the real command, on a dozen drawn faces."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from maskedit.models.checkpoint import load_checkpoint, read_header, save_checkpoint
from maskedit.models.config import DmnConfig
from maskedit.models.dense_mapping import DenseMappingNetwork
from maskedit.training import cli
from maskedit.training.run_folder import RunFolder
from tests.folders import write_faces
from tests.squeezenet import write_squeezenet

pytestmark = pytest.mark.slow

STEPS = 24
EVERY_STEP = "0.000001"


@pytest.fixture(scope="module")
def faces(tmp_path_factory):
    return write_faces(tmp_path_factory.mktemp("data") / "faces", 12)


@pytest.fixture(scope="module")
def flags(faces):
    """All that runs have in common; later flags win."""
    given = "--preset tiny --perceptual none --validation 3 --batch 2 --validate-every 10 --device cpu"
    return ["dmn", "--data", str(faces), *given.split(), "--precision", "float32", "--threads", "1"]


@pytest.fixture(scope="module")
def finished(flags, tmp_path_factory):
    """A run that nothing interrupted."""
    run = tmp_path_factory.mktemp("runs") / "finished"
    assert cli.main([*flags, "--steps", str(STEPS), "--out", str(run)]) == 0
    return run


def read_state(run):
    return RunFolder(run).load_state()


def tensors(value, name=""):
    """Every tensor and number of a nested state, by its path."""
    if isinstance(value, dict):
        return {k: v for key, entry in value.items() for k, v in tensors(entry, f"{name}/{key}").items()}
    if isinstance(value, (list, tuple)):
        return tensors(dict(enumerate(value)), name)
    return {name: value}


def start(arguments):
    """The command as a process of its own, with its output in files."""
    root = Path(cli.__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "maskedit.training.cli", *arguments]
    return subprocess.Popen(
        command, cwd=root, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )


def wait_for_checkpoints(process, run, count):
    """Until ``count`` checkpoints were seen."""
    seen, deadline = set(), time.monotonic() + 60
    while len(seen) < count:
        assert process.poll() is None, "the run ended too early"
        assert time.monotonic() < deadline, "no checkpoint came"
        seen.update(path.name for path in RunFolder(run).states)
        time.sleep(0.005)


def test_what_a_run_leaves(finished, flags):
    options = json.loads((finished / "options.json").read_text())
    assert options["preset"] == "tiny"
    assert options["steps"] == STEPS
    rows = [json.loads(line) for line in (finished / "stats.jsonl").read_text().splitlines()]
    losses = [row for row in rows if "total" in row]
    assert [row["step"] for row in losses] == [20]
    assert set(losses[0]) == {"step", "seconds", "waited", "adversarial", "features", "l1", "discriminator", "total"}
    validations = [row for row in rows if "validation" in row]
    assert [row["step"] for row in validations] == [10, 20, 24]
    assert all(0 < row["validation"]["psnr"] < 40 for row in validations)
    grid = np.asarray(Image.open(finished / "samples" / "0000024.png"))
    assert grid.shape[0] > 3 * 160
    assert grid.shape[1] == 12 + 5 * (160 + 12)
    assert grid.std() > 10


def test_checkpoints_load_and_carry_their_card(finished, faces):
    for name in ("latest.safetensors", "best.safetensors"):
        network, header = load_checkpoint(finished / name)
        assert network.config == header.config == DmnConfig(width=4, size=64)
    card = read_header(finished / "latest.safetensors").card
    assert card["steps"] == STEPS
    assert card["images"] == 2 * STEPS
    assert 0 < card["validation"]["psnr"] < 40
    assert "--data faces" in card["command"]
    assert str(faces.parent) not in json.dumps(card)


def test_what_is_kept_is_the_average(finished):
    average = read_state(finished)["average"]
    kept = load_checkpoint(finished / "latest.safetensors")[0].state_dict()
    assert all(kept[name].equal(value.half().float()) for name, value in average.items())


def test_a_finished_run_does_nothing_more(finished, flags):
    before = read_state(finished)
    card = read_header(finished / "latest.safetensors").card
    assert cli.main([*flags, "--steps", str(STEPS), "--out", str(finished)]) == 0
    after = read_state(finished)
    assert all(
        after["networks"]["generator"][name].equal(value) for name, value in before["networks"]["generator"].items()
    )
    assert read_header(finished / "latest.safetensors").card["validation"] == card["validation"]


def test_a_killed_run_resumes_bit_for_bit(finished, flags, tmp_path):
    run = tmp_path / "killed"
    arguments = [*flags, "--steps", str(STEPS), "--checkpoint-minutes", EVERY_STEP, "--out", str(run)]
    with start(arguments) as process:
        wait_for_checkpoints(process, run, 3)
        process.kill()
    assert process.returncode == -signal.SIGKILL
    assert 0 < read_state(run)["progress"]["step"] < STEPS
    assert cli.main(arguments) == 0
    ours, theirs = tensors(read_state(run)), tensors(read_state(finished))
    assert ours.keys() == theirs.keys()
    assert ours["/progress/step"] == STEPS
    compared = 0
    for name, value in theirs.items():
        if isinstance(value, torch.Tensor):
            assert value.equal(ours[name]), name
            compared += value.is_floating_point()
    assert compared > 300
    kept, wanted = (load_checkpoint(folder / "latest.safetensors")[0].state_dict() for folder in (run, finished))
    assert all(kept[name].equal(value) for name, value in wanted.items())


def test_sigterm_saves_and_exits_with_0(flags, tmp_path):
    run = tmp_path / "stopped"
    arguments = [*flags, "--steps", "100000", "--checkpoint-minutes", EVERY_STEP, "--out", str(run)]
    with start(arguments) as process:
        wait_for_checkpoints(process, run, 1)
        process.terminate()
        output, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "latest.safetensors" in output
    step = read_state(run)["progress"]["step"]
    assert read_header(run / "latest.safetensors").card["steps"] == step
    assert 0 < step < 100000


def test_minutes_stop_a_run_that_can_go_on(flags, tmp_path):
    run = tmp_path / "short"
    for steps in (1, 2):
        assert cli.main([*flags, "--minutes", "0.000001", "--out", str(run)]) == 0
        assert read_state(run)["progress"]["step"] == steps


def test_a_later_size_starts_from_the_average_of_an_earlier_one(finished, flags, faces, tmp_path):
    run = tmp_path / "larger"
    given = [*flags, "--size", "96", "--steps", "1", "--out", str(run)]
    assert cli.main([*given, "--init", str(finished), "--rate", "1e-12"]) == 0
    network, header = load_checkpoint(run / "latest.safetensors")
    assert header.config.size == 96
    for name, value in load_checkpoint(finished / "latest.safetensors")[0].state_dict().items():
        assert torch.allclose(network.state_dict()[name], value, atol=1e-3)
    assert header.card["initialised_from"]["steps"] == STEPS
    assert str(finished.parent) not in json.dumps(header.card)
    assert str(faces.parent) not in json.dumps(header.card)


def test_init_from_weights(finished, flags, tmp_path, capsys):
    weights, run = finished / "best.safetensors", tmp_path / "run"
    assert cli.main([*flags, "--steps", "1", "--init", str(weights), "--out", str(run)]) == 0
    assert read_header(run / "latest.safetensors").card["initialised_from"]["stage"] == "dmn"
    wide = save_checkpoint(tmp_path / "wide.safetensors", DenseMappingNetwork(DmnConfig(width=8, size=64)), {})
    assert cli.main([*flags, "--init", str(wide), "--out", str(tmp_path / "none")]) == 1
    assert "--preset" in capsys.readouterr().err


def test_perceptual_log_and_plain_batches(flags, tmp_path):
    squeezenet = write_squeezenet(tmp_path / "squeezenet.npz")
    run = tmp_path / "run"
    given = ["--adversarial", "log", "--l1-weight", "5", "--no-augment", "--precision", "bfloat16", "--steps", "20"]
    assert cli.main([*flags, *given, "--perceptual", f"squeezenet:{squeezenet}", "--out", str(run)]) == 0
    rows = [json.loads(line) for line in (run / "stats.jsonl").read_text().splitlines()]
    assert [row["perceptual"] > 0 for row in rows if "total" in row] == [True]
    assert rows[-1]["validation"]["perceptual"] > 0
    assert "squeezenet:squeezenet.npz" in read_header(run / "latest.safetensors").card["command"]


def test_what_is_not_finite_never_replaces_a_checkpoint(flags, tmp_path, capsys):
    run = tmp_path / "run"
    given = [*flags, "--steps", "40", "--checkpoint-minutes", EVERY_STEP, "--out", str(run)]
    assert cli.main([*given, "--minutes", "0.000001"]) == 0
    before = {path.name: path.read_bytes() for path in RunFolder(run).states}
    assert cli.main([*given, "--rate", "1e30"]) == 1
    assert "not finite" in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in RunFolder(run).states} == before


def test_run_folders_are_numbered(flags, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        assert cli.main([*flags, "--steps", "1"]) == 0
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == ["00000-dmn", "00001-dmn"]


@pytest.mark.parametrize(
    ("given", "flag"),
    [
        ("--data=", "--data"),
        ("--data=nowhere", "--data"),
        ("--size=48", "--size"),
        ("--size=-32", "--size"),
        ("--batch=0", "--batch"),
        ("--steps=0", "--steps"),
        ("--validate-every=0", "--validate-every"),
        ("--validation=12", "--validation"),
        ("--validation=0", "--validation"),
        ("--ema=1", "--ema"),
        ("--decay-from=2", "--decay-from"),
        ("--rate=0", "--rate"),
        ("--threads=-1", "--threads"),
        ("--minutes=-1", "--minutes"),
        ("--discriminator-width=-1", "--discriminator-width"),
        ("--perceptual=squeezenet", "--perceptual"),
        ("--perceptual=squeezenet:nowhere.npz", "--perceptual"),
        ("--device=quantum", "--device"),
        ("--init=nowhere.safetensors", "nowhere"),
    ],
)
def test_what_no_run_can_use_is_one_sentence(flags, tmp_path, capsys, given, flag):
    run = tmp_path / "run"
    assert cli.main([*flags, "--out", str(run), given]) == 1
    error = capsys.readouterr().err
    assert error.startswith("maskedit-train: ")
    assert flag in error
    assert len(error.splitlines()) == 1
    assert not run.exists()


def test_out_that_is_a_file(flags, tmp_path, capsys):
    (tmp_path / "file").write_text("mine")
    assert cli.main([*flags, "--out", str(tmp_path / "file")]) == 1
    assert "--out" in capsys.readouterr().err


def test_resuming_with_another_network_leaves_the_run_as_it_was(finished, flags, capsys):
    before = (finished / "options.json").read_bytes()
    assert cli.main([*flags, "--preset", "small", "--out", str(finished)]) == 1
    assert "--preset" in capsys.readouterr().err
    assert (finished / "options.json").read_bytes() == before


def test_a_damaged_state_is_named(flags, tmp_path, capsys):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "state-0000003.pt").write_bytes(b"damaged")
    assert cli.main([*flags, "--out", str(tmp_path / "run")]) == 1
    assert "state-0000003.pt could not be read" in capsys.readouterr().err


@pytest.mark.parametrize("wrong", [[], ["gan"], ["dmn", "--preset", "huge"], ["dmn", "--batch", "two"], ["dmn", "--x"]])
def test_wrong_usage(wrong):
    with pytest.raises(SystemExit) as caught:
        cli.main(wrong)
    assert caught.value.code == 2


@pytest.mark.parametrize("given", [["--help"], ["dmn", "--help"]])
def test_help(given, capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main(given)
    assert caught.value.code == 0
    assert "maskedit-train" in capsys.readouterr().out


def test_dry_run_makes_nothing(flags, tmp_path, capsys):
    given = ["--preset", "paper", "--out", str(tmp_path / "run"), "--dry-run"]
    assert cli.main([*flags, *given]) == 0
    printed = capsys.readouterr().out
    assert "generator: 89,702,595 parameters" in printed
    assert "discriminator: 5,568,386 parameters" in printed
    assert "preset = paper" in printed
    assert not (tmp_path / "run").exists()
