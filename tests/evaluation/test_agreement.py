"""Agreement where the answer is known: a parser that reads what a generator shows."""

import pytest
import torch

from maskedit.evaluation.agreement import agreement_figures
from maskedit.measures.segmentation import confusion, confusion_figures
from maskedit.models.config import MASK_VAE_PRESETS
from maskedit.models.mask_vae import MaskVAE, perturbed_maps
from tests.oracles import PerfectGenerator, PerfectParser, StubbornGenerator, pairs


@pytest.fixture(scope="module")
def vae():
    torch.manual_seed(0)
    return MaskVAE(MASK_VAE_PRESETS["tiny"]).eval()


@pytest.mark.parametrize("batch", [2, 4, 8])
def test_renders_that_show_what_was_asked_for_agree_wholly(vae, batch):
    rows = agreement_figures(PerfectGenerator(), PerfectParser(), vae, pairs(5), None, batch=batch)
    assert list(rows) == ["photos", "own", "another's", "perturbed"]
    assert rows["own"].pop("psnr") == pytest.approx(100)
    assert rows["own"].pop("ssim") == pytest.approx(1)
    for figures in rows.values():
        assert set(figures.values()) == {1.0}


def test_renders_that_ignore_what_was_asked_for_agree_with_their_own_map_alone(vae):
    faces = pairs(5)
    rows = agreement_figures(StubbornGenerator(), PerfectParser(), vae, faces, None, batch=2)
    assert rows["photos"]["mean_f1"] == rows["own"]["mean_f1"] == 1
    others = faces.labels.roll(-1, dims=0)
    assert others[4].equal(faces.labels[0])  # the last one wraps around
    assert rows["another's"] == confusion_figures(confusion(faces.labels, others))
    assert rows["another's"]["accuracy"] < 1
    with torch.inference_mode():
        inner, outer = perturbed_maps(vae, faces.labels, others)
    wanted = confusion(faces.labels, inner) + confusion(faces.labels, outer)
    assert rows["perturbed"] == confusion_figures(wanted)


def test_renders_of_another_side_are_scaled_to_the_parsers(vae):
    faces = pairs(2, side=128)
    faces.labels[:] = torch.tensor([13, 1], dtype=torch.uint8)[:, None, None]  # flat: scaling may not blur edges
    faces.photos[:] = faces.labels[:, None] * 14
    rows = agreement_figures(PerfectGenerator(), PerfectParser(64), vae, faces, None)
    assert [rows[name]["accuracy"] for name in ("photos", "own", "another's")] == [1.0, 1.0, 1.0]
