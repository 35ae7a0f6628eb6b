"""The generators that MaskGAN is compared with: built by name, alike in use, different where they should be."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from maskedit import Renderer
from maskedit.errors import UserError
from maskedit.models.checkpoint import HEADER_KEY, load_checkpoint, read_header, save_checkpoint
from maskedit.models.config import PRESETS, DmnConfig
from maskedit.models.context import ContextNetwork
from maskedit.models.dense_mapping import DenseMappingNetwork, Generator
from maskedit.models.layers import SpatialFeatureTransform
from maskedit.models.spade import SpadeGenerator
from maskedit.models.tensors import one_hot, photo_to_tensor
from maskedit.models.variants import build_generator
from tests.faces import draw_face

_WIDTHS = [64 * 2**level for level in range(5)]
_CONTEXT = (
    (5 * 9 * 64 + 64)  # the pyramid's first convolution
    + sum(9 * width * 2 * width + 2 * width for width in _WIDTHS[:-1])  # and its halvings
    + sum(width * width + width for width in [*_WIDTHS, *_WIDTHS[:-1]])  # into the generator, down and up
    + (5 * 64 + 64)  # and before its head
    + 2 * ((512 + 19) * 64 + 64) + 2 * (512 * 512 + 512) + 1  # attention
    + (3 * 9 * 32 + 32) + (32 * 9 * 64 + 64) + (64 * 9 * 64 + 64)  # region styles
    + sum((16 + 65) * 2 * width for width in _WIDTHS[:-1])  # and what they scale and shift, on the way up
)  # fmt: skip

CONTEXT = ContextNetwork.CONTEXT_NAMES
"""How the names of what the plain network does not have begin."""

PARAMETERS = {
    "maskgan": 89_702_595,
    "maskgan-concat": 89_702_595 - 2 * (4 * (64 * 64 + 64) - (128 * 64 + 64)),
    "pix2pixhd-m": 89_702_595 - 252_768 - 2 * 4 * (64 * 64 + 64),
    "spade": 102_592_515,
    "maskgan-context": 89_702_595 + _CONTEXT,
}
"""At width 64. A merge is four 1x1 convolutions, or one of twice the inputs; the label branch has 252,768."""


@pytest.fixture(params=DmnConfig.VARIANTS)
def network(request):
    torch.manual_seed(3)
    return build_generator(DmnConfig(width=4, size=64, variant=request.param))


def face(seed, side=64):
    photo, labels = draw_face(side, seed)
    return photo_to_tensor(photo), one_hot(labels)


@pytest.mark.slow
@pytest.mark.parametrize("side", [32, 48, 64, 80])
def test_shapes(network, side):
    photo, labels = face(0, side)
    with torch.inference_mode():
        style = network.style(photo, labels)
        image = network.generate(labels, style)
        assert style.shape == (1, network.config.style_values)
        assert image.shape == (1, 3, side, side)
        assert image.abs().max() <= 1
        assert network(photo, labels, labels).equal(image)


@pytest.mark.parametrize(("variant", "parameters"), PARAMETERS.items())
def test_parameters_at_the_papers_width(variant, parameters):
    with torch.device("meta"):
        network = build_generator(DmnConfig(variant=variant))
    assert isinstance(network, Generator)
    assert sum(parameter.numel() for parameter in network.parameters()) == parameters


def test_the_width_scales_all_but_the_style_encoders(network):
    config = network.config
    with torch.device("meta"):
        wide = build_generator(DmnConfig(width=8, size=64, variant=config.variant))
    ours, theirs = (
        sum(p.numel() for name, p in each.named_parameters() if not name.startswith("encoder"))
        for each in (network, wide)
    )
    assert 3 < theirs / ours < 4


def test_whose_style_depends_on_what(network):
    (photo, labels), (other_photo, other_labels) = face(0), face(1)
    with torch.inference_mode():
        style = network.style(photo, labels)
        assert not network.style(other_photo, labels).equal(style)
        assert network.style(photo, other_labels).equal(style) == (network.config.variant == "pix2pixhd-m")
        render = network.generate(labels, style)
        assert not network.generate(other_labels, style).equal(render)
        assert not network.generate(labels, style + torch.randn_like(style)).equal(render)


def test_faces_of_a_batch_do_not_touch(network):
    (photo, labels), (other_photo, other_labels) = face(0), face(1)
    with torch.inference_mode():
        both = network(
            torch.cat([photo, other_photo]), torch.cat([labels, other_labels]), torch.cat([labels, other_labels])
        )
        torch.testing.assert_close(both[:1], network(photo, labels, labels), atol=1e-5, rtol=0)


def test_gradients_reach_every_parameter(network):
    photo, labels = face(0)
    (network(photo, labels, labels) - photo).square().mean().backward()
    for name, parameter in network.named_parameters():
        if name.startswith(CONTEXT):  # see test_context.py
            continue
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
        if parameter.ndim > 1:  # a bias that instance normalisation follows moves nothing
            assert parameter.grad.any(), name


def test_the_weights_start_alike():
    for variant in DmnConfig.VARIANTS:
        network = build_generator(DmnConfig(width=8, size=64, variant=variant))
        for name, layer in network.named_modules():
            if name.startswith(CONTEXT):
                continue
            if isinstance(layer, nn.Conv2d | nn.Linear) and layer.weight.numel() > 4000:
                assert layer.weight.detach().std().item() == pytest.approx(0.02, rel=0.1)
                assert layer.weight.detach().mean().item() == pytest.approx(0, abs=0.002)


def test_the_merges_of_the_style_encoder():
    concat, photo_only = (build_generator(DmnConfig(4, 64, variant=name)) for name in ("maskgan-concat", "pix2pixhd-m"))
    for network in (concat, photo_only):
        assert not any(isinstance(layer, SpatialFeatureTransform) for layer in network.modules())
    assert concat.encoder.sft1.conv.weight.shape == concat.encoder.sft2.conv.weight.shape == (64, 128, 1, 1)
    full, fewer = DenseMappingNetwork(PRESETS["tiny"]).state_dict(), photo_only.state_dict()
    removed = ("encoder.labels.", "encoder.sft1.", "encoder.sft2.")
    assert list(fewer) == [name for name in full if not name.startswith(removed)]


def test_spade_keeps_the_brightness_of_the_photo():
    """Instance normalisation in its encoder would not: a photo and its half would have one style code."""
    network = SpadeGenerator(DmnConfig(16, 64, variant="spade"))
    photo, labels = face(0)
    with torch.inference_mode():
        difference = network.style(photo * 0.5, labels) - network.style(photo, labels)
    assert difference.abs().max() > 1e-4


@pytest.mark.slow
def test_checkpoint_round_trip(network, tmp_path):
    loaded, header = load_checkpoint(save_checkpoint(tmp_path / "a.safetensors", network, {}, dtype=torch.float32))
    assert type(loaded) is type(network)
    assert header.network == "dmn"
    assert loaded.config == header.config == network.config
    assert all(loaded.state_dict()[name].equal(value) for name, value in network.state_dict().items())


def test_checkpoints_from_before_the_variants(tmp_path):
    network = build_generator(PRESETS["tiny"])
    config = network.config.to_dict()
    del config["variant"]
    header = {"format": 1, "network": "dmn", "config": config, "card": {}}
    path = tmp_path / "old.safetensors"
    save_file(network.state_dict(), path, metadata={HEADER_KEY: json.dumps(header)})
    loaded, header = load_checkpoint(path)
    assert type(loaded) is DenseMappingNetwork
    assert header.config == PRESETS["tiny"]


def test_weights_of_another_variant_are_refused(tmp_path):
    network = build_generator(DmnConfig(4, 64, variant="maskgan-concat"))
    header = {"format": 1, "network": "dmn", "config": PRESETS["tiny"].to_dict(), "card": {}}
    path = tmp_path / "a.safetensors"
    save_file(network.state_dict(), path, metadata={HEADER_KEY: json.dumps(header)})
    with pytest.raises(UserError, match=r"missing: encoder\.sft1\.scale1.*unknown: encoder\.sft1\.conv"):
        load_checkpoint(path)


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_the_renderer_renders_each(network, precision, tmp_path):
    weights = save_checkpoint(tmp_path / "a.safetensors", network, {})
    renderer = Renderer(weights, device="cpu", precision=precision, size=48)  # 48: no multiple of 32
    photo, labels = draw_face(64, 0)
    renderer.set_target(photo, labels)
    first = renderer.render(labels).image
    assert first.shape == photo.shape
    assert (renderer.render(np.roll(labels, 16, axis=1)).image != first).any()
    assert f"({network.config.variant})" in renderer.about


def test_an_unknown_variant(tmp_path):
    with pytest.raises(UserError, match="variant 'spode' is unknown; give maskgan or maskgan-concat or pix2pixhd-m or"):
        DmnConfig(variant="spode")
    header = {"format": 1, "network": "dmn", "config": {**DmnConfig().to_dict(), "variant": "spode"}, "card": {}}
    path = tmp_path / "a.safetensors"
    save_file({"a": torch.zeros(1)}, path, metadata={HEADER_KEY: json.dumps(header)})
    with pytest.raises(UserError, match="'spode' is unknown"):
        read_header(path)
