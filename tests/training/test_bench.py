"""The benchmark through the command: figures that fit one another, and no claim about their size."""

import json
from dataclasses import asdict, replace

import pytest
import torch
import torch.nn.functional as F

from maskedit.data.pairs import Pairs
from maskedit.data.source import DeviceSource
from maskedit.labels import NUM_LABELS
from maskedit.models.layers import instance_norm
from maskedit.training import bench, cli
from maskedit.training.all import RECIPES
from maskedit.training.baseline import InstanceNormKernels, ReleasedLoop
from maskedit.training.bench import Job, Own, Row, jobs, matmul_tflops, measure, measure_others
from maskedit.training.config import BenchOptions, DmnOptions
from maskedit.training.dmn import DmnStage
from tests.folders import write_faces

pytestmark = pytest.mark.slow

QUICK = ["bench", "--preset", "tiny", "--seconds", "0.05", "--device", "cpu", "--threads", "1"]
CPU = torch.device("cpu")
STAGES = ["parser", "vae", "dmn", "ebst", "context"]


@pytest.fixture
def in_this_process(monkeypatch):
    """A fresh process imports torch for seconds; one test below starts real ones."""
    monkeypatch.setattr(bench, "_in_a_process", lambda function, job, options: function(job, options))


def check_row(row):
    assert row["images_per_second"] > 0
    assert 0 <= row["waiting"] <= 1
    assert row["peak_memory_mib"] > 0
    assert row["matmul_share"] == pytest.approx(row["tflops"] / row["matmul_tflops"])
    assert row["speedup"] == pytest.approx(row["images_per_second"] / row["before_images_per_second"])
    assert row["of_float32_loop"] == pytest.approx(row["images_per_second"] / row["baseline_images_per_second"])
    assert row["tflops"] > 0


def test_every_stage_is_measured(in_this_process, tmp_path, capsys):
    file = tmp_path / "bench.json"
    assert cli.main([*QUICK, "--batch", "2", "--json", str(file)]) == 0
    result = json.loads(file.read_text())
    assert [row["stage"] for row in result["rows"]] == STAGES
    for row in result["rows"]:
        assert (row["size"], row["batch"]) == (64, 2)
        check_row(row)
    assert result["options"]["preset"] == "tiny"
    assert result["recipe"] == []
    printed = capsys.readouterr().out.splitlines()
    assert printed[0].startswith(result["hardware"])
    assert [line.split()[0] for line in printed[1:]] == ["stage", *STAGES]
    assert any(f" {name}," in result["hardware"] for name in ("contiguous", "channels_last"))
    assert "speed-up" in printed[1]


def test_a_stage_runs_in_a_process_of_its_own_from_a_folder(tmp_path):
    faces, file = write_faces(tmp_path / "faces", 4), tmp_path / "bench.json"
    flags = ["--stages", "vae", "--batch", "2", "--data", str(faces), "--data-from", "disk", "--workers", "0"]
    assert cli.main([*QUICK, *flags, "--json", str(file)]) == 0
    (row,) = json.loads(file.read_text())["rows"]
    check_row(row)
    assert row["waiting"] > 0


def test_an_error_in_the_process_is_one_sentence(tmp_path, capsys):
    assert cli.main([*QUICK, "--stages", "dmn", "--data", str(tmp_path)]) == 1
    assert "has no folder images/" in capsys.readouterr().err


def test_what_comes_before_is_plain_rows_and_freed_memory_goes_back(monkeypatch):
    formats, kept = [], []
    trainer = bench._trainer

    def watched(job, options, run, folder, accelerator):
        made = trainer(job, options, run, folder, accelerator)
        formats.append(made.stage.memory_format)
        return made

    monkeypatch.setattr(bench, "_trainer", watched)
    monkeypatch.setattr(bench, "keep_freed_memory", lambda: kept.append(len(formats)))
    options = BenchOptions(preset="tiny", seconds=0.01, device="cpu", threads=1, memory_format="channels_last")
    own = measure(Job("dmn", 0, 2), options)
    before, plain = measure_others(Job("dmn", own.size, 2), options)
    assert min(before, plain, own.images_per_second) > 0
    assert formats == [torch.channels_last, torch.contiguous_format]
    assert kept == [0]  # before the first tensor of the stage's own process, and nowhere else


def test_a_column_without_figures_has_a_dash():
    own = Own("dmn", 64, 2, 10.0, 0.0, 100.0, 0.1, 0.2, 0.5)
    row = Row(
        **asdict(own), before_images_per_second=None, speedup=None, baseline_images_per_second=5.0, of_float32_loop=2.0
    )
    words = bench._line(row).split()
    assert words[-2:] == ["-", "2.00x"]
    assert bench._line(replace(row, before_images_per_second=4.0, speedup=2.5)).split()[-2:] == ["2.50x", "2.00x"]


def test_a_recipe_adds_up(in_this_process, tmp_path, capsys):
    file = tmp_path / "bench.json"
    assert cli.main([*QUICK, "--recipe", "--json", str(file)]) == 0
    result = json.loads(file.read_text())
    rows = {(row["stage"], row["size"], row["batch"]): row for row in result["rows"]}
    assert len(rows) == len(result["rows"])  # legs that are alike are measured once
    for stage in ("dmn", "context"):
        assert sum(leg["stage"] == stage for leg in result["recipe"]) == len(getattr(RECIPES["tiny"], stage))
    for leg in result["recipe"]:
        row = rows[leg["stage"], leg["size"], leg["batch"]]
        assert leg["hours"] == pytest.approx(leg["steps"] * leg["batch"] / row["images_per_second"] / 3600)
    total = sum(leg["hours"] for leg in result["recipe"])
    assert f"`maskedit-train all --preset tiny`: {total:.2f} hours in all" in capsys.readouterr().out


def test_jobs_have_the_stages_defaults():
    assert jobs(BenchOptions()) == [
        Job("parser", 0, 16),
        Job("vae", 0, 16),
        Job("dmn", 0, 8),
        Job("ebst", 0, 8),
        Job("context", 0, 8),
    ]
    assert jobs(BenchOptions(stages="dmn", size=128, batch=4)) == [Job("dmn", 128, 4)]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ("--stages dmn,gan", "--stages 'gan' is no stage"),
        ("--stages dmn,", "--stages '' is no stage"),
        ("--size 100", "--size 100 is not a multiple of 32"),
        ("--recipe --size 64", "--recipe has sizes and batches of its own"),
        ("--seconds 0", "--seconds 0.0 must be more than 0"),
        ("--batch -1", "--batch -1 must be 0 or more"),
        ("--accumulate 0", "--accumulate 0 must be at least 1"),
        ("--json nowhere/bench.json", "--json nowhere/bench.json cannot be written"),
        ("--device nonsense", "--device: The device 'nonsense' is unknown"),
    ],
)
def test_errors_name_the_flag(flags, message, capsys):
    assert cli.main(["bench", *flags.split()]) == 1
    assert message in capsys.readouterr().err


def test_usage_help_and_dry_run(capsys):
    with pytest.raises(SystemExit) as stopped:
        cli.main(["bench", "--preset", "huge"])
    assert stopped.value.code == 2
    with pytest.raises(SystemExit) as stopped:
        cli.main(["bench", "--help"])
    assert stopped.value.code == 0
    assert "maskedit-train bench --preset compact --recipe" in capsys.readouterr().out
    assert cli.main(["bench", "--stages", "vae", "--dry-run"]) == 0
    assert "Job(stage='vae', size=0, batch=16" in capsys.readouterr().out


def test_too_little_memory_says_what_to_do(in_this_process, monkeypatch, capsys):
    def full(*_):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(bench, "_timed", full)
    assert cli.main([*QUICK, "--stages", "dmn"]) == 1
    assert "not enough memory for dmn" in capsys.readouterr().err


def test_a_matrix_product_has_a_rate():
    assert matmul_tflops(torch.float32, CPU, repetitions=1) > 0


def test_the_released_kernels_compute_the_same_normalisation():
    x = torch.randn(2, 3, 8, 8)
    with InstanceNormKernels():
        released = instance_norm(x)
    torch.testing.assert_close(released, F.instance_norm(x))
    torch.testing.assert_close(released, instance_norm(x), rtol=1e-4, atol=1e-5)


def test_the_released_loop_leaves_the_gradients_of_our_stage():
    """The same networks and photos, in another order and other kernels."""
    options = DmnOptions(preset="tiny", batch=2, steps=10, precision="float32")
    photos = torch.randint(256, (2, 3, 64, 64), dtype=torch.uint8)
    labels = torch.randint(NUM_LABELS, (2, 64, 64), dtype=torch.uint8)
    loop = ReleasedLoop("dmn", options, DeviceSource(Pairs(photos, labels, ["0", "1"])), CPU)
    ours = DmnStage(options, CPU)
    for name, network in ours.networks.items():
        network.load_state_dict(loop.stage.networks[name].state_dict())
    floats = photos.float() / 127.5 - 1
    ours.backward(floats, labels, 1.0)
    with InstanceNormKernels():
        loop.stage.backward(floats, labels, 1.0)
    for name, network in ours.networks.items():
        for mine, theirs in zip(network.parameters(), loop.stage.networks[name].parameters(), strict=True):
            assert float((mine.grad - theirs.grad).norm()) <= 2e-2 * float(mine.grad.norm()) + 1e-4
    before = [parameter.detach().clone() for parameter in loop.stage.generator.parameters()]
    assert set(loop.step()) == {"discriminator", "total"}
    assert any((a != b).any() for a, b in zip(before, loop.stage.generator.parameters(), strict=True))
