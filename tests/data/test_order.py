"""Which photos a step sees, and how often."""

from fractions import Fraction

import pytest
import torch

from maskedit.data.order import WeightedOrder, batch_indices


def test_every_photo_once_an_epoch():
    stream = torch.cat([batch_indices(10, 4, seed=1, step=step) for step in range(10)])
    epochs = stream.view(4, 10)
    assert (epochs.sort(dim=1).values == torch.arange(10)).all()
    assert not epochs[0].equal(epochs[1])


def test_batches_larger_than_an_epoch():
    assert batch_indices(3, 9, seed=0, step=0).bincount().tolist() == [3, 3, 3]


def shown(rates, *, seed=0, batch=7, steps=1):
    stream = WeightedOrder(rates, seed=seed)
    return torch.cat([stream.batch(batch, step=step) for step in range(steps)])


@pytest.mark.parametrize("batch", [1, 4, 9, 30])
def test_weights_of_one_change_nothing(batch):
    stream = WeightedOrder([Fraction(1)] * 9, seed=3)
    for step in range(20):
        assert stream.batch(batch, step=step).equal(batch_indices(9, batch, seed=3, step=step))


def test_whole_weights_show_every_epoch_alike():
    epochs = shown([1, 3, 2, 2], batch=8, steps=5).reshape(5, 8)
    assert all(epoch.bincount().tolist() == [1, 3, 2, 2] for epoch in epochs)
    assert len({tuple(epoch.tolist()) for epoch in epochs}) == 5


def test_half_as_often_is_every_second_epoch():
    # 6 photos of weight 1 and 6 of weight 1/2: epochs of 9.
    epochs = shown([1] * 6 + [Fraction(1, 2)] * 6, batch=9, steps=40).reshape(20, 2, 9)
    chosen = set()
    for two in epochs:
        assert all((epoch < 6).sum() == 6 for epoch in two)
        assert two.flatten().bincount().tolist() == [2] * 6 + [1] * 6
        chosen.add(tuple(sorted(two[0][two[0] >= 6].tolist())))
    assert len(chosen) > 5  # another half each time


@pytest.mark.parametrize("seed", [0, 5])
def test_the_share_of_each_photo_is_exact_in_the_long_run(seed):
    rates = [1] * 5 + [Fraction("0.3")] * 7 + [Fraction("2.5")] * 3 + [Fraction("0.01")] * 2
    epochs = 1000
    stream = shown(rates, seed=seed, batch=731, steps=20)
    assert len(stream) == sum(rates) * epochs
    assert stream.bincount().tolist() == [rate * epochs for rate in rates]
    # And at no time before does a photo's count stray by more than a shuffle of its epoch and one of its rate.
    for stop in range(100, len(stream), 997):
        counts = stream[:stop].bincount(minlength=len(rates))
        for count, rate in zip(counts.tolist(), rates, strict=True):
            assert count == pytest.approx(float(rate * stop / sum(rates)), abs=float(2 + rate))


def test_fewer_than_one_photo_an_epoch():
    assert shown([Fraction("0.1")] * 3, batch=4, steps=30).bincount().tolist() == [40, 40, 40]


def test_a_step_depends_on_itself_and_the_seed_alone():
    rates = [1] * 5 + [Fraction("0.3")] * 7 + [2]
    straight = shown(rates, seed=2, batch=5, steps=60).reshape(60, 5)
    stream = WeightedOrder(rates, seed=2)
    for step in (59, 0, 31, 30, 7):
        assert stream.batch(5, step=step).equal(straight[step])
        assert WeightedOrder(rates, seed=2).batch(5, step=step).equal(straight[step])
    assert not shown(rates, seed=3, batch=5, steps=60).reshape(60, 5).equal(straight)
