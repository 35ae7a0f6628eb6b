"""The photo's own texture in what an edit drew."""

import cv2
import numpy as np
import pytest

from maskedit.labels import BY_NAME
from maskedit.render.strands import DETAIL, STRANDS, STRENGTH
from maskedit.render.texture import TEXTURES, textured

SIDE = 320
HAIR, SKIN, CLOTH = (BY_NAME[name].id for name in ("hair", "skin", "cloth"))


def picture(label=HAIR, *, waves=None, seed=0):
    """A photo of one label on skin: waves that run down, or noise; its label map; and a hole in it."""
    random = np.random.default_rng(seed)
    ids = np.full((SIDE, SIDE), SKIN, np.uint8)
    ids[:, 40:280] = label
    photo = np.full((SIDE, SIDE, 3), 150, np.float32)
    if waves is None:
        detail = cv2.GaussianBlur(random.normal(0, 60, (SIDE, SIDE)), (0, 0), 1.0)
    else:
        columns, rows = np.meshgrid(np.arange(SIDE), np.arange(SIDE))
        along = columns * np.cos(waves) + rows * np.sin(waves)
        detail = 30 * np.sin(along * 2 * np.pi / 5) + random.normal(0, 2, (SIDE, SIDE))
    photo[ids == label] += detail[ids == label, None]
    hole = np.zeros((SIDE, SIDE), bool)
    hole[160:260, 100:220] = True
    return np.clip(photo, 0, 255).astype(np.uint8), ids, hole


def flat(photo, hole):
    return np.where(hole[..., None], np.uint8(150), photo)


def energy(image, mask, label=HAIR):
    """Of what is finer than the label's texture is."""
    sigma = next((texture.detail for texture in TEXTURES if label in texture.members), DETAIL) * SIDE
    fine = image.astype(np.float32) - cv2.GaussianBlur(image.astype(np.float32), (0, 0), sigma)
    return float(np.square(fine[mask]).mean())


@pytest.mark.slow
@pytest.mark.parametrize("label", [HAIR, SKIN, CLOTH])
def test_what_was_drawn_flat_is_as_rough_as_the_photo(label):
    photo, ids, hole = picture(label)
    image = textured(flat(photo, hole), photo, hole, ids, ids)
    wanted = energy(photo, (ids == label) & ~hole, label)
    assert energy(flat(photo, hole), hole, label) < 0.1 * wanted
    assert energy(image, hole, label) == pytest.approx(wanted * (STRENGTH**2 if label == HAIR else 1), rel=0.3)


def test_outside_the_hole_nothing_changes_and_the_colour_stays_inside():
    photo, ids, hole = picture()
    image = textured(flat(photo, hole), photo, hole, ids, ids)
    assert np.array_equal(image[~hole], photo[~hole])
    assert abs(float(image[hole].mean()) - 150) < 4


@pytest.mark.slow
def test_the_same_comes_every_time():
    photo, ids, hole = picture()
    drawn = flat(photo, hole)
    assert np.array_equal(textured(drawn, photo, hole, ids, ids), textured(drawn, photo, hole, ids, ids))


def test_where_the_photo_shows_no_such_label_it_stays_as_it_was_drawn():
    photo, ids, hole = picture()
    labels = np.where(hole, np.uint8(CLOTH), ids)
    drawn = flat(photo, hole)
    assert np.array_equal(textured(drawn, photo, hole, labels, ids), drawn)
    everything = np.ones_like(hole)
    assert np.array_equal(textured(drawn, photo, everything, ids, ids), drawn)


def test_detail_that_the_network_drew_is_not_doubled():
    photo, ids, hole = picture(CLOTH)
    other, _, _ = picture(CLOTH, seed=1)
    drawn = np.where(hole[..., None], other, photo)
    image = textured(drawn, photo, hole, ids, ids)
    assert energy(image, hole, CLOTH) == pytest.approx(energy(photo, (ids == CLOTH) & ~hole, CLOTH), rel=0.3)


def test_it_can_be_given_up():
    class Enough(Exception):
        pass

    def check():
        raise Enough

    photo, ids, hole = picture()
    with pytest.raises(Enough):
        textured(flat(photo, hole), photo, hole, ids, ids, check=check)


def test_no_label_has_two_textures():
    members = [label for each in (*TEXTURES, *STRANDS) for label in each.members]
    assert len(members) == len(set(members))
