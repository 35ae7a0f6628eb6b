"""Pairs read as tensors."""

from pathlib import Path

import numpy as np
import pytest
import torch

from maskedit.data.folder import find_pairs, split
from maskedit.data.pairs import load_pairs
from maskedit.errors import UserError
from maskedit.labels import MIRROR_PARTNERS, NUM_LABELS
from tests.faces import draw_face
from tests.folders import swapped, write_faces, write_map

REAL = Path(__file__).parents[3] / "shared" / "celebamask-hq-mini"


def test_pairs_are_read_and_mended(tmp_path):
    folder = write_faces(tmp_path / "faces", 2)
    photo, labels = draw_face(64, 1)
    write_map(folder / "masks" / "001.png", swapped(labels, "eye", "brow"))
    pairs = load_pairs(find_pairs(folder), 64, quiet=True)
    assert pairs.stems == ["000", "001"]
    assert len(pairs) == 2
    assert pairs.photos.dtype == pairs.labels.dtype == torch.uint8
    assert np.array_equal(pairs.photos[1].permute(1, 2, 0), photo)
    assert np.array_equal(pairs.labels[1], labels)


def test_pairs_are_resized(tmp_path):
    pairs = load_pairs(find_pairs(write_faces(tmp_path / "faces", 2)), 32, quiet=True)
    assert pairs.photos.shape == (2, 3, 32, 32)
    assert pairs.labels.shape == (2, 32, 32)
    assert set(pairs.labels.unique().tolist()) <= set(np.unique(draw_face(64, 0)[1]))


def test_a_pair_of_two_shapes_is_named(tmp_path):
    folder = write_faces(tmp_path / "faces", 2)
    write_map(folder / "masks" / "001.png", draw_face(64, 1)[1][:, :50])
    with pytest.raises(UserError, match=r"001\.png and 001\.png: .*50 x 64"):
        load_pairs(find_pairs(folder), 64, quiet=True)


@pytest.mark.skipif(not REAL.is_dir(), reason="../shared/celebamask-hq-mini is missing")
def test_twenty_real_pairs():
    paths = find_pairs(REAL)
    assert len(paths) == len({photo.stem for photo, _ in paths}) == 901
    training, held_out = split(paths, 91)
    assert len(training) == 810
    pairs = load_pairs(held_out[:20], 128, quiet=True)
    assert pairs.photos.shape == (20, 3, 128, 128)
    assert int(pairs.labels.max()) < NUM_LABELS
    assert pairs.photos.float().std() > 20
    for labels in pairs.labels.numpy():
        for left, right in MIRROR_PARTNERS:
            columns = [np.nonzero((labels == id).any(axis=0))[0] for id in (left, right)]
            assert not all(map(len, columns)) or columns[0].mean() > columns[1].mean()
