"""Holes in photos: how they grow, what a smooth guess puts into them, and how a completion is laid in."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from maskedit.labels import BY_NAME, MIRROR_PARTNERS, OVERLAYS
from maskedit.models.holes import (
    EDIT_GROWTH,
    FRAME,
    GROUPS,
    OVERLAID_GROWTH,
    box_of,
    edit_hole,
    frame_hole,
    grown,
    label_guess,
    label_hole,
    lenses,
    merge,
    spread,
)
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
    edited[0, 30, 40] = BY_NAME["cloth"].id
    radius = round(EDIT_GROWTH * SIDE)
    assert int(edit_hole(ids, edited).sum()) == (2 * radius + 1) ** 2
    assert not edit_hole(ids, ids).any()


def test_what_is_put_on_needs_less_room_than_what_is_taken_off(face):
    _, ids = face
    edited = ids.clone()
    edited[0, 30, 40] = BY_NAME["ear_r"].id
    radius = round(OVERLAID_GROWTH * SIDE)
    assert int(edit_hole(ids, edited).sum()) == (2 * radius + 1) ** 2 < int(edit_hole(edited, ids).sum())


def test_a_brow_that_grows_keeps_most_of_the_brow_there_was():
    ids = torch.full((1, 128, 128), BY_NAME["skin"].id, dtype=torch.uint8)
    ids[:, 50:60, 30:60] = BY_NAME["l_brow"].id
    thicker = ids.clone()
    thicker[:, 46:50, 30:60] = BY_NAME["l_brow"].id
    radius = round(OVERLAID_GROWTH * 128)
    assert not edit_hole(ids, thicker)[0, 0, 50 + radius : 60, 30:60].any()
    # One that is plucked leaves a trace beside it.
    assert edit_hole(thicker, ids)[0, 0, 50 + radius].any()


def test_glasses_that_are_put_on_hide_their_frame_alone():
    ids = torch.full((1, 128, 128), BY_NAME["skin"].id, dtype=torch.uint8)
    worn = ids.clone()
    worn[:, 40:80, 30:90] = BY_NAME["eye_g"].id
    hole, width = edit_hole(ids, worn), round(FRAME * 128)
    assert not hole[0, 0, 40 + width : 80 - width, 30 + width : 90 - width].any()
    frame = torch.zeros_like(hole)
    frame[..., 40:80, 30:90] = 1
    frame[..., 40 + width : 80 - width, 30 + width : 90 - width] = 0
    assert hole[frame > 0].eq(1).all()
    assert hole.equal(frame_hole(worn))
    # What was behind glasses that are taken off, nobody knows.
    assert edit_hole(worn, ids)[0, 0, 40:80, 30:90].eq(1).all()


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


def test_a_part_of_the_face_that_is_nowhere_to_be_seen_is_guessed_as_the_skin(face):
    photo, ids = face
    mouth = label_hole(ids, [BY_NAME[name].id for name in ("mouth", "u_lip", "l_lip")])
    guess, known = label_guess(one_hot(ids), photo, mouth)
    lips = (ids == BY_NAME["l_lip"].id)[:, None]
    assert not known[lips].any()
    skin = photo[0, :, ((ids == BY_NAME["skin"].id) & (mouth[:, 0] == 0))[0]].mean(dim=1)
    assert guess[0, :, lips[0, 0]].mean(dim=1).allclose(skin, atol=0.1)


def test_another_label_that_is_nowhere_to_be_seen_is_guessed_as_the_mean(face):
    photo, ids = face
    hair = label_hole(ids, [BY_NAME["hair"].id])
    guess, known = label_guess(one_hot(ids), photo, hair)
    shown = ids == BY_NAME["hair"].id
    assert not known[:, 0][shown].any()
    mean = (photo * (1 - hair)).sum(dim=(2, 3)) / (1 - hair).sum()
    assert guess[0, :, shown[0]].mean(dim=1).allclose(mean[0], atol=0.06)


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


def test_the_box_of_several_masks_holds_all_of_them():
    masks = torch.zeros(2, 1, 20, 30)
    masks[0, 0, 4:7, 10] = 1
    masks[1, 0, 12, 8:25] = 1
    assert box_of(masks) == box_of(masks > 0) == (8, 4, 25, 13)
    assert box_of(masks[:1]) == (10, 4, 11, 7)


@pytest.mark.parametrize("name", ["hair", "eye_g", "hat"])
@pytest.mark.parametrize("place", [(0, 0, 9, 9), (20, 25, 60, 40), (90, 70, 128, 96)])
def test_the_hole_is_looked_for_around_the_edit_alone(name, place):
    ids = torch.from_numpy(draw_face(128, 1)[1])[None]
    left, top, right, bottom = place
    edited = ids.clone()
    edited[:, top:bottom, left:right] = BY_NAME[name].id
    put_on, seen_through = (edited != ids)[:, None], lenses(edited)
    for maps, there in ((edited, True), (ids, False)):
        put_on = put_on & (torch.isin(maps, torch.tensor(sorted(OVERLAYS)))[:, None] == there)
    differ = (edited != ids)[:, None]
    hole = grown(differ & ~put_on, round(EDIT_GROWTH * 128))
    hole |= grown(put_on & ~seen_through, round(OVERLAID_GROWTH * 128))
    assert edit_hole(ids, edited).equal((hole & ~(seen_through & put_on)).float())


@pytest.mark.parametrize("place", [(0, 0, 9, 9), (21, 26, 147, 41), (80, 3, 160, 160)])
def test_a_guess_for_the_hole_alone_is_the_same_there(place):
    # Of 64 px, torch enlarges fields by another kernel, which rounds by how many there are.
    photo, ids = draw_face(160, 1)
    photo, labels = photo_to_tensor(photo), one_hot(ids)
    left, top, right, bottom = place
    hole = torch.zeros(1, 1, 160, 160)
    hole[..., top:bottom, left:right] = 1
    for one, other in zip(label_guess(labels, photo, hole), label_guess(labels, photo, hole, inside=True), strict=True):
        assert one.shape == other.shape
        assert torch.where(hole > 0, one, 0.0).equal(torch.where(hole > 0, other, 0.0))


@pytest.mark.parametrize("side", [64, 50])  # of the second, a quarter is no whole number
@pytest.mark.parametrize("place", [(0, 0, 9, 9), (21, 26, 47, 41), (33, 3, 50, 50)])
def test_colours_are_put_right_in_the_hole_as_they_are_everywhere(side, place):
    torch.manual_seed(0)
    photo, image = torch.rand(2, 1, 3, side, side) * 2 - 1
    left, top, right, bottom = place
    hole = torch.zeros(1, 1, side, side)
    hole[..., top:bottom, left:right] = 1
    size = (side // 4, side // 4)
    error = F.adaptive_avg_pool2d((photo - image) * (1 - hole), size)
    error = F.interpolate(spread(error, F.adaptive_avg_pool2d(1 - hole, size)), size=(side, side), mode="bilinear")
    wanted = torch.where(hole > 0, (image + error).clamp(-1, 1), photo)
    assert merge(image, photo, hole).equal(wanted)
