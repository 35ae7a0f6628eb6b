"""Parsing: a face parser's label maps of photos never trained on, against the people's own."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from maskedit import imaging
from maskedit.labels import NUM_LABELS
from maskedit.measures.segmentation import MEASURES, confusion, confusion_figures
from maskedit.models.parser import Parser, parse
from maskedit.models.tensors import normalised, spread


def parsing_figures(
    parser: Parser,
    photos: Tensor,
    labels: Tensor,
    *,
    mirror: bool = False,
    batch: int = 4,
    measures: tuple[str, ...] = MEASURES,
    quiet: bool = False,
) -> dict[str, float]:
    """``confusion_figures`` of parsed photos (N, 3, s, s) uint8 against label maps (N, S, S) uint8, at the maps' side.

    Args:
        mirror: as in ``parse``.
        measures: as in ``confusion_figures``.
        quiet: no progress bar.
    """
    counts = torch.zeros(NUM_LABELS, NUM_LABELS, dtype=torch.long, device=labels.device)
    with tqdm(total=len(photos), desc="parsing", disable=quiet or None) as bar:
        for some, truth in zip(photos.split(batch), labels.split(batch), strict=True):
            counts += confusion(parse(parser, normalised(some), side=labels.shape[-1], mirror=mirror), truth)
            bar.update(len(some))
    return confusion_figures(counts, measures)


def parsing_sheet(
    parser: Parser, photos: Tensor, shown: Tensor, labels: Tensor, *, rows: int, mirror: bool = False
) -> np.ndarray:
    """A captioned picture (H, W, 3) uint8 RGB: photo, label map and parsed label map, of photos spread over all.

    Args:
        photos: what is parsed, (N, 3, s, s) uint8.
        shown: the same photos at the side to show, (N, 3, S, S) uint8.
        labels: their label maps (N, S, S) uint8; the logits are scaled to this side.
        mirror: as in ``parse``.
    """
    lines = []
    for index in spread(len(labels), rows):
        parsed = parse(parser, normalised(photos[index][None]), side=labels.shape[-1], mirror=mirror)[0]
        photo = shown[index].permute(1, 2, 0)
        lines.append([picture.cpu().numpy() for picture in (photo, labels[index], parsed)])
    return imaging.captioned_sheet(lines, ("photo", "label map", "parsed"))
