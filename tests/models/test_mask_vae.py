"""MaskVAE: sides and shapes, the draw of a code, and the paper's two walks through the latent space."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from maskedit.errors import UserError
from maskedit.measures.masks import through
from maskedit.models.config import MASK_VAE_PRESETS, MaskVaeConfig
from maskedit.models.mask_vae import MaskVAE, _double, inner_outer, interpolate, perturbed_maps
from maskedit.models.tensors import one_hot, scaled_labels
from tests.faces import draw_face
from tests.oracles import maps


@pytest.fixture
def network():
    torch.manual_seed(0)
    return MaskVAE(MASK_VAE_PRESETS["tiny"])


def faces(count, side=64):
    return torch.stack([torch.from_numpy(draw_face(side, seed)[1]) for seed in range(count)])


@pytest.mark.parametrize(("size", "levels"), [(8, 1), (128, 5), (256, 6)])
def test_levels_follow_the_side(size, levels):
    config = MaskVaeConfig(width=2, size=size, latent=8)
    assert config.levels == levels
    assert config.widths == tuple(2 << level for level in range(levels))
    network = MaskVAE(config).eval()
    with torch.inference_mode():
        mean, log_variance = network.encode(one_hot(torch.zeros(1, size, size, dtype=torch.uint8)))
        logits = network.decode(mean)
    assert mean.shape == log_variance.shape == (1, 8)
    assert logits.shape == (1, 19, size, size)
    assert logits.dtype == torch.float32


def test_what_the_reference_outputs_hardly_show(network):
    """Their centre is all but flat: nearest or bilinear, they differ by 1e-8."""
    x = torch.arange(6.0).view(1, 1, 2, 3)
    wanted = np.pad(x[0, 0].numpy().repeat(2, axis=0).repeat(2, axis=1), 1, mode="edge")
    np.testing.assert_array_equal(_double(x)[0, 0].numpy(), wanted)
    assert {norm.eps for norm in network.down_norms} == {1e-5}
    assert {norm.eps for norm in network.up_norms} == {1e-3}


@pytest.mark.parametrize("size", [1, 4, 20, 500])
def test_wrong_sides(size):
    with pytest.raises(UserError, match=f"cannot have the size {size}"):
        MaskVaeConfig(size=size)


def test_labels_of_another_side_are_refused(network):
    with pytest.raises(ValueError, match=r"\(64, 128\) labels, wanted 64 px"):
        network.encode(torch.zeros(1, 19, 64, 128))


def test_every_parameter_learns(network):
    labels = faces(2)
    logits, mean, log_variance = network(one_hot(labels))
    divergence = (mean.square() + log_variance.exp() - log_variance - 1).mean()
    (F.cross_entropy(logits, labels.long()) + divergence).backward()
    # A bias before a batch normalisation moves nothing, so its gradient is rounding; all others must be felt.
    still = {f"{part}.{level}.bias" for part in ("down", "up") for level in range(network.config.levels)}
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None
        assert torch.isfinite(parameter.grad).all()
        assert name in still or parameter.grad.abs().max() > 0, name


@pytest.mark.slow
def test_it_learns_a_label_map(network):
    labels = faces(4)
    optimiser = torch.optim.Adam(network.parameters(), lr=5e-3)
    losses = []
    for _ in range(25):
        logits, _, _ = network(one_hot(labels))
        loss = F.cross_entropy(logits, labels.long())
        losses.append(loss.item())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert losses[-1] < 0.5 * losses[0]


def test_bfloat16_autocast_gives_float32(network):
    network.eval()
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        logits, mean, log_variance = network(one_hot(faces(1)))
    assert {logits.dtype, mean.dtype, log_variance.dtype} == {torch.float32}


def test_a_drawn_code_has_the_asked_spread():
    torch.manual_seed(0)
    mean, log_variance = torch.full((20_000, 1), 3.0), torch.full((20_000, 1), 4.0).log()
    drawn = MaskVAE.reparametrise(mean, log_variance)
    assert float(drawn.mean()) == pytest.approx(3, abs=0.05)
    assert float(drawn.std()) == pytest.approx(2, abs=0.05)  # exp(sigma / 2), not the paper's exp(sigma)
    noise = torch.tensor([[-1.0]])
    assert float(MaskVAE.reparametrise(mean[:1], log_variance[:1], noise=noise)) == pytest.approx(1)


def test_a_strip_goes_evenly_from_end_to_end(network):
    torch.manual_seed(1)
    ends = torch.randn(2, 3, 16)
    strip = interpolate(*ends, 5)
    assert strip.shape == (5, 3, 16)
    assert strip[0].equal(ends[0])
    assert strip[-1].equal(ends[1])
    torch.testing.assert_close(strip.diff(dim=0), (ends[1] - ends[0]).expand(4, 3, 16) / 4)
    single = interpolate(ends[0, 0], ends[1, 0], 3)
    assert single.shape == (3, 16)
    assert network.eval().decode(single).shape == (3, 19, 64, 64)
    with pytest.raises(ValueError, match="got 1 steps"):
        interpolate(*ends, 1)


def test_inner_and_outer_lie_on_either_side():
    z_t, z_ref = torch.tensor([[1.0, 0.0]]), torch.tensor([[6.0, -5.0]])
    inner, outer = inner_outer(z_t, z_ref)
    torch.testing.assert_close(inner, torch.tensor([[3.0, -2.0]]))
    torch.testing.assert_close(outer, torch.tensor([[-1.0, 2.0]]))


def test_perturbed_maps_are_algorithm_1s(network):
    vae, ids = network.eval(), maps(3)
    others = ids.roll(-1, dims=0)
    with torch.inference_mode():
        codes = [vae.encode(one_hot(some))[0] for some in (ids, others)]
        wanted = [vae.decode(z).argmax(dim=1) for z in inner_outer(*codes)]
        found = perturbed_maps(vae, ids, others)
        assert all((ours == theirs).all() for ours, theirs in zip(found, wanted, strict=True))
        # Between a map and itself lies what its own code gives.
        assert all((map == through(vae, ids)).all() for map in perturbed_maps(vae, ids, ids))
        larger = perturbed_maps(vae, scaled_labels(ids, 128), scaled_labels(others, 128))
        assert all((ours == scaled_labels(theirs, 128)).all() for ours, theirs in zip(larger, found, strict=True))
