"""The losses against values worked out by hand."""

import math

import pytest
import torch

from maskedit.training.losses import adversarial_loss, feature_matching_loss


def scale(logit, *features):
    return [*(torch.full((1, 2, 3, 3), value) for value in features), torch.full((1, 1, 2, 2), logit)]


@pytest.mark.parametrize(("real", "wanted"), [(True, ((0.5 - 1) ** 2 + (3 - 1) ** 2) / 2), (False, (0.25 + 9) / 2)])
def test_least_squares(real, wanted):
    outputs = [scale(0.5, 7.0), scale(3.0, 7.0)]
    assert float(adversarial_loss(outputs, real=real, kind="lsgan")) == pytest.approx(wanted)


@pytest.mark.parametrize("real", [True, False])
def test_log_form(real):
    sign = -1 if real else 1
    wanted = sum(math.log1p(math.exp(sign * logit)) for logit in (0.5, 3.0)) / 2
    assert float(adversarial_loss([scale(0.5), scale(3.0)], real=real, kind="log")) == pytest.approx(wanted)


def test_bfloat16_logits_are_judged_in_float32():
    outputs = [[torch.full((1, 1, 2, 2), 0.5, dtype=torch.bfloat16)]]
    assert adversarial_loss(outputs, real=True, kind="lsgan").dtype == torch.float32


def test_feature_matching_sums_layers_and_averages_scales():
    fake = [scale(5.0, 1.0, 2.0), scale(5.0, 0.0, 0.0)]
    real = [scale(-5.0, 0.5, 0.0), scale(-5.0, 4.0, 1.0)]
    assert float(feature_matching_loss(fake, real)) == pytest.approx(((0.5 + 2.0) + (4.0 + 1.0)) / 2)


def test_feature_matching_teaches_the_render_only():
    fake, real = ([[torch.rand(1, 2, 3, 3, requires_grad=True), torch.zeros(1)]] for _ in range(2))
    feature_matching_loss(fake, real).backward()
    assert fake[0][0].grad is not None
    assert real[0][0].grad is None
