"""The CUDA graph: on a GPU that it draws the right pictures, everywhere that it keeps its promises.

Without a GPU a stand-in calls the recorded function at every replay: what that cannot show, the tests on a GPU do.
"""

import numpy as np
import pytest
import torch

from maskedit.models.config import DmnConfig
from maskedit.models.variants import build_generator
from maskedit.render.engines import cuda_graph
from maskedit.render.engines.cuda_graph import CudaGraphEngine, NoGraph
from maskedit.render.engines.engine import TorchEngine
from maskedit.render.modes import Cancelled
from tests.faces import draw_face

on_a_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA GPU")


class Recorder:
    """Stands for the GPU: records by keeping the function, replays by calling it. ``failures`` are raised first."""

    def __init__(self):
        self.failures, self.records, self.replays = [], 0, 0

    def __call__(self, work, device):
        self.records += 1
        if self.failures:
            raise self.failures.pop(0)

        def replay():
            self.replays += 1
            work()

        return replay


def make_network(variant="maskgan"):
    torch.manual_seed(3)
    return build_generator(DmnConfig(width=4, size=64, variant=variant)).eval()


def make_style(network, seed=0):
    return 0.3 * torch.randn(1, network.config.style_values, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def network():
    return make_network()


@pytest.fixture
def recorder(monkeypatch):
    recorder = Recorder()
    monkeypatch.setattr(cuda_graph, "_recorded", recorder)
    return recorder


@pytest.fixture
def engine(network, recorder):
    return CudaGraphEngine(network, size=64)


def apart(one, other):
    """The largest difference of two pictures, in levels."""
    return np.abs(one.astype(int) - other).max()


@pytest.mark.parametrize("variant", DmnConfig.VARIANTS)
def test_draws_what_torch_draws(recorder, variant):
    network = make_network(variant)
    engine, style, (_, ids) = CudaGraphEngine(network, size=64), make_style(network), draw_face(64, 0)
    image = engine.generate(ids, style)
    assert (image.shape, image.dtype) == ((64, 64, 3), np.uint8)
    assert apart(image, TorchEngine(network).generate(ids, style)) <= 1
    assert image.std() > 1
    assert engine.name == "CUDA graph float32"


def test_one_recording_for_every_render(engine, network, recorder):
    for seed in range(4):
        _, ids = draw_face(64, seed)
        style = make_style(network, seed)
        assert apart(engine.generate(ids, style), TorchEngine(network).generate(ids, style)) <= 1
    assert (recorder.records, recorder.replays) == (1, 5)  # one to see that it draws the right picture


def test_a_render_owns_its_memory(engine, network):
    first = engine.generate(draw_face(64, 0)[1], make_style(network))
    kept = first.copy()
    second = engine.generate(draw_face(64, 1)[1], make_style(network))
    assert (second != kept).any()
    np.testing.assert_array_equal(first, kept)
    assert first.flags.writeable


def test_a_style_that_changes_in_place(engine, network):
    (_, ids), style = draw_face(64, 0), make_style(network)
    first = engine.generate(ids, style)
    style.mul_(2)
    assert apart(engine.generate(ids, style), TorchEngine(network).generate(ids, style)) <= 1
    assert (engine.generate(ids, style) != first).any()


def test_weights_changed_in_place_need_no_new_recording(engine, network, recorder):
    (_, ids), style = draw_face(64, 0), make_style(network)
    before = engine.generate(ids, style)
    with torch.no_grad():
        network.head.weight.mul_(0.5)
    engine.weights_changed()
    after = engine.generate(ids, style)
    assert apart(after, TorchEngine(network).generate(ids, style)) <= 1
    assert apart(after, before) > 1
    assert recorder.records == 1


def test_weights_that_moved_are_recorded_anew(engine, network, recorder):
    (_, ids), style = draw_face(64, 0), make_style(network)
    engine.generate(ids, style)
    network.head.weight.data = (network.head.weight.data * 0.5).clone()
    engine.weights_changed()
    for _ in range(2):
        assert apart(engine.generate(ids, style), TorchEngine(network).generate(ids, style)) <= 1
    assert recorder.records == 2
    assert not any(weight.is_inference() for weight in network.parameters())  # or nothing could be learned


def test_out_of_memory_passes_through_and_the_next_call_tries_again(engine, network, recorder):
    (_, ids), style = draw_face(64, 0), make_style(network)
    expected = engine.generate(ids, style)
    shortages = [torch.OutOfMemoryError("CUDA out of memory.") for _ in range(2)]
    masked = RuntimeError("operation failed due to a previous error during capture")
    masked.__context__ = shortages[1]
    for failure, shortage in zip((shortages[0], masked), shortages, strict=True):
        network.head.weight.data = network.head.weight.data.clone()
        engine.weights_changed()
        recorder.failures.append(failure)
        with pytest.raises(torch.OutOfMemoryError) as raised:
            engine.generate(ids, style)
        assert raised.value is shortage
        np.testing.assert_array_equal(engine.generate(ids, style), expected)


@pytest.mark.parametrize(
    ("failure", "expected"),
    [(torch.OutOfMemoryError("CUDA out of memory."), torch.OutOfMemoryError), (RuntimeError("no"), NoGraph)],
)
def test_a_failure_at_the_start_leaves_no_engine(network, recorder, failure, expected):
    recorder.failures.append(failure)
    with pytest.raises(expected, match=str(failure)):
        CudaGraphEngine(network, size=64)


def test_a_recording_that_fails_can_be_tried_again(engine, network, recorder):
    (_, ids), style = draw_face(64, 0), make_style(network)
    expected = engine.generate(ids, style)
    network.head.weight.data = network.head.weight.data.clone()
    engine.weights_changed()
    recorder.failures.append(RuntimeError("no capture today"))
    with pytest.raises(NoGraph, match="no capture today"):
        engine.generate(ids, style)
    np.testing.assert_array_equal(engine.generate(ids, style), expected)


def test_cancelled_is_asked_before_the_launch(engine, network, recorder):
    (_, ids), style = draw_face(64, 0), make_style(network)
    with pytest.raises(Cancelled):
        engine.generate(ids, style, lambda: True)
    assert recorder.replays == 1  # the one at the start
    asked = []
    engine.generate(ids, style, lambda: bool(asked.append(1)))
    assert len(asked) == 1


def test_ids_of_another_side_or_type_are_refused(engine, network):
    for wrong in (np.zeros((32, 32), np.uint8), np.zeros((1, 64), np.uint8), np.zeros((64, 64), np.int64)):
        with pytest.raises(ValueError, match="uint8 of side 64"):
            engine.generate(wrong, make_style(network))


@pytest.mark.skipif(torch.cuda.is_available(), reason="a CUDA GPU")
def test_without_a_gpu_there_is_no_graph(network):
    with pytest.raises(NoGraph):
        CudaGraphEngine(network, size=64)


def test_the_compiler_comes_first_where_it_is_asked_for(network, recorder, monkeypatch):
    compiled = []
    monkeypatch.setattr(torch, "compile", lambda picture, **options: compiled.append(options) or picture)
    assert CudaGraphEngine(network, size=64).name == "CUDA graph float32"
    assert compiled == []
    engine, (_, ids), style = CudaGraphEngine(network, size=64, compiled=True), draw_face(64, 0), make_style(network)
    assert engine.name == "CUDA graph float32, compiled"
    assert compiled == [{"fullgraph": True, "dynamic": False}]
    assert apart(engine.generate(ids, style), TorchEngine(network).generate(ids, style)) <= 1


def test_a_graph_that_draws_something_else_is_refused(network, recorder, monkeypatch):
    monkeypatch.setattr(torch, "compile", lambda picture, **options: lambda *given: 255 - picture(*given))
    with pytest.raises(NoGraph, match="differs from the network by"):
        CudaGraphEngine(network, size=64, compiled=True)


@pytest.mark.slow
def test_the_compiler_can_take_the_network_in_one_piece(network):
    """Dynamo alone, without the code generation: a break in the graph would raise."""
    ids, style = torch.from_numpy(draw_face(64, 0)[1])[None], make_style(network)
    whole = torch.compile(cuda_graph._picture, fullgraph=True, dynamic=False, backend="eager")
    with torch.inference_mode():
        assert torch.equal(whole(network, ids, style), cuda_graph._picture(network, ids, style))


@pytest.fixture
def exact(monkeypatch):
    """float32 that is float32: TF32 would differ from kernel to kernel."""
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)


@pytest.fixture
def on_gpu(network):
    return network.to("cuda", memory_format=torch.channels_last)


@on_a_gpu
@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("side", [64, 96])
def test_gpu_draws_what_torch_draws_again_and_again(on_gpu, exact, side, compiled):
    engine, torch_engine = CudaGraphEngine(on_gpu, size=side, compiled=compiled), TorchEngine(on_gpu)
    faces = [draw_face(side, seed)[1] for seed in range(3)]
    styles = [make_style(on_gpu, seed).cuda() for seed in range(2)]
    expected = {(i, j): torch_engine.generate(faces[i], styles[j]) for i in range(3) for j in range(2)}
    assert apart(expected[0, 0], expected[0, 1]) > 1
    for turn in range(200):
        i, j = turn % 3, turn // 7 % 2
        assert apart(engine.generate(faces[i], styles[j]), expected[i, j]) <= 1, turn


@on_a_gpu
def test_gpu_bfloat16_stays_close_to_float32(on_gpu, exact):
    (_, ids), style = draw_face(64, 0), make_style(on_gpu).cuda()
    expected = TorchEngine(on_gpu).generate(ids, style).astype(int)
    engine = CudaGraphEngine(on_gpu.bfloat16(), size=64, compiled=False)
    assert engine.name == "CUDA graph bfloat16"
    assert np.abs(engine.generate(ids, style) - expected).mean() < 3


@on_a_gpu
def test_gpu_takes_a_style_from_the_cpu_and_weights_changed_in_place(on_gpu, exact):
    engine, (_, ids), style = CudaGraphEngine(on_gpu, size=64, compiled=False), draw_face(64, 0), make_style(on_gpu)
    before = engine.generate(ids, style)
    kept = before.copy()
    with torch.no_grad():
        on_gpu.head.weight.mul_(0.5)
    engine.weights_changed()
    after = engine.generate(ids, style)
    assert apart(after, TorchEngine(on_gpu).generate(ids, style)) <= 1
    assert apart(after, before) > 1
    np.testing.assert_array_equal(before, kept)


@on_a_gpu
def test_gpu_weights_that_moved(on_gpu, exact):
    engine, (_, ids), style = CudaGraphEngine(on_gpu, size=64, compiled=False), draw_face(64, 0), make_style(on_gpu)
    engine.generate(ids, style)
    for weight in on_gpu.parameters():
        weight.data = weight.data * 0.9
    engine.weights_changed()
    assert apart(engine.generate(ids, style), TorchEngine(on_gpu).generate(ids, style)) <= 1


@on_a_gpu
@pytest.mark.parametrize(("failure", "expected"), [("memory", torch.OutOfMemoryError), ("sync", NoGraph)])
def test_gpu_goes_on_after_a_capture_that_failed(on_gpu, exact, monkeypatch, failure, expected):
    generate = on_gpu.generate

    def fail(labels, style):
        image = generate(labels, style)
        if torch.cuda.is_current_stream_capturing():
            if failure == "memory":
                raise torch.OutOfMemoryError("CUDA out of memory.")
            image.sum().item()  # what a capture cannot hold
        return image

    benchmark, stream = torch.backends.cudnn.benchmark, torch.cuda.current_stream()
    with monkeypatch.context() as patch:
        patch.setattr(on_gpu, "generate", fail)
        with pytest.raises(expected):
            CudaGraphEngine(on_gpu, size=64, compiled=False)
    assert (torch.backends.cudnn.benchmark, torch.cuda.current_stream()) == (benchmark, stream)
    (_, ids), style = draw_face(64, 0), make_style(on_gpu).cuda()
    expected = TorchEngine(on_gpu).generate(ids, style)
    assert apart(CudaGraphEngine(on_gpu, size=64, compiled=False).generate(ids, style), expected) <= 1
