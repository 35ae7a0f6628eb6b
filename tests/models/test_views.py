"""The square of a photo that a completion looks at."""

import numpy as np
import pytest
import torch

from maskedit.labels import BY_NAME
from maskedit.models.config import DmnConfig
from maskedit.models.context import ContextNetwork
from maskedit.models.tensors import box_of, photo_to_tensor
from maskedit.models.views import (
    CLOSEST,
    CLOSEST_TO_TEETH,
    ROOM,
    View,
    complete_photo,
    random_view,
    view_for,
    view_of,
)
from tests.faces import draw_face

SIDE = 128


def hole(left, top, right, bottom, side=SIDE):
    mask = torch.zeros(1, 1, side, side)
    mask[..., top:bottom, left:right] = 1
    return mask


def test_the_box_of_a_hole():
    assert box_of(hole(3, 5, 40, 60)) == (3, 5, 40, 60)
    assert box_of(hole(0, 0, 0, 0)) == (0, 0, SIDE, SIDE)


@pytest.mark.parametrize(
    "box", [(0, 0, 10, 10), (60, 60, 70, 64), (118, 3, 128, 9), (10, 50, 90, 60), (0, 0, 128, 128)]
)
def test_a_view_lies_in_the_photo_and_shows_the_hole_with_room(box):
    view = view_of(hole(*box), 32)
    left, top, right, bottom = box
    assert view.left >= 0 <= view.top
    assert max(view.left, view.top) + view.side <= SIDE
    assert view.left <= left
    assert view.top <= top
    assert view.left + view.side >= right
    assert view.top + view.side >= bottom
    assert view.side >= min(SIDE, max(CLOSEST * SIDE, ROOM * max(right - left, bottom - top)))


def test_no_view_is_smaller_than_what_the_network_sees():
    assert view_of(hole(60, 60, 64, 64), 96).side == 96
    assert view_of(hole(60, 60, 64, 64), 512) == View(0, 0, SIDE)


def test_teeth_are_looked_at_from_further_away():
    mouth = hole(50, 80, 70, 90)
    ids = torch.full((1, SIDE, SIDE), BY_NAME["l_lip"].id, dtype=torch.uint8)
    zoomed = DmnConfig(width=4, size=32, variant="maskgan-context", views="zoomed")
    assert view_for(zoomed, mouth, ids).side == CLOSEST * SIDE
    ids[:, :40] = BY_NAME["mouth"].id  # not in the hole
    assert view_for(zoomed, mouth, ids).side == CLOSEST * SIDE
    ids[:, 85] = BY_NAME["mouth"].id
    assert view_for(zoomed, mouth, ids).side == CLOSEST_TO_TEETH * SIDE
    whole = DmnConfig(width=4, size=32, variant="maskgan-context")
    assert view_for(whole, mouth, ids) == View(0, 0, SIDE)


def test_random_views_show_the_hole_and_every_second_is_the_whole_photo():
    random = np.random.default_rng(0)
    views = [random_view(hole(50, 20, 80, 60), random) for _ in range(200)]
    for view in views:
        assert view.left <= 50
        assert view.top <= 20
        assert view.left + view.side >= 80
        assert view.top + view.side >= 60
        assert max(view.left, view.top) + view.side <= SIDE
    assert 60 < sum(view.side == SIDE for view in views) < 140
    assert min(view.side for view in views) < 0.6 * SIDE


def test_a_view_cuts_photo_labels_and_hole_alike():
    view = View(16, 32, 64)
    ids = torch.zeros(1, SIDE, SIDE, dtype=torch.uint8)
    ids[:, 40:80, 20:60] = 7
    photo = (ids[:, None] > 0).float().expand(1, 3, SIDE, SIDE)
    mask = (ids[:, None] > 0).float()
    for size in (32, 64, 96):
        labels, image, seen = view.labels(ids, size), view.photo(photo, size), view.hole(mask, size)
        assert labels.shape[-1] == image.shape[-1] == seen.shape[-1] == size
        shown = (labels[:, None] == 7).float()
        assert float((shown - seen).abs().mean()) < 0.04
        assert float((shown - image).abs().mean()) < 0.04


@pytest.mark.parametrize(
    ("views", "side"), [("whole", 64), ("whole", 128), ("zoomed", 128), ("zoomed", 64), ("zoomed", 48)]
)
def test_a_photo_is_completed_at_its_own_side_and_stays_outside_the_hole(views, side):
    torch.manual_seed(0)
    network = ContextNetwork(DmnConfig(width=4, size=64, variant="maskgan-context", views=views))
    photo, labels = draw_face(side, 0)
    photo, ids = photo_to_tensor(photo), torch.from_numpy(labels)[None]
    mask = hole(side // 4, side // 3, side // 2, side // 2, side)
    with torch.inference_mode():
        result = complete_photo(network.eval(), photo, ids, ids, mask)
        again = complete_photo(network, photo, ids, ids, mask)
    assert result.shape == photo.shape
    assert torch.where(mask > 0, photo, result).equal(photo)
    assert not torch.where(mask > 0, result, photo).equal(photo)
    assert result.equal(again)
