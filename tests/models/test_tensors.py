"""Label maps scaled as tensors."""

import torch

from maskedit import imaging
from maskedit.models.tensors import scaled_labels
from tests.oracles import maps


def test_labels_are_scaled_as_files_are():
    ids = maps(2)
    assert scaled_labels(ids, 64) is ids
    for side in (16, 40, 96):
        scaled = scaled_labels(ids, side)
        assert scaled.dtype == torch.uint8
        assert (scaled[1].numpy() == imaging.resize_labels(ids[1].numpy(), (side, side))).all()
