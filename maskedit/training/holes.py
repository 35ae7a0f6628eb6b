"""What a completion is trained on: holes as people edit, and label maps that people might paint.

Everything is drawn from a generator that the step seeds, so that a resumed run draws what an uninterrupted one would.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import cv2
import numpy as np
import torch
from torch import Tensor

from maskedit.document.transfer import transfer_labels
from maskedit.labels import EYEGLASSES, ids_of
from maskedit.models.holes import edit_hole, frame_hole
from maskedit.models.tensors import grown

FEATURES: tuple[tuple[int, ...], ...] = (
    ids_of("mouth", "u_lip", "l_lip"),
    ids_of("l_eye", "r_eye", "l_brow", "r_brow"),
    ids_of("l_brow", "r_brow"),
    ids_of("l_eye", "r_eye", "l_brow", "r_brow", "eye_g"),
    ids_of("nose"),
    ids_of("hair", "hat"),
    ids_of("neck", "neck_l", "cloth"),
    ids_of("l_ear", "r_ear", "ear_r"),
    ids_of("skin", "nose"),
    ids_of("background"),
)
"""Groups of ids that are hidden, or taken from another face, together."""
FEATURE_ODDS = (0.25, 0.12, 0.06, 0.08, 0.08, 0.15, 0.08, 0.06, 0.06, 0.06)
"""How often each of them is: people try a smile first."""
TAKEN: tuple[tuple[int, ...], ...] = (
    ids_of("mouth", "u_lip", "l_lip"),
    ids_of("hair"),
    ids_of("eye_g"),
    ids_of("hat"),
    ids_of("l_eye", "r_eye", "l_brow", "r_brow"),
    ids_of("l_brow", "r_brow"),
    ids_of("ear_r", "neck_l"),
)
"""Groups that an edit without truth takes from another face."""
_HAIR, _HAT = ids_of("hair"), ids_of("hat")
GROWTH = (0.01, 0.05)
"""Of the side: the least and the most that a hole is grown by; around what is put on, half as much."""
LEAST = 0.003
"""Of the square: a smaller hole teaches nothing; a whole feature is hidden instead."""


@dataclass(frozen=True)
class Shares:
    """How often each kind of hole comes; what is left is strokes of a brush. They add up to less than 1."""

    everything: float = 0.12
    another: float = 0.25
    """Where the label map differs from another face's, for a group of labels or for all."""
    feature: float = 0.33
    """A whole group of labels."""
    rim: float = 0.12
    """A band around the hair: what longer or shorter hair covers and lays bare."""

    FRAMES: ClassVar[float] = 0.4
    """Of the faces that wear glasses: how often their frame is hidden, whatever else would have been."""


@dataclass
class Task:
    """What a batch is asked for."""

    hole: Tensor
    """(N, 1, S, S) float32, 1 where the photo is hidden."""
    ids: Tensor
    """(N, S, S) uint8: what the completion shall show."""
    edited: Tensor
    """(N,) bool: those whose label map is not the photo's own, and for which there is no truth."""


def draw_task(ids: Tensor, *, edited: float, random: np.random.Generator, shares: Shares = Shares()) -> Task:
    """A hole for each label map of a batch (N, S, S) uint8, and for a share ``edited`` of them another label map.

    Each face's "another" is the one before it in the batch. The first is never edited, so that every batch holds truth.
    """
    count = len(ids)
    maps = ids.cpu().numpy()
    wanted, holes, changed = maps.copy(), np.zeros_like(maps, bool), np.zeros(count, bool)
    for index in range(count):
        own, other = maps[index], maps[index - 1]
        growth = random.uniform(*GROWTH)
        if random.random() < edited and index > 0:
            wanted[index] = _edited(own, other, random)
            before, after = (torch.from_numpy(each)[None] for each in (own, wanted[index]))
            hole = edit_hole(before, after, growth, growth / 2)[0, 0].numpy() > 0
            changed[index] = hole.any()
        if not changed[index]:
            wanted[index] = own
            hole = _hole(own, other, shares, random)
            if hole.mean() < LEAST:
                hole = _feature(own, random)
            hole = grown(torch.from_numpy(hole)[None, None], round(growth * len(own)))[0, 0].numpy()
            if np.isin(own, EYEGLASSES).mean() >= LEAST and random.random() < shares.FRAMES:
                hole = frame_hole(torch.from_numpy(own)[None], growth / 2)[0, 0].numpy() > 0
        holes[index] = hole
    device = ids.device
    return Task(
        torch.from_numpy(holes)[:, None].float().to(device),
        torch.from_numpy(wanted).to(device),
        torch.from_numpy(changed).to(device),
    )


def _hole(own: np.ndarray, other: np.ndarray, shares: Shares, random: np.random.Generator) -> np.ndarray:
    """(S, S) bool, before it is grown."""
    names, odds = zip(*vars(shares).items(), strict=True)
    kind = random.choice([*names, "strokes"], p=[*odds, 1 - sum(odds)])
    if kind == "everything":
        return np.ones(own.shape, bool)
    if kind == "another":
        if random.random() < 0.25:
            return own != other
        members = FEATURES[random.choice(len(FEATURES), p=FEATURE_ODDS)]
        return np.isin(own, members) != np.isin(other, members)
    if kind == "feature":
        return _feature(own, random)
    if kind == "rim":
        return _rim(np.isin(own, (*_HAIR, *_HAT)), random)
    return _strokes(own.shape[0], random)


def _feature(own: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """A whole group of labels; the first of them by chance that the map shows."""
    for index in random.choice(len(FEATURES), size=len(FEATURES), replace=False, p=FEATURE_ODDS):
        hole = np.isin(own, FEATURES[index])
        if hole.mean() >= LEAST:
            break
    if random.random() < 0.15:
        x, y, width, height = cv2.boundingRect(hole.astype(np.uint8))
        hole = np.zeros_like(hole)
        hole[y : y + height, x : x + width] = True
    return hole


def _rim(hair: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """A band around a mask (S, S) bool, of 3 to 15 % of the side on one side of its border or on both."""
    reach = random.uniform(0.03, 0.15, 2) * len(hair)
    outside, inside = (
        cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5) <= radius if mask.any() else mask
        for mask, radius in zip((hair, ~hair), reach, strict=True)
    )
    which = random.integers(3)
    band = (outside & ~hair) if which == 0 else (inside & hair) if which == 1 else outside & inside
    if random.random() < 0.5:  # on one side of the head only
        half = np.zeros_like(band)
        half[:, : len(band) // 2] = True
        band &= half if random.random() < 0.5 else ~half
    return band


def _strokes(side: int, random: np.random.Generator) -> np.ndarray:
    """One to four strokes of a brush of 3 to 15 % of the side, with some turns each."""
    canvas = np.zeros((side, side), np.uint8)
    for _ in range(random.integers(1, 5)):
        point, angle = random.uniform(0.1, 0.9, 2) * side, random.uniform(0, 2 * np.pi)
        points = [point]
        for _ in range(random.integers(1, 7)):
            angle += random.normal(0, 0.7)
            point = np.clip(
                point + random.uniform(0.03, 0.2) * side * np.array([np.cos(angle), np.sin(angle)]), 0, side
            )
            points.append(point)
        width = max(1, round(random.uniform(0.03, 0.15) * side))
        cv2.polylines(canvas, [np.int32(points)], False, 1, thickness=width)
    return canvas > 0


def _edited(own: np.ndarray, other: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """A label map (S, S) that somebody might paint: a group taken from another face, or longer or shorter hair."""
    if random.random() < 0.3:
        hair, ground = np.isin(own, _HAIR), np.isin(own, ids_of("background", "neck", "cloth"))
        result = own.copy()
        if random.random() < 0.6:  # longer, downwards and sideways
            down, across = random.uniform(0.05, 0.3), random.uniform(0.0, 0.08)
            result[_lower(hair, down, across) & ground] = _HAIR[0]
        else:  # a fringe: lower into the face
            result[_lower(hair, random.uniform(0.03, 0.12), 0.005) & np.isin(own, ids_of("skin"))] = _HAIR[0]
        return result
    present = [members for members in TAKEN if np.isin(other, members).any() or np.isin(own, members).any()]
    members = present[random.integers(len(present))]
    return transfer_labels(own, other, members)


def _lower(mask: np.ndarray, down: float, across: float) -> np.ndarray:
    """A mask (S, S) bool, grown by shares of the side: downwards, and to both sides."""
    rows, columns = int(down * len(mask)), int(across * len(mask))
    kernel = np.ones((rows + 1, 2 * columns + 1), np.uint8)
    return cv2.dilate(mask.astype(np.uint8), kernel, anchor=(columns, rows)) > 0
