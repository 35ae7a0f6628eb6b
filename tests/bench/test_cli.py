"""The command: figures that fit one another, and no claim about their size."""

import json
import os
from dataclasses import fields
from importlib.util import find_spec
from itertools import islice

import numpy as np
import pytest
import torch

from maskedit.bench import cli, memory, renders, stroke
from maskedit.bench.renders import edits, measure_renders, released_graph, scene
from maskedit.bench.report import HEADER, Job, Row, in_a_process, line, memory_line, stroke_line
from maskedit.errors import UserError
from maskedit.labels import BACKGROUND
from maskedit.models.checkpoint import save_checkpoint
from maskedit.models.config import PRESETS, DmnConfig
from maskedit.models.context import ContextNetwork
from maskedit.models.dense_mapping import DenseMappingNetwork
from maskedit.models.device import choose_precision
from maskedit.models.tensors import one_hot, photo_to_tensor, tensor_to_photo

QUICK = ["--seconds", "0.01", "--device", "cpu", "--threads", "1", "--edits", "16,32,256", "--no-memory"]


@pytest.fixture
def weights(tmp_path):
    torch.manual_seed(1)
    return save_checkpoint(tmp_path / "mine.safetensors", DenseMappingNetwork(PRESETS["tiny"]), {})


@pytest.fixture
def in_this_process(monkeypatch):
    """A fresh process imports torch for seconds; one test below starts real ones."""
    monkeypatch.setattr(cli, "in_a_process", lambda work, job: work(job))


def check_render_rows(rows, *, preset, box_errors):
    engines = [row["engine"] for row in rows if row["work"] == "engine"]
    expected = ["CPU bfloat16", "CPU OpenVINO bfloat16", "CPU OpenVINO int8"]
    assert len(engines) == len(set(engines)) >= 1
    if find_spec("openvino") and choose_precision("auto", torch.device("cpu")) == torch.bfloat16:
        assert engines == [f"{name}, 64 px" for name in expected]
    rows = rows[: len(rows) - len(engines)]
    baseline, *others = rows
    assert (baseline["work"], baseline["ratio"], baseline["mode"]) == ("baseline", 1.0, "full")
    assert [(row["work"], row["edit_px"], row["mode"]) for row in others] == [
        ("style code", None, None),
        ("first render", None, "full"),
        ("edit", 16, "full"),
        ("edit", 32, "full"),
        ("edit", 16, "quick"),
        ("edit", 32, "quick"),
    ]
    for row in rows:
        assert list(row) == [field.name for field in fields(Row)]
        assert (row["device"], row["preset"], row["size"]) == ("cpu", preset, 64)
        assert row["count"] >= 3
    for row in others:
        assert row["peak_memory_mib"] > 0
        assert row["seconds"] > 0 or row["work"] == "style code"
        if row["seconds"]:
            assert row["ratio"] == pytest.approx(baseline["seconds"] / row["seconds"])
        assert "64 px" in row["engine"]
        compared = row["mode"] == "full" or (row["mode"] == "quick" and box_errors)
        assert (row["max_error"] is not None) == (row["mean_error"] is not None) == compared
        if compared:
            assert 0 <= row["mean_error"] <= row["max_error"] <= 255
        assert (row["box_share"] is not None) == (row["cache_mib"] is not None) == (row["mode"] == "quick")
        if row["mode"] == "quick":
            assert 0 <= row["box_share"] <= 1
            assert row["cache_mib"] >= 0


@pytest.mark.slow
def test_a_preset_with_its_stroke(tmp_path, kept, capfd):
    """Real processes, the real window: every row, printed and written."""
    file = tmp_path / "bench.json"
    assert cli.main([*QUICK, "--preset", "tiny", "--json", str(file)]) == 0
    result = json.loads(file.read_text())
    rows, stroke = result["rows"][:-3], result["rows"][-3:]
    check_render_rows(rows, preset="tiny", box_errors=False)
    assert [row["work"] for row in stroke] == ["stroke to paint", "stroke to preview", "release to result"]
    paint, preview, final = stroke
    for row in (paint, preview):
        assert row["count"] > 300
        assert 0 < row["p50"] <= row["p95"]
        assert row["p50"] == row["seconds"]
    assert paint["longest_gap"] > 0
    assert preview["updates_per_second"] >= 0  # a busy machine may show none before the release
    assert sum(preview["modes"].values()) > 0
    assert final["seconds"] >= 0
    printed = capfd.readouterr().out
    assert printed.startswith(result["hardware"])
    assert "tiny at 64 px on cpu: " in printed
    assert "random weights" in printed
    for row in rows:
        assert line(Row(**row)) in printed
    for row in stroke:
        assert stroke_line(Row(**row)) in printed
    assert not kept.exists()


@pytest.mark.slow
def test_a_file_with_the_errors_of_every_mode(in_this_process, weights, tmp_path, capsys):
    file = tmp_path / "bench.json"
    assert cli.main([*QUICK, "--weights", str(weights), "--no-stroke", "--json", str(file)]) == 0
    check_render_rows(json.loads(file.read_text())["rows"], preset="mine.safetensors", box_errors=True)
    assert "random weights" not in capsys.readouterr().out


@pytest.mark.slow
def test_the_editors_memory(qapp, in_this_process, kept, weights, tmp_path, monkeypatch, capsys):
    """With the shipped parser, which finds the face in the larger photo."""
    monkeypatch.setattr(memory, "LARGE", (900, 600))
    monkeypatch.setattr(memory, "QUIET", 0.1)
    file = tmp_path / "bench.json"
    flags = ("--edits", "16", "--weights", str(weights), "--no-stroke", "--memory", "--json", str(file))
    assert cli.main([*QUICK, *flags]) == 0
    *renders, small, large = json.loads(file.read_text())["rows"]
    assert not any("memory" in row["work"] for row in renders)
    sizes = ("512 px", "1 megapixels")
    assert [row["work"] for row in (small, large)] == [f"editor's memory, photo of {size}" for size in sizes]
    printed = capsys.readouterr().out
    for row in (small, large):
        assert row["peak_memory_mib"] > 100
        assert memory_line(Row(**row)) in printed
    assert not kept.exists()


@pytest.mark.slow
def test_completions_of_weights_that_can(in_this_process, tmp_path):
    torch.manual_seed(1)
    network = ContextNetwork(DmnConfig(width=4, size=64, blocks=1, variant="maskgan-context"))
    weights, file = save_checkpoint(tmp_path / "context.safetensors", network, {}), tmp_path / "bench.json"
    assert cli.main([*QUICK, "--edits", "16", "--weights", str(weights), "--no-stroke", "--json", str(file)]) == 0
    rows = json.loads(file.read_text())["rows"]
    found = [row for row in rows if row["work"] == "completion at 512 px"]
    assert [(row["edit_px"], row["mode"]) for row in found] == [(16, "quick"), (16, "full")]
    for row in found:
        assert row["count"] >= renders.LEAST
        assert row["ratio"] == pytest.approx(rows[0]["seconds"] / row["seconds"])
        assert row["engine"].endswith("64 px")
        assert row["peak_memory_mib"] > 0
        assert len(line(Row(**row))) == len(HEADER)


@pytest.mark.slow
def test_the_stroke_is_painted_once_more_under_load(in_this_process, weights, tmp_path, capsys, monkeypatch):
    def row(job, work, seconds):
        return Row(job.device, job.preset, job.size, work, seconds, 3, engine="CPU, 64 px", load=job.load)

    monkeypatch.setattr(renders, "measure_renders", lambda job: [row(job, "baseline", 2.0), row(job, "edit", 1.0)])
    monkeypatch.setattr(stroke, "measure_stroke", lambda job: [row(job, "stroke to preview", 4.0)])
    file = tmp_path / "bench.json"
    assert cli.main([*QUICK, "--weights", str(weights), "--load", "2", "--json", str(file)]) == 0
    quiet, loaded = json.loads(file.read_text())["rows"][2:]
    assert (quiet["load"], quiet["ratio"]) == (0, 0.5)
    assert (loaded["load"], loaded["ratio"]) == (2, None)
    assert "stroke to preview beside 2 busy processes: 4000.0 ms\n" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        cli.main([*QUICK, "--load", "none"])


def test_edits_change_one_square_by_turns():
    _, labels = scene(64)
    for _, side in zip(range(2), (16, 64), strict=True):
        places, before = set(), labels
        for index, edit in enumerate(islice(edits(labels, side), 8)):
            changed = edit.labels != before
            assert changed[edit.box].all()
            assert changed.sum() == side * side
            if index % 2:
                assert np.array_equal(edit.labels, labels)
            places.add(str(edit.box))
            before = edit.labels
        assert len(places) == (4 if side == 16 else 1)
    assert (labels != BACKGROUND).any()


@pytest.mark.slow
def test_the_released_graph_is_the_networks_float32_picture(weights):
    photo, labels = scene(64)
    edited = next(edits(labels, 16)).labels
    from maskedit.models.checkpoint import load_checkpoint

    network = load_checkpoint(weights)[0]
    with torch.inference_mode():
        wanted = tensor_to_photo(network(photo_to_tensor(photo), one_hot(labels), one_hot(edited))[0])
    assert np.array_equal(released_graph(weights, torch.device("cpu"), photo, labels)(edited), wanted)


def test_a_box_that_was_a_full_render_is_told():
    row = Row("cpu", "tiny", 64, "edit", 0.5, 4, edit_px=16, mode="quick", box_share=0.25, ratio=2.0)
    assert "quick 25%" in line(row)
    assert len(line(Row("cpu", "tiny", 64, "edit", 0.5, 4, peak_memory_mib=20000.0))) == len(HEADER)


@pytest.mark.parametrize(
    "flags",
    [
        "--preset huge",
        "--preset tiny,",
        "--preset tiny --weights file.safetensors",
        "--edits 16,none",
        "--edits 0",
        "--size 100",
        "--seconds 0",
        "--seconds nan",
        "--seconds long",
        "--threads -1",
        "--precision float16",
        "surplus",
    ],
)
def test_wrong_usage(flags, capsys):
    with pytest.raises(SystemExit) as stopped:
        cli.main(flags.split())
    assert stopped.value.code == 2
    assert "usage: maskedit-bench" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ("--device nonsense", "--device: The device 'nonsense' is unknown"),
        ("--json nowhere/bench.json", "--json nowhere/bench.json: there is no folder nowhere"),
        ("--weights nowhere.safetensors", "nowhere.safetensors"),
    ],
)
def test_failures_are_one_sentence(flags, message, capsys):
    assert cli.main(flags.split()) == 1
    err = capsys.readouterr().err
    assert message in err
    assert err.count("\n") == 1


def test_help_has_an_example(capsys):
    with pytest.raises(SystemExit) as stopped:
        cli.main(["--help"])
    assert stopped.value.code == 0
    assert "maskedit-bench --preset paper --device cpu,cuda" in capsys.readouterr().out


def job(weights) -> Job:
    return Job("tiny", weights, False, "cpu", "float32", 64, 0.01, 1, (16,))


def test_too_little_memory_says_what_to_do(weights, monkeypatch):
    def full(*_):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(renders, "_timed", full)
    with pytest.raises(UserError, match="not enough memory for tiny at 64 px on cpu"):
        measure_renders(job(weights))


def end(_: Job) -> None:
    os._exit(9)


@pytest.mark.slow
def test_a_process_that_is_killed_is_told(weights):
    with pytest.raises(UserError, match="was ended before it was done"):
        in_a_process(end, job(weights))
