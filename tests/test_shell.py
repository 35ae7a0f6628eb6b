"""What all commands do alike."""

import argparse
import os
import signal

import pytest

from maskedit.errors import UserError
from maskedit.shell import check_parent, run_command, terminated_as_interrupted, whole_number, write_json


def test_a_command_ends_with_a_status_and_at_most_one_sentence(capsys):
    def fail():
        raise UserError("What came is no photo.")

    assert run_command("maskedit-x", lambda: None) == 0
    assert run_command("maskedit-x", lambda: 3) == 3
    assert run_command("maskedit-x", fail) == 1
    assert capsys.readouterr().err == "maskedit-x: What came is no photo.\n"


def test_a_stopped_command_says_what_is_left(capsys):
    def stop():
        with terminated_as_interrupted():
            os.kill(os.getpid(), signal.SIGTERM)

    assert run_command("maskedit-x", stop, stopped=lambda: "; two are done.") == 130
    assert capsys.readouterr().err == "maskedit-x: stopped; two are done.\n"
    with pytest.raises(KeyboardInterrupt):
        run_command("maskedit-x", stop)


def test_whole_numbers():
    def even(number):
        if number % 2:
            raise UserError(f"{number} is odd.")

    assert whole_number(1)("1") == 1
    assert whole_number(0, 8, check=even)("8") == 8
    for kind, text, message in (
        (whole_number(1), "0", "wanted a whole number from 1 on, not '0'"),
        (whole_number(1, 8), "9", "wanted a whole number from 1 to 8, not '9'"),
        (whole_number(1), "-1", "not '-1'"),
        (whole_number(1), "²", "not '²'"),
        (whole_number(1, check=even), "3", "3 is odd"),
    ):
        with pytest.raises(argparse.ArgumentTypeError, match=message):
            kind(text)


def test_figures_are_written_or_the_flag_is_named(tmp_path):
    write_json("--json", tmp_path / "figures.json", {"psnr": 20.5})
    assert (tmp_path / "figures.json").read_text() == '{\n "psnr": 20.5\n}\n'
    check_parent("--json", tmp_path / "new.json")
    check_parent("--json", None)
    with pytest.raises(UserError, match=r"--json .*new\.json: there is no folder"):
        check_parent("--json", tmp_path / "nowhere" / "new.json")
    with pytest.raises(UserError, match=r"--json .*new\.json could not be written: No such file"):
        write_json("--json", tmp_path / "nowhere" / "new.json", {})
