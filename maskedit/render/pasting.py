"""The edit back into the whole photo, at the photo's own resolution."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np

from maskedit.imaging import Square
from maskedit.imaging.squares import centred, pixels_around
from maskedit.render.compositing import Composite, blended

_TILE = 512
"""Pixels: the photo is worked on in tiles of this side, some 20 MB of floats at a time whatever its size."""
_EDGE = 0.04
"""Of the square's side: where the photo goes on beyond the square, the edit fades out over this width inside it."""


def paste_back(original: np.ndarray, square: Square, composite: Composite) -> np.ndarray:
    """The whole photo with the edit in it, as a new (H, W, 3) uint8; pixels without any of the edit stay bit for bit.

    The difference that the edit makes is enlarged, not the face: where the labels stayed, the photo keeps the detail
    that the square never had. An edit that reaches an edge of the square fades out there if the photo goes on.

    Args:
        original: (H, W, 3) uint8 RGB, the photo that the square was cut from.
        square: where; it may be turned and reach beyond the photo's edges.
        composite: what came of the edit in the square, of any side.

    Raises:
        ValueError: no photo.
    """
    if original.ndim != 3 or original.shape[2] != 3 or original.dtype != np.uint8:
        raise ValueError(f"a photo is (H, W, 3) uint8, not {original.shape} {original.dtype}")
    height, width = original.shape[:2]
    result = original.copy()
    alpha, *fields = _sampled_down(
        [composite.alpha, composite.replace_mask, composite.replacement, composite.residual], square
    )
    alpha = alpha * inside_square(square, len(alpha), width=width, height=height)
    for tile, to_square in _tiles(alpha, square, width=width, height=height):
        _paste_tile(result[tile], [alpha, *fields], to_square)
    return result


def pasted_alpha(square: Square, composite: Composite, *, width: int, height: int) -> np.ndarray:
    """How much of an edit `paste_back` shows at each pixel of a photo, as (height, width) uint8, 0..255.

    It is rounded up: 0 is where not the least of the edit shows.

    Args:
        square: as for `paste_back`; likewise ``composite``.
        width: of the photo that the square was cut from, in pixels; likewise ``height``.
    """
    result = np.zeros((height, width), np.uint8)
    (alpha,) = _sampled_down([composite.alpha], square)
    alpha = alpha * inside_square(square, len(alpha), width=width, height=height)
    for tile, to_square in _tiles(alpha, square, width=width, height=height):
        part = result[tile]
        part[:] = np.ceil(255 * _warped(alpha, to_square, part.shape[::-1], cv2.INTER_LINEAR))
    return result


def _tiles(
    alpha: np.ndarray, square: Square, *, width: int, height: int
) -> Iterator[tuple[tuple[slice, slice], np.ndarray]]:
    """Tiles of the photo, rows and columns, that together hold all in which an ``alpha`` (side, side) is not 0.

    Each with its map (2, 3) from continuous pixels of the tile to those of the square.
    """
    left, top, right, bottom = _bounds(alpha, square, width=width, height=height)
    to_square = cv2.invertAffineTransform(square.matrix(len(alpha)))
    for y in range(top, bottom, _TILE):
        for x in range(left, right, _TILE):
            tile = slice(y, min(y + _TILE, bottom)), slice(x, min(x + _TILE, right))
            yield tile, np.column_stack([to_square[:, :2], to_square @ [x, y, 1]])


def _paste_tile(photo: np.ndarray, fields: list[np.ndarray], to_square: np.ndarray) -> None:
    """Blend the fields into ``photo``, a view of a tile; see `_tiles`."""
    size = photo.shape[1::-1]
    alpha, replace_mask, replacement, residual = fields
    # Cubic interpolation overshoots: 0 would not stay 0.
    alpha = _warped(alpha, to_square, size, cv2.INTER_LINEAR)
    if alpha.any():
        photo[:] = blended(
            photo,
            alpha=alpha,
            replacement=_warped(replacement, to_square, size, cv2.INTER_CUBIC),
            residual=_warped(residual, to_square, size, cv2.INTER_CUBIC),
            replace_mask=_warped(replace_mask, to_square, size, cv2.INTER_LINEAR),
        )


def _warped(field: np.ndarray, to_square: np.ndarray, size: tuple[int, int], interpolation: int) -> np.ndarray:
    """A field of the square in a tile of ``size`` (width, height)."""
    # Beyond the square the outermost pixels go on: alpha is 0 there, or the photo ends with the square.
    return cv2.warpAffine(
        field,
        centred(to_square),
        size,
        flags=interpolation | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )


def inside_square(square: Square, side: int, *, width: int, height: int) -> np.ndarray:
    """(side, side) float32: 0 at those edges of the square beyond which the photo goes on, growing to 1 inside."""
    ramp = np.clip(np.arange(side, dtype=np.float32) / max(1, _EDGE * side), 0, 1)
    ramp = ramp * ramp * (3 - 2 * ramp)
    to_square = cv2.invertAffineTransform(square.matrix(1))
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]]) @ to_square[:, :2].T + to_square[:, 2]
    before, behind = -corners.min(axis=0) * square.side, (corners.max(axis=0) - 1) * square.side
    lines = []
    for axis in (0, 1):
        line = np.ones(side, np.float32)
        # A square that ends one pixel short of the photo's edge is meant to end there.
        if before[axis] > 1.01:
            line *= ramp
        if behind[axis] > 1.01:
            line *= ramp[::-1]
        lines.append(line)
    across, down = lines
    return down[:, None] * across


def _sampled_down(fields: list[np.ndarray], square: Square) -> list[np.ndarray]:
    """The fields at about the square's own resolution in the photo, if that is less: sampling would skip pixels."""
    side = fields[0].shape[0]
    wanted = max(1, round(square.side))
    if wanted * 1.25 >= side:
        return fields
    return [cv2.resize(field, (wanted, wanted), interpolation=cv2.INTER_AREA) for field in fields]


def _bounds(alpha: np.ndarray, square: Square, *, width: int, height: int) -> tuple[int, int, int, int]:
    """Left, top, right, bottom in the photo around all that is not 0 in ``alpha``; nothing between them if all is."""
    x, y, across, down = cv2.boundingRect((alpha > 0).astype(np.uint8))
    if not across:
        return 0, 0, 0, 0
    # A little more: between two pixels there is some of both.
    x0, y0, x1, y1 = x - 2, y - 2, x + across + 2, y + down + 2
    box = np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]])
    matrix = square.matrix(alpha.shape[0])
    return pixels_around(box @ matrix[:, :2].T + matrix[:, 2], width=width, height=height)
