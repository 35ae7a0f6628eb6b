"""The generator by OpenVINO against the same network by torch, and what happens to it in a program's life."""

import builtins
import json
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from maskedit.models.config import DmnConfig
from maskedit.models.context import ATTENTION_LEVEL
from maskedit.models.dense_mapping import DenseMappingNetwork
from maskedit.models.holes import edit_hole
from maskedit.models.tensors import one_hot, photo_to_tensor
from maskedit.models.variants import build_generator
from maskedit.render.completion import portrait_completions
from maskedit.render.engines import openvino_engine
from maskedit.render.engines.engine import TorchEngine
from maskedit.render.engines.openvino_engine import OpenVinoCompletion, OpenVinoEngine, supports
from maskedit.render.engines.openvino_graph import ContextGraph, OpenVinoMissing, import_openvino, openvino_core
from maskedit.render.modes import Cancelled
from tests.faces import draw_face

ROOT = Path(__file__).parent.parent.parent.parent

pytest.importorskip("openvino")


def make_network(variant="maskgan"):
    torch.manual_seed(3)
    return build_generator(DmnConfig(width=4, size=64, variant=variant)).eval()


@pytest.fixture
def network():
    return make_network()


def style_code(seed):
    values = DmnConfig(width=4, size=64).style_values
    return torch.randn(1, values, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def pairs():
    return [(draw_face(64, seed)[1], style_code(seed)) for seed in range(3)]


def make_engine(network, precision="float32", *, size=64, cache=None, **options):
    return OpenVinoEngine(network, size=size, precision=precision, fingerprint="f00d", cache=cache, **options)


def differences(engine, network, pairs):
    """(N, S, S, 3): levels between the engine's pictures and torch's in float32."""
    plain = TorchEngine(network)
    return np.stack([np.abs(engine.generate(*pair).astype(int) - plain.generate(*pair)) for pair in pairs])


@pytest.mark.slow
@pytest.mark.parametrize("variant", ["maskgan", "maskgan-concat", "pix2pixhd-m"])
def test_float32_is_torchs_picture(variant, pairs):
    network = make_network(variant)
    engine = make_engine(network)
    image = engine.generate(*pairs[0])
    assert image.shape == (64, 64, 3)
    assert image.dtype == np.uint8
    assert image.std() > 5  # a flat picture would compare well with anything
    assert differences(engine, network, pairs).max() <= 1


def test_another_side(network):
    pair = (draw_face(96, 1)[1], style_code(1))
    assert differences(make_engine(network, size=96), network, [pair]).max() <= 1


def test_bfloat16_stays_close(network, pairs):
    assert differences(make_engine(network, "bfloat16"), network, pairs).mean() < 2


def test_int8_stays_close(network, pairs):
    assert differences(make_engine(network, "int8", calibration=lambda: pairs), network, pairs).mean() < 3


def test_a_style_code_may_come_in_half_precision(network, pairs):
    ids, style = pairs[0]
    engine = make_engine(network)
    np.testing.assert_array_equal(
        engine.generate(ids, style.bfloat16()), engine.generate(ids, style.bfloat16().float())
    )


def test_style_and_labels_change_without_building_again(network, pairs, monkeypatch):
    engine = make_engine(network)
    ids, style = pairs[0]
    first = engine.generate(ids, style)
    kept = first.copy()
    assert (engine.generate(ids, style_code(7)) != first).any()
    assert (engine.generate(draw_face(64, 5)[1], style) != first).any()
    np.testing.assert_array_equal(engine.generate(ids, style), first)
    np.testing.assert_array_equal(first, kept)  # of its own memory


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_it_keeps_the_weights_that_it_was_made_with(network, pairs, precision):
    engine = make_engine(network, precision, calibration=lambda: pairs)
    before = engine.generate(*pairs[0])
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(1 + 0.5 * torch.rand_like(parameter))
    np.testing.assert_array_equal(engine.generate(*pairs[0]), before)


@pytest.mark.slow
def test_calibration_is_done_once_for_weights_and_side(network, pairs, tmp_path, monkeypatch):
    calls = []
    measured = openvino_engine._measured
    monkeypatch.setattr(openvino_engine, "_measured", lambda *given: calls.append(1) or measured(*given))
    folder = tmp_path / "not" / "yet"
    first = make_engine(network, "int8", cache=folder, calibration=lambda: pairs).generate(*pairs[0])
    assert len(calls) == len(pairs)
    assert [path.suffix for path in folder.iterdir()] == [".json"]
    again = make_engine(network, "int8", cache=folder, calibration=lambda: pairs)
    assert len(calls) == len(pairs)
    np.testing.assert_array_equal(again.generate(*pairs[0]), first)


@pytest.mark.slow
@pytest.mark.parametrize(
    "damage", [b"", b"\xff\xfe", b"[1, 2]", b"{}", "stem", b"[" * 100_000], ids=lambda damage: str(damage)[:12]
)
def test_a_damaged_cache_is_made_anew(network, pairs, tmp_path, damage):
    first = make_engine(network, "int8", cache=tmp_path, calibration=lambda: pairs).generate(*pairs[0])
    (path,) = tmp_path.iterdir()
    good = path.read_bytes()
    path.write_bytes(
        json.dumps(json.loads(good) | {"stem": [0, float("nan")]}).encode() if damage == "stem" else damage
    )
    again = make_engine(network, "int8", cache=tmp_path, calibration=lambda: pairs).generate(*pairs[0])
    np.testing.assert_array_equal(again, first)
    assert path.read_bytes() == good


def test_a_cache_that_cannot_be_written_does_no_harm(network, pairs, tmp_path):
    (tmp_path / "file").write_text("in the way")
    engine = make_engine(network, "int8", cache=tmp_path / "file", calibration=lambda: pairs)
    assert engine.generate(*pairs[0]).shape == (64, 64, 3)


def test_other_precisions_keep_no_cache(network, tmp_path):
    make_engine(network, cache=tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_cancelled_gives_up_and_the_next_picture_is_right():
    torch.manual_seed(3)
    network = DenseMappingNetwork(DmnConfig(width=8, size=512)).eval()  # large enough to be met at work
    style = torch.randn(1, network.config.style_values)
    first, second = draw_face(512, 0)[1], draw_face(512, 1)[1]
    engine = make_engine(network, size=512)
    whole = engine.generate(second, style)
    asked = []
    with pytest.raises(Cancelled):
        engine.generate(first, style, lambda: asked.append(1) or len(asked) >= 2)
    assert len(asked) == 2
    np.testing.assert_array_equal(engine.generate(second, style), whole)


def make_context(side=64):
    """A network whose context branch says something."""
    torch.manual_seed(3)
    network = build_generator(DmnConfig(width=4, size=side, variant="maskgan-context")).eval().requires_grad_(False)
    for name, parameter in network.named_parameters():
        if name.startswith(("into_", "attention.out", "modulations")):
            torch.nn.init.normal_(parameter, 0, 0.3)
    return network


def make_completion(network, precision="float32", *, cache=None, **options):
    return OpenVinoCompletion(network, precision=precision, fingerprint="f00d", cache=cache, **options)


def hidden(side=64, seed=0, part=(16, 40)):
    """Label ids, photo and hole of an edited face."""
    photo, reference = draw_face(side, seed)
    ids = torch.from_numpy(reference)[None].clone()
    before = ids.clone()
    ids[:, part[0] : part[1], part[0] : part[1]] = 13
    return ids, photo_to_tensor(photo), edit_hole(before, ids)


def region_styles(network, side=64, seed=0):
    photo, reference = draw_face(side, seed)
    return network.regions(photo_to_tensor(photo), one_hot(torch.from_numpy(reference)[None]))


def off(network, completion, ids, photo, hole, style=None):
    """How far a completion is from torch's in float32, pixel by pixel."""
    style = style_code(1) if style is None else style
    regions = region_styles(network, ids.shape[-1])
    image = completion.complete(ids, style, photo, hole, regions)
    assert image.dtype == torch.float32
    wanted = network.complete(one_hot(ids), style.float(), photo, hole, regions)
    assert image.shape == wanted.shape
    assert float(wanted.std()) > 0.05
    return (image - wanted).abs()


@pytest.mark.slow
@pytest.mark.parametrize("side", [64, 96])
def test_a_completion_in_float32_is_torchs(side):
    network = make_context(side)
    completion = make_completion(network)
    for seed in range(2):
        assert float(off(network, completion, *hidden(side, seed)).max()) < 2e-3
    # Nearly everything is hidden: the attention finds little, and at last nothing.
    for end in (56, 62):
        assert float(off(network, completion, *hidden(side, part=(0, end * side // 64))).max()) < 2e-3


def test_what_a_completion_sees_matters():
    network = make_context()
    completion = make_completion(network)
    (ids, photo, hole), regions = hidden(), region_styles(network)
    drawn = completion.complete(ids, style_code(1), photo, hole, regions)
    darker = completion.complete(ids, style_code(1), photo - 0.5 * (1 - hole), hole, regions)
    assert float((drawn - darker).abs()[hole.expand_as(drawn) > 0].mean()) > 1e-3
    hole[..., 0, 0] = 0
    repeated = completion.complete(ids, style_code(1), torch.where(hole > 0, 0.3, photo), hole, regions)
    assert repeated.equal(drawn)  # not what is in the hole; and the first one was of its own memory
    others = completion.complete(ids, style_code(1), photo, hole, region_styles(network, seed=1))
    assert float((drawn - others).abs()[hole.expand_as(drawn) > 0].mean()) > 1e-3


@pytest.mark.parametrize("kind", ["f32", "bf16"])
def test_the_graph_makes_shares_of_labels_as_the_network_does_to_the_bit(kind):
    network, (ids, _, _) = make_context(), hidden()
    graph = ContextGraph(network, {})
    given, _ = graph._inputs(64)
    model = import_openvino().Model([graph._shares(given, 64)[ATTENTION_LEVEL]], [given], "shares")
    shares = openvino_core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": kind})([ids[0].numpy()])[0]
    assert np.array_equal(shares, network.cells(one_hot(ids)).numpy())


def test_a_completion_of_everything_is_torchs():
    network = make_context()
    ids, photo, hole = hidden()
    assert float(off(network, make_completion(network), ids, photo, torch.ones_like(hole)).max()) < 2e-3


def test_a_completion_in_bfloat16_stays_close():
    network = make_context()
    completion = make_completion(network, "bfloat16")
    ids, photo, hole = hidden()
    error = off(network, completion, ids, photo.bfloat16(), hole, style_code(1).bfloat16())
    assert float(error.mean()) < 0.03


@pytest.mark.slow
def test_a_completion_in_int8_stays_close_and_is_calibrated_once(tmp_path):
    network = make_context()
    calls = []

    def calibration():
        calls.append(1)
        cases = portrait_completions(network)
        assert len(cases) == 4
        assert all(hole.any() and not hole.all() for *_, hole, _ in cases)
        return cases

    for _ in range(2):
        completion = make_completion(network, "int8", cache=tmp_path, calibration=calibration)
        assert float(off(network, completion, *hidden()).mean()) < 0.1
    assert len(calls) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["int8-f00d-64-completions.json"]
    with pytest.raises(ValueError, match="calibrate"):
        make_completion(network, "int8")


def test_another_network_is_refused():
    spade = make_network("spade")
    assert not supports(spade)
    with pytest.raises(ValueError, match="not a "):
        make_engine(spade)


def test_int8_needs_calibration(network):
    assert supports(network)
    with pytest.raises(ValueError, match="calibrate"):
        make_engine(network, "int8")


def test_without_openvino_it_says_so(network, monkeypatch):
    plain = builtins.__import__

    def refuse(name, *given, **options):
        if name == "openvino":
            raise ImportError(name)
        return plain(name, *given, **options)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(OpenVinoMissing, match=r"maskedit\[cpu\]"):
        make_engine(network)


@pytest.mark.slow
def test_telemetry_is_not_started():
    """In a fresh process: no module of it, no thread, no process, and the package whole."""
    code = """import multiprocessing, os, sys, threading
from maskedit.render.engines.openvino_graph import import_openvino
forks = []
os.register_at_fork(before=lambda: forks.append(1))
openvino = import_openvino()
print([name for name in sys.modules if name.startswith('openvino_telemetry')])
print([thread.name for thread in threading.enumerate() if thread is not threading.main_thread()], forks)
print(multiprocessing.active_children(), len(openvino.Core().available_devices) > 0)"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.splitlines() == ["[]", "[] []", "[] True"]


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGUSR1"), reason="signals of POSIX")
def test_signals_are_handled_after_engines_have_gone():
    """In a fresh process: each of two runtimes would put back the signal stack that the other has freed."""
    code = """import gc, signal
import torch
from tests.render.engines.test_openvino_engine import make_engine, make_network
first = make_engine(make_network())
second = make_engine(make_network())
del first
gc.collect()
del second
gc.collect()
signal.signal(signal.SIGUSR1, lambda *_: print("handled"))
signal.raise_signal(signal.SIGUSR1)"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT)
    assert (run.returncode, run.stdout) == (0, "handled\n"), run.stderr
