"""Smooth colours: tints, and what a hole may hold by them."""

import pytest
import torch

from maskedit.labels import BY_NAME, MIRROR_PARTNERS
from maskedit.models.colours import (
    GROUPS,
    LAYOUT,
    NUM_GROUPS,
    colours_of,
    grouped,
    hidden_layout,
    label_guess,
    layout_through,
    push_pull,
)
from maskedit.models.holes import label_hole
from maskedit.models.tensors import one_hot, photo_to_tensor
from tests.faces import draw_face

SIDE = 64
LIPS = [BY_NAME[name].id for name in ("u_lip", "l_lip")]


@pytest.fixture
def face():
    photo, labels = draw_face(SIDE, 1)
    return photo_to_tensor(photo), torch.from_numpy(labels)[None]


def test_left_and_right_share_a_colour():
    assert all(GROUPS[left] == GROUPS[right] for left, right in MIRROR_PARTNERS)
    assert sorted(set(GROUPS)) == list(range(19 - len(MIRROR_PARTNERS)))


def test_what_is_known_everywhere_is_kept_and_gaps_are_filled_between():
    values = torch.linspace(0, 1, 32).expand(1, 1, 32, 32).contiguous()
    known = torch.ones(1, 1, 32, 32)
    whole = push_pull(values, known)
    assert float((whole - values).abs().max()) < 0.05
    known[..., 12:20] = 0
    filled = push_pull(values * known, known)
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
    assert known.min() > 0.9


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


@pytest.mark.parametrize("place", [(0, 0, 9, 9), (21, 26, 147, 41), (80, 3, 160, 160)])
def test_a_guess_for_the_hole_alone_is_the_same_there(place):
    photo, ids = draw_face(160, 1)
    photo, labels = photo_to_tensor(photo), one_hot(ids)
    left, top, right, bottom = place
    hole = torch.zeros(1, 1, 160, 160)
    hole[..., top:bottom, left:right] = 1
    for one, other in zip(label_guess(labels, photo, hole), label_guess(labels, photo, hole, inside=True), strict=True):
        assert one.shape == other.shape
        assert torch.where(hole > 0, one, 0.0).allclose(torch.where(hole > 0, other, 0.0), rtol=0, atol=1e-6)


def test_tints_hold_the_colour_of_every_label_that_a_photo_shows():
    ids = torch.zeros(1, SIDE, SIDE, dtype=torch.uint8)
    ids[:, :, SIDE // 2 :] = BY_NAME["hair"].id
    photo = torch.where(ids[:, None] > 0, -0.8, 0.6) * torch.tensor([1, 0.5, -0.25]).view(1, 3, 1, 1)
    tints = colours_of(grouped(one_hot(ids)), photo)[0][0]
    for name, brightness in (("background", 0.6), ("hair", -0.8)):
        wanted = brightness * torch.tensor([1, 0.5, -0.25])
        assert tints[GROUPS[BY_NAME[name].id]].allclose(torch.cat([wanted, torch.ones(1)]), atol=1e-6)
    assert int(tints[:, 3].sum()) == 2
    assert int((tints != 0).any(dim=1).sum()) == 2


def test_what_the_hole_hides_is_guessed_by_the_tints(face):
    photo, ids = face
    tints, mouth = colours_of(grouped(one_hot(ids)), photo)[0], label_hole(ids, LIPS)
    guess, known = label_guess(one_hot(ids), photo, mouth, tints)
    lips = torch.isin(ids[0], torch.tensor(LIPS[1]))
    assert known[0, 0, lips].eq(0.5).all()
    wanted = tints[0, GROUPS[LIPS[1]], :3]
    assert guess[0, :, lips].allclose(wanted[:, None].expand(3, int(lips.sum())), atol=1e-5)


def test_tints_with_nothing_in_them_are_none(face):
    photo, ids = face
    hole = label_hole(ids, LIPS)
    labels, nothing = one_hot(ids), torch.zeros(1, NUM_GROUPS, 4)
    for one, other in zip(label_guess(labels, photo, hole), label_guess(labels, photo, hole, nothing), strict=True):
        assert one.equal(other)


def test_near_what_is_seen_its_colour_goes_before_the_tint():
    photo, ids = draw_face(160, 1)
    photo, ids = photo_to_tensor(photo), torch.from_numpy(ids)[None]
    hole = torch.zeros(1, 1, 160, 160)
    hole[..., 2:10, 2:10] = 1
    labels, tints = one_hot(ids), colours_of(grouped(one_hot(ids)), photo)[0]
    tints[..., :3] = 1.0
    guess, _ = label_guess(labels, photo, hole, tints)
    assert guess[..., 2:10, 2:10].allclose(label_guess(labels, photo, hole)[0][..., 2:10, 2:10], atol=0.02)


def lit_from_the_left():
    """A photo (1, 3, 128, 128) of one label whose brightness falls from left to right, and its labels."""
    photo = torch.linspace(0.8, -0.8, 128).expand(1, 3, 128, 128).contiguous()
    return photo, one_hot(torch.full((1, 128, 128), BY_NAME["skin"].id, dtype=torch.uint8))


def test_a_layout_holds_the_light_of_each_label():
    photo, labels = lit_from_the_left()
    layout = colours_of(grouped(labels), photo)[1]
    assert layout.shape == (1, NUM_GROUPS, 4, LAYOUT, LAYOUT)
    skin = GROUPS[BY_NAME["skin"].id]
    assert layout[0, skin, 3].allclose(torch.ones(()))
    cells = torch.nn.functional.adaptive_avg_pool2d(photo, LAYOUT)[0]
    assert layout[0, skin, :3].allclose(cells, atol=1e-5)
    assert layout.count_nonzero() == layout[0, skin].count_nonzero()


def test_what_the_hole_hides_is_guessed_in_the_light_that_falls_there():
    photo, labels = lit_from_the_left()
    tints, layout = colours_of(grouped(labels), photo)
    everything = torch.ones(1, 1, 128, 128)
    guess, known = label_guess(labels, photo, everything, tints, layout)
    assert float((guess - photo).abs().max()) < 0.06
    assert known.allclose(torch.ones(()))
    mean, unsure = label_guess(labels, photo, everything, tints)
    assert float((mean - photo).abs().max()) > 0.7
    assert unsure.eq(0.5).all()


def test_a_layout_through_a_view_is_the_views_own():
    photo, labels = lit_from_the_left()
    whole = colours_of(grouped(labels), photo)[1]
    part = slice(32, 96)
    own = colours_of(grouped(labels[..., part, part]), photo[..., part, part])[1]
    seen = layout_through(whole, 0.25, 0.25, 0.5)
    assert seen.shape == own.shape
    assert float((seen - own).abs().max()) < 0.02
    assert layout_through(whole, 0, 0, 1).allclose(whole, atol=1e-5)


def test_of_a_hidden_layout_nothing_is_left_in_the_hole():
    photo, labels = lit_from_the_left()
    tints, layout = colours_of(grouped(labels), photo)
    everything = torch.ones(1, 1, 128, 128)
    hidden = hidden_layout(layout, everything)
    for one, other in zip(
        label_guess(labels, photo, everything, tints, hidden),
        label_guess(labels, photo, everything, tints),
        strict=True,
    ):
        assert one.equal(other)
    assert hidden_layout(layout, torch.zeros(1, 1, 128, 128)).equal(layout)


def test_hair_is_as_it_is_within_not_at_its_edge_where_skin_shines_through():
    ids = torch.full((1, 128, 128), BY_NAME["skin"].id, dtype=torch.uint8)
    ids[:, :64] = BY_NAME["hair"].id
    photo = torch.full((1, 3, 128, 128), 0.5)
    photo[:, :, :64], photo[:, :, 61:64] = -0.8, 0.4  # the last rows are thin
    labels = one_hot(ids)
    tint = colours_of(grouped(labels), photo)[0][0, GROUPS[BY_NAME["hair"].id]]
    assert tint[:3].allclose(torch.tensor(-0.8), atol=0.02)
    photo[:, :, :64] = 0.4  # all of it is alike: thin hair has a colour, too
    assert colours_of(grouped(labels), photo)[0][0, GROUPS[BY_NAME["hair"].id], :3].allclose(
        torch.tensor(0.4), atol=1e-5
    )
