import os

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")  # before Qt is imported anywhere

import pytest
from PySide6.QtCore import QSettings

from maskedit.gui.files import recovery


@pytest.fixture(autouse=True)
def kept(monkeypatch, tmp_path):
    """The folder in which a window of this test, or of a process it starts, would keep settings and recovery files."""
    folder = tmp_path / "kept"
    for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(folder / name))
    for format in (QSettings.Format.NativeFormat, QSettings.Format.IniFormat):
        QSettings.setPath(format, QSettings.Scope.UserScope, str(folder / "settings"))
    monkeypatch.setattr(recovery, "recovery_folder", lambda: folder / "recovery")
    return folder
