import os

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")  # before Qt is imported anywhere

import pytest
from PySide6.QtCore import QSettings

from maskedit.gui.dialogs.dialogs import Dialogs
from maskedit.gui.files import recovery
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


@pytest.fixture
def answers():
    """What the person answers; a question nobody expects fails the test."""
    return Answers()


@pytest.fixture
def real_dialogs(answers):
    """Makes the dialogs themselves over a window; only the question before overwriting is answered."""

    class RealDialogs(Dialogs):
        def ask_overwrite(self, path):
            return answers.dialogs.ask_overwrite(path)

    return RealDialogs


@pytest.fixture
def engine():
    return FakeEngine()


@pytest.fixture
def window(qapp, answers, engine):
    """The window on a drawn face, with a fake engine that is up to date."""
    window = make_window(engine, dialogs=answers.dialogs)
    settle(window)
    yield window
    close(window, answers)


@pytest.fixture
def open_window(qapp, answers):
    """Like ``window``, for an engine or a way to make one."""
    windows = []

    def make(engine, **options):
        windows.append(make_window(engine, dialogs=answers.dialogs, **options))
        return windows[-1]

    yield make
    for window in windows:
        close(window, answers)


def close(window, answers):
    answers.ask_unsaved, answers.ask_stop_learning = ["discard"], [True]
    window.close()
    assert window.editor.stop()
