"""The published CelebAMask-HQ layout in small: drawn faces, one binary PNG a part, the three annotation files."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from PIL import Image

from maskedit.labels import BY_NAME, LABELS
from tests.faces import draw_face

ORIGINALS = (1, 162770, 162771, 182637, 182638, 202599)
"""The numbers in ``orig_file`` of photos 0 to 5: both ends of train, val and test."""
SPLITS = ("train", "train", "val", "val", "test", "test")
ATTRIBUTES = (*(f"Attribute_{index}" for index in range(39)), "Smiling")
SIDE = 64


def drawn(number: int) -> np.ndarray:
    """The label map (64, 64) uint8 of a photo's number, its necklace showing."""
    labels = draw_face(SIDE, number)[1]
    labels[necklace(labels)] = BY_NAME["neck_l"].id
    return labels


def necklace(labels: np.ndarray) -> np.ndarray:
    """Where the necklace lies on the neck, (64, 64) bool."""
    rows = np.nonzero((labels == BY_NAME["neck"].id).any(axis=1))[0]
    return (labels == BY_NAME["neck"].id) & (np.arange(SIDE)[:, None] == rows[len(rows) // 2])


def write_published(root: Path, count: int = 6) -> Path:
    """Write photos 0 to count - 1 at 128 px and their parts at 64 px, with all annotation files."""
    (root / "CelebA-HQ-img").mkdir(parents=True)
    (root / "CelebAMask-HQ-mask-anno" / "0").mkdir(parents=True)
    for number in range(count):
        photo = draw_face(2 * SIDE, number)[0]
        Image.fromarray(photo).save(root / "CelebA-HQ-img" / f"{number}.jpg", quality=95)
        labels = draw_face(SIDE, number)[1]
        for label in LABELS[1:]:
            mask = necklace(labels) if label.name == "neck_l" else labels == label.id
            if mask.any():
                write_part(root, number, label.name, mask)
    write_annotations(root, count)
    return root


def write_annotations(root: Path, count: int) -> None:
    """The mapping, attributes and poses of photos 0 to count - 1; numbers repeat after six."""
    originals = [ORIGINALS[number % 6] for number in range(count)]
    lines = [f"{number:<10} {original - 1:<10} {original:06d}.jpg" for number, original in enumerate(originals)]
    (root / "CelebA-HQ-to-CelebA-mapping.txt").write_text("\n".join(["idx  orig_idx  orig_file", *lines]) + "\n")
    lines = [f"{k}.jpg  " + "  ".join("1" if (k + i) % 2 else "-1" for i in range(40)) for k in range(count)]
    text = "\n".join([str(count), " ".join(ATTRIBUTES), *lines])
    (root / "CelebAMask-HQ-attribute-anno.txt").write_text(text + "\n")
    lines = [f"{k}.jpg {k + 0.5} -{k}.25 1.0e-05" for k in range(count)]
    (root / "CelebAMask-HQ-pose-anno.txt").write_text("\n".join([str(count), "Yaw Pitch Raw", *lines]) + "\n")


def write_part(root: Path, number: int, part: str, mask: np.ndarray) -> Path:
    """Write (H, W) bool as the data set has it: 0 and 255 in three channels."""
    path = root / "CelebAMask-HQ-mask-anno" / "0" / f"{number:05d}_{part}.png"
    Image.fromarray(np.repeat(mask[..., None] * np.uint8(255), 3, axis=2)).save(path)
    return path


def multiply(root: Path, count: int) -> Path:
    """Make a layout of six photos one of ``count``, by links to the first six."""
    for number in range(6, count):
        os.link(root / "CelebA-HQ-img" / f"{number % 6}.jpg", root / "CelebA-HQ-img" / f"{number}.jpg")
        parts = root / "CelebAMask-HQ-mask-anno" / "0"
        for path in parts.glob(f"{number % 6:05d}_*.png"):
            os.link(path, parts / f"{number:05d}_{path.name[6:]}")
    write_annotations(root, count)
    return root
