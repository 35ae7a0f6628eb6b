"""A photo as the file that it came in: its bytes, and what is asked of them, worked out once."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from maskedit.imaging.metadata import PhotoMetadata, read_metadata
from maskedit.imaging.photos import read_photo, upright_size
from maskedit.imaging.squares import Square, cut_square


class SourcePhoto:
    """One photo file in memory; nothing of it is looked into before it is asked for.

    Args:
        data: the file as it came, in any format that `read_photo` reads.
        name: what a document of it is called, and what errors call it.
        pixels: its picture, as `read_photo` gives it, for a caller who has decoded it already.
    """

    def __init__(self, data: bytes, name: str, pixels: np.ndarray | None = None):
        self.data, self.name = data, name
        if pixels is not None:
            self.pixels = pixels

    @cached_property
    def size(self) -> tuple[int, int]:
        """(width, height) of the upright photo, from the file's header. Raises UserError when it is no image."""
        return upright_size(self.data, f"'{self.name}'")

    @cached_property
    def pixels(self) -> np.ndarray:
        """(H, W, 3) uint8 RGB, upright, decoded once. Raises UserError as `read_photo` does."""
        return read_photo(self.data, name=f"'{self.name}'")

    @cached_property
    def metadata(self) -> PhotoMetadata:
        """What the file says beside its pixels. Raises UserError when it is no image."""
        return read_metadata(self.data)

    def cut(self, square: Square, side: int) -> np.ndarray:
        """What a square shows of the photo, as (side, side, 3) uint8 RGB; see `cut_square`."""
        return cut_square(self.pixels, square, side)
