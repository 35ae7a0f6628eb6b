"""The edit of the open document on other photos: asked for, followed, stopped; what failed is told at the end."""

import pytest
from PySide6.QtTest import QTest

from maskedit import imaging
from maskedit.gui.dialogs.batch import BatchDialog, BatchWanted
from tests.faces import draw_face
from tests.gui.harness import FOUND, FakeEngine, FakeFinder, LearningEngine, click, settle, wait


@pytest.fixture
def photos(tmp_path):
    """Three photos in a folder."""
    folder = tmp_path / "friends"
    folder.mkdir()
    for number, name in enumerate(("anna.png", "ben.png", "cleo.png")):
        imaging.write_photo(folder / name, imaging.resize_photo(draw_face(400, number)[0], (400, 300)))
    return sorted(folder.iterdir())


def apply(window, answers, photos, folder):
    answers.ask_batch = [BatchWanted(photos, folder)]
    window.actions_by_id["apply_to_photos"].trigger()


def test_an_edit_goes_to_other_photos_and_failures_are_one_message(window, answers, photos, tmp_path):
    window.editor.set_brush(60)
    click(window, 128, 30)
    out, broken, before = tmp_path / "out" / "edited", photos[0].with_name("notes.png"), window.editor.document
    broken.write_bytes(b"no photo")
    out.mkdir(parents=True)
    (out / "ben_edited.png").write_bytes(b"mine")
    seen = []
    window.files.batch.progressed.connect(lambda run: seen.append(None if run is None else run.done))
    apply(window, answers, [*photos, broken, out / "anna_edited.png"], out)
    assert not window.batch_bar.isHidden()
    wait(lambda: window.files.batch.run is None)
    assert seen == [0, 1, 2, 3, None]
    assert window.batch_bar.isHidden()
    level, text = window.messages[-1]
    assert level == "error"
    assert text.startswith(
        f"The edit is on 2 of 4 photos, in {out}. Not on ben.png (ben_edited.png is there already), "
    )
    assert "notes.png (" in text
    assert (out / "ben_edited.png").read_bytes() == b"mine"
    for photo in (photos[0], photos[2]):
        edited, own = imaging.read_photo(out / f"{photo.stem}_edited.png"), imaging.read_photo(photo)
        assert edited.shape == own.shape
        assert (edited != own).any()
    assert window.editor.document is before
    assert len(window.messages) == 1
    settle(window)


def test_the_photo_itself_keeps_its_square_and_its_label_map(window, answers, photos, tmp_path):
    """No face is looked for in it."""
    window.files.open(photos[0])
    wait(lambda: window.editor.document.name == "anna")
    click(window, 250, 30)
    settle(window)
    found = len(window.editor.thread.worker.finder.photos)
    apply(window, answers, photos[:1], tmp_path)
    wait(lambda: window.files.batch.run is None)
    assert window.messages[-1] == ("info", f"The edit is on 1 of 1 photos, in {tmp_path}.")
    assert len(window.editor.thread.worker.finder.photos) == found
    assert (tmp_path / "anna_edited.png").is_file()


def test_it_can_be_stopped(open_window, answers, photos, tmp_path):
    class Slow(FakeFinder):
        def find(self, photo, *, given_up=lambda: False):
            if len(self.photos) == 1:
                window.files.batch.cancel()
            found = super().find(photo)
            return [] if given_up() else found

    window = open_window(FakeEngine(), finder=Slow(FOUND))
    settle(window)
    click(window, 128, 30)
    apply(window, answers, photos, tmp_path / "out")
    wait(lambda: window.files.batch.run is None)
    assert window.messages[-1] == ("info", f"Stopped. The edit is on 1 of 3 photos, in {tmp_path / 'out'}.")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["anna_edited.png"]


def test_the_window_closes_once_all_photos_are_written(window, answers, photos, tmp_path):
    click(window, 128, 30)
    apply(window, answers, photos, tmp_path / "out")
    answers.ask_unsaved = ["discard"]
    window.close()
    assert window.isVisible()
    wait(lambda: not window.isVisible())
    assert len(list((tmp_path / "out").iterdir())) == 3


def test_the_window_stays_to_tell_what_failed(window, answers, photos, tmp_path):
    click(window, 128, 30)
    photos[1].write_bytes(b"no photo")
    apply(window, answers, photos[:2], tmp_path)
    window.close()
    wait(lambda: not window.editor.has_waiting)
    QTest.qWait(20)
    assert window.isVisible()
    assert "Not on ben.png" in window.message_bar.text.text()


def test_what_is_in_the_way_is_told_first(open_window, answers, photos, tmp_path):
    window = open_window(LearningEngine(steps=10**6))
    settle(window)
    window.actions_by_id["apply_to_photos"].trigger()
    assert window.messages[-1][1].startswith("Nothing is edited in face")
    click(window, 128, 30)
    window.actions_by_id["learn"].trigger()
    wait(lambda: window.editor.tuning.progress is not None)
    answers.ask_stop_learning = [False]
    apply(window, answers, photos, tmp_path / "out")
    assert window.files.batch.run is None
    assert not (tmp_path / "out").exists()
    answers.ask_stop_learning = [True]
    apply(window, answers, photos, tmp_path / "out")
    window.actions_by_id["apply_to_photos"].trigger()
    assert window.messages[-1][1].startswith("An edit is being laid on photos already")
    wait(lambda: window.files.batch.run is None)
    assert len(list((tmp_path / "out").iterdir())) == 3


def test_the_dialog_takes_files_and_folders(qapp, photos, tmp_path):
    dialog = BatchDialog(str(tmp_path))
    assert not dialog.apply_button.isEnabled()
    dialog.add([tmp_path])
    assert "holds no photos" in dialog.note.text()
    dialog.add([photos[1], photos[0].parent])
    assert dialog.wanted() == BatchWanted([photos[1], photos[0], photos[2]], photos[0].parent / "edited")
    assert dialog.apply_button.text() == "Apply to 3 photos"
    dialog.list.item(0).setSelected(True)
    dialog._remove()
    dialog.folder.setText(str(tmp_path / "out"))
    assert dialog.wanted() == BatchWanted([photos[0], photos[2]], tmp_path / "out")
    dialog.folder.clear()
    assert not dialog.apply_button.isEnabled()
    dialog.deleteLater()
