"""Holes in photos: how they grow, what a smooth guess puts into them, and how a completion is laid in."""

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F

from maskedit.labels import BY_NAME, EYEGLASSES, OVERLAYS
from maskedit.models.colours import push_pull
from maskedit.models.holes import (
    EDIT_GROWTH,
    FRAME,
    OVERLAID_GROWTH,
    edit_hole,
    frame_hole,
    grown,
    label_hole,
    lenses,
    merge,
)
from maskedit.models.tensors import box_of, photo_to_tensor
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
    if name == "hair":  # what it does not cover stays
        put_on = differ & (ids != BY_NAME["hat"].id)[:, None]
    hole = grown(differ & ~put_on, round(EDIT_GROWTH * 128))
    hole |= grown(put_on & ~seen_through, round(OVERLAID_GROWTH * 128))
    assert edit_hole(ids, edited).equal((hole & ~(seen_through & put_on)).float())


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
    error = F.interpolate(push_pull(error, F.adaptive_avg_pool2d(1 - hole, size)), size=(side, side), mode="bilinear")
    wanted = torch.where(hole > 0, (image + error).clamp(-1, 1), photo)
    assert merge(image, photo, hole).equal(wanted)


def test_one_sees_through_lenses_but_not_through_the_bridge():
    """A bridge that was painted with a broad brush is solid; round lenses are as large as their frame leaves them."""
    side = 512
    ids = np.zeros((side, side), np.uint8)
    for x in (170, 342):
        cv2.ellipse(ids, (x, 256), (60, 44), 0, 0, 360, EYEGLASSES[0], -1)
    glasses = ids == EYEGLASSES[0]
    ids[247:265, 230:282] = EYEGLASSES[0]  # 18 px
    seen = lenses(torch.from_numpy(ids)[None])[0, 0].numpy()
    assert not seen[:, 245:267].any()
    frame = round(FRAME * side)
    inside = cv2.erode(glasses.astype(np.uint8), np.ones((2 * frame + 1, 2 * frame + 1))) > 0
    assert seen[inside].mean() > 0.98
