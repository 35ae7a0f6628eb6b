"""Session files and recovery files: a document with its undo history, as one ``.maskedit`` file.

What is in such a file, `maskedit.document.packing` says.
"""

from __future__ import annotations

import os
import re
import secrets
import struct
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil

from maskedit.document.document import Document
from maskedit.document.packing import Malformed, check_directory, pack, unpack
from maskedit.errors import UserError
from maskedit.imaging import atomic_write_bytes, colourise, resize_labels, resize_photo

SUFFIX = ".maskedit"
# Recovery files are written while a person paints: they must be quick.
_RECOVERY_HISTORY_BYTES = 8 * 2**20
_RECOVERY_FACE_WEIGHTS_BYTES = 32 * 2**20


def save_session(path: str | Path, document: Document, *, overwrite: bool = True) -> None:
    """Write the document, its history included and a stroke in progress left out, atomically.

    Reads the document only: set ``document.path`` and call ``document.mark_saved()`` afterwards. Raises UserError
    when the file cannot be written, or exists and ``overwrite`` is False.
    """
    atomic_write_bytes(Path(path), pack(document), overwrite=overwrite)


def load_session(path: str | Path) -> Document:
    """Read a session; undo and redo go on where they were, and the document counts as saved.

    Raises UserError when the file cannot be read, is no session, comes from a newer editor or is damaged.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            check_directory(file)
            with zipfile.ZipFile(file) as archive:
                document = unpack(archive)
    except UserError as error:
        raise UserError(f"The session {path.name} cannot be opened. {error}") from error
    except OSError as error:
        raise UserError(f"The session {path} cannot be read: {error.strerror or error}.") from error
    except Malformed as error:
        raise UserError(
            f"The session {path.name} cannot be opened: {error}. Open an older copy, or the photo itself."
        ) from error
    except (
        zipfile.BadZipFile,
        zlib.error,
        struct.error,
        EOFError,
        NotImplementedError,
        OverflowError,
        RecursionError,
        RuntimeError,
        ValueError,
    ) as error:
        raise UserError(
            f"The session {path.name} cannot be opened: it is damaged ({error}). "
            "Open an older copy, or the photo itself."
        ) from error
    document.path = path
    return document


# Recovery

_PROCESS = secrets.token_hex(4)  # a sandbox may give each run the same process id
_RECOVERY = re.compile(r"recovery-([1-9]\d{0,9})-([0-9a-f]{8})-([\w-]*)" + re.escape(SUFFIX))
_LABELS_OVER_PHOTO = 0.4
"""How much of a thumbnail is the labels' colours."""


@dataclass(frozen=True, eq=False)
class LeftWork:
    """A recovery file that an editor left behind, for a person to know it again."""

    path: Path
    name: str
    """What the document is called: after its photo's file."""
    written: float | None
    """When, in seconds since the epoch; None where another editor has just taken it over."""
    picture: np.ndarray | None
    """(side, side, 3) uint8 RGB: the photo with its labels over it; None where the file cannot be read."""


def recovery_path(directory: str | Path, name: str) -> Path:
    """Where this process keeps the recovery file of the document called ``name``."""
    slug = re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-")[:40] or "untitled"
    return Path(directory) / f"recovery-{os.getpid()}-{_PROCESS}-{slug}{SUFFIX}"


def write_recovery(directory: str | Path, document: Document) -> Path:
    """Write the document to its recovery file; raises UserError if it cannot.

    Holds the photo's origin, the newest part of the history, and what was learned for the face if that is small.
    """
    path = recovery_path(directory, document.name)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)  # it holds a person's photo
    except OSError as error:
        raise UserError(f"The folder {directory} for recovery files cannot be made: {error.strerror}.") from error
    data = pack(document, history_bytes=_RECOVERY_HISTORY_BYTES, face_weights_bytes=_RECOVERY_FACE_WEIGHTS_BYTES)
    atomic_write_bytes(path, data, overwrite=True)
    return path


def find_recoveries(directory: str | Path) -> list[Path]:
    """The recovery files that editors left behind which run no more, newest first."""
    found = []
    for path in Path(directory).glob(f"recovery-*{SUFFIX}"):
        match = _RECOVERY.fullmatch(path.name)
        if match is None:
            continue
        try:
            written = path.stat().st_mtime_ns
        except OSError:  # another editor has just discarded it
            continue
        if _is_left_behind(int(match[1]), match[2], written=written / 1e9):
            found.append((written, path))
    return [path for _, path in sorted(found, reverse=True)]


def load_recovery(path: str | Path) -> Document:
    """Read a recovery file as `load_session` does; the document has no path and counts as not saved."""
    document = load_session(path)
    document.path = None
    document.mark_unsaved()
    return document


def look_into_recovery(path: str | Path, side: int) -> LeftWork:
    """What work a recovery file holds, with a picture of it ``side`` px large; a damaged one has none."""
    path = Path(path)
    try:
        written = path.stat().st_mtime
    except OSError:
        written = None
    try:
        document = load_session(path)
    except UserError:
        match = _RECOVERY.fullmatch(path.name)
        return LeftWork(path, path.stem if match is None else match[3], written, None)
    photo = resize_photo(document.photo, (side, side))
    colours = colourise(resize_labels(document.labels, (side, side)))
    picture = np.round(photo + _LABELS_OVER_PHOTO * (colours.astype(np.float32) - photo)).astype(np.uint8)
    return LeftWork(path, document.name, written, picture)


def discard_recovery(path: str | Path) -> None:
    """Delete a recovery file, if it is still there; raises ValueError for any other file, UserError if it cannot."""
    path = Path(path)
    if _RECOVERY.fullmatch(path.name) is None:
        raise ValueError(f"{path.name} is not a recovery file")
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise UserError(f"The recovery file {path} cannot be deleted: {error.strerror}.") from error


def _is_left_behind(process_id: int, process: str, *, written: float) -> bool:
    if process_id == os.getpid():
        return process != _PROCESS
    try:
        other = psutil.Process(process_id)
        if other.status() in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD) or other.memory_info().rss == 0:
            return True  # killed: it has given back its memory, and only its number is left
        started = other.create_time()
    except psutil.NoSuchProcess:
        return True
    except psutil.AccessDenied:
        return False
    # After a restart of the machine another program may have the number of the editor that wrote the file.
    return started > written + 60
