"""Figures worked out by hand, and those of a MaskVAE."""

import pytest
import torch

from maskedit.labels import NUM_LABELS
from maskedit.measures.masks import masks_figures, through
from maskedit.measures.segmentation import confusion, confusion_figures
from maskedit.models.config import MASK_VAE_PRESETS
from maskedit.models.mask_vae import MaskVAE
from tests.oracles import maps


@pytest.fixture(scope="module")
def vae():
    torch.manual_seed(0)
    return MaskVAE(MASK_VAE_PRESETS["tiny"]).eval()


def test_counts_and_figures_by_hand():
    truth = torch.tensor([[0, 0, 0, 0, 1, 1]], dtype=torch.uint8)
    found = torch.tensor([[0, 0, 0, 1, 1, 2]])
    counts = confusion(found, truth)
    assert counts[:3, :3].tolist() == [[3, 1, 0], [0, 1, 1], [0, 0, 0]]
    assert int(counts.sum()) == 6
    figures = confusion_figures(counts)
    assert figures["accuracy"] == pytest.approx(4 / 6)
    assert figures["f1_background"] == pytest.approx(6 / 7)
    assert figures["iou_background"] == pytest.approx(3 / 4)
    assert figures["f1_skin"] == pytest.approx(2 / 4)
    assert figures["iou_skin"] == pytest.approx(1 / 3)
    assert figures["f1_nose"] == figures["iou_nose"] == 0  # found, and not there
    assert figures["f1_hat"] == figures["iou_hat"] == 1  # neither
    assert figures["mean_f1"] == pytest.approx((6 / 7 + 1 / 2 + 0 + 16) / 19)
    assert figures["mean_iou"] == pytest.approx((3 / 4 + 1 / 3 + 0 + 16) / 19)
    assert len(figures) == 3 + 2 * NUM_LABELS
    assert set(confusion_figures(counts, ("iou",))) == {name for name in figures if "f1" not in name}


def test_masks_figures_are_of_the_mean_codes(vae):
    ids = maps(3)
    figures = masks_figures(vae, ids, batch=2)
    assert figures == confusion_figures(confusion(through(vae, ids), ids))
    assert figures["accuracy"] == pytest.approx(float((through(vae, ids) == ids).double().mean()))
