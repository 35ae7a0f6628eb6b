"""Reading pairs, mending left and right, and the batches of a step."""

from pathlib import Path

import numpy as np
import pytest
import torch

from maskedit.dataset import Pairs, find_pairs, find_split, load_pairs, mend_left_right, split
from maskedit.errors import UserError
from maskedit.labels import BY_NAME, MIRROR_PARTNERS, NUM_LABELS, mirrored
from maskedit.training.data import MILD, STRONG, batch_indices, prepare_batch
from tests.faces import draw_face
from tests.folders import write_faces, write_map

REAL = Path(__file__).parents[3] / "shared" / "celebamask-hq-mini"


def swapped(labels, *names):
    """The map with ``l_{name}`` and ``r_{name}`` exchanged."""
    table = np.arange(NUM_LABELS, dtype=np.uint8)
    for name in names:
        left, right = BY_NAME[f"l_{name}"].id, BY_NAME[f"r_{name}"].id
        table[left], table[right] = right, left
    return table[labels]


def drawn_pairs(count, side=64):
    faces = [draw_face(side, seed) for seed in range(count)]
    photos = torch.stack([torch.from_numpy(photo).permute(2, 0, 1) for photo, _ in faces])
    return Pairs(photos, torch.stack([torch.from_numpy(labels) for _, labels in faces]), list("abcdefghijkl")[:count])


# Left and right -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("names", [("eye",), ("brow",), ("ear",), ("eye", "brow"), ("eye", "brow", "ear")])
def test_swapped_sides_are_mended(names):
    _, labels = draw_face(64, 3)
    assert (swapped(labels, *names) != labels).any()
    assert np.array_equal(mend_left_right(swapped(labels, *names)), labels)


def test_a_sound_map_is_left_alone():
    _, labels = draw_face(64, 3)
    assert mend_left_right(labels) is labels
    assert np.array_equal(mend_left_right(mirrored(labels)), mirrored(labels))
    assert (mend_left_right(np.zeros((8, 8), np.uint8)) == 0).all()


def test_a_lone_part_follows_the_pairs_that_can_be_judged():
    _, labels = draw_face(64, 3)
    labels[labels == BY_NAME["l_brow"].id] = BY_NAME["skin"].id
    assert np.array_equal(mend_left_right(swapped(labels, "eye", "ear", "brow")), labels)
    # Where the others disagree among themselves nothing can be said of it, and it stays.
    assert np.array_equal(mend_left_right(swapped(labels, "eye")), labels)


# Files ----------------------------------------------------------------------------------------------------------


def test_pairs_are_sorted_by_stem(tmp_path):
    folder = write_faces(tmp_path / "faces", 0)
    for stem in ("b", "a-1", "a"):
        (folder / "images" / f"{stem}.PNG").write_bytes(b"")
        (folder / "masks" / f"{stem}.png").write_bytes(b"")
    (folder / "images" / "notes.txt").write_text("no photo")
    assert [photo.stem for photo, _ in find_pairs(folder)] == ["a", "a-1", "b"]
    assert all(photo.stem == mask.stem for photo, mask in find_pairs(folder))


def test_folders_that_hold_no_pairs(tmp_path):
    with pytest.raises(UserError, match="no folder images/"):
        find_pairs(tmp_path)
    folder = write_faces(tmp_path / "faces", 0)
    with pytest.raises(UserError, match="holds no photos"):
        find_pairs(folder)
    (folder / "images" / "alone.jpg").write_bytes(b"")
    with pytest.raises(UserError, match=r"alone\.jpg"):
        find_pairs(folder)


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


def test_the_last_are_held_out():
    assert split(list("abcde"), 2) == (["a", "b", "c"], ["d", "e"])
    for wrong in (5, 6, 0, -1):
        with pytest.raises(UserError, match=f"--validation {wrong}"):
            split(list("abcde"), wrong)


def test_a_prepared_folder_brings_its_own_split(tmp_path):
    write_faces(tmp_path / "train", 3)
    write_faces(tmp_path / "val", 5)
    training, held_out = find_split(tmp_path, 2)
    assert [photo.relative_to(tmp_path).as_posix() for photo, _ in held_out] == [
        "val/images/003.png",
        "val/images/004.png",
    ]
    assert len(training) == 3
    assert all(photo.is_relative_to(tmp_path / "train") for photo, _ in training)
    with pytest.raises(UserError, match=r"--validation 6 must lie in 1\.\.5"):
        find_split(tmp_path, 6)
    assert find_split(tmp_path / "train", 1) == split(find_pairs(tmp_path / "train"), 1)


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


# Batches --------------------------------------------------------------------------------------------------------


def test_every_photo_once_an_epoch():
    stream = torch.cat([batch_indices(10, 4, seed=1, step=step) for step in range(10)])
    epochs = stream.view(4, 10)
    assert (epochs.sort(dim=1).values == torch.arange(10)).all()
    assert not epochs[0].equal(epochs[1])


def test_batches_larger_than_an_epoch():
    assert batch_indices(3, 9, seed=0, step=0).bincount().tolist() == [3, 3, 3]


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
