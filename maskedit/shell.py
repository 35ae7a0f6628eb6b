"""What all commands do alike: how they help, end and write files, with one sentence for what a person can mend."""

from __future__ import annotations

import argparse
import contextlib
import json
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from maskedit.errors import UserError

INTERRUPTED = 130
"""The exit status that shells expect after Ctrl+C."""


def command_parser(program: str, description: str, example: str) -> argparse.ArgumentParser:
    """A parser whose help keeps the line breaks of the description and of the example below it."""
    return argparse.ArgumentParser(
        prog=program, description=description, epilog=example, formatter_class=argparse.RawDescriptionHelpFormatter
    )


def add_device(parser: argparse.ArgumentParser | argparse._ArgumentGroup) -> None:
    """The flags that say where networks compute, and how exactly."""
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:N or mps (default: %(default)s)")
    parser.add_argument(
        "--precision", choices=("auto", "float32", "bfloat16"), default="auto",
        help="auto takes bfloat16 where the device is good at it (default: %(default)s)",
    )  # fmt: skip


def run_command(program: str, work: Callable[[], int | None], *, stopped: Callable[[], str] | None = None) -> int:
    """The exit status of a command: that of ``work``, 1 after one sentence for what a person can mend.

    Args:
        program: what the command is called.
        work: does everything; None is 0.
        stopped: says after Ctrl+C what is left behind, and the status is 130; without it the exception goes on.
    """
    try:
        return work() or 0
    except UserError as error:
        print(f"{program}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        if stopped is None:
            raise
        print(f"{program}: stopped{stopped()}", file=sys.stderr)
        return INTERRUPTED


@contextlib.contextmanager
def terminated_as_interrupted() -> Iterator[None]:
    """SIGTERM raises KeyboardInterrupt in this block, so that both ways of stopping leave the same order behind."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def whole_number(
    least: int, most: int | None = None, *, check: Callable[[int], None] | None = None
) -> Callable[[str], int]:
    """The kind of an argument: a whole number in a range, which ``check`` may refuse by a UserError."""
    wanted = f"wanted a whole number from {least} {'on' if most is None else f'to {most}'}"

    def parse(text: str) -> int:
        number = int(text) if text.isdecimal() else least - 1
        if number < least or (most is not None and number > most):
            raise argparse.ArgumentTypeError(f"{wanted}, not {text!r}")
        try:
            if check is not None:
                check(number)
        except UserError as error:
            raise argparse.ArgumentTypeError(str(error)) from error
        return number

    return parse


def check_parent(flag: str, path: Path | None) -> None:
    """Refuse a file that could not be written when all the work is done.

    Raises:
        UserError: there is no folder for it.
    """
    if path is not None and not path.absolute().parent.is_dir():
        raise UserError(f"{flag} {path}: there is no folder {path.parent}.")


def write_json(flag: str, path: Path, figures: dict) -> None:
    """Write figures to a file.

    Raises:
        UserError: the disk refuses it.
    """
    try:
        path.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise UserError(f"{flag} {path} could not be written: {error.strerror}.") from error
