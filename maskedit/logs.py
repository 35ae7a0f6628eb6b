"""Where the log goes. Each module writes to a logger of its own name; a program decides who reads it.

What a person must know is told in the window or printed; the log has the rest: every exception that was got over, with
its traceback, so that a bug report can be answered.
"""

from __future__ import annotations

import logging
import sys
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from logging.handlers import RotatingFileHandler
from pathlib import Path

ROOT = logging.getLogger("maskedit")
"""The logger above those of all modules."""
FILE_BYTES, OLDER_FILES = 2**19, 2
"""How large a log file may grow, and how many full ones are kept beside it."""
RECENT = 200
"""Records that are kept in memory."""
_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"

logger = logging.getLogger(__name__)


class _Recent(logging.Handler):
    """Keeps the newest records as text."""

    def __init__(self):
        super().__init__()
        self._records: deque[str] = deque(maxlen=RECENT)

    def emit(self, record: logging.LogRecord) -> None:
        self._records.append(self.format(record))

    def lines(self) -> list[str]:
        with self.lock:
            return "\n".join(self._records).splitlines()


_recent = _Recent()


def recent_lines(count: int) -> list[str]:
    """The newest lines of the log, at most ``count``, oldest first; also where the disk refuses the file."""
    return _recent.lines()[-count:]


@contextmanager
def tolerated(log: logging.Logger, what: str, *kinds: type[Exception]) -> Iterator[None]:
    """Get over errors of these kinds in this block; the log gets ``what`` and the traceback."""
    try:
        yield
    except kinds:
        log.debug(what, exc_info=True)


@contextmanager
def logging_to(file: Path | None = None, *, verbose: bool = False) -> Iterator[None]:
    """Write the log to a file, and to the terminal if that is wanted, as long as this lasts.

    Args:
        file: rotated when it is full; its folder is made. What the disk refuses costs the file, and nothing else.
        verbose: whether the terminal gets it as well.
    """
    handlers: list[logging.Handler] = [_recent]
    if verbose:
        handlers.append(logging.StreamHandler(sys.stderr))
    refused: OSError | None = None
    if file is not None:
        try:
            file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            handlers.append(RotatingFileHandler(file, maxBytes=FILE_BYTES, backupCount=OLDER_FILES, encoding="utf-8"))
        except OSError as error:
            refused = error
    level = ROOT.level
    ROOT.setLevel(logging.DEBUG)
    for handler in handlers:
        handler.setFormatter(logging.Formatter(_FORMAT))
        ROOT.addHandler(handler)
    try:
        if refused is not None:
            logger.warning("The log file %s cannot be written: %s", file, refused)
        yield
    finally:
        for handler in handlers:
            ROOT.removeHandler(handler)
            handler.close()
        ROOT.setLevel(level)
