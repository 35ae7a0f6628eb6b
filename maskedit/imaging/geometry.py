"""Sizes: photos and label maps are scaled by the same transform, labels by nearest neighbour only."""

from __future__ import annotations

import cv2
import numpy as np

from maskedit.errors import UserError


def resize_photo(photo: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Scale (H, W, C) uint8 to ``size``, (width, height) in pixels: area averages down, bicubic up. A new array."""
    width, height = _checked_size(size)
    if (height, width) == photo.shape[:2]:
        return photo.copy()
    shrinks = width <= photo.shape[1] and height <= photo.shape[0]
    return cv2.resize(photo, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC)


def resize_labels(labels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Scale (H, W) to ``size``, (width, height) in pixels, by nearest neighbour: no new ids appear. A new array."""
    width, height = _checked_size(size)
    rows = _nearest_indices(labels.shape[0], count=height)
    columns = _nearest_indices(labels.shape[1], count=width)
    return labels[rows[:, None], columns]


def enlarge_labels(labels: np.ndarray, side: int) -> np.ndarray:
    """Scale a square label map (S, S) uint8 up to ``side`` px with smooth outlines; a new array.

    Each pixel takes the class that has the most of it after every class was enlarged smoothly; where two maps are
    alike, so are their enlargements a few pixels of the smaller map away from where they differ.
    """
    best, result = np.full((side, side), -1.0, np.float32), np.zeros((side, side), np.uint8)
    for label in np.unique(labels):
        mask = cv2.GaussianBlur((labels == label).astype(np.float32), (0, 0), 0.7)
        share = cv2.resize(mask, (side, side), interpolation=cv2.INTER_LINEAR)
        better = share > best
        best[better], result[better] = share[better], label
    return result


def fit_square(photo: np.ndarray, labels: np.ndarray | None, side: int) -> tuple[np.ndarray, np.ndarray | None]:
    """Cut the middle square and scale it to ``side`` px: photo (H, W, 3) uint8 and, if given, labels (h, w) uint8.

    Labels may be of another size than the photo when their aspect ratio agrees within 1 %; they are sampled once, at
    the very places the photo's pixels come from. Raises UserError, naming both sizes, when it does not agree.
    """
    _checked_size((side, side))
    height, width = photo.shape[:2]
    short = min(height, width)
    top, left = (height - short) // 2, (width - short) // 2
    square = resize_photo(np.ascontiguousarray(photo[top : top + short, left : left + short]), (side, side))
    if labels is None:
        return square, None
    if not same_shape(labels, (width, height)):
        raise another_shape(labels, (width, height))
    return square, _sampled_square(labels, side, height=height, width=width)


def same_shape(labels: np.ndarray, size: tuple[int, int]) -> bool:
    """Whether a label map (h, w) has the aspect ratio of ``size``, (width, height), within 1 %."""
    return abs(labels.shape[1] * size[1] / (labels.shape[0] * size[0]) - 1) <= 0.01


def another_shape(labels: np.ndarray, size: tuple[int, int]) -> UserError:
    """What to tell where a label map (h, w) does not fit a photo of ``size``, (width, height)."""
    return UserError(
        f"The label map is {labels.shape[1]} x {labels.shape[0]} px and the photo {size[0]} x {size[1]} px, "
        "which are not the same shape; crop one of them so that both show the same part."
    )


def square_labels(labels: np.ndarray, side: int) -> np.ndarray:
    """The middle square of a label map (H, W) uint8 at ``side`` px, as `fit_square` takes it; a new (side, side)."""
    _checked_size((side, side))
    return _sampled_square(labels, side, height=labels.shape[0], width=labels.shape[1])


def _sampled_square(labels: np.ndarray, side: int, *, height: int, width: int) -> np.ndarray:
    """The labels at the pixels of the middle square of a photo of ``height`` x ``width`` px."""
    short = min(height, width)
    top, left = (height - short) // 2, (width - short) // 2
    rows = _nearest_indices(labels.shape[0], count=side, start=top, length=short, total=height)
    columns = _nearest_indices(labels.shape[1], count=side, start=left, length=short, total=width)
    return labels[rows[:, None], columns]


def _nearest_indices(source: int, *, count: int, start: int = 0, length: int = 1, total: int = 1) -> np.ndarray:
    """Where the centres of ``count`` pixels, spread over start..start+length of ``total``, fall in ``source`` ones.

    Whole numbers throughout: OpenCV's plain nearest neighbour samples corners, half a pixel away from where its area
    averages do, and labels would sit beside the face.
    """
    doubled = (2 * np.arange(count, dtype=np.int64) + 1) * length + 2 * count * start
    return doubled * source // (2 * count * total)


def _checked_size(size: tuple[int, int]) -> tuple[int, int]:
    width, height = size
    if width < 1 or height < 1:
        raise ValueError(f"a size is (width, height) of at least 1 px, not {size}")
    return int(width), int(height)
