"""Photos from the device and from disk: the same batches either way."""

import json

import pytest
import torch

from maskedit.dataset import find_pairs, load_pairs
from maskedit.labels import NUM_LABELS
from maskedit.training import cli, source
from maskedit.training.run_folder import RunFolder
from maskedit.training.source import DeviceSource, DiskSource, make_source
from tests.folders import write_faces

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def faces(tmp_path_factory):
    return write_faces(tmp_path_factory.mktemp("data") / "faces", 8)


def order(step):
    return torch.tensor([step, (3 * step + 1) % 8])


@pytest.mark.parametrize("workers", [0, 2])
def test_disk_and_device_give_the_same_batches(faces, workers):
    paths = find_pairs(faces)
    device = DeviceSource(load_pairs(paths, 64, quiet=True))
    disk = DiskSource(paths, 64, CPU, workers=workers)
    assert len(device) == len(disk) == 8
    assert device.counts().equal(disk.counts())
    assert device.counts().shape == (8, NUM_LABELS)
    assert (device.counts().sum(dim=1) == 64 * 64).all()
    batches = list(disk.batches(order, 2, 6))
    assert len(batches) == 4
    for ours, theirs in zip(batches, device.batches(order, 2, 6), strict=True):
        assert all(a.equal(b) and a.dtype == torch.uint8 for a, b in zip(ours, theirs, strict=True))


def test_what_does_not_fit_stays_on_disk(faces, monkeypatch):
    def made(choice):
        return type(make_source(find_pairs(faces), 64, CPU, choice=choice, workers=0, quiet=True))

    assert made("auto") is made("device") is DeviceSource
    assert made("disk") is DiskSource
    monkeypatch.setattr(source, "_free_memory", lambda device: 8 * 4 * 64 * 64)
    assert made("auto") is DiskSource
    assert made("device") is DeviceSource


FLAGS = "--preset tiny --validation 2 --batch 2 --device cpu --precision float32 --threads 1 --validate-every 20"


def test_a_run_gives_the_same_weights_from_both(faces, tmp_path):
    for place in ("device", "disk"):
        given = ["parser", "--data", str(faces), *FLAGS.split(), "--steps", "20", "--accumulate", "2"]
        assert cli.main([*given, "--data-from", place, "--workers", "1", "--out", str(tmp_path / place)]) == 0
    ours, theirs = (RunFolder(tmp_path / place).load_state()["networks"]["parser"] for place in ("device", "disk"))
    assert all(value.equal(theirs[name]) for name, value in ours.items())
    row = json.loads((tmp_path / "disk" / "stats.jsonl").read_text().splitlines()[0])
    assert 0 < row["waited"] <= row["seconds"]


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
