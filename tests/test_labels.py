"""The class table: complete, consistent with itself and with the orders of other projects."""

import numpy as np
import pytest

from maskedit import labels
from tests.faces import draw_face

# Class i of BiSeNet-style parsers, in their order.
# fmt: off
BISENET_NAMES = [
    "background", "skin", "l_brow", "r_brow", "l_eye", "r_eye", "eye_g", "l_ear", "r_ear", "ear_r", "nose",
    "mouth", "u_lip", "l_lip", "neck", "neck_l", "cloth", "hair", "hat",
]
# fmt: on
# fmt: off
PUBLISHED_COLOURS = [
    "000000", "CC0000", "4C9900", "CCCC00", "3333FF", "CC00CC", "00FFFF", "33FFFF", "663300", "FF0000",
    "66CC00", "FFFF00", "000099", "0000CC", "FF3399", "00CCCC", "003300", "FF9933", "00CC00",
]
# fmt: on


def test_ids_are_positions_and_names_unique():
    assert [label.id for label in labels.LABELS] == list(range(19))
    assert len({label.name for label in labels.LABELS}) == len({label.title for label in labels.LABELS}) == 19
    assert all(labels.BY_NAME[label.name] is label for label in labels.LABELS)


@pytest.mark.parametrize("colour_blind", [False, True])
def test_a_palette_tells_every_label_apart(colour_blind):
    colours = labels.palette(colour_blind=colour_blind)
    assert colours.shape == (19, 3)
    assert colours.dtype == np.uint8
    assert len(np.unique(colours, axis=0)) == 19


def test_published_colours():
    text = ["".join(f"{value:02X}" for value in colour) for colour in labels.palette()]
    assert text == PUBLISHED_COLOURS


def test_a_changed_palette_does_not_change_the_table():
    labels.palette()[:] = 7
    assert labels.palette()[0].tolist() == [0, 0, 0]


def test_mirror_table_exchanges_left_and_right_only():
    for label in labels.LABELS:
        partner = labels.LABELS[labels.MIRROR[label.id]]
        sided = label.name in ("l_eye", "r_eye", "l_brow", "r_brow", "l_ear", "r_ear")
        expected = {"l": "r", "r": "l"}[label.name[0]] + label.name[1:] if sided else label.name
        assert partner.name == expected
    with pytest.raises(ValueError, match="read-only"):
        labels.MIRROR[0] = 1


def test_mirroring_keeps_the_persons_left_on_the_right_of_the_picture():
    face = draw_face(64)[1]
    flipped = labels.mirrored(face)
    for left, right in (("l_eye", "r_eye"), ("l_brow", "r_brow"), ("l_ear", "r_ear")):
        for picture in (face, flipped):
            column = {name: np.nonzero(picture == labels.BY_NAME[name].id)[1].mean() for name in (left, right)}
            assert column[left] > column[right]
    assert flipped.flags.c_contiguous
    assert (labels.mirrored(flipped) == face).all()
    assert not np.shares_memory(flipped, face)


def test_bisenet_order():
    assert [labels.LABELS[id].name for id in labels.BISENET_ORDER] == BISENET_NAMES
    assert sorted(labels.BISENET_ORDER) == list(range(19))


def test_farl_order():
    # The files that its classes 1.. were made from, in farl/datasets/celebamask_hq.py.
    files = "neck skin cloth l_ear r_ear l_brow r_brow l_eye r_eye nose mouth l_lip u_lip hair eye_g hat ear_r neck_l"
    assert [labels.LABELS[id].name for id in labels.FARL_ORDER] == ["background", *files.split()]
    assert sorted(labels.FARL_ORDER) == list(range(19))


def test_lapa_order():
    names = "background skin l_brow r_brow l_eye r_eye nose u_lip mouth l_lip hair"
    assert [labels.LABELS[id].name for id in labels.LAPA_ORDER] == names.split()


def test_face_parts_do_not_overlap():
    ids = [id for part in labels.FACE_PARTS.values() for id in part]
    assert len(ids) == len(set(ids))
    assert set(ids) <= set(range(19))
