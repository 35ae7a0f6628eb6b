"""Session files and recovery files: a document with its undo history, as one ``.maskedit`` file.

A session is a zip: ``session.json`` (version, name, locks, settings), ``photo.png`` (RGB), ``reference_labels.png``
and ``labels.png`` (8-bit ids), ``history.json`` (name, box, pixel count and new id of each edit) and ``history.bin``
(for each edit its packed mask, its old ids and, unless it took one id, its new ids). Sessions come by mail: what is
read is checked and bounded before it is unpacked, and nothing in it is ever executed or unpickled.
"""

from __future__ import annotations

import io
import json
import math
import os
import re
import secrets
import struct
import sys
import time
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from maskedit.document.document import MAX_PIXELS, Document
from maskedit.document.history import MAX_HISTORY_BYTES, Box, Edit, History
from maskedit.errors import UserError
from maskedit.imaging import atomic_write_bytes
from maskedit.labels import NUM_LABELS

SUFFIX = ".maskedit"
VERSION = 1
_MAX_NAME = 200
_MAX_EDITS = 100_000
_RECOVERY_HISTORY_BYTES = 8 * 2**20  # recovery files are written while a person paints: they must be quick
_LIMITS = {
    "session.json": 2**20,
    "photo.png": 4 * MAX_PIXELS,
    "reference_labels.png": 2 * MAX_PIXELS,
    "labels.png": 2 * MAX_PIXELS,
    "history.json": 96 * 2**20,
    "history.bin": MAX_HISTORY_BYTES,
}
"""The most bytes each member may unpack to."""


class _Malformed(Exception):
    """What is wrong with a session, as the end of a sentence."""


def save_session(path: str | Path, document: Document, *, overwrite: bool = True) -> None:
    """Write the document, its history included and a stroke in progress left out, atomically.

    Reads the document only: set ``document.path`` and call ``document.mark_saved()`` afterwards. Raises UserError
    when the file cannot be written, or exists and ``overwrite`` is False.
    """
    atomic_write_bytes(Path(path), _packed(document, history_bytes=MAX_HISTORY_BYTES), overwrite=overwrite)


def load_session(path: str | Path) -> Document:
    """Read a session; undo and redo go on where they were, and the document counts as saved.

    Raises UserError when the file cannot be read, is no session, comes from a newer editor or is damaged.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            _check_directory(file)
            with zipfile.ZipFile(file) as archive:
                document = _unpacked(archive)
    except UserError as error:
        raise UserError(f"The session {path.name} cannot be opened. {error}") from error
    except OSError as error:
        raise UserError(f"The session {path} cannot be read: {error.strerror or error}.") from error
    except _Malformed as error:
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


# Packing


def _packed(document: Document, *, history_bytes: int) -> bytes:
    if "png" not in document.photo_cache:
        document.photo_cache["png"] = _png(document.photo)
    entries, blocks, position = _packed_history(document.history, history_bytes)
    state = {
        "format": "maskedit-session",
        "version": VERSION,
        "name": document.name[:_MAX_NAME],
        "locked": sorted(map(int, document.locked)),
        "only_over": None if document.only_over is None else int(document.only_over),
        "position": position,
        "extras": document.extras,
    }
    members = {
        "session.json": json.dumps(state).encode(),
        "photo.png": document.photo_cache["png"],
        "reference_labels.png": _png(document.reference_labels),
        "labels.png": _png(document.committed_labels()),
        "history.json": json.dumps(entries, separators=(",", ":")).encode(),
        "history.bin": b"".join(blocks),
    }
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, data in members.items():
            stored = zipfile.ZIP_STORED if name.endswith(".png") else zipfile.ZIP_DEFLATED
            archive.writestr(name, data, compress_type=stored)
    return target.getvalue()


def _png(array: np.ndarray) -> bytes:
    target = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(array)).save(target, "PNG", compress_level=1)
    return target.getvalue()


def _packed_history(history: History, max_bytes: int) -> tuple[list[dict[str, Any]], list[bytes], int]:
    """The newest of the applied edits that fit, then what was undone; and how many of them are applied."""
    edits, first, size = history.edits, history.position, 0
    while first > 0 and history.position - first < _MAX_EDITS and (size := size + edits[first - 1].nbytes) <= max_bytes:
        first -= 1
    last = history.position
    while last < len(edits) and last - first < _MAX_EDITS and (size := size + edits[last].nbytes) <= max_bytes:
        last += 1
    entries, blocks = [], []
    for edit in edits[first:last]:
        uniform = isinstance(edit.new_ids, int)
        new = edit.new_ids if uniform else None
        name = edit.name[:_MAX_NAME]
        entries.append({"name": name, "box": list(edit.box), "count": edit.old_ids.size, "new": new})
        blocks += [edit.packed.tobytes(), edit.old_ids.tobytes(), b"" if uniform else edit.new_ids.tobytes()]
    return entries, blocks, history.position - first


# Unpacking


def _check_directory(file: Any) -> None:
    """Refuse a zip with a huge list of members: zipfile would make an object of each before we could count them."""
    file.seek(0, os.SEEK_END)
    size = file.tell()
    if size > sum(_LIMITS.values()):
        raise _Malformed(f"it has {size} bytes, more than any session")
    file.seek(max(0, size - 42))
    tail = file.read(42)
    if tail[-22:-18] != b"PK\5\6" or tail[-2:] != b"\0\0":  # with a comment zipfile would look elsewhere
        raise _Malformed("it is not a session file, or is cut short")
    members, directory_size = struct.unpack("<HI", tail[-12:-6])
    if members > 32 or directory_size > 2**16 or tail[:4] == b"PK\6\7":  # the last: a second, 64-bit list
        raise _Malformed(f"it holds {members} members, more than a session has")


def _unpacked(archive: zipfile.ZipFile) -> Document:
    state = json.loads(_member(archive, "session.json"))
    if not isinstance(state, dict) or state.get("format") != "maskedit-session":
        raise _Malformed("session.json does not describe a session")
    version = state.get("version")
    if version != VERSION or isinstance(version, bool):
        shown = repr(version)[:20]
        raise _Malformed(f"it has version {shown} and this editor reads version {VERSION}; a newer editor may open it")
    name, extras, locked, only_over = (state.get(key) for key in ("name", "extras", "locked", "only_over"))
    if not isinstance(name, str) or not isinstance(extras, dict) or not isinstance(locked, list):
        raise _Malformed("session.json has a wrong name, list of locks or settings")
    if not all(_is_id(id) for id in locked) or not (only_over is None or _is_id(only_over)):
        raise _Malformed("session.json locks an id that does not exist")
    photo = _image(archive, "photo.png", mode="RGB")
    size = photo.shape[1], photo.shape[0]
    document = Document(
        photo,
        _image(archive, "labels.png", mode="L", size=size),
        reference_labels=_image(archive, "reference_labels.png", mode="L", size=size),
        name=name[:_MAX_NAME],
    )
    document.locked, document.only_over, document.extras = set(locked), only_over, extras
    document.restore_history(_history(archive, state.get("position"), size))
    return document


def _member(archive: zipfile.ZipFile, name: str) -> bytes:
    try:
        info = archive.getinfo(name)
    except KeyError:
        raise _Malformed(f"{name} is missing") from None
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise _Malformed(f"{name} is compressed in an unknown way")
    limit = _LIMITS[name]
    if info.file_size > limit:
        raise _Malformed(f"{name} unpacks to {info.file_size} bytes, the limit is {limit}")
    with archive.open(info) as member:
        data = member.read(limit + 1)
    if len(data) != info.file_size:
        raise _Malformed(f"{name} is cut short")
    return data


def _image(archive: zipfile.ZipFile, name: str, *, mode: str, size: tuple[int, int] | None = None) -> np.ndarray:
    try:
        with Image.open(io.BytesIO(_member(archive, name)), formats=["PNG"]) as image:
            if image.mode != mode:
                raise _Malformed(f"{name} has mode {image.mode}, wanted {mode}")
            if image.width * image.height > MAX_PIXELS:
                raise _Malformed(f"{name} has {image.width} x {image.height} pixels, more than {MAX_PIXELS}")
            if size is not None and image.size != size:
                raise _Malformed(f"{name} has {image.width} x {image.height} pixels, the photo {size[0]} x {size[1]}")
            return np.array(image)
    except (OSError, SyntaxError, Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _Malformed(f"{name} is not a readable PNG") from error


def _history(archive: zipfile.ZipFile, position: object, size: tuple[int, int]) -> History:
    entries = json.loads(_member(archive, "history.json"))
    data = np.frombuffer(_member(archive, "history.bin"), dtype=np.uint8)
    if not isinstance(entries, list) or len(entries) > _MAX_EDITS:
        raise _Malformed("the list of edits is wrong or too long")
    if not _is_int(position) or not 0 <= position <= len(entries):
        raise _Malformed("its place in the history does not exist")
    edits, offset = [], 0
    for number, entry in enumerate(entries):
        edit, offset = _edit(entry, data, offset, size=size, where=f"edit {number + 1} of its history")
        edits.append(edit)
    if offset != data.size:
        raise _Malformed("history.bin is longer than its edits")
    return History.restored(edits, position=position)


def _edit(entry: object, data: np.ndarray, offset: int, *, size: tuple[int, int], where: str) -> tuple[Edit, int]:
    if not isinstance(entry, dict) or not isinstance(entry.get("name"), str) or not isinstance(entry.get("box"), list):
        raise _Malformed(f"{where} is not an edit")
    if len(entry["box"]) != 4 or not all(_is_int(side) for side in entry["box"]):
        raise _Malformed(f"{where} has no box")
    box = Box(*entry["box"])
    if box.clipped(*size) != box:
        raise _Malformed(f"{where} lies outside the map")
    count, new = entry.get("count"), entry.get("new")
    area = box.width * box.height
    if not _is_int(count) or not 0 < count <= area or not (new is None or _is_id(new)):
        raise _Malformed(f"{where} has a wrong count or id")
    lengths = math.ceil(area / 8), count, 0 if new is not None else count
    end = offset + sum(lengths)
    if end > data.size:
        raise _Malformed(f"{where} is cut short")
    packed, old_ids, new_ids = np.split(data[offset:end].copy(), np.cumsum(lengths[:2]))
    if np.count_nonzero(np.unpackbits(packed, count=area)) != count:
        raise _Malformed(f"{where} has a mask of another size")
    if max(old_ids.max(), new_ids.max(initial=0)) >= NUM_LABELS:
        raise _Malformed(f"{where} has an id above {NUM_LABELS - 1}")
    name = entry["name"][:_MAX_NAME]
    return Edit(box=box, packed=packed, old_ids=old_ids, new_ids=new_ids if new is None else new, name=name), end


def _is_int(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_id(value: object) -> bool:
    return _is_int(value) and 0 <= value < NUM_LABELS


# Recovery

_PROCESS = secrets.token_hex(4)  # a sandbox may give each run the same process id
_RECOVERY = re.compile(r"recovery-([1-9]\d{0,9})-([0-9a-f]{8})-[\w-]*" + re.escape(SUFFIX))


def recovery_path(directory: str | Path, name: str) -> Path:
    """Where this process keeps the recovery file of the document called ``name``."""
    slug = re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-")[:40] or "untitled"
    return Path(directory) / f"recovery-{os.getpid()}-{_PROCESS}-{slug}{SUFFIX}"


def write_recovery(directory: str | Path, document: Document) -> Path:
    """Write the document, with the newest part of its history, to its recovery file; raises UserError if it cannot."""
    path = recovery_path(directory, document.name)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)  # it holds a person's photo
    except OSError as error:
        raise UserError(f"The folder {directory} for recovery files cannot be made: {error.strerror}.") from error
    atomic_write_bytes(path, _packed(document, history_bytes=_RECOVERY_HISTORY_BYTES), overwrite=True)
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
    # After a restart of the machine another program may have the number of the editor that wrote the file.
    started = _started(process_id)
    return not _is_running(process_id) or (started is not None and started > written + 60)


def _started(process_id: int) -> float | None:
    """When a process began, in seconds since 1970; None where the system does not tell (all but Linux)."""
    try:
        ticks = int(Path(f"/proc/{process_id}/stat").read_text().rsplit(")", 1)[1].split()[19])
        uptime = float(Path("/proc/uptime").read_text().split()[0])
        return time.time() - uptime + ticks / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError):
        return None


def _is_running(process_id: int) -> bool:
    if sys.platform == "win32":  # os.kill would end the process there
        import ctypes

        handle = ctypes.windll.kernel32.OpenProcess(0x1000, False, process_id)  # PROCESS_QUERY_LIMITED_INFORMATION
        if not handle:
            return False
        exit_code = ctypes.c_ulong()
        ctypes.windll.kernel32.GetExitCodeProcess(handle, ctypes.byref(exit_code))
        ctypes.windll.kernel32.CloseHandle(handle)
        return exit_code.value == 259  # STILL_ACTIVE
    try:
        os.kill(process_id, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True
