"""The published checkpoint: its names, its variants, and what is refused."""

import os
import pickle

import pytest
import torch

from maskedit.errors import UserError
from maskedit.models import cli
from maskedit.models.checkpoint import load_checkpoint
from maskedit.models.official import DMN_NAMES, DMN_UNUSED, convert_dmn, read_dmn
from tests.models.reference import dmn_shapes, shapes, synthetic_state


@pytest.fixture
def state():
    return synthetic_state(dmn_shapes(8), 1)


@pytest.fixture
def published(state, tmp_path):
    torch.save(state, tmp_path / "latest_net_G.pth")
    return tmp_path / "latest_net_G.pth"


def test_names_are_those_of_the_release():
    assert len(DMN_NAMES) == 78
    assert len(DMN_UNUSED) == 16
    assert set(shapes("dmn")) == set(DMN_NAMES) | DMN_UNUSED


def test_unused_buffers_and_prefix_make_no_difference(state):
    assert len(state) == 94
    whole = convert_dmn(state).state_dict()
    bare = {name: value for name, value in state.items() if name not in DMN_UNUSED}
    assert len(bare) == len(whole) == 78
    prefixed = {f"module.{name}": value for name, value in state.items()}
    for variant in (bare, prefixed):
        converted = convert_dmn(variant).state_dict()
        assert all(converted[name].equal(value) for name, value in whole.items())
    assert whole["stem.weight"].equal(state["model.1.weight"])


def test_width_is_read_off_the_weights(state):
    assert convert_dmn(state, size=256).config.width == 8
    assert convert_dmn(state, size=256).config.size == 256


def test_problems_are_named_as_the_file_names_them(state):
    del state["model.33.bias"]
    state["model.99.weight"] = torch.zeros(1)
    state["stem.weight"] = torch.zeros(1)  # one of our names is as foreign as any
    state["enc_style.model_last.1.bias"] = torch.zeros(3)
    with pytest.raises(UserError) as caught:
        convert_dmn(state, source="x.pth")
    message = str(caught.value)
    for part in (
        "x.pth does not fit",
        "missing: model.33.bias",
        "unknown: model.99.weight, stem.weight",
        "enc_style.model_last.1.bias is (3,), wanted (2048,)",
    ):
        assert part in message


@pytest.mark.parametrize("wrong", [[1, 2], {"model.1.weight": 3}, {1: torch.zeros(1)}, {"state_dict": {}}])
def test_no_bare_state_dict(wrong):
    with pytest.raises(UserError, match="no bare state dict"):
        convert_dmn(wrong)


@pytest.mark.parametrize("wrong", [{}, {"model.1.weight": torch.zeros(3)}])
def test_another_network(wrong):
    with pytest.raises(UserError, match=r"no model\.1\.weight"):
        convert_dmn(wrong)


class Bomb:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("zipped", [True, False])
def test_code_in_a_file_is_refused_and_does_not_run(state, tmp_path, zipped):
    goal, path = tmp_path / "boom", tmp_path / "bad.pth"
    if zipped:
        torch.save({**state, "bomb": Bomb(goal)}, path)
    else:
        path.write_bytes(pickle.dumps(Bomb(goal), protocol=2))
    with pytest.raises(UserError, match="nothing in it was run"):
        read_dmn(path)
    assert not goal.exists()
    pickle.loads(pickle.dumps(Bomb(goal)))  # the bomb is a real one
    assert goal.exists()


def test_damaged_and_missing_files(published):
    published.write_bytes(published.read_bytes()[:1000])
    with pytest.raises(UserError, match=r"latest_net_G\.pth"):
        read_dmn(published)
    published.write_bytes(b"")
    with pytest.raises(UserError, match="could not be read"):
        read_dmn(published)
    with pytest.raises(UserError, match="There is no file"):
        read_dmn(published.with_name("none.pth"))


def test_import_then_info(published, state, tmp_path, capsys):
    output = tmp_path / "weights" / "official.safetensors"
    assert cli.main(["import", str(published), "-o", str(output), "--size", "256"]) == 0
    network, header = load_checkpoint(output)
    assert header.config.width == 8
    assert header.config.size == 256
    assert header.card["source"] == "latest_net_G.pth"
    assert header.card["licence"] == "non-commercial research (MaskGAN authors)"
    assert len(header.card["sha256"]) == 64
    assert network.stem.weight.equal(state["model.1.weight"].half().float())
    capsys.readouterr()
    assert cli.main(["info", str(output)]) == 0
    printed = capsys.readouterr().out
    for line in ("network: dmn", "width: 8", "size: 256 px", "card:", f"  sha256: {header.card['sha256']}"):
        assert line in printed.splitlines()
    parameters = sum(value.numel() for value in network.parameters())
    assert f"parameters: {parameters:,}" in printed


def test_info_indents_nested_entries(tmp_path, state, capsys):
    from maskedit.models.checkpoint import save_checkpoint

    card = {"steps": 3, "initialised_from": {"steps": 2, "validation": {"psnr": 16.5}}}
    path = save_checkpoint(tmp_path / "a.safetensors", convert_dmn(state), card)
    assert cli.main(["info", str(path)]) == 0
    printed = capsys.readouterr().out
    assert "  steps: 3\n  initialised_from:\n    steps: 2\n    validation:\n      psnr: 16.5\n" in printed


def test_import_keeps_an_existing_file(published, tmp_path, capsys):
    output = tmp_path / "official.safetensors"
    output.write_bytes(b"mine")
    assert cli.main(["import", str(published), "-o", str(output)]) == 1
    assert output.read_bytes() == b"mine"
    assert "--force" in capsys.readouterr().err
    assert cli.main(["import", str(published), "-o", str(output), "--force"]) == 0
    load_checkpoint(output)


def test_import_failures_are_one_sentence(published, tmp_path, capsys):
    (tmp_path / "file").write_bytes(b"")
    for source, output in (
        (tmp_path / "none.pth", tmp_path / "a.safetensors"),
        (published, tmp_path / "a.pth"),
        (published, tmp_path / "file" / "a.safetensors"),
    ):
        assert cli.main(["import", str(source), "-o", str(output)]) == 1
        error = capsys.readouterr().err
        assert error.startswith("maskedit-weights: ")
        assert len(error.splitlines()) == 1
    assert cli.main(["info", str(published)]) == 1
    assert "maskedit-weights import" in capsys.readouterr().err


@pytest.mark.parametrize("wrong", [[], ["import", "a.pth"], ["info"], ["import", "a", "-o", "b", "--size", "100"]])
def test_wrong_usage(wrong):
    with pytest.raises(SystemExit) as caught:
        cli.main(wrong)
    assert caught.value.code == 2


def test_help_has_an_example(capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main(["--help"])
    assert caught.value.code == 0
    assert "maskedit-weights import latest_net_G.pth -o" in capsys.readouterr().out
