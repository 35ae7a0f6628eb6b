"""Checkpoints: whole or not at all, and refused by name when they are not what they say."""

import json
import os

import pytest
import torch
from safetensors.torch import save_file

from maskedit.errors import UserError
from maskedit.models.checkpoint import HEADER_KEY, load_checkpoint, load_strictly, read_header, save_checkpoint
from maskedit.models.config import PRESETS, DmnConfig
from maskedit.models.dense_mapping import DenseMappingNetwork

CARD = {"stage": "dmn", "steps": 3, "validation": {"psnr": 16.25}}


@pytest.fixture
def network():
    torch.manual_seed(0)
    return DenseMappingNetwork(PRESETS["tiny"])


@pytest.fixture
def saved(network, tmp_path):
    return save_checkpoint(tmp_path / "deep" / "a.safetensors", network, CARD)


def write_header(path, header):
    save_file({"a": torch.zeros(1)}, path, metadata={HEADER_KEY: json.dumps(header)})
    return path


def test_round_trip(network, saved):
    loaded, header = load_checkpoint(saved)
    assert header.network == "dmn"
    assert header.config == network.config
    assert header.card == CARD
    assert not loaded.training
    kept = loaded.state_dict()
    for name, value in network.state_dict().items():
        assert kept[name].dtype == torch.float32
        assert kept[name].equal(value.half().float())
    assert not any(parameter.requires_grad for parameter in loaded.parameters())
    assert not any(parameter.is_meta for parameter in loaded.parameters())


def test_float32_is_kept_to_the_bit(network, tmp_path):
    loaded, _ = load_checkpoint(save_checkpoint(tmp_path / "a.safetensors", network, {}, dtype=torch.float32))
    assert all(loaded.state_dict()[name].equal(value) for name, value in network.state_dict().items())


def test_header_is_read_without_weights(saved, monkeypatch):
    monkeypatch.setattr(DenseMappingNetwork, "__init__", lambda *_: pytest.fail("the network was built"))
    assert read_header(saved).card == CARD


@pytest.mark.parametrize("cut", [4, 200, -1])
def test_truncated_file(saved, cut):
    whole = saved.read_bytes()
    saved.write_bytes(whole[:cut])
    with pytest.raises(UserError, match="is not a safetensors file"):
        load_checkpoint(saved)


def test_missing_file_and_folder(tmp_path):
    for path in (tmp_path / "none.safetensors", tmp_path):
        with pytest.raises(UserError, match="no weight file"):
            read_header(path)


def test_foreign_safetensors(tmp_path):
    save_file({"a": torch.zeros(1)}, tmp_path / "foreign.safetensors")
    with pytest.raises(UserError, match="not written by maskedit"):
        load_checkpoint(tmp_path / "foreign.safetensors")


GOOD = {"format": 1, "network": "dmn", "config": DmnConfig().to_dict(), "card": {}}


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ({**GOOD, "format": 2}, "in format 2"),
        ({**GOOD, "network": "vae"}, "'vae' network"),
        ({**GOOD, "config": {"width": 4, "depth": 9}}, "depth = 9"),
        ({**GOOD, "config": {"width": 4.5}}, "width = 4.5"),
        ({**GOOD, "config": {"blocks": 10**12}}, "blocks = 1000000000000"),
        ({**GOOD, "config": {"width": 0}}, "width = 0"),
        ({**GOOD, "config": "wide"}, "not written by maskedit"),
        ({**GOOD, "card": 7}, "not written by maskedit"),
        ({"format": 1}, "not written by maskedit"),
        ([1, 2], "not written by maskedit"),
    ],
)
def test_wrong_headers(tmp_path, header, message):
    with pytest.raises(UserError, match=message):
        read_header(write_header(tmp_path / "a.safetensors", header))


def test_weights_of_another_width_are_named(saved, network, tmp_path):
    tensors = {name: value.half() for name, value in network.state_dict().items()}
    header = {"format": 1, "network": "dmn", "config": DmnConfig(width=8).to_dict(), "card": {}}
    save_file(tensors, tmp_path / "b.safetensors", metadata={HEADER_KEY: json.dumps(header)})
    with pytest.raises(UserError, match=r"stem.weight is \(4, 19, 7, 7\), wanted \(8, 19, 7, 7\)"):
        load_checkpoint(tmp_path / "b.safetensors")


def test_strict_loading_names_keys(network):
    tensors = dict(network.state_dict())
    tensors["extra.weight"] = tensors.pop("head.bias")
    tensors["stem.bias"] = torch.zeros(5)
    with pytest.raises(UserError) as caught:
        load_strictly(network, tensors, source="x.safetensors")
    message = str(caught.value)
    assert message.startswith("x.safetensors does not fit")
    for part in ("missing: head.bias", "unknown: extra.weight", "stem.bias is (5,), wanted (4,)"):
        assert part in message


def test_long_lists_of_keys_are_cut(network):
    with pytest.raises(UserError, match=r"and \d+ more"):
        load_strictly(network, {}, source="x")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e6])
def test_what_is_not_finite_is_refused(network, tmp_path, value):
    with torch.no_grad():
        network.head.bias[0] = value
    with pytest.raises(UserError, match=r"head\.bias"):
        save_checkpoint(tmp_path / "a.safetensors", network, {})
    assert not list(tmp_path.iterdir())


def test_failed_write_keeps_the_old_file(network, saved, monkeypatch):
    before = saved.read_bytes()

    def fail(tensors, path, metadata):
        with open(path, "wb") as file:
            file.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("maskedit.models.checkpoint.save_file", fail)
    with pytest.raises(OSError, match="No space"):
        save_checkpoint(saved, network, {})
    assert saved.read_bytes() == before
    assert os.listdir(saved.parent) == [saved.name]


def test_an_existing_file_is_replaced(network, saved):
    save_checkpoint(saved, network, {"steps": 4})
    assert read_header(saved).card == {"steps": 4}
