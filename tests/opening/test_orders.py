"""Label maps in another project's class order are recognised, and ours are left alone."""

from pathlib import Path

import numpy as np
import pytest

from maskedit.imaging import read_labels, resize_labels
from maskedit.labels import BY_NAME, MIRROR, NUM_LABELS
from maskedit.opening.orders import ORDERS, likely_order, plausibility, remapped
from tests.faces import draw_face

REAL = Path(__file__).parents[3] / "shared" / "celebamask-hq-mini"


def in_order(labels: np.ndarray, name: str) -> np.ndarray:
    """A map of ours as the other project has it; classes that it has not are background."""
    theirs = np.zeros(NUM_LABELS, np.uint8)
    theirs[list(ORDERS[name])] = np.arange(len(ORDERS[name]))
    return theirs[labels]


def only(labels: np.ndarray, *names: str) -> np.ndarray:
    return np.where(np.isin(labels, [BY_NAME[name].id for name in names]), labels, 0).astype(np.uint8)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("side", [128, 256, 700])
def test_a_face_is_a_face(side, seed):
    labels = draw_face(side, seed)[1]
    assert plausibility(labels) > 0.95
    assert likely_order(labels) is None


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("side", [128, 512])
@pytest.mark.parametrize("name", ORDERS)
def test_another_order_is_recognised_and_comes_back(name, side, seed):
    labels = draw_face(side, seed)[1]
    theirs = in_order(labels, name)
    assert plausibility(theirs) < 0.8
    assert likely_order(theirs) == name
    back = remapped(theirs, name)
    assert back.dtype == np.uint8
    np.testing.assert_array_equal(back, np.where(np.isin(labels, ORDERS[name]), labels, 0))


def test_few_classes_of_ours_are_left_alone():
    labels = draw_face(256, 4)[1]
    everything = set(BY_NAME)
    for names in (
        {"skin"},
        {"hair"},
        {"skin", "hair"},
        {"l_eye", "r_eye"},
        {"skin", "l_eye", "nose", "u_lip", "l_lip"},  # a profile
        everything - {"hair"},
        everything - {"skin"},
        everything - {"neck", "cloth"},
        everything - {"l_eye", "r_eye", "l_brow", "r_brow"},
    ):
        assert likely_order(only(labels, *names)) is None, names


def test_glasses_a_hat_and_a_wrong_left_are_left_alone():
    labels = draw_face(256, 5)[1]
    labels[100:120, 70:186] = BY_NAME["eye_g"].id
    labels[:60] = BY_NAME["hat"].id
    assert likely_order(labels) is None
    assert likely_order(labels[:, ::-1]) is None  # flipped by somebody who forgot the partners
    assert likely_order(MIRROR[labels]) is None
    assert likely_order(np.rot90(draw_face(256, 5)[1], 1)) is None


def test_what_is_no_face_is_left_alone():
    rng = np.random.default_rng(3)
    for labels in (
        np.zeros((5, 7), np.uint8),
        np.full((300, 200), 18, np.uint8),
        np.zeros((1, 1), np.uint8),
        np.arange(19, dtype=np.uint8)[:, None],
        *(rng.integers(0, 19, (64, 64), dtype=np.uint8) for _ in range(20)),
        *(np.kron(rng.integers(0, 19, (8, 8), dtype=np.uint8), np.ones((16, 16), np.uint8)) for _ in range(50)),
    ):
        assert likely_order(labels) is None


def test_nothing_to_compare_says_nothing():
    assert plausibility(np.zeros((8, 8), np.uint8)) == 0.5


def test_every_order_is_a_choice_of_our_ids():
    for order in ORDERS.values():
        assert order[0] == 0
        assert len(set(order)) == len(order) <= NUM_LABELS
        assert set(order) <= set(range(NUM_LABELS))


def test_a_class_that_an_order_has_not():
    with pytest.raises(ValueError, match=r"class 18; .* 0\.\.10"):
        remapped(np.full((2, 2), 18, np.uint8), "LaPa, Helen")


@pytest.mark.skipif(not REAL.is_dir(), reason="../shared/celebamask-hq-mini is missing")
def test_real_maps():
    paths = sorted((REAL / "masks").iterdir())[::30]
    assert len(paths) > 20
    for path in paths:
        labels = resize_labels(read_labels(path), (128, 128))
        assert likely_order(labels) is None, path.name
        for name in ("BiSeNet (face-parsing.PyTorch)", "FaRL, SegFace"):
            assert likely_order(in_order(labels, name)) == name, path.name
