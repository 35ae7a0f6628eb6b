"""Instance normalisation is one function in both memory formats, and networks stay in the format they are put in."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from maskedit.models.config import DmnConfig
from maskedit.models.discriminator import MultiscaleDiscriminator
from maskedit.models.layers import instance_norm
from maskedit.models.tensors import one_hot
from maskedit.models.variants import build_generator

CHANNELS_LAST = torch.channels_last
SHAPES = [(1, 3, 5, 7), (2, 8, 16, 12), (4, 5, 6, 1), (3, 32, 65, 65)]
CLOSE = {torch.float32: {"rtol": 1e-4, "atol": 1e-4}, torch.bfloat16: {"rtol": 2e-2, "atol": 2e-2}}
"""By the type of x: sums are taken in another order; bfloat16 has eight bits."""


def draw(shape, dtype=torch.float32, seed=0):
    """Features in channels_last, with means and deviations that differ between the channels."""
    generator = torch.Generator().manual_seed(seed)
    x, scale, shift = (
        torch.randn(size, generator=generator) for size in (shape, (1, shape[1], 1, 1), (1, shape[1], 1, 1))
    )
    x = x * (scale.abs() + 0.3) + 3 * shift
    return x.to(dtype).contiguous(memory_format=CHANNELS_LAST)


@pytest.mark.parametrize("dtype", CLOSE)
@pytest.mark.parametrize("shape", SHAPES)
def test_channels_last_is_normalised_as_group_norm_does_it(shape, dtype):
    x = draw(shape, dtype).requires_grad_()
    rows = x.detach().float().contiguous().requires_grad_()
    weight = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    y, expected = instance_norm(x), F.group_norm(rows, shape[1], eps=1e-5)
    assert type(y.grad_fn).__name__ == "_ChannelsLastInstanceNormBackward"
    assert y.dtype == dtype
    assert y.is_contiguous(memory_format=CHANNELS_LAST)
    torch.testing.assert_close(y.float(), expected.contiguous(), **CLOSE[dtype], check_stride=False)
    (y * weight.to(dtype)).sum().backward()  # a gradient in plain rows
    (expected * weight.to(dtype)).sum().backward()
    assert x.grad.dtype == dtype
    assert x.grad.is_contiguous(memory_format=CHANNELS_LAST)
    torch.testing.assert_close(x.grad.float(), rows.grad, **CLOSE[dtype], check_stride=False)


def test_a_large_mean_takes_nothing_away():
    x = draw((2, 4, 32, 32)) + 100
    exact = F.group_norm(x.double().contiguous(), 4, eps=1e-5).float()
    torch.testing.assert_close(instance_norm(x), exact, rtol=1e-3, atol=1e-3, check_stride=False)


def test_the_gradient_is_that_of_the_function():
    x = draw((2, 3, 3, 4), torch.float64).requires_grad_()
    assert torch.autograd.gradcheck(instance_norm, (x,))
    assert torch.autograd.gradcheck(lambda x: instance_norm(F.relu(instance_norm(x))) + instance_norm(x), (x,))


def test_a_constant_becomes_zero():
    x = torch.full((2, 3, 4, 4), 7.0).contiguous(memory_format=CHANNELS_LAST).requires_grad_()
    y = instance_norm(x)
    torch.testing.assert_close(y, torch.zeros_like(y), atol=1e-4, rtol=0)
    y.sum().backward()  # its gradient has no memory of its own
    assert torch.isfinite(x.grad).all()


def test_used_twice_and_gone_through_twice():
    x, other = draw((2, 4, 8, 8)).requires_grad_(), draw((2, 4, 8, 8), seed=1)
    y = instance_norm(x)
    total = (y * other).sum() + (y.square() * other).sum()
    total.backward(retain_graph=True)
    once = x.grad.clone()
    total.backward()
    torch.testing.assert_close(x.grad, 2 * once)
    rows = x.detach().contiguous().requires_grad_()
    y = F.group_norm(rows, 4, eps=1e-5)
    ((y * other).sum() + (y.square() * other).sum()).backward()
    torch.testing.assert_close(once, rows.grad, rtol=1e-3, atol=1e-4, check_stride=False)
    # A second derivative is nobody's wish, and must not come out wrong.
    (first,) = torch.autograd.grad((instance_norm(x).square() * other).sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        first.sum().backward()


@pytest.mark.parametrize("mode", [torch.inference_mode, torch.no_grad])
def test_without_gradients(mode):
    x = draw((2, 8, 16, 12))
    with mode():
        y = instance_norm(x)
    assert not y.requires_grad
    assert y.is_contiguous(memory_format=CHANNELS_LAST)
    torch.testing.assert_close(y, instance_norm(x))


def test_plain_rows_go_to_group_norm():
    rows = draw((2, 8, 16, 12)).contiguous().requires_grad_()
    assert type(instance_norm(rows).grad_fn).__name__ == "NativeGroupNormBackward0"
    assert instance_norm(rows).is_contiguous()


def stray_inputs(network, run):
    """Names of the convolutions that were given anything else than channels_last, of which they make a copy."""
    found = []

    def look(name):
        return lambda module, inputs: (
            None if inputs[0].is_contiguous(memory_format=CHANNELS_LAST) else found.append(name)
        )

    hooks = [
        module.register_forward_pre_hook(look(name))
        for name, module in network.named_modules()
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d)
    ]
    run()
    for hook in hooks:
        hook.remove()
    return found


def batch(side=64):
    ids = torch.randint(19, (2, side, side), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
    photo = torch.rand(2, 3, side, side, generator=torch.Generator().manual_seed(1)) * 2 - 1
    hole = torch.zeros(2, 1, side, side)
    hole[:, :, 10:40, 20:50] = 1
    return photo.contiguous(memory_format=CHANNELS_LAST), one_hot(ids).contiguous(memory_format=CHANNELS_LAST), hole


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_the_networks_stay_in_channels_last(precision):
    photo, labels, hole = batch()
    generator = build_generator(DmnConfig(8, 64, variant="maskgan-context")).to(memory_format=CHANNELS_LAST)
    discriminator = MultiscaleDiscriminator(8).to(memory_format=CHANNELS_LAST)
    images = []

    def run():
        with torch.autocast("cpu", precision, enabled=precision != torch.float32):
            style = generator.style(photo, labels)
            images.append(generator.complete(labels, style, photo, hole, generator.regions(photo, labels)))
            images.append(generator.generate(labels, style))

    # The guess of a hole's colours comes in plain rows, five channels of it.
    assert set(stray_inputs(generator, run)) <= {"context_stem", "into_head"}
    for image in images:
        assert image.is_contiguous(memory_format=CHANNELS_LAST)
        assert stray_inputs(discriminator, lambda image=image: discriminator(labels, image)) == []


def test_the_networks_compute_the_same_in_both_formats():
    photo, labels, hole = batch()
    networks = [build_generator(DmnConfig(8, 64, variant="maskgan-context")) for _ in range(2)]
    networks[1].load_state_dict(networks[0].state_dict())
    networks[1].to(memory_format=CHANNELS_LAST)
    images = []
    for network, form in zip(networks, (torch.contiguous_format, CHANNELS_LAST), strict=True):
        x, y = photo.contiguous(memory_format=form), labels.contiguous(memory_format=form)
        images.append(network.complete(y, network.style(x, y), x, hole, network.regions(x, y)))
        images[-1].square().mean().backward()
    torch.testing.assert_close(images[0], images[1], rtol=1e-3, atol=1e-4, check_stride=False)
    for (name, ours), theirs in zip(networks[0].named_parameters(), networks[1].parameters(), strict=True):
        assert float((ours.grad - theirs.grad).norm()) <= 1e-2 * float(ours.grad.norm()) + 1e-5, name
