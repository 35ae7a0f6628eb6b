"""Which photos a step sees, and how it sees them: mirrored, moved, recoloured, on the device.

All of it is a pure function of (seed, step), so that a resumed run sees what an uninterrupted one would have seen.
The photos come from ``maskedit.training.source``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import torch
import torch.nn.functional as F
from torch import Tensor

from maskedit.labels import MIRROR
from maskedit.models.tensors import normalised


def batch_indices(count: int, batch: int, *, seed: int, step: int) -> Tensor:
    """Which photos step ``step`` sees: consecutive slices of one endless stream of shuffled epochs."""
    return _shuffled(count, step * batch, (step + 1) * batch, seed=seed * 1_000_003)


def _shuffled(count: int, first: int, last: int, *, seed: int) -> Tensor:
    """Positions ``first`` to before ``last`` of an endless stream: 0..count-1 in one order after the other, int64."""
    if first == last:
        return torch.zeros(0, dtype=torch.long)
    epochs = range(first // count, (last - 1) // count + 1)
    orders = torch.cat([_order(count, seed + epoch) for epoch in epochs])
    return orders[first - epochs.start * count : last - epochs.start * count]


def _order(count: int, seed: int) -> Tensor:
    return torch.randperm(count, generator=torch.Generator().manual_seed(seed))


class WeightedOrder:
    """Which photos a step sees when some are shown more often than others: a stream of shuffled epochs.

    An epoch shows a photo of rate 2.5 two or three times. Whose turn the third is, says a stream of its own, in which
    the photos of one rate come in one shuffled order after the other: in two epochs each of them has been shown five
    times, whatever the seed. With whole rates all epochs hold the same photos, and with rates of 1 the stream is that
    of `batch_indices`.

    Args:
        rates: how often an epoch shows each photo, more than 0.
        seed: of the run.
    """

    def __init__(self, rates: Sequence[Fraction | int], *, seed: int):
        self.seed = seed
        rates = [Fraction(rate) for rate in rates]
        self.whole = torch.arange(len(rates)).repeat_interleave(torch.tensor([int(rate) for rate in rates]))
        """(n,) int64: what every epoch holds."""
        members: dict[Fraction, list[int]] = {}
        for index, rate in enumerate(rates):
            members.setdefault(rate, []).append(index)
        self.parts = [(torch.tensor(own), rate % 1) for rate, own in sorted(members.items()) if rate % 1]
        """The photos (n,) int64 of each rate that is not whole, and what it has beyond the whole."""
        self.length = sum(rates)
        """Photos an epoch, on average."""
        self._epochs: dict[int, Tensor] = {}

    def batch(self, size: int, *, step: int) -> Tensor:
        """(size,) int64: the photos of step ``step``, a function of it and of the seed alone."""
        first, last = step * size, (step + 1) * size
        # Rounding can only make the epochs before this one shorter than the average.
        epoch = int(first / self.length)
        found: list[Tensor] = []
        while (start := self._start(epoch)) < last:
            if self._start(epoch + 1) > first:
                found.append(self._epoch(epoch)[max(0, first - start) : last - start])
            epoch += 1
        return torch.cat(found)

    def _start(self, epoch: int) -> int:
        """How many photos were shown before an epoch."""
        return epoch * len(self.whole) + sum(self._turns(own, part, epoch) for own, part in self.parts)

    @staticmethod
    def _turns(own: Tensor, part: Fraction, epoch: int) -> int:
        """How many photos of one rate were shown before an epoch beyond the whole part of the rate."""
        return int(epoch * len(own) * part)

    def _epoch(self, epoch: int) -> Tensor:
        """The photos of an epoch (n,) int64, in their order."""
        if epoch not in self._epochs:
            shown = [self.whole]
            for number, (own, part) in enumerate(self.parts, start=1):
                turns = self._turns(own, part, epoch), self._turns(own, part, epoch + 1)
                shown.append(own[_shuffled(len(own), *turns, seed=self.seed * 1_000_003 + number * 15_485_863)])
            photos = torch.cat(shown)
            photos = photos[_order(len(photos), self.seed * 1_000_003 + epoch)]
            self._epochs = {epoch: photos, **dict(list(self._epochs.items())[:1])}  # a batch may lie in two of them
        return self._epochs[epoch]


def repeats(counts: Tensor, below: float) -> Tensor:
    """How often an epoch shows each photo (N,) int64: those with rare classes more often.

    The repeat factors of Gupta et al. (LVIS, 2019), sqrt(share wanted / share had) of a photo's rarest class.

    Args:
        counts: (N, 19) int64, pixels of each class in each label map.
        below: the share of photos that a class should be seen in; 0 repeats nothing.
    """
    present = counts > 0
    share = present.double().mean(dim=0).clamp_min(1 / len(counts))
    factors = (below / share).sqrt().clamp_min(1.0)
    return (present * factors).amax(dim=1).round().long()


@dataclass(frozen=True)
class Augmentation:
    """How far a photo and its label map are changed together, and the photo's colours with them; (low, high) each."""

    scale: tuple[float, float]
    degrees: float
    shift: float
    """Of the side."""
    saturation: tuple[float, float]
    gain: tuple[float, float]
    offset: float
    """Of the range [-1, 1], for all channels alike."""
    tint: float
    """Gain and offset of single channels."""
    noise: float = 0.0
    """Highest standard deviation of pixel noise."""
    blur: float = 0.0
    """Share of photos that are blurred, as small photos enlarged are."""
    grey: float = 0.0
    """Share of photos without colour."""


MILD = Augmentation((0.95, 1.15), 6, 0.04, (0.8, 1.2), (0.88, 1.12), 0.08, 0.05)
"""For generators: the style code has to carry what changes, and faces stay where aligned faces are."""
STRONG = Augmentation((0.75, 1.5), 25, 0.12, (0.3, 1.6), (0.6, 1.4), 0.25, 0.12, noise=0.06, blur=0.3, grey=0.1)
"""For parsers: any light, any camera, faces found a little askew."""


def prepare_batch(
    photos: Tensor,
    labels: Tensor,
    *,
    seed: int,
    step: int,
    augment: Augmentation | None,
    count: int | None = None,
    part: slice = slice(None),
) -> tuple[Tensor, Tensor]:
    """(photos (n, 3, S, S) float in [-1, 1], label ids (n, S, S) uint8) of a step, mirrored and augmented.

    Half of the photos are mirrored, their left and right classes exchanged.

    Args:
        photos: (n, 3, S, S) uint8.
        labels: (n, S, S) uint8 ids.
        count: photos in the whole batch of the step, over all processes and micro-batches; n when None.
        part: which of them these are; what happens to each does not depend on how a batch is shared.
    """
    device = photos.device
    count = len(photos) if count is None else count
    photos = normalised(photos)
    random = torch.Generator().manual_seed(seed * 7_368_787 + step * 2 + 1)

    def uniform(low: float, high: float, *shape: int) -> Tensor:
        return (torch.rand(count, *shape, generator=random) * (high - low) + low)[part].to(device)

    flip = uniform(0, 1) < 0.5
    if augment is None:
        photos = torch.where(flip[:, None, None, None], photos.flip(3), photos)
        labels = torch.where(flip[:, None, None], labels.flip(2), labels)
    else:
        photos, labels = _move(photos, labels, flip, augment, uniform)
        photos = _recolour(photos, augment, uniform)
        if augment.noise:
            source = torch.Generator(device).manual_seed(int(torch.randint(2**31, (), generator=random)))
            noise = torch.randn(count, *photos.shape[1:], generator=source, device=device)[part]
            photos = (photos + noise * uniform(0, augment.noise, 1, 1, 1)).clamp_(-1, 1)
    mirror = torch.from_numpy(MIRROR.copy()).to(device)
    return photos, torch.where(flip[:, None, None], mirror[labels.long()], labels)


def _move(photos: Tensor, labels: Tensor, flip: Tensor, how: Augmentation, uniform) -> tuple[Tensor, Tensor]:
    """Scale, turn, shift and mirror both by one transform; labels by nearest neighbour."""
    scale, angle = 1 / uniform(*how.scale), torch.deg2rad(uniform(-how.degrees, how.degrees))
    shift = uniform(-2 * how.shift, 2 * how.shift, 2)
    sign = torch.where(flip, -1.0, 1.0)
    rows = torch.stack(
        [
            torch.stack([sign * scale * angle.cos(), -scale * angle.sin(), shift[:, 0]], dim=1),
            torch.stack([sign * scale * angle.sin(), scale * angle.cos(), shift[:, 1]], dim=1),
        ],
        dim=1,
    )
    grid = F.affine_grid(rows, list(photos.shape), align_corners=False)
    photos = F.grid_sample(photos, grid, mode="bilinear", padding_mode="reflection", align_corners=False)
    maps = labels[:, None].float()
    maps = F.grid_sample(maps, grid, mode="nearest", padding_mode="reflection", align_corners=False)
    return photos, maps[:, 0].round().to(torch.uint8)


def _recolour(photos: Tensor, how: Augmentation, uniform) -> Tensor:
    """Change light, contrast, saturation and tint; for parsers also sharpness."""
    grey = photos.mean(dim=1, keepdim=True)
    saturation = uniform(*how.saturation, 1, 1, 1)
    if how.grey:
        saturation = torch.where(uniform(0, 1, 1, 1, 1) < how.grey, 0.0, saturation)
    gain = uniform(*how.gain, 1, 1, 1) * uniform(1 - how.tint, 1 + how.tint, 3, 1, 1)
    offset = uniform(-how.offset, how.offset, 1, 1, 1) + uniform(-how.tint / 2, how.tint / 2, 3, 1, 1)
    photos = (grey + (photos - grey) * saturation) * gain + offset
    if how.blur:
        side = photos.shape[-1]
        small = F.interpolate(photos, size=max(16, side // 3), mode="bilinear", antialias=True, align_corners=False)
        soft = F.interpolate(small, size=side, mode="bilinear", align_corners=False)
        photos = torch.where(uniform(0, 1, 1, 1, 1) < how.blur, soft, photos)
    return photos.clamp(-1, 1)
