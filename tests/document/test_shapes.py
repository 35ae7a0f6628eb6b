"""The sliders that shape a face: what each moves, and that nothing else moves with it."""

import numpy as np
import pytest

from maskedit.document.shapes import SHAPES, can_shape, shaped
from maskedit.labels import BY_NAME, ids_of
from tests.faces import draw_face

SIDE = 128
FACE = draw_face(SIDE, 0)[1]
MOUTH, UPPER, LOWER, HAIR, SKIN, NECK = ids_of("mouth", "u_lip", "l_lip", "hair", "skin", "neck")
FEATURES = ids_of("nose", "l_eye", "r_eye", "l_brow", "r_brow", "mouth", "u_lip", "l_lip")


def rows_of(labels, *names):
    return np.flatnonzero(np.isin(labels, ids_of(*names)).any(axis=1))


def count(labels, *names):
    return int(np.isin(labels, ids_of(*names)).sum())


def width(labels, row, *names):
    return int(np.isin(labels[row], ids_of(*names)).sum())


def closed(labels):
    """A face whose lips meet."""
    return shaped(labels, {"mouth_open": -1.0})


def test_nothing_asked_is_the_map_itself():
    assert shaped(FACE, {}) is FACE
    assert shaped(FACE, dict.fromkeys(SHAPES, 0.0)) is FACE


@pytest.mark.parametrize("name", SHAPES)
def test_every_slider_moves_its_own_both_ways_and_is_repeatable(name):
    before = FACE.copy()
    more, less = shaped(FACE, {name: 0.8}), shaped(FACE, {name: -0.8})
    np.testing.assert_array_equal(FACE, before)
    for after in (more, less):
        assert after.shape == FACE.shape
        assert after.dtype == np.uint8
        assert np.count_nonzero(after != FACE) > 10
        assert set(np.unique(after)) <= set(np.unique(FACE))
    assert (more != less).any()
    np.testing.assert_array_equal(shaped(FACE, {name: 0.8}), more)


@pytest.mark.parametrize(
    ("name", "own"),
    [
        ("smile", ("mouth", "u_lip", "l_lip")),
        ("mouth_open", ("mouth", "u_lip", "l_lip")),
        ("lip_fullness", ("mouth", "u_lip", "l_lip")),
        ("brow_height", ("l_brow", "r_brow", "hair")),
        ("brow_thickness", ("l_brow", "r_brow")),
        ("eye_openness", ("l_eye", "r_eye")),
        ("eye_size", ("l_eye", "r_eye")),
        ("nose_width", ("nose",)),
    ],
)
def test_a_part_moves_over_skin_alone(name, own):
    for amount in (-1, 1):
        after = shaped(FACE, {name: amount})
        changed = after != FACE
        assert set(np.unique(FACE[changed])) | set(np.unique(after[changed])) <= {*ids_of(*own), SKIN}


def test_a_smile_lifts_the_corners_and_widens_the_mouth():
    corners, widths = [], []
    for amount in (-1, 0, 1):
        columns = np.isin(shaped(FACE, {"smile": amount}), (UPPER, LOWER)).T
        outermost = np.flatnonzero(columns.any(axis=1))[[0, -1]]
        corners.append(float(np.mean([np.flatnonzero(columns[each]).mean() for each in outermost])))
        widths.append(int(columns.any(axis=1).sum()))
    assert corners[2] < corners[1] - 1.5
    assert corners[0] > corners[1] + 0.5
    assert widths == sorted(set(widths))


def test_a_closed_mouth_opens_and_an_open_one_closes():
    shut = closed(FACE)
    assert count(shut, "mouth") == 0
    assert count(shut, "u_lip", "l_lip") > 0.6 * count(FACE, "u_lip", "l_lip")
    opened = shaped(shut, {"mouth_open": 0.6})
    assert count(opened, "mouth") > 30
    rows = [rows_of(opened, name).mean() for name in ("u_lip", "mouth", "l_lip")]
    assert rows == sorted(rows)
    assert count(opened, "u_lip", "l_lip") > 0.8 * count(shut, "u_lip", "l_lip")
    wider = [count(shaped(shut, {"mouth_open": amount}), "mouth") for amount in (0.2, 0.5, 1.0)]
    assert wider == sorted(set(wider))


def test_sizes_follow_their_sliders():
    for name, parts in (
        ("lip_fullness", ("u_lip", "l_lip")),
        ("brow_thickness", ("l_brow", "r_brow")),
        ("eye_openness", ("l_eye", "r_eye")),
        ("eye_size", ("l_eye", "r_eye")),
        ("nose_width", ("nose",)),
        ("hair_volume", ("hair",)),
        ("hair_length", ("hair",)),
    ):
        sizes = [count(shaped(FACE, {name: amount}), *parts) for amount in (-1, -0.5, 0, 0.5, 1)]
        assert sizes == sorted(set(sizes)), name


def test_brows_rise_and_sink_and_never_reach_the_eyes():
    tops = [rows_of(shaped(FACE, {"brow_height": amount}), "l_brow").min() for amount in (1, 0, -1)]
    assert tops == sorted(set(tops))
    assert count(shaped(FACE, {"brow_height": -1}), "l_eye", "r_eye") == count(FACE, "l_eye", "r_eye")


def test_jaw_and_chin_move_the_outline_and_leave_the_features():
    row = int(rows_of(FACE, "l_lip").mean())
    skins = ("skin", "u_lip", "l_lip", "mouth")
    widths = [width(shaped(FACE, {"jaw_width": amount}), row, *skins) for amount in (-1, 0, 1)]
    assert widths == sorted(set(widths))
    chins = [rows_of(shaped(FACE, {"chin": amount}), "skin").max() for amount in (-1, 0, 1)]
    assert chins == sorted(set(chins))
    for name in ("jaw_width", "chin"):
        for amount in (-1, 1):
            after = shaped(FACE, {name: amount})
            np.testing.assert_array_equal(np.isin(after, FEATURES), np.isin(FACE, FEATURES))


def test_hair_grows_behind_the_face_and_is_cut_to_what_lies_beside_it():
    face = np.isin(FACE, (SKIN, *FEATURES))
    long, short = shaped(FACE, {"hair_length": 1}), shaped(FACE, {"hair_length": -1})
    assert not (long[face] == HAIR).any() or (FACE[face] == HAIR).any()
    np.testing.assert_array_equal(long[face], FACE[face])
    np.testing.assert_array_equal(short[face], FACE[face])
    assert rows_of(long, "hair").max() > rows_of(FACE, "hair").max() + 10
    assert rows_of(short, "hair").max() < rows_of(FACE, "hair").max() - 5
    came = np.unique(short[(FACE == HAIR) & (short != HAIR)])
    assert set(came) <= set(ids_of("background", "neck", "cloth"))


@pytest.mark.parametrize("name", SHAPES)
def test_a_slider_without_its_part_does_nothing(name):
    bare = np.where(np.isin(FACE, SHAPES[name].needs), np.uint8(0), FACE)
    assert can_shape(FACE, name)
    assert not can_shape(bare, name)
    assert shaped(bare, {name: 1.0}) is bare


@pytest.mark.parametrize("name", SHAPES)
def test_odd_maps_are_no_trouble(name):
    random = np.random.default_rng(3)
    noise = random.integers(0, 19, (40, 56)).astype(np.uint8)
    alone = np.where(np.isin(FACE, SHAPES[name].needs), FACE, np.uint8(BY_NAME["background"].id))
    one_part = np.full((32, 32), SHAPES[name].needs[-1], np.uint8)
    for labels in (noise, alone, one_part):
        for amount in (-1, 1):
            assert shaped(labels, {name: amount}).shape == labels.shape
