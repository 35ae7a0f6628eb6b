"""Where the log goes, and that nothing a program got over is lost."""

import logging
import subprocess
import sys

import pytest

from maskedit import logs
from maskedit.logs import logging_to, recent_lines, tolerated

logger = logging.getLogger("maskedit.tests")


def test_the_log_goes_to_the_file_and_to_memory(tmp_path, capsys):
    file = tmp_path / "new folder" / "maskedit.log"
    with logging_to(file):
        logger.info("before")
        with tolerated(logger, "A step failed.", Exception):
            raise ZeroDivisionError("planted")
    logger.warning("after")
    text = file.read_text(encoding="utf-8")
    assert "INFO maskedit.tests: before" in text
    assert "A step failed.\nTraceback" in text
    assert text.rstrip().endswith("ZeroDivisionError: planted")
    assert "after" not in text
    assert recent_lines(1) == ["ZeroDivisionError: planted"]
    assert capsys.readouterr().err == ""


def test_the_terminal_gets_it_where_that_is_wanted(capsys):
    with logging_to(verbose=True):
        logger.debug("told")
    assert "DEBUG maskedit.tests: told" in capsys.readouterr().err


def test_the_file_is_rotated(tmp_path, monkeypatch):
    monkeypatch.setattr(logs, "FILE_BYTES", 1000)
    with logging_to(tmp_path / "maskedit.log"):
        for number in range(200):
            logger.info("line %d", number)
    files = sorted(path.name for path in tmp_path.iterdir())
    assert files == ["maskedit.log", "maskedit.log.1", "maskedit.log.2"]
    assert all(path.stat().st_size <= 1000 for path in tmp_path.iterdir())
    assert "line 199" in (tmp_path / "maskedit.log").read_text()
    assert len(recent_lines(10**6)) == logs.RECENT


def test_a_disk_that_refuses_costs_the_file_only(tmp_path):
    (tmp_path / "folder").write_text("a file")
    with logging_to(tmp_path / "folder" / "maskedit.log"):
        logger.info("in memory")
    assert "cannot be written" in recent_lines(2)[0]
    assert recent_lines(1)[0].endswith("in memory")


def test_only_errors_of_the_named_kinds_are_got_over():
    with tolerated(logger, "x", OSError, ValueError):
        raise ValueError
    with pytest.raises(KeyError), tolerated(logger, "x", OSError, ValueError):
        raise KeyError


def test_a_library_says_nothing_on_its_own():
    code = "import logging, maskedit; logging.getLogger('maskedit.render').error('x')"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stderr == run.stdout == ""
