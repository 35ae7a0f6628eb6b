"""The Shape panel in the real window: sliders under a hand, live, and one edit when it lets go."""

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from maskedit import imaging
from maskedit.document.shapes import shaped
from maskedit.labels import ids_of
from tests.faces import draw_face
from tests.gui.harness import CTRL, click, drag, key, make_document, settle, wait

HAIR, MOUTH = ids_of("hair", "mouth")


@pytest.fixture
def panel(window):
    window.actions_by_id["shape"].trigger()
    return window.shape_panel


def hold(panel, name, *values):
    """A hand on a slider: it presses and moves, and does not let go."""
    panel.sliders[name].setSliderDown(True)
    for value in values:
        panel.sliders[name].setValue(value)


def let_go(panel, name):
    panel.sliders[name].setSliderDown(False)


def test_the_map_follows_the_slider_and_letting_go_is_one_edit(window, panel, engine):
    document = window.editor.document
    before = document.snapshot()
    hold(panel, "smile", 20, 45, 80)
    np.testing.assert_array_equal(document.labels, shaped(before, {"smile": 0.8}))
    wait(lambda: (engine.rendered[-1] == document.labels).all())
    assert document.history.names == []
    let_go(panel, "smile")
    assert document.history.names == ["Smile +80"]
    assert panel.sliders["smile"].value() == 80
    key(window, Qt.Key.Key_Z, CTRL)
    np.testing.assert_array_equal(document.labels, before)
    assert panel.sliders["smile"].value() == 0
    key(window, Qt.Key.Key_Y, CTRL)
    assert panel.sliders["smile"].value() == 80


def test_sliders_shape_one_map_together_until_something_else_changes_it(window, panel):
    document = window.editor.document
    before = document.snapshot()
    for name, value in (("smile", 60), ("hair_length", 40), ("smile", -20)):
        hold(panel, name, value)
        let_go(panel, name)
    np.testing.assert_array_equal(document.labels, shaped(before, {"smile": -0.2, "hair_length": 0.4}))
    for name in ("smile", "hair_length"):
        hold(panel, name, 0)
        let_go(panel, name)
    np.testing.assert_array_equal(document.labels, before)
    hold(panel, "jaw_width", 50)
    let_go(panel, "jaw_width")
    click(window, 20, 20)  # the brush
    assert panel.sliders["jaw_width"].value() == 0
    base = document.snapshot()
    hold(panel, "chin", 50)
    np.testing.assert_array_equal(document.labels, shaped(base, {"chin": 0.5}))
    let_go(panel, "chin")


def test_a_slider_that_comes_back_is_no_edit_and_escape_takes_it_back(window, panel):
    document = window.editor.document
    before = document.snapshot()
    hold(panel, "chin", 70, 0)
    let_go(panel, "chin")
    hold(panel, "chin", 70)
    window.canvas.setFocus()
    key(window, Qt.Key.Key_Escape)
    np.testing.assert_array_equal(document.labels, before)
    panel.sliders["chin"].setValue(90)  # still held: nothing any more
    let_go(panel, "chin")
    np.testing.assert_array_equal(document.labels, before)
    assert document.history.names == []
    assert panel.sliders["chin"].value() == 0
    assert document.stroke is None


def test_locked_classes_stay_put(window, panel):
    document = window.editor.document
    window.editor.set_option("locked", {HAIR})
    hair = document.labels == HAIR
    hold(panel, "jaw_width", 100)
    let_go(panel, "jaw_width")
    np.testing.assert_array_equal(document.labels == HAIR, hair)
    assert document.history.names == ["Jaw width +100"]
    window.editor.set_option("locked", set())
    window.editor.set_option("only_over", MOUTH)
    before = document.snapshot()
    hold(panel, "mouth_open", -100)
    let_go(panel, "mouth_open")
    changed = document.labels != before
    assert changed.any()
    assert set(before[changed]) == {MOUTH}


def test_keys_move_a_slider_and_the_brush_lets_it_go(window, panel):
    document = window.editor.document
    slider = panel.sliders["smile"]
    slider.setFocus(Qt.FocusReason.TabFocusReason)
    for _ in range(3):
        key(window, Qt.Key.Key_Right)
    assert slider.value() == 15
    assert document.history.names == []
    click(window, 20, 20)
    assert document.history.names == ["Smile +15", "Brush hat"]
    QTest.mouseDClick(slider, Qt.MouseButton.LeftButton)
    assert slider.value() == 0


def test_a_piece_that_floats_is_let_go_when_a_slider_is_grabbed(window, panel):
    document = window.editor.document
    window.editor.set_tool("transform")
    y, x = np.argwhere(document.labels == 2).mean(axis=0)
    drag(window, (x, y), (x, y + 6), (x, y + 12))
    assert document.floating is not None
    hold(panel, "smile", 50)
    assert document.floating is None
    let_go(panel, "smile")
    assert document.history.names == ["Transform nose", "Smile +50"]
    window.editor.undo()
    window.editor.undo()
    np.testing.assert_array_equal(document.labels, document.reference_labels)


def test_a_click_beside_the_handle_counts_when_the_brush_comes(window, panel):
    document = window.editor.document
    panel.sliders["smile"].setValue(40)  # no hand holds it: more may follow
    assert document.history.names == []
    click(window, 20, 20)
    assert document.history.names == ["Smile +40", "Brush hat"]
    panel.sliders["jaw_width"].setValue(30)
    window.editor.set_tool("fill")
    assert document.history.names[-1] == "Jaw width +30"


def test_a_slider_starts_from_the_piece_that_floats(window, panel):
    document = window.editor.document
    hold(panel, "smile", 40)
    let_go(panel, "smile")
    window.editor.set_tool("transform")
    y, x = np.argwhere(document.labels == 2).mean(axis=0)
    drag(window, (x, y), (x, y + 6), (x, y + 12))
    assert document.floating is not None
    assert panel.sliders["smile"].value() == 0
    base = document.snapshot()
    hold(panel, "smile", 10)
    np.testing.assert_array_equal(document.labels, shaped(base, {"smile": 0.1}))
    let_go(panel, "smile")


def test_a_face_without_a_part_says_why_its_sliders_are_off(open_window, engine):
    photo, labels = draw_face(256, 0)
    labels[np.isin(labels, ids_of("mouth", "u_lip", "l_lip"))] = 1
    document = make_document()
    window = open_window(engine, document=type(document)(photo, labels))
    settle(window)
    panel = window.shape_panel
    assert not panel.sliders["smile"].isEnabled()
    assert panel.sliders["smile"].toolTip() == "This face has no mouth"
    assert panel.sliders["jaw_width"].isEnabled()
    window.files.show_document(document)
    assert panel.sliders["smile"].isEnabled()
    assert QApplication.focusWidget() is not panel.sliders["smile"]


# Morph, vary, clean up


class FakeSpace:
    """A network to which a map's neighbour is the same further to the right, and all but hats is likely."""

    def neighbours(self, labels, seed):
        return labels, np.roll(labels, 4, axis=1)

    def probabilities(self, labels):
        likely = np.ones((19, *labels.shape), np.float32)
        likely[14] = 0
        return likely


@pytest.fixture
def knowing(window):
    window.editor.thread.worker.make_label_space = FakeSpace
    return window


def reworked(window):
    """Once another edit has come from the render thread."""
    count = window.editor.document.edit_count
    return lambda: window.editor.document.edit_count > count


def test_the_map_is_morphed_towards_a_bundled_face(window, panel):
    document = window.editor.document
    before = document.snapshot()
    assert not panel.sliders["morph"].isEnabled()
    assert panel.sliders["morph"].toolTip() == "Choose another face first"
    panel._faces.actions()[1].trigger()
    assert panel.sliders["morph"].isEnabled()
    name = panel.shaping.other.name
    hold(panel, "morph", 30, 100)
    np.testing.assert_array_equal(document.labels, panel.shaping.other.labels)
    panel.sliders["morph"].setValue(50)
    let_go(panel, "morph")
    assert document.history.names == [f"Morph to {name} 50"]
    hold(panel, "smile", 50)
    let_go(panel, "smile")
    assert panel.sliders["morph"].value() == 50
    hold(panel, "smile", 0)
    let_go(panel, "smile")
    hold(panel, "morph", 0)
    let_go(panel, "morph")
    np.testing.assert_array_equal(document.labels, before)


def test_the_face_to_morph_to_may_come_from_a_file(window, panel, answers, tmp_path):
    labels = draw_face(128, 4)[1]
    answers.ask_open = [imaging.write_labels(tmp_path / "ann.png", labels)]
    window.actions_by_id["morph"].trigger()
    assert panel.shaping.other.name == "ann"
    assert panel.shaping.other.labels.shape == window.editor.document.labels.shape
    window.files.show_document(make_document(seed=7))
    assert panel.shaping.other is None


def test_vary_is_an_edit_at_each_click(knowing):
    document = knowing.editor.document
    for _ in range(2):
        done = reworked(knowing)
        knowing.shape_panel.buttons["vary"].click()
        wait(done)
    assert document.history.names == ["Vary", "Vary"]
    nose = document.labels == 2
    shift = np.nonzero(nose)[1].mean() - np.nonzero(document.reference_labels == 2)[1].mean()
    assert shift == pytest.approx(8, abs=0.5)


def test_a_piece_put_on_while_it_computes_stays(knowing):
    document = knowing.editor.document
    done = reworked(knowing)
    knowing.shape_panel.buttons["vary"].click()
    y, x = np.argwhere(document.labels == 2).mean(axis=0)
    knowing.editor.set_tool("transform")
    drag(knowing, (x, y), (x, y + 6), (x, y + 12))
    assert document.floating is not None
    wait(done)
    assert document.history.names == ["Transform nose"]


def test_clean_up_takes_specks_and_respects_locks(knowing):
    document = knowing.editor.document
    before = document.snapshot()
    knowing.editor.set_brush(6)
    click(knowing, 20, 20)
    assert (document.labels == 14).any()
    for locked in ({14}, set()):
        knowing.editor.set_option("locked", locked)
        done = reworked(knowing)
        knowing.actions_by_id["clean_up"].trigger()
        wait(done)
        assert (document.labels == 14).any() == bool(locked)
    assert document.history.names == ["Brush hat", "Clean up", "Clean up"]
    assert np.count_nonzero(document.labels != before) < 0.01 * before.size
    document.replace_labels(np.zeros_like(before), name="Nothing")
    knowing.actions_by_id["clean_up"].trigger()
    wait(lambda: knowing.messages)
    assert knowing.messages[-1][1] == "There is nothing to clean up."
