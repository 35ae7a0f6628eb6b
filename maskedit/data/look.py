"""What one pair shows: sizes, classes, sides, hashes. One job of ``maskedit-data check``, run in another process."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from maskedit import imaging
from maskedit.data.folder import mend_left_right
from maskedit.errors import UserError
from maskedit.labels import LABELS, NUM_LABELS

HASH_SIDE = 16


@dataclass(frozen=True)
class PairPaths:
    """The files of one stem; either may be missing, not both."""

    stem: str
    photo: Path | None
    labels: Path | None


@dataclass
class Look:
    """What was seen of one pair; fields stay empty where a file is missing or cannot be read."""

    paths: PairPaths
    photo_size: tuple[int, int] | None = None
    """(width, height) in pixels."""
    labels_size: tuple[int, int] | None = None
    classes: tuple[int, ...] = ()
    """The ids that are in the map."""
    swapped: tuple[str, ...] = ()
    """Names of the classes that geometry says are on the wrong side."""
    digest: bytes = b""
    """SHA-256 of the photo's file."""
    fingerprint: bytes = b""
    """The perceptual hash of the photo, 32 bytes."""
    problems: list[tuple[str, str]] = field(default_factory=list)
    """(kind, sentence): ``unreadable`` or ``unknown ids``."""


def look_at(paths: PairPaths) -> Look:
    """Read both files and note what they show; never raises for what is in them."""
    look = Look(paths)
    if paths.photo is not None:
        try:
            data = paths.photo.read_bytes()
            photo = imaging.read_photo(paths.photo)
        except (UserError, OSError) as error:
            look.problems.append(("unreadable", str(error)))
        else:
            look.photo_size = photo.shape[1], photo.shape[0]
            look.digest, look.fingerprint = hashlib.sha256(data).digest(), fingerprint(photo)
    if paths.labels is not None:
        try:
            labels = imaging.read_labels(paths.labels)
        except UserError as error:
            look.problems.append(("unknown ids" if _is_picture(paths.labels) else "unreadable", str(error)))
        else:
            look.labels_size = labels.shape[1], labels.shape[0]
            look.classes = tuple(np.flatnonzero(np.bincount(labels.ravel(), minlength=NUM_LABELS)).tolist())
            mended = mend_left_right(labels)
            look.swapped = tuple(LABELS[id].name for id in np.unique(labels[mended != labels]))
    return look


def fingerprint(photo: np.ndarray) -> bytes:
    """256 bits of a photo (H, W, 3) uint8 that survive scaling, recompression and a little noise.

    The perceptual hash of the field ("pHash"): the 16 x 16 lowest frequencies of the cosine transform of the photo in
    grey at 64 px, each above their median or not. Comparing neighbouring cells instead is at the mercy of noise
    wherever a photo is flat.
    """
    grey = cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY).astype(np.float32)
    low = cv2.dct(cv2.resize(grey, (64, 64), interpolation=cv2.INTER_AREA))[:HASH_SIDE, :HASH_SIDE]
    return np.packbits(low > np.median(low)).tobytes()


def near_pairs(fingerprints: list[bytes], limit: int) -> list[tuple[int, int, int]]:
    """(first, second, bits that differ) of all pairs that differ in ``limit`` bits or fewer, first < second.

    A product of matrices, in blocks: 30,000 photos take seconds and little memory.
    """
    if not fingerprints:
        return []
    bits = np.frombuffer(b"".join(fingerprints), np.uint8).reshape(len(fingerprints), -1)
    signs = np.unpackbits(bits, axis=1).astype(np.float32) * 2 - 1
    found = []
    for start in range(0, len(signs), 1024):
        # Equal bits count +1 and others -1, so that n - product is twice the bits that differ.
        differ = (signs.shape[1] - signs[start : start + 1024] @ signs[start:].T) / 2
        firsts, seconds = np.nonzero(differ <= limit)
        keep = firsts < seconds
        for first, second in zip(firsts[keep].tolist(), seconds[keep].tolist(), strict=True):
            found.append((start + first, start + second, int(differ[first, second])))
    return found


def _is_picture(path: Path) -> bool:
    """Whether a file that is no label map is a sound picture all the same."""
    try:
        imaging.read_photo(path)
    except UserError:
        return False
    return True
