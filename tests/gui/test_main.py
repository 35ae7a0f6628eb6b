"""The real ``main()``: the whole way through, and how the process ends."""

import os
import subprocess
import sys
import threading
import time
import traceback

import cv2
import numpy as np
import pytest
from PIL import Image
from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import QApplication

from maskedit import imaging, resources
from maskedit.document import session
from maskedit.gui.app import main
from maskedit.gui.dialogs.dialogs import Dialogs
from maskedit.gui.dialogs.export import Export
from maskedit.gui.dialogs.source import SourceDialog
from maskedit.labels import BY_NAME, FACE_PARTS
from tests.faces import draw_face
from tests.gui.harness import CTRL, Answers, FakeEngine, click, drag, key, leave_behind, settle, wait

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def run_main(arguments, scenario, answers=None, **options) -> int:
    """Run ``main`` and, once its window stands, ``scenario(window)``; then close. Failures come out of here."""
    failures = []

    def act(window):
        try:
            scenario(window)
        except BaseException:
            failures.append(traceback.format_exc())
        if window.editor.document is not None and failures:
            window.editor.document.mark_saved()
        window.close()

    code = main(
        arguments,
        on_window=lambda window: QTimer.singleShot(0, lambda: act(window)),
        dialogs=(answers or Answers()).dialogs,
        **options,
    )
    assert not failures, failures[0]
    return code


@pytest.mark.slow
def test_a_photo_is_found_parsed_painted_and_exported_at_full_size(qapp, answers, tmp_path):
    """The shipped parser, a tiny generator, the real window: outside the edit the photo stays bit for bit."""
    import torch

    from maskedit.models.checkpoint import save_checkpoint
    from maskedit.models.config import PRESETS
    from maskedit.models.dense_mapping import DenseMappingNetwork

    torch.manual_seed(1)
    weights = save_checkpoint(tmp_path / "tiny.safetensors", DenseMappingNetwork(PRESETS["tiny"]), {})
    portrait = imaging.read_photo(resources.portrait("collins")[0])
    photo = np.full((900, 1200, 3), 90, np.uint8)
    photo[150:850, 350:1050] = imaging.resize_photo(portrait, (700, 700))
    turned = Image.fromarray(np.rot90(photo))  # as a camera held on its side stores it, and says so
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "a camera"
    turned.save(tmp_path / "me.png", exif=exif)
    assert np.array_equal(imaging.read_photo(tmp_path / "me.png"), photo)

    def scenario(window):
        editor = window.editor
        wait(lambda: editor.document.name == "me", 240)
        document = editor.document
        square = document.origin.square
        assert np.hypot(square.x - 700, square.y - 500) < 40
        assert 560 < square.side < 840
        settle(window)
        assert window.status["outside"] == "photo unchanged"
        assert np.array_equal(editor.render.result, document.photo)
        lips = np.isin(document.labels, FACE_PARTS["Smile"])
        assert lips.sum() > 2000
        y, x = (int(place.mean()) for place in np.nonzero(lips))
        editor.set_label(BY_NAME["mouth"].id)
        editor.set_brush(24)
        drag(window, (x - 30, y), (x + 30, y))
        settle(window)
        assert window.status["outside"] == "rest of the photo: 0 changed"
        answers.ask_export = [Export("photo", 95)]
        answers.ask_save = [tmp_path / "out.png"]
        key(window, Qt.Key.Key_E, CTRL)
        wait((tmp_path / "out.png").is_file)
        region = editor.render.composite.alpha > 0
        answers.ask_unsaved = ["discard"]
        return square, region

    found = []
    code = run_main(
        [str(tmp_path / "me.png"), "--weights", str(weights), "--device", "cpu", "--precision", "float32"],
        lambda window: found.append(scenario(window)),
        answers,
    )
    assert code == 0
    square, region = found[0]
    edited = imaging.read_photo(tmp_path / "out.png")
    assert edited.shape == photo.shape
    changed = (edited != photo).any(axis=2)
    assert changed.sum() > 500
    # Where the edit's region lies in the photo, and two pixels around it for what lies between pixels.
    back = cv2.invertAffineTransform(square.matrix(512))
    seen = cv2.warpAffine(region.astype(np.float32), back, (1200, 900), flags=cv2.WARP_INVERSE_MAP) > 0
    assert not changed[~cv2.dilate(seen.astype(np.uint8), np.ones((7, 7), np.uint8)).astype(bool)].any()
    with Image.open(tmp_path / "out.png") as file:
        exif = file.getexif()
    assert (exif.get(0x0112, 1), exif[0x010F]) == (1, "a camera")
    assert "edited with maskedit" in exif[0x0131]


@pytest.mark.slow
def test_end_to_end(qapp, answers, tmp_path):
    import torch

    from maskedit import Renderer
    from maskedit.models.checkpoint import save_checkpoint
    from maskedit.models.config import PRESETS
    from maskedit.models.dense_mapping import DenseMappingNetwork

    torch.manual_seed(1)
    weights = save_checkpoint(tmp_path / "tiny.safetensors", DenseMappingNetwork(PRESETS["tiny"]), {})
    photo, labels = draw_face(512, 1)
    imaging.write_photo(tmp_path / "me.png", photo)
    imaging.write_labels(tmp_path / "me_mask.png", labels, kind="palette")
    source_labels = draw_face(512, 8)[1]
    imaging.write_labels(tmp_path / "other.png", source_labels, kind="ids")
    hair = BY_NAME["hair"].id
    renderer = Renderer(weights, device="cpu", precision="float32")
    renderer.set_target(photo, labels)

    def follows(window):
        """The result is exactly the render of the labels as they stand."""
        settle(window)
        editor = window.editor
        assert editor.render.up_to_date
        expected = renderer.render(editor.document.snapshot()).image
        assert np.abs(editor.render.result.astype(int) - expected).max() <= 2
        return editor.render.result.copy()

    def smile(document, face, styles, colour_blind, preview):
        dialog = SourceDialog(document, face, styles, colour_blind=colour_blind)
        dialog.tick(FACE_PARTS["Smile"])
        dialog.deleteLater()
        return dialog.taken()

    def scenario(window):
        editor = window.editor
        assert editor.document.name == "collins"
        editor.set_option("whole_face", True)
        window.files.open(tmp_path / "me.png", tmp_path / "me_mask.png")
        document = editor.document
        assert document.name == "me"
        assert np.array_equal(document.labels, labels)
        first = follows(window)

        editor.set_label(hair)
        editor.set_brush(40)
        drag(window, (120, 220), (110, 300), (105, 380), (100, 440))
        assert document.label_at(105, 380) == hair != labels[380, 105]
        longer = follows(window)
        assert np.abs(longer.astype(int) - first).max() > 4

        answers.ask_open = [tmp_path / "other.png"]
        answers.ask_source = [smile]
        key(window, Qt.Key.Key_O, CTRL | Qt.KeyboardModifier.AltModifier)
        assert document.history.names == ["Brush hair", "Take labels from other"]
        parts = FACE_PARTS["Smile"]
        mouth = np.isin(source_labels, parts)
        assert np.array_equal(np.isin(document.labels, parts), mouth)
        assert np.array_equal(document.labels[mouth], source_labels[mouth])
        assert document.label_at(105, 380) == hair
        smiling, edited = follows(window), document.labels.tobytes()

        key(window, Qt.Key.Key_Z, CTRL)
        assert np.abs(follows(window).astype(int) - longer).max() <= 2
        key(window, Qt.Key.Key_Z, CTRL)
        assert np.array_equal(document.labels, labels)
        key(window, Qt.Key.Key_Y, CTRL)
        key(window, Qt.Key.Key_Y, CTRL)
        assert document.labels.tobytes() == edited
        assert np.abs(follows(window).astype(int) - smiling).max() <= 2

        for kind in ("result", "palette", "ids"):
            answers.ask_export = [Export(kind, 95)]
            answers.ask_save = [tmp_path / f"out_{kind}.png"]
            key(window, Qt.Key.Key_E, CTRL)
            wait((tmp_path / f"out_{kind}.png").is_file)
        assert np.array_equal(imaging.read_photo(tmp_path / "out_result.png"), editor.render.result)
        for kind in ("palette", "ids"):
            assert imaging.read_labels(tmp_path / f"out_{kind}.png").tobytes() == edited

        # The export goes in again, as a photo with its label map.
        (tmp_path / "out_palette.png").rename(tmp_path / "out_result_labels.png")
        answers.ask_unsaved = ["discard"]
        answers.ask_open = [tmp_path / "out_result.png"]
        result = editor.render.result
        key(window, Qt.Key.Key_O, CTRL)
        assert np.array_equal(editor.document.photo, result)
        assert editor.document.labels.tobytes() == edited
        settle(window)

    arguments = ["--weights", str(weights), "--device", "cpu", "--precision", "float32"]
    assert run_main(arguments, scenario, answers) == 0
    assert threading.enumerate() == [threading.main_thread()] or all(
        thread.name != "recovery" for thread in threading.enumerate()
    )


@pytest.mark.slow
def test_main_opens_what_it_is_told(qapp, tmp_path):
    photo, labels = draw_face(512, 2)
    imaging.write_photo(tmp_path / "me.png", photo)
    imaging.write_labels(tmp_path / "mask.png", labels, kind="ids")

    def scenario(window):
        assert np.array_equal(window.editor.document.labels, labels)
        settle(window)

    arguments = [str(tmp_path / "me.png"), "--labels", str(tmp_path / "mask.png")]
    assert run_main(arguments, scenario, make_renderer=FakeEngine) == 0


@pytest.mark.slow
def test_main_falls_back_to_a_portrait(qapp, tmp_path):
    def scenario(window):
        assert window.editor.document.name == "collins"
        assert not window.message_bar.isHidden()
        assert "absent.png" in window.message_bar.text.text()

    assert run_main([str(tmp_path / "absent.png")], scenario, make_renderer=FakeEngine) == 0


@pytest.mark.slow
def test_nothing_runs_on_after_main(qapp):
    before = set(threading.enumerate())
    windows = []

    def scenario(window):
        windows.append(window)
        settle(window)
        click(window, 60, 60)
        window.files.recovery.write()
        settle(window)
        window.actions_by_id["shortcuts"].trigger()  # an open sheet does not keep the editor alive
        window.editor.document.mark_saved()

    assert run_main([], scenario, make_renderer=FakeEngine) == 0
    editor = windows[0].editor
    assert editor.thread.isFinished()
    assert not editor.render._timer.isActive()
    assert not editor.render.rendering
    assert not windows[0].files.recovery._timer.isActive()
    assert {thread for thread in threading.enumerate() if thread.is_alive()} - before <= {
        thread for thread in threading.enumerate() if thread.name.startswith("Dummy")
    }
    QApplication.processEvents()


def process(code: str, tmp_path, **environment) -> subprocess.CompletedProcess:
    """Run code in a process of its own, which keeps its recovery files in ``tmp_path / "recovery"`` on every system."""
    variables = os.environ | {"QT_QPA_PLATFORM": "offscreen"}
    own = (
        "import pathlib; from maskedit.gui.files import recovery; recovery.recovery_folder = lambda: pathlib.Path(%r)\n"
    )
    return subprocess.run(
        [sys.executable, "-c", own % str(tmp_path / "recovery") + code],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=120,
        env=variables | environment,
    )


@pytest.mark.slow
def test_the_window_stands_without_torch(tmp_path):
    code = """
import sys
from maskedit.gui.app import main
from PySide6.QtCore import QTimer

assert "torch" not in sys.modules
def on_window(window):
    print("torch" in loaded[0], window.isVisible())
    window.close()

loaded = []
from maskedit.gui.editor import Editor
start = Editor.start
def watched(self):
    loaded.append(set(sys.modules))
    start(self)
Editor.start = watched
from tests.gui.harness import FakeEngine
sys.exit(main([], make_renderer=FakeEngine, on_window=on_window))
"""
    done = process(code, tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["False", "True"]


@pytest.mark.slow
def test_closing_during_a_render_of_two_seconds(tmp_path):
    code = """
import sys, time
from PySide6.QtCore import QTimer
from maskedit.gui.app import main
from tests.gui.harness import FakeEngine

def on_window(window):
    def close():
        assert window.editor.render.live.in_flight
        print(time.time(), flush=True)
        window.close()
    QTimer.singleShot(300, close)

sys.exit(main([], make_renderer=lambda: FakeEngine(2.0), on_window=on_window))
"""
    done = process(code, tmp_path)
    ended = time.time()
    assert done.returncode == 0, done.stderr
    assert "QThread" not in done.stderr
    assert ended - float(done.stdout) < 6


@pytest.mark.slow
def test_a_bug_in_a_slot_is_told_and_the_editor_goes_on(tmp_path):
    code = """
import sys
from PySide6.QtCore import QTimer
from maskedit.gui.app import main
from tests.gui.harness import FakeEngine

def on_window(window):
    messages = []
    window.editor.message.connect(lambda level, text: messages.append((level, text)))
    def fail():
        raise ZeroDivisionError("planted")
    def look():
        print(messages, window.isVisible())
        window.close()
    QTimer.singleShot(50, fail)
    QTimer.singleShot(300, look)

sys.exit(main([], make_renderer=FakeEngine, on_window=on_window))
"""
    done = process(code, tmp_path)
    assert done.returncode == 0, done.stderr
    assert "('error', 'Something went wrong (ZeroDivisionError: planted)." in done.stdout
    assert done.stdout.strip().endswith("True")
    assert "planted" in done.stderr  # the whole trace, for whoever reports it


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="os.kill ends the process there, whatever the signal")
@pytest.mark.parametrize("asking", [False, True])
def test_ctrl_c_ends_the_editor_and_keeps_the_work(tmp_path, asking):
    code = """
import os, signal, sys, threading
from PySide6.QtCore import QTimer
from maskedit.gui.app import main
from tests.gui.harness import FakeEngine, click

def on_window(window):
    window.editor.set_label(14)
    click(window, 60, 60)
    assert window.editor.document.is_modified
    if ASKING:
        QTimer.singleShot(0, window.close)
    # From another thread, into a window where nothing happens.
    threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGINT)).start()

sys.exit(main([], make_renderer=FakeEngine, on_window=on_window))
"""
    done = process(code.replace("ASKING", str(asking)), tmp_path)
    assert done.returncode == 130, done.stderr
    assert "Traceback" not in done.stderr
    (path,) = (tmp_path / "recovery").glob("*")
    assert session.load_recovery(path).can_undo


@pytest.mark.slow
def test_a_keyboard_interrupt_in_a_slot_is_no_bug(tmp_path):
    code = """
import sys
from PySide6.QtCore import QTimer
from maskedit.gui.app import main
from tests.gui.harness import FakeEngine

def on_window(window):
    window.editor.message.connect(lambda *message: print(message))
    def interrupt():
        raise KeyboardInterrupt
    QTimer.singleShot(50, interrupt)

sys.exit(main([], make_renderer=FakeEngine, on_window=on_window))
"""
    done = process(code, tmp_path)
    assert done.returncode == 130, done.stderr
    assert "Something went wrong" not in done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("photo", [False, True])
def test_lost_work_is_offered_at_every_start(qapp, answers, tmp_path, photo):
    pixels, labels = draw_face(512, 2)
    imaging.write_photo(tmp_path / "me.png", pixels)
    imaging.write_labels(tmp_path / "me_labels.png", labels, kind="ids")
    leave_behind(tmp_path / "recovery")
    answers.ask_recover = [("open", 0)]
    answers.ask_unsaved = ["discard"]

    def scenario(window):
        assert window.editor.document.name == "lost"
        settle(window)

    assert run_main([str(tmp_path / "me.png")] if photo else [], scenario, answers, make_renderer=FakeEngine) == 0
    assert answers.asked == ["ask_recover", "ask_unsaved"]


def test_wrong_usage_exits_with_2(capsys):
    with pytest.raises(SystemExit) as wrong:
        main(["--precision", "int3"])
    assert wrong.value.code == 2
    with pytest.raises(SystemExit) as helped:
        main(["--help"])
    assert helped.value.code == 0
    assert "maskedit me.png" in capsys.readouterr().out


def test_dialogs_are_answered_here(answers):
    assert answers.dialogs.ask_open is not None
    assert {"ask_open", "ask_save", "ask_unsaved", "ask_recover", "about"} <= set(answers.NAMES) <= set(vars(Dialogs))
