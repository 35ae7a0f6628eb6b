"""The words for what the preview and the engine are doing."""

from types import SimpleNamespace

import pytest

from maskedit.gui.panels.status import DRAWING, FAILED, LOADING, NOT_LOADED, absence_text, engine_text, preview_text
from maskedit.gui.states import EngineState, Level, PreviewState

WORDS = {
    PreviewState.EMPTY: "",
    PreviewState.LOADING: "loading",
    PreviewState.RENDERING: "rendering 1.3 s",
    PreviewState.LEARNING: "learning",
    PreviewState.FAILED: "render failed",
    PreviewState.UP_TO_DATE: "up to date, full 90 ms",
    PreviewState.FOLLOWING: "following, full 90 ms",
    PreviewState.OUT_OF_DATE: "out of date",
}


@pytest.mark.parametrize("state", PreviewState)
def test_every_state_of_the_preview(state):
    render = SimpleNamespace(rendering_seconds=1.26, rendered=SimpleNamespace(how="full 90 ms"))
    editor = SimpleNamespace(preview_state=state, render=render)
    assert preview_text(editor) == WORDS[state]


@pytest.mark.parametrize(
    ("state", "engine", "words"),
    [
        (EngineState.STARTING, "", "starting"),
        (EngineState.READY, "CPU float32, 64 px", "CPU float32, 64 px"),
        (EngineState.MISSING, "", "no engine"),
    ],
)
def test_every_state_of_the_engine(state, engine, words):
    assert engine_text(SimpleNamespace(render=SimpleNamespace(engine_state=state, engine=engine))) == words


def test_why_there_is_no_result():
    def text(preview: PreviewState, engine: EngineState) -> str:
        return absence_text(SimpleNamespace(preview_state=preview, render=SimpleNamespace(engine_state=engine)))

    assert text(PreviewState.LOADING, EngineState.STARTING) == LOADING
    assert text(PreviewState.RENDERING, EngineState.READY) == DRAWING  # the second photo
    assert text(PreviewState.FAILED, EngineState.READY) == FAILED
    assert text(PreviewState.FAILED, EngineState.MISSING) == NOT_LOADED


def test_a_level_survives_a_signal_that_carries_strings():
    assert {Level.ERROR: 1}[str(Level.ERROR)] == 1
    assert Level.INFO == "info"
