"""Holes in photos: how they grow, what a smooth guess puts into them, and how a completion is laid in."""

import numpy as np
import pytest
import torch

from maskedit.labels import BY_NAME, MIRROR_PARTNERS
from maskedit.models.holes import EDIT_GROWTH, GROUPS, edit_hole, grown, label_guess, label_hole, merge, spread
from maskedit.models.tensors import one_hot, photo_to_tensor
from tests.faces import draw_face

SIDE = 64


@pytest.fixture
def face():
    photo, labels = draw_face(SIDE, 1)
    return photo_to_tensor(photo), torch.from_numpy(labels)[None]


def test_a_mask_grows_by_its_radius_on_every_side():
    mask = torch.zeros(1, 1, 20, 20)
    mask[0, 0, 10, 7] = 1
    wanted = torch.zeros_like(mask)
    wanted[0, 0, 8:13, 5:10] = 1
    assert grown(mask, 2).equal(wanted)
    assert grown(mask.bool(), 2).equal(wanted.bool())
    assert grown(mask, 0).equal(mask)


def test_a_mask_grows_no_further_than_the_picture():
    mask = torch.zeros(1, 1, 8, 8)
    mask[0, 0, 0, 7] = 1
    assert int(grown(mask, 3).sum()) == 16


def test_the_hole_of_an_edit_covers_what_changed_and_its_surroundings(face):
    _, ids = face
    edited = ids.clone()
    edited[0, 30, 40] = BY_NAME["eye_g"].id
    radius = round(EDIT_GROWTH * SIDE)
    assert int(edit_hole(ids, edited).sum()) == (2 * radius + 1) ** 2
    assert not edit_hole(ids, ids).any()


def test_a_feature_is_hidden_wholly(face):
    _, ids = face
    mouth = [BY_NAME[name].id for name in ("mouth", "u_lip", "l_lip")]
    hole = label_hole(ids, mouth, 0.05)
    shown = np.isin(ids.numpy(), mouth)
    assert hole[0, 0].numpy()[shown[0]].all()
    assert 1 < float(hole.sum()) / shown.sum() < 6


def test_left_and_right_share_a_colour():
    assert all(GROUPS[left] == GROUPS[right] for left, right in MIRROR_PARTNERS)
    assert sorted(set(GROUPS)) == list(range(19 - len(MIRROR_PARTNERS)))


def test_what_is_known_everywhere_is_kept_and_gaps_are_filled_between():
    values = torch.linspace(0, 1, 32).expand(1, 1, 32, 32).contiguous()
    known = torch.ones(1, 1, 32, 32)
    whole = spread(values, known)
    assert float((whole - values).abs().max()) < 0.05
    known[..., 12:20] = 0
    filled = spread(values * known, known)
    assert float((filled - values).abs().max()) < 0.2
    assert float(filled.min()) >= 0
    assert float(filled.max()) <= 1


def test_the_guess_takes_each_labels_own_colour():
    ids = torch.zeros(1, SIDE, SIDE, dtype=torch.uint8)
    ids[:, :, SIDE // 2 :] = BY_NAME["hair"].id
    photo = torch.where(ids[:, None] > 0, -0.8, 0.6).expand(1, 3, SIDE, SIDE).contiguous()
    hole = torch.zeros(1, 1, SIDE, SIDE)
    hole[..., 16:48, 16:48] = 1
    seen = torch.where(hole > 0, 0.0, photo)
    guess, known = label_guess(one_hot(ids), seen, hole)
    assert float((guess - photo).abs().max()) < 0.02
    assert known.eq(1).all()


def test_the_guess_looks_at_nothing_inside_the_hole(face):
    photo, ids = face
    hole = label_hole(ids, [BY_NAME["hair"].id])
    one = label_guess(one_hot(ids), photo, hole)
    other = label_guess(one_hot(ids), torch.where(hole > 0, torch.rand_like(photo), photo), hole)
    assert one[0].equal(other[0])
    assert one[1].equal(other[1])


def test_a_label_that_is_nowhere_to_be_seen_is_guessed_as_the_mean(face):
    photo, ids = face
    mouth = label_hole(ids, [BY_NAME[name].id for name in ("mouth", "u_lip", "l_lip")])
    guess, known = label_guess(one_hot(ids), photo, mouth)
    lips = (ids == BY_NAME["l_lip"].id)[:, None]
    assert not known[lips].any()
    mean = (photo * (1 - mouth)).sum(dim=(2, 3)) / (1 - mouth).sum()
    assert guess[0, :, lips[0, 0]].mean(dim=1).allclose(mean[0], atol=0.02)


def test_with_nothing_to_see_the_guess_is_grey(face):
    photo, ids = face
    guess, known = label_guess(one_hot(ids), photo, torch.ones(1, 1, SIDE, SIDE))
    assert not guess.any()
    assert not known.any()


def test_a_completion_leaves_the_photo_alone_outside(face):
    photo, ids = face
    hole = label_hole(ids, [BY_NAME["nose"].id])
    merged = merge(torch.rand_like(photo), photo, hole)
    assert torch.where(hole > 0, photo, merged).equal(photo)


def test_a_wrong_colour_is_taken_off_a_completion(face):
    photo, ids = face
    photo = photo * 0.7
    hole = label_hole(ids, [BY_NAME["nose"].id])
    merged = merge(photo + 0.2, photo, hole)
    assert float((merged - photo).abs().max()) < 0.01


def test_a_completion_of_everything_is_left_as_it_is(face):
    photo, _ = face
    image = torch.rand_like(photo)
    assert merge(image, photo, torch.ones(1, 1, SIDE, SIDE)).equal(image)
