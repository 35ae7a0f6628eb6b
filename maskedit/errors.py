"""The one exception that is meant for a person to read, and one sentence for all others."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator


class UserError(Exception):
    """Bad input from outside: the message says what came, what was wanted and what to do.

    Commands print it as one sentence and exit with 1; the window shows it in its message bar. Anything else that
    is raised is a bug of ours.
    """


def explain(error: Exception) -> str:
    """One sentence for a person."""
    if isinstance(error, UserError):
        return str(error)
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0] if text else 'no further word'}"


@contextlib.contextmanager
def disk_errors() -> Iterator[None]:
    """What the disk refuses in this block, raised as a sentence."""
    try:
        yield
    except OSError as error:
        raise UserError(f"{error.filename or 'A file'} cannot be used ({error.strerror or error}).") from error
