"""Label map files in every encoding in use, as (H, W) uint8 ids of ``labels.LABELS``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from maskedit.errors import UserError
from maskedit.imaging.photos import decoding, load_image, mode_title, read_source, to_integers, upright
from maskedit.labels import NUM_LABELS, palette

_UNKNOWN = 255  # while decoding only
_LOSSY_NOISE = 16  # how far lossy compression moves a grey value or pulls grey channels apart


class LossyLabelsError(UserError):
    """A label map in a lossy format; it can be read with ``allow_lossy``, if only roughly."""


@dataclass(frozen=True, eq=False)
class LabelFile:
    """A label map as it was found on disk."""

    labels: np.ndarray
    """(H, W) uint8, ids 0..18."""
    encoding: str
    """How the file stores ids: ``"palette"``, ``"ids"``, ``"grey RGB"``, ``"colours"`` or ``"16-bit"``."""
    notes: tuple[str, ...] = ()
    """Sentences a person should read: what was not exact, what was decided for them."""


def read_labels(source: str | Path | bytes, *, allow_lossy: bool = False) -> np.ndarray:
    """Read a label map as (H, W) uint8 ids; :func:`read_label_file` without what it has to say."""
    return read_label_file(source, allow_lossy=allow_lossy).labels


def read_label_file(source: str | Path | bytes, *, allow_lossy: bool = False) -> LabelFile:
    """Read a label map, a path or the bytes of a file, in any of the encodings of :class:`LabelFile`.

    A palette image is read by index, unless the colours it uses are exactly published ones in another order: image
    optimisers sort palettes, and the colours then still tell the truth. Pixels with a transparent alpha channel are
    background; a palette's own transparency does not count, its indices are ids. With ``allow_lossy``, JPEG and its
    like are read too and every colour becomes the nearest published one; a note counts the pixels that were not exact.
    Raises LossyLabelsError for lossy files otherwise, UserError for unknown ids or colours (with counts), for binary
    masks and for everything :func:`read_photo` refuses but a small size.
    """
    data, name = read_source(source)
    with decoding(name):
        image, orientation, deep = load_image(data, name)
        lossy = _is_lossy(image, data)
        if lossy and not allow_lossy:
            raise LossyLabelsError(
                f"{name} is stored as lossy {image.format}, which changes label ids at every edge; "
                "give the label map as PNG, or allow lossy label maps explicitly."
            )
        if deep:
            file = _decode_deep(image, data, name, nearest=allow_lossy)
        else:
            file = _decode_labels(image, name, lossy=lossy, nearest=allow_lossy)
    return LabelFile(np.ascontiguousarray(upright(file.labels, orientation)), file.encoding, file.notes)


def _is_lossy(image: Image.Image, data: bytes) -> bool:
    if image.format == "WEBP":
        return _has_lossy_webp_chunk(data)
    if image.format == "TIFF":
        return "jpeg" in str(image.info.get("compression")) or image.info.get("compression") == "webp"
    return image.format in ("JPEG", "MPO", "AVIF", "JPEG2000")


def _has_lossy_webp_chunk(data: bytes) -> bool:
    """Whether the first frame is "VP8 " (lossy) rather than "VP8L"; chunks are a name, a length, padded content."""
    at = 12
    while at + 8 <= len(data):
        chunk, length = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        if chunk in (b"VP8 ", b"VP8L"):
            return chunk == b"VP8 "
        # An animation frame holds chunks of its own after a header of 16 bytes.
        at += 8 + (16 if chunk == b"ANMF" else length + length % 2)
    return True


def _decode_labels(image: Image.Image, name: str, *, lossy: bool, nearest: bool) -> LabelFile:
    if image.mode == "P":
        return _decode_palette(image, name)
    if image.mode in ("1", "L"):
        return _decode_grey(np.array(image.convert("L")), name, "ids", lossy=lossy)
    if image.mode.startswith("I"):
        return _decode_grey(_eight_bits(to_integers(image, name, limit=65535)), name, "16-bit", lossy=lossy)
    if image.mode in ("RGB", "RGBX"):
        return _decode_rgb(np.array(image.convert("RGB")), name, lossy=lossy, nearest=nearest)
    if image.mode in ("RGBA", "LA", "PA"):
        pixels = np.array(image.convert("RGBA"))
        return _decode_rgba(pixels, name, lossy=lossy, nearest=nearest)
    raise UserError(
        f"{name} stores its pixels as {mode_title(image)}; wanted ids or published colours: save the label map as PNG."
    )


def _decode_deep(image: Image.Image, data: bytes, name: str, *, nearest: bool) -> LabelFile:
    """16 bits per colour: Pillow keeps the upper byte only, which would turn every id into background, unnoticed."""
    pixels = None
    if image.format == "PNG":
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.ndim != 3 or pixels.shape[2] not in (3, 4):
        raise UserError(f"{name} stores 16 bits per colour in a way that cannot be read; save it with 8 bits.")
    rgb = _eight_bits(pixels[..., 2::-1])  # OpenCV's order is blue, green, red
    if rgb.dtype != np.uint8:
        raise UserError(f"{name} holds 16-bit colours that are no label's, up to {rgb.max()}; save it with 8 bits.")
    alpha = pixels[..., 3:] >> 8
    file = _decode_rgba(np.dstack([rgb, alpha.astype(np.uint8)]), name, lossy=False, nearest=nearest)
    return LabelFile(file.labels, "16-bit", file.notes)


def _decode_rgba(pixels: np.ndarray, name: str, *, lossy: bool, nearest: bool) -> LabelFile:
    """(H, W, 3 or 4) uint8 as ids, transparent pixels as background: what a person does not see does not count."""
    rgb, hidden = pixels[..., :3].copy(), (pixels[..., 3:] < 128).any(axis=2)
    rgb[hidden] = 0
    file = _decode_rgb(rgb, name, lossy=lossy, nearest=nearest)
    if not hidden.any():
        return file
    note = f"{hidden.sum():,} transparent pixels were read as background."
    return LabelFile(file.labels, file.encoding, (note, *file.notes))


def _decode_palette(image: Image.Image, name: str) -> LabelFile:
    """By index; by colour where the index is no id or the palette holds our colours in another order."""
    indices = np.array(image)
    used = np.unique(indices)
    colours = np.zeros((256, 3), np.uint8)
    stored = np.array(image.getpalette("RGB") or [], np.uint8).reshape(-1, 3)
    colours[: len(stored)] = stored
    by_colour = _labels_of_colours(colours)
    exact = used.max() < len(stored) and (by_colour[used] != _UNKNOWN).all()
    if exact and used.max() >= NUM_LABELS:
        return LabelFile(by_colour[indices], "colours")
    one_to_one = len(np.unique(by_colour[used])) == len(used)
    if exact and one_to_one and (by_colour[used] != used).any():
        note = "The palette is in another order than the published one; the colours were read, not the indices."
        return LabelFile(by_colour[indices], "colours", (note,))
    check_ids(indices, name)
    return LabelFile(indices, "palette")


def _decode_grey(values: np.ndarray, name: str, encoding: str, *, lossy: bool) -> LabelFile:
    """(H, W) of any integer type as ids."""
    notes: tuple[str, ...] = ()
    if lossy:
        off = (values >= NUM_LABELS) & (values < NUM_LABELS + _LOSSY_NOISE)
        values = np.where(off, NUM_LABELS - 1, values)
        notes = (f"{off.sum():,} of {off.size:,} pixels were not exact ids; lossy ids may be wrong anywhere.",)
    check_ids(values, name)
    return LabelFile(values.astype(np.uint8), encoding, notes)


def _decode_rgb(rgb: np.ndarray, name: str, *, lossy: bool, nearest: bool) -> LabelFile:
    """(H, W, 3) uint8 as ids: grey values where all channels agree, else the published colours."""
    spread = int((rgb.max(axis=2) - rgb.min(axis=2)).max())
    if spread <= (_LOSSY_NOISE if lossy else 0):
        return _decode_grey(rgb[..., 1], name, "grey RGB", lossy=lossy)
    labels = _labels_of_colours(rgb)
    unknown = labels == _UNKNOWN
    if not unknown.any():
        return LabelFile(labels, "colours")
    if nearest:
        labels[unknown] = _nearest_label(rgb[unknown])
        note = f"{unknown.sum():,} of {unknown.size:,} pixels were not exact and took the nearest published colour."
        return LabelFile(labels, "colours", (note,))
    found, counts = np.unique(_colour_codes(rgb[unknown]), return_counts=True)
    listed = _listed([f"#{code:06X}" for code in found], counts)
    raise UserError(
        f"{name} holds colours that are no label's: {listed}; "
        "save it in the published colours, without smoothing, or as ids from 0 to 18."
    )


def _eight_bits(values: np.ndarray) -> np.ndarray:
    """16-bit values as uint8 where that loses nothing: small ones, or 8-bit ones spread to 16 bits (times 257)."""
    if values.max() > 255 and not (values % 257).any():
        values = values // 257
    return values.astype(np.uint8) if values.max() <= 255 else values


def _colour_codes(rgb: np.ndarray) -> np.ndarray:
    """(..., 3) uint8 as one number 0xRRGGBB each, uint32."""
    wide = rgb.astype(np.uint32)
    return wide[..., 0] << 16 | wide[..., 1] << 8 | wide[..., 2]


def _labels_of_colours(rgb: np.ndarray) -> np.ndarray:
    """(..., 3) uint8 as ids (...) uint8 by the exact published table; _UNKNOWN where a colour is no label's."""
    codes, published = _colour_codes(rgb), _colour_codes(palette())
    order = np.argsort(published).astype(np.uint8)
    place = np.searchsorted(published[order], codes).clip(max=NUM_LABELS - 1)
    return np.where(published[order][place] == codes, order[place], np.uint8(_UNKNOWN))


def _nearest_label(colours: np.ndarray) -> np.ndarray:
    """The id of the nearest published colour for each of (N, 3), as (N,) uint8."""
    best = np.full(len(colours), np.iinfo(np.int64).max)
    labels = np.zeros(len(colours), np.uint8)
    for id, colour in enumerate(palette().astype(np.int64)):  # one label at a time: (N, 19, 3) would fill the memory
        distance = ((colours - colour) ** 2).sum(axis=1)
        closer = distance < best
        labels[closer], best[closer] = id, distance[closer]
    return labels


def check_ids(values: np.ndarray, name: str) -> None:
    """Raise UserError unless all of (H, W) are ids."""
    found, counts = np.unique(values, return_counts=True)
    unknown = found >= NUM_LABELS
    if not unknown.any():
        return
    if set(found.tolist()) <= {0, 255}:
        raise UserError(
            f"{name} looks like a binary mask (only 0 and 255); wanted a label map with ids from 0 to "
            f"{NUM_LABELS - 1}: merge the masks of all parts into one map first."
        )
    listed = _listed([str(value) for value in found[unknown]], counts[unknown])
    raise UserError(
        f"{name} holds ids that are no label's: {listed}; "
        f"wanted 0 to {NUM_LABELS - 1}: save the ids themselves, not a picture of them."
    )


def _listed(names: list[str], counts: np.ndarray, *, limit: int = 4) -> str:
    """The most frequent few with their counts, and how many more there are."""
    order = np.argsort(-counts, kind="stable")
    text = ", ".join(f"{names[i]} ({counts[i]:,} px)" for i in order[:limit])
    return text + (f" and {len(names) - limit} more" if len(names) > limit else "")
