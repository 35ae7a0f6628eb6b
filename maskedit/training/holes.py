"""What a completion is trained on: holes as people edit, and label maps that people might paint.

Everything is drawn from a generator that the step seeds, so that a resumed run draws what an uninterrupted one would.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor

from maskedit.document.transfer import transfer_labels
from maskedit.labels import BY_NAME
from maskedit.models.holes import grown


def _ids(*names: str) -> tuple[int, ...]:
    return tuple(BY_NAME[name].id for name in names)


FEATURES: tuple[tuple[int, ...], ...] = (
    _ids("mouth", "u_lip", "l_lip"),
    _ids("l_eye", "r_eye", "l_brow", "r_brow"),
    _ids("l_brow", "r_brow"),
    _ids("l_eye", "r_eye", "l_brow", "r_brow", "eye_g"),
    _ids("nose"),
    _ids("hair", "hat"),
    _ids("neck", "neck_l", "cloth"),
    _ids("l_ear", "r_ear", "ear_r"),
    _ids("skin", "nose"),
    _ids("background"),
)
"""Groups of ids that are hidden, or taken from another face, together."""
TAKEN: tuple[tuple[int, ...], ...] = (
    _ids("mouth", "u_lip", "l_lip"),
    _ids("hair"),
    _ids("eye_g"),
    _ids("hat"),
    _ids("l_eye", "r_eye", "l_brow", "r_brow"),
    _ids("l_brow", "r_brow"),
    _ids("ear_r", "neck_l"),
)
"""Groups that an edit without truth takes from another face."""
_HAIR, _HAT = _ids("hair"), _ids("hat")
GROWTH = (0.01, 0.05)
"""Of the side: the least and the most that a hole is grown by."""
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
        if random.random() < edited and index > 0:
            wanted[index] = _edited(own, other, random)
            hole = wanted[index] != own
            changed[index] = hole.any()
        else:
            hole = _hole(own, other, shares, random)
        if not changed[index] and hole.mean() < LEAST:
            hole = _feature(own, random)
        holes[index] = _grown(hole, random)
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
        members = FEATURES[random.integers(len(FEATURES))]
        return np.isin(own, members) != np.isin(other, members)
    if kind == "feature":
        return _feature(own, random)
    if kind == "rim":
        return _rim(np.isin(own, (*_HAIR, *_HAT)), random)
    return _strokes(own.shape[0], random)


def _feature(own: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """A whole group of labels; the first of them by chance that the map shows."""
    for index in random.permutation(len(FEATURES)):
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
    reach = [int(random.uniform(0.03, 0.15) * len(hair)) for _ in range(2)]
    outside, inside = (
        cv2.dilate(mask.astype(np.uint8), cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * r + 1, 2 * r + 1))) > 0
        for mask, r in zip((hair, ~hair), reach, strict=True)
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
        hair, ground = np.isin(own, _HAIR), np.isin(own, _ids("background", "neck", "cloth"))
        result = own.copy()
        if random.random() < 0.6:  # longer, downwards and sideways
            down, across = int(random.uniform(0.05, 0.3) * len(own)), int(random.uniform(0.0, 0.08) * len(own))
            kernel = np.zeros((2 * down + 1, 2 * across + 1), np.uint8)
            kernel[: down + 1] = 1  # what lies above grows down
            result[(cv2.dilate(hair.astype(np.uint8), kernel) > 0) & ground] = _HAIR[0]
        else:  # a fringe: lower into the face
            down = int(random.uniform(0.03, 0.12) * len(own))
            kernel = np.zeros((2 * down + 1, 3), np.uint8)
            kernel[: down + 1] = 1  # what lies above grows down
            result[(cv2.dilate(hair.astype(np.uint8), kernel) > 0) & np.isin(own, _ids("skin"))] = _HAIR[0]
        return result
    present = [members for members in TAKEN if np.isin(other, members).any() or np.isin(own, members).any()]
    members = present[random.integers(len(present))]
    return transfer_labels(own, other, members)


def _grown(hole: np.ndarray, random: np.random.Generator) -> np.ndarray:
    radius = round(random.uniform(*GROWTH) * len(hole))
    return grown(torch.from_numpy(hole)[None, None], radius)[0, 0].numpy()
