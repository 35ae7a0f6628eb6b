"""Which photos a step sees: shuffled epochs, in which some photos come more often than others.

All of it is a pure function of (seed, step), so that a resumed run sees what an uninterrupted one would have seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import torch
from torch import Tensor


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
