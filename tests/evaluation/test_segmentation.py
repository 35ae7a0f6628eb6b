"""Figures worked out by hand, and the MaskVAE's perturbed maps."""

import pytest
import torch

from maskedit import imaging
from maskedit.labels import NUM_LABELS
from maskedit.models.config import MASK_VAE_PRESETS
from maskedit.models.mask_vae import MaskVAE, inner_outer, perturbed_maps
from maskedit.models.masks import masks_figures, through
from maskedit.models.segmentation import confusion, confusion_figures, scaled_labels
from maskedit.models.tensors import one_hot
from tests.evaluation.oracles import maps


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


def test_labels_are_scaled_as_files_are():
    ids = maps(2)
    assert scaled_labels(ids, 64) is ids
    for side in (16, 40, 96):
        scaled = scaled_labels(ids, side)
        assert scaled.dtype == torch.uint8
        assert (scaled[1].numpy() == imaging.resize_labels(ids[1].numpy(), (side, side))).all()


def test_perturbed_maps_are_algorithm_1s(vae):
    ids = maps(3)
    others = ids.roll(-1, dims=0)
    with torch.inference_mode():
        codes = [vae.encode(one_hot(some))[0] for some in (ids, others)]
        wanted = [vae.decode(z).argmax(dim=1) for z in inner_outer(*codes)]
        found = perturbed_maps(vae, ids, others)
        assert all((ours == theirs).all() for ours, theirs in zip(found, wanted, strict=True))
        # Between a map and itself lies what its own code gives.
        assert all((map == through(vae, ids)).all() for map in perturbed_maps(vae, ids, ids))
        larger = perturbed_maps(vae, scaled_labels(ids, 128), scaled_labels(others, 128))
        assert all((ours == scaled_labels(theirs, 128)).all() for ours, theirs in zip(larger, found, strict=True))


def test_masks_figures_are_of_the_mean_codes(vae):
    ids = maps(3)
    figures = masks_figures(vae, ids, batch=2)
    assert figures == confusion_figures(confusion(through(vae, ids), ids))
    assert figures["accuracy"] == pytest.approx(float((through(vae, ids) == ids).double().mean()))
