"""The data folders a run trains on: their photos, how often each is shown, and which have enough pixels.

The first folder is what a single one always was: its last photos, or those of its ``val/``, are held out. The others
are trained on whole. So figures of runs with more folders stay comparable, and no folder's weight changes them.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from maskedit import imaging
from maskedit.data.folder import LABELLED, Pair, find_pairs, find_split, folder_and_weight
from maskedit.errors import UserError

BY_PEOPLE, BY_PARSER = Fraction(1), Fraction(1, 2)
"""Weights of folders without one: what a parser drew is less certain than what people drew."""


@dataclass(frozen=True)
class TrainingFolder:
    """What a run takes of one data folder."""

    name: str
    weight: Fraction
    """How often its photos are shown, relative to those of a folder of weight 1."""
    labelled_by: str
    """``people`` or ``a parser``."""
    paths: list[Pair]
    """The pairs trained on."""
    found: int
    """Pairs it holds to train on, those with too few pixels among them."""
    size: int
    """Side in pixels that a run trains at."""
    enlarged: bool
    """None of its photos has that many pixels: all are used, as they are."""

    def __str__(self) -> str:
        used, found = len(self.paths), self.found
        if self.enlarged:
            photos = f"{used:,} photos, enlarged, for none has {self.size} px"
        elif used < found:
            photos = f"{used:,} of {found:,} photos have {self.size} px"
        else:
            photos = f"{used:,} photos"
        return f"{self.name} (weight {float(self.weight):g}, labelled by {self.labelled_by}): {photos}"


@dataclass(frozen=True)
class TrainingPhotos:
    """What a run trains on, and what it holds out."""

    folders: tuple[TrainingFolder, ...]
    held_out: list[Pair]

    @property
    def paths(self) -> list[Pair]:
        """The pairs of all folders, one folder after the other."""
        return [pair for folder in self.folders for pair in folder.paths]

    @property
    def weights(self) -> list[Fraction]:
        """Of each pair: how often it is shown."""
        return [folder.weight for folder in self.folders for _ in folder.paths]

    def __str__(self) -> str:
        first, *others = (str(folder) for folder in self.folders)
        return "; ".join([f"{first}, and {len(self.held_out)} held out", *others])


def find_photos(data: Sequence[str], *, validation: int, size: int) -> TrainingPhotos:
    """The photos of some data folders that a run at a size trains on.

    Of a folder with ``train/`` and ``val/`` only ``train/`` is trained on. Photos with a shorter side below ``size``
    are left out, unless all of their folder are: then it is used whole, and its photos are enlarged. No photo that is
    held out is trained on, in whatever folder it is found again.

    Args:
        data: ``FOLDER[:WEIGHT]`` each; the first one holds photos out.
        validation: how many.
        size: side of the training squares in pixels.

    Raises:
        UserError: as `find_split`; a weight that cannot be used, or a folder given twice or with nothing to train on.
    """
    given = [folder_and_weight(text) for text in data]
    _refuse_repeated([path for path, _ in given])
    training, held_out = find_split(given[0][0], validation)
    found = [training]
    if len(given) > 1:
        out = {os.path.realpath(photo) for photo, _ in held_out}
        for path, _ in given[1:]:
            own = [pair for pair in _whole(path) if os.path.realpath(pair[0]) not in out]
            if not own:
                raise UserError(f"--data {path} holds only photos that are held out (--validation); leave it out.")
            found.append(own)
    folders = [_training_folder(path, weight, own, size) for (path, weight), own in zip(given, found, strict=True)]
    return TrainingPhotos(tuple(folders), held_out)


def is_labelled(folder: Path) -> bool:
    """Whether a parser drew the label maps that are trained on."""
    return any((place / LABELLED).is_file() for place in (folder, folder / "train"))


def _training_folder(path: Path, weight: Fraction | None, pairs: list[Pair], size: int) -> TrainingFolder:
    large = [pair for pair, side in zip(pairs, _sides(pairs), strict=True) if side >= size]
    labelled = is_labelled(path)
    return TrainingFolder(
        name=path.name or path.absolute().name,
        weight=weight or (BY_PARSER if labelled else BY_PEOPLE),
        labelled_by="a parser" if labelled else "people",
        paths=large or pairs,
        found=len(pairs),
        size=size,
        enlarged=not large,
    )


def _sides(pairs: list[Pair]) -> list[int]:
    """The shorter side of each photo in pixels; of one that cannot be read, more than any: reading it will name it."""

    def side(pair: Pair) -> int:
        try:
            return min(imaging.read_size(pair[0]))
        except UserError:
            return sys.maxsize

    with ThreadPoolExecutor() as pool:
        return list(pool.map(side, pairs))


def _whole(folder: Path) -> list[Pair]:
    """Every pair of a folder that no photo is held out of; of one with ``train/`` and ``val/`` those of the first."""
    divided = (folder / "train").is_dir() and (folder / "val").is_dir()
    return find_pairs(folder / "train" if divided else folder)


def _refuse_repeated(folders: list[Path]) -> None:
    seen: set[str] = set()
    for folder in folders:
        place = os.path.realpath(folder)
        if place in seen:
            raise UserError(f"--data {folder} was given twice; give it once, with the weight wanted: {folder}:2.")
        seen.add(place)
