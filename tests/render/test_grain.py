"""The photo's grain in what was drawn: as strong, as fine and as coloured as beside it; none where there is none."""

import cv2
import numpy as np
import pytest

from maskedit.render.grain import grained
from tests.faces import draw_face

SIDE = 256


def noise(deviation, *, coloured=True, blur=0.0, seed=0, side=SIDE):
    values = np.random.default_rng(seed).normal(0, deviation, (side, side, 3 if coloured else 1)).astype(np.float32)
    if blur:
        values = cv2.GaussianBlur(values, (0, 0), blur).reshape(values.shape)
        values *= deviation / max(float(values.std()), 1e-6)
    return values


def taken(deviation, **how):
    """A photo of one colour with grain, and the same with a disc drawn smooth: edited, photo, fresh, labels."""
    plain = np.full((SIDE, SIDE, 3), (170, 120, 90), np.float32)
    photo = np.rint(np.clip(plain + noise(deviation, **how), 0, 255)).astype(np.uint8)
    fresh = cv2.circle(np.zeros((SIDE, SIDE), np.uint8), (140, 120), 70, 255, -1)
    edited = np.where(fresh[..., None] > 0, plain.astype(np.uint8), photo)
    return edited, photo, fresh, np.ones((SIDE, SIDE), np.uint8)


def fine(picture):
    """What is finer than two pixels, of grey and of each colour: (H, W, 4)."""
    fields = np.dstack([picture.mean(axis=2), picture]).astype(np.float32)
    return fields - cv2.GaussianBlur(fields, (0, 0), 2)


@pytest.mark.parametrize("coloured", [True, False])
@pytest.mark.parametrize(("deviation", "blur"), [(3, 0), (6, 0), (8, 0), (5, 0.5), (6, 0.8)])
def test_drawn_pixels_get_the_energy_of_those_beside_them(deviation, blur, coloured):
    """In grey and in every colour: chroma noise is chroma noise, and grey grain stays grey."""
    edited, photo, fresh, labels = taken(deviation, coloured=coloured, blur=blur)
    result = fine(grained(edited, photo, fresh, labels))
    ratio = np.square(result[fresh == 255]).mean(axis=0) / np.square(result[fresh == 0]).mean(axis=0)
    assert (np.abs(ratio - 1) < 0.25).all()
    assert np.square(fine(edited)[fresh == 255]).mean() < 0.2 * np.square(result[fresh == 255]).mean()
    if not coloured:
        pixels = grained(edited, photo, fresh, labels)[fresh == 255].astype(int)
        assert np.abs(np.diff(pixels - (170, 120, 90), axis=1)).max() <= 1


def test_what_is_not_drawn_stays_bit_for_bit():
    edited, photo, fresh, labels = taken(6)
    before = edited.copy()
    result = grained(edited, photo, fresh, labels)
    assert np.array_equal(result[fresh == 0], photo[fresh == 0])
    assert np.array_equal(edited, before)
    assert (result[fresh == 255] != edited[fresh == 255]).any()
    half = grained(edited, photo, fresh // 2 + fresh % 2, labels)  # 128 of 255
    more, less = (float(each[fresh == 255].std(axis=0).mean()) for each in (result, half))
    assert less == pytest.approx(more / 2, rel=0.1)


@pytest.mark.parametrize("deviation", [0, 0.25])
def test_a_photo_without_grain_gets_none(deviation):
    edited, *others = taken(deviation)
    assert np.array_equal(grained(edited, *others), edited)


def test_grain_that_is_there_already_is_not_doubled():
    edited, photo, fresh, labels = taken(6)
    once = grained(edited, photo, fresh, labels)
    twice = grained(once, photo, fresh, labels)
    assert np.square(fine(twice)[fresh == 255]).mean() < 1.1 * np.square(fine(once)[fresh == 255]).mean()


def test_the_detail_of_cloth_is_no_grain():
    """The smoothest label says what grain there is; patterns and strands of others are theirs."""
    edited, photo, fresh, labels = taken(0)
    labels[:, :100] = 18
    cloth = (labels == 18) & (fresh == 0)
    photo[cloth] = np.clip(photo[cloth] + noise(20, seed=1)[cloth], 0, 255).astype(np.uint8)
    edited[cloth] = photo[cloth]
    assert np.array_equal(grained(edited, photo, fresh, labels), edited)


def test_what_is_cut_off_says_nothing():
    """A white wall has no grain, and the face before it has."""
    edited, photo, fresh, labels = taken(6)
    wall = (slice(200, 256), slice(None))
    labels[wall], edited[wall], photo[wall] = 0, 255, 255
    result = fine(grained(edited, photo, fresh, labels))
    beside = (fresh == 0) & (np.arange(SIDE)[:, None] < 190)
    assert np.square(result[fresh == 255]).mean() == pytest.approx(np.square(result[beside]).mean(), rel=0.25)


def test_the_same_for_the_same_and_other_grain_for_another_photo():
    edited, photo, fresh, labels = taken(6)
    result = grained(edited, photo, fresh, labels)
    other = photo.copy()
    other[0, 0] ^= 64
    there = grained(edited, other, fresh, labels)
    assert np.array_equal(grained(edited, photo, fresh, labels), result)
    assert (there != result).any()


def test_no_seam_where_tiles_meet():
    side = 640
    photo = np.rint(120 + noise(6, side=side)).astype(np.uint8)
    fresh = np.zeros((side, side), np.uint8)
    fresh[300:, 200:] = 255
    edited = np.where(fresh[..., None] > 0, np.uint8(120), photo)
    result = grained(edited, photo, fresh, np.ones((side, side), np.uint8)).astype(float)
    step = np.abs(np.diff(result[320:], axis=1)).mean(axis=(0, 2))
    assert abs(step[511] - step[220:].mean()) < 4 * step[220:].std()
    assert result[320:, 520:].std() == pytest.approx(photo.std(), rel=0.1)


def test_too_little_to_measure_changes_nothing():
    photo, labels = draw_face(64, 0)
    edited, none = photo[..., ::-1].copy(), np.full((64, 64), 255, np.uint8)
    for fresh, ids in ((np.full((64, 64), 255, np.uint8), labels), (np.eye(64, dtype=np.uint8), labels), (none, none)):
        assert np.array_equal(grained(edited, photo, fresh, ids), edited)
