"""Stage III: completion. The DMN learns to redraw holes in photos, seeing the photo around them.

The losses are those of stage I (MaskGAN Eq. 6-9) taken inside the hole, where each hole counts alike, however small.
As in LaMa (Suvorov et al. 2022) only patches that touch the hole count as fake. A share of the photos is asked for a
label map that is not its own; there is no truth then, and the discriminator and a face parser are the judges. Smooth
colours are held to the photo's, and in edits to those that the photo has for the same label.

With ``--view`` the network sees squares cut out of larger photos around the hole (`maskedit.models.views`): so it
learns what a mouth looks like from near.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from maskedit import imaging
from maskedit.data.order import repeats
from maskedit.data.pairs import Pairs
from maskedit.data.source import Source
from maskedit.errors import UserError
from maskedit.measures.metrics import psnr
from maskedit.models.checkpoint import load_checkpoint
from maskedit.models.colours import GROUPS, TINT, hidden_layout, label_guess
from maskedit.models.config import PRESETS, DmnConfig
from maskedit.models.context import ContextNetwork
from maskedit.models.holes import mean_inside, merge
from maskedit.models.parser import Parser
from maskedit.models.regions import STYLE, WITH_USUAL, layout_in, usual_style, with_layout
from maskedit.models.tensors import normalised, scaled_labels, spread, tensor_to_photo
from maskedit.models.views import View, random_view, regions_of, view_of
from maskedit.resources import default_weights
from maskedit.training.augmentation import DiffAugment
from maskedit.training.config import ContextOptions
from maskedit.training.dmn import DmnStage
from maskedit.training.holes import Task, draw_task
from maskedit.training.losses import Outputs, adversarial_loss, feature_matching_loss
from maskedit.training.stage import Losses

COLUMNS = ("photo", "hole", "completion", "edited labels", "hole", "edit")
_GREY = 0.0
COLOUR_CELLS = 16
"""Colours are smooth over this part of the side."""
SHARP = 0.012
"""In [-1, 1]: the least mean difference of a photo from itself without its finest detail that makes it worth looking
at from near. Of photos of 512 px one in ten differs less, of photos of 256 px that were enlarged to 512 nine in ten."""
_MOST_ENTROPY = 4.0
"""In nats: beyond it a pixel that the parser reads otherwise pulls no more; the parser may be the one that is wrong."""
UNSEEN = 0.3
"""How often a hole is filled as if the photo had never shown what it hides, as it is where an edit puts what is new."""
_VALIDATION_SEED = 91
EXAMPLES = 40
"""Training photos among which a class's usual style is chosen, of the half that shows more of it than the other."""
_LEAST = 0.001
"""Of the square: what shows less of a class is no example of it."""


class _Views(NamedTuple):
    """A batch as the discriminator sees it, augmented once for its own update and the generator's."""

    photos: Tensor
    composite: Tensor
    own: Tensor
    """One-hot labels of the photos."""
    wanted: Tensor
    """One-hot labels of the composites."""
    hole: Tensor


class ContextStage(DmnStage):
    """Generator with a context branch, and discriminator, trained in one phase."""

    name = "context"
    fewest = 2  # holes and edits come from another photo's label map
    options: ContextOptions
    generator: ContextNetwork

    def __init__(self, options: ContextOptions, device: torch.device):
        super().__init__(options, device)
        self._side = options.size or PRESETS[options.preset].size
        self._examples: dict[int, tuple[Tensor, Tensor]] = {}
        """Class -> training photos (n, 3, S, S) and their label maps (n, S, S), uint8, that show it well."""
        self.parser: Parser | None = None
        if options.parsing_weight and options.edited:
            weights = Path(options.parser) if options.parser else default_weights("parser")
            self.parser = self.place(load_checkpoint(weights, Parser)[0])

    @staticmethod
    def configuration(options: ContextOptions) -> DmnConfig:
        views = {"size": options.view, "views": "zoomed"} if options.view else {}
        return dataclasses.replace(DmnStage.configuration(options), **views)

    @property
    def size(self) -> int:
        return self._side

    @property
    def smallest(self) -> int:
        """Photos that have no more pixels than the network sees are seen whole."""
        return self.options.view or self.size

    def prepare(self, training: Source) -> Tensor:
        """Show photos with rare classes more often: glasses and hats are what people put on."""
        counts = training.counts()
        for label in WITH_USUAL:
            order = counts[:, label].argsort(descending=True, stable=True)
            showing = order[counts[order, label] >= _LEAST * self.size**2]
            chosen = showing[spread((len(showing) + 1) // 2, EXAMPLES)]
            if len(chosen):
                self._examples[label] = next(training.batches(lambda step, chosen=chosen: chosen, 0, 1))
        return repeats(counts, self.options.repeat_below)

    @torch.inference_mode()
    def finish(self, network: ContextNetwork) -> None:
        """Choose the usual styles, as this network sees them."""
        usual = torch.zeros_like(network.region_encoder.usual)
        for label, (photos, ids) in self._examples.items():
            with self.autocast():
                pairs = zip(photos.split(self.options.batch), ids.split(self.options.batch), strict=True)
                styles = [regions_of(network, normalised(some), own) for some, own in pairs]
            usual[GROUPS[label]] = usual_style(torch.cat(styles)[:, GROUPS[label], :STYLE].float(), WITH_USUAL[label])
        network.region_encoder.usual.copy_(usual)

    def initialise(self, networks: dict) -> None:
        """From a plain DMN's networks, whose context branch starts anew, or from an earlier leg's."""
        if "generator" not in networks:
            raise UserError(
                f"--init {self.options.init} holds no generator: give the run of a trained DMN, or weights."
            )
        plain = set(self.generator.state_dict()) - set(networks["generator"])
        if all(name.startswith(ContextNetwork.CONTEXT_NAMES) for name in plain):
            networks = {**networks, "generator": self.generator.state_dict() | networks["generator"]}
        super().initialise(networks)

    def backward(self, photos: Tensor, ids: Tensor, share: float) -> Losses:
        """Gradients of both networks; see `Phase`."""
        random = np.random.default_rng(int(torch.randint(2**31, ())))
        task = draw_task(ids, edited=self.options.edited, random=random)
        with self.autocast():
            regions = regions_of(self.generator, photos, ids)
        # Of every second photo that is hidden wholly nothing is known: so the plain network is trained as well.
        plain = (task.hole.amin(dim=(1, 2, 3)) == 1) & torch.from_numpy(random.random(len(photos)) < 0.5).to(ids.device)
        regions = regions * ~plain[:, None, None]
        unseen = torch.from_numpy(random.random(len(photos)) < UNSEEN).to(ids.device)[:, None, None, None]
        regions = with_layout(regions, hidden_layout(layout_in(regions), task.hole * unseen))
        photos, ids, task, regions = self._seen(photos, ids, task, regions, lambda hole: random_view(hole, random))
        own, wanted = self.one_hot(ids), self.one_hot(task.ids)
        hole = task.hole.to(photos.dtype)
        with self.autocast():
            image = self.generator.complete(wanted, self.generator.style(photos, own), photos, hole, regions)
        composite = torch.where(hole > 0, image, photos)
        losses: Losses = {}
        views = None
        if self.options.adversarial_weight:
            augment = DiffAugment(len(photos), self.device)
            images = (augment.moved(augment.colours(each)) for each in (photos, composite))
            views = _Views(*images, *(augment.moved(each) for each in (own, wanted, hole)))
        real = None if views is None else self._train_discriminator(views, losses, share)
        total = self._truth_losses(photos, image, composite, task, losses)
        if self.options.colour_weight:
            losses["colours"] = self._colour_loss(photos, composite, wanted, task, regions)
            total = total + self.options.colour_weight * losses["colours"]
        total = total + self._judged_losses(composite, task, views, real, losses)
        (total * share).backward()
        self.discriminator.requires_grad_(True)
        return {**losses, "total": total}

    def _seen(
        self, photos: Tensor, ids: Tensor, task: Task, regions: Tensor, choose: Callable[[Tensor], View]
    ) -> tuple[Tensor, Tensor, Task, Tensor]:
        """Photos (N, 3, S, S), their own ids (N, S, S), what they are asked for, and region styles (N, G, R), as the
        network is to see them."""
        size, side = self.config.size, photos.shape[-1]
        if not self.options.view:
            return photos, ids, task, regions
        whole = View(0, 0, side)
        views = [
            choose(hole[None]) if sharp else whole for hole, sharp in zip(task.hole, sharp_photos(photos), strict=True)
        ]
        seen = [
            (
                view.photo(photos[index : index + 1], size),
                view.labels(ids[index : index + 1], size),
                view.labels(task.ids[index : index + 1], size),
                view.hole(task.hole[index : index + 1], size),
                view.regions(regions[index : index + 1], side),
            )
            for index, view in enumerate(views)
        ]
        photos, ids, wanted, hole, regions = (torch.cat(each) for each in zip(*seen, strict=True))
        return photos.contiguous(memory_format=self.memory_format), ids, Task(hole, wanted, task.edited), regions

    def _train_discriminator(self, views: _Views, losses: Losses, share: float) -> Outputs:
        """Gradients of the discriminator; its outputs for the photos."""
        kind = self.options.adversarial
        with self.autocast():
            real = self.discriminator(views.own, views.photos)
            fake = self.discriminator(views.wanted, views.composite.detach())
            loss = 0.5 * (
                adversarial_loss(real, real=True, kind=kind, hole=views.hole)
                + adversarial_loss(fake, real=False, kind=kind, hole=views.hole)
            )
        (loss * share).backward()
        self.discriminator.requires_grad_(False)
        losses["discriminator"] = loss
        return real

    def _truth_losses(self, photos: Tensor, image: Tensor, composite: Tensor, task: Task, losses: Losses) -> Tensor:
        """What compares with the photo: the completion in the hole, where it is the photo's own label map that was
        asked for, and all that was drawn outside the hole."""
        options, true = self.options, ~task.edited
        outside = 1 - task.hole
        losses["l1_outside"] = mean_inside((image - photos).abs(), outside).mean()
        total = options.outside_weight * losses["l1_outside"]
        hole = task.hole[true]
        losses["l1"] = mean_inside((image[true] - photos[true]).abs(), hole).mean()
        total = total + options.l1_weight * losses["l1"]
        if self.perceptual is not None:
            with self.autocast():
                losses["perceptual"] = self.perceptual.inside(composite[true], photos[true], hole).mean()
            total = total + options.perceptual_weight * losses["perceptual"]
        return total

    @staticmethod
    def _colour_loss(photos: Tensor, composite: Tensor, wanted: Tensor, task: Task, regions: Tensor) -> Tensor:
        """L1 between smooth colours, cell by cell, in the hole: of the completion and the photo, or, in edits, of the
        completion and the guess, where the label's colour is known; scalar."""
        target, weight = photos, task.hole
        if task.edited.any():
            guess, known = label_guess(wanted, photos, task.hole, regions[..., :TINT], layout_in(regions))
            edited = task.edited[:, None, None, None]
            target, weight = torch.where(edited, guess, photos), weight * torch.where(edited, known, 1.0)
        off = F.adaptive_avg_pool2d((composite.float() - target) * weight, COLOUR_CELLS).abs().mean(dim=(1, 2, 3))
        return (off / weight.mean(dim=(1, 2, 3)).clamp_min(1e-4)).mean()

    def _judged_losses(
        self, composite: Tensor, task: Task, views: _Views | None, real: Outputs | None, losses: Losses
    ) -> Tensor:
        """What needs no truth: the discriminator's opinion of all holes, and the parser's of the edited ones."""
        options, total = self.options, composite.new_zeros(())
        if views is not None:
            true = views.hole * ~task.edited[:, None, None, None]
            with self.autocast():
                judged = self.discriminator(views.wanted, views.composite)
                losses["adversarial"] = adversarial_loss(judged, real=True, kind=options.adversarial, hole=views.hole)
                losses["features"] = feature_matching_loss(judged, real, true)
            total = total + options.adversarial_weight * losses["adversarial"]
            total = total + options.feature_weight * losses["features"]
        if self.parser is not None:
            losses["parsing"] = self._disagreement(composite, task)
            total = total + options.parsing_weight * losses["parsing"]
        return total

    def _disagreement(self, composite: Tensor, task: Task) -> Tensor:
        """Cross-entropy in the holes of edited photos between what the parser reads and what was asked for.

        The mean over all photos, of which those that are not edited count nothing; scalar.
        """
        chosen, side = task.edited, self.parser.config.size
        if not chosen.any():
            return composite.new_zeros(())
        seen = F.interpolate(composite[chosen], size=side, mode="bilinear", antialias=composite.shape[-1] > side)
        with self.autocast():
            logits = self.parser(seen)
        entropy = F.cross_entropy(logits.float(), scaled_labels(task.ids[chosen], side).long(), reduction="none")
        return mean_inside(entropy[:, None].clamp_max(_MOST_ENTROPY), task.hole[chosen]).sum() / len(composite)

    # Validation -------------------------------------------------------------------------------------------------

    @torch.inference_mode()
    def validate(self, network: ContextNetwork, pairs: Pairs) -> dict[str, float]:
        """One hole a photo, always the same: mean PSNR in dB, L1 and feature distance inside; PSNR of plain renders."""
        sums: dict[str, list[Tensor]] = {"psnr_hole": [], "l1_hole": [], "features_hole": [], "psnr": []}
        for start in range(0, len(pairs), self.options.batch):
            chosen = slice(start, start + self.options.batch)
            photos, ids = normalised(pairs.photos[chosen]), pairs.labels[chosen]
            with self.autocast():
                regions = regions_of(network, photos, ids)
            task = self._fixed(ids, start, edited=0.0)
            photos, ids, task, regions = self._seen(photos, ids, task, regions, self._closest)
            hole = task.hole
            labels = self.one_hot(ids)
            with self.autocast():
                style = network.style(photos, labels)
                image = merge(network.complete(labels, style, photos, hole, regions), photos, hole)
                plain = network.generate(labels, style)
            errors = mean_inside(((image - photos) / 2).square(), hole)
            sums["psnr_hole"].append(-10 * torch.log10(errors.clamp_min(1e-10)))
            sums["l1_hole"].append(mean_inside((image - photos).abs(), hole))
            if self.perceptual is not None:
                sums["features_hole"].append(self.perceptual.inside(image, photos, hole))
            sums["psnr"].append(psnr(plain, photos))
        return {name: float(torch.cat(values).mean()) for name, values in sums.items() if values}

    def score(self, figures: dict[str, float]) -> float:
        return figures.get("features_hole", figures["l1_hole"])

    @torch.inference_mode()
    def sheet(self, network: ContextNetwork, pairs: Pairs) -> np.ndarray:
        rows = []
        chosen = torch.tensor(spread(len(pairs), 8), device=pairs.labels.device)
        photos, ids = normalised(pairs.photos[chosen]), pairs.labels[chosen]
        with self.autocast():
            regions = regions_of(network, photos, ids)
        fixed = [self._fixed(ids, 0, edited=share) for share in (0.0, 1.0)]
        tasks = [self._seen(photos, ids, task, regions, self._closest) for task in fixed]
        for index in range(len(chosen)):
            cells = [tensor_to_photo(tasks[0][0][index])]
            for seen, own, task, styles in tasks:
                photo, hole = seen[index][None], task.hole[index][None]
                with self.autocast():
                    style = network.style(photo, self.one_hot(own[index][None]))
                with self.autocast():
                    labels = self.one_hot(task.ids[index][None])
                    image = network.complete(labels, style, photo, hole, styles[index][None])
                if task is tasks[1][2]:
                    cells.append(task.ids[index].cpu().numpy())
                cells.append(tensor_to_photo(torch.where(hole > 0, _GREY, photo)[0]))
                cells.append(tensor_to_photo(merge(image, photo, hole)[0]))
            rows.append(cells)
        return imaging.captioned_sheet(rows, COLUMNS)

    def _closest(self, hole: Tensor) -> View:
        return view_of(hole, self.config.size)

    @staticmethod
    def _fixed(ids: Tensor, start: int, *, edited: float) -> Task:
        return draw_task(ids, edited=edited, random=np.random.default_rng((_VALIDATION_SEED, start)))


def sharp_photos(photos: Tensor) -> list[bool]:
    """Of photos (N, 3, S, S) in [-1, 1], S even: which show more than they would at half their side."""
    coarse = F.interpolate(F.avg_pool2d(photos, 2), size=photos.shape[-1], mode="bilinear", align_corners=False)
    return ((photos - coarse).abs().mean(dim=(1, 2, 3)) > SHARP).tolist()
