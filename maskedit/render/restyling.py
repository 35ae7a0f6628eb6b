"""Colours by region: a photo in whose hair, lips or skin the colours of another photo are.

A style is the mean and the spread of a region's colours in CIE Lab, and a region takes it as in Reinhard et al., "Color
Transfer between Images" (2001), with the limits that photos of faces ask for. Lightness moves along a curve that leaves
black and white where they are, so that highlights and shadows stay; fine detail grows with it by little, and what is as
small as the noise not at all. Chroma follows lightness, as it does under one light: shadows stay dull.

Where a region ends is said by a matte (`maskedit.render.mattes`). All of it is found out once, in the square that is
edited, and can be laid into the photo at any size: there its own pixels are recoloured, as sharp as they were. Only
numpy and OpenCV.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import cv2
import numpy as np

from maskedit import imaging
from maskedit.document.styles import PartStyle, Styles
from maskedit.imaging import Square
from maskedit.imaging.squares import centred, pixels_around
from maskedit.labels import BACKGROUND, STYLE_PARTS
from maskedit.render.compositing import Composite, blended
from maskedit.render.mattes import HAIRY, PLAIN, Edge, Matte, lightness_base, matte_of
from maskedit.render.part_colours import GLASSES, SEEN_THROUGH, Colours, colours_of, lab_of, region_of
from maskedit.render.pasting import inside_square

_EDGES: dict[str, Edge | None] = {"lips": PLAIN, "eyes": None, "glasses": None}
"""Of parts that do not end like hair or against it; of eyes and glasses each pixel is told by its colour already."""
_FLATTEST, _LIVELIEST, _SMOOTH = 0.5, 1.5, 1.1
"""How much the contrast of lightness may change, as factors; of what is no hair it grows by less."""
_STRANDS = ("hair", "brows")
_CHROMA = 0.5, 1.1
"""Likewise the differences of a and b from their mean."""
_DETAIL = 0.4, 1.6
"""Likewise fine detail."""
_USUAL = 2.5
"""Standard deviations: how far a and b are carried over from their mean."""
_CURVED = 0.7
"""The share of a curve that leaves black and white where they are; the rest moves all lightness alike, or the shadows
in hair that becomes blond would stay black."""
_DARKEST, _LIGHTEST = 0.02, 0.98
"""Lightness, 0..1, as the curve takes it: its logarithms end there."""
_MATT = 16.0
"""L, a and b of a surface change in one ratio with the light on it, if this is added to L, as CIE Lab is defined."""
_WIDER = 1.75
"""How much larger a square is in which parts are looked for that go on beyond the photo's own."""
_TILE = 512
"""Pixels: the whole photo is recoloured in tiles of this side."""


Parse = Callable[[np.ndarray], np.ndarray]
"""The label map (S, S) uint8 of a photo (S, S, 3) uint8, as of a `maskedit.FaceParser`."""


@dataclass(frozen=True)
class _Recolouring:
    """The curve that takes one region's colours to another's."""

    own: Colours
    wanted: Colours
    noise: float
    """The standard deviation of the noise of L."""
    liveliest: float = _LIVELIEST
    """The greatest factor of contrast."""

    def __call__(self, lab: np.ndarray, base: np.ndarray) -> np.ndarray:
        """(h, w, 3) float32 in CIE Lab recoloured; ``base`` (h, w) float32 is its L without fine detail."""
        own, wanted = self.own.mean, self.wanted.mean
        growth = np.clip(self.wanted.spread[0] / max(self.own.spread[0], 1.0), _FLATTEST, self.liveliest)
        before = np.clip(base / 100, _DARKEST, _LIGHTEST)
        contrast = growth * _steepness(own[0]) / _steepness(wanted[0])
        logit = contrast * (np.log(before / (1 - before)) - _logit(own[0])) + _logit(wanted[0])
        curved = 1 / (1 + np.exp(-logit))
        gain = contrast * curved * (1 - curved) / (before * (1 - before))
        after = _CURVED * curved + (1 - _CURVED) * (wanted[0] / 100 + growth * (before - own[0] / 100))
        gain = np.clip(_CURVED * gain + (1 - _CURVED) * growth, *_DETAIL)
        detail = lab[..., 0] - base
        # As small as the noise it is left as it is.
        sure = np.minimum(np.abs(detail) / (4 * self.noise), 1)
        lightness = 100 * after + (1 + (gain - 1) * np.where(gain > 1, sure, 1)) * detail
        lightness = np.clip(np.maximum(_below(lightness, self.wanted), np.minimum(lightness, lab[..., 0])), 0, 100)
        result = np.empty_like(lab)
        result[..., 0] = lightness
        lit = min(1.0, (own[0] + _MATT) / (wanted[0] + _MATT))  # the chroma of what is nearly black is noise
        for channel in (1, 2):
            growth = np.clip(self.wanted.spread[channel] / max(self.own.spread[channel], 0.5), *_CHROMA) * lit
            # What is far off the region's colours is some of what lies beside it.
            usual = _USUAL * max(self.own.spread[channel], 1.0)
            off = np.clip(lab[..., channel] - _chroma(lab[..., 0], self.own, channel), -usual, usual)
            result[..., channel] = _chroma(lightness, self.wanted, channel) + growth * off
        return result


def _below(lightness: np.ndarray, wanted: Colours) -> np.ndarray:
    """L as it is, and above what is usual for the wanted colours pressed together: gloss on black is no white."""
    knee, room = wanted.mean[0] + wanted.spread[0], 1.5 * max(wanted.spread[0], 4.0)
    above = np.maximum(lightness - knee, 0)
    return np.minimum(lightness, knee) + room * above / (room + above)


def _logit(lightness: float) -> float:
    share = min(max(lightness / 100, _DARKEST), _LIGHTEST)
    return float(np.log(share / (1 - share)))


def _steepness(lightness: float) -> float:
    """Of a logistic curve where it has this value, 0..100: it is steepest in the middle."""
    share = min(max(lightness / 100, _DARKEST), _LIGHTEST)
    return share * (1 - share)


def _chroma(lightness: np.ndarray, colours: Colours, channel: int) -> np.ndarray:
    """The a or b that a region usually has where it has a lightness (h, w): less in black and in gloss."""
    mean = colours.mean[0]
    gloss = np.clip((lightness - mean) / max(100 - mean, 1), 0, 1)
    if colours.tilt is None:
        usual = np.minimum((lightness + _MATT) / (mean + _MATT), 1.1) * colours.mean[channel]
    else:
        reach = 2 * max(colours.spread[0], 4.0)
        tilted = colours.mean[channel] + colours.tilt[channel - 1] * np.clip(lightness - mean, -reach, reach)
        usual = np.minimum(lightness / _MATT, 1) * tilted
    return usual * (1 - gloss * gloss)


class Restyling:
    """What styles do to one photo; what is found out about it is kept, so that another strength is soon shown.

    Args:
        photo: (S, S, 3) uint8 RGB, the square that is edited; it is kept, not copied.
        labels: (S, S) uint8 ids, what it shows; likewise.
    """

    def __init__(self, photo: np.ndarray, labels: np.ndarray):
        self._photo, self._labels = photo, labels
        self._found: dict[str, _Found | None] = {}

    def shows(self, part: str) -> bool:
        """Whether the photo shows enough of a part to recolour it."""
        return self._part(part) is not None

    def square(self, styles: Styles) -> tuple[np.ndarray, np.ndarray]:
        """The photo with styles, as a new array, and how much of them there is.

        Args:
            styles: by part; those that the photo does not show are left out.

        Returns:
            (S, S, 3) uint8 RGB and (S, S) float32, 0..1: where this is 0, the photo is unchanged, bit for bit.
        """
        image = self._photo.copy()
        layers = self._layers(styles)
        if not layers:
            return image, np.zeros(image.shape[:2], np.float32)
        return image, _recolour(image, [(found.alpha, curve) for found, curve in layers], self._base)

    def whole(self, styles: Styles, original: np.ndarray, square: Square, parse: Parse | None = None) -> np.ndarray:
        """A whole photo with styles in the square that was given as a photo; its own pixels are recoloured.

        Args:
            styles: by part; those that the photo does not show are left out.
            original: (H, W, 3) uint8 RGB.
            square: where in it the photo lies.
            parse: the label map (S, S) uint8 of a photo (S, S, 3) uint8, to see where a part goes on beyond the square,
                as long hair does; None has styles fade out before the square ends.

        Returns:
            A new (H, W, 3) uint8 RGB.
        """
        result = original.copy()
        layers = self._layers(styles)
        if not layers:
            return result
        height, width = original.shape[:2]
        pieces = [self._piece(styles, square, inside_square(square, len(self._photo), width=width, height=height))]
        cut_off = pieces[0].share < 1
        if parse is not None and any(found.alpha[cut_off].any() for found, _ in layers):
            wide = Square(square.x, square.y, _WIDER * square.side, square.degrees)
            wider = self._wider(imaging.cut_square(original, wide, len(self._photo)), parse)
            share = inside_square(wide, len(self._photo), width=width, height=height)
            pieces.append(wider._piece(styles, wide, share))
        left, top, right, bottom = pixels_around(pieces[-1].square.corners(), width=width, height=height)
        for y in range(top, bottom, _TILE):
            for x in range(left, right, _TILE):
                tile = result[y : min(y + _TILE, bottom), x : min(x + _TILE, right)]
                alphas, base = _tile_fields(pieces, tile, x, y)
                _recolour(tile, [(alphas[part], curve) for part, curve in self._curves(styles)], base)
        return result

    def _piece(self, styles: Styles, square: Square, share: np.ndarray) -> _Piece:
        mattes = {part: found.matte for part in styles if (found := self._part(part)) is not None}
        return _Piece(square, share, mattes, self._base)

    def _wider(self, photo: np.ndarray, parse: Parse) -> Restyling:
        """What is found out about a wider square around this one, (S, S, 3) uint8, whose own labels stay in it.

        Of what the parser sees around it only that counts which is connected with a region of the square.
        """
        side, labels = len(photo), parse(photo).copy()
        inner = round(side / _WIDER)
        first = (side - inner) // 2
        box = slice(first, first + inner), slice(first, first + inner)
        labels[box] = imaging.resize_labels(self._labels, (inner, inner))
        for ids in STYLE_PARTS.values():
            mask = np.isin(labels, ids)
            _, index = cv2.connectedComponents(mask.astype(np.uint8))
            connected = np.unique(index[box])
            labels[mask & ~np.isin(index, connected)] = BACKGROUND
        return Restyling(photo, labels)

    @cached_property
    def _lab(self) -> np.ndarray:
        return lab_of(self._photo)

    @cached_property
    def _base(self) -> np.ndarray:
        return lightness_base(self._lab[..., 0])

    def _curves(self, styles: Styles) -> list[tuple[str, _Recolouring]]:
        """The parts that are recoloured, and how."""
        curves = []
        for part, style in styles.items():
            found = self._part(part) if style.strength else None
            if found is not None:
                liveliest = _LIVELIEST if part in _STRANDS else _SMOOTH
                wanted = _wanted(style, found.colours)
                curves.append((part, _Recolouring(found.colours, wanted, found.noise, liveliest)))
        return curves

    def _layers(self, styles: Styles) -> list[tuple[_Found, _Recolouring]]:
        return [(self._found[part], curve) for part, curve in self._curves(styles)]

    def _part(self, part: str) -> _Found | None:
        if part not in self._found:
            self._found[part] = self._look_at(part)
        return self._found[part]

    def _look_at(self, part: str) -> _Found | None:
        if not np.isin(self._labels, STYLE_PARTS[part]).any():
            return None
        region = region_of(self._lab, self._labels, part)
        colours = colours_of(self._lab, region)
        if colours is None:
            return None
        matte = matte_of(self._photo, region, _EDGES.get(part, HAIRY))
        alpha = Matte.alpha(matte.fields, self._photo.astype(np.float32) / 255)
        return _Found(matte, alpha, colours, _noise(self._lab[..., 0], region))


def restyle_drawn(
    photo: np.ndarray, composite: Composite, reference_labels: np.ndarray, labels: np.ndarray, styles: Styles
) -> Composite:
    """What an edit drew, with styles of parts that only the edit shows: glasses that were put on, say.

    Args:
        photo: (S, S, 3) uint8 RGB, what the composite is laid into.
        composite: the edit.
        reference_labels: (S, S) uint8 ids, what the photo shows: eyes, say, which are seen through the glasses.
        labels: (S, S) uint8 ids, what the composite shows.
        styles: by part.
    """
    drawn = composite.alpha > 0
    if not styles or not drawn.any():
        return composite
    new = np.rint(np.clip(composite.replacement, 0, 255)).astype(np.uint8)
    picture = np.where(drawn[..., None], new, photo)
    seen_through = (labels == GLASSES) & np.isin(reference_labels, SEEN_THROUGH)
    image, _ = Restyling(picture, np.where(seen_through, reference_labels, labels)).square(styles)
    replacement = composite.replacement + (image.astype(np.float32) - picture)
    fields = {"alpha": composite.alpha, "residual": composite.residual, "replace_mask": composite.replace_mask}
    return replace(composite, replacement=replacement, image=blended(photo, replacement=replacement, **fields))


@dataclass(frozen=True, eq=False)
class _Found:
    """A part of the photo."""

    matte: Matte
    alpha: np.ndarray
    """(S, S) float32, 0..1: the matte in the square."""
    colours: Colours
    noise: float


@dataclass(frozen=True, eq=False)
class _Piece:
    """A square of the whole photo, and what is known there."""

    square: Square
    share: np.ndarray
    """(S, S) float32, 0..1: less than 1 near those edges beyond which the photo goes on."""
    mattes: dict[str, Matte]
    base: np.ndarray

    @cached_property
    def planes(self) -> dict[str, list[np.ndarray]]:
        """The fields of each matte, as `cv2.warpAffine` takes them: split once, though warped for each tile."""
        return {
            part: [np.ascontiguousarray(matte.fields[..., first : first + 4]) for first in (0, 4)]
            for part, matte in self.mattes.items()
        }


def _tile_fields(pieces: list[_Piece], tile: np.ndarray, x: int, y: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """For pixels of the whole photo, which begin at (x, y), the alphas of all parts and the base of lightness.

    The first piece that knows a pixel says what it shows, and the next one where that ends.
    """
    guide = tile.astype(np.float32) / 255
    left_over = np.ones(tile.shape[:2], np.float32)
    alphas = {part: np.zeros_like(left_over) for part in pieces[0].mattes}
    base = np.zeros((*tile.shape[:2], 2), np.float32)
    for piece in pieces:
        to_square = cv2.invertAffineTransform(piece.square.matrix(len(piece.share)))
        matrix = centred(np.column_stack([to_square[:, :2], to_square @ [x, y, 1]]))
        share = left_over * _warped(piece.share, matrix, tile.shape)
        for part, alpha in alphas.items():
            if part in piece.mattes:
                fields = [_warped(plane, matrix, tile.shape) for plane in piece.planes[part]]
                alpha += share * Matte.alpha(np.concatenate(fields, axis=2), guide)
        base += share[..., None] * _warped(piece.base, matrix, tile.shape)
        left_over = left_over - share
    # Where the pieces end, what they knew is taken as it was.
    return alphas, base / np.maximum(1 - left_over, 1e-3)[..., None]


def _recolour(photo: np.ndarray, layers: list[tuple[np.ndarray, _Recolouring]], base: np.ndarray) -> np.ndarray:
    """Recolour a photo (h, w, 3) uint8 in place, by alphas (h, w) float32 and a field of its size (h, w, 2); how much
    of each pixel is recoloured comes back, (h, w) float32."""
    total = np.sum([alpha for alpha, _ in layers], axis=0)
    where = total > 0
    colours = photo[where].astype(np.float32)[:, None] / 255  # (n, 1, 3)
    if not len(colours):
        return total
    lab = cv2.cvtColor(colours, cv2.COLOR_RGB2LAB)
    smooth = base[where][:, None, 0] * lab[..., 0] + base[where][:, None, 1]
    change = np.zeros_like(colours)
    for alpha, recolouring in layers:
        share = alpha[where] / np.maximum(total[where], 1)  # together no more than all of a pixel
        new = cv2.cvtColor(recolouring(lab, smooth), cv2.COLOR_LAB2RGB)
        change += share[:, None, None] * (np.clip(new, 0, 1) - colours)
    photo[where] = np.rint(255 * (colours + change)).clip(0, 255).astype(np.uint8)[:, 0]
    return np.minimum(total, 1)


def _wanted(style: PartStyle, own: Colours) -> Colours:
    """What a region is to have at the strength of its style."""
    spread = own.spread if style.spread is None else style.spread
    # Of a tilt that is known on one side only, there is none in between.
    tilt = None if style.tilt is None or own.tilt is None else _between(own.tilt, style.tilt, style.strength)
    return Colours(_between(own.mean, style.mean, style.strength), _between(own.spread, spread, style.strength), tilt)


def _between(first: tuple, second: tuple, share: float) -> tuple:
    return tuple(a + share * (b - a) for a, b in zip(first, second, strict=True))


def _noise(lightness: np.ndarray, region: np.ndarray) -> float:
    """The standard deviation of what is as small as a pixel; a robust one, for edges are no noise."""
    rough = lightness - cv2.GaussianBlur(lightness, (0, 0), 0.7)
    return 0.05 + 2.0 * float(np.median(np.abs(rough[region > 0.5])))


def _warped(field: np.ndarray, matrix: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """A field of the square, of four channels at most, for pixels of the photo; 0 beyond the square."""
    return cv2.warpAffine(field, matrix, shape[1::-1], flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
