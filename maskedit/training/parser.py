"""The face parser's stage: photos under any light -> label maps."""

from __future__ import annotations

import dataclasses

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from maskedit.data.batch import STRONG
from maskedit.data.order import repeats
from maskedit.data.pairs import Pairs
from maskedit.data.source import Source
from maskedit.labels import NUM_LABELS
from maskedit.measures.parsing import parsing_figures, parsing_sheet
from maskedit.models.config import PARSER_PRESETS
from maskedit.models.parser import build_parser
from maskedit.training.config import ParserOptions
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

    def prepare(self, training: Source) -> Tensor:
        """Weigh the classes by how rare they are, the mean pixel by one, and show photos with rare ones more often."""
        counts = training.counts()
        share = (counts.sum(dim=0).double() / counts.sum()).clamp_min(1e-5)
        weights = share**-self.options.balance
        self.weights = (weights / (weights * share).sum()).float().to(self.device)
        return repeats(counts, self.options.repeat_below)

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
        """Pixel accuracy, mean F1 and F1 of each class."""
        return parsing_figures(
            network, pairs.photos, pairs.labels, batch=self.options.batch, measures=("f1",), quiet=True
        )

    def score(self, figures: dict[str, float]) -> float:
        return -figures["mean_f1"]

    @torch.inference_mode()
    def sheet(self, network: nn.Module, pairs: Pairs) -> np.ndarray:
        return parsing_sheet(network, pairs.photos, pairs.photos, pairs.labels, rows=6)
