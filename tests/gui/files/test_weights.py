"""Other weights while the editor works: chosen, converted, remembered, gone."""

from pathlib import Path

import pytest
import torch
from PySide6.QtCore import QSettings

from maskedit.errors import UserError
from maskedit.gui.app import main
from maskedit.gui.dialogs.weights import WeightsDialog
from maskedit.gui.preferences import Preferences
from maskedit.gui.rendering.chooser import RendererChoice
from maskedit.models.checkpoint import save_checkpoint
from maskedit.models.config import PRESETS
from maskedit.models.dense_mapping import DenseMappingNetwork
from tests.gui.harness import Answers, FakeEngine, LearningEngine, click, settle, wait
from tests.models.reference import dmn_shapes, synthetic_state

CARD = {"data": "drawn faces", "steps": 1200, "hours": 0.5, "validation": {"psnr": 20.5678}, "licence": "CC0"}


@pytest.fixture
def tiny(tmp_path):
    torch.manual_seed(1)
    return save_checkpoint(tmp_path / "tiny.safetensors", DenseMappingNetwork(PRESETS["tiny"]), CARD)


class Choosing:
    """Makes an engine named after the weights; a file that is not there cannot be loaded."""

    def __init__(self, kind=FakeEngine):
        self.kind, self.made = kind, []

    def __call__(self, choice):
        if choice.weights is not None and not choice.weights.is_file():
            raise UserError(f"There is no weight file at {choice.weights}.")
        engine = self.kind()
        engine.engine = "bundled" if choice.weights is None else choice.weights.stem
        self.made.append(engine)
        return engine


def chosen(window, answers, path):
    answers.ask_open = [path]
    window.weights.choose()
    wait(lambda: not window.weights.busy)


def test_other_weights_draw_the_same_document_and_are_remembered(open_window, answers, tiny):
    choosing = Choosing()
    window = open_window(None, choosing=choosing)
    click(window, 60, 60)
    settle(window)
    document, revision = window.editor.document, window.editor.document.revision
    chosen(window, answers, tiny)
    settle(window)
    assert window.status["engine"] == "tiny"
    assert (window.editor.document, document.revision) == (document, revision)
    assert document.can_undo
    assert (choosing.made[1].rendered[-1] == document.labels).all()
    assert Path(window.preferences["weights"]) == tiny.absolute()
    window.weights.use(weights=None)
    wait(lambda: window.weights.settled)
    settle(window)
    assert window.status["engine"] == "bundled"
    assert window.preferences["weights"] == ""


def test_weights_that_cannot_be_loaded_leave_the_old_ones(open_window, answers, tmp_path):
    window = open_window(None, choosing=Choosing())
    settle(window)
    chosen(window, answers, tmp_path / "absent.safetensors")
    assert window.messages == [("error", f"There is no weight file at {tmp_path / 'absent.safetensors'}.")]
    assert window.weights.note == window.messages[0][1]
    assert window.status["engine"] == "bundled"
    assert window.preferences["weights"] == ""
    click(window, 60, 60)
    settle(window)


def test_a_learned_face_that_does_not_fit_is_kept_and_told(open_window, answers, tiny):
    class Fitting(LearningEngine):
        def load_face_weights(self, data):
            if self.engine != "bundled":
                raise UserError("What was learned belongs to other weights.")
            super().load_face_weights(data)

    window = open_window(None, choosing=Choosing(Fitting))
    window.editor.document.face_weights = b"learned"
    window.editor.render.render_now()
    settle(window)
    assert window.messages == []
    chosen(window, answers, tiny)
    settle(window)
    assert "belongs to other weights" in window.messages[0][1]
    assert window.editor.document.face_weights == b"learned"


def test_learning_ends_with_the_weights_that_learned_if_the_person_agrees(open_window, answers, tiny):
    window = open_window(None, choosing=Choosing(lambda: LearningEngine(steps=10**6)))
    settle(window)
    window.editor.tuning.begin()
    wait(lambda: window.editor.tuning.progress is not None)
    answers.ask_stop_learning = [False, True]
    chosen(window, answers, tiny)
    assert window.preferences["weights"] == ""
    assert window.editor.tuning.progress is not None
    chosen(window, answers, tiny)
    assert window.preferences["weights"] == str(tiny)
    assert window.editor.tuning.progress is None
    settle(window)


@pytest.mark.slow
def test_the_dialog_shows_the_card_and_the_published_checkpoint_is_converted(open_window, answers, tiny, tmp_path):
    torch.save(synthetic_state(dmn_shapes(8), 1), tmp_path / "latest_net_G.pth")
    window = open_window(None, choosing=Choosing())
    settle(window)

    def look(weights):
        dialog = WeightsDialog(weights, window)
        wait(lambda: weights.card.facts)
        assert not dialog.bundled.isEnabled()
        answers.ask_open = [tiny, tmp_path / "latest_net_G.pth"]
        dialog.choose.click()
        assert not dialog.bar.isHidden()
        wait(lambda: ("Trained on", "drawn faces") in weights.card.facts)
        assert {("Steps", "1,200 in 0.5 hours"), ("On held-out photos", "psnr 20.57")} < set(weights.card.facts)
        assert ("Licence", "CC0") in weights.card.facts
        assert "psnr: 20.5678" in dialog.card.toPlainText()
        assert dialog.bar.isHidden()
        answers.ask_save = [tmp_path / "published.safetensors"]
        dialog.published.click()
        wait(lambda: ("Converted from", "latest_net_G.pth") in weights.card.facts)
        assert Path(window.preferences["weights"]).name == "published.safetensors"
        dialog.bundled.click()
        wait(lambda: weights.settled)
        answers.ask_open, answers.ask_save = [tiny], [tmp_path / "published.safetensors"]
        dialog.published.click()  # no checkpoint of theirs
        wait(lambda: weights.note and not weights.busy)
        assert "it is not the generator of the released MaskGAN demo" in weights.note
        assert dialog.note.text() == weights.note
        dialog.deleteLater()

    answers.ask_weights = [look]
    window.actions_by_id["weights"].trigger()
    settle(window)


@pytest.mark.parametrize("gone", [False, True])
def test_remembered_weights_draw_at_the_next_start_and_the_bundled_ones_where_they_are_gone(
    qapp, tiny, tmp_path, monkeypatch, gone
):
    settings = QSettings(str(tmp_path / "settings.ini"), QSettings.Format.IniFormat)
    Preferences(settings)["weights"] = str(tiny)
    if gone:
        tiny.unlink()
    choosing, told = Choosing(), []
    monkeypatch.setattr(
        "maskedit.gui.rendering.worker.shipped_renderer",
        lambda weights, device, precision, engine: choosing(RendererChoice(weights, engine)),
    )

    def act(window):
        window.editor.message.connect(lambda level, text: told.append(text))
        settle(window)
        assert window.status["engine"] == ("bundled" if gone else "tiny")
        assert window.weights.settled is False  # until the person goes back to the bundled ones
        window.close()

    assert main([], settings=settings, dialogs=Answers().dialogs, on_window=act) == 0
    assert len(choosing.made) == 1
    assert any("The bundled weights draw instead" in text for text in told) == gone
