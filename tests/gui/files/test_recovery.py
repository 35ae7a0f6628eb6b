"""Recovery files: when they are written, and how work that was left behind is offered."""

import datetime
import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import Qt, QTimer
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from maskedit.document import session
from maskedit.document.session import LeftWork
from maskedit.errors import UserError
from maskedit.gui.files import recovery as recovery_module
from tests.gui.harness import click, drag, key, leave_behind, settle, wait


def test_the_tests_have_a_folder_of_their_own(window, tmp_path):
    assert window.files.recovery.folder == recovery_module.recovery_folder() == tmp_path / "recovery"


def test_recovery_every_twenty_edits(window, answers):
    recovery = window.files.recovery
    editor = window.editor
    for step in range(19):
        click(window, 10 + 12 * step, 220)
    assert not list(recovery.folder.glob("*"))
    click(window, 10, 180)
    recovery._wait()
    (path,) = recovery.folder.glob("*")
    written = session.load_recovery(path)
    assert written.labels.tobytes() == editor.document.labels.tobytes()
    assert written.is_modified
    assert recovery.found() == []  # we still run
    answers.ask_unsaved = ["discard"]
    window.close()
    assert not list(recovery.folder.glob("*"))


def test_a_piece_that_is_let_go_and_a_snapshot_are_written_too(window, answers):
    recovery, editor = window.files.recovery, window.editor
    document = editor.document
    click(window, 20, 20)
    editor.set_tool("transform")
    y, x = np.argwhere(document.labels == 2).mean(axis=0)
    drag(window, (x, y), (x, y + 6), (x, y + 12))

    def written():
        recovery.write()
        recovery._wait()
        (path,) = recovery.folder.glob("*")
        return session.load_recovery(path)

    assert document.floating is not None
    assert written().history.names == ["Brush hat"]
    editor.let_go()
    assert written().history.names == ["Brush hat", "Transform nose"]
    answers.ask_name = ["then"]
    window.actions_by_id["snapshot"].trigger()
    assert len(document.snapshots) == 1
    assert len(written().snapshots) == 1
    drag(window, (x, y + 12), (x, y + 20), (x, y + 24))
    assert document.floating is not None
    recovery.keep()  # the program ends
    assert document.history.names[-1] == "Transform nose"
    assert written().history.names == document.history.names


@pytest.fixture
def left_behind(window):
    """A recovery file of a process that runs no more."""
    code = (
        "import sys\nfrom maskedit.document import session\nfrom tests.gui.harness import make_document\n"
        "document = make_document(seed=9, name='lost')\n"
        "stroke = document.begin_stroke(14, diameter=30)\nstroke.move_to(50, 50)\nstroke.commit()\n"
        "session.write_recovery(sys.argv[1], document)"
    )
    folder = window.files.recovery.folder
    root = Path(__file__).parents[3]
    subprocess.run([sys.executable, "-c", code, str(folder)], check=True, cwd=root)
    (path,) = folder.glob("*")
    return path


@pytest.mark.slow
def test_work_left_behind_is_offered_and_opened(window, answers, left_behind):
    answers.ask_recover = [("open", 0)]
    assert window.files.offer_recovery()
    document = window.editor.document
    assert document.label_at(50, 50) == 14
    assert document.can_undo
    assert document.is_modified
    assert not left_behind.exists()
    assert len(list(window.files.recovery.folder.glob("*"))) == 1  # it lies under our own name now
    settle(window)


@pytest.mark.slow
def test_work_left_behind_can_be_thrown_away(window, answers, left_behind):
    before = window.editor.document
    answers.ask_recover = [("discard", 0)]
    assert not window.files.offer_recovery()
    assert window.editor.document is before
    assert not left_behind.exists()
    assert not window.files.offer_recovery()
    assert answers.asked == ["ask_recover"]


def test_a_recovery_file_that_cannot_be_written_is_told_in_the_gui_thread(window, monkeypatch):
    def fail(*_):
        raise UserError("The disk is full.")

    threads = []
    monkeypatch.setattr(session, "write_recovery", fail)
    window.editor.message.connect(lambda *_: threads.append(threading.current_thread()))
    click(window, 60, 220)
    window.files.recovery.write()
    wait(lambda: threads)
    assert threads == [threading.main_thread()]
    assert window.messages[-1] == ("error", "The disk is full.")


@pytest.fixture
def three(window):
    """Three recovery files of others, newest first."""
    folder = window.files.recovery.folder
    return [leave_behind(folder, name=name, age=60.0 * age) for age, name in enumerate(("new", "older", "oldest"))]


def test_only_what_is_thrown_away_by_name_goes(window, answers, three):
    before = window.editor.document
    answers.ask_recover = [("discard", 0), ("later", 0)]
    assert not window.files.offer_recovery()
    assert [path.exists() for path in three] == [False, True, True]
    assert window.editor.document is before
    answers.ask_recover = [("later", 0)]
    assert not window.files.offer_recovery()
    assert [path.exists() for path in three] == [False, True, True]
    answers.ask_recover = [("open", 0)]
    assert window.files.offer_recovery()
    assert window.editor.document.name == "older"
    assert [path.exists() for path in three] == [False, False, True]


def test_a_file_that_cannot_be_read_does_not_block_the_others(window, answers, three):
    three[0].write_bytes(b"cut short")
    os.utime(three[0])
    answers.ask_recover = [("open", 0), ("open", 0)]
    assert window.files.offer_recovery()
    assert [level for level, _ in window.messages] == ["error"]
    assert three[0].name in window.messages[0][1]
    assert window.editor.document.name == "older"
    assert [path.exists() for path in three] == [True, False, True]


def test_any_of_the_works_is_opened(window, answers, three):
    def choose(works):
        assert [(work.name, work.picture is None) for work in works] == [
            ("new", False), ("older", False), ("oldest", False)
        ]  # fmt: skip
        return "open", 2

    answers.ask_recover = [choose]
    assert window.files.offer_recovery()
    assert window.editor.document.name == "oldest"
    assert [path.exists() for path in three] == [True, True, False]


@pytest.mark.parametrize(
    ("press", "answer"),
    [("Open", "open"), ("Throw away", "discard"), ("Later", "later"), ("Esc", "later"), ("close", "later")],
)
def test_the_question_itself(qapp, real_dialogs, press, answer):
    picture = np.zeros((96, 96, 3), np.uint8)
    moment = datetime.datetime(2026, 11, 23, 1, 0).timestamp()
    works = [LeftWork(Path("a"), "anna", None, None), LeftWork(Path("b"), "holiday", moment, picture)]

    def act():
        dialog = QApplication.activeModalWidget()
        items = [dialog.list.item(row) for row in range(dialog.list.count())]
        assert [item.text() for item in items] == ["anna\nat an unknown time", "holiday\n23 November 01:00"]
        assert [item.icon().isNull() for item in items] == [True, False]
        dialog.list.setCurrentRow(1)
        buttons = {button.text().replace("&", ""): button for button in dialog.buttons.buttons()}
        assert len(buttons) == 3
        if press == "Esc":
            QTest.keyClick(dialog, Qt.Key.Key_Escape)
        elif press == "close":
            dialog.close()
        else:
            buttons[press].click()

    QTimer.singleShot(0, act)
    assert real_dialogs(None).ask_recover(works) == (answer, 1)


def test_nothing_is_written_twice(window, monkeypatch):
    written = []
    monkeypatch.setattr(session, "write_recovery", lambda folder, document: written.append(document.revision))
    recovery = window.files.recovery

    def write():
        recovery.write()
        recovery._wait()

    click(window, 60, 220)
    write()
    write()
    assert len(written) == 1
    click(window, 160, 220)
    write()
    key(window, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    write()
    write()
    assert len(written) == 3


def test_what_could_not_be_written_is_tried_again(window, monkeypatch):
    real = session.write_recovery

    def fail(*_):
        raise UserError("The disk is full.")

    monkeypatch.setattr(session, "write_recovery", fail)
    click(window, 60, 220)
    window.files.recovery.write()
    wait(lambda: window.messages)
    monkeypatch.setattr(session, "write_recovery", real)
    window.files.recovery.keep()
    (path,) = window.files.recovery.folder.glob("*")
    assert session.load_recovery(path).labels.tobytes() == window.editor.document.labels.tobytes()
