"""The photo's own texture in what an edit drew: pores, weave of cloth, grain; and strands of hair.

A network trained on few photos draws the right colours and shapes, and draws them smooth. What is missing is fine
detail, and the photo has it: the same skin goes on ten pixels away. So the detail is laid into the edit in blocks taken
from where the photo shows the same label, chosen to fit the light they lie in, what the network drew there, and the
blocks and the photo beside them: the texture transfer of image quilting (Efros and Freeman, SIGGRAPH 2001), of detail
alone. The photo's mirror image serves as well. Hair and brows are not copied but drawn (`maskedit.render.strands`).

Only numpy and OpenCV; all lengths are shares of the photo's side.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from maskedit.labels import ids_of
from maskedit.render.fields import blurred, grey_of
from maskedit.render.strands import STRANDS, with_strands


@dataclass(frozen=True)
class Texture:
    """Labels that share a texture, and what it is like."""

    members: tuple[int, ...]
    detail: float
    """Of the side: the standard deviation of the blur that parts detail from colour."""


TEXTURES = (
    Texture(ids_of("skin", "nose", "neck", "l_ear", "r_ear"), 0.008),
    Texture(ids_of("cloth"), 0.010),
    Texture(ids_of("hat"), 0.008),
    Texture(ids_of("background"), 0.012),
)
BLOCKS = (0.08, 0.05, 0.032)
"""Of the side: blocks, the largest that the photo has room for first."""
OVERLAP = 1 / 3
"""Of a block: how far it lies over its neighbours."""
FEWEST = 60
"""Smaller blocks are taken where the photo has fewer places than this for a block."""
MOST = 1500
"""The most places that blocks are taken from, in all pictures together; where there are more, they are thinned out
evenly."""
EDGE = 0.003
"""Of the side: the standard deviation of the blur of a texture's edge."""
_LIGHT, _SHAPE, _JOIN = 0.3, 1.0, 1.0
"""Weights in the cost of a block: of its differences from what is wanted in light and in the shapes that the network
drew, and of its difference from the neighbours that are laid already."""
_AGAIN, _FORGET = 0.5, 0.97
"""What a block costs more for each time that it was laid before, and the share of this that is left after each block
laid since."""
_ORDINARY = 0.85
"""The share of the blocks that may be laid, those of least contrast: the others show moles and edges, not texture."""
_APART = 1e6
"""What is added to the places of each further picture, so that blocks of two pictures never count as neighbours."""
_ANY_OF = 1.1
"""A block is drawn at random from those that cost at most this many times the least: the best alone would repeat."""


def textured(
    completion: np.ndarray,
    photo: np.ndarray,
    hole: np.ndarray,
    labels: np.ndarray,
    reference_labels: np.ndarray,
    *,
    check: Callable[[], None] = lambda: None,
) -> np.ndarray:
    """A completion with the photo's detail.

    Args:
        completion: (S, S, 3) uint8 RGB, the photo redrawn in the hole.
        photo: (S, S, 3) uint8 RGB.
        hole: (S, S) bool, what was redrawn.
        labels: (S, S) uint8 ids that the completion shows.
        reference_labels: (S, S) uint8 ids of the photo.
        check: called now and then; what it raises gives the work up.

    Returns:
        (S, S, 3) uint8 RGB, the same as ``completion`` outside the hole.
    """
    drawn, original = completion.astype(np.float32), photo.astype(np.float32)
    result = drawn.copy()
    for texture in TEXTURES:
        target = hole & np.isin(labels, texture.members)
        source = ~hole & np.isin(reference_labels, texture.members)
        if target.any() and source.any():
            _add(result, drawn, original, target, source, texture, check)
    # Last: wisps of hair lie over what is behind it.
    for kind in STRANDS:
        target = hole & np.isin(labels, kind.members)
        source = ~hole & np.isin(reference_labels, kind.members)
        if target.any() and source.any():
            check()
            with_strands(result, drawn, original, hole, target, source, kind)
    result = np.rint(np.clip(result, 0, 255)).astype(np.uint8)
    return np.where(hole[..., None], result, completion)


def _add(
    result: np.ndarray,
    drawn: np.ndarray,
    photo: np.ndarray,
    target: np.ndarray,
    source: np.ndarray,
    texture: Texture,
    check: Callable[[], None],
) -> None:
    """Lay one texture into ``result`` (S, S, 3) float32, in ``target`` (S, S) bool, off ``source`` (S, S) bool."""
    side = len(photo)
    sigma = texture.detail * side
    sizes = [max(8, round(share * side)) for share in BLOCKS]
    block = next((size for size in sizes if len(_places(source, size)) >= FEWEST), None)
    if block is None:
        return
    ours = _Layers(np.where(target[..., None], drawn, photo), target | source, sigma)
    # Only what is missing is added to the detail that the network drew itself.
    own, wanted = (float(np.square(ours.detail[mask]).mean()) for mask in (target, source))
    gain = float(np.sqrt(np.clip(1 - own / max(wanted, 1e-6), 0, 1)))
    if gain < 0.1:
        return
    canvas, theirs = np.where(source[..., None], ours.detail, 0), _Layers(photo, source, sigma)
    _quilt(canvas, source.copy(), target, ours, _Blocks([theirs, theirs.mirrored()], block), check)
    share = cv2.GaussianBlur((target | source).astype(np.float32), (0, 0), max(0.5, EDGE * side))[..., None]
    mixed = drawn + share * gain * canvas
    result[target] = mixed[target]


class _Layers:
    """What blocks are compared by, of a picture (S, S, 3) float32 where it is ``shown`` (S, S) bool."""

    def __init__(self, picture: np.ndarray, shown: np.ndarray, sigma: float):
        self.shown, mask = shown, shown.astype(np.float32)
        self.smooth = blurred(picture, mask, sigma)
        """(S, S, 3) float32, colours."""
        self.detail = (picture - self.smooth) * mask[..., None]
        """(S, S, 3) float32, what is finer than ``sigma``."""
        grey = grey_of(self.detail)
        shape = blurred(grey, mask, sigma / 3) * mask
        self.shape = shape / max(float(shape[shown].std()), 1e-3)
        """(S, S) float32, coarser detail, which a network draws, with a deviation of one."""
        self.light = grey_of(self.smooth) * mask
        """(S, S) float32, light and shade."""

    def mirrored(self) -> _Layers:
        """The layers of the mirrored picture; without ``smooth``."""
        other = copy.copy(self)
        other.shown, other.detail = self.shown[:, ::-1], self.detail[:, ::-1]
        other.shape, other.light = self.shape[:, ::-1], self.light[:, ::-1]
        return other


def _places(shown: np.ndarray, block: int) -> np.ndarray:
    """(n, 2) int: rows and columns of the upper left corners of blocks that lie wholly in what is shown."""
    whole = cv2.erode(
        shown.astype(np.uint8),
        np.ones((block, block), np.uint8),
        anchor=(0, 0),
        borderType=cv2.BORDER_CONSTANT,
        borderValue=0,
    )
    return np.argwhere(whole)


def _cut(field: np.ndarray, places: np.ndarray, block: int, step: int) -> np.ndarray:
    """(n, k, k): every ``step``-th pixel of the blocks of a field (S, S) at places (n, 2)."""
    rows, columns = (places[:, axis, None] + np.arange(0, block, step) for axis in (0, 1))
    return field[rows[:, :, None], columns[:, None, :]]


class _Blocks:
    """Blocks of some pictures, all that may be laid."""

    def __init__(self, pictures: list[_Layers], block: int):
        self.block, self.step = block, max(1, block // 8)
        self.detail: list[np.ndarray] = []
        """(block, block, 3) float32 each; of the pictures' memory, as few of them are laid."""
        found = []
        for number, picture in enumerate(pictures):
            places, grey = _places(picture.shown, block), grey_of(picture.detail)
            most = MOST // len(pictures)
            if len(places):  # no moles, no edges that the label map misses: they would come again and again
                energy = cv2.blur(np.square(grey), (block, block), anchor=(0, 0))
                energy = energy[tuple(places.T)]
                places = places[energy <= max(np.quantile(energy, _ORDINARY), 1e-6)]
            places = places[np.linspace(0, len(places) - 1, min(len(places), most)).astype(int)]
            self.detail += [picture.detail[y : y + block, x : x + block] for y, x in places]
            found.append(
                (
                    _cut(grey, places, block, 2),
                    _cut(picture.shape, places, block, self.step),
                    _cut(picture.light, places, block, self.step),
                    number * _APART + places[:, 0] + 1j * places[:, 1],
                )
            )
        self.grey, self.shape, self.light, self.places = map(np.concatenate, zip(*found, strict=True))
        self.used = np.zeros(len(self.places))
        """How often each was laid, or one that shows some of the same."""
        self.contrast = max(float(np.square(self.grey).mean()), 1e-3)
        self.shade = max(float(self.light.var()), 1.0)


def _quilt(
    canvas: np.ndarray,
    placed: np.ndarray,
    target: np.ndarray,
    ours: _Layers,
    blocks: _Blocks,
    check: Callable[[], None],
) -> None:
    """Fill ``canvas`` (S, S, 3) where ``target`` is, block by block; ``placed`` (S, S) bool is where it is full."""
    random = np.random.default_rng(0)
    size, few = blocks.block, blocks.step
    step = max(1, round(size * (1 - OVERLAP)))
    x0, y0, width, height = cv2.boundingRect(target.astype(np.uint8))
    for top in range(y0 - size // 3, y0 + height, step):
        check()
        for left in range(x0 - size // 3, x0 + width, step):
            y, x = (min(max(0, at), len(canvas) - size) for at in (top, left))
            part = slice(y, y + size), slice(x, x + size)
            small = slice(y, y + size, few), slice(x, x + size, few)
            wanted, known = target[part], placed[part]
            if not (wanted & ~known).any():
                continue
            here = wanted[::few, ::few]
            cost = np.zeros(len(blocks.used))
            if here.any():
                cost += _SHAPE * np.square(blocks.shape[:, here] - ours.shape[small][here]).mean(axis=1)
                cost += _LIGHT / blocks.shade * np.square(blocks.light[:, here] - ours.light[small][here]).mean(axis=1)
            if known.any():
                seen = known[::2, ::2]
                off = np.square(blocks.grey[:, seen] - grey_of(canvas[part][::2, ::2])[seen])
                cost += _JOIN / blocks.contrast * off.mean(axis=1) if seen.any() else 0
            cost += _AGAIN * blocks.used
            chosen = random.choice(np.flatnonzero(cost <= _ANY_OF * cost.min()))
            # Its neighbours show much of the same.
            blocks.used *= _FORGET
            blocks.used += np.exp(-np.square(np.abs(blocks.places - blocks.places[chosen]) / (size / 2)))
            _lay(canvas[part], blocks.detail[chosen], known, wanted)
            placed[part] |= wanted


def _lay(canvas: np.ndarray, block: np.ndarray, known: np.ndarray, wanted: np.ndarray) -> None:
    """Lay a block over a part of the canvas, a view; over what is known already it fades out."""
    distance = cv2.distanceTransform((~(wanted & ~known)).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_3)
    reach = max(2.0, len(block) * OVERLAP / 2)
    weight = (np.clip(1 - distance / reach, 0, 1) * wanted)[..., None]
    # Of two textures that know nothing of each other the mean is paler than either; of two alike it is not.
    both = weight * (1 - weight)
    alike = float((both * block * canvas).sum())
    alike /= max(float(np.sqrt((both * np.square(block)).sum() * (both * np.square(canvas)).sum())), 1e-6)
    paler = np.sqrt(np.square(weight) + np.square(1 - weight) + 2 * max(0.0, alike) * both)
    canvas[:] = (weight * block + (1 - weight) * canvas) / paler
