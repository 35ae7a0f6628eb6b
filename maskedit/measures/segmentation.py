"""Label maps that networks give, compared with the true ones.

All figures are read off one matrix of counts, pooled over the pixels of all photos, so that they do not depend on how
photos are batched.
"""

from __future__ import annotations

import torch
from torch import Tensor

from maskedit.labels import LABELS, NUM_LABELS

MEASURES = ("f1", "iou")
"""Of a class: F1 = 2 TP / (2 TP + FP + FN), and intersection over union = TP / (TP + FP + FN)."""


def confusion(found: Tensor, truth: Tensor) -> Tensor:
    """Counts (19, 19) int64 of pixels, truth down and found across, of two integer tensors of ids of one shape."""
    pairs_of_ids = truth.long() * NUM_LABELS + found.long()
    return torch.bincount(pairs_of_ids.flatten(), minlength=NUM_LABELS**2).view(NUM_LABELS, NUM_LABELS)


def confusion_figures(counts: Tensor, measures: tuple[str, ...] = MEASURES) -> dict[str, float]:
    """What a matrix of ``confusion``, or a sum of them, says; a class neither there nor found counts as right.

    Args:
        measures: any of ``MEASURES``.

    Returns:
        ``accuracy`` over the pixels; for every measure ``mean_MEASURE`` over the classes and, after all means, its
        value for each class, ``MEASURE_NAME``. All in [0, 1].
    """
    counts = counts.cpu().double()
    hits = counts.diagonal()
    both = counts.sum(dim=0) + counts.sum(dim=1)  # 2 TP + FP + FN
    of_class = {"f1": 2 * hits / both, "iou": hits / (both - hits)}
    values = {name: torch.where(both > 0, of_class[name], 1.0) for name in measures}
    figures = {"accuracy": float(hits.sum() / counts.sum())}
    figures |= {f"mean_{name}": float(value.mean()) for name, value in values.items()}
    return figures | {
        f"{name}_{label.name}": float(value[label.id]) for name, value in values.items() for label in LABELS
    }
