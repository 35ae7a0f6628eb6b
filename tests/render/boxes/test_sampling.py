"""Samples of a layer: they tell an affine change, only from outside of the box, and box renders gain by it."""

import numpy as np
import pytest
import torch
from torch import nn

from maskedit.document.history import Box
from maskedit.render.boxes.box_engine import BoxEngine
from maskedit.render.boxes.geometry import Geometry, Span
from maskedit.render.boxes.sampling import Affine, StatisticsProbe, affine, gather
from tests.faces import draw_face
from tests.render.boxes.test_box_engine import edited, make_network, make_style, random_boxes

SIDE = 96
CHANNELS = 5
NOWHERE = (Span(0, 0), Span(0, 0))


def make_layer(kind, dtype=torch.float32):
    """A convolution, its geometry, an input (1, 3, H, W) and what the convolution makes of it."""
    torch.manual_seed(0)
    if kind == "down":
        module, geometry, length = nn.Conv2d(3, CHANNELS, 3, stride=2, padding=1), Geometry("down", 1, 1), SIDE
    else:
        module = nn.ConvTranspose2d(3, CHANNELS, 3, stride=2, padding=1, output_padding=1)
        geometry, length = Geometry("up", 1, 0), SIDE // 4
    module = module.to(dtype, memory_format=torch.channels_last).requires_grad_(False)
    x = torch.randn(1, 3, length, length, dtype=dtype).contiguous(memory_format=torch.channels_last)
    return module, geometry, x, module(x).contiguous(memory_format=torch.channels_last)


def known_change():
    return Affine(torch.linspace(-0.5, 0.5, CHANNELS), torch.linspace(0.9, 1.2, CHANNELS))


def assert_alike(found, expected, tolerance=1e-3):
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=tolerance, atol=tolerance)


def test_an_affine_change_is_found_and_undone():
    kept, change = torch.randn(40, CHANNELS), known_change()
    new = change.offset + change.scale * kept
    assert_alike(affine(new, kept), change)
    undone = change.inverse(new.T[None, :, :, None])
    torch.testing.assert_close(undone, kept.T[None, :, :, None])


def test_a_deviation_is_never_changed_much():
    kept = torch.randn(40, 2)
    found = affine(kept * torch.tensor([9.0, 0.0]) + 3, kept)
    assert_alike(found.scale, torch.tensor([1.25, 0.8]))
    assert_alike(found.offset, 3 + torch.tensor([9 - 1.25, -0.8]) * kept.mean(0))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("kind", ["down", "up"])
def test_a_layers_change_is_found(kind, dtype):
    module, geometry, x, output = make_layer(kind, dtype)
    sample = StatisticsProbe(module, geometry, SIDE, 32)
    tolerance = 1e-3 if dtype == torch.float32 else 0.02
    same = sample.fit(NOWHERE, lambda pixels: gather(x, pixels), output)
    assert_alike(same, Affine(torch.zeros(CHANNELS), torch.ones(CHANNELS)), tolerance)
    change = known_change()
    found = sample.fit(NOWHERE, lambda pixels: gather(x, pixels), change.inverse(output))
    assert_alike(found, change, tolerance)


@pytest.mark.parametrize("kind", ["down", "up"])
def test_what_lies_in_the_box_is_not_looked_at(kind):
    module, geometry, x, output = make_layer(kind)
    sample, size, looked = StatisticsProbe(module, geometry, SIDE, 32), SIDE // 2, 0
    for box in random_boxes(200, side=size):
        # Regions of a layer that doubles begin and end with a block.
        rows, columns = (Span(a // 2 * 2, -(-b // 2) * 2) for a, b in ((box.y0, box.y1), (box.x0, box.x1)))
        poisoned = output.clone()
        poisoned[:, :, rows.slice, columns.slice] = torch.nan
        found = sample.fit((rows, columns), lambda pixels: gather(x, pixels), poisoned)
        if found is not None:
            looked += 1
            assert_alike(found, Affine(torch.zeros(CHANNELS), torch.ones(CHANNELS)))
    assert looked > 150


def test_hardly_anything_outside_tells_nothing():
    module, geometry, x, output = make_layer("down")
    sample = StatisticsProbe(module, geometry, SIDE, 32)
    for region in ((Span(0, 48), Span(0, 48)), (Span(0, 48), Span(0, 47)), (Span(1, 48), Span(0, 48))):
        assert sample.fit(region, lambda pixels: gather(x, pixels), output) is None
    tiny = StatisticsProbe(module, geometry, 6, 32)
    assert tiny.fit(NOWHERE, lambda pixels: gather(x[:, :, :6, :6], pixels), output[:, :, :3, :3]) is None


@pytest.fixture(scope="module")
def renders():
    """Of many edits, some at the borders: the picture before, with a sample and without, all rendered; the region."""
    network, labels = make_network(), draw_face(SIDE, 0)[1]
    style, random = make_style(network), np.random.default_rng(0)
    sampled, plain = BoxEngine(network), BoxEngine(network, samples=0)
    found = []
    for number in range(40):
        y, x, height, width = (*random.integers(-8, SIDE - 8, 2).tolist(), *random.integers(16, 40, 2).tolist())
        box = Box(x, y, x + width, y + height).clipped(SIDE, SIDE)
        after = edited(labels, box, number % 19)
        truth, before = plain.generate(after, style), plain.generate(labels, style)
        sampled.generate(labels, style)
        region = sampled.update_box(after, box)
        assert plain.update_box(after, box) == region
        found.append((before, sampled.picture.copy(), plain.picture.copy(), truth, region))
    return found


@pytest.mark.slow
def test_box_renders_are_nearer_to_full_ones(renders):
    def error(picture, truth, region):
        rows, columns = region
        return np.abs(picture.astype(int) - truth)[rows.slice, columns.slice].mean()

    with_sample = np.array([error(sampled, truth, region) for _, sampled, _, truth, region in renders])
    without = np.array([error(plain, truth, region) for _, _, plain, truth, region in renders])
    assert with_sample.mean() < 0.9 * without.mean()
    assert (with_sample < without).mean() > 0.8


@pytest.mark.slow
def test_outside_the_region_nothing_changes_at_all(renders):
    for before, sampled, _, _, (rows, columns) in renders:
        outside = np.ones((SIDE, SIDE), bool)
        outside[rows.slice, columns.slice] = False
        np.testing.assert_array_equal(sampled[outside], before[outside])


def painted(network, *, samples=32, frozen=False):
    labels = draw_face(SIDE, 0)[1]
    engine = BoxEngine(network, samples=samples)
    engine.generate(labels, make_style(network))
    return engine.update(edited(labels, Box(20, 30, 60, 50), 13), frozen=frozen)


def test_without_a_fit_it_is_as_without_a_sample(monkeypatch):
    network = make_network()
    plain, sampled = painted(network, samples=0), painted(network)
    assert (plain != sampled).any()
    monkeypatch.setattr(StatisticsProbe, "fit", lambda *_: None)
    np.testing.assert_array_equal(painted(network), plain)


def test_frozen_statistics_take_no_sample(monkeypatch):
    monkeypatch.setattr(StatisticsProbe, "fit", lambda *_: pytest.fail("there was one"))
    network = make_network()
    np.testing.assert_array_equal(painted(network, frozen=True), painted(network, samples=0, frozen=True))


def test_changed_weights_and_another_side_get_samples_of_their_own():
    network = make_network()
    engine = BoxEngine(network)
    for side, sign in ((SIDE, 1), (128, 1), (128, -1), (SIDE, -1)):
        for module in (network.down[1], network.up[1]):
            module.weight.data.abs_().mul_(sign)
        if sign < 0:
            engine.weights_changed()
        labels, fresh = draw_face(side, 0)[1], BoxEngine(network)
        after = edited(labels, Box(20, 30, 60, 50), 13)
        for each in (engine, fresh):
            each.generate(labels, make_style(network))
        np.testing.assert_array_equal(engine.update(after), fresh.update(after))
