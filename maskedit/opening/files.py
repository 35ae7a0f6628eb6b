"""What a file turns out to hold, and what somebody has to decide before it becomes a document: both as data.

Nobody is asked anything here. The window puts a question for each decision to the person; ``maskedit-edit``, which has
nobody to ask, goes by the defaults of `FoundLabels.taken`.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from maskedit import imaging
from maskedit.document import session
from maskedit.document.document import Document
from maskedit.errors import UserError
from maskedit.imaging import LabelFile, LossyLabelsError, SourcePhoto
from maskedit.imaging.geometry import same_shape
from maskedit.labels import palette
from maskedit.opening import orders

_READABLE = imaging.SUFFIXES | {".gif", ".avif", ".jp2"}
_NEAR = 24
"""Levels of 255: so close to a published colour a lossy label map stays."""

logger = logging.getLogger(__name__)


class FoundLabels:
    """A label map file. Raises UserError when it is none, and not a lossy one either."""

    def __init__(self, path: Path):
        self._path, self.name = path, path.name
        self.lossy = ""
        """Why it can be read only roughly, and so somebody has to want that; empty when it is exact."""
        try:
            self._file = imaging.read_label_file(path)
        except LossyLabelsError as error:
            self.lossy = str(error)

    @cached_property
    def _file(self) -> LabelFile:
        return imaging.read_label_file(self._path, allow_lossy=True)

    @property
    def labels(self) -> np.ndarray:
        """(h, w) uint8, as they stand in the file. Raises UserError when a lossy file is no label map at all."""
        return self._file.labels

    @cached_property
    def order(self) -> str | None:
        """Another project's class order, one of `orders.ORDERS`, that they seem to be in; None for our own."""
        return orders.likely_order(self.labels)

    def taken(self, *, lossy: bool = False, remap: bool = True) -> tuple[np.ndarray, tuple[str, ...]]:
        """The label map (h, w) uint8 by what was decided, and what a person should read about it.

        Args:
            lossy: whether it is read although it is stored lossily.
            remap: whether it is brought from the class order that it seems to be in into our own.

        Raises:
            LossyLabelsError: the file is lossy and ``lossy`` is False.
        """
        if self.lossy and not lossy:
            raise LossyLabelsError(self.lossy)
        if self.order is None or not remap:
            return self.labels, self._file.notes
        note = f"The label map was in the class order of {self.order} and has been remapped."
        return orders.remapped(self.labels, self.order), (*self._file.notes, note)


@dataclass(frozen=True, eq=False)
class Found:
    """What a file turned out to be: a session, or a photo, or a label map, or a photo with its label map."""

    session: Document | None = None
    photo: SourcePhoto | None = None
    """Of a photo without ``labels`` the face is still to be found; its file was not looked into. Nor was that of a
    source, whose ``labels`` are those that lay beside it."""
    labels: FoundLabels | None = None
    no_labels: str = ""
    """Why a photo is not taken for a label map, where that was what was wanted most."""


def inspect(path: Path, labels: Path | None = None) -> Found:
    """What there is to edit: a session, or a photo with its label map (``labels``, or one beside it that fits) or none.

    Raises:
        UserError: a file is not what it should be.
    """
    if path.suffix.lower() == session.SUFFIX:
        return Found(session=session.load_session(path))
    data, called = imaging.read_source(path)
    beside = companion_labels(path) if labels is None else None
    if labels is None and beside is None:
        return Found(photo=SourcePhoto(data, path.stem))
    # The picture first: nobody should be asked for anything about what is no photo.
    photo = SourcePhoto(data, path.stem, imaging.read_photo(data, name=called))
    try:
        found = FoundLabels(labels or beside)
    except UserError:
        if labels is not None:
            raise
        logger.info("%s lies beside the photo, and is no label map.", beside, exc_info=True)
        return Found(photo=photo)
    if beside is not None and not same_shape(found.labels, photo.size):
        return Found(photo=photo)  # it is called as if it were this photo's, but shows something else
    return Found(photo=photo, labels=found)


def inspect_source(path: Path) -> Found:
    """What there is to take labels from: a session, the label map that a file is or has beside it, else a photo.

    Raises:
        UserError: a file is not what it should be.
    """
    if path.suffix.lower() == session.SUFFIX:
        return Found(session=session.load_session(path))
    photo = SourcePhoto(imaging.read_source(path)[0], path.stem)
    if (beside := companion_labels(path)) is not None:
        return Found(photo=photo, labels=FoundLabels(beside))
    try:
        found = FoundLabels(path)
    except UserError as error:
        if _nearly_labels(photo.pixels):
            raise
        return Found(photo=photo, no_labels=str(error))
    if found.lossy and not _nearly_labels(photo.pixels):
        return Found(photo=photo, no_labels=found.lossy)
    return Found(labels=found)


def is_label_map(path: Path) -> bool:
    """Whether the file can be read as an exact label map; a photo cannot."""
    try:
        return not FoundLabels(path).lossy
    except UserError:
        return False


def _nearly_labels(photo: np.ndarray) -> bool:
    """Whether a photo (H, W, 3) shows about the published colours: a label map that went through JPEG."""
    colours = photo[::4, ::4].reshape(-1, 3).astype(np.float32)
    nearest = np.full(len(colours), np.inf, np.float32)
    for colour in palette().astype(np.float32):
        nearest = np.minimum(nearest, ((colours - colour) ** 2).sum(axis=1))
    return bool((nearest < _NEAR**2).mean() > 0.9)


def photos_in(folder: Path) -> list[Path]:
    """The photos of a folder, sorted, without the label maps and the squares of ``maskedit-edit --parse-only`` beside
    them. Raises UserError where there is none, or the folder cannot be read."""
    try:
        found = sorted(each for each in folder.iterdir() if each.suffix.lower() in _READABLE and each.is_file())
    except OSError as error:
        raise UserError(f"The folder {folder} cannot be read ({error.strerror}); choose another one.") from error
    stems = {each.stem for each in found}
    found = [each for each in found if each.stem.removesuffix("_labels") not in stems - {each.stem}]
    squares = {each for each in found if "_face" in each.stem and each.suffix == ".png"}
    found = [each for each in found if each not in squares or not each.with_suffix(".json").exists()]
    if not found:
        raise UserError(f"The folder {folder} holds no photos; wanted {', '.join(sorted(_READABLE))}.")
    return found


def companion_labels(photo: Path) -> Path | None:
    """The label map that lies beside a photo: ``NAME_labels.png``, or ``../masks/NAME.png`` as data sets have it."""
    candidates = [
        photo.with_name(f"{photo.stem}_labels.png"),
        photo.parent.parent / "masks" / f"{photo.stem}.png",
    ]
    return next((path for path in candidates if path.is_file() and path != photo), None)
