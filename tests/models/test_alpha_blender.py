"""The Alpha Blender: a blend lies between its two images, and gradients reach both."""

import pytest
import torch

from maskedit.models.alpha_blender import AlphaBlender
from maskedit.models.config import ALPHA_BLENDER_PRESETS


@pytest.fixture
def network():
    torch.manual_seed(0)
    return AlphaBlender(ALPHA_BLENDER_PRESETS["tiny"])


def images(height=64, width=64):
    generator = torch.Generator().manual_seed(0)
    return [torch.rand(2, 3, height, width, generator=generator) * 2 - 1 for _ in range(2)]


@pytest.mark.parametrize("shape", [(16, 16), (64, 64), (24, 40)])
def test_a_blend_lies_between(network, shape):
    first, second = images(*shape)
    with torch.inference_mode():
        blend, alpha = network(first, second)
    assert blend.shape == alpha.shape == first.shape
    assert ((alpha >= 0) & (alpha <= 1)).all()
    torch.testing.assert_close(blend, alpha * first + (1 - alpha) * second)


def test_equal_images_stay_as_they_are(network):
    first, _ = images()
    torch.testing.assert_close(network(first, first)[0], first)


def test_gradients_reach_both_images_and_every_layer(network):
    first, second = (image.requires_grad_() for image in images())
    network(first, second)[0].square().mean().backward()
    assert first.grad.abs().max() > 0
    assert second.grad.abs().max() > 0
    for name, parameter in network.named_parameters():
        assert torch.isfinite(parameter.grad).all()
        assert name.endswith("bias") or parameter.grad.abs().max() > 0, name


def test_bfloat16_autocast_gives_float32(network):
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        blend, alpha = network(*images())
    assert blend.dtype == alpha.dtype == torch.float32
