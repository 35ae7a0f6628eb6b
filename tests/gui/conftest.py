import importlib.util
import os

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")  # before Qt is imported anywhere

import pytest
from PySide6.QtCore import QSettings

from maskedit.gui import dialogs, recovery
from tests.gui.harness import Answers, FakeEngine, make_window, settle


@pytest.fixture(autouse=True)
def _private_settings(monkeypatch, tmp_path):
    """Settings and recovery files of a test are its own."""
    for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))
    for format in (QSettings.Format.NativeFormat, QSettings.Format.IniFormat):
        QSettings.setPath(format, QSettings.Scope.UserScope, str(tmp_path / "settings"))
    # Only Linux heeds the variables: elsewhere the tests would offer the developer's own lost work, and delete it.
    monkeypatch.setattr(recovery, "recovery_folder", lambda: tmp_path / "recovery")


@pytest.fixture(autouse=True)
def answers(monkeypatch):
    """Answers in place of modal dialogs; a question nobody expects fails the test."""
    answers = Answers()
    for name in answers.NAMES:
        monkeypatch.setattr(dialogs, name, lambda *arguments, name=name: answers.give(name, arguments))
    return answers


@pytest.fixture
def real_dialogs(answers, monkeypatch):
    """The dialogs themselves, which the other tests answer for; only the question before overwriting is answered."""
    spec = importlib.util.find_spec("maskedit.gui.dialogs")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "ask_overwrite", lambda *arguments: answers.give("ask_overwrite", arguments))
    return module


@pytest.fixture
def engine():
    return FakeEngine()


@pytest.fixture
def window(qapp, answers, engine):
    """The window on a drawn face, with a fake engine that is up to date."""
    window = make_window(engine)
    settle(window)
    yield window
    close(window, answers)


@pytest.fixture
def open_window(qapp, answers):
    """Like ``window``, for an engine or a way to make one."""
    windows = []

    def make(engine, **options):
        windows.append(make_window(engine, **options))
        return windows[-1]

    yield make
    for window in windows:
        close(window, answers)


def close(window, answers):
    answers.ask_unsaved = ["discard"]
    window.close()
    assert window.editor.stop()
