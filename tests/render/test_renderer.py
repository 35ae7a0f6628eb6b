"""The renderer on tiny real networks: once per photo, many per edit, and what it does when things go wrong."""

from functools import partial

import numpy as np
import pytest
import torch

from maskedit import Renderer, UserError, imaging
from maskedit.models.checkpoint import save_checkpoint
from maskedit.models.config import DmnConfig
from maskedit.models.dense_mapping import DenseMappingNetwork
from maskedit.models.tensors import one_hot, photo_to_tensor, tensor_to_photo
from maskedit.render.boxes.box_engine import BoxEngine
from tests.faces import draw_face


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(3)
    network = DenseMappingNetwork(DmnConfig(width=4, size=64)).eval()
    for parameter in network.encoder.parameters():  # as initialised, all photos have nearly the same style code
        parameter.data *= 5
    return network


@pytest.fixture(scope="module")
def weights(network, tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    return save_checkpoint(path, network, {"data": "none"}, dtype=torch.float32)


@pytest.fixture
def renderer(weights):
    return Renderer(weights, device="cpu", precision="float32")


def test_a_render_is_the_networks_output(renderer, network):
    photo, labels = draw_face(64, 0)
    _, edited = draw_face(64, 1)
    renderer.set_target(photo, labels)
    result = renderer.render(edited)
    with torch.inference_mode():
        expected = network(photo_to_tensor(photo), one_hot(labels), one_hot(edited))
    assert result.image.dtype == np.uint8
    assert result.image.shape == (64, 64, 3)
    # Layer by layer, in another order of the sums: a value here and there is rounded the other way.
    assert np.abs(result.image.astype(int) - tensor_to_photo(expected[0])).max() <= 1
    assert (result.image != tensor_to_photo(expected[0])).mean() < 0.01
    assert result.mode == "full"
    assert result.engine == "CPU float32, 64 px"
    assert result.seconds > 0
    assert result.notice == ""


def test_the_style_code_is_computed_once_a_photo(renderer, monkeypatch):
    calls = []
    style = renderer._network.style
    monkeypatch.setattr(renderer._network, "style", lambda *given: calls.append(1) or style(*given))
    photo, labels = draw_face(64, 0)
    renderer.set_target(photo, labels)
    first = renderer.render(labels).image
    for seed in range(3):
        renderer.render(draw_face(64, seed)[1])
    assert len(calls) == 1
    np.testing.assert_array_equal(renderer.render(labels).image, first)
    renderer.set_target(*draw_face(64, 5))
    assert (renderer.render(labels).image != first).any()
    assert len(calls) == 2


def test_the_target_is_a_copy(renderer):
    photo, labels = draw_face(64, 0)
    renderer.set_target(photo, labels)
    first = renderer.render(labels.copy()).image
    renderer.set_target(photo, labels)
    photo[:], reference = 0, labels.copy()
    np.testing.assert_array_equal(renderer.render(reference).image, first)


def test_renders_at_the_weights_side_and_scales_to_the_photos(renderer):
    photo, labels = draw_face(160, 0)
    renderer.set_target(photo, labels)
    large = renderer.render(labels).image
    assert large.shape == (160, 160, 3)
    renderer.set_target(imaging.resize_photo(photo, (64, 64)), imaging.resize_labels(labels, (64, 64)))
    small = renderer.render(imaging.resize_labels(labels, (64, 64))).image
    np.testing.assert_array_equal(large, imaging.resize_photo(small, (160, 160)))


def test_another_render_side_may_be_asked_for(weights):
    renderer = Renderer(weights, device="cpu", precision="float32", size=80)
    photo, labels = draw_face(80, 0)
    renderer.set_target(photo, labels)
    assert renderer.render(labels).image.shape == (80, 80, 3)
    assert renderer.engine.endswith("80 px")
    for wrong in (100, 16, 0):
        with pytest.raises(UserError, match="multiple of 16, at least 32"):
            Renderer(weights, size=wrong)


def test_a_gpu_that_is_full_from_the_start_leaves_the_cpu(weights, monkeypatch):
    monkeypatch.setattr("maskedit.render.renderer.choose_device", lambda choice: torch.device("meta"))
    to = DenseMappingNetwork.to

    def full(self, device, *given, **options):
        if device.type == "meta":
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return to(self, device, *given, **options)

    monkeypatch.setattr(DenseMappingNetwork, "to", full)
    renderer = Renderer(weights, precision="float32")
    photo, labels = draw_face(64, 0)
    renderer.set_target(photo, labels)
    assert "on the CPU" in renderer.render(labels).notice
    assert renderer.engine == "CPU float32, 64 px"
    assert renderer.render(labels).notice == ""


def test_about_tells_file_training_and_licence(weights):
    assert "tiny.safetensors" in Renderer(weights, device="cpu").about
    assert "Licence of the weights: not stated" in Renderer(weights, device="cpu").about


def test_bfloat16_stays_close_to_float32(weights, renderer):
    photo, labels = draw_face(64, 0)
    half = Renderer(weights, device="cpu", precision="bfloat16")
    for each in (renderer, half):
        each.set_target(photo, labels)
    difference = np.abs(renderer.render(labels).image.astype(int) - half.render(labels).image)
    assert half.engine == "CPU bfloat16, 64 px"
    assert difference.mean() < 3


class OutOfMemory:
    """Stands for a generator whose device has no memory for the first ``times`` calls."""

    def __init__(self, generate, times):
        self.generate, self.times, self.calls = generate, times, 0

    def __call__(self, *given):
        self.calls += 1
        if self.calls <= self.times:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return self.generate(*given)

    def __get__(self, engine, _):
        return partial(self, engine)


@pytest.mark.parametrize(("times", "notice"), [(1, "tried again"), (2, "on the CPU")])
def test_out_of_gpu_memory_tries_again_then_goes_on_on_the_cpu(renderer, monkeypatch, times, notice):
    photo, labels = draw_face(64, 0)
    renderer.set_target(photo, labels)
    expected = renderer.render(labels).image
    renderer.set_target(photo, labels)
    monkeypatch.setattr(BoxEngine, "generate", OutOfMemory(BoxEngine.generate, times))
    result = renderer.render(labels)
    assert notice in result.notice
    assert renderer.device.type == "cpu"
    assert renderer.precision == torch.float32  # as it was asked for
    assert np.abs(result.image.astype(int) - expected).mean() < 3
    assert renderer.render(labels).notice == ""


def test_wrong_input_says_what_came_and_what_was_wanted(renderer):
    photo, labels = draw_face(64, 0)
    with pytest.raises(UserError, match="set_target first"):
        renderer.render(labels)
    with pytest.raises(UserError, match=r"64 x 48 px; wanted a square"):
        renderer.set_target(photo[:48], labels[:48])
    with pytest.raises(UserError, match=r"float64 \(64, 64, 3\); wanted \(S, S, 3\) uint8"):
        renderer.set_target(photo / 255, labels)
    with pytest.raises(UserError, match=r"wanted \(64, 64\) uint8"):
        renderer.set_target(photo, labels[:32])
    renderer.set_target(photo, labels)
    with pytest.raises(UserError, match="holds id 19"):
        renderer.render(np.where(labels == 0, 19, labels).astype(np.uint8))
    assert renderer.render(labels).image.shape == (64, 64, 3)


def test_devices_and_weights_that_are_not_there(weights, tmp_path):
    with pytest.raises(UserError, match="no weight file"):
        Renderer(tmp_path / "none.safetensors")
    with pytest.raises(UserError, match="'abacus' is unknown"):
        Renderer(weights, device="abacus")
    with pytest.raises(UserError, match="float8"):
        Renderer(weights, precision="float8")
    if not torch.cuda.is_available():
        with pytest.raises(UserError, match="torch finds none here"):
            Renderer(weights, device="cuda")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA GPU")
def test_the_gpu_agrees_with_the_cpu(weights, renderer):
    photo, labels = draw_face(64, 0)
    gpu = Renderer(weights, device="cuda", precision="float32")
    for each in (renderer, gpu):
        each.set_target(photo, labels)
    assert np.abs(renderer.render(labels).image.astype(int) - gpu.render(labels).image).max() <= 2


@pytest.mark.slow
def test_the_shipped_weights_obey_an_edit():
    """The bundled portrait with the bundled weights: more hair darkens what was background."""
    from maskedit import resources

    photo = imaging.read_photo(resources.asset("collins.jpg"))
    labels = imaging.read_labels(resources.asset("collins_labels.png"))
    renderer = Renderer(device="cpu")
    renderer.set_target(photo, labels)
    before = renderer.render(labels).image
    edited = labels.copy()
    edited[330:480, 30:110] = 13
    after = renderer.render(edited).image
    assert before.shape == photo.shape
    changed = np.abs(after.astype(int) - before)[330:480, 30:110].mean()
    elsewhere = np.abs(after.astype(int) - before)[:200].mean()
    assert changed > 3 * elsewhere
    assert changed > 10
