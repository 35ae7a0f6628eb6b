"""Which engine renders what: a contest that is held once and remembered, and what happens to boxes meanwhile."""

import copy
import json
import sys

import numpy as np
import pytest
import torch

from maskedit import Renderer, UserError
from maskedit.models.checkpoint import save_checkpoint
from maskedit.models.config import DmnConfig
from maskedit.models.variants import build_generator
from maskedit.models.views import by_torch
from maskedit.render.boxes.geometry import Halo
from maskedit.render.engines import completions, selection, timing
from maskedit.render.engines.engine import TorchEngine
from maskedit.render.engines.selection import Engines
from maskedit.render.engines.timing import Timing, default_cache_file, fastest
from maskedit.render.modes import FULL, QUICK, Cancelled
from tests.faces import draw_face

SIDE = 64


class Clock:
    """Counts what engines say they take, not what this machine does."""

    now = 0.0

    def __call__(self):
        return self.now


class Rival:
    """Stands for OpenVINO: draws what torch draws with the weights it was made with, ``off`` levels lighter."""

    seconds: dict[str, float]
    off = 0
    made: list[str]
    failing = ""
    clock: Clock

    def __init__(self, network, *, precision, calibration, cache, **_):
        if self.failing == precision:
            raise RuntimeError("no such processor")
        if precision == "int8":
            assert len(calibration()) == 2
        type(self).made.append(precision)
        self.name, self._precision = f"OpenVINO {precision}", precision
        self._torch = TorchEngine(copy.deepcopy(network))

    def generate(self, ids, style, cancelled=lambda: False):
        if self.failing == f"{self._precision} later":
            raise RuntimeError("the library changed its mind")
        self.clock.now += self.seconds[self._precision]
        picture = self._torch.generate(ids, style).astype(int) + self.off
        return np.clip(picture, 0, 255).astype(np.uint8)


@pytest.fixture
def rival(monkeypatch):
    """OpenVINO's stand-in; torch takes a tenth of a second by the clock."""

    class Fresh(Rival):
        seconds = {"int8": 0.01, "float32": 0.05}  # noqa: RUF012
        made = []  # noqa: RUF012
        clock = Clock()

    monkeypatch.setattr(selection, "OpenVinoEngine", Fresh)
    monkeypatch.setattr(selection, "openvino_version", lambda: "1")
    monkeypatch.setattr(timing, "perf_counter", Fresh.clock)
    generate = selection.BoxEngine.generate

    def slow(self, *given):
        Fresh.clock.now += 0.1
        return generate(self, *given)

    monkeypatch.setattr(selection.BoxEngine, "generate", slow)
    return Fresh


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    torch.manual_seed(3)
    network = build_generator(DmnConfig(width=4, size=SIDE)).eval()
    return save_checkpoint(tmp_path_factory.mktemp("weights") / "tiny.safetensors", network, {}, dtype=torch.float32)


@pytest.fixture(autouse=True)
def _float32(monkeypatch):
    """Whatever this processor would choose."""
    monkeypatch.setattr("maskedit.render.renderer.choose_precision", lambda *_: torch.float32)


def make(weights, tmp_path, engine="auto", precision="auto"):
    cache_file = tmp_path / "cache" / "engines.json"
    renderer = Renderer(weights, device="cpu", precision=precision, engine=engine, cache_file=cache_file)
    renderer.set_target(*draw_face(SIDE, 0))
    return renderer


def rest(renderer):
    """Let the renderer do all that it does in quiet times; how often it had something."""
    count = 0
    while renderer.idle():
        count += 1
        assert count < 20
    return count


def edited(seed=0):
    labels = draw_face(SIDE, seed)[1].copy()
    labels[10:20, 10:20] = 14
    return labels


@pytest.mark.slow
def test_nothing_is_measured_before_there_is_a_render(weights, tmp_path, rival):
    renderer = make(weights, tmp_path)
    assert not renderer.idle()
    assert rival.made == []


def test_the_fastest_wins_once_and_is_remembered(weights, tmp_path, rival):
    renderer = make(weights, tmp_path)
    labels = draw_face(SIDE, 0)[1]
    assert renderer.render(labels).engine == "CPU float32, 64 px"
    assert rest(renderer) == 3
    assert rival.made == ["int8", "float32"]
    assert renderer.render(labels).engine == "CPU OpenVINO int8, 64 px"
    kept = json.loads((tmp_path / "cache" / "engines.json").read_text())
    (entry,) = kept.values()
    assert entry["chosen"] == "int8"
    assert entry["seconds"] == pytest.approx({"torch": 0.1, "int8": 0.01, "float32": 0.05})
    again = make(weights, tmp_path)
    assert again.render(labels).engine == "CPU OpenVINO int8, 64 px"
    assert rest(again) == 1  # what boxes start from
    assert rival.made == ["int8", "float32", "int8"]


def test_one_that_draws_something_else_or_is_not_worth_it_does_not_win(weights, tmp_path, rival):
    rival.off = 3
    renderer = make(weights, tmp_path)
    renderer.render(edited())
    rest(renderer)
    assert renderer.engine == "CPU float32, 64 px"
    rival.off, rival.seconds = 0, {"int8": 0.2, "float32": 0.2}
    other = make(weights, tmp_path / "elsewhere")
    other.render(edited())
    rest(other)
    assert other.engine == "CPU float32, 64 px"
    assert json.loads((tmp_path / "elsewhere" / "cache" / "engines.json").read_text()).popitem()[1]["chosen"] == "torch"
    made = len(rival.made)
    make(weights, tmp_path / "elsewhere")
    assert len(rival.made) == made


@pytest.mark.parametrize("failing", ["int8", "int8 later"])
def test_one_that_cannot_be_made_or_cannot_render_does_not_win(weights, tmp_path, rival, failing):
    rival.failing = failing
    renderer = make(weights, tmp_path)
    renderer.render(edited())
    assert rest(renderer) == 3
    assert renderer.engine == "CPU OpenVINO float32, 64 px"


def test_one_that_fails_after_it_has_won_leaves_torch(weights, tmp_path, rival):
    renderer = make(weights, tmp_path)
    before = renderer.render(edited()).image
    rest(renderer)
    rival.failing = "int8 later"
    result = renderer.render(edited())
    assert result.engine == "CPU float32, 64 px"
    np.testing.assert_array_equal(result.image, before)


def test_a_contest_that_is_interrupted_goes_on_later(weights, tmp_path, rival):
    renderer = make(weights, tmp_path)
    renderer.render(edited())
    with pytest.raises(Cancelled):
        renderer.idle(lambda: True)
    assert renderer.idle()
    with pytest.raises(Cancelled):
        renderer.idle(lambda: True)
    assert rest(renderer) == 2
    assert rival.made == ["int8", "float32"]  # what was made is not made again
    assert renderer.engine == "CPU OpenVINO int8, 64 px"


def test_what_is_painted_during_a_contest_neither_decides_it_nor_is_lost(weights, tmp_path, rival):
    renderer = make(weights, tmp_path)
    labels = draw_face(SIDE, 0)[1]
    renderer.render(labels)
    renderer.idle()
    painted = renderer.render(edited(3)).image.astype(int)
    for _ in range(10):
        if not renderer.idle():
            break
        assert np.abs(renderer.update(edited(3)).image - painted).max() <= 1
        assert np.abs(renderer.render(edited(3)).image - painted).max() <= 1
    assert renderer.engine == "CPU OpenVINO int8, 64 px"


def test_another_photo_begins_the_contest_anew(weights, tmp_path, rival):
    renderer = make(weights, tmp_path)
    renderer.render(edited())
    renderer.idle()
    renderer.idle()
    renderer.set_target(*draw_face(SIDE, 5))
    assert not renderer.idle()
    renderer.render(edited(5))
    assert rest(renderer) == 3
    assert rival.made == ["int8", "float32"]
    assert renderer.engine == "CPU OpenVINO int8, 64 px"


@pytest.mark.parametrize(("engine", "name"), [("openvino", "OpenVINO float32"), ("int8", "OpenVINO int8")])
def test_an_engine_that_was_asked_for_is_used(weights, tmp_path, rival, engine, name):
    renderer = make(weights, tmp_path, engine)
    assert renderer.render(edited()).engine == f"CPU {name}, 64 px"
    assert not (tmp_path / "cache" / "engines.json").exists()


def test_who_asks_for_a_precision_gets_no_other(weights, tmp_path, rival):
    renderer = make(weights, tmp_path, precision="float32")
    renderer.render(edited())
    assert rest(renderer) == 2
    assert rival.made == ["float32"]
    assert renderer.engine == "CPU OpenVINO float32, 64 px"
    free = make(weights, tmp_path)
    free.render(edited())
    assert rest(free) == 3
    assert free.engine == "CPU OpenVINO int8, 64 px"


def test_torch_alone_holds_no_contest(weights, tmp_path, rival):
    renderer = make(weights, tmp_path, "torch")
    renderer.render(edited())
    assert rest(renderer) == 0


def test_an_engine_that_cannot_be_had_is_refused(weights, tmp_path, rival, monkeypatch):
    with pytest.raises(UserError, match="engine 'tensorrt' is unknown; give auto, torch"):
        make(weights, tmp_path, "tensorrt")
    for graph in ("graph", "compiled"):
        with pytest.raises(UserError, match=f"'{graph}' was asked for, but it needs an NVIDIA GPU"):
            make(weights, tmp_path, graph)
    with pytest.raises(UserError, match="'int8' was asked for, but so was the precision float32"):
        make(weights, tmp_path, "int8", precision="float32")
    rival.failing = "int8"
    with pytest.raises(UserError, match="OpenVINO cannot render in int8 here: no such processor"):
        make(weights, tmp_path, "int8")
    monkeypatch.setattr(selection, "openvino_version", lambda: "")
    with pytest.raises(UserError, match="OpenVINO is not installed; leave it out, or run: pip install openvino"):
        make(weights, tmp_path, "openvino")


def test_without_openvino_there_is_no_contest(weights, tmp_path, monkeypatch):
    monkeypatch.setattr(selection, "openvino_version", lambda: "")
    renderer = make(weights, tmp_path)
    renderer.render(edited())
    assert rest(renderer) == 0


@pytest.mark.slow
@pytest.mark.parametrize("text", ["", "[]", "{", '{"x": 3}', "[" * 10**5])
def test_a_damaged_memory_is_measured_anew(weights, tmp_path, rival, text):
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "engines.json").write_text(text)
    renderer = make(weights, tmp_path)
    renderer.render(edited())
    assert rest(renderer) == 3
    assert make(weights, tmp_path).engine == "CPU OpenVINO int8, 64 px"


@pytest.mark.slow
@pytest.mark.parametrize("chosen", ["bogus", 5, ["int8"], None])
def test_what_no_contest_can_have_chosen_is_not_believed(weights, tmp_path, rival, chosen):
    renderer = make(weights, tmp_path)
    renderer.render(edited())
    rest(renderer)
    file = tmp_path / "cache" / "engines.json"
    known = json.loads(file.read_text())
    next(iter(known.values()))["chosen"] = chosen
    file.write_text(json.dumps(known))
    again = make(weights, tmp_path)
    assert again.engine == "CPU float32, 64 px"
    again.render(edited())
    assert rest(again) == 3


def test_a_folder_that_cannot_be_written_only_forgets(weights, tmp_path, rival):
    (tmp_path / "cache").write_text("a file")
    renderer = make(weights, tmp_path)
    renderer.render(edited())
    assert rest(renderer) == 3
    assert renderer.engine == "CPU OpenVINO int8, 64 px"


def test_updates_render_boxes_in_the_picture_of_whichever_made_the_last_full_one(weights, tmp_path, rival):
    rival.off = 1
    renderer = make(weights, tmp_path, "int8")
    labels = draw_face(SIDE, 0)[1]
    assert renderer.cache_bytes == 0
    renderer.render(labels)
    assert renderer.update(edited()).mode == FULL  # there was nothing yet to start from
    assert renderer.update(labels).mode == QUICK
    full = renderer.render(labels).image
    assert rest(renderer) == 1
    assert renderer.cache_bytes > 0
    renderer._engines.boxes.halo = Halo(down=0, blocks=0, up=0)
    result = renderer.update(edited())
    assert result.mode == QUICK
    changed = (result.image != full).any(axis=2)
    assert changed[:32, :32].any()
    changed[:32, :32] = False  # the edit, on the grid
    assert not changed.any()
    assert rest(renderer) == 1


def test_boxes_go_on_where_another_label_map_was_shown_last(weights, tmp_path, rival):
    """OpenVINO leaves behind nothing that boxes start from: they start from the last one of torch, and catch up."""
    renderer = make(weights, tmp_path, "int8")
    first, second = draw_face(SIDE, 0)[1], edited(3)
    shown = renderer.render(first).image
    rest(renderer)
    other = renderer.render(second).image
    back = renderer.update(first).image.astype(int)
    assert np.abs(back - shown).mean() < 0.5 * np.abs(back - other).mean()


def test_neither_the_callers_map_nor_the_picture_handed_out_is_kept(weights, tmp_path, rival):
    renderer = make(weights, tmp_path, "int8")
    labels = edited()
    result = renderer.render(labels)
    before = result.image.copy()
    labels[:] = 13
    result.image[:] = 0
    rest(renderer)
    np.testing.assert_array_equal(renderer.update(edited()).image, before)


def test_a_cancelled_render_is_not_what_boxes_start_from(weights, tmp_path):
    renderer = make(weights, tmp_path, "torch")
    labels = draw_face(SIDE, 0)[1]
    before = renderer.render(labels).image
    with pytest.raises(Cancelled):
        renderer.render(edited(3), cancelled=lambda: True)
    assert not renderer.idle()
    np.testing.assert_array_equal(renderer.update(labels).image, before)
    assert (renderer.update(edited(3)).image != before).any()


def test_an_update_that_fails_leaves_nothing_behind(weights, tmp_path, monkeypatch):
    renderer = make(weights, tmp_path, "torch")
    renderer.render(draw_face(SIDE, 0)[1])
    convolve, calls = selection.BoxEngine._convolve, []

    def fails(self, index, *given):
        calls.append(index)
        if index == 9 and len(calls) < 15:
            raise RuntimeError("no memory, say")
        return convolve(self, index, *given)

    monkeypatch.setattr(selection.BoxEngine, "_convolve", fails)
    with pytest.raises(RuntimeError, match="no memory"):
        renderer.update(edited())
    result = renderer.update(edited())
    assert result.mode == FULL
    np.testing.assert_array_equal(result.image, make_and_render(weights, tmp_path, edited()))


def make_and_render(weights, tmp_path, labels):
    return make(weights, tmp_path, "torch").render(labels).image


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["auto", "int8"])
def test_a_learned_face_is_torchs_and_leaves_no_trace(weights, tmp_path, rival, engine):
    renderer = make(weights, tmp_path, engine)
    renderer.render(edited())
    rest(renderer)
    before = renderer.render(edited()).image
    learning = renderer.learn(steps=2)
    while learning.done < learning.total:
        learning.step()
    learning.finish()
    renderer._network.head.weight.data.mul_(-1)  # two steps learn nothing that is seen
    renderer._engines.weights_changed(pristine=False)
    assert renderer.engine == "CPU float32, 64 px"
    assert renderer.update(edited()).mode == FULL
    assert renderer.update(draw_face(SIDE, 0)[1]).mode == QUICK
    rest(renderer)
    assert (renderer.render(edited()).image != before).any()
    renderer._give_way()  # as when a GPU's memory runs short
    assert renderer.engine == "CPU float32, 64 px"
    assert (renderer.render(edited()).image != before).any()
    rest(renderer)
    renderer.forget()
    renderer.render(edited())
    rest(renderer)
    np.testing.assert_array_equal(renderer.render(edited()).image, before)
    assert renderer.engine == "CPU OpenVINO int8, 64 px"


def test_another_photo_starts_anew(weights, tmp_path):
    renderer = make(weights, tmp_path, "torch")
    renderer.render(edited())
    renderer.set_target(*draw_face(SIDE, 5))
    result = renderer.update(edited(5))
    assert result.mode == FULL
    np.testing.assert_array_equal(result.image, renderer.render(edited(5)).image)


def test_other_networks_and_very_large_ones_render_whole_images_only(weights, monkeypatch):
    torch.manual_seed(0)
    spade = build_generator(DmnConfig(width=4, size=SIDE, variant="spade")).eval()
    assert Engines(spade, size=SIDE, fingerprint="x").boxes is None
    renderer = Renderer(weights, device="cpu", precision="float32", engine="torch")
    assert renderer._engines.boxes is not None
    monkeypatch.setattr(selection, "LIMIT", 1000)
    renderer = Renderer(weights, device="cpu", precision="float32", engine="torch")
    renderer.set_target(*draw_face(SIDE, 0))
    assert not renderer.has_quick
    assert renderer.update(edited()).mode == FULL
    assert renderer.cache_bytes == 0


def test_the_memory_lies_in_the_systems_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("MASKEDIT_CACHE", str(tmp_path))
    assert default_cache_file() == tmp_path / "engines.json"
    monkeypatch.delenv("MASKEDIT_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    if sys.platform == "linux":  # files of earlier versions are still found
        assert default_cache_file() == tmp_path / "maskedit" / "engines.json"
        for value in ("", "relative"):
            monkeypatch.setenv("XDG_CACHE_HOME", value)
            assert default_cache_file() == tmp_path / "home" / ".cache" / "maskedit" / "engines.json"

    def homeless(*given, **options):
        raise RuntimeError("could not determine the home directory")

    monkeypatch.setattr(timing, "user_cache_path", homeless)
    assert default_cache_file() is None


class CompletionRival:
    """Stands for OpenVINO where it completes: torch's picture, and how often it was asked for."""

    made: list[str]
    drawn: list[int]
    failing = False

    def __init__(self, network, *, precision, calibration, **_):
        if precision == "int8":
            assert calibration()
        self.made.append(precision)
        self.name = f"OpenVINO {precision}"
        self._draw = by_torch(copy.deepcopy(network))  # compiled, it keeps the weights that it was made of

    def complete(self, *given):
        if self.failing:
            raise RuntimeError("the library changed its mind")
        self.drawn.append(1)
        return self._draw(*given)


@pytest.fixture
def completing(monkeypatch):
    class Fresh(CompletionRival):
        made = []  # noqa: RUF012
        drawn = []  # noqa: RUF012

    monkeypatch.setattr(completions, "OpenVinoCompletion", Fresh)
    monkeypatch.setattr(completions, "openvino_version", lambda: "1")
    return Fresh


@pytest.fixture(scope="module")
def context_weights(tmp_path_factory):
    torch.manual_seed(3)
    network = build_generator(DmnConfig(width=4, size=SIDE, blocks=1, variant="maskgan-context")).eval()
    return save_checkpoint(tmp_path_factory.mktemp("weights") / "context.safetensors", network, {}, dtype=torch.float32)


def bfloat16(monkeypatch):
    monkeypatch.setattr("maskedit.render.renderer.choose_precision", lambda *_: torch.bfloat16)


def test_completions_are_openvinos_once_there_was_time_to_make_it(context_weights, tmp_path, completing, monkeypatch):
    bfloat16(monkeypatch)
    renderer = make(context_weights, tmp_path)
    assert renderer.complete(edited()).engine == "CPU bfloat16, 64 px"
    assert completing.made == []
    rest(renderer)
    assert completing.made == ["int8"]
    assert len(completing.drawn) == 0  # what was completed already is ready
    renderer.set_target(*draw_face(SIDE, 1))
    rest(renderer)
    assert (len(completing.made), len(completing.drawn)) == (1, 1)
    assert renderer.complete(edited(1)).engine == "CPU OpenVINO int8, 64 px"
    assert len(completing.drawn) == 2


@pytest.mark.parametrize(("engine", "made"), [("auto", []), ("torch", []), ("openvino", ["float32"])])
def test_float32_is_completed_by_openvino_for_who_asks(context_weights, tmp_path, completing, engine, made, rival):
    renderer = make(context_weights, tmp_path, engine)
    assert completing.made == made
    rest(renderer)
    renderer.complete(edited())
    assert completing.made == made
    assert bool(completing.drawn) == bool(made)


def test_a_precision_that_was_asked_for_is_kept(context_weights, tmp_path, completing, monkeypatch):
    bfloat16(monkeypatch)
    rest(renderer := make(context_weights, tmp_path, precision="bfloat16"))
    assert renderer.complete(edited()).engine == "CPU OpenVINO bfloat16, 64 px"
    assert completing.made == ["bfloat16"]


def test_torch_is_taken_at_its_word(context_weights, tmp_path, completing, monkeypatch):
    bfloat16(monkeypatch)
    renderer = make(context_weights, tmp_path, "torch")
    rest(renderer)
    assert renderer.complete(edited()).engine == "CPU bfloat16, 64 px"
    assert completing.made == []


def test_a_failed_completion_is_torchs(context_weights, tmp_path, completing, monkeypatch):
    bfloat16(monkeypatch)
    renderer = make(context_weights, tmp_path)
    rest(renderer)
    wanted = renderer.complete(edited()).image
    completing.failing = True
    result = renderer.complete(edited())
    assert np.array_equal(result.image, wanted)
    assert result.engine == "CPU bfloat16, 64 px"
    rest(renderer)
    assert len(completing.made) == 1


@pytest.mark.slow
def test_completions_do_without_what_was_learned_of_a_face(context_weights, tmp_path, completing, monkeypatch):
    bfloat16(monkeypatch)
    renderer = make(context_weights, tmp_path)
    rest(renderer)
    wanted = renderer.complete(edited()).image
    learning = renderer.learn(2)
    while learning.done < learning.total:
        learning.step()
    learning.finish()
    assert renderer.has_face_weights
    result = renderer.complete(edited())
    assert np.array_equal(result.image, wanted)
    assert result.engine == "CPU OpenVINO int8, 64 px"
    completing.failing = True  # and torch completes with the file's weights, too
    assert np.array_equal(renderer.complete(edited()).image, wanted)
    renderer._give_way()
    assert np.array_equal(renderer.complete(edited()).image, wanted)
    renderer.forget()
    assert np.array_equal(renderer.complete(edited()).image, wanted)
    assert renderer._engines.completions.network is renderer._network


@pytest.mark.parametrize(
    ("others", "chosen"),
    [
        ({}, "torch"),
        ({"b": Timing(0.95, 0.0)}, "torch"),  # not worth it
        ({"b": Timing(0.9, 0.2), "c": Timing(0.5, 0.9)}, "c"),
        ({"b": Timing(0.9, 0.2), "c": Timing(0.1, 1.1)}, "b"),  # the faster one draws something else
    ],
)
def test_the_fastest_that_draws_alike_is_chosen(others, chosen):
    assert fastest({"torch": Timing(1.0, 0.0), **others}) == chosen
