"""Box renders: the halo arithmetic, running statistics, and that a box as large as the image is a full render."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from maskedit.document.history import Box
from maskedit.models.config import DmnConfig
from maskedit.models.dense_mapping import DenseMappingNetwork
from maskedit.models.layers import EPS
from maskedit.models.tensors import one_hot, tensor_to_photo
from maskedit.render.boxes.box_engine import BoxEngine, kept_bytes
from maskedit.render.boxes.geometry import EVERYTHING, Halo
from maskedit.render.convolution import Convolution
from maskedit.render.modes import Cancelled
from tests.faces import draw_face

SIDE = 96


def make_network(dtype=torch.float32, blocks=2):
    torch.manual_seed(3)
    network = DenseMappingNetwork(DmnConfig(width=4, size=SIDE, blocks=blocks)).eval()
    return network.to(dtype)


def make_style(network, seed=0):
    return torch.randn(1, network.config.style_values, generator=torch.Generator().manual_seed(seed))


def edited(labels, box, label):
    labels = labels.copy()
    labels[box.slices] = label
    return labels


def random_boxes(count, side=SIDE, seed=0):
    """Boxes of every size; the first ones at every border and corner, small and large."""
    random = np.random.default_rng(seed)
    for size in (1, 5, 16, 40, side - 1):
        for y in (0, (side - size) // 2, side - size):
            for x in (0, (side - size) // 2, side - size):
                yield Box(x, y, x + size, y + size)
                count -= 1
    for _ in range(count):
        (x0, x1), (y0, y1) = np.sort(random.integers(0, side + 1, (2, 2)))
        yield Box(int(x0), int(y0), max(int(x1), int(x0) + 1), max(int(y1), int(y0) + 1)).clipped(side, side) or Box(
            0, 0, 1, 1
        )


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_a_full_render_is_the_networks(dtype):
    network = make_network(dtype)
    labels, style = draw_face(SIDE, 0)[1], make_style(network)
    picture = BoxEngine(network).generate(labels, style)
    with torch.inference_mode():
        expected = tensor_to_photo(network.generate(one_hot(labels, dtype=dtype), style.to(dtype))[0])
    assert np.abs(picture.astype(int) - expected).max() <= (1 if dtype == torch.float32 else 8)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_a_box_as_large_as_the_image_is_a_full_render_to_the_last_bit(dtype):
    network = make_network(dtype)
    style, labels = make_style(network), draw_face(SIDE, 0)[1]
    engine, fresh = BoxEngine(network), BoxEngine(network)
    engine.generate(labels, style)
    for seed in (1, 2):
        other = draw_face(SIDE, seed)[1]
        engine.update_box(other, Box(0, 0, SIDE, SIDE), halo=EVERYTHING)
        np.testing.assert_array_equal(engine.picture, fresh.generate(other, style))
        for ours, theirs in zip(engine._states, fresh._states, strict=True):
            assert torch.equal(ours.raw, theirs.raw)
            assert torch.equal(ours.mean, theirs.mean)
            assert torch.equal(ours.variance, theirs.variance)


def frozen_render(network, labels, style, states):
    """What every convolution gives, each one whole, with the means and variances of ``states``."""
    codes = [half for block in style.chunk(len(network.blocks), 1) for half in block.chunk(2, 1)]
    raws = []

    def normalised(raw, code=None):
        state = states[len(raws)]
        raws.append(raw)
        x = (raw - state.mean[:, None, None]) / (state.variance[:, None, None] + EPS).sqrt()
        if code is None:
            return x
        bias, weight = code[:, :, None, None].chunk(2, dim=1)
        return x * weight + bias

    x = F.relu(normalised(network.stem(one_hot(labels))))
    for conv in network.down:
        x = F.relu(normalised(conv(x)))
    for index, block in enumerate(network.blocks):
        y = F.relu(normalised(block.conv1(x), codes[2 * index]))
        x = x + normalised(block.conv2(y), codes[2 * index + 1])
    for conv in network.up:
        x = F.relu(normalised(conv(x)))
    return raws, tensor_to_photo(torch.tanh(network.head(x))[0])


@pytest.mark.slow
def test_with_frozen_statistics_any_box_gives_what_the_whole_image_gives():
    network = make_network()
    style, labels = make_style(network), draw_face(SIDE, 0)[1]
    engine = BoxEngine(network)
    for number, box in enumerate(random_boxes(200)):
        engine.generate(labels, style)
        after = edited(labels, box, number % 19)
        engine.update_box(after, box, halo=_almost_everything(), frozen=True)
        with torch.inference_mode():
            raws, picture = frozen_render(network, after, style, engine._states)
        for index, (state, raw) in enumerate(zip(engine._states, raws, strict=True)):
            torch.testing.assert_close(
                state.raw, raw, rtol=1e-4, atol=1e-4, msg=lambda m, i=index, b=box: f"{i} {b} {m}"
            )
        assert np.abs(engine.picture.astype(int) - picture).max() <= 1


def _almost_everything():
    """No limit that matters; but no layer is recomputed whole with new statistics either: see the next test."""
    return Halo(down=10**6, blocks=10**6, up=10**6)


@pytest.mark.slow
def test_outside_its_region_nothing_changes_at_all():
    network = make_network()
    style, labels = make_style(network), draw_face(SIDE, 0)[1]
    engine = BoxEngine(network, Halo(down=2, blocks=1, up=3))
    for number, box in enumerate(random_boxes(60, seed=1)):
        before = engine.generate(labels, style)
        rows, columns = engine.update_box(edited(labels, box, number % 19), box)
        inside = np.zeros((SIDE, SIDE), bool)
        inside[rows.slice, columns.slice] = True
        assert inside[box.slices].all()
        np.testing.assert_array_equal(engine.picture[~inside], before[~inside])


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_running_statistics_are_those_of_what_is_kept(dtype):
    network = make_network(dtype)
    labels = draw_face(SIDE, 0)[1]
    engine = BoxEngine(network, Halo(down=2, blocks=0, up=3))
    engine.generate(labels, make_style(network))
    random = np.random.default_rng(0)
    for number in range(60):
        x, y = random.integers(0, SIDE - 20, 2)
        labels = edited(labels, Box(x, y, x + 17, y + 20), number % 19)
        engine.update(labels)
    for state in engine._states:
        variance, mean = torch.var_mean(state.raw.double(), (0, 2, 3), correction=0)
        torch.testing.assert_close(state.mean.double(), mean, rtol=1e-3, atol=1e-3)
        torch.testing.assert_close(state.variance.double(), variance, rtol=1e-3, atol=1e-3)


def test_an_edit_undone_leaves_little_of_it():
    network = make_network()
    style, labels = make_style(network), draw_face(SIDE, 0)[1]
    engine = BoxEngine(network)
    before = engine.generate(labels, style).astype(int)
    for box, label in ((Box(20, 20, 50, 40), 13), (Box(40, 30, 70, 80), 3), (Box(0, 60, 30, 96), 17)):
        engine.generate(labels, style)
        done = engine.update(edited(labels, box, label)).astype(int)
        undone = engine.update(labels).astype(int)
        assert np.abs(undone - before).mean() < 0.2 * np.abs(done - before).mean()


def test_two_edits_far_apart_are_two_boxes():
    torch.manual_seed(3)
    network = DenseMappingNetwork(DmnConfig(width=4, size=256, blocks=1)).eval()
    labels = draw_face(256, 0)[1]
    engine = BoxEngine(network, Halo(down=1, blocks=0, up=2))
    before = engine.generate(labels, make_style(network))
    after = edited(edited(labels, Box(20, 20, 40, 40), 13), Box(200, 200, 230, 230), 3)
    changed = (engine.update(after) != before).any(axis=2)
    assert changed[16:48, 16:48].any()
    assert changed[192:240, 192:240].any()
    changed[12:52, 12:52] = changed[188:244, 188:244] = False
    assert not changed.any()
    np.testing.assert_array_equal(engine.update(after), engine.picture)


def test_a_cancelled_render_leaves_what_was_kept():
    network = make_network()
    style, labels = make_style(network), draw_face(SIDE, 0)[1]
    engine, other = BoxEngine(network), BoxEngine(network)
    after = edited(labels, Box(30, 30, 60, 60), 13)
    for each in (engine, other):
        each.generate(labels, style)
    for layers in (0, 1, 7):
        asked = iter([False] * layers + [True])
        with pytest.raises(Cancelled):
            engine.generate(draw_face(SIDE, 4)[1], make_style(network, 1), lambda asked=asked: next(asked))
    np.testing.assert_array_equal(engine.update(after), other.update(after))


def test_pictures_are_copies():
    network = make_network()
    labels = draw_face(SIDE, 0)[1]
    engine = BoxEngine(network)
    first = engine.generate(labels, make_style(network))
    kept, first[:] = first.copy(), 0
    labels_before = labels.copy()
    after = edited(labels, Box(0, 0, 10, 10), 13)
    second = engine.update(after)
    np.testing.assert_array_equal(second[64:, 64:], kept[64:, 64:])
    second[:] = 0
    assert engine.picture.any()
    np.testing.assert_array_equal(labels, labels_before)


def test_changed_weights_are_used():
    network = make_network()
    style, labels = make_style(network), draw_face(SIDE, 0)[1]
    engine = BoxEngine(network)
    before = engine.generate(labels, style)
    network.head.weight.data *= -1
    engine.weights_changed()
    assert not engine.ready
    np.testing.assert_array_equal(engine.generate(labels, style), BoxEngine(network).generate(labels, style))
    assert (engine.picture != before).any()


def test_memory_is_what_was_foretold():
    for dtype in (torch.float32, torch.bfloat16):
        network = make_network(dtype)
        engine = BoxEngine(network)
        assert engine.nbytes == 0
        engine.generate(draw_face(SIDE, 0)[1], make_style(network))
        assert engine.nbytes == kept_bytes(network, SIDE)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_laid_out_weights_compute_the_same_as_torchs_convolution(dtype, monkeypatch):
    network = make_network(dtype)
    style, labels = make_style(network), draw_face(SIDE, 0)[1]
    packed = BoxEngine(network).generate(labels, style)
    monkeypatch.setattr(Convolution, "_pack", lambda self: setattr(self, "_plain", True))
    plain = BoxEngine(network).generate(labels, style)
    assert np.abs(packed.astype(int) - plain).max() <= (1 if dtype == torch.float32 else 8)


def test_where_weights_cannot_be_laid_out_it_goes_without(monkeypatch):
    monkeypatch.setattr(torch.ops.mkldnn, "_reorder_convolution_weight", None)
    convolution = Convolution(torch.nn.Conv2d(3, 5, 3))
    with torch.inference_mode():
        x = torch.randn(1, 3, 9, 9)
        torch.testing.assert_close(convolution(x), convolution._module(x))
