"""A document as the bytes of a session file, and back.

A session is a zip: ``session.json`` (version, name, locks, settings, the square of the origin), ``photo.png`` (RGB),
``reference_labels.png`` and ``labels.png`` (8-bit ids), ``history.json`` (name, box, pixel count and new id of each
edit) and ``history.bin`` (for each edit its packed mask, its old ids and, unless it took one id, its new ids). Some
members may be absent: ``origin``, the photo file that the document was cut from, byte for byte,
``learned.safetensors``, weights that were learned for this face, ``styles.json``, the styles that the document, an
edit of its history or a snapshot has, and ``snapshots.json`` with ``snapshots.bin``, which hold snapshots as edits of
the photo's own labels, in the way of the history. Sessions come by mail: what is read is checked and bounded before
it is unpacked, and nothing in it is ever executed or unpickled.
"""

from __future__ import annotations

import io
import json
import math
import os
import struct
import zipfile
from collections.abc import Iterable
from typing import Any, BinaryIO

import numpy as np
from PIL import Image

from maskedit import imaging
from maskedit.document.checks import MAX_PIXELS
from maskedit.document.document import MAX_FACE_WEIGHTS_BYTES, Document
from maskedit.document.history import MAX_HISTORY_BYTES, NOWHERE, Box, Edit, History
from maskedit.document.origin import MAX_ORIGIN_BYTES, Origin
from maskedit.document.packed_styles import MAX_CHANGES, PackedStyles, UnpackedStyles
from maskedit.document.snapshots import MAX_SNAPSHOTS, Snapshot
from maskedit.imaging import Square
from maskedit.labels import NUM_LABELS

VERSION = 2
"""Goes up when an older editor would misread a session. One that does not know a member or a key ignores it, and opens
the same face and edits; so the origin and what was learned came without a new number. Styles did not: an older editor
would open another face. A session without any is written as it always was, in the version before."""
_WITHOUT_STYLES = 1
_ORIGIN, _FACE_WEIGHTS, _STYLES = "origin", "learned.safetensors", "styles.json"
_SNAPSHOTS, _SNAPSHOTS_DATA = "snapshots.json", "snapshots.bin"
_MAX_NAME = 200
_MAX_EDITS = 100_000
_LIMITS = {
    "session.json": 2**20,
    "photo.png": 4 * MAX_PIXELS,
    "reference_labels.png": 2 * MAX_PIXELS,
    "labels.png": 2 * MAX_PIXELS,
    "history.json": 96 * 2**20,
    "history.bin": MAX_HISTORY_BYTES,
    _STYLES: 64 * 2**20,
    _SNAPSHOTS: 2**20,
    _SNAPSHOTS_DATA: MAX_HISTORY_BYTES,
    _ORIGIN: MAX_ORIGIN_BYTES,
    _FACE_WEIGHTS: MAX_FACE_WEIGHTS_BYTES,
}
"""The most bytes each member may unpack to."""


class Malformed(Exception):
    """What is wrong with a session, as the end of a sentence."""


def pack(
    document: Document, *, history_bytes: int = MAX_HISTORY_BYTES, face_weights_bytes: int = MAX_FACE_WEIGHTS_BYTES
) -> bytes:
    """The session file of a document: its newest edits that fit ``history_bytes``, a stroke in progress left out, and
    the face weights unless they are more than ``face_weights_bytes``."""
    if "png" not in document.photo_cache:
        document.photo_cache["png"] = imaging.png_bytes(document.photo)
    styles = PackedStyles(document.styles)
    entries, blocks, position = _packed_history(document.history, history_bytes, styles)
    snapshots, snapshot_blocks = _packed_edits(
        [each.edit or _nothing(each.name) for each in document.snapshots], styles
    )
    state = {
        "format": "maskedit-session",
        "version": VERSION if styles else _WITHOUT_STYLES,
        "name": document.name[:_MAX_NAME],
        "locked": sorted(map(int, document.locked)),
        "only_over": None if document.only_over is None else int(document.only_over),
        "position": position,
        "complete": document.history.complete and position == document.history.position,
        "square": None if document.origin is None else _numbers(document.origin.square),
    }
    members = {
        "session.json": json.dumps(state).encode(),
        "photo.png": document.photo_cache["png"],
        "reference_labels.png": imaging.png_bytes(document.reference_labels),
        "labels.png": imaging.png_bytes(document.committed_labels()),
        "history.json": json.dumps(entries, separators=(",", ":")).encode(),
        "history.bin": b"".join(blocks),
    }
    if snapshots:
        members[_SNAPSHOTS] = json.dumps(snapshots, separators=(",", ":")).encode()
        members[_SNAPSHOTS_DATA] = b"".join(snapshot_blocks)
    if styles:
        members[_STYLES] = styles.data()
    if document.origin is not None:
        members[_ORIGIN] = document.origin.data
    if document.face_weights is not None and len(document.face_weights) <= face_weights_bytes:
        members[_FACE_WEIGHTS] = document.face_weights
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, data in members.items():
            # Pictures are compressed already, and weights do not compress.
            compress = name.endswith((".json", ".bin"))
            archive.writestr(name, data, compress_type=zipfile.ZIP_DEFLATED if compress else zipfile.ZIP_STORED)
    return target.getvalue()


def _numbers(square: Square) -> list[float]:
    return [float(value) for value in (square.x, square.y, square.side, square.degrees)]


def _packed_history(
    history: History, max_bytes: int, styles: PackedStyles
) -> tuple[list[dict[str, Any]], list[bytes], int]:
    """The newest of the applied edits that fit, then what was undone; and how many of them are applied."""
    edits, first, last = history.edits, history.position, history.position
    size = changes = 0

    def fits(edit: Edit) -> bool:
        nonlocal size, changes
        size, changes = size + edit.nbytes, changes + len(edit.styles)
        return last - first < _MAX_EDITS and size <= max_bytes and changes <= MAX_CHANGES

    while first > 0 and fits(edits[first - 1]):
        first -= 1
    while last < len(edits) and fits(edits[last]):
        last += 1
    entries, blocks = _packed_edits(edits[first:last], styles)
    return entries, blocks, history.position - first


def _packed_edits(edits: Iterable[Edit], styles: PackedStyles) -> tuple[list[dict[str, Any]], list[bytes]]:
    entries, blocks = [], []
    for edit in edits:
        uniform = isinstance(edit.new_ids, int)
        new = edit.new_ids if uniform else None
        name = edit.name[:_MAX_NAME]
        entry = {"name": name, "box": list(edit.box), "count": edit.old_ids.size, "new": new}
        entries.append(entry | ({"styles": styles.changes(edit)} if edit.styles else {}))
        blocks += [edit.packed.tobytes(), edit.old_ids.tobytes(), b"" if uniform else edit.new_ids.tobytes()]
    return entries, blocks


def check_directory(file: BinaryIO) -> None:
    """Refuse a zip with a huge list of members: zipfile would make an object of each before we could count them."""
    file.seek(0, os.SEEK_END)
    size = file.tell()
    if size > sum(_LIMITS.values()):
        raise Malformed(f"it has {size} bytes, more than any session")
    file.seek(max(0, size - 42))
    tail = file.read(42)
    if tail[-22:-18] != b"PK\5\6" or tail[-2:] != b"\0\0":  # with a comment zipfile would look elsewhere
        raise Malformed("it is not a session file, or is cut short")
    members, directory_size = struct.unpack("<HI", tail[-12:-6])
    if members > 32 or directory_size > 2**16 or tail[:4] == b"PK\6\7":  # the last: a second, 64-bit list
        raise Malformed(f"it holds {members} members, more than a session has")


def unpack(archive: zipfile.ZipFile) -> Document:
    """The document in a session whose directory was checked; raises Malformed, UserError, and what damaged zips and
    JSON raise."""
    state = json.loads(_member(archive, "session.json"))
    if not isinstance(state, dict) or state.get("format") != "maskedit-session":
        raise Malformed("session.json does not describe a session")
    version = state.get("version")
    if version not in (_WITHOUT_STYLES, VERSION) or isinstance(version, bool):
        shown = repr(version)[:20]
        raise Malformed(f"it has version {shown} and this editor reads version {VERSION}; a newer editor may open it")
    name, locked, only_over = (state.get(key) for key in ("name", "locked", "only_over"))
    if not isinstance(name, str) or not isinstance(locked, list):
        raise Malformed("session.json has a wrong name or list of locks")
    if not all(_is_id(id) for id in locked) or not (only_over is None or _is_id(only_over)):
        raise Malformed("session.json locks an id that does not exist")
    photo = _image(archive, "photo.png", mode="RGB")
    size = photo.shape[1], photo.shape[0]
    document = Document(
        photo,
        _image(archive, "labels.png", mode="L", size=size),
        reference_labels=_image(archive, "reference_labels.png", mode="L", size=size),
        name=name[:_MAX_NAME],
        origin=_origin(archive, state.get("square")),
    )
    document.face_weights = _optional_member(archive, _FACE_WEIGHTS)
    document.locked, document.only_over = set(locked), only_over
    styles = _unpacked_styles(archive)
    document.snapshots = _snapshots(archive, size, styles)
    document.restore_history(_history(archive, state, size, styles), styles.parts)
    return document


def _nothing(name: str) -> Edit:
    """The edit of a snapshot of the photo's own labels and styles."""
    return Edit(NOWHERE, *[np.empty(0, np.uint8)] * 3, name)


def _snapshots(archive: zipfile.ZipFile, size: tuple[int, int], styles: UnpackedStyles) -> list[Snapshot]:
    entries = json.loads(_optional_member(archive, _SNAPSHOTS) or b"[]")
    data = np.frombuffer(_optional_member(archive, _SNAPSHOTS_DATA) or b"", dtype=np.uint8)
    if not isinstance(entries, list) or len(entries) > MAX_SNAPSHOTS:
        raise Malformed("the list of snapshots is wrong or too long")
    snapshots, offset = [], 0
    for number, entry in enumerate(entries):
        where = f"snapshot {number + 1}"
        edit, offset = _edit(entry, data, offset, styles, size=size, where=where, may_be_empty=True)
        snapshots.append(Snapshot(edit.name, None if edit.box == NOWHERE and not edit.styles else edit))
    if offset != data.size:
        raise Malformed("snapshots.bin is longer than its snapshots")
    return snapshots


def _unpacked_styles(archive: zipfile.ZipFile) -> UnpackedStyles:
    try:
        return UnpackedStyles(_optional_member(archive, _STYLES))
    except ValueError as error:
        raise Malformed(str(error)) from error


def _origin(archive: zipfile.ZipFile, square: object) -> Origin | None:
    data = _optional_member(archive, _ORIGIN)
    if data is None and square is None:
        return None
    if data is None or not isinstance(square, list) or len(square) != 4 or not all(map(_is_number, square)):
        raise Malformed("the photo it was cut from, or its square there, is missing or wrong")
    x, y, side, degrees = map(float, square)
    return Origin(data, Square(x, y, side, degrees))


def _optional_member(archive: zipfile.ZipFile, name: str) -> bytes | None:
    return _member(archive, name) if name in archive.namelist() else None


def _member(archive: zipfile.ZipFile, name: str) -> bytes:
    try:
        info = archive.getinfo(name)
    except KeyError:
        raise Malformed(f"{name} is missing") from None
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise Malformed(f"{name} is compressed in an unknown way")
    limit = _LIMITS[name]
    if info.file_size > limit:
        raise Malformed(f"{name} unpacks to {info.file_size} bytes, the limit is {limit}")
    with archive.open(info) as member:
        data = member.read(limit + 1)
    if len(data) != info.file_size:
        raise Malformed(f"{name} is cut short")
    return data


def _image(archive: zipfile.ZipFile, name: str, *, mode: str, size: tuple[int, int] | None = None) -> np.ndarray:
    try:
        with Image.open(io.BytesIO(_member(archive, name)), formats=["PNG"]) as image:
            if image.mode != mode:
                raise Malformed(f"{name} has mode {image.mode}, wanted {mode}")
            if image.width * image.height > MAX_PIXELS:
                raise Malformed(f"{name} has {image.width} x {image.height} pixels, more than {MAX_PIXELS}")
            if size is not None and image.size != size:
                raise Malformed(f"{name} has {image.width} x {image.height} pixels, the photo {size[0]} x {size[1]}")
            return np.array(image)
    except (OSError, SyntaxError, Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise Malformed(f"{name} is not a readable PNG") from error


def _history(archive: zipfile.ZipFile, state: dict[str, Any], size: tuple[int, int], styles: UnpackedStyles) -> History:
    position = state.get("position")
    entries = json.loads(_member(archive, "history.json"))
    data = np.frombuffer(_member(archive, "history.bin"), dtype=np.uint8)
    if not isinstance(entries, list) or len(entries) > _MAX_EDITS:
        raise Malformed("the list of edits is wrong or too long")
    if not _is_int(position) or not 0 <= position <= len(entries):
        raise Malformed("its place in the history does not exist")
    edits, offset = [], 0
    for number, entry in enumerate(entries):
        edit, offset = _edit(entry, data, offset, styles, size=size, where=f"edit {number + 1} of its history")
        edits.append(edit)
    if offset != data.size:
        raise Malformed("history.bin is longer than its edits")
    return History.restored(edits, position=position, complete=state.get("complete") is not False)


def _edit(
    entry: object,
    data: np.ndarray,
    offset: int,
    styles: UnpackedStyles,
    *,
    size: tuple[int, int],
    where: str,
    may_be_empty: bool = False,
) -> tuple[Edit, int]:
    if not isinstance(entry, dict) or not isinstance(entry.get("name"), str) or not isinstance(entry.get("box"), list):
        raise Malformed(f"{where} is not an edit")
    if len(entry["box"]) != 4 or not all(_is_int(side) for side in entry["box"]):
        raise Malformed(f"{where} has no box")
    try:
        changes = styles.changes(entry.get("styles"))
    except ValueError as error:
        raise Malformed(f"{where} {error}") from error
    box, name = Box(*entry["box"]), entry["name"][:_MAX_NAME]
    if box == NOWHERE and (changes or may_be_empty):
        return Edit.of_styles(changes, name=name) or _nothing(name), offset
    if box.clipped(*size) != box:
        raise Malformed(f"{where} lies outside the map")
    count, new = entry.get("count"), entry.get("new")
    area = box.width * box.height
    if not _is_int(count) or not 0 < count <= area or not (new is None or _is_id(new)):
        raise Malformed(f"{where} has a wrong count or id")
    lengths = math.ceil(area / 8), count, 0 if new is not None else count
    end = offset + sum(lengths)
    if end > data.size:
        raise Malformed(f"{where} is cut short")
    packed, old_ids, new_ids = np.split(data[offset:end].copy(), np.cumsum(lengths[:2]))
    if np.count_nonzero(np.unpackbits(packed, count=area)) != count:
        raise Malformed(f"{where} has a mask of another size")
    if max(old_ids.max(), new_ids.max(initial=0)) >= NUM_LABELS:
        raise Malformed(f"{where} has an id above {NUM_LABELS - 1}")
    new_ids = new_ids if new is None else new
    return Edit(box=box, packed=packed, old_ids=old_ids, new_ids=new_ids, name=name, styles=changes), end


def _is_int(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: object) -> bool:
    return _is_int(value) or isinstance(value, float)


def _is_id(value: object) -> bool:
    return _is_int(value) and 0 <= value < NUM_LABELS
