"""The one table of classes: id, name, colour, mirror partner; and other projects' orders.

Ids, names and colours are those of CelebAMask-HQ (Lee et al., "MaskGAN", CVPR 2020). Left and right are the
person's own: ``l_eye`` stands on the right-hand side of the picture. Depends on numpy only.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Label:
    """One class of the label map."""

    id: int
    """0..18, the value stored in a label map."""
    name: str
    """The data set's own name, e.g. ``"l_eye"``."""
    title: str
    """What a person reads, e.g. ``"left eye"``."""
    colour: tuple[int, int, int]
    """RGB, 0..255: the published palette, as label maps on disk use it."""
    safe_colour: tuple[int, int, int]
    """RGB, 0..255: for display only; neighbouring regions differ in lightness, for colour-blind readers."""


def _label(id: int, name: str, title: str, colour: str, safe_colour: str) -> Label:
    red, green, blue = bytes.fromhex(colour)
    safe_red, safe_green, safe_blue = bytes.fromhex(safe_colour)
    return Label(id, name, title, (red, green, blue), (safe_red, safe_green, safe_blue))


LABELS: tuple[Label, ...] = (
    _label(0, "background", "background", "000000", "101010"),
    _label(1, "skin", "skin", "CC0000", "E8C8A0"),
    _label(2, "nose", "nose", "4C9900", "B08050"),
    _label(3, "eye_g", "eyeglasses", "CCCC00", "303030"),
    _label(4, "l_eye", "left eye", "3333FF", "FFFFFF"),
    _label(5, "r_eye", "right eye", "CC00CC", "A8E0FF"),
    _label(6, "l_brow", "left brow", "00FFFF", "5A3A10"),
    _label(7, "r_brow", "right brow", "33FFFF", "8A6A20"),
    _label(8, "l_ear", "left ear", "663300", "D55E00"),
    _label(9, "r_ear", "right ear", "FF0000", "F0A060"),
    _label(10, "mouth", "mouth (inside)", "66CC00", "400000"),
    _label(11, "u_lip", "upper lip", "FFFF00", "CC79A7"),
    _label(12, "l_lip", "lower lip", "000099", "8A3060"),
    _label(13, "hair", "hair", "0000CC", "0072B2"),
    _label(14, "hat", "hat", "FF3399", "F0E442"),
    _label(15, "ear_r", "earring", "00CCCC", "FFF8B0"),
    _label(16, "neck_l", "necklace", "003300", "6A5A00"),
    _label(17, "neck", "neck", "FF9933", "C49A78"),
    _label(18, "cloth", "clothes", "00CC00", "009E73"),
)
NUM_LABELS = len(LABELS)
BACKGROUND = 0
BY_NAME: dict[str, Label] = {label.name: label for label in LABELS}


def ids_of(*names: str) -> tuple[int, ...]:
    """The ids of labels, given by their names in the data set."""
    return tuple(BY_NAME[name].id for name in names)


MIRROR_PARTNERS: tuple[tuple[int, int], ...] = ((4, 5), (6, 7), (8, 9))
"""Pairs of ids that change places when a photo is flipped left to right."""


def _mirror_table() -> np.ndarray:
    table = np.arange(NUM_LABELS, dtype=np.uint8)
    for left, right in MIRROR_PARTNERS:
        table[left], table[right] = right, left
    table.setflags(write=False)
    return table


MIRROR: np.ndarray = _mirror_table()
"""(19,) uint8: ``MIRROR[id]`` is the id that ``id`` becomes when the photo is flipped."""

BISENET_ORDER: tuple[int, ...] = (0, 1, 6, 7, 4, 5, 3, 8, 9, 15, 2, 10, 11, 12, 17, 16, 18, 13, 14)
"""Entry i is the id here of class i in BiSeNet-style face parsers: ``np.array(BISENET_ORDER)[their_map]``."""

FARL_ORDER: tuple[int, ...] = (0, 17, 1, 18, 8, 9, 6, 7, 4, 5, 2, 10, 12, 11, 13, 3, 14, 15, 16)
"""Likewise for parsers trained on this data set as FaRL was (Zheng et al., CVPR 2022), SegFace among them. Their
``rr``, ``lr``, ``rb`` .. are its files ``l_ear``, ``r_ear``, ``l_brow`` .., called after the sides of the picture."""

LAPA_ORDER: tuple[int, ...] = (0, 1, 6, 7, 4, 5, 2, 11, 10, 12, 13)
"""Likewise for the 11 classes of the data sets LaPa (Liu et al., AAAI 2020) and Helen (Smith et al., CVPR 2013), read
as if their left were the person's own."""

FACE_PARTS: dict[str, tuple[int, ...]] = {
    "Smile": (10, 11, 12),
    "Eyes": (4, 5),
    "Brows": (6, 7),
    "Hair": (13,),
    "Eyeglasses": (3,),
    "Accessories": (14, 15, 16),
}
"""Groups of ids a person thinks of as one attribute (paper section 4.2, attribute transfer)."""

STYLE_PARTS: dict[str, tuple[int, ...]] = {
    "hair": ids_of("hair"),
    "brows": ids_of("l_brow", "r_brow"),
    "skin": ids_of("skin", "nose", "l_ear", "r_ear", "neck"),
    "lips": ids_of("u_lip", "l_lip"),
    "eyes": ids_of("l_eye", "r_eye"),
    "glasses": ids_of("eye_g"),
    "hat": ids_of("hat"),
    "earrings": ids_of("ear_r"),
    "necklace": ids_of("neck_l"),
    "clothes": ids_of("cloth"),
}
"""Ids that change their colours together: a tone of skin is that of nose, ears and neck, too."""
STYLE_PART_OF: dict[int, str] = {id: part for part, ids in STYLE_PARTS.items() for id in ids}
"""Id -> the part whose style it takes; the background and the inside of the mouth have none."""

EYEGLASSES = ids_of("eye_g")
OVERLAYS = ids_of("eye_g", "ear_r", "neck_l", "hat")
"""What a person puts on: it lies over face, hair and neck, which are the same without it."""


def palette(*, colour_blind: bool = False) -> np.ndarray:
    """The colour of every id as (19, 3) uint8 RGB; ``colour_blind`` gives the display-only second palette."""
    return np.array([label.safe_colour if colour_blind else label.colour for label in LABELS], dtype=np.uint8)


def mirrored(labels: np.ndarray) -> np.ndarray:
    """A label map (H, W) uint8 flipped left to right, with the mirror partners exchanged, as a new array."""
    return np.ascontiguousarray(MIRROR[labels[:, ::-1]])
