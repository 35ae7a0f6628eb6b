"""Colours by region on arrays: what takes a style has its colours and keeps its light, and the rest is untouched."""

import cv2
import numpy as np
import pytest

from maskedit import imaging
from maskedit.document.styles import THUMBNAIL
from maskedit.errors import UserError
from maskedit.imaging import Square
from maskedit.labels import STYLE_PARTS, ids_of
from maskedit.render.completion import laid_in
from maskedit.render.part_colours import colour_style, lab_of, region_of, style_of
from maskedit.render.restyling import Restyling, restyle_drawn
from tests.faces import draw_face

HAIR, GLASSES = ids_of("hair", "eye_g")
BLOND, BLACK = (215, 180, 120), (22, 18, 16)
SIDE = 256


@pytest.fixture
def face():
    """A face whose hair has strands and a light of its own: photo (256, 256, 3) and labels."""
    photo, labels = draw_face(SIDE, 0)
    rng = np.random.default_rng(1)
    strands = cv2.GaussianBlur(rng.normal(0, 60, (SIDE, SIDE)).astype(np.float32), (0, 0), sigmaX=0.8, sigmaY=5)
    light = np.linspace(-8, 24, SIDE)[None]
    hair = labels == HAIR
    photo[hair] = np.clip(photo[hair] + (strands + light)[hair][:, None], 0, 255).astype(np.uint8)
    return photo, labels


def _mean(photo, mask):
    return lab_of(photo)[mask].mean(axis=0)


def _inner(labels, part, by=4):
    mask = np.isin(labels, STYLE_PARTS[part]).astype(np.uint8)
    return cv2.erode(mask, np.ones((2 * by + 1, 2 * by + 1), np.uint8)) > 0


@pytest.mark.parametrize("colour", [BLOND, BLACK, (150, 60, 35)])
def test_hair_takes_a_colour_and_all_else_stays_bit_for_bit(face, colour):
    photo, labels = face
    image, reach = Restyling(photo, labels).square({"hair": colour_style(colour)})
    inner = _inner(labels, "hair")
    wanted = lab_of(np.array([[colour]], np.uint8))[0, 0]
    assert np.abs(_mean(image, inner) - wanted).max() < 6
    assert reach[inner].min() == 1
    assert np.array_equal(image[reach == 0], photo[reach == 0])
    distance = cv2.distanceTransform((labels != HAIR).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5)
    assert not reach[distance > 0.03 * SIDE].any()
    face_itself = _inner(labels, "skin", 8)
    assert np.array_equal(image[face_itself], photo[face_itself])


@pytest.mark.parametrize("colour", [BLOND, BLACK])
def test_light_and_strands_stay(face, colour):
    photo, labels = face
    image, _ = Restyling(photo, labels).square({"hair": colour_style(colour)})
    inner = _inner(labels, "hair")
    before, after = lab_of(photo)[..., 0][inner], lab_of(image)[..., 0][inner]
    assert np.corrcoef(before, after)[0, 1] > 0.9
    assert after.std() > 0.4 * before.std()


def test_black_that_becomes_blond_has_no_steps_and_no_loud_noise():
    photo, labels = np.full((SIDE, SIDE, 3), 120, np.uint8), np.zeros((SIDE, SIDE), np.uint8)
    labels[40:-40, 40:-40] = HAIR
    rng = np.random.default_rng(0)
    ramp = np.linspace(4, 22, SIDE)[None, :, None] + rng.normal(0, 0.7, (SIDE, SIDE, 3))
    photo[labels == HAIR] = np.rint(ramp).astype(np.uint8)[labels == HAIR]
    image, _ = Restyling(photo, labels).square({"hair": colour_style(BLOND)})
    inside = image[60:-60, 60:-60].astype(np.float32)
    assert len(np.unique(inside[..., 1])) == np.ptp(inside[..., 1]) + 1  # all levels are used
    assert (inside - cv2.GaussianBlur(inside, (0, 0), 2)).std() < 6
    columns = inside.mean(axis=(0, 2))
    assert np.diff(cv2.GaussianBlur(columns[None], (0, 0), 3)[0]).min() > -0.5  # as the light falls


def test_a_strength_between_is_a_colour_between(face):
    photo, labels = face
    restyling, inner = Restyling(photo, labels), _inner(labels, "hair")
    lightness = []
    for strength in (0.0, 0.3, 0.6, 1.0):
        image, reach = restyling.square({"hair": colour_style(BLOND, strength=strength)})
        lightness.append(_mean(image, inner)[0])
        assert reach.any() == (strength > 0)
        assert np.array_equal(image, photo) == (strength == 0)
    assert (np.diff(lightness) > 5).all()


def test_no_style_and_styles_of_what_is_not_there_give_the_photo(face):
    photo, labels = face
    restyling = Restyling(photo, labels)
    for styles in ({}, {"hat": colour_style(BLOND)}):
        image, reach = restyling.square(styles)
        assert np.array_equal(image, photo)
        assert not reach.any()
    assert restyling.shows("hair")
    assert not restyling.shows("hat")


def test_the_border_follows_the_photo_where_the_label_is_off(face):
    _, labels = face
    photo = np.full((SIDE, SIDE, 3), (90, 140, 190), np.uint8)
    photo[60:200, 60:200] = 30
    labels[:] = 0
    labels[62:202, 62:202] = HAIR  # two pixels off
    image, _ = Restyling(photo, labels).square({"hair": colour_style(BLOND)})
    rim = np.abs(image[200:, 80:180].astype(int) - photo[200:, 80:180]).max(axis=(1, 2))
    assert rim[0] < 45  # hardly any on what is behind
    assert rim[2:].max() < 12
    assert image[60:62, 80:180].mean() > 120  # and none is left of the hair
    assert np.array_equal(image[:50], photo[:50])


def test_what_is_seen_through_glasses_has_the_tone_of_the_skin(face):
    photo, labels = face
    box = slice(94, 134), slice(70, 130)
    worn, frame = labels.copy(), photo.copy()
    worn[box] = GLASSES
    cv2.rectangle(frame, (70, 94), (129, 133), (15, 15, 15), 2)
    restyling = Restyling(frame, worn)
    image, _ = restyling.square({"skin": colour_style((90, 60, 45))})
    skin = (labels == 1) & (worn == GLASSES) & (frame == photo).all(axis=2)
    assert _mean(image, skin)[0] < _mean(frame, skin)[0] - 15
    assert np.abs(image[94, 80:120].astype(int) - frame[94, 80:120]).max() < 20
    tinted, reach = restyling.square({"glasses": colour_style((160, 30, 30))})
    assert _mean(tinted, np.pad(np.ones((1, 40), bool), ((94, 161), (80, 136))))[1] > 20
    assert not reach[(labels == 4) | (labels == 5)].any()  # the eyes behind them


def test_of_an_eye_the_iris_takes_the_colour():
    photo, labels = draw_face(512, 1)
    image, reach = Restyling(photo, labels).square({"eyes": colour_style((40, 90, 200))})
    white = np.isin(labels, STYLE_PARTS["eyes"]) & (photo.min(axis=2) > 220)
    assert (reach[white] == 0).mean() > 0.9
    touched = reach > 0.9
    assert touched.sum() > 100
    assert _mean(image, touched)[2] < _mean(photo, touched)[2] - 10


def test_the_style_of_a_photo_is_what_it_shows(face):
    photo, labels = face
    style = style_of(photo, labels, "hair", "Ann", strength=0.5)
    assert (style.name, style.strength, len(style.thumbnail)) == ("Ann", 0.5, 3 * THUMBNAIL**2)
    assert np.abs(np.array(style.mean) - _mean(photo, _inner(labels, "hair", 2))).max() < 3
    # What lies beside it and gloss do not count.
    photo = photo.copy()
    photo[labels == HAIR] = np.where(np.random.default_rng(0).random((labels == HAIR).sum()) < 0.05, 255, 40)[:, None]
    assert style_of(photo, labels, "hair", "Ann").spread[0] < 1
    with pytest.raises(UserError, match="Ann shows no hat"):
        style_of(photo, labels, "hat", "Ann")


def test_a_style_that_goes_to_another_face_is_measured_there(face):
    photo, labels = face
    other, other_labels = draw_face(SIDE, 3)
    style = style_of(other, other_labels, "skin", "Ben")
    image, _ = Restyling(photo, labels).square({"skin": style})
    assert np.abs(np.array(style_of(image, labels, "skin", "Ann").mean) - style.mean).max() < 4


def test_chroma_follows_lightness_as_it_does_in_the_other_photo(face):
    """Blond hair is redder in its shadows and golden in the light, and so is what takes its style."""
    photo, labels = face
    lab = lab_of(photo)
    lab[labels == HAIR] = 0
    ramp = np.linspace(30, 75, SIDE, dtype=np.float32)[:, None] * np.ones((1, SIDE), np.float32)
    lab[labels == HAIR] = np.dstack([ramp, 20 - 0.2 * ramp, 10 + 0.2 * ramp])[labels == HAIR]
    other = np.rint(255 * cv2.cvtColor(lab, cv2.COLOR_LAB2RGB)).clip(0, 255).astype(np.uint8)
    style = style_of(other, labels, "hair", "Ann")
    assert style.tilt == pytest.approx((-0.2, 0.2), abs=0.05)
    image, _ = Restyling(photo, labels).square({"hair": style})
    hair = lab_of(image)[_inner(labels, "hair")]
    slopes = [np.polyfit(hair[:, 0], hair[:, channel], 1)[0] for channel in (1, 2)]
    assert slopes[0] < -0.05
    assert slopes[1] > 0.05


@pytest.mark.parametrize("degrees", [0, 17])
def test_the_whole_photo_keeps_its_sharpness_and_what_lies_beyond_the_square(degrees):
    original, whole = draw_face(900, 0)
    noise = np.random.default_rng(0).normal(0, 12, (900, 900, 1))
    original = np.clip(original + noise, 0, 255).astype(np.uint8)
    square = Square(450, 450, 700, degrees)
    photo, labels = imaging.cut_square(original, square, 256), imaging.cut_labels(whole, square, 256, size=(900, 900))
    restyling, styles = Restyling(photo, labels), {"hair": colour_style((120, 70, 40))}
    result = restyling.whole(styles, original, square)
    assert result.shape == original.shape
    changed = (result != original).any(axis=2)
    assert 0.02 < changed.mean() < 0.5
    corners = square.matrix(1) @ np.array([[0, 0, 1], [1, 0, 1], [1, 1, 1], [0, 1, 1]]).T
    inside = cv2.fillConvexPoly(np.zeros((900, 900), np.uint8), np.rint(corners.T).astype(np.int32), 1)
    assert not changed[inside == 0].any()
    inner = _inner(whole, "hair", 25)
    inner[:150] = False
    assert changed[inner].mean() > 0.95
    fine = [lab_of(each)[..., 0] - cv2.GaussianBlur(lab_of(each)[..., 0], (0, 0), 1.5) for each in (original, result)]
    assert fine[1][inner].std() > 0.6 * fine[0][inner].std()
    # The same as in the square.
    small, _ = restyling.square(styles)
    assert np.abs(imaging.cut_square(result, square, 256).astype(int) - small)[20:-20, 20:-20].mean() < 1.5


def test_a_style_fades_out_where_the_photo_goes_on_beyond_the_square():
    original = np.full((300, 300, 3), 60, np.uint8)
    square, labels = Square(150, 150, 200, 0), np.full((128, 128), HAIR, np.uint8)
    restyling = Restyling(imaging.cut_square(original, square, 128), labels)
    row = restyling.whole({"hair": colour_style(BLOND)}, original, square)[150, :, 0].astype(int)
    assert (row[:50] == 60).all()
    assert row[150] > 150
    assert np.abs(np.diff(row)).max() < 60


def test_long_hair_takes_its_style_beyond_the_square_where_the_parser_sees_it():
    original = np.full((300, 300, 3), 200, np.uint8)
    original[:, 120:180] = 40
    original[240:260, 40:60] = 40
    square, labels = Square(150, 100, 160, 0), np.zeros((128, 128), np.uint8)
    labels[:, 40:88] = HAIR
    restyling, styles = (
        Restyling(imaging.cut_square(original, square, 128), labels),
        {"hair": colour_style((90, 40, 160))},
    )

    def parse(photo):
        return np.where(photo[..., 0] < 120, HAIR, 0).astype(np.uint8)

    faded, longer = restyling.whole(styles, original, square), restyling.whole(styles, original, square, parse)
    assert np.array_equal(faded[181:], original[181:])
    assert np.abs(longer[100:225, 130:170].astype(int) - longer[100, 150]).max() < 6
    assert longer[200, 150, 2] > 120
    assert np.array_equal(longer[230:270, 35:65], original[230:270, 35:65])  # dark, but not connected with the hair
    assert np.array_equal(longer[:, :100], original[:, :100])
    assert np.array_equal(restyling.whole({}, original, square, parse), original)
    # What lies wholly in the square is not looked for elsewhere.
    labels[:40], labels[80:] = 0, 0
    inside = Restyling(imaging.cut_square(original, square, 128), labels)
    assert (inside.whole(styles, original, square, None) == inside.whole(styles, original, square, pytest.fail)).all()


def test_what_an_edit_drew_takes_the_style_of_what_the_photo_does_not_show(face):
    photo, labels = face
    edited, drawn, inside = labels.copy(), photo.copy(), np.zeros(labels.shape, bool)
    edited[20:60, 90:170] = 14
    drawn[20:60, 90:170] = 100
    inside[14:66, 84:176] = True
    composite = laid_in(photo, drawn, inside)
    restyled = restyle_drawn(photo, composite, labels, edited, {"hat": colour_style((200, 30, 30))})
    assert np.abs(restyled.image[30:50, 100:160].astype(int).mean(axis=(0, 1)) - (200, 30, 30)).max() < 12
    assert np.array_equal(restyled.image[~inside], photo[~inside])
    assert np.abs(restyled.replacement - restyled.image)[composite.alpha == 1].max() <= 1
    assert restyle_drawn(photo, composite, labels, edited, {}) is composite
    untouched = laid_in(photo, photo, np.zeros_like(inside))
    assert restyle_drawn(photo, untouched, labels, labels, {"hat": colour_style((200, 30, 30))}) is untouched


def test_glasses_that_are_put_on_take_their_style_and_the_eyes_do_not(face):
    photo, labels = face
    worn, drawn, inside = labels.copy(), photo.copy(), np.zeros(labels.shape, bool)
    worn[94:134, 70:186] = GLASSES
    inside[90:138, 66:190] = True
    skin = photo[labels == 1].mean(axis=0)
    cv2.rectangle(drawn, (70, 94), (185, 133), tuple(map(int, 0.75 * skin)), 2)  # as pale as a network draws them
    composite = laid_in(photo, drawn, inside)
    result = restyle_drawn(photo, composite, labels, worn, {"glasses": colour_style((150, 20, 30))}).image
    frame = (drawn != photo).any(axis=2) & (composite.alpha == 1)
    assert _mean(result, frame)[1] > _mean(composite.image, frame)[1] + 15
    eyes = cv2.erode(np.isin(labels, STYLE_PARTS["eyes"]).astype(np.uint8), np.ones((3, 3))) > 0
    assert np.array_equal(result[eyes], composite.image[eyes])


def test_two_styles_share_the_pixels_between_them(face):
    photo, labels = face
    styles = {"hair": colour_style(BLOND), "skin": colour_style((120, 80, 60)), "lips": colour_style((180, 30, 60))}
    image, reach = Restyling(photo, labels).square(styles)
    assert reach.max() == 1
    for part in styles:
        alone, alone_reach = Restyling(photo, labels).square({part: styles[part]})
        assert (reach >= alone_reach).all()
        core = _inner(labels, part, 8 if part != "lips" else 2) & (alone_reach == 1)
        assert np.abs(image[core].astype(int) - alone[core]).mean() < 2


def test_regions_are_soft_masks_of_their_labels(face):
    photo, labels = face
    lab = lab_of(photo)
    for part, ids in STYLE_PARTS.items():
        region = region_of(lab, labels, part)
        assert region.dtype == np.float32
        assert 0 <= region.min() <= region.max() <= 1
        if part not in ("eyes", "glasses", "skin"):
            assert np.array_equal(region > 0, np.isin(labels, ids))
