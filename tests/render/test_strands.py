"""Strands of hair in what an edit drew."""

import numpy as np

from maskedit.render.texture import textured
from tests.render.test_texture import HAIR, SKIN, flat, picture


def runs(image, part):
    """How much a picture changes down its columns, and across its rows."""
    image = image.astype(np.float32)
    return (float(np.abs(np.diff(image, axis=axis))[part].mean()) for axis in (0, 1))


def test_strands_go_on_as_they_run():
    photo, ids, hole = picture(waves=0.0)
    down, across = runs(textured(flat(photo, hole), photo, hole, ids, ids), np.s_[162:258, 102:218])
    assert across > 2 * down


def test_strands_far_from_any_hang_down():
    """The photo shows hair that runs across, and new hair is drawn far below it."""
    photo, ids, _ = picture(waves=np.pi / 2)
    ids[120:], photo[120:] = SKIN, 150
    labels = ids.copy()
    labels[220:310, 60:260] = HAIR
    hole = labels != ids
    down, across = runs(textured(flat(photo, hole), photo, hole, labels, ids), np.s_[225:305, 70:250])
    assert across > 1.3 * down


def test_strands_have_the_tint_of_the_photos_own():
    photo, ids, hole = picture(waves=0.0)
    red = (photo.astype(np.float32) - 150) * np.array([1.0, 0.3, 0.3]) + 150
    red = np.clip(red, 0, 255).astype(np.uint8)
    drawn = textured(flat(photo, hole), red, hole, ids, ids).astype(np.float32)[hole]
    spread = drawn.std(axis=0)
    assert 0.2 < spread[1] / spread[0] < 0.45


def test_strands_reach_beyond_their_edge_and_leave_gaps_inside():
    photo, ids, _ = picture(waves=0.0)
    labels, hole = ids.copy(), np.zeros_like(ids, bool)
    ids[:, 140:280] = labels[:, 140:280] = SKIN
    photo[:, 140:] = (220, 180, 160)
    labels[100:220, 180:240] = HAIR
    hole[90:230, 170:250] = True
    drawn = np.where((labels == HAIR)[..., None] & hole[..., None], np.uint8(60), photo)
    image = textured(drawn, photo, hole, labels, ids)
    dark = image[..., 0] < 140
    assert np.array_equal(image[~hole], photo[~hole])
    rim = (labels != HAIR) & hole
    assert 0 < dark[rim].mean() < 0.3
    assert dark[110:210, 190:230].mean() > 0.99
