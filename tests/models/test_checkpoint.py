"""Checkpoints: whole or not at all, and refused by name when they are not what they say."""

import json
import os

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from maskedit import Renderer
from maskedit.errors import UserError
from maskedit.models.alpha_blender import AlphaBlender
from maskedit.models.checkpoint import HEADER_KEY, load_checkpoint, load_strictly, read_header, save_checkpoint
from maskedit.models.config import (
    ALPHA_BLENDER_PRESETS,
    MASK_VAE_PRESETS,
    PARSER_PRESETS,
    PRESETS,
    AlphaBlenderConfig,
    DmnConfig,
    MaskVaeConfig,
    ParserConfig,
)
from maskedit.models.dense_mapping import DenseMappingNetwork
from maskedit.models.mask_vae import MaskVAE
from maskedit.models.parser import Parser, ResidualUNet, UNet, build_parser

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
    assert isinstance(loaded, DenseMappingNetwork)
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
        ({**GOOD, "config": {"width": True}}, "width = True"),
        ({**GOOD, "config": {"kind": "unet"}}, "kind = 'unet'"),
        ({**GOOD, "network": "mask_vae", "config": {"size": 96}}, "cannot have the size 96"),
        ({**GOOD, "network": "mask_vae", "config": {"size": 3}}, "cannot have the size 3"),
        ({**GOOD, "network": "parser", "config": {"kind": "resnet"}}, "kind 'resnet' is unknown; give unet or"),
        ({**GOOD, "network": "parser", "config": {"kind": 3}}, "kind = 3"),
        ({**GOOD, "network": ["dmn"]}, "not written by maskedit"),
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

    def fail(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(UserError, match="No space"):
        save_checkpoint(saved, network, {})
    assert saved.read_bytes() == before
    assert os.listdir(saved.parent) == [saved.name]


def test_an_existing_file_is_replaced(network, saved):
    save_checkpoint(saved, network, {"steps": 4})
    assert read_header(saved).card == {"steps": 4}


OTHERS = {
    "mask_vae": (MaskVAE, lambda: MaskVAE(MASK_VAE_PRESETS["tiny"]), MaskVAE),
    "alpha_blender": (AlphaBlender, lambda: AlphaBlender(ALPHA_BLENDER_PRESETS["tiny"]), AlphaBlender),
    "parser": (Parser, lambda: build_parser(PARSER_PRESETS["tiny"]), ResidualUNet),
    "unet": (Parser, lambda: build_parser(ParserConfig(kind="unet", width=4, size=64)), UNet),
}


@pytest.fixture(params=OTHERS)
def other(request, tmp_path):
    """The class to ask for, a network whose batch normalisations have counted to three, its file and its class."""
    torch.manual_seed(0)
    wanted, build, built = OTHERS[request.param]
    network = build()
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.num_batches_tracked.fill_(3)
            layer.running_var.fill_(1e6)  # float16 ends at 65504
    return wanted, network, save_checkpoint(tmp_path / "other.safetensors", network, CARD), built


def test_round_trip_of_the_other_networks(other):
    wanted, network, path, built = other
    loaded, header = load_checkpoint(path, wanted)
    assert type(loaded) is built
    assert header.config == network.config == loaded.config
    assert header.card == CARD
    assert not loaded.training
    assert not any(value.is_meta or value.requires_grad for value in loaded.state_dict().values())
    kept, parameters = loaded.state_dict(), {name for name, _ in network.named_parameters()}
    for name, value in network.state_dict().items():
        assert kept[name].dtype == value.dtype == (torch.int64 if name.endswith("tracked") else torch.float32)
        assert kept[name].equal(value.half().float() if name in parameters else value)
    assert type(load_checkpoint(path, nn.Module)[0]) is built


def test_another_network_than_wanted_is_named(other, saved):
    wanted, _, path, _ = other
    titles = {MaskVAE: "a MaskVAE", AlphaBlender: "an Alpha Blender", Parser: "a face parser"}
    for refuse in (load_checkpoint, lambda path: Renderer(path, device="cpu")):
        with pytest.raises(UserError) as caught:
            refuse(path)
        assert str(caught.value) == (
            f"{path} holds {titles[wanted]}, wanted a Dense Mapping Network; choose another weight file."
        )
    with pytest.raises(UserError, match=f"holds a Dense Mapping Network, wanted {titles[wanted]};"):
        load_checkpoint(saved, wanted)


@pytest.mark.parametrize(
    "config",
    [*PRESETS.values(), *MASK_VAE_PRESETS.values(), *ALPHA_BLENDER_PRESETS.values(), *PARSER_PRESETS.values()],
)
def test_configurations_survive_json(config):
    assert type(config).from_dict(json.loads(json.dumps(config.to_dict()))) == config


def test_defaults_are_the_papers():
    assert DmnConfig() == PRESETS["paper"]
    assert MaskVaeConfig() == MASK_VAE_PRESETS["paper"]
    assert AlphaBlenderConfig() == ALPHA_BLENDER_PRESETS["paper"]
    assert ParserConfig() == PARSER_PRESETS["paper"]
