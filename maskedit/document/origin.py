"""Where a document came from: the photo file as it was, and the square of it that is edited."""

from __future__ import annotations

from dataclasses import dataclass, field

from maskedit.errors import UserError
from maskedit.imaging import Square

SIDE = 512
"""Documents are squares of this side in pixels: what the networks are made for."""
MAX_ORIGIN_BYTES = 256 * 2**20
"""The largest photo file: sessions hold it whole, and are packed in memory."""
_FAR = 1e6
"""No coordinate, side or turn of a square is larger: squares come from strangers' sessions and end in cv2."""


@dataclass(frozen=True)
class Origin:
    """The photo file that a document was cut from, for pasting the edited face back.

    Raises UserError for a file of more than ``MAX_ORIGIN_BYTES``: so no photo is opened that no session can keep.
    Raises ValueError for an empty file, and for a square with a side under one pixel or a number beyond a million.
    """

    data: bytes = field(repr=False)
    """The file as it came, in any format that `imaging.read_photo` reads; never encoded again. Not checked here:
    what a stranger's session holds may be no photo at all."""
    square: Square
    """Where in the photo, with its EXIF orientation applied, the document's photo lies."""

    def __post_init__(self) -> None:
        if len(self.data) > MAX_ORIGIN_BYTES:
            raise UserError(
                f"The photo file has {len(self.data) / 2**20:.0f} MiB; the editor takes up to "
                f"{MAX_ORIGIN_BYTES >> 20} MiB. Save the photo as JPEG, or smaller, and open that."
            )
        if not self.data:
            raise ValueError("the photo file is empty")
        square = self.square
        if square.side < 1 or max(map(abs, (square.x, square.y, square.side, square.degrees))) > _FAR:
            raise ValueError(f"no photo has such a square: {square}")
