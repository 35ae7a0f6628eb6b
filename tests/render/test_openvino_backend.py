"""The generator by OpenVINO against the same network by torch, and what happens to it in a program's life."""

import builtins
import json

import numpy as np
import pytest
import torch

from maskedit.models.config import DmnConfig
from maskedit.models.dense_mapping import DenseMappingNetwork
from maskedit.models.variants import build_generator
from maskedit.render import openvino_backend
from maskedit.render.backends import TorchBackend
from maskedit.render.modes import Cancelled
from maskedit.render.openvino_backend import OpenVinoBackend, OpenVinoMissing, supports
from tests.faces import draw_face

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


def make_backend(network, precision="float32", *, size=64, cache=None, **options):
    return OpenVinoBackend(network, size=size, precision=precision, fingerprint="f00d", cache=cache, **options)


def differences(backend, network, pairs):
    """(N, S, S, 3): levels between the backend's pictures and torch's in float32."""
    plain = TorchBackend(network)
    return np.stack([np.abs(backend.generate(*pair).astype(int) - plain.generate(*pair)) for pair in pairs])


@pytest.mark.parametrize("variant", ["maskgan", "maskgan-concat", "pix2pixhd-m"])
def test_float32_is_torchs_picture(variant, pairs):
    network = make_network(variant)
    backend = make_backend(network)
    image = backend.generate(*pairs[0])
    assert image.shape == (64, 64, 3)
    assert image.dtype == np.uint8
    assert image.std() > 5  # a flat picture would compare well with anything
    assert differences(backend, network, pairs).max() <= 1


def test_another_side(network):
    pair = (draw_face(96, 1)[1], style_code(1))
    assert differences(make_backend(network, size=96), network, [pair]).max() <= 1


def test_bfloat16_stays_close(network, pairs):
    assert differences(make_backend(network, "bfloat16"), network, pairs).mean() < 2


def test_int8_stays_close(network, pairs):
    assert differences(make_backend(network, "int8", calibration=lambda: pairs), network, pairs).mean() < 3


def test_a_style_code_may_come_in_half_precision(network, pairs):
    ids, style = pairs[0]
    backend = make_backend(network)
    np.testing.assert_array_equal(
        backend.generate(ids, style.bfloat16()), backend.generate(ids, style.bfloat16().float())
    )


def test_style_and_labels_change_without_building_again(network, pairs, monkeypatch):
    backend = make_backend(network)
    ids, style = pairs[0]
    first = backend.generate(ids, style)
    kept = first.copy()
    assert (backend.generate(ids, style_code(7)) != first).any()
    assert (backend.generate(draw_face(64, 5)[1], style) != first).any()
    np.testing.assert_array_equal(backend.generate(ids, style), first)
    np.testing.assert_array_equal(first, kept)  # of its own memory


@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_it_keeps_the_weights_that_it_was_made_with(network, pairs, precision):
    backend = make_backend(network, precision, calibration=lambda: pairs)
    before = backend.generate(*pairs[0])
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(1 + 0.5 * torch.rand_like(parameter))
    np.testing.assert_array_equal(backend.generate(*pairs[0]), before)


def test_calibration_is_done_once_for_weights_and_side(network, pairs, tmp_path, monkeypatch):
    calls = []
    measured = openvino_backend._measured
    monkeypatch.setattr(openvino_backend, "_measured", lambda *given: calls.append(1) or measured(*given))
    folder = tmp_path / "not" / "yet"
    first = make_backend(network, "int8", cache=folder, calibration=lambda: pairs).generate(*pairs[0])
    assert len(calls) == len(pairs)
    assert [path.suffix for path in folder.iterdir()] == [".json"]
    again = make_backend(network, "int8", cache=folder, calibration=lambda: pairs)
    assert len(calls) == len(pairs)
    np.testing.assert_array_equal(again.generate(*pairs[0]), first)


@pytest.mark.parametrize(
    "damage", [b"", b"\xff\xfe", b"[1, 2]", b"{}", "stem", b"[" * 100_000], ids=lambda damage: str(damage)[:12]
)
def test_a_damaged_cache_is_made_anew(network, pairs, tmp_path, damage):
    first = make_backend(network, "int8", cache=tmp_path, calibration=lambda: pairs).generate(*pairs[0])
    (path,) = tmp_path.iterdir()
    good = path.read_bytes()
    path.write_bytes(
        json.dumps(json.loads(good) | {"stem": [0, float("nan")]}).encode() if damage == "stem" else damage
    )
    again = make_backend(network, "int8", cache=tmp_path, calibration=lambda: pairs).generate(*pairs[0])
    np.testing.assert_array_equal(again, first)
    assert path.read_bytes() == good


def test_a_cache_that_cannot_be_written_does_no_harm(network, pairs, tmp_path):
    (tmp_path / "file").write_text("in the way")
    backend = make_backend(network, "int8", cache=tmp_path / "file", calibration=lambda: pairs)
    assert backend.generate(*pairs[0]).shape == (64, 64, 3)


def test_other_precisions_keep_no_cache(network, tmp_path):
    make_backend(network, cache=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_cancelled_gives_up_and_the_next_picture_is_right():
    torch.manual_seed(3)
    network = DenseMappingNetwork(DmnConfig(width=8, size=512)).eval()  # large enough to be met at work
    style = torch.randn(1, network.config.style_values)
    first, second = draw_face(512, 0)[1], draw_face(512, 1)[1]
    backend = make_backend(network, size=512)
    whole = backend.generate(second, style)
    asked = []
    with pytest.raises(Cancelled):
        backend.generate(first, style, lambda: asked.append(1) or len(asked) >= 2)
    assert len(asked) == 2
    np.testing.assert_array_equal(backend.generate(second, style), whole)


def test_another_network_is_refused():
    spade = make_network("spade")
    assert not supports(spade)
    with pytest.raises(ValueError, match="not a "):
        make_backend(spade)


def test_int8_needs_calibration(network):
    assert supports(network)
    with pytest.raises(ValueError, match="calibrate"):
        make_backend(network, "int8")


def test_without_openvino_it_says_so(network, monkeypatch):
    plain = builtins.__import__

    def refuse(name, *given, **options):
        if name == "openvino":
            raise ImportError(name)
        return plain(name, *given, **options)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(OpenVinoMissing, match=r"maskedit\[cpu\]"):
        make_backend(network)
