"""A run in either memory format: the same losses, and resumed in the other one."""

import json

import pytest
import torch
from torch import Tensor

from maskedit.training import cli
from maskedit.training.config import DmnOptions
from maskedit.training.dmn import DmnStage
from maskedit.training.run_folder import RunFolder
from tests.folders import write_faces

pytestmark = pytest.mark.slow

STEPS = 20
OTHER = {"contiguous": "channels_last", "channels_last": "contiguous"}


@pytest.fixture(scope="module")
def flags(tmp_path_factory):
    faces = write_faces(tmp_path_factory.mktemp("data") / "faces", count=6, side=64)
    return [
        "dmn", "--data", str(faces), "--preset", "tiny", "--validation", "2", "--batch", "2", "--device", "cpu",
        "--precision", "float32", "--threads", "1", "--validate-every", str(STEPS),
    ]  # fmt: skip


def losses(run):
    rows = [json.loads(line) for line in (run / "stats.jsonl").read_text().splitlines()]
    row = next(row for row in rows if row["step"] == STEPS and "total" in row)
    return {name: value for name, value in row.items() if name not in ("step", "seconds", "waited")}


def stages(first):
    """The same networks in one format and in the other; and photos (2, 3, 64, 64) with ids."""
    options = [DmnOptions(preset="tiny", precision="float32", memory_format=name) for name in (first, OTHER[first])]
    made = [DmnStage(each, torch.device("cpu")) for each in options]
    for name, network in made[1].networks.items():
        network.load_state_dict(made[0].networks[name].state_dict())
    generator = torch.Generator().manual_seed(0)
    photos = torch.rand(2, 3, 64, 64, generator=generator) * 2 - 1
    return made, photos, torch.randint(19, (2, 64, 64), generator=generator).to(torch.uint8)


def test_a_step_is_the_same_in_both_formats():
    (plain, last), photos, ids = stages("contiguous")
    assert (plain.memory_format, last.memory_format) == (torch.contiguous_format, torch.channels_last)
    losses = [stage.backward(photos.contiguous(memory_format=stage.memory_format), ids, 1.0) for stage in (plain, last)]
    for name, value in losses[0].items():
        torch.testing.assert_close(value, losses[1][name], rtol=1e-4, atol=1e-5)
    for name, network in plain.networks.items():
        for ours, theirs in zip(network.parameters(), last.networks[name].parameters(), strict=True):
            assert float((ours.grad - theirs.grad).norm()) <= 1e-2 * float(ours.grad.norm()) + 1e-4


@pytest.mark.parametrize("begun", OTHER)
def test_a_run_goes_on_in_the_other_format(flags, begun, tmp_path):
    # --decay-from 1: the rate depends on how many steps a run is to have.
    given = [*flags, "--decay-from", "1", "--out", str(tmp_path / "run")]
    assert cli.main([*given, "--steps", str(STEPS // 2), "--memory-format", begun]) == 0
    assert cli.main([*given, "--steps", str(STEPS), "--memory-format", OTHER[begun]]) == 0
    whole = [*flags, "--decay-from", "1", "--steps", str(STEPS), "--memory-format", begun]
    assert cli.main([*whole, "--out", str(tmp_path / "whole")]) == 0
    # Not bit for bit: see test_loop.
    assert losses(tmp_path / "run") == pytest.approx(losses(tmp_path / "whole"), rel=2e-2)
    assert "memory_format" not in RunFolder(tmp_path / "run").load_state()


@pytest.mark.parametrize("begun", OTHER)
def test_an_optimisers_moments_lie_as_their_parameters_do(begun):
    (first, second), photos, ids = stages(begun)
    first.backward(photos.contiguous(memory_format=first.memory_format), ids, 1.0)
    first.optimisers["generator"].step()
    second.load_optimiser("generator", first.optimisers["generator"].state_dict())
    before, after = (stage.optimisers["generator"].state for stage in (first, second))
    assert len(before) == len(after) > 0
    for (parameter, ours), theirs in zip(after.items(), before.values(), strict=True):
        for name, value in ours.items():
            torch.testing.assert_close(value, theirs[name], rtol=0, atol=0, check_stride=False)
            if isinstance(value, Tensor) and value.ndim == 4:
                assert value.stride() == parameter.stride()
