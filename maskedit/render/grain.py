"""The photo's own grain on what an edit drew: the noise of its sensor, which a network does not draw.

Grain is what is left of the finest detail even where a photo is smoothest. It is measured label by label, by medians,
in two bands of the finest widths, and how much of it the three colours share; the smoothest label shows it alone, all
others have detail of their own besides. What the drawn pixels of a label have less than that is added to them as noise
with such bands and colours. A photo without grain gets none.

Only numpy and OpenCV. Widths are pixels of the picture, however large it is: so fine is grain.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from functools import lru_cache

import cv2
import numpy as np

from maskedit.labels import NUM_LABELS
from maskedit.render.fields import grey_of

WIDTHS = (0.8, 2.0)
"""Pixels: the standard deviations of the blurs that part the two bands from each other and from all that is coarser."""
_TILE = 512
"""Pixels: pictures are worked on in tiles of this side, and the noise comes again after as many."""
_MARGIN = 8
"""Pixels beyond a tile that its bands look at."""
_FEWEST = 200
"""The fewest pixels of a label that say something about its grain."""
_MOST = 300_000
"""Pixels: of larger pictures as much is looked at, in windows that are spread evenly."""
_WINDOW = 32
"""Pixels: the side of such a window."""
_FAINT = 0.3
"""Levels of 255: noise of a lower standard deviation is not worth adding."""
_LITTLE = 0.15
"""Of the photo's grain: to lack less than this is to lack nothing, as far as can be measured."""
_SEEN = (5, 250)
"""Levels: a colour that is darker or lighter is cut off, and its grain with it."""
_DEVIATION = 1.4826
"""The standard deviation of normally distributed values as a multiple of the median of what they are off."""


def grained(edited: np.ndarray, photo: np.ndarray, fresh: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """An edited photo with the photo's grain in what was drawn anew, as far as that is missing there.

    Args:
        edited: (H, W, 3) uint8 RGB, the photo where ``fresh`` is 0.
        photo: (H, W, 3) uint8 RGB.
        fresh: (H, W) uint8, 0..255: how much of each pixel was drawn anew.
        labels: (H, W) uint8 ids that ``edited`` shows; others, such as 255, where nothing is known.

    Returns:
        (H, W, 3) uint8 RGB, the same as ``edited`` where ``fresh`` is 0. The same for the same arguments, always.
    """
    result = edited.copy()
    missing = _missing(edited, photo, fresh, labels)
    if not any(each.any() for each in missing.values()):
        return result
    # What is too small to be measured lacks what the others lack.
    mixes = np.tile(np.mean(list(missing.values()), axis=0, dtype=np.float32), (256, 1, 1))
    for label, variances in missing.items():
        mixes[label] = variances
    np.sqrt(mixes, out=mixes)
    white, soft = _noises(zlib.crc32(np.ascontiguousarray(photo[::16, ::16])))
    for rows, columns in _tiles(fresh > 0, _TILE, _TILE):
        part, share = result[rows, columns], fresh[rows, columns, None]
        mix = mixes[labels[rows, columns]]
        tile = tuple(slice(each.start % _TILE, each.start % _TILE + each.stop - each.start) for each in (rows, columns))
        noise = mix[:, :, 0] * white[tile] + mix[:, :, 1] * soft[tile]
        noise = (noise[..., :1] + noise[..., 1:]) * (share * np.float32(1 / 255))
        part[:] = np.rint(np.clip(part + noise, 0, 255))
    return result


def _missing(edited: np.ndarray, photo: np.ndarray, fresh: np.ndarray, labels: np.ndarray) -> dict[int, np.ndarray]:
    """Label -> the variances (2, 4) of the two noises that its drawn pixels lack: what all colours share, then each."""
    there = _measured(photo, fresh == 0, labels)
    grain = min(there.values(), key=np.sum, default=None)
    if grain is None or _faint(_mixed(grain)):
        return {}
    drawn = _measured(edited, fresh > 127, labels)
    missing = {label: _mixed(_lacking(own, grain)) for label, own in drawn.items()}
    return {label: each * (not _faint(each)) for label, each in missing.items()}


def _lacking(own: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """(2, 4): what variances lack to those that are wanted; of one band no more than both lack together."""
    missing = np.maximum(wanted - own, 0)
    total = (wanted - own).sum(axis=0)
    total[total < _LITTLE * wanted.sum(axis=0)] = 0
    return missing * (total / np.maximum(missing.sum(axis=0), 1e-6))


def _faint(variances: np.ndarray) -> bool:
    """Whether noise of the variances (2, 4) is not worth adding."""
    shared, *own = variances.sum(axis=0)
    return shared + np.mean(own) < _FAINT**2


def _measured(picture: np.ndarray, where: np.ndarray, labels: np.ndarray) -> dict[int, np.ndarray]:
    """Label -> variances (2, 4) of both bands in its pixels: what the colours share, then each colour's own.

    Labels with too few pixels are left out.
    """
    found: dict[int, list[np.ndarray]] = {}
    every = round((cv2.countNonZero(where.view(np.uint8)) / _MOST) ** 0.5)
    for rows, columns in _tiles(where, _TILE, _TILE) if every <= 1 else _tiles(where, _WINDOW, every * _WINDOW):
        bands, seen = _bands(picture, rows, columns)
        # Every second pixel tells as much: its neighbours are blurred together with it.
        ids = np.where(where[rows, columns] & seen, labels[rows, columns], 255)[::2, ::2]
        bands = bands[::2, ::2]
        for label in np.unique(ids[ids < NUM_LABELS]).tolist():
            found.setdefault(label, []).append(bands[ids == label])
    values = {label: np.concatenate(parts) for label, parts in found.items()}
    return {label: _variances(each) for label, each in values.items() if len(each) >= _FEWEST}


def _variances(bands: np.ndarray) -> np.ndarray:
    """(2, 4): what the colours share, then each one's own, of the pixels' bands (n, 2, 4): grey, red, green, blue."""
    both = np.square(_DEVIATION * np.median(np.abs(bands), axis=0))
    # Grey is their mean: its variance is what they share and a ninth of what each has of its own.
    shared = np.clip(1.5 * (both[:, 0] - both[:, 1:].sum(axis=1) / 9), 0, both[:, 1:].min(axis=1))
    return np.column_stack([shared, both[:, 1:] - shared[:, None]])


def _bands(picture: np.ndarray, rows: slice, columns: slice) -> tuple[np.ndarray, np.ndarray]:
    """Both bands of a tile (h, w, 2, 4) float32, of grey and of each colour; and where (h, w) light was seen at all."""
    top, left = max(0, rows.start - _MARGIN), max(0, columns.start - _MARGIN)
    part = picture[top : rows.stop + _MARGIN, left : columns.stop + _MARGIN].astype(np.float32)
    inner = slice(rows.start - top, rows.stop - top), slice(columns.start - left, columns.stop - left)
    fields = np.dstack([grey_of(part), part])
    bands = np.stack(_parted(fields), axis=2)[inner]
    darkest, lightest = (limit(fields[inner][..., 1:], axis=2) for limit in (np.min, np.max))
    return bands, (darkest > _SEEN[0]) & (lightest < _SEEN[1])


def _parted(fields: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both bands of fields (h, w, C) float32."""
    fine, coarse = (cv2.GaussianBlur(fields, (0, 0), width) for width in WIDTHS)
    return fields - fine, fine - coarse


@lru_cache(maxsize=1)
def _noises(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Two noises (_TILE, _TILE, 4) float32 of standard deviation one, white and soft, that go on at their edges."""
    random = np.random.default_rng(seed)
    white, other = random.standard_normal((2, _TILE, _TILE, 4), np.float32)
    return white, _softened(other)


def _softened(white: np.ndarray) -> np.ndarray:
    """The coarser band of white noise (h, w, C), as if it went on at the opposite edge, with a deviation of one."""
    wide = np.pad(white, ((_MARGIN, _MARGIN), (_MARGIN, _MARGIN), (0, 0)), mode="wrap")
    soft = _parted(wide)[1][_MARGIN:-_MARGIN, _MARGIN:-_MARGIN]
    return soft / soft.std()


def _mixed(variances: np.ndarray) -> np.ndarray:
    """(2, 4): how much of white and of soft noise has the variances (2, 4) in the two bands, or the nearest to it."""
    responses = _responses()
    exact = np.linalg.solve(responses, variances)
    # One noise alone, where a mixture would want less than nothing of the other.
    alone = np.maximum(responses.T @ variances, 0) / np.square(responses).sum(axis=0)[:, None]
    only = np.zeros_like(exact)
    for kind in range(2):
        only[kind] = np.where(exact[1 - kind] < 0, alone[kind], 0)
    return np.where((exact < 0).any(axis=0), only, exact)


@lru_cache(maxsize=1)
def _responses() -> np.ndarray:
    """(2, 2): the variance in each band (rows) of white and of soft noise (columns) of variance one."""
    white = np.random.default_rng(0).standard_normal((256, 256, 4), np.float32)
    parted = [_parted(noise) for noise in (white, _softened(white))]
    return np.array([[float(band.var()) for band in bands] for bands in parted]).T


def _tiles(where: np.ndarray, size: int, step: int) -> Iterator[tuple[slice, slice]]:
    """Rows and columns of squares of a size, one at every ``step``-th pixel, that hold some of a mask (H, W) bool."""
    x, y, width, height = cv2.boundingRect(where.view(np.uint8))
    for top in range(y - y % step, y + height, step):
        for left in range(x - x % step, x + width, step):
            rows = slice(max(top, y), min(top + size, y + height))
            columns = slice(max(left, x), min(left + size, x + width))
            if where[rows, columns].any():
                yield rows, columns
