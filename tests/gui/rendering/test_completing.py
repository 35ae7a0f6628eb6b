"""The real window with a real, tiny network that sees the photo around an edit."""

from functools import partial

import numpy as np
import pytest
import torch
from PySide6.QtTest import QTest

from maskedit.gui.rendering.worker import shipped_renderer
from maskedit.models.checkpoint import save_checkpoint
from maskedit.models.config import DmnConfig
from maskedit.models.context import ContextNetwork
from maskedit.render import learning
from maskedit.render.modes import QUICK
from tests.gui.harness import LEFT, NONE, at, click, settle, wait


@pytest.fixture
def window(open_window, tmp_path):
    torch.manual_seed(3)
    network = ContextNetwork(DmnConfig(width=4, size=64, blocks=1, variant="maskgan-context"))
    weights = save_checkpoint(tmp_path / "context.safetensors", network, {}, dtype=torch.float32)
    window = open_window(partial(shipped_renderer, str(weights), "cpu", "float32", "auto"), whole_face=False)
    settle(window)
    return window


def shown(window):
    """The picture on the screen and the photo, as integers that can be subtracted."""
    return window.editor.render.result.astype(int), window.editor.document.photo.astype(int)


def test_before_any_edit_it_shows_the_photo(window):
    assert np.array_equal(*shown(window))
    assert "maskgan-context" in window.editor.render.about
    assert window.status["preview"].startswith("up to date, full ")


@pytest.mark.slow
def test_the_hole_follows_the_brush_and_the_rest_is_the_photo(window):
    editor, modes = window.editor, []
    editor.render.result_changed.connect(lambda: modes.append(editor.render.rendered.result.mode))
    QTest.mousePress(window.canvas, LEFT, NONE, at(window, 60, 60))
    for x in range(64, 120, 8):
        QTest.mouseMove(window.canvas, at(window, x, 60))
        QTest.qWait(10)
    wait(lambda: modes)
    assert editor.document.stroke is not None
    QTest.mouseRelease(window.canvas, LEFT, NONE, at(window, 120, 60))
    settle(window)
    assert modes[0] == QUICK
    assert editor.render.rendered.result.mode == "full"
    result, photo = shown(window)
    assert np.abs(result - photo)[55:65, 64:110].max() > 0
    assert np.array_equal(result[100:], photo[100:])
    assert editor.render.composite.changed_outside == 0
    editor.undo()
    settle(window)
    assert np.array_equal(*shown(window))


@pytest.mark.slow
def test_a_face_is_learned_and_shown_whole_and_edits_stay_as_they_are(window, monkeypatch):
    monkeypatch.setattr(learning, "STEPS", 21)
    editor = window.editor
    click(window, 60, 60)
    settle(window)
    before = editor.render.result.copy()
    whole, told = [], []
    editor.message.connect(lambda level, text: told.append(text))
    editor.render.result_changed.connect(lambda: whole.append(editor.render.composite.alpha.min() == 1))
    window.actions_by_id["learn"].trigger()
    wait(lambda: editor.document.face_weights is not None)
    settle(window)
    assert whole[0]
    assert not whole[-1]
    assert np.array_equal(editor.render.result, before)
    assert told == ["This face is learned; Render > Whole face shows it."]
    window.actions_by_id["whole_face"].trigger()
    settle(window)
    learned = editor.render.result.copy()
    window.actions_by_id["forget_face"].trigger()
    settle(window)
    assert not np.array_equal(editor.render.result, learned)


def test_the_whole_face_can_be_shown(window):
    click(window, 60, 60)
    settle(window)
    window.actions_by_id["whole_face"].trigger()
    settle(window)
    assert window.editor.render.composite.alpha.min() == 1
    result, photo = shown(window)
    assert (result != photo).mean() > 0.9
