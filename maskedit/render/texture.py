"""The photo's own texture in what an edit drew: strands of hair, pores, weave of cloth, grain.

A network trained on few photos draws the right colours and shapes, and draws them smooth. What is missing is fine
detail, and the photo has it: the same hair goes on ten pixels away. So the detail is laid into the edit in blocks taken
from where the photo shows the same label, chosen to fit the light they lie in, what the network drew there, the way the
strands run, and the blocks and the photo beside them: the texture transfer of image quilting (Efros and Freeman,
SIGGRAPH 2001), of detail alone. The photo's mirror image serves as well, and of hair the photo turned: strands go on
as they run at the rim of the hole, and further away they hang down.

Only numpy and OpenCV; all lengths are shares of the photo's side.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from maskedit.labels import ids_of
from maskedit.render.compositing import pulled


@dataclass(frozen=True)
class Texture:
    """Labels that share a texture, and what it is like."""

    members: tuple[int, ...]
    detail: float
    """Of the side: the standard deviation of the blur that parts detail from colour."""
    replaces: bool = False
    """Whether it takes the place of what the network drew that fine, or is added to it."""
    strands: bool = False
    """Whether it runs in a direction, and ends in wisps."""


TEXTURES = (
    Texture(ids_of("hair"), 0.028, replaces=True, strands=True),
    Texture(ids_of("skin", "nose", "neck", "l_ear", "r_ear"), 0.008),
    Texture(ids_of("cloth"), 0.010),
    Texture(ids_of("hat"), 0.008),
    Texture(ids_of("background"), 0.012),
    Texture(ids_of("l_brow", "r_brow"), 0.006),
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
TURNS = (0, 30, 60, 90, -60, -30)
"""Degrees by which the photo and its mirror image are turned, for strands."""
HANGING = 0.1
"""Of the side: so far from the photo's own strands, new ones hang down as much as they go on."""
EDGE = 0.003
"""Of the side: the standard deviation of the blur of a texture's edge."""
WISPS = 0.005
"""Of the side: so far beyond its painted edge single strands reach, and so far inside there are gaps between them."""
_LIGHT, _SHAPE, _FLOW, _JOIN = 0.3, 1.0, 4.0, 1.0
"""Weights in the cost of a block: of its differences from what is wanted in light, in the shapes that the network drew
and in direction, and of its difference from the neighbours that are laid already."""
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
    drawn = completion.astype(np.float32)
    result = drawn.copy()
    # What runs in strands comes last: its wisps lie over what is behind it.
    for texture in sorted(TEXTURES, key=lambda each: each.strands):
        target = hole & np.isin(labels, texture.members)
        source = ~hole & np.isin(reference_labels, texture.members)
        if target.any() and source.any():
            _add(result, drawn, photo.astype(np.float32), hole, target, source, texture, check)
    result = np.rint(np.clip(result, 0, 255)).astype(np.uint8)
    return np.where(hole[..., None], result, completion)


def _add(
    result: np.ndarray,
    drawn: np.ndarray,
    photo: np.ndarray,
    hole: np.ndarray,
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
    canvas, around = np.where(source[..., None], ours.detail, 0), target
    theirs = _Layers(photo, source, sigma)
    turns = TURNS if texture.strands else TURNS[:1]
    blocks = _Blocks([theirs.turned(degrees, mirror) for mirror in (False, True) for degrees in turns], block)
    gain = 1.0
    if texture.strands:
        ours.flow = np.where(source, ours.flow, _going_on(ours.flow, source))
        reach = round(WISPS * side)
        around = cv2.dilate(target.astype(np.uint8), np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)) > 0
        around &= hole & ~source
    else:
        ours.flow[:], blocks.flow[:] = 0, 0
    if texture.replaces:
        blocks.shape[:], ours.shape[:] = 0, 0
    else:
        # Only what is missing is added to the detail that the network drew itself.
        own, wanted = (float(np.square(ours.detail[mask]).mean()) for mask in (target, source))
        gain = float(np.sqrt(np.clip(1 - own / max(wanted, 1e-6), 0, 1)))
        if gain < 0.1:
            return
    _quilt(canvas, source.copy(), around, ours, blocks, check)
    new = ours.smooth + canvas if texture.replaces else drawn + gain * canvas
    if texture.strands:
        share = _strands(target, source, _grey(canvas), WISPS * side)
        behind = _blurred(result, (~target & ~source).astype(np.float32), max(1.0, WISPS * side / 2))
        behind = np.where(target[..., None], behind, result)
    else:
        share = cv2.GaussianBlur((target | source).astype(np.float32), (0, 0), max(0.5, EDGE * side))
        behind = drawn
    mixed = share[..., None] * new + (1 - share[..., None]) * behind
    result[around] = mixed[around]


def _strands(target: np.ndarray, source: np.ndarray, grey: np.ndarray, reach: float) -> np.ndarray:
    """How much of each pixel (S, S) float32 strands cover: all inside, none outside, and light ones reach further."""
    inside, outside = (
        cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5)
        for mask in (target | source, ~(target | source))
    )
    strands = cv2.GaussianBlur(grey, (0, 0), reach / 4)
    strands = strands / max(float(strands[source].std()), 1e-3)
    share = np.clip((inside - outside) / (2 * reach) + 0.5 + 0.25 * np.clip(strands, -1.5, 1.5), 0, 1)
    return (share * share * (3 - 2 * share)).astype(np.float32)


class _Layers:
    """What blocks are compared by, of a picture (S, S, 3) float32 where it is ``shown`` (S, S) bool."""

    def __init__(self, picture: np.ndarray, shown: np.ndarray, sigma: float):
        self.shown, mask = shown, shown.astype(np.float32)
        self.smooth = _blurred(picture, mask, sigma)
        """(S, S, 3) float32, colours."""
        self.detail = (picture - self.smooth) * mask[..., None]
        """(S, S, 3) float32, what is finer than ``sigma``."""
        grey = _grey(self.detail)
        shape = _blurred(grey, mask, sigma / 3) * mask
        self.shape = shape / max(float(shape[shown].std()), 1e-3)
        """(S, S) float32, coarser detail, which a network draws, with a deviation of one."""
        self.light = _grey(self.smooth) * mask
        """(S, S) float32, light and shade."""
        self.flow = _flow(grey, shown, sigma)
        """(S, S) complex64: exp(2 i angle) of the direction in which it runs, shorter where that is unsure."""

    def turned(self, degrees: float, mirror: bool) -> _Layers:
        """The layers of the picture, mirrored and then turned counterclockwise; without ``smooth``."""
        side = len(self.shown)
        matrix = cv2.getRotationMatrix2D(((side - 1) / 2, (side - 1) / 2), degrees, 1)
        if mirror:
            matrix = matrix @ np.array([[-1.0, 0, side - 1], [0, 1, 0], [0, 0, 1]])

        def moved(field: np.ndarray, how: int = cv2.INTER_LINEAR) -> np.ndarray:
            return cv2.warpAffine(field, matrix, (side, side), flags=how) if degrees or mirror else field

        other = copy.copy(self)
        other.shown = moved(self.shown.astype(np.float32)) > 0.99
        other.detail = moved(self.detail, cv2.INTER_CUBIC)
        other.shape, other.light = moved(self.shape), moved(self.light)
        # Rows run down, angles up: the picture turns by minus the degrees, its double angle by twice that.
        real, imaginary = moved(self.flow.real.copy()), moved(self.flow.imag.copy())
        flow = real + 1j * (-imaginary if mirror else imaginary)
        other.flow = flow * np.exp(-2j * np.deg2rad(degrees))
        return other


def _grey(colours: np.ndarray) -> np.ndarray:
    """The mean (...) float32 of (..., 3) float32; numpy's own takes ten times as long, with the same result."""
    return (colours[..., 0] + colours[..., 1] + colours[..., 2]) / np.float32(3)


def _flow(grey: np.ndarray, shown: np.ndarray, sigma: float) -> np.ndarray:
    """The structure tensor (Bigun and Granlund 1987), as its double angle times its coherence."""
    inner = cv2.erode(shown.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(np.float32)
    across, down = cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1)
    parts = [across * across - down * down, 2 * across * down, across * across + down * down]
    real, imaginary, energy = cv2.split(_gaussian(np.dstack([part * inner for part in parts]), sigma))
    # Strands run across the gradient: the double angle turns by half a circle.
    return -(real + 1j * imaginary) / (energy + 1e-3)


def _going_on(flow: np.ndarray, source: np.ndarray) -> np.ndarray:
    """Directions (S, S) complex64 beyond where they are known: as at the nearest such place; further off they hang."""
    weight = source.astype(np.float32)
    known = np.dstack([flow.real * weight, flow.imag * weight, np.zeros_like(weight), weight])
    spread = pulled(known.astype(np.float32))
    spread = spread[..., 0] + 1j * spread[..., 1]
    far = cv2.distanceTransform((~source).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5)
    on = np.exp(-far / (HANGING * len(flow)) * np.log(2))
    return on * spread - (1 - on) * 0.8


def _blurred(picture: np.ndarray, mask: np.ndarray, sigma: float) -> np.ndarray:
    """A Gaussian blur of (S, S[, 3]) float32 that looks at nothing outside the mask (S, S) float32."""
    fields = np.dstack([picture * (mask[..., None] if picture.ndim == 3 else mask), mask])
    fields = _gaussian(fields, sigma)
    blurred = fields[..., :-1] / np.maximum(fields[..., -1:], 1e-3)
    return blurred if picture.ndim == 3 else blurred[..., 0]


def _gaussian(fields: np.ndarray, sigma: float) -> np.ndarray:
    """A Gaussian blur of (S, S, C) float32; a wide one at a lower resolution, where it takes a tenth of the time."""
    shrink = max(1, int(sigma // 3))
    if shrink == 1:
        return cv2.GaussianBlur(fields, (0, 0), sigma)
    size = fields.shape[1::-1]
    small = cv2.resize(fields, tuple(-(-each // shrink) for each in size), interpolation=cv2.INTER_AREA)
    return cv2.resize(cv2.GaussianBlur(small, (0, 0), sigma / shrink), size, interpolation=cv2.INTER_LINEAR)


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
            places, grey = _places(picture.shown, block), _grey(picture.detail)
            most = MOST // len(pictures)
            if len(places):  # no moles, no edges that the label map misses: they would come again and again
                energy = cv2.blur(np.square(grey), (block, block), anchor=(0, 0))
                energy = energy[tuple(places.T)]
                places = places[energy <= max(np.quantile(energy, _ORDINARY), 1e-6)]
            places = places[np.linspace(0, len(places) - 1, min(len(places), most)).astype(int)]
            self.detail += [picture.detail[y : y + block, x : x + block] for y, x in places]
            real, imaginary = (
                cv2.blur(each.copy(), (block, block), anchor=(0, 0))[tuple(places.T)]
                for each in (picture.flow.real, picture.flow.imag)
            )
            found.append(
                (
                    _cut(grey, places, block, 2),
                    _cut(picture.shape, places, block, self.step),
                    _cut(picture.light, places, block, self.step),
                    real + 1j * imaginary,
                    number * _APART + places[:, 0] + 1j * places[:, 1],
                )
            )
        self.grey, self.shape, self.light, self.flow, self.places = map(np.concatenate, zip(*found, strict=True))
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
            cost += _FLOW * np.square(np.abs(blocks.flow - ours.flow[part][wanted].mean()))
            if known.any():
                seen = known[::2, ::2]
                off = np.square(blocks.grey[:, seen] - _grey(canvas[part][::2, ::2])[seen])
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
