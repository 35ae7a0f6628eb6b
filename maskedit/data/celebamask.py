"""CelebAMask-HQ as it is downloaded: where its files are, how its parts become one label map, how it is split.

Layout of ROOT, with k from 0 to 29999 (Lee et al., "MaskGAN", CVPR 2020, and the data set's own README)::

    CelebA-HQ-img/{k}.jpg                                      photos, 1024 px
    CelebAMask-HQ-mask-anno/{k // 2000}/{k:05d}_{part}.png     one binary picture a part, 512 px; none where absent
    CelebA-HQ-to-CelebA-mapping.txt                            idx, orig_idx, orig_file
    CelebAMask-HQ-attribute-anno.txt                           40 attributes, -1 or 1
    CelebAMask-HQ-pose-anno.txt                                yaw, pitch, roll in degrees
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from maskedit import imaging
from maskedit.errors import UserError
from maskedit.labels import BY_NAME

PHOTOS = "CelebA-HQ-img"
PARTS = "CelebAMask-HQ-mask-anno"
MAPPING = "CelebA-HQ-to-CelebA-mapping.txt"
ATTRIBUTES = "CelebAMask-HQ-attribute-anno.txt"
POSES = "CelebAMask-HQ-pose-anno.txt"

_FACE = ("skin", "nose", "eye_g", "l_eye", "r_eye", "l_brow", "r_brow", "l_ear", "r_ear", "mouth", "u_lip", "l_lip")
ORDERS: dict[str, tuple[str, ...]] = {
    "necklaces": (*_FACE, "hair", "hat", "ear_r", "neck", "cloth", "neck_l"),
    "authors": (*_FACE, "hair", "hat", "ear_r", "neck_l", "neck", "cloth"),
}
"""Parts in painting order, a later one over an earlier one. The authors' hides most necklaces under the neck."""

SPLITS = ("train", "val", "test")
FIRST_VALIDATION, FIRST_TEST = 162771, 182638
"""CelebA's own partition (its file list_eval_partition.txt) by the number in ``orig_file``: 000001 to 162770 train,
162771 to 182637 validation, 182638 to 202599 test. ``orig_idx`` counts from 0 and is one less: it is not used."""
PUBLISHED_COUNTS = {"train": 24_183, "val": 2_993, "test": 2_824}
"""What that gives for the 30,000 photos; a complete mapping file is held against it."""


@dataclass(frozen=True)
class Table:
    """One annotation file: the names of its columns, and a row of texts for each photo's number."""

    columns: tuple[str, ...]
    rows: dict[int, tuple[str, ...]]


def split_of(original: int) -> str:
    """``train``, ``val`` or ``test`` for the number in ``orig_file``, counted from 1."""
    return SPLITS[(original >= FIRST_VALIDATION) + (original >= FIRST_TEST)]


def part_path(root: Path, number: int, part: str) -> Path:
    """Where the binary picture of one part is, whether it exists or not."""
    return root / PARTS / str(number // 2000) / f"{number:05d}_{part}.png"


def find_photos(root: Path) -> set[int]:
    """The numbers of all photos.

    Raises:
        UserError: ``root`` does not have the published layout.
    """
    return {int(name[:-4]) for name in _listed(root, PHOTOS) if re.fullmatch(r"(0|[1-9][0-9]{0,4})\.jpg", name)}


def find_parts(root: Path) -> tuple[dict[int, tuple[str, ...]], list[str]]:
    """The parts of every number, unordered; and the files, relative to the folder of parts, that are none.

    Raises:
        UserError: ``root`` does not have the published layout.
    """
    found: dict[int, list[str]] = {}
    strays = []
    for folder in _listed(root, PARTS):
        if not (root / PARTS / folder).is_dir():
            strays += [] if folder.startswith(".") else [folder]
            continue
        for name in _listed(root, f"{PARTS}/{folder}"):
            match = re.fullmatch(r"([0-9]{5})_(\w+)\.png", name)
            if match and match[2] in ORDERS["authors"] and str(int(match[1]) // 2000) == folder:
                found.setdefault(int(match[1]), []).append(match[2])
            elif not name.startswith(".") and name != "Thumbs.db":
                strays.append(f"{folder}/{name}")
    return {number: tuple(parts) for number, parts in found.items()}, strays


def merge_parts(parts: dict[str, Path], order: str) -> np.ndarray:
    """One label map (H, W) uint8 from binary pictures, where anything but black belongs to the part.

    Args:
        parts: the file of each part that is there; at least one.
        order: a key of :data:`ORDERS`.

    Raises:
        UserError: a part cannot be read, or is of another size than those before it; it is named.
    """
    labels: np.ndarray | None = None
    for part in ORDERS[order]:
        if part not in parts:
            continue
        mask = imaging.read_photo(parts[part])[..., 0] != 0
        if labels is None:
            labels = np.zeros(mask.shape, np.uint8)
        if mask.shape != labels.shape:
            sizes = " x ".join(map(str, mask.shape[::-1])), " x ".join(map(str, labels.shape[::-1]))
            raise UserError(f"'{parts[part].name}' is {sizes[0]} px and the parts before it {sizes[1]} px.")
        labels[mask] = BY_NAME[part].id
    if labels is None:
        raise ValueError("there is no part to merge")
    return labels


def read_splits(root: Path) -> dict[int, str]:
    """The split of every photo's number, by the mapping file.

    Raises:
        UserError: the file is missing or damaged, or complete but not the published one.
    """
    path = root / MAPPING
    if not path.is_file():
        raise UserError(f"{root} has no {MAPPING}, which tells the split; get it, or give --no-split.")
    splits = {}
    for line, words in _lines(path):
        if words[0] == "idx":
            continue
        match = re.fullmatch(r"([0-9]{1,6})\.jpg", words[2]) if len(words) == 3 and words[0].isdecimal() else None
        if not match:
            raise UserError(
                f"{MAPPING}, line {line}: wanted idx, orig_idx and orig_file, not '{' '.join(words)[:60]}'."
            )
        splits[int(words[0])] = split_of(int(match[1]))
    counts = {name: sum(split == name for split in splits.values()) for name in SPLITS}
    if len(splits) == sum(PUBLISHED_COUNTS.values()) and counts != PUBLISHED_COUNTS:
        raise UserError(
            f"{MAPPING} splits {_counted(counts)}, and the published one {_counted(PUBLISHED_COUNTS)}; "
            "get the original file."
        )
    return splits


def read_attributes(root: Path) -> Table | None:
    """The attributes, -1 or 1, under the names of the file's own header; None where there is no file.

    Raises:
        UserError: the file is damaged; the line is named.
    """
    return _read_table(root / ATTRIBUTES, None, re.compile(r"-?1"))


def read_poses(root: Path) -> Table | None:
    """Yaw, pitch and roll (the file's header calls it "Raw") in degrees; None where there is no file.

    Raises:
        UserError: the file is damaged; the line is named.
    """
    return _read_table(root / POSES, ("yaw", "pitch", "roll"), re.compile(r"[-+]?[0-9.]+([eE][-+]?[0-9]+)?"))


def _read_table(path: Path, columns: tuple[str, ...] | None, value: re.Pattern) -> Table | None:
    """A file of lines ``N.jpg value value ...`` after a header, which names the columns where ``columns`` is None."""
    if not path.is_file():
        return None
    rows: dict[int, tuple[str, ...]] = {}
    for line, words in _lines(path):
        match = re.fullmatch(r"([0-9]{1,5})\.jpg", words[0])
        if not match and not rows:
            # The count of photos, then the names.
            if columns is None and len(words) > 1:
                columns = tuple(words)
            continue
        if not match or len(words) - 1 != len(columns or ()) or not all(map(value.fullmatch, words[1:])):
            wanted = f"N.jpg and {len(columns or ())} numbers"
            raise UserError(f"{path.name}, line {line}: wanted {wanted}, not '{' '.join(words)[:60]}'.")
        rows[int(match[1])] = tuple(words[1:])
    return Table(columns or (), rows)


def _lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    """(line counted from 1, its words) of every line that is not empty."""
    try:
        text = path.read_text(encoding="utf-8-sig", errors="replace")
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}).") from error
    for line, content in enumerate(text.splitlines(), 1):
        if content.strip():
            yield line, content.split()


def _listed(root: Path, folder: str) -> list[str]:
    try:
        return sorted(os.listdir(root / folder))
    except FileNotFoundError as error:
        raise UserError(
            f"{root} has no folder {folder}/; wanted the published layout: {PHOTOS}/, {PARTS}/ and {MAPPING}."
        ) from error
    except OSError as error:
        raise UserError(f"{root / folder} cannot be read ({error.strerror}).") from error


def _counted(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counts.items())
