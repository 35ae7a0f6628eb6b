"""Photos without a label map: faces are found, chosen, placed by hand and parsed, and laid back into the photo."""

import time

import cv2
import numpy as np
import pytest
from PIL import Image
from PySide6.QtCore import Qt, QTimer
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QMessageBox

from maskedit import imaging
from maskedit.document import session
from maskedit.document.document import Document
from maskedit.document.origin import Origin
from maskedit.errors import UserError
from maskedit.gui.dialogs.export import Export
from maskedit.gui.dialogs.source import Taken
from maskedit.imaging import Square
from tests.faces import draw_face
from tests.gui.harness import (
    CTRL,
    FOUND,
    LEFT,
    NONE,
    FakeEngine,
    FakeFinder,
    FakeLearning,
    LearningEngine,
    at,
    click,
    drag,
    key,
    make_document,
    settle,
    wait,
)
from tests.openraster import read_openraster, shown


@pytest.fixture
def photo(tmp_path):
    """A photo file of 400 x 300 px without a label map."""
    pixels = imaging.resize_photo(draw_face(400, 5)[0], (400, 300))
    imaging.write_photo(tmp_path / "holiday.png", pixels)
    return tmp_path / "holiday.png", pixels


class OffEngine(FakeEngine):
    """Draws another person: everything lighter than the photo's labels would have it."""

    def render(self, labels, *, cancelled=None):
        result = super().render(labels)
        result.image = (result.image // 3 + 120).astype(np.uint8)
        return result


def export_photo(window, answers, path, kind="photo"):
    answers.ask_export = [Export(kind, 95)]
    answers.ask_save = [path]
    window.actions_by_id["export"].trigger()


# Finding


def test_the_only_face_is_cut_out_and_parsed(window, answers, photo):
    before = window.editor.document
    assert not window.files.open(photo[0])
    assert window.editor.document is before
    assert window.message_bar.text.text() == "Looking for faces in holiday…"
    wait(lambda: window.editor.document is not before)
    document = window.editor.document
    assert document.name == "holiday"
    assert document.origin.square == FOUND
    assert document.origin.data == photo[0].read_bytes()
    assert np.array_equal(document.photo, imaging.cut_square(photo[1], FOUND, 512))
    assert np.array_equal(document.labels, draw_face(512, seed=3)[1])
    assert window.files.recent() == [photo[0]]
    settle(window)


def test_of_several_faces_the_person_picks_one(open_window, answers, photo):
    others = Square(100, 100, 90), Square(300, 200, 80, 20)
    window = open_window(FakeEngine(), finder=FakeFinder(FOUND, *others))
    seen = []

    def pick(pixels, squares):
        seen.append((pixels.shape, squares))
        return 2

    answers.ask_face = [pick]
    window.files.open(photo[0])
    wait(lambda: window.editor.document.name == "holiday")
    assert seen == [((300, 400, 3), [FOUND, *others])]
    assert window.editor.document.origin.square == others[1]


@pytest.mark.slow
@pytest.mark.parametrize("answer", ["place", "give up"])
@pytest.mark.parametrize("faces", [0, 2])
def test_a_face_that_is_not_found_is_placed_by_hand(open_window, answers, photo, faces, answer):
    window = open_window(FakeEngine(), finder=FakeFinder(*[FOUND, Square(1, 1, 9)][:faces]))
    before, placed = window.editor.document, Square(150, 120, 100, -10)
    answers.ask_face = ["crop"] * (faces > 0)
    answers.ask_crop = [placed if answer == "place" else None]
    window.files.open(photo[0])
    if answer == "place":
        wait(lambda: window.editor.document is not before)
        assert window.editor.document.origin.square == placed
    else:
        wait(lambda: ("info", "holiday was not opened.") in window.messages)
        assert window.editor.document is before
    assert answers.asked[-1] == "ask_crop"


def test_only_the_last_photo_asked_for_opens(open_window, answers, photo, tmp_path):
    finder = FakeFinder(FOUND)
    window = open_window(FakeEngine(), finder=finder, start=False)
    (tmp_path / "second.png").write_bytes(photo[0].read_bytes())
    window.files.open(photo[0])
    window.files.open(tmp_path / "second.png")
    window.editor.start()
    wait(lambda: window.editor.document.name == "second")
    settle(window)
    assert len(finder.photos) == 2
    assert window.editor.document.name == "second"


def test_work_is_told_until_it_answers(open_window, answers, photo):
    window = open_window(FakeEngine(), start=False)
    window.files.open(photo[0])
    bar = window.message_bar
    assert bar.text.text() == "Looking for faces in holiday…"
    window.editor.message.emit("info", "Something else.")
    assert bar.text.text() == "Something else."
    bar._timer.timeout.emit()  # its seconds are over
    assert bar.text.text() == "Looking for faces in holiday…"
    window.editor.message.emit("error", "Something went wrong.")
    key(window, Qt.Key.Key_Escape)
    assert bar.text.text() == "Looking for faces in holiday…"
    assert bar.busy.isVisible()
    window.editor.start()
    wait(lambda: window.editor.document.name == "holiday")
    assert window.editor.jobs.working is None
    assert not bar.busy.isVisible()


@pytest.mark.parametrize("how", ["button", "escape"])
def test_work_can_be_given_up(open_window, answers, photo, how):
    finder = FakeFinder(FOUND)
    window = open_window(FakeEngine(), finder=finder, start=False)
    before = window.editor.document
    window.files.open(photo[0])
    if how == "button":
        assert window.message_bar.close_button.text() == "Cancel"
        QTest.mouseClick(window.message_bar.close_button, LEFT)
    else:
        key(window, Qt.Key.Key_Escape)
    assert window.messages[-1] == ("info", "holiday was not opened.")
    window.editor.start()
    settle(window)
    assert finder.photos == []
    assert window.editor.document is before


def test_a_session_opened_meanwhile_stays(open_window, answers, photo, tmp_path):
    session.save_session(tmp_path / "work.maskedit", make_document(name="work"))
    window = open_window(FakeEngine(), start=False)
    window.files.open(photo[0])
    window.files.open(tmp_path / "work.maskedit")
    window.editor.start()
    settle(window)
    assert window.editor.document.name == "work"
    assert not window.editor.has_waiting


def test_nothing_comes_behind_an_open_dialog(window, answers, photo):
    before = window.editor.document
    box = QMessageBox(window)
    box.setModal(True)
    box.show()
    window.files.open(photo[0])
    QTest.qWait(400)
    assert window.editor.document is before
    box.close()
    wait(lambda: window.editor.document.name == "holiday")


def test_nothing_comes_into_the_middle_of_a_stroke(window, answers, photo):
    before = window.editor.document
    QTest.mousePress(window.canvas, LEFT, NONE, at(window, 60, 220))
    answers.ask_unsaved = ["discard"]
    window.files.open(photo[0])  # as a drop does, without letting the button go
    QTest.qWait(400)
    assert window.editor.document is before
    QTest.mouseRelease(window.canvas, LEFT, NONE, at(window, 60, 220))
    answers.ask_unsaved = ["discard"]
    wait(lambda: window.editor.document.name == "holiday")


def test_who_has_thrown_edits_away_is_asked_once(window, answers, photo):
    click(window, 60, 220)
    answers.ask_unsaved = ["discard"]
    window.files.open(photo[0])
    wait(lambda: window.editor.document.name == "holiday")
    assert answers.asked.count("ask_unsaved") == 1


def test_a_map_that_is_only_called_after_the_photo_is_not_taken_for_its_own(window, answers, photo):
    imaging.write_labels(photo[0].with_name("holiday_labels.png"), np.ones((512, 512), np.uint8))
    window.files.open(photo[0])
    wait(lambda: window.editor.document.name == "holiday")
    assert window.editor.document.origin.square == FOUND


def test_what_was_painted_while_a_face_was_looked_for_is_not_lost(window, answers, photo):
    before = window.editor.document
    window.files.open(photo[0])
    click(window, 60, 220)
    assert before.is_modified
    answers.ask_unsaved = ["cancel"]
    wait(lambda: "ask_unsaved" in answers.asked)
    assert window.editor.document is before


def test_a_parser_that_fails_is_one_message(open_window, answers, photo):
    class Broken(FakeFinder):
        def find(self, photo, **options):
            raise UserError("The parser is missing: install maskedit again.")

    window = open_window(FakeEngine(), finder=Broken())
    settle(window)
    before = window.editor.document
    window.files.open(photo[0])
    wait(lambda: ("error", "The parser is missing: install maskedit again.") in window.messages)
    assert window.editor.document is before
    click(window, 60, 220)
    settle(window)


def test_a_file_that_is_no_photo_is_named(window, answers, tmp_path):
    (tmp_path / "notes.jpg").write_bytes(b"no image at all")
    window.files.open(tmp_path / "notes.jpg")
    wait(lambda: window.messages)
    assert window.messages[-1][0] == "error"
    assert window.messages[-1][1].startswith("'notes' is not an image")


@pytest.mark.slow
def test_a_source_photo_is_parsed(window, answers, photo):
    document = window.editor.document
    answers.ask_source = [Taken(None)]
    window.files.others.take_file(photo[0])
    wait(lambda: document.history.names == ["Take labels from holiday"])
    assert np.array_equal(document.labels, imaging.resize_labels(draw_face(512, seed=3)[1], (256, 256)))


# Corrections


@pytest.mark.slow
def test_the_square_can_be_placed_anew(window, answers, photo):
    window.files.open(photo[0])
    wait(lambda: window.editor.document.name == "holiday")
    asked = []

    def move(pixels, square, note=""):
        asked.append((pixels.shape, square, note))
        return Square(190, 150, 140, 5)

    answers.ask_crop = [move]
    key(window, Qt.Key.Key_R, CTRL)
    wait(lambda: window.editor.document.origin.square != FOUND)
    assert asked == [((300, 400, 3), FOUND, "")]
    document = window.editor.document
    assert np.array_equal(document.photo, imaging.cut_square(photo[1], Square(190, 150, 140, 5), 512))
    assert np.array_equal(document.labels, document.reference_labels)
    assert "ask_unsaved" not in answers.asked
    # Also a document that came from no file has a square: all of it.
    window.files.show_document(make_document())
    answers.ask_crop = [Square(128, 128, 100)]
    window.files.place_square()
    wait(lambda: window.editor.document.origin is not None)
    assert window.editor.document.width == 512


def test_a_moved_square_takes_the_edits_along(window, answers, photo, tmp_path):
    window.files.open(photo[0])
    wait(lambda: window.editor.document.name == "holiday")
    editor, before = window.editor, window.editor.document
    editor.set_brush(60)
    click(window, 250, 250)
    click(window, 250, 100)
    editor.undo()
    before.face_weights = b"learned"
    before.locked = {3}
    answers.ask_crop = [Square(FOUND.x + 20, FOUND.y, FOUND.side)]  # a square to the right: its labels go to the left
    key(window, Qt.Key.Key_R, CTRL)
    wait(lambda: editor.document is not before)
    document, shift = editor.document, round(20 * 512 / FOUND.side)
    assert "ask_unsaved" not in answers.asked
    assert document.origin.square.x == FOUND.x + 20
    parsed = draw_face(512, seed=3)[1]
    assert np.array_equal(document.reference_labels, parsed)
    edited = np.roll(before.labels != before.reference_labels, -shift, axis=1)
    near = cv2.dilate(edited.astype(np.uint8), np.ones((5, 5))).astype(bool)
    assert (document.labels[edited] == 14).all()
    assert np.array_equal(document.labels[~near], parsed[~near])
    assert (document.history.names, document.history.position) == (before.history.names, 1)
    assert (document.locked, document.is_modified, document.face_weights) == ({3}, True, None)
    assert "learn it again" in window.messages[-1][1]
    window.files.recovery._wait()
    assert window.files.recovery._path.is_file()
    editor.undo()
    assert np.array_equal(document.labels, parsed)
    editor.redo()
    editor.redo()
    assert document.label_at(250 - shift, 100) == 14


def test_corrected_labels_become_the_photos_own(window, answers):
    click(window, 60, 220)
    before = window.editor.document
    corrected = before.snapshot()
    assert not np.array_equal(corrected, before.reference_labels)
    window.actions_by_id["adopt"].trigger()
    document = window.editor.document
    assert np.array_equal(document.reference_labels, corrected)
    assert np.array_equal(document.labels, corrected)
    assert document.is_modified  # nothing of it is on the disk
    assert window.isWindowModified()
    window.files.recovery._wait()
    assert window.files.recovery._path.is_file()


def test_adopting_labels_throws_nothing_away(window, tmp_path):
    document = window.editor.document
    click(window, 60, 220)
    document.face_weights, document.path, document.locked = b"x", tmp_path / "work.maskedit", {3}
    window.files.adopt_labels()
    adopted = window.editor.document
    assert (adopted.face_weights, adopted.path, adopted.locked) == (b"x", document.path, {3})
    assert adopted.history.names == document.history.names
    adopted.undo()
    assert not np.array_equal(adopted.labels, adopted.reference_labels)
    adopted.face_weights = None


def test_the_photo_is_parsed_anew(window):
    before = window.editor.document
    window.actions_by_id["parse_photo"].trigger()
    wait(lambda: window.editor.document is not before)
    assert np.array_equal(window.editor.document.reference_labels, draw_face(256, seed=3)[1])
    assert np.array_equal(window.editor.document.photo, before.photo)


def test_parse_again_inside_a_lasso(window):
    document = window.editor.document
    before = document.snapshot()
    key(window, Qt.Key.Key_R)
    assert window.editor.tool == "parse_again"
    drag(window, (20, 200), (90, 200), (90, 250), (20, 250))
    wait(lambda: document.history.names == ["Parse again"])
    changed = document.labels != before
    assert changed[205:245, 25:85].all()
    assert (document.labels[changed] == 14).all()
    rows, columns = np.nonzero(changed)
    assert rows.min() >= 199
    assert columns.max() <= 91
    settle(window)
    drag(window, (20, 200), (90, 200), (90, 250), (20, 250))
    wait(lambda: any(text.startswith("The parser sees there") for _, text in window.messages))
    assert document.history.names == ["Parse again"]


def test_parse_again_with_a_lasso_outside_the_picture(window):
    """Its box may reach into the picture where the lasso itself does not."""
    window.files.faces.parse_again([(-90, 20), (20, -90), (-90, -90)])
    window.files.faces.parse_again([(300, 300), (400, 300), (400, 400)])
    settle(window)
    assert window.editor.document.history.names == []
    assert window.messages == []


def test_where_the_parser_was_unsure(window):
    settle(window)
    plain = window.canvas.grab().toImage()
    key(window, Qt.Key.Key_U)
    wait(lambda: window.canvas.grab().toImage() != plain)
    window.files.show_document(make_document())
    assert not window.actions_by_id["confidence"].isChecked()
    settle(window)
    assert window.canvas.grab().toImage() == plain


# The same person


@pytest.mark.slow
def test_only_the_edit_changes_and_the_status_line_says_so(open_window, answers, photo, tmp_path):
    window = open_window(OffEngine(), whole_face=False)
    window.files.open(photo[0])
    wait(lambda: window.editor.document.name == "holiday")
    settle(window)
    editor, document = window.editor, window.editor.document
    assert np.array_equal(editor.render.result, document.photo)
    assert window.status["outside"] == "photo unchanged"
    editor.set_brush(60)
    click(window, 250, 250)
    settle(window)
    changed = (editor.render.result != document.photo).any(axis=2)
    assert changed[240:260, 240:260].any()
    assert not changed[:150].any()
    assert not changed[:, :150].any()
    assert window.status["outside"] == "rest of the photo: 0 changed"
    whole = editor.render.result
    window.actions_by_id["detail"].trigger()
    settle(window)
    assert not editor.render.blend.detail
    assert not np.array_equal(editor.render.result, whole)
    window.actions_by_id["whole_face"].trigger()
    settle(window)
    assert window.status["outside"] == "whole face redrawn"
    assert (editor.render.result != document.photo).mean() > 0.9
    window.actions_by_id["whole_face"].trigger()
    window.actions_by_id["detail"].trigger()
    export_photo(window, answers, tmp_path / "out.png")
    wait(lambda: window.messages[-1][1] == "Exported out.png.")
    edited = imaging.read_photo(tmp_path / "out.png")
    touched = (edited != photo[1]).any(axis=2)
    assert touched.any()
    x, y = FOUND.matrix(512)[:, :2] @ [250, 250] + FOUND.matrix(512)[:, 2]
    rows, columns = np.nonzero(touched)
    assert np.abs(rows.mean() - y) < 5
    assert np.abs(columns.mean() - x) < 5
    assert touched.sum() < np.pi * 30**2


@pytest.mark.slow
def test_the_edit_alone_and_in_layers_lies_over_the_photo(open_window, answers, tmp_path):
    """Both at the photo's size and with its metadata; laid over it by another program, they are the edited photo."""
    pixels = imaging.resize_photo(draw_face(400, 5)[0], (400, 300))
    exif = Image.Exif()
    exif[0x010F] = "a camera"
    Image.fromarray(pixels).save(tmp_path / "holiday.png", exif=exif)
    window = open_window(OffEngine(), whole_face=False)
    window.files.open(tmp_path / "holiday.png")
    wait(lambda: window.editor.document.name == "holiday")
    window.editor.set_brush(60)
    click(window, 250, 250)
    settle(window)
    for kind, name in (("photo", "out.png"), ("cutout", "cut.png"), ("layers", "out.ora")):
        export_photo(window, answers, tmp_path / name, kind)
        wait(lambda name=name: window.messages[-1] == ("info", f"Exported {name}."))
    edited = imaging.read_photo(tmp_path / "out.png").astype(int)
    assert (edited != pixels).any()
    canvas = Image.fromarray(pixels).convert("RGBA")
    with Image.open(tmp_path / "cut.png") as cut:
        assert cut.getexif()[0x010F] == "a camera"
        canvas.alpha_composite(cut)
    assert np.abs(np.array(canvas.convert("RGB")) - edited).max() <= 1
    alpha = np.array(cut)[..., 3]
    assert ((alpha > 0) & (alpha < 255)).any()  # soft at its rim
    found = read_openraster(tmp_path / "out.ora")
    names = [(layer.name, layer.visible) for layer in found.layers]
    assert names == [("Photo", True), ("Edit", True), ("Label map", False), ("Hole", False)]
    assert found.merged.getexif()[0x010F] == "a camera"
    assert np.array_equal(np.array(found.merged), edited)
    assert np.abs(shown(found) - edited).max() <= 1
    map_layer = found.layers[2]
    x, y = FOUND.matrix(512)[:, :2] @ [250, 250] + FOUND.matrix(512)[:, 2] - map_layer.at
    assert map_layer.image.getpixel((int(x), int(y))) == (*imaging.colourise(np.array([[14]], np.uint8))[0, 0], 255)


@pytest.mark.slow
def test_an_edit_in_a_large_grainy_photo_is_exported_with_grain(open_window, answers, tmp_path):
    """The square is enlarged, and what was drawn in it would be smoother than all around it."""
    noise = np.random.default_rng(0).normal(0, 8, (900, 1000, 3))
    pixels = np.rint(120 + noise).astype(np.uint8)
    imaging.write_photo(tmp_path / "large.png", pixels)
    square = Square(500, 450, 800)
    window = open_window(FakeEngine(), finder=FakeFinder(square), whole_face=False)
    window.files.open(tmp_path / "large.png")
    wait(lambda: window.editor.document.name == "large")
    window.editor.set_brush(90)
    drag(window, (150, 250), (350, 250))
    settle(window)
    export_photo(window, answers, tmp_path / "out.png")
    wait(lambda: window.messages[-1] == ("info", "Exported out.png."))
    edited = imaging.read_photo(tmp_path / "out.png").astype(float)
    x, y = (square.matrix(512)[:, :2] @ [250, 250] + square.matrix(512)[:, 2]).astype(int)
    middle = edited[y - 30 : y + 30, x - 60 : x + 60]
    assert np.abs(middle - pixels[y - 30 : y + 30, x - 60 : x + 60]).mean() > 5
    assert middle.std(axis=(0, 1)).mean() == pytest.approx(8, rel=0.2)


def test_layers_that_cannot_be_written_are_told(window, answers, tmp_path):
    settle(window)
    export_photo(window, answers, tmp_path / "no folder" / "out.ora", "layers")
    wait(lambda: window.messages)
    assert window.messages[-1][0] == "error"
    assert "no folder" in window.messages[-1][1]


@pytest.mark.parametrize(
    ("kind", "suggested", "filters"),
    [
        ("photo", "face_edited.png", "PNG (*.png);;WebP (*.webp);;JPEG (*.jpg *.jpeg)"),
        ("cutout", "face_cutout.png", "PNG (*.png)"),
        ("layers", "face_layers.ora", "OpenRaster (*.ora)"),
        ("ids", "face_face_labels.png", "PNG (*.png)"),
    ],
)
def test_every_kind_of_export_suggests_its_own_file(window, answers, kind, suggested, filters):
    asked = []
    answers.ask_export = [Export(kind, 95)]
    answers.ask_save = [lambda *question: asked.append(question)]
    window.actions_by_id["export"].trigger()
    ((_, path, offered),) = asked
    assert (path.name, offered) == (suggested, filters)


def test_what_will_change_is_shown(open_window):
    window = open_window(OffEngine(), whole_face=False)
    settle(window)
    window.editor.set_brush(60)
    click(window, 128, 128)
    settle(window)
    plain = window.result_view.grab().toImage()
    key(window, Qt.Key.Key_W)
    assert window.result_view.grab().toImage() != plain
    key(window, Qt.Key.Key_W)
    assert window.result_view.grab().toImage() == plain


def test_a_face_is_learned_shown_kept_and_forgotten(open_window, answers, tmp_path):
    engine = LearningEngine()
    window = open_window(engine)
    settle(window)
    editor, document = window.editor, window.editor.document
    first, seen, pictures = editor.render.result.copy(), [], []
    editor.tuning.progressed.connect(seen.append)
    editor.render.result_changed.connect(lambda: pictures.append(editor.render.result.copy()))
    window.actions_by_id["learn"].trigger()
    wait(lambda: document.face_weights is not None)
    settle(window)
    assert [each.done for each in seen if each is not None][-1] == 24
    assert seen[-1] is None
    assert max(each.decibels or 0 for each in seen if each is not None) > 10
    assert len(pictures) == 3  # after 10 and 20 steps, and at the end
    errors = [np.abs(picture.astype(int) - document.photo).mean() for picture in (first, *pictures)]
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] == 0
    assert document.face_weights == b"learned"
    assert document.is_modified
    assert engine.loaded == []  # it is in the engine already
    session.save_session(tmp_path / "face.maskedit", document)
    document.mark_saved()
    window.actions_by_id["forget_face"].trigger()
    settle(window)
    assert np.array_equal(editor.render.result, first)
    answers.ask_unsaved = ["discard"]
    window.files.open(tmp_path / "face.maskedit")
    settle(window)
    assert engine.loaded == [b"learned"]
    assert np.array_equal(editor.render.result, document.photo)


def test_a_face_is_not_learned_still_where_the_document_says_nothing_of_it(open_window):
    """The engine knows this photo already, and wears what was learned of it."""
    engine = LearningEngine()
    engine.set_target = lambda photo, labels: setattr(engine, "photo", photo)  # forgets nothing, as for the same photo
    window = open_window(engine)
    settle(window)
    first = window.editor.render.result.copy()
    window.editor.tuning.begin()
    wait(lambda: window.editor.document.face_weights is not None)
    settle(window)
    assert not np.array_equal(window.editor.render.result, first)
    window.files.show_document(make_document())
    settle(window)
    assert np.array_equal(window.editor.render.result, first)


def test_a_learned_face_that_does_not_fit_is_told_and_the_picture_comes_all_the_same(open_window):
    engine = LearningEngine()

    def refuse(data):
        raise UserError("The learned face belongs to other weights.")

    engine.load_face_weights = refuse
    window = open_window(engine)
    settle(window)
    first = window.editor.render.result.copy()
    document = make_document()
    document.face_weights = b"of other weights"
    window.files.show_document(document)
    settle(window)
    assert np.array_equal(window.editor.render.result, first)
    assert document.face_weights == b"of other weights"
    told = [text for _, text in window.messages if "belongs to other weights" in text]
    assert len(told) == 1
    assert "Forget this face" in told[0]
    click(window, 60, 220)
    settle(window)
    assert [text for _, text in window.messages if "belongs to other weights" in text] == told


def test_many_renders_while_learning_do_not_multiply_its_steps(open_window, monkeypatch):
    calls = []
    step = FakeLearning.step
    monkeypatch.setattr(FakeLearning, "step", lambda self: (time.sleep(0.02), step(self), calls.append(1))[1])
    window = open_window(LearningEngine(steps=10**6))
    settle(window)
    window.editor.tuning.begin()
    wait(lambda: len(calls) > 2)
    for _ in range(30):
        window.editor.render.render_now()
        QTest.qWait(10)
    before = len(calls)
    assert window.editor.stop()
    assert len(calls) - before < 10


def test_learning_can_be_stopped_without_a_trace(open_window):
    engine = LearningEngine(steps=10**6)
    window = open_window(engine)
    settle(window)
    editor, first = window.editor, window.editor.render.result.copy()
    window.actions_by_id["learn"].trigger()
    wait(lambda: editor.tuning.progress is not None and editor.tuning.progress.done > 30)
    assert not window.actions_by_id["learn"].isEnabled()
    assert not editor.render.up_to_date  # the picture is on its way
    click(window, 60, 220)  # painting goes on
    assert editor.document.is_modified
    editor.document.undo()
    window.learn_bar.cancelled.emit()
    wait(lambda: editor.tuning.progress is None)
    settle(window)
    assert engine.cancelled == 1
    assert editor.document.face_weights is None
    assert np.array_equal(editor.render.result, first)
    # Another document ends a learning, too.
    window.actions_by_id["learn"].trigger()
    wait(lambda: editor.tuning.progress is not None and editor.tuning.progress.done > 0)
    window.files.show_document(make_document(seed=2))
    settle(window)
    assert editor.tuning.progress is None
    assert engine.cancelled == 2
    assert editor.document.face_weights is None


def test_a_learning_is_not_lost_without_a_question(open_window, answers, photo):
    window = open_window(LearningEngine(steps=10**6))
    settle(window)
    editor, before = window.editor, window.editor.document
    window.actions_by_id["learn"].trigger()
    wait(lambda: editor.tuning.progress is not None)
    answers.ask_stop_learning = [False] * 4
    window.files.open(photo[0])
    window.actions_by_id["place_square"].trigger()
    window.actions_by_id["adopt"].trigger()
    assert not window.close()
    assert answers.asked == ["ask_stop_learning"] * 4
    assert editor.document is before
    assert editor.tuning.progress is not None
    answers.ask_stop_learning = [True]
    window.files.open(photo[0])
    wait(lambda: editor.document is not before)
    assert editor.tuning.progress is None
    assert len(answers.asked) == 5
    settle(window)


@pytest.mark.parametrize(("press", "answer"), [("Stop", True), ("Go on learning", False), ("Esc", False)])
def test_the_question_about_a_learning(qapp, real_dialogs, press, answer):
    def act():
        box = QApplication.activeModalWidget()
        buttons = {button.text().replace("&", ""): button for button in box.buttons()}
        if press == "Esc":
            QTest.keyClick(box, Qt.Key.Key_Escape)
        else:
            buttons[press].click()

    QTimer.singleShot(0, act)
    assert real_dialogs(None).ask_stop_learning() is answer


def test_learning_that_fails_is_one_message(open_window):
    class Astray(LearningEngine):
        def learn(self, steps=None):
            learning = FakeLearning(self)

            def step():
                raise UserError("It went astray.")

            learning.step = step
            return learning

    window = open_window(Astray())
    settle(window)
    first = window.editor.render.result.copy()
    window.actions_by_id["learn"].trigger()
    wait(lambda: ("error", "The face was not learned: It went astray.") in window.messages)
    settle(window)
    assert window.editor.tuning.progress is None
    assert np.array_equal(window.editor.render.result, first)


def test_the_window_closes_once_a_promised_photo_is_written(open_window, answers, tmp_path):
    window = open_window(FakeEngine())
    settle(window)
    export_photo(window, answers, tmp_path / "late.png")
    window.close()
    assert window.isVisible()
    wait(lambda: not window.isVisible())
    assert (tmp_path / "late.png").is_file()


def test_the_window_stays_when_a_promised_photo_cannot_be_written(open_window, answers, tmp_path):
    window = open_window(FakeEngine())
    settle(window)
    export_photo(window, answers, tmp_path / "no folder" / "late.png")
    window.close()
    wait(lambda: not window.editor.has_waiting)
    QTest.qWait(50)
    assert window.isVisible()
    level, text = window.messages[-1]
    assert level == "error"
    assert "no folder" in text
    assert window.message_bar.text.text() == text


def test_a_promised_photo_is_written_though_nobody_waits(open_window, answers, tmp_path):
    window = open_window(FakeEngine(0.2))
    settle(window)
    export_photo(window, answers, tmp_path / "late.png")
    window.close()
    window.close()
    wait((tmp_path / "late.png").is_file)


def test_the_square_is_exported_though_the_photo_file_in_the_session_is_damaged(window, answers, tmp_path):
    document = make_document()
    window.files.show_document(
        Document(document.photo, document.labels, origin=Origin(b"no photo", Square(9, 9, 9)), name="x")
    )
    settle(window)
    for kind, name in (("result", "square.png"), ("photo", "photo.png")):
        answers.ask_export = [Export(kind, 95)]
        answers.ask_save = [tmp_path / name]
        window.actions_by_id["export"].trigger()
    wait(lambda: window.messages[-1][0] == "error")
    assert "export the square instead" in window.messages[-1][1]
    assert (tmp_path / "square.png").is_file()
    assert not (tmp_path / "photo.png").exists()
