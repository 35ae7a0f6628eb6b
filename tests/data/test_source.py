"""Photos from the device and from disk: the same batches either way."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from maskedit.data import source
from maskedit.data.folder import find_pairs
from maskedit.data.pairs import load_pairs
from maskedit.data.source import DeviceSource, DiskSource, make_source
from maskedit.labels import NUM_LABELS
from maskedit.training import cli
from maskedit.training.run_folder import RunFolder
from tests.folders import write_faces

pytestmark = pytest.mark.slow

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def faces(tmp_path_factory):
    return write_faces(tmp_path_factory.mktemp("data") / "faces", 8)


def order(step):
    return torch.tensor([step, (3 * step + 1) % 8])


@pytest.mark.filterwarnings("ignore:This DataLoader will create")  # on one core
@pytest.mark.parametrize("workers", [0, 2])
def test_disk_and_device_give_the_same_batches(faces, workers):
    paths = find_pairs(faces)
    device = DeviceSource(load_pairs(paths, 64, quiet=True))
    disk = DiskSource(paths, 64, CPU, workers=workers)
    assert len(device) == len(disk) == 8
    assert device.counts().equal(disk.counts())
    half = [DeviceSource(load_pairs(paths, 32, quiet=True)), DiskSource(paths, 32, CPU, workers=0)]
    assert half[0].counts().equal(half[1].counts())
    assert device.counts().shape == (8, NUM_LABELS)
    assert (device.counts().sum(dim=1) == 64 * 64).all()
    batches = list(disk.batches(order, 2, 6))
    assert len(batches) == 4
    for ours, theirs in zip(batches, device.batches(order, 2, 6), strict=True):
        assert all(a.equal(b) and a.dtype == torch.uint8 for a, b in zip(ours, theirs, strict=True))


def test_a_process_ends_though_its_workers_are_still_reading(faces, tmp_path):
    script = tmp_path / "reads.py"
    script.write_text(
        "import torch\n"
        "from maskedit.data.folder import find_pairs\n"
        "from maskedit.data.source import DiskSource\n"
        "if __name__ == '__main__':\n"
        f"    source = DiskSource(find_pairs({str(faces)!r}), 64, torch.device('cpu'), workers=1)\n"
        "    batches = source.batches(lambda step: torch.tensor([0]), 0, 1000)\n"
        "    next(batches)\n"
        "    import builtins\n"
        "    builtins.kept = batches\n"  # outlives whatever would close it
        "    print('read', flush=True)\n"
    )
    run = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=200)
    assert run.stdout == "read\n"


def test_what_does_not_fit_stays_on_disk(faces, monkeypatch):
    def made(choice):
        return type(make_source(find_pairs(faces), 64, CPU, choice=choice, workers=0, quiet=True))

    assert made("auto") is made("device") is DeviceSource
    assert made("disk") is DiskSource
    monkeypatch.setattr(source, "_free_memory", lambda device: 8 * 4 * 64 * 64)
    assert made("auto") is DiskSource
    assert made("device") is DeviceSource


KEPT = {"parser": "parser", "vae": "mask_vae"}
FLAGS = "--preset tiny --validation 2 --batch 2 --device cpu --precision float32 --threads 1 --validate-every 20"


@pytest.mark.parametrize("stage", ["parser", "vae"])
def test_a_run_gives_the_same_weights_from_both(faces, tmp_path, stage):
    given = [stage, "--data", str(faces), *FLAGS.split(), "--size", "32", "--steps", "20", "--accumulate", "2"]
    disk = [*given, "--data-from", "disk", "--workers", "1", "--out", str(tmp_path / "disk")]
    assert cli.main([*given, "--data-from", "device", "--out", str(tmp_path / "device")]) == 0
    assert cli.main([*disk, "--minutes", "0.000001"]) == 0  # one step, and then the rest
    assert RunFolder(tmp_path / "disk").step == 1
    assert cli.main(disk) == 0
    ours, theirs = (RunFolder(tmp_path / place).load_state() for place in ("device", "disk"))
    for networks in ("networks", "average"):
        states = [
            state[networks] if networks == "average" else state[networks][KEPT[stage]] for state in (ours, theirs)
        ]
        assert all(value.equal(states[1][name]) for name, value in states[0].items())
    row = json.loads((tmp_path / "disk" / "stats.jsonl").read_text().splitlines()[-2])
    assert 0 < row["waited"] <= row["seconds"]


def test_a_signal_to_the_whole_group_saves(faces, tmp_path):
    run = tmp_path / "run"
    command = [sys.executable, "-m", "maskedit.training.cli", "vae", "--data", str(faces), *FLAGS.split()]
    command += ["--steps", "100000", "--data-from", "disk", "--workers", "1", "--out", str(run)]
    environment = {**os.environ, "PYTHONPATH": str(Path(cli.__file__).parents[2]), "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        [*command, "--checkpoint-minutes", "0.000001"], env=environment, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        deadline = time.monotonic() + 120
        while not RunFolder(run).states:
            assert process.poll() is None, process.stderr.read()
            assert time.monotonic() < deadline, "no checkpoint came"
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGTERM)
        _, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    assert "Traceback" not in errors
    assert 0 < RunFolder(run).step < 100000


@pytest.mark.parametrize("workers", [0, 1])
def test_a_broken_photo_is_one_sentence_and_the_run_can_go_on(tmp_path, capsys, workers):
    folder = write_faces(tmp_path / "faces", 8)
    broken = sorted((folder / "images").iterdir())[3]
    whole = broken.read_bytes()
    broken.write_bytes(whole[:40])
    run = tmp_path / "run"
    given = ["vae", "--data", str(folder), *FLAGS.split(), "--steps", "6", "--data-from", "disk"]
    given += ["--workers", str(workers), "--checkpoint-minutes", "0.000001", "--out", str(run)]
    assert cli.main(given) == 1
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("maskedit-train: ")
    assert broken.name in error
    assert "Traceback" not in error
    broken.write_bytes(whole)
    assert cli.main(given) == 0
    assert RunFolder(run).load_state()["progress"]["step"] == 6


def test_tensorboard_has_losses_figures_and_samples(faces, tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    run = tmp_path / "run"
    given = ["vae", "--data", str(faces), *FLAGS.split(), "--out", str(run)]
    assert cli.main([*given, "--steps", "20"]) == 0
    assert cli.main([*given, "--steps", "40"]) == 0
    events = EventAccumulator(str(run), size_guidance={"images": 0})
    events.Reload()
    tags = events.Tags()
    assert {"training/cross_entropy", "training/total", "validation/accuracy"} <= set(tags["scalars"])
    assert [event.step for event in events.Scalars("training/total")] == [20, 40]
    assert [event.step for event in events.Images("samples")] == [20, 40]
