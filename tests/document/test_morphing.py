"""From one label map to another, and what a network's maps teach about a third."""

import cv2
import numpy as np
import pytest

from maskedit.document.morphing import Morph, Regions
from maskedit.document.variation import cleaned, varied
from maskedit.labels import NUM_LABELS, ids_of
from tests.faces import draw_face

SIDE = 128
HERE, THERE = draw_face(SIDE, 1)[1], np.roll(draw_face(SIDE, 2)[1], 5, axis=1)
GLASSES, HAT, EARRING, HAIR, SKIN, EYE = ids_of("eye_g", "hat", "ear_r", "hair", "skin", "l_eye")
MOUTH = ids_of("mouth", "u_lip", "l_lip")


def middle(labels, *ids):
    rows, columns = np.nonzero(np.isin(labels, ids))
    return np.array([columns.mean(), rows.mean()])


def certain(labels):
    """The probabilities of a network that is sure of a map."""
    return np.stack([(labels == id).astype(np.float32) for id in range(NUM_LABELS)])


def test_both_ends_are_the_maps_themselves():
    morph = Morph(Regions(HERE), Regions(THERE))
    np.testing.assert_array_equal(morph.at(0), HERE)
    np.testing.assert_array_equal(morph.at(1), THERE)
    for share, end in ((0.001, HERE), (0.999, THERE)):
        assert np.count_nonzero(morph.at(share) != end) < 0.001 * end.size


def test_parts_of_the_face_travel_and_keep_their_size():
    half = Morph(Regions(HERE), Regions(THERE)).at(0.5)
    for ids in (*((each,) for each in ids_of("nose", "l_eye", "r_eye", "l_brow", "r_brow")), MOUTH):
        np.testing.assert_allclose(middle(half, *ids), (middle(HERE, *ids) + middle(THERE, *ids)) / 2, atol=1.0)
        sizes = [np.isin(labels, ids).sum() for labels in (HERE, half, THERE)]
        assert min(sizes[0], sizes[2]) * 0.75 < sizes[1] < max(sizes[0], sizes[2]) * 1.25


def test_what_only_one_face_wears_comes_and_goes_whole():
    dressed = HERE.copy()
    cv2.rectangle(dressed, (44, 48), (84, 54), GLASSES, -1)
    dressed[:30, 30:98] = HAT
    cv2.circle(dressed, (36, 80), 3, EARRING, -1)
    dressed[HERE == EYE] = EYE
    there, back = Morph(Regions(HERE), Regions(dressed)), Morph(Regions(dressed), Regions(HERE))
    for share, is_there in ((0.3, False), (0.7, True)):
        between = there.at(share)
        for id in (GLASSES, HAT, EARRING):
            changed = (between == id) != ((dressed == id) & is_there)
            assert np.count_nonzero(changed) <= 0.1 * np.count_nonzero(dressed == id)
        np.testing.assert_array_equal(between == EYE, HERE == EYE)
        np.testing.assert_array_equal(back.at(1 - share), between)


def test_a_map_of_one_class_is_no_trouble():
    bare = np.full_like(HERE, SKIN)
    assert Morph(Regions(bare), Regions(HERE)).at(0.4).shape == HERE.shape
    np.testing.assert_array_equal(Morph(Regions(bare), Regions(bare)).at(0.4), bare)


def test_a_map_varies_as_the_networks_maps_differ():
    worn = HERE.copy()
    cv2.circle(worn, (36, 75), 2, EARRING, -1)
    moved = np.roll(HERE, 3, axis=1)
    after = varied(worn, HERE, moved)
    for ids in (ids_of("nose"), ids_of("l_eye"), MOUTH):
        np.testing.assert_allclose(middle(after, *ids) - middle(worn, *ids), [3, 0], atol=0.5)
    assert (after[after != worn] == HAIR).any()
    np.testing.assert_array_equal(after[worn == EARRING], worn[worn == EARRING])
    np.testing.assert_array_equal(varied(worn, HERE, HERE), worn)


def test_specks_go_and_everything_else_stays():
    worn = HERE.copy()
    cv2.circle(worn, (36, 75), 2, EARRING, -1)
    cv2.rectangle(worn, (44, 52), (84, 60), GLASSES, 1)
    spoiled = worn.copy()
    for place, id in (((10, 10), HAIR), ((64, 30), 0), ((60, 75), ids_of("l_brow")[0]), ((20, 20), HAT)):
        cv2.circle(spoiled, place, 2, id, -1)
    after = cleaned(spoiled, certain(HERE))
    assert np.count_nonzero(after != worn) < 0.01 * worn.size
    assert not (after == HAT).any()
    for place in ((10, 10), (30, 64), (75, 60), (20, 20)):
        assert after[place] == worn[place]
    for id in (EARRING, GLASSES):  # the network knows of neither
        assert np.count_nonzero(after[worn == id] == id) > 0.9 * np.count_nonzero(worn == id)


def test_a_ragged_border_becomes_smooth():
    rows = np.arange(256)[:, None]
    straight = np.where(rows >= 128, np.uint8(SKIN), np.uint8(0)).repeat(256, axis=1)
    jagged = 128 + np.random.default_rng(0).integers(-2, 3, 256)
    ragged = np.where(rows >= jagged, np.uint8(SKIN), np.uint8(0))
    after = cleaned(ragged, certain(straight))
    steps = [np.abs(np.diff((labels == SKIN).sum(axis=0).astype(int))).sum() for labels in (ragged, after)]
    assert steps[1] < 0.25 * steps[0]
    smooth = np.where((rows - 128) ** 2 + (rows.T - 128) ** 2 < 90**2, np.uint8(SKIN), np.uint8(0))
    np.testing.assert_array_equal(cleaned(smooth, certain(smooth)), smooth)


@pytest.mark.parametrize("labels", [np.full((64, 64), HAIR, np.uint8), np.zeros((64, 64), np.uint8)])
def test_one_class_alone_stays(labels):
    np.testing.assert_array_equal(cleaned(labels, np.zeros((NUM_LABELS, 64, 64), np.float32)), labels)
