"""The face parser's stage: photos under any light -> label maps."""

from __future__ import annotations

import dataclasses

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from maskedit import imaging
from maskedit.dataset import Pairs
from maskedit.labels import LABELS, NUM_LABELS
from maskedit.models.config import PARSER_PRESETS
from maskedit.models.parser import Parser, build_parser
from maskedit.models.tensors import normalised, tensor_to_photo
from maskedit.training.config import ParserOptions
from maskedit.training.data import STRONG
from maskedit.training.losses import dice_loss
from maskedit.training.stage import Losses, Phase, Stage


class ParserStage(Stage):
    """One network, one phase: class-balanced cross-entropy and soft Dice."""

    name = "parser"
    kept = "parser"
    augmentation = STRONG
    options: ParserOptions

    def __init__(self, options: ParserOptions, device: torch.device):
        super().__init__(options, device)
        preset = PARSER_PRESETS[options.preset]
        self.config = dataclasses.replace(preset, size=options.size or preset.size)
        self.parser = self.add_network("parser", build_parser(self.config), betas=(0.9, 0.999))
        self.weights = torch.ones(NUM_LABELS, device=device)
        self.phases = (Phase(self.backward, ("parser",)),)

    @property
    def size(self) -> int:
        return self.config.size

    def prepare(self, training: Pairs) -> None:
        """Weigh the classes by how rare they are in the training maps; the mean pixel keeps a weight of one."""
        counts = torch.bincount(training.labels.flatten().long(), minlength=NUM_LABELS).double()
        share = (counts / counts.sum()).clamp_min(1e-5)
        weights = share**-self.options.balance
        self.weights = (weights / (weights * share).sum()).float().to(self.device)

    def backward(self, photos: Tensor, ids: Tensor, share: float) -> Losses:
        with self.autocast():
            logits = self.parser(photos)
        targets = ids.long()
        entropy = F.cross_entropy(logits, targets, self.weights)
        dice = dice_loss(logits, targets)
        total = entropy + self.options.dice_weight * dice
        (total * share).backward()
        return {"cross_entropy": entropy.detach(), "dice": dice.detach(), "total": total.detach()}

    def validate(self, network: nn.Module, pairs: Pairs) -> dict[str, float]:
        return parser_figures(network, pairs, batch=self.options.batch)

    def score(self, figures: dict[str, float]) -> float:
        return -figures["mean_f1"]

    @torch.inference_mode()
    def sheet(self, network: nn.Module, pairs: Pairs) -> np.ndarray:
        indices = torch.linspace(0, len(pairs) - 1, min(6, len(pairs))).round().long().tolist()
        rows = []
        for index in indices:
            photo = normalised(pairs.photos[index][None])
            parsed = network(photo).argmax(dim=1)[0].to(torch.uint8)
            rows.append([tensor_to_photo(photo[0]), pairs.labels[index].cpu().numpy(), parsed.cpu().numpy()])
        return imaging.captioned_sheet(rows, ("photo", "label map", "parsed"))


@torch.inference_mode()
def parser_figures(network: Parser, pairs: Pairs, *, batch: int) -> dict[str, float]:
    """Pixel accuracy, the mean over classes of F1 = 2 TP / (2 TP + FP + FN), and F1 of each class.

    Counts are pooled over the pixels of all photos; a class that is neither there nor parsed counts as right.
    """
    confusion = torch.zeros(NUM_LABELS, NUM_LABELS, dtype=torch.long, device=pairs.labels.device)
    for start in range(0, len(pairs), batch):
        photos = normalised(pairs.photos[start : start + batch])
        truth = pairs.labels[start : start + batch].long()
        pairs_of_ids = truth * NUM_LABELS + network(photos).argmax(dim=1)
        confusion += torch.bincount(pairs_of_ids.flatten(), minlength=NUM_LABELS**2).view(NUM_LABELS, NUM_LABELS)
    return confusion_figures(confusion)


def confusion_figures(confusion: Tensor) -> dict[str, float]:
    """(19, 19) counts, truth down and parsed across -> ``accuracy``, ``mean_f1`` and ``f1_NAME`` of each class."""
    hits = confusion.diagonal().double()
    both = confusion.sum(dim=0).double() + confusion.sum(dim=1).double()
    f1 = torch.where(both > 0, 2 * hits / both.clamp_min(1), 1.0)
    figures = {"mean_f1": float(f1.mean()), "accuracy": float(hits.sum() / confusion.sum())}
    return figures | {f"f1_{label.name}": float(f1[label.id]) for label in LABELS}
