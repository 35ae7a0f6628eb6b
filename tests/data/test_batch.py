"""How a step sees its photos and label maps."""

import pytest
import torch

from maskedit.data.batch import MILD, STRONG, prepare_batch
from maskedit.data.order import batch_indices
from maskedit.data.pairs import Pairs
from maskedit.labels import BY_NAME, MIRROR_PARTNERS, NUM_LABELS, mirrored
from tests.faces import draw_face


def drawn_pairs(count, side=64):
    faces = [draw_face(side, seed) for seed in range(count)]
    photos = torch.stack([torch.from_numpy(photo).permute(2, 0, 1) for photo, _ in faces])
    return Pairs(photos, torch.stack([torch.from_numpy(labels) for _, labels in faces]), list("abcdefghijkl")[:count])


@pytest.mark.parametrize("augment", [MILD, STRONG, None])
def test_a_batch_is_a_function_of_seed_and_step(augment):
    pairs = drawn_pairs(6)

    def batch(seed, step):
        indices = batch_indices(len(pairs), 4, seed=seed, step=step)
        some = pairs.photos[indices], pairs.labels[indices]
        return *prepare_batch(*some, seed=seed, step=step, augment=augment), indices

    first = batch(5, 7)
    torch.manual_seed(99)
    torch.rand(3)  # the global generator has no say
    batch(5, 8)
    assert all(a.equal(b) for a, b in zip(first, batch(5, 7), strict=True))
    assert not first[0].equal(batch(5, 8)[0])
    assert not first[0].equal(batch(6, 7)[0])


def test_mirrored_labels_agree_with_mirrored_photos():
    pairs, kinds = drawn_pairs(6), set()
    for step in range(4):
        indices = batch_indices(6, 3, seed=0, step=step)
        some = pairs.photos[indices], pairs.labels[indices]
        photos, labels = prepare_batch(*some, seed=0, step=step, augment=None)
        assert photos.dtype == torch.float32
        assert labels.dtype == torch.uint8
        for photo, ids, index in zip(photos, labels, indices, strict=True):
            own, wanted = pairs.photos[index] / 127.5 - 1, pairs.labels[index]
            if torch.allclose(photo, own, atol=1e-6):
                kinds.add("as it is")
            else:
                assert torch.allclose(photo, own.flip(2), atol=1e-6)
                wanted = torch.from_numpy(mirrored(wanted.numpy()))
                kinds.add("mirrored")
            assert ids.equal(wanted)
    assert kinds == {"as it is", "mirrored"}


def test_augmented_pairs_stay_valid_and_aligned():
    pairs = drawn_pairs(6, side=128)
    original = pairs.photos.clone(), pairs.labels.clone()
    # These photos show nothing but where hair is, a class that mirroring leaves as it is.
    shown = (pairs.labels == BY_NAME["hair"].id).to(torch.uint8).mul(255)
    photos = shown[:, None].expand(-1, 3, -1, -1).contiguous()
    moved = 0
    for step in range(6):
        images, ids = prepare_batch(photos, pairs.labels, seed=3, step=step, augment=MILD)
        assert images.shape == (6, 3, 128, 128)
        assert images.min() >= -1
        assert images.max() <= 1
        assert set(ids.unique().tolist()) <= set(range(NUM_LABELS))
        for image, labels, before in zip(images, ids, pairs.labels, strict=True):
            bright = image.mean(dim=0) > (image.mean(dim=0).min() + image.mean(dim=0).max()) / 2
            assert (bright == (labels == BY_NAME["hair"].id)).float().mean() > 0.985
            moved += not labels.equal(before) and not labels.equal(torch.from_numpy(mirrored(before.numpy())))
            for left, right in MIRROR_PARTNERS[:2]:
                columns = [(labels == id).any(dim=0).nonzero().float().mean() for id in (left, right)]
                assert columns[0] > columns[1]  # the person's left stays on the right of the picture
    assert moved == 36
    assert pairs.photos.equal(original[0])
    assert pairs.labels.equal(original[1])
