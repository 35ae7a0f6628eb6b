"""The same person: only what the edit is about changes, without a seam, though the network draws another face."""

import cv2
import numpy as np
import pytest

from maskedit.labels import BY_NAME, NUM_LABELS
from maskedit.render.compositing import Blend, compose
from tests.faces import draw_face

SKIN, HAIR, UPPER_LIP, GLASSES = (BY_NAME[name].id for name in ("skin", "hair", "u_lip", "eye_g"))
MOUTH = [BY_NAME[name].id for name in ("mouth", "u_lip", "l_lip")]


def colours_of(photo, labels):
    """(19, 3) float: each label's own colour in the photo; eyeglasses, which nobody wears, are dark."""
    colours = np.full((NUM_LABELS, 3), 30.0)
    for label in np.unique(labels):
        colours[label] = np.median(photo[labels == label], axis=0)
    return colours


def drawn(colours, labels, *, wrong=True):
    """What a network makes of a label map: flat colours, and all of them wrong."""
    picture = cv2.GaussianBlur(colours[labels].astype(np.float32), (0, 0), 1)
    if wrong:
        picture = picture * 0.6 + np.array([90, -20, 50])
    return np.clip(picture, 0, 255).round().astype(np.uint8)


def lips_away(labels):
    return np.where(np.isin(labels, MOUTH), SKIN, labels).astype(np.uint8)


def lips_painted(labels):
    edited, side = labels.copy(), labels.shape[0]
    cv2.ellipse(edited, (round(side * 0.52), round(side * 0.66)), (side // 8, side // 16), 0, 0, 360, UPPER_LIP, -1)
    return edited


def hair_away(labels):
    edited = labels.copy()
    edited[(labels == HAIR) & (np.arange(labels.shape[0])[:, None] < labels.shape[0] * 0.35)] = SKIN
    return edited


def hair_painted(labels):
    edited, side = labels.copy(), labels.shape[0]
    cv2.circle(edited, (side // 2, round(side * 0.34)), side // 16, HAIR, -1)
    return edited


def glasses_on(labels):
    edited, side = labels.copy(), labels.shape[0]
    edited[round(side * 0.4) : round(side * 0.48), round(side * 0.34) : round(side * 0.66)] = GLASSES
    return edited


EDITS = [lips_away, lips_painted, hair_away, hair_painted, glasses_on]


def composed(edit, *, side=256, seed=1, blend=None):
    photo, labels = draw_face(side, seed)
    edited, colours = edit(labels), colours_of(photo, labels)
    renders = drawn(colours, edited), drawn(colours, labels)
    return photo, labels, edited, colours, renders, compose(photo, labels, edited, *renders, blend or Blend())


@pytest.mark.parametrize("detail", [True, False])
def test_without_an_edit_the_photo_stays_itself(detail):
    photo, *_, result = composed(np.copy, blend=Blend(detail=detail))
    np.testing.assert_array_equal(result.image, photo)
    assert not result.alpha.any()
    assert result.changed_outside == 0
    assert not np.shares_memory(result.image, photo)


@pytest.mark.parametrize("edit", [np.copy, lips_away])
def test_the_whole_face_is_the_render(edit):
    *_, renders, result = composed(edit, blend=Blend(whole_face=True))
    np.testing.assert_array_equal(result.image, renders[0])
    assert (result.alpha == 1).all()
    assert result.changed_outside == 0


@pytest.mark.parametrize("edit", EDITS)
@pytest.mark.parametrize("detail", [True, False])
@pytest.mark.parametrize("side", [64, 255, 512])
def test_away_from_the_edit_nothing_changes(edit, detail, side):
    blend = Blend(detail=detail)
    photo, labels, edited, *_, result = composed(edit, side=side, blend=blend)
    distance = cv2.distanceTransform((labels == edited).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    far = distance > (blend.grow + blend.feather) * side * 1.05 + 1
    assert far.any()
    assert not result.alpha[far].any()
    assert (result.alpha[distance <= blend.grow * side * 0.95] == 1).all()
    np.testing.assert_array_equal(result.image[result.alpha == 0], photo[result.alpha == 0])
    assert result.changed_outside == 0


def test_what_changed_outside_is_measured(monkeypatch):
    def careless(photo, **_):
        return photo + 3

    monkeypatch.setattr("maskedit.render.compositing.blended", careless)
    assert composed(lips_away)[-1].changed_outside == 3


@pytest.mark.parametrize("edit", EDITS)
@pytest.mark.parametrize("detail", [True, False])
def test_the_image_is_what_the_fields_say(edit, detail):
    photo, *_, result = composed(edit, blend=Blend(detail=detail))
    fields = result.alpha, result.replacement, result.residual, result.replace_mask
    assert all(field.dtype == np.float32 for field in fields)
    alpha, layer, change, fresh = (field if field.ndim == 3 else field[..., None] for field in fields)
    expected = photo + alpha * (fresh * (layer - photo) + (1 - fresh) * change)
    assert np.abs(np.clip(expected, 0, 255) - result.image).max() <= 0.51
    assert 0 <= layer.min() <= layer.max() <= 255
    assert set(np.unique(result.replace_mask[result.alpha > 0])) != {0.0}


@pytest.mark.parametrize("edit", [lips_away, hair_painted, hair_away])
@pytest.mark.parametrize("detail", [True, False])
@pytest.mark.parametrize("seed", [1, 2, 5])
def test_wrong_colours_become_those_of_the_photo(edit, detail, seed):
    """A label that is elsewhere in the photo gets the colour that it has there."""
    _, labels, edited, colours, renders, result = composed(edit, seed=seed, blend=Blend(detail=detail))
    inside = cv2.erode((labels != edited).astype(np.uint8), np.ones((3, 3))) > 0
    wanted = drawn(colours, edited, wrong=False)[inside].astype(float)
    assert np.abs(renders[0][inside] - wanted).mean() > 25
    assert np.abs(result.image[inside] - wanted).mean() < 9


def steps_across(picture, mask):
    """The mean absolute difference of neighbouring pixels of which one is in the mask and the other is not."""
    picture, steps = picture.astype(float), []
    for axis in (0, 1):
        crossing = np.diff(mask.astype(int), axis=axis) != 0
        steps.append(np.abs(np.diff(picture, axis=axis))[crossing])
    return np.concatenate(steps).mean()


@pytest.mark.parametrize("edit", EDITS)
@pytest.mark.parametrize("detail", [True, False])
@pytest.mark.parametrize("level", [0, 0.1, 0.5, 0.9])
def test_there_is_no_seam(edit, detail, level):
    photo, *_, renders, result = composed(edit, blend=Blend(detail=detail))
    # The outlines of the region, from its outermost pixels inwards; pasted as it is, the render would step there.
    mask = result.alpha > level
    assert steps_across(result.image, mask) < steps_across(photo, mask) + 2
    assert steps_across(np.where(mask[..., None], renders[0], photo), mask) > 15


def test_lips_that_go_leave_nothing_but_skin():
    photo, labels, edited, colours, _, result = composed(lips_away)
    mouth = cv2.dilate(np.isin(labels, MOUTH).astype(np.uint8), np.ones((5, 5))) > 0
    assert np.abs(result.image[mouth] - colours[SKIN]).mean() < 8
    assert steps_across(result.image, labels != edited) < steps_across(photo, labels != edited) / 4


def test_the_photos_own_detail_is_kept_where_labels_stay():
    photo, labels = draw_face(256, 1)
    freckles = np.random.default_rng(0).normal(0, 12, photo.shape[:2])[..., None]
    photo = np.clip(photo + freckles, 0, 255).astype(np.uint8)
    edited, colours = lips_away(labels), colours_of(photo, labels)
    renders = drawn(colours, edited), drawn(colours, labels)
    kept, matched = (
        compose(photo, labels, edited, *renders, Blend(detail=detail, grow=0.08)) for detail in (True, False)
    )
    band = (kept.alpha > 0.9) & (kept.replace_mask == 0)
    assert band.sum() > 200

    def grain(picture):
        return (picture - cv2.GaussianBlur(picture.astype(np.float32), (0, 0), 2))[band].std()

    assert grain(kept.image) > 0.9 * grain(photo)
    assert grain(matched.image) < 0.6 * grain(photo)


@pytest.mark.parametrize("detail", [True, False])
def test_a_network_that_knows_the_photo_is_shown_as_it_is(detail):
    photo, labels = draw_face(256, 1)
    edited = lips_painted(labels)
    right = np.where((labels != edited)[..., None], drawn(colours_of(photo, labels), edited, wrong=False), photo)
    result = compose(photo, labels, edited, right, photo, Blend(detail=detail))
    assert np.abs(result.image.astype(int) - right).max() <= 1


def test_where_every_label_changed_the_render_is_shown():
    photo, labels = draw_face(64, 1)
    edited = (labels + 1) % NUM_LABELS
    renders = drawn(colours_of(photo, labels), edited), drawn(colours_of(photo, labels), labels)
    result = compose(photo, labels, edited, *renders)
    np.testing.assert_array_equal(result.image, renders[0])


@pytest.mark.parametrize("place", [(0, 0), (0, 95), (95, 40), (50, 50)])
def test_a_single_pixel_anywhere_works(place):
    photo, labels = draw_face(96, 1)
    edited = labels.copy()
    edited[place] = (edited[place] + 1) % NUM_LABELS
    colours = colours_of(photo, labels)
    result = compose(photo, labels, edited, drawn(colours, edited), drawn(colours, labels))
    assert result.alpha[place] == 1
    assert (result.alpha > 0).sum() < 300
    assert result.changed_outside == 0


def test_sharp_cut_without_grow_and_feather():
    _, labels, edited, *_, result = composed(lips_painted, blend=Blend(grow=0, feather=0))
    np.testing.assert_array_equal(result.alpha, labels != edited)


def test_nothing_that_came_in_is_written_to():
    photo, labels = draw_face(96, 1)
    arrays = [photo, labels, lips_away(labels), photo[::-1].copy(), photo[:, ::-1].copy()]
    for array in arrays:
        array.setflags(write=False)
    compose(*arrays)


@pytest.mark.parametrize("number", range(5))
def test_arrays_of_other_sizes_or_types_are_our_bug(number):
    photo, labels = draw_face(64, 1)
    for spoil in (lambda array: array[:-1], lambda array: array.astype(np.float32)):
        arrays = [photo, labels, labels, photo, photo]
        arrays[number] = spoil(arrays[number])
        with pytest.raises(ValueError, match="uint8"):
            compose(*arrays)


@pytest.mark.parametrize("options", [{"grow": -0.1}, {"feather": 1.5}, {"grow": float("nan")}])
def test_lengths_that_are_no_fractions_are_refused(options):
    with pytest.raises(ValueError, match="fractions"):
        Blend(**options)
