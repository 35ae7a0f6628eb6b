"""The edit back into the whole photo, at the photo's own resolution."""

from __future__ import annotations

import cv2
import numpy as np

from maskedit.imaging import Square
from maskedit.imaging.squares import centred
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
    fields = _sampled_down([composite.alpha, composite.replace_mask, composite.replacement, composite.residual], square)
    side = fields[0].shape[0]
    fields[0] = fields[0] * inside_square(square, side, width=width, height=height)
    left, top, right, bottom = _bounds(fields[0], square, width=width, height=height)
    to_square = cv2.invertAffineTransform(square.matrix(side))
    for y in range(top, bottom, _TILE):
        for x in range(left, right, _TILE):
            tile = slice(y, min(y + _TILE, bottom)), slice(x, min(x + _TILE, right))
            _paste_tile(result[tile], fields, np.column_stack([to_square[:, :2], to_square @ [x, y, 1]]))
    return result


def _paste_tile(photo: np.ndarray, fields: list[np.ndarray], to_square: np.ndarray) -> None:
    """Blend the fields into ``photo``, a view; ``to_square`` (2, 3) maps its continuous pixels to the square's."""

    def warped(field: np.ndarray, interpolation: int) -> np.ndarray:
        # Beyond the square the outermost pixels go on: alpha is 0 there, or the photo ends with the square.
        return cv2.warpAffine(
            field,
            centred(to_square),
            photo.shape[1::-1],
            flags=interpolation | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )

    alpha, replace_mask, replacement, residual = fields
    # Cubic interpolation overshoots: 0 would not stay 0.
    alpha = warped(alpha, cv2.INTER_LINEAR)
    if alpha.any():
        photo[:] = blended(
            photo,
            alpha=alpha,
            replacement=warped(replacement, cv2.INTER_CUBIC),
            residual=warped(residual, cv2.INTER_CUBIC),
            replace_mask=warped(replace_mask, cv2.INTER_LINEAR),
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
    corners = box @ matrix[:, :2].T + matrix[:, 2]
    left, top = np.clip(np.floor(corners.min(axis=0)), 0, [width, height]).astype(int)
    right, bottom = np.clip(np.ceil(corners.max(axis=0)), 0, [width, height]).astype(int)
    return int(left), int(top), int(right), int(bottom)
