"""What went wrong in the editor is in its log, and can be copied."""

import logging
import threading
from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication

import maskedit
from maskedit.document import session
from maskedit.gui.commands import bug_report
from maskedit.logs import logging_to
from tests.gui.harness import FakeEngine, click, settle, wait


@pytest.fixture
def logged(caplog):
    caplog.set_level(logging.DEBUG, "maskedit")

    def tracebacks():
        return [(record.getMessage(), record.exc_info[0]) for record in caplog.records if record.exc_info]

    return tracebacks


def test_an_idle_step_that_fails(open_window, logged):
    class Failing(FakeEngine):
        def idle(self, cancelled=None):
            raise ZeroDivisionError("no")

    settle(open_window(Failing()))
    wait(logged)
    assert logged()[0] == ("An idle step failed.", ZeroDivisionError)


def test_a_render_a_job_and_an_engine_that_fail(open_window, logged):
    engines = [OSError("no such file"), FakeEngine()]

    def make():
        engine = engines.pop(0)
        if isinstance(engine, Exception):
            raise engine
        return engine

    engine, window = engines[-1], open_window(make)
    settle(window)  # the first render tries again
    engine.error = RuntimeError("out of luck")
    click(window, 60, 60)
    wait(lambda: not window.editor.render.live.enabled)
    window.editor.jobs.run(lambda worker: 1 / 0, print)
    wait(lambda: len(logged()) == 3)
    assert logged() == [
        ("The renderer was not made.", OSError),
        ("A render failed.", RuntimeError),
        ("A job failed.", ZeroDivisionError),
    ]


def test_a_recovery_file_that_fails_is_told_and_logged(window, logged, monkeypatch):
    def fails(*given):
        raise RuntimeError("no zip today")

    monkeypatch.setattr(session, "write_recovery", fails)
    click(window, 60, 60)
    window.files.recovery.write()
    wait(lambda: window.messages)
    assert window.messages[0] == ("error", "RuntimeError: no zip today")
    assert logged() == [("The recovery file was not written.", RuntimeError)]
    assert threading.current_thread() is threading.main_thread()


@pytest.mark.slow
def test_a_bug_report_is_copied(window, tmp_path, monkeypatch):
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    with logging_to(tmp_path / "maskedit.log"):
        logging.getLogger("maskedit.gui").error("Something about %s", tmp_path / "me.jpg")
        window.actions_by_id["bug_report"].trigger()
    text = QApplication.clipboard().text()
    lines = text.splitlines()
    assert lines[0].startswith(f"maskedit {maskedit.__version__}, Python 3.")
    for package in bug_report.PACKAGES:
        assert package in lines[1]
    assert "Qt platform offscreen" in lines[2]
    assert lines[3:5] == ["Engine: fake", "fake.safetensors, for tests only"]
    assert str(tmp_path) not in text
    assert lines[-1].endswith(f"ERROR maskedit.gui: Something about {Path('~') / 'me.jpg'}")
    assert window.messages[-1][0] == "info"
