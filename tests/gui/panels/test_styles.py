"""Styles in the real window: taken from another photo or a colour, made stronger, taken away, and shown."""

from dataclasses import replace

import numpy as np
import pytest
from PySide6.QtCore import QPointF, Qt, QTimer
from PySide6.QtGui import QTextDocumentFragment
from PySide6.QtTest import QTest

from maskedit import imaging
from maskedit.document import session
from maskedit.gui.dialogs.export import Export
from maskedit.gui.dialogs.source import BOTH, SHAPE, STYLE, SourceDialog, Taken
from maskedit.gui.states import PreviewState
from maskedit.labels import STYLE_PARTS
from maskedit.opening.other_face import OtherFace
from maskedit.render.part_colours import colour_style, styles_of
from tests.faces import draw_face
from tests.gui.harness import CTRL, FakeEngine, drag, key, settle, wait, wheel

HAIR, SKIN, NOSE, BACKGROUND = 13, 1, 2, 0
RED, BLUE = colour_style((200, 30, 30)), colour_style((30, 40, 200))


@pytest.fixture
def styled(open_window):
    """A window that lays edits into the photo, so that styles show."""
    window = open_window(FakeEngine(), whole_face=False)
    window.editor.set_label(HAIR)
    settle(window)
    return window


@pytest.fixture
def other(tmp_path):
    """A photo with its label map beside it."""
    photo, labels = draw_face(256, 5)
    photo[labels == HAIR] = (190, 40, 30)
    imaging.write_photo(tmp_path / "ann.png", photo)
    imaging.write_labels(tmp_path / "ann_labels.png", labels)
    return tmp_path / "ann.png"


def hair_of(window):
    """The mean colour of the hair that is shown."""
    editor = window.editor
    return editor.render.result[editor.document.reference_labels == HAIR].mean(axis=0)


def test_a_style_from_another_photo(styled, answers, other):
    document, before = styled.editor.document, hair_of(styled)
    assert styled.style_panel.title.text() == "Hair: own style"
    answers.ask_open = [other]
    styled.style_panel.buttons["style_from_photo"].click()
    assert document.history.names == ["Style of hair from ann"]
    assert document.styles["hair"].name == "ann"
    settle(styled)
    after = hair_of(styled)
    assert after[0] - after[2] > before[0] - before[2] + 40
    assert styled.status["outside"] == "rest of the photo: 0 changed"
    panel = styled.style_panel
    assert panel.title.text() == "Hair: ann"
    assert panel.strength.value() == 100
    assert not panel.picture.pixmap().isNull()
    icons = [id for id, row in enumerate(styled.palette_panel._rows) if not row.icon().isNull()]
    assert icons == [HAIR]
    key(styled, Qt.Key.Key_Z, CTRL)
    settle(styled)
    assert np.array_equal(styled.editor.render.result, document.photo)
    assert panel.title.text() == "Hair: own style"
    assert all(row.icon().isNull() for row in styled.palette_panel._rows)
    assert styled.status["outside"] == "photo unchanged"


def test_the_strength_follows_the_slider_and_is_one_edit(styled):
    editor, panel = styled.editor, styled.style_panel
    editor.set_style("hair", RED, name="Style of hair")
    settle(styled)
    full, names = hair_of(styled), editor.document.history.names
    panel.strength.setSliderDown(True)
    for percent in (80, 55, 30):
        panel.strength.setValue(percent)
        wait(lambda percent=percent: editor.render.rendered.request.styles["hair"].strength == percent / 100)
        assert editor.document.styles["hair"].strength == 1
        assert not editor.render.up_to_date
        assert editor.render.state in (PreviewState.FOLLOWING, PreviewState.RENDERING)
    assert editor.document.history.names == names
    tried = hair_of(styled)
    assert tried[0] < full[0] - 15
    panel.strength.setSliderDown(False)
    assert editor.document.history.names == [*names, "Style of hair 30 %"]
    settle(styled)
    assert np.abs(hair_of(styled) - tried).max() < 1
    editor.undo()
    settle(styled)
    assert np.abs(hair_of(styled) - full).max() < 1
    assert panel.strength.value() == 100


def test_a_slider_that_comes_back_is_no_edit(styled):
    editor, panel = styled.editor, styled.style_panel
    editor.set_style("hair", RED, name="Style of hair")
    settle(styled)
    before = editor.render.result.copy()
    panel.strength.setSliderDown(True)
    panel.strength.setValue(10)
    panel.strength.setValue(100)
    panel.strength.setSliderDown(False)
    assert editor.document.history.names == ["Style of hair"]
    settle(styled)
    assert np.array_equal(editor.render.result, before)


def hold_at(window, percent):
    """The handle is pressed and moved, and what it tries is shown."""
    editor, strength = window.editor, window.style_panel.strength
    settle(window)
    strength.setSliderDown(True)
    strength.setValue(percent)
    wait(lambda: editor.render.rendered.request.styles["hair"].strength == percent / 100)


def test_undo_while_the_slider_is_held_drops_what_is_tried_and_then_the_style(styled):
    editor, panel = styled.editor, styled.style_panel
    editor.set_style("hair", RED, name="Style of hair")
    hold_at(styled, 40)
    editor.undo()
    settle(styled)
    assert editor.document.styles == {"hair": RED}
    editor.undo()
    settle(styled)
    assert not panel.strength.isSliderDown()
    assert not panel.strength.isEnabled()
    panel.strength.setSliderDown(False)
    settle(styled)
    assert editor.render.tried is None
    assert editor.document.styles == {}
    editor.redo()
    settle(styled)
    assert panel.strength.value() == 100


def test_a_strength_that_was_undone_while_held_is_not_taken_at_the_release(styled):
    editor, panel = styled.editor, styled.style_panel
    editor.set_style("hair", RED, name="Style of hair")
    hold_at(styled, 40)
    editor.undo()
    panel.strength.setSliderDown(False)
    assert editor.document.history.names == ["Style of hair"]
    assert panel.strength.value() == 100
    settle(styled)


def test_redo_while_the_slider_is_held(styled):
    editor = styled.editor
    editor.set_style("hair", RED, name="Style of hair")
    editor.set_style("skin", BLUE, name="Style of skin")
    editor.undo()
    hold_at(styled, 40)
    editor.redo()
    settle(styled)
    assert editor.document.styles == {"hair": RED, "skin": BLUE}


@pytest.mark.parametrize("label", [SKIN, BACKGROUND, 11])
def test_another_class_while_the_slider_is_held_does_not_get_its_strength(styled, label):
    """Skin has a style of its own; the background can have none, and lips have none."""
    editor, panel = styled.editor, styled.style_panel
    editor.set_style("skin", BLUE, name="Style of skin")
    editor.set_style("hair", RED, name="Style of hair")
    hold_at(styled, 40)
    editor.set_label(label)
    panel.strength.setValue(30 if label == SKIN else panel.strength.value())
    panel.strength.setSliderDown(False)
    settle(styled)
    percent = 30 if label == SKIN else 40
    assert editor.document.history.names[2:] == [f"Style of hair {percent} %"]
    assert editor.document.styles["skin"] == BLUE
    assert editor.render.tried is None
    assert panel.strength.value() == (100 if label == SKIN else 0)


def test_who_waits_for_a_picture_gets_it_after_the_slider_without_live_preview(styled):
    editor, done = styled.editor, []
    editor.set_style("hair", RED, name="Style of hair")
    hold_at(styled, 40)
    editor.render.set_live(False)
    editor.render.when_up_to_date(lambda: done.append(True))
    wait(lambda: not editor.render.rendering)
    assert done == []
    styled.style_panel.strength.setSliderDown(False)
    wait(lambda: done)
    assert editor.render.rendered.request.styles["hair"].strength == 0.4


def test_keys_on_the_slider_are_one_edit(styled):
    editor, panel = styled.editor, styled.style_panel
    editor.set_style("hair", RED, name="Style of hair")
    panel.strength.setFocus()
    for _ in range(3):
        QTest.keyClick(panel.strength, Qt.Key.Key_Left)
    assert editor.render.tried["hair"].strength == 0.85
    assert editor.document.history.names == ["Style of hair"]
    editor.history_changed.emit()  # whatever else happens does not set the slider back
    assert panel.strength.value() == 85
    wait(lambda: len(editor.document.history.names) == 2)
    assert editor.document.history.names[1] == "Style of hair 85 %"
    settle(styled)


def test_undo_after_a_key_takes_back_the_key(styled):
    editor, panel = styled.editor, styled.style_panel
    editor.set_style("hair", RED, name="Style of hair")
    QTest.keyClick(panel.strength, Qt.Key.Key_Left)
    editor.undo()
    assert editor.document.history.names == ["Style of hair"]
    assert panel.strength.value() == 100
    assert not panel._pause.isActive()
    settle(styled)


def test_a_key_counts_for_the_class_that_was_chosen(styled):
    editor, panel = styled.editor, styled.style_panel
    editor.set_style("hair", RED, name="Style of hair")
    QTest.keyClick(panel.strength, Qt.Key.Key_Left)
    editor.set_label(SKIN)
    assert editor.document.history.names == ["Style of hair", "Style of hair 95 %"]
    assert panel.strength.value() == 0
    settle(styled)


def test_the_wheel_moves_the_slider_only_where_the_keys_are(styled):
    editor, strength = styled.editor, styled.style_panel.strength
    editor.set_style("hair", RED, name="Style of hair")
    styled.canvas.setFocus()
    wheel(strength, QPointF(strength.rect().center()), -120)
    assert strength.value() == 100
    strength.setFocus()
    for _ in range(2):
        wheel(strength, QPointF(strength.rect().center()), -120)
    assert strength.value() < 100
    assert editor.document.history.names == ["Style of hair"]
    wait(lambda: len(editor.document.history.names) == 2)
    settle(styled)


def test_a_style_from_a_colour_and_the_own_style_again(styled, answers):
    document, offered = styled.editor.document, []
    answers.ask_colour = [lambda title, before: offered.append((title, before)) or (20, 30, 190), None]
    styled.actions_by_id["style_from_colour"].trigger()
    assert offered[0][0] == "Colour of hair"
    wanted = document.photo[document.labels == HAIR].mean(axis=0)
    assert np.abs(np.array(offered[0][1]) - wanted).max() < 12
    assert document.history.names == ["Style of hair #141ebe"]
    settle(styled)
    assert hair_of(styled)[2] > hair_of(styled)[0] + 40
    styled.actions_by_id["style_from_colour"].trigger()  # given up
    assert len(document.history.names) == 1
    styled.style_panel.buttons["own_style"].click()
    assert document.styles == {}
    settle(styled)
    assert np.array_equal(styled.editor.render.result, document.photo)


def test_a_name_is_no_html_in_a_tooltip(styled):
    """It may come from a stranger's session."""
    name = '<img src="//example.org/a.png">'
    styled.editor.set_style("hair", replace(RED, name=name), name="Style of hair")
    tips = {
        styled.style_panel.title.toolTip(): f"Hair: {name}",
        styled.palette_panel._rows[HAIR].toolTip(): f"hair (13, hair): paint with this class\nStyle from {name}, 100%",
    }
    for tip, text in tips.items():
        assert "<img" not in tip
        assert QTextDocumentFragment.fromHtml(tip).toPlainText() == text
    styled.editor.set_style("hair", None, name="Own style of hair")
    assert "Style" not in styled.palette_panel._rows[HAIR].toolTip()


def test_what_has_no_style_says_so(styled):
    editor, panel = styled.editor, styled.style_panel
    editor.set_label(BACKGROUND)
    assert panel.title.text() == "This class has no style"
    assert not any(button.isEnabled() for button in panel.buttons.values())
    assert not styled.actions_by_id["style_from_photo"].isEnabled()
    styled.files.others.own()
    assert "has no style" in styled.messages[-1][1]
    editor.set_label(SKIN)
    assert styled.actions_by_id["style_from_photo"].isEnabled()
    assert not styled.actions_by_id["own_style"].isEnabled()


def test_a_photo_that_does_not_show_it_is_a_message(styled, answers, other, tmp_path):
    styled.editor.set_label(14)
    answers.ask_open = [other, other.with_name("ann_labels.png")]
    styled.actions_by_id["style_from_photo"].trigger()
    assert styled.messages[-1] == ("error", "ann shows no hat whose colours could be taken; choose another photo.")
    styled.actions_by_id["style_from_photo"].trigger()
    assert "is a label map and shows no colours" in styled.messages[-1][1]
    assert styled.editor.document.styles == {}


def test_shape_and_style_are_taken_as_one_edit(styled, answers, other):
    document, seen = styled.editor.document, []
    before = document.labels.tobytes()

    def both(document, face, styles, colour_blind, preview):
        seen.append((face.name, sorted(styles)))
        return Taken(frozenset({HAIR}), frozenset({"hair", "lips"}))

    answers.ask_source = [both, Taken(frozenset(), frozenset({"skin"}))]
    styled.files.others.take_file(other)
    assert seen == [("ann", sorted({"brows", "clothes", "eyes", "hair", "lips", "skin"}))]
    assert document.history.names == ["Take labels and style from ann"]
    assert document.labels.tobytes() != before
    assert sorted(document.styles) == ["hair", "lips"]
    styled.files.others.take_file(other)
    assert document.history.names[1:] == ["Take style from ann"]
    styled.editor.undo()
    styled.editor.undo()
    assert document.labels.tobytes() == before
    assert document.styles == {}


def test_the_dialog_offers_shape_style_or_both(styled, other):
    photo, labels = draw_face(256, 5)
    face = OtherFace("ann", labels, photo, labels)
    styles = styles_of(photo, labels, "ann")
    dialog = SourceDialog(styled.editor.document, face, styles, styled)
    dialog.tick([HAIR])
    assert dialog.taken() == Taken(frozenset({HAIR}))
    dialog.what.setCurrentIndex(dialog.what.findData(BOTH))
    assert dialog.taken() == Taken(frozenset({HAIR}), frozenset({"hair"}))
    dialog.what.setCurrentIndex(dialog.what.findData(STYLE))
    assert dialog.taken() == Taken(frozenset(), frozenset({"hair"}))
    assert dialog.buttons.buttons()[0].isEnabled()
    dialog.style_boxes[STYLE_PARTS["skin"][1]].click()
    assert dialog.taken().parts == {"hair", "skin"}
    assert all(dialog.style_boxes[id].isChecked() for id in STYLE_PARTS["skin"])
    dialog.what.setCurrentIndex(dialog.what.findData(SHAPE))
    assert dialog.taken() == Taken(frozenset({HAIR, *STYLE_PARTS["skin"]}))
    assert not dialog.style_boxes[14].isEnabled()  # nobody wears a hat
    dialog.deleteLater()


@pytest.fixture
def dialog(styled):
    """Takes from a face without a hat."""
    photo, labels = draw_face(256, 5)
    dialog = SourceDialog(
        styled.editor.document, OtherFace("ann", labels, photo, labels), styles_of(photo, labels, "ann"), styled
    )
    yield dialog
    dialog.deleteLater()


def choose(dialog, *kinds):
    for kind in kinds:
        dialog.what.setCurrentIndex(dialog.what.findData(kind))


@pytest.mark.parametrize("ids", [(10, 11, 12), (NOSE,), (14,), range(19)])
@pytest.mark.parametrize("there", [STYLE, BOTH])
def test_looking_at_styles_and_going_back_changes_no_tick(dialog, ids, there):
    dialog.tick(ids)
    before = dialog.taken()
    choose(dialog, there, SHAPE)
    assert dialog.taken() == before
    choose(dialog, BOTH)
    both = dialog.taken()
    choose(dialog, STYLE, BOTH)
    assert dialog.taken() == both


def test_clicks_are_kept_when_one_looks_at_styles(dialog):
    dialog.tick(())
    dialog.boxes[NOSE].click()
    choose(dialog, STYLE, SHAPE)
    assert dialog.taken() == Taken(frozenset({NOSE}))
    dialog.style_boxes[SKIN].click()  # beside the shape of the nose: both stay as they are
    assert dialog.taken() == Taken(frozenset({NOSE}), frozenset({"skin"}))
    choose(dialog, BOTH)
    assert dialog.taken() == Taken(frozenset({NOSE}), frozenset({"skin"}))
    dialog.boxes[HAIR].click()
    dialog.style_boxes[SKIN].click()
    assert dialog.taken() == Taken(frozenset({NOSE, HAIR}))
    choose(dialog, SHAPE)
    assert dialog.taken() == Taken(frozenset({NOSE, HAIR}))
    dialog.boxes[NOSE].click()
    choose(dialog, STYLE)
    assert dialog.taken() == Taken(frozenset(), frozenset({"hair"}))


def test_what_is_unticked_does_not_come_back(dialog):
    choose(dialog, BOTH)
    dialog.tick(STYLE_PARTS["skin"])
    dialog.boxes[NOSE].click()
    choose(dialog, SHAPE)
    assert dialog.taken() == Taken(frozenset(STYLE_PARTS["skin"]) - {NOSE})
    choose(dialog, STYLE)
    dialog.style_boxes[NOSE].click()
    choose(dialog, SHAPE)
    assert dialog.taken() == Taken(frozenset())
    choose(dialog, BOTH)
    dialog.tick([HAIR])
    dialog.boxes[HAIR].click()  # its style is still wanted
    choose(dialog, STYLE)
    assert dialog.taken() == Taken(frozenset(), frozenset({"hair"}))


def test_the_dialog_previews_the_face_while_it_is_open(styled, real_dialogs, other):
    """The worker draws it, the window's own picture stays, and what comes too late is dropped."""
    window = styled
    window.files.others._dialogs = real_dialogs(window)
    before, seen = window.editor.render.result.copy(), []

    def look():
        dialog = window.findChild(SourceDialog)
        if dialog is None or dialog._face.pixmap().isNull():
            QTimer.singleShot(20, look)
            return
        if not seen:
            seen.append(dialog._face.pixmap().toImage())
            dialog.what.setCurrentIndex(dialog.what.findData(STYLE))
            dialog.tick([HAIR])
            QTimer.singleShot(20, look)
        elif dialog._face.pixmap().toImage() == seen[0]:
            QTimer.singleShot(20, look)
        else:
            seen.append(dialog._face.pixmap().toImage())
            dialog.tick([SKIN])  # its preview is asked for, and nobody waits for it
            dialog._preview()
            dialog.reject()

    QTimer.singleShot(0, look)
    window.files.others.take_file(other)
    assert len(seen) == 2
    assert window.editor.document.history.names == []
    settle(window)
    assert np.array_equal(window.editor.render.result, before)


def test_a_notice_that_comes_with_a_preview_is_told(styled, monkeypatch):
    """The engine says it once; no later render would."""
    others, images = styled.files.others, []
    once = ["Rendered with less memory."]
    result = FakeEngine.result

    def noticing(engine, *arguments):
        made = result(engine, *arguments)
        made.notice = once.pop() if once else ""
        return made

    monkeypatch.setattr(FakeEngine, "result", noticing)
    labels = styled.editor.document.snapshot().copy()
    labels[20:60, 20:60] = HAIR
    others._preview(labels, {}, images.append, pytest.fail)
    wait(lambda: images)
    wait(lambda: styled.messages)
    assert styled.messages == [("info", "Rendered with less memory.")]


def test_a_preview_that_fails_says_why_in_the_dialog(styled):
    photo, labels = draw_face(256, 5)
    asked = []

    def fails(labels, styles, then, otherwise):
        asked.append((then, otherwise))

    dialog = SourceDialog(
        styled.editor.document, OtherFace("ann", labels, photo, labels), {"hair": RED}, styled, preview=fails
    )
    dialog._preview()
    dialog.tick([HAIR])
    dialog._preview()
    assert len(asked) == 1  # one at a time
    asked[0][1]("No memory.")
    assert dialog._face.text() == "No memory."
    assert len(asked) == 2
    dialog.deleteLater()


def test_painting_goes_on_in_the_style(styled):
    """Longer hair: the edit is laid into the photo with its style, and nothing else changes."""
    editor = styled.editor
    editor.set_style("hair", BLUE, name="Style of hair")
    editor.set_brush(30)
    drag(styled, (60, 150), (55, 190), (60, 220))
    settle(styled)
    assert editor.document.history.names == ["Style of hair", "Brush hair"]
    assert styled.status["outside"] == "rest of the photo: 0 changed"
    reach = editor.render.reach
    assert np.array_equal(editor.render.result[reach == 0], editor.document.photo[reach == 0])
    styled.actions_by_id["what_changes"].trigger()
    assert styled.result_view._overlay is not None


def test_a_session_and_an_export_have_the_style(styled, answers, tmp_path):
    editor = styled.editor
    editor.set_style("hair", BLUE, name="Style of hair")
    answers.ask_save = [tmp_path / "a.maskedit", tmp_path / "whole.png", tmp_path / "cut.png"]
    answers.ask_export = [Export("photo", 95), Export("cutout", 95)]
    assert styled.files.save()
    assert session.load_session(tmp_path / "a.maskedit").styles == {"hair": BLUE}
    for name in ("whole.png", "cut.png"):
        styled.actions_by_id["export"].trigger()
        wait(lambda name=name: (tmp_path / name).exists() and not editor.has_waiting)
    assert np.array_equal(imaging.read_photo(tmp_path / "whole.png"), editor.render.result)
    cut = imaging.read_photo(tmp_path / "cut.png")  # white where nothing changed
    assert (cut[editor.render.reach == 0] == 255).all()
    assert (cut[editor.render.reach == 1] != 255).any()
