"""What an edit changed, redrawn in the photo."""

import cv2
import numpy as np
import pytest
import torch

from maskedit.labels import BY_NAME
from maskedit.models.config import DmnConfig
from maskedit.models.context import ContextNetwork
from maskedit.models.holes import edit_hole
from maskedit.models.tensors import photo_to_tensor, tensor_to_photo
from maskedit.models.views import complete_photo
from maskedit.render import completion
from maskedit.render.completion import RIM, Completer, laid_in
from maskedit.render.compositing import blended
from maskedit.render.modes import Cancelled
from tests.faces import draw_face

SIDE = 128


@pytest.fixture(scope="module")
def completer():
    torch.manual_seed(0)
    config = DmnConfig(width=4, size=64, variant="maskgan-context", views="zoomed")
    network = ContextNetwork(config).eval().requires_grad_(False)
    completer = Completer(network, device=torch.device("cpu"), precision=torch.float32)
    completer.set_target(*draw_face(SIDE, 0))
    return completer


def edited():
    photo, ids = draw_face(SIDE, 0)
    labels = ids.copy()
    labels[ids == BY_NAME["hair"].id] = BY_NAME["hat"].id
    return photo, ids, labels


def test_the_photos_own_labels_give_the_photo(completer):
    photo, ids, _ = edited()
    composite = completer.complete(ids)
    assert np.array_equal(composite.image, photo)
    assert not composite.alpha.any()


@pytest.mark.parametrize("quick", [True, False])
def test_an_edit_changes_its_hole_alone(completer, quick):
    photo, ids, labels = edited()
    composite = completer.complete(labels, quick=quick)
    hole = edit_hole(*(torch.from_numpy(each)[None] for each in (ids, labels)))[0, 0].numpy() > 0
    assert np.array_equal(composite.alpha > 0, hole)
    assert np.array_equal(composite.image[~hole], photo[~hole])
    assert not np.array_equal(composite.image[hole], photo[hole])
    assert composite.changed_outside == 0


def test_what_is_drawn_at_rest_has_the_photos_grain(completer, monkeypatch):
    """A network draws none; and while the brush moves, nobody sees it."""
    _, ids, labels = edited()
    noise = np.random.default_rng(0).normal(120, 7, (*ids.shape, 3))
    photo = np.rint(noise).astype(np.uint8)
    completer.set_target(photo, ids)

    def flat(ids, hole, quick):
        return np.where(hole[0, 0].numpy()[..., None] > 0, np.uint8(120), photo)

    monkeypatch.setattr(completer, "_redrawn", flat)
    for quick, grain in ((True, 0), (False, photo.std())):
        composite = completer.complete(labels, quick=quick)
        assert composite.image[composite.alpha == 1].std() == pytest.approx(grain, rel=0.15)
        assert composite.changed_outside == 0
    completer.set_target(*draw_face(SIDE, 0))


def painted(left, top, side=12):
    """The photo's labels with a small square of hat."""
    labels = draw_face(SIDE, 0)[1].copy()
    labels[top : top + side, left : left + side] = BY_NAME["hat"].id
    return labels


def test_it_draws_what_the_photo_completed_as_a_whole_shows(completer):
    photo, ids, _ = edited()
    labels = painted(30, 40)
    before, after = (torch.from_numpy(each)[None] for each in (ids, labels))
    hole = edit_hole(before, after)
    whole = complete_photo(completer._network, photo_to_tensor(photo), before, after, hole)
    wanted = laid_in(photo, tensor_to_photo(whole[0]), hole[0, 0].numpy() > 0)
    drawn = completer.complete(labels)  # exactly: its texture is the next step
    assert np.array_equal(drawn.alpha, wanted.alpha)
    quick = completer.complete(labels, quick=True)
    assert np.array_equal(quick.image, wanted.image)
    assert np.array_equal(quick.replacement, wanted.replacement)


def test_a_style_code_is_computed_once_for_what_is_looked_at(completer, monkeypatch):
    computed, style_of = [], completion.style_of
    monkeypatch.setattr(completion, "style_of", lambda *given: computed.append(1) or style_of(*given))
    completer.set_target(*draw_face(SIDE, 0))
    for _ in range(2):
        completer.complete(painted(40, 40))
        completer.complete(painted(40, 40), quick=True)
    assert len(computed) == 1
    completer.complete(painted(44, 40), quick=True)  # the view has moved a little
    assert len(computed) == 1
    exact = completer.complete(painted(44, 40))
    assert len(computed) == 2
    completer.complete(painted(90, 90), quick=True)
    assert len(computed) == 3
    completer.set_target(*draw_face(SIDE, 0))
    assert np.array_equal(completer.complete(painted(44, 40)).image, exact.image)
    assert len(computed) == 4


def test_something_else_may_draw(completer):
    def draw(ids, style, photo, hole, regions):
        assert ids.shape == hole[:, 0].shape == photo[:, 0].shape == (1, 64, 64)
        assert style.shape == (1, completer._network.config.style_values)
        assert regions.shape[0] == 1
        return torch.ones(1, 3, 64, 64)

    other = Completer(completer._network, device=torch.device("cpu"), precision=torch.float32, draw=draw)
    other.set_target(*draw_face(SIDE, 0))
    labels = painted(40, 40)
    assert not np.array_equal(other.complete(labels).image, completer.complete(labels).image)


def test_it_can_be_given_up(completer):
    _, _, labels = edited()
    with pytest.raises(Cancelled):
        completer.complete(labels, cancelled=lambda: True)


def test_without_a_photo_nothing_can_be_completed():
    network = ContextNetwork(DmnConfig(width=4, size=64, variant="maskgan-context"))
    completer = Completer(network, device=torch.device("cpu"), precision=torch.float32)
    with pytest.raises(ValueError, match="set_target"):
        completer.complete(np.zeros((64, 64), np.uint8))


def test_the_rim_fades_inside_the_hole():
    photo = np.full((SIDE, SIDE, 3), 100, np.uint8)
    inside = np.zeros((SIDE, SIDE), bool)
    inside[40:80, 40:80] = True
    composite = laid_in(photo, np.full_like(photo, 200), inside)
    assert composite.alpha[60, 60] == 1
    assert 0 < composite.alpha[40, 60] < 1
    assert composite.alpha[39, 60] == 0
    assert composite.image[60, 60, 0] == 200
    assert np.array_equal(composite.image[~inside], photo[~inside])


@pytest.mark.parametrize("place", [(0, 0, 20, 30), (17, 40, 90, 61), (100, 3, 128, 128)])
def test_an_image_is_laid_in_around_the_hole_as_it_is_everywhere(place):
    random = np.random.default_rng(0)
    photo, image = random.integers(0, 256, (2, SIDE, SIDE, 3), np.uint8)
    left, top, right, bottom = place
    inside = np.zeros((SIDE, SIDE), bool)
    inside[top:bottom, left:right] = random.random((bottom - top, right - left)) > 0.02
    distance = cv2.distanceTransform(inside.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5) - 0.5
    alpha = np.clip(distance / max(1.0, RIM * SIDE), 0, 1).astype(np.float32)
    composite = laid_in(photo, image, inside)
    assert np.array_equal(composite.alpha, alpha)
    layer, change, fresh = image.astype(np.float32), np.zeros_like(photo, np.float32), np.ones_like(alpha)
    assert np.array_equal(
        composite.image, blended(photo, alpha=alpha, replacement=layer, residual=change, replace_mask=fresh)
    )
    assert np.array_equal(composite.replacement, layer)
