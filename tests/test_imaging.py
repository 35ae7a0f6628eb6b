"""Files of every kind in, one clear error or the right pixels out; and nothing on disk is ever lost."""

import contextlib
import io
import os
import re
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from maskedit import imaging
from maskedit.errors import UserError
from maskedit.labels import palette
from tests.faces import draw_face

# Where the top, right, bottom and left edge of the upright picture come from, for a stored row-major array: from the
# EXIF table ("the 0th row is the visual ..., the 0th column the visual ...").
STORED_AS = {
    1: ("top", "left"),
    2: ("top", "right"),
    3: ("bottom", "right"),
    4: ("bottom", "left"),
    5: ("left", "top"),
    6: ("right", "top"),
    7: ("right", "bottom"),
    8: ("left", "bottom"),
}


def stored(upright: np.ndarray, orientation: int) -> np.ndarray:
    """The array a camera would store so that ``orientation`` makes it ``upright``."""
    row, column = STORED_AS[orientation]
    array = upright if row in ("top", "bottom") else upright.swapaxes(0, 1)
    if row in ("bottom", "right"):
        array = array[::-1]
    if column in ("bottom", "right"):
        array = array[:, ::-1]
    return np.ascontiguousarray(array)


def encode(image: Image.Image | np.ndarray, format: str = "PNG", **options) -> bytes:
    if isinstance(image, np.ndarray):
        image = Image.fromarray(image)
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def exif(orientation: int) -> Image.Exif:
    block = Image.Exif()
    block[0x0112] = orientation
    return block


def png_header(width: int, height: int) -> bytes:
    """A PNG which says it is this large and holds nothing."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.fixture
def face() -> tuple[np.ndarray, np.ndarray]:
    return draw_face(96, 3)


@pytest.fixture
def all_labels() -> np.ndarray:
    """(20, 38) uint8, every id in it, no symmetry."""
    labels = np.repeat(np.arange(19, dtype=np.uint8), 2)[None].repeat(20, axis=0)
    labels[:7, :11] = 13
    return labels


def remaining(folder: Path) -> list[str]:
    return sorted(os.listdir(folder))


# ---- photos ----


@pytest.mark.parametrize("as_bytes", [False, True])
def test_read_photo_from_path_text_and_bytes(tmp_path, face, as_bytes):
    path = tmp_path / "me.png"
    path.write_bytes(encode(face[0]))
    for source in [path.read_bytes()] if as_bytes else [path, str(path)]:
        photo = imaging.read_photo(source)
        assert (photo == face[0]).all()
        assert photo.flags.c_contiguous
        assert photo.flags.writeable


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied_to_photos(tmp_path, format, orientation):
    upright = np.full((40, 64, 3), 128, np.uint8)
    upright[:20, :32] = (255, 0, 0)
    upright[20:, 32:] = (0, 0, 255)
    upright[:20, 48:] = (0, 255, 0)
    path = tmp_path / "photo"
    options = {"quality": 100, "subsampling": 0} if format == "JPEG" else {"lossless": True} if format == "WEBP" else {}
    path.write_bytes(encode(stored(upright, orientation), format, exif=exif(orientation), **options))
    photo = imaging.read_photo(path)
    assert photo.shape == upright.shape
    assert photo.flags.c_contiguous
    assert np.abs(photo.astype(int) - upright).mean() < 2
    assert imaging.read_orientation(path.read_bytes()) == orientation


@pytest.mark.parametrize("orientation", [0, 9, 60000])
def test_an_orientation_that_does_not_exist_changes_nothing(face, orientation):
    data = encode(face[0], exif=exif(orientation))
    assert (imaging.read_photo(data) == face[0]).all()
    assert imaging.read_orientation(data) == 1


def test_a_broken_exif_block_leaves_the_photo_readable(face):
    data = encode(face[0], "JPEG", quality=95, exif=b"Exif\x00\x00MM\x00\x2a\x00\x00\x00\x08\xff\xff\x01\x12")
    assert imaging.read_photo(data).shape == face[0].shape


def grey_photo() -> np.ndarray:
    return np.tile(np.arange(0, 240, 10, dtype=np.uint8), (18, 1))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32])
def test_grey_photos_keep_their_shades(dtype):
    grey = grey_photo()
    stretched = grey if dtype == np.uint8 else grey.astype(dtype) * 257
    photo = imaging.read_photo(encode(stretched, "TIFF"))
    assert (photo == grey[..., None]).all()


def test_16_bit_grey_png_is_scaled_not_clipped():
    photo = imaging.read_photo(encode(np.full((16, 16), 32896, np.uint16)))
    assert (photo == 128).all()


def test_16_bit_colour_png_is_scaled():
    pixels = (draw_face(32)[0].astype(np.uint16) * 257)[..., ::-1]
    photo = imaging.read_photo(cv2.imencode(".png", pixels)[1].tobytes())
    assert (photo == draw_face(32)[0]).all()


OPAQUE_MODES = {
    "TIFF": ["CMYK", "YCbCr", "L", "1", "P", "RGB"],
    "JPEG": ["CMYK", "YCbCr", "L", "RGB"],
    "PNG": ["L", "1", "P", "RGB"],
    "GIF": ["L", "1", "P", "RGB"],
    "BMP": ["L", "1", "P", "RGB"],
}


@pytest.mark.parametrize(
    ("format", "mode"), [(format, mode) for format in OPAQUE_MODES for mode in OPAQUE_MODES[format]]
)
def test_every_opaque_mode_becomes_rgb(format, mode):
    image = Image.new("RGB", (20, 18), (255, 255, 255))
    image.paste((200, 30, 60), (0, 0, 10, 18))
    image = image.convert(mode)
    photo = imaging.read_photo(encode(image, format, **({"quality": 100} if format == "JPEG" else {})))
    expected = np.array(image.convert("RGB"))
    assert photo.shape == expected.shape
    away_from_the_edge = np.r_[0:6, 14:20]
    assert np.abs(photo.astype(int) - expected)[:, away_from_the_edge].max() < 12


@pytest.mark.parametrize("format", ["PNG", "WEBP", "TIFF"])
def test_hidden_rgb_does_not_come_back(format):
    pixels = np.zeros((16, 24, 4), np.uint8)
    pixels[..., 0] = 255
    pixels[:, 8:16, 3] = 255
    pixels[:, 16:, 3] = 128
    photo = imaging.read_photo(
        encode(pixels, format, **({"lossless": True, "exact": True} if format == "WEBP" else {}))
    )
    assert (photo[:, :8] == 255).all()
    assert (photo[:, 8:16] == (255, 0, 0)).all()
    assert np.abs(photo[:, 16:].astype(int) - (255, 127, 127)).max() <= 1


def test_hidden_grey_does_not_come_back():
    pixels = np.zeros((16, 16, 2), np.uint8)
    pixels[:, 8:, 1] = 255
    photo = imaging.read_photo(encode(Image.frombytes("LA", (16, 16), pixels.tobytes())))
    assert (photo[:, :8] == 255).all()
    assert (photo[:, 8:] == 0).all()


@pytest.mark.parametrize("transparency", [1, bytes([255, 0])], ids=["one index", "alpha for each index"])
def test_transparent_palette_photo_is_composited(transparency):
    image = Image.new("P", (16, 16), 0)
    image.putpalette([10, 20, 30, 250, 0, 0])
    image.paste(1, (8, 0, 16, 16))
    photo = imaging.read_photo(encode(image, transparency=transparency))
    assert (photo[:, :8] == (10, 20, 30)).all()
    assert (photo[:, 8:] == 255).all()


@pytest.mark.parametrize(
    ("image", "key"),
    [
        (Image.new("RGB", (16, 16), (9, 8, 7)), (9, 8, 7)),
        (Image.new("L", (16, 16), 9), 9),
        (Image.fromarray(np.full((16, 16), 900, np.uint16)), 900),
    ],
    ids=["RGB", "L", "I;16"],
)
def test_a_transparent_colour_is_composited(image, key):
    assert (imaging.read_photo(encode(image, transparency=key)) == 255).all()


@pytest.mark.parametrize("format", ["GIF", "WEBP", "PNG"])
def test_an_animation_gives_its_first_frame(format):
    frames = [Image.new("RGB", (20, 20), colour) for colour in ((255, 0, 0), (0, 255, 0))]
    options = {"lossless": True} if format == "WEBP" else {}
    data = encode(frames[0], format, save_all=True, append_images=frames[1:], **options)
    assert (imaging.read_photo(data) == (255, 0, 0)).all()


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF"])
@pytest.mark.parametrize("part", [0.02, 0.5, 0.95])
@pytest.mark.parametrize("read", [imaging.read_photo, imaging.read_labels])
def test_truncated_files_give_one_error(tmp_path, format, part, read):
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    data = encode(noise, format)
    path = tmp_path / "photo.img"
    path.write_bytes(data[: int(len(data) * part)])
    with pytest.raises(UserError, match=r"photo\.img"):
        read(path)


@pytest.mark.parametrize("read", [imaging.read_photo, imaging.read_labels])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "0 bytes"),
        (b"dear diary, today I was no image", "not an image"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 99 99\n", "not an image"),
        (png_header(20_000, 20_000), "enormous"),
        (png_header(12_000, 11_000), "12000 x 11000"),
        (png_header(10_000, 9_500), "damaged"),
    ],
    ids=["empty", "text", "EPS starts a program", "over Pillow's limit", "over our limit", "over Pillow's warning"],
)
def test_files_that_cannot_be_read(tmp_path, read, content, message):
    path = tmp_path / "thing.png"
    path.write_bytes(content)
    with pytest.raises(UserError, match=message) as caught:
        read(path)
    assert "thing.png" in str(caught.value)
    assert len(re.findall(r"\.(?: |$)", str(caught.value))) <= 2


@pytest.mark.parametrize("read", [imaging.read_photo, imaging.read_labels])
@pytest.mark.parametrize(
    "name", ["missing.png", "", "nul\0byte.png", "x" * 5000], ids=["missing", "folder", "nul", "long"]
)
def test_paths_that_are_no_file(tmp_path, read, name):
    with pytest.raises(UserError):
        read(f"{tmp_path}/{name}")


def test_no_bit_flip_escapes_as_another_exception():
    random = np.random.default_rng(5)
    for format in ("PNG", "JPEG", "GIF", "TIFF", "WEBP", "BMP"):
        data = np.frombuffer(encode(draw_face(32)[0], format), np.uint8)
        for _ in range(40):
            broken = data.copy()
            broken[random.integers(0, len(data), 6)] = random.integers(0, 256, 6)
            for read in (imaging.read_photo, imaging.read_labels):
                with contextlib.suppress(UserError):
                    assert read(broken.tobytes()).dtype == np.uint8


@pytest.mark.parametrize("size", [(15, 400), (400, 15), (1, 1)])
def test_tiny_photos_are_refused_with_their_size(size):
    with pytest.raises(UserError, match=f"{size[0]} x {size[1]} px.*16 px"):
        imaging.read_photo(encode(Image.new("RGB", size)))


@pytest.mark.parametrize("mode", ["F", "LAB"])
@pytest.mark.parametrize("read", [imaging.read_photo, imaging.read_labels])
def test_modes_without_a_meaning_here_are_refused(mode, read):
    with pytest.raises(UserError, match="stores its pixels as"):
        read(encode(Image.new(mode, (20, 20)), "TIFF"))


@pytest.mark.parametrize("value", [-1, 70_000])
def test_32_bit_grey_out_of_range_is_refused(value):
    with pytest.raises(UserError, match="wanted 0 to 65535"):
        imaging.read_photo(encode(np.full((16, 16), value, np.int32), "TIFF"))


# ---- label maps ----


def palette_png(labels: np.ndarray, colours: np.ndarray) -> bytes:
    image = Image.frombytes("P", labels.shape[::-1], labels.tobytes())
    image.putpalette(colours.astype(np.uint8).tobytes())
    return encode(image)


def deep_png(pixels: np.ndarray) -> bytes:
    channels = [2, 1, 0, 3][: pixels.shape[2]] if pixels.shape[2] == 4 else [2, 1, 0]
    return cv2.imencode(".png", pixels[..., channels].astype(np.uint16))[1].tobytes()


def label_files(labels: np.ndarray) -> dict[str, tuple[bytes, str]]:
    """Every way to store ``labels``: name -> the file and the encoding that should be found."""
    random_colours = np.random.default_rng(1).integers(19, 255, (19, 3))
    grey, colours = labels[..., None].repeat(3, axis=2), palette()[labels]
    opaque = np.full((*labels.shape, 1), 255, np.uint8)
    return {
        "ids": (encode(labels), "ids"),
        "ids TIFF": (encode(labels, "TIFF"), "ids"),
        "ids BMP": (encode(labels, "BMP"), "ids"),
        "ids with alpha": (encode(Image.fromarray(np.dstack([labels, opaque]), "LA")), "grey RGB"),
        "palette": (palette_png(labels, palette()), "palette"),
        "palette of other colours": (palette_png(labels, random_colours), "palette"),
        "palette all black": (palette_png(labels, np.zeros((19, 3))), "palette"),
        "palette as bright as its index is not": (palette_png(labels, 255 - np.arange(57).reshape(19, 3)), "palette"),
        "palette over 18": (palette_png(labels + 100, np.vstack([np.ones((100, 3)), palette()])), "colours"),
        "palette sorted by an optimiser": (palette_png(18 - labels, palette()[::-1]), "colours"),
        "grey RGB": (encode(grey), "grey RGB"),
        "grey RGBA": (encode(np.dstack([grey, opaque])), "grey RGB"),
        "grey lossless WebP": (encode(grey, "WEBP", lossless=True), "grey RGB"),
        "colours": (encode(colours), "colours"),
        "colours RGBA": (encode(np.dstack([colours, opaque])), "colours"),
        "colours lossless WebP": (encode(colours, "WEBP", lossless=True, exif=exif(1)), "colours"),
        "colours TIFF": (encode(colours, "TIFF", compression="tiff_lzw"), "colours"),
        "16-bit": (encode(labels.astype(np.uint16)), "16-bit"),
        "16-bit spread": (encode(labels.astype(np.uint16) * 257), "16-bit"),
        "32-bit": (encode(labels.astype(np.int32), "TIFF"), "16-bit"),
        "16-bit RGB ids": (deep_png(grey), "16-bit"),
        "16-bit colours": (deep_png(colours.astype(np.uint16) * 257), "16-bit"),
        "16-bit RGBA": (deep_png(np.dstack([colours, opaque]).astype(np.uint16) * 257), "16-bit"),
    }


@pytest.mark.filterwarnings("ignore:'mode' parameter is deprecated:DeprecationWarning")
@pytest.mark.parametrize("kind", list(label_files(np.zeros((2, 2), np.uint8))))
def test_every_encoding_gives_exact_ids(tmp_path, all_labels, kind):
    data, encoding = label_files(all_labels)[kind]
    path = tmp_path / "labels"
    path.write_bytes(data)
    file = imaging.read_label_file(path)
    assert (file.labels == all_labels).all()
    assert file.labels.dtype == np.uint8
    assert file.labels.flags.writeable
    assert file.encoding == encoding
    assert bool(file.notes) == (kind == "palette sorted by an optimiser")
    assert (imaging.read_labels(data, allow_lossy=True) == all_labels).all()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("coloured", [False, True])
def test_exif_orientation_is_applied_to_label_maps(all_labels, orientation, coloured):
    pixels = palette()[all_labels] if coloured else all_labels
    labels = imaging.read_labels(encode(stored(pixels, orientation), exif=exif(orientation)))
    assert (labels == all_labels).all()


def test_transparent_pixels_are_background(all_labels):
    alpha = np.where(np.arange(38) < 5, 0, 255).astype(np.uint8)[None].repeat(20, axis=0)
    file = imaging.read_label_file(encode(np.dstack([palette()[all_labels], alpha])))
    assert (file.labels[:, :5] == 0).all()
    assert (file.labels[:, 5:] == all_labels[:, 5:]).all()
    assert "100 transparent" in file.notes[0]


def test_unknown_ids_are_counted_most_frequent_first(all_labels):
    all_labels[0] = 255
    all_labels[1, :30] = 19
    all_labels[2, :6] = range(40, 46)
    with pytest.raises(
        UserError, match=r"255 \(38 px\), 19 \(30 px\), 40 \(1 px\), 41 \(1 px\) and 4 more; wanted 0 to 18"
    ):
        imaging.read_labels(encode(all_labels))


@pytest.mark.parametrize("allow_lossy", [False, True])
@pytest.mark.parametrize("factor", [2, 10, 13])
def test_a_visualisation_of_ids_is_refused(all_labels, factor, allow_lossy):
    for pixels in (all_labels * factor, (all_labels * factor)[..., None].repeat(3, axis=2)):
        with pytest.raises(UserError, match="ids that are no label's"):
            imaging.read_labels(encode(pixels), allow_lossy=allow_lossy)


@pytest.mark.parametrize("data_of", [encode, lambda a: palette_png(a, np.arange(768).reshape(256, 3) % 251)])
def test_one_unknown_id_is_enough(all_labels, data_of):
    all_labels[3, 3] = 19
    with pytest.raises(UserError, match=r"19 \(1 px\)"):
        imaging.read_labels(data_of(all_labels))


def test_unknown_16_bit_ids_do_not_wrap(all_labels):
    wide = all_labels.astype(np.uint16)
    wide[0, 0] = 256 + 7
    with pytest.raises(UserError, match=r"263 \(1 px\)"):
        imaging.read_labels(encode(wide))


def test_16_bit_colours_do_not_wrap(all_labels):
    wide = palette()[all_labels].astype(np.uint16)
    wide[0, 0] = (5000, 0, 0)
    with pytest.raises(UserError, match="up to 5000"):
        imaging.read_labels(deep_png(wide))


def test_unknown_colours_are_counted(all_labels):
    pixels = palette()[all_labels]
    pixels[0, :9], pixels[1, 0] = (1, 2, 3), (255, 254, 253)
    data = encode(pixels)
    with pytest.raises(UserError, match=r"#010203 \(9 px\), #FFFEFD \(1 px\);"):
        imaging.read_labels(data)
    file = imaging.read_label_file(data, allow_lossy=True)
    assert "10 of 760" in file.notes[0]
    assert (file.labels[2:] == all_labels[2:]).all()


@pytest.mark.parametrize(
    "image",
    [
        Image.fromarray(np.eye(20, dtype=np.uint8) * 255),
        Image.fromarray(np.eye(20, dtype=np.uint8)[..., None].repeat(3, axis=2) * 255),
        Image.new("1", (20, 20), 1),
        Image.new("L", (20, 20), 255),
    ],
    ids=["grey", "RGB", "1 bit", "all white"],
)
def test_a_binary_mask_is_called_one(image):
    with pytest.raises(UserError, match="binary mask"):
        imaging.read_labels(encode(image))


def test_an_all_black_map_is_background():
    assert (imaging.read_labels(encode(Image.new("1", (20, 20), 0))) == 0).all()


@pytest.mark.parametrize(("format", "options"), [("JPEG", {}), ("WEBP", {}), ("TIFF", {"compression": "jpeg"})])
@pytest.mark.parametrize("coloured", [False, True])
def test_lossy_label_maps_are_refused_unless_asked_for(format, options, coloured):
    labels = draw_face(128)[1]
    pixels = palette()[labels] if coloured else labels[..., None].repeat(3, axis=2)
    data = encode(pixels, format, quality=95, **options)
    with pytest.raises(UserError, match=f"lossy {format}"):
        imaging.read_labels(data)
    file = imaging.read_label_file(data, allow_lossy=True)
    assert file.encoding == ("colours" if coloured else "grey RGB")
    # Grey ids lie one shade apart, so that compression really does change them: this is why it is refused.
    assert (file.labels == labels).mean() > (0.9 if coloured else 0.75)
    assert re.search(r"\d of 16,384 pixels were not exact", file.notes[0])


def test_a_lossy_grey_photo_is_not_taken_for_ids(face):
    with pytest.raises(UserError, match="ids that are no label's"):
        imaging.read_labels(encode(Image.fromarray(face[0]).convert("L"), "JPEG"), allow_lossy=True)


def test_a_cmyk_label_map_is_refused():
    with pytest.raises(UserError, match="CMYK"):
        imaging.read_labels(encode(Image.new("CMYK", (20, 20)), "TIFF"))


# ---- geometry ----


@pytest.mark.parametrize("size", [(40, 30), (200, 220), (96, 96), (50, 150), (1, 1)])
def test_resizing(face, size):
    photo, labels = imaging.resize_photo(face[0], size), imaging.resize_labels(face[1], size)
    assert photo.shape == (size[1], size[0], 3)
    assert labels.shape == size[::-1]
    assert photo.dtype == labels.dtype == np.uint8
    assert set(np.unique(labels)) <= set(np.unique(face[1]))
    assert not np.shares_memory(photo, face[0])
    assert not np.shares_memory(labels, face[1])


def test_labels_grow_and_shrink_by_whole_factors_exactly(all_labels):
    large = imaging.resize_labels(all_labels, (38 * 3, 20 * 3))
    assert (large == all_labels.repeat(3, axis=0).repeat(3, axis=1)).all()
    assert (imaging.resize_labels(large, (38, 20)) == all_labels).all()


@pytest.mark.parametrize("size", [(0, 5), (5, -1)])
def test_sizes_without_pixels_are_our_bug(face, size):
    for resize, array in ((imaging.resize_photo, face[0]), (imaging.resize_labels, face[1])):
        with pytest.raises(ValueError, match="at least 1 px"):
            resize(array, size)


@pytest.mark.parametrize("shape", [(90, 160), (160, 90), (101, 101), (299, 401)])
@pytest.mark.parametrize("scale", [0.5, 1, 3])
@pytest.mark.parametrize("side", [32, 64, 240])
def test_fit_square_keeps_labels_on_the_photo(shape, scale, side):
    height, width = shape
    photo = np.zeros((height, width, 3), np.uint8)
    labels = np.zeros(shape, np.uint8)
    x, y = width // 2 + 7, height // 2 - 11
    photo[y - 9 : y + 12, x - 14 : x + 5] = 255
    labels[y - 9 : y + 12, x - 14 : x + 5] = 13
    labels = imaging.resize_labels(labels, (round(width * scale), round(height * scale)))
    square, square_labels = imaging.fit_square(photo, labels, side)
    assert square.shape == (side, side, 3)
    assert square_labels.shape == (side, side)
    white, hair = square[..., 0] > 127, square_labels == 13
    for seen, painted in zip(np.nonzero(white), np.nonzero(hair), strict=True):
        tolerance = 0.51 * max(1, side / min(shape) / min(1, scale))
        assert abs(seen.mean() - painted.mean()) <= tolerance
        assert abs(np.ptp(seen) - np.ptp(painted)) <= 2 * tolerance


def test_fit_square_cuts_the_middle_and_needs_no_labels():
    photo = np.zeros((30, 70, 3), np.uint8)
    photo[:, 20:50] = 200
    square, labels = imaging.fit_square(photo, None, 30)
    assert (square == 200).all()
    assert labels is None


def test_fit_square_refuses_labels_of_another_shape(face):
    photo = np.zeros((100, 200, 3), np.uint8)
    assert imaging.fit_square(photo, np.zeros((100, 201), np.uint8), 64)[1].shape == (64, 64)
    with pytest.raises(UserError, match=r"205 x 100 px.*200 x 100 px"):
        imaging.fit_square(photo, np.zeros((100, 205), np.uint8), 64)


# ---- writing ----


@pytest.mark.parametrize("extension", [".png", ".PNG", ".tif", ".tiff", ".bmp", ".jpg", ".jpeg", ".webp"])
def test_photos_come_back(tmp_path, face, extension):
    path = imaging.write_photo(tmp_path / f"out{extension}", face[0])
    assert path == tmp_path / f"out{extension}"
    difference = np.abs(imaging.read_photo(path).astype(int) - face[0])
    assert difference.max() == 0 if extension.lower() in (".png", ".tif", ".tiff", ".bmp") else difference.mean() < 4
    assert remaining(tmp_path) == [path.name]


def test_quality_changes_the_file(tmp_path, face):
    sizes = [
        imaging.write_photo(tmp_path / f"{quality}.jpg", face[0], quality=quality).stat().st_size
        for quality in (30, 95)
    ]
    assert sizes[0] < sizes[1]


@pytest.mark.parametrize("quality", [0, 101])
def test_quality_out_of_range(tmp_path, face, quality):
    with pytest.raises(UserError, match="1 to 100"):
        imaging.write_photo(tmp_path / "x.jpg", face[0], quality=quality)


def with_alpha(photo, labels):
    """Hair alone, (H, W, 4) uint8."""
    return np.dstack([photo, np.where(labels == 13, np.uint8(255), np.uint8(0))])


@pytest.mark.parametrize("extension", [".png", ".webp", ".tiff"])
def test_transparency_is_written(tmp_path, face, extension):
    path = imaging.write_photo(tmp_path / f"cut{extension}", with_alpha(*face))
    with Image.open(path) as image:
        assert (np.array(image)[..., 3] == np.where(face[1] == 13, 255, 0)).all()


@pytest.mark.parametrize("extension", [".jpg", ".bmp"])
def test_formats_without_transparency_refuse_it(tmp_path, face, extension):
    with pytest.raises(UserError, match="cannot store transparency"):
        imaging.write_photo(tmp_path / f"cut{extension}", with_alpha(*face))
    assert remaining(tmp_path) == []


@pytest.mark.parametrize("name", ["face", "face.gif", "face.png.exe", ".png"])
def test_unknown_extensions_list_the_known_ones(tmp_path, face, name):
    with pytest.raises(UserError, match=r"\.png, \.jpg, \.jpeg, \.webp"):
        imaging.write_photo(tmp_path / name, face[0])


@pytest.mark.parametrize("kind", ["palette", "ids"])
def test_label_maps_come_back_exactly(tmp_path, all_labels, kind):
    path = imaging.write_labels(tmp_path / "labels.png", all_labels[:, ::-1], kind=kind)
    file = imaging.read_label_file(path)
    assert (file.labels == all_labels[:, ::-1]).all()
    assert (file.encoding, file.notes) == (kind, ())
    with Image.open(path) as image:
        shown = np.array(image.convert("RGB"))
    assert (shown == palette()[all_labels[:, ::-1]]).all() == (kind == "palette")


@pytest.mark.parametrize("id", [0, 5, 18])
@pytest.mark.parametrize("kind", ["palette", "ids"])
def test_label_maps_of_one_id_come_back(tmp_path, id, kind):
    path = imaging.write_labels(tmp_path / "labels.png", np.full((3, 5), id, np.uint8), kind=kind)
    assert (imaging.read_labels(path) == id).all()


def test_bad_ids_are_not_written(tmp_path, all_labels):
    all_labels[0, 0] = 19
    with pytest.raises(UserError, match=r"19 \(1 px\)"):
        imaging.write_labels(tmp_path / "labels.png", all_labels)
    assert remaining(tmp_path) == []


def test_label_maps_are_png_only(tmp_path, all_labels):
    with pytest.raises(UserError, match=r"\.png"):
        imaging.write_labels(tmp_path / "labels.jpg", all_labels)


@pytest.mark.parametrize("array", [np.zeros((8, 8, 3)), np.zeros((8, 8), np.uint8), np.zeros((8, 8, 2), np.uint8)])
def test_arrays_that_are_no_photo_are_our_bug(tmp_path, array):
    with pytest.raises(ValueError, match="a photo is"):
        imaging.write_photo(tmp_path / "x.png", array)


@pytest.mark.parametrize("array", [np.zeros((8, 8)), np.zeros((8, 8, 3), np.uint8)])
def test_arrays_that_are_no_label_map_are_our_bug(tmp_path, array):
    with pytest.raises(ValueError, match="a label map is"):
        imaging.write_labels(tmp_path / "x.png", array)


def writers(face):
    return {
        "photo": lambda path, **options: imaging.write_photo(path, face[0], **options),
        "labels": lambda path, **options: imaging.write_labels(path, face[1], **options),
        "bytes": lambda path, **options: imaging.atomic_write_bytes(path, b"new content", **options),
    }


@pytest.fixture(params=["photo", "labels", "bytes"])
def write(request, face):
    return writers(face)[request.param]


def test_an_existing_file_stays_unless_overwriting_is_allowed(tmp_path, write):
    path = tmp_path / "out.png"
    path.write_bytes(b"precious")
    with pytest.raises(UserError, match="exists already"):
        write(path)
    assert path.read_bytes() == b"precious"
    assert write(str(path), overwrite=True) == path
    assert path.read_bytes() != b"precious"
    assert remaining(tmp_path) == ["out.png"]


def half_a_save(self, file, *_, **__):
    file.write(b"\x89PNG half of it")
    raise OSError("the encoder broke")


def full_disk(*_):
    raise OSError(28, "No space left on device")


def interrupted(*_):
    raise KeyboardInterrupt


@pytest.mark.parametrize("stage", ["fsync", "replace"])
@pytest.mark.parametrize(("fail", "expected"), [(full_disk, UserError), (interrupted, KeyboardInterrupt)])
def test_a_failing_write_keeps_the_old_file_and_leaves_nothing(tmp_path, monkeypatch, write, stage, fail, expected):
    path = tmp_path / "out.png"
    path.write_bytes(b"precious")
    monkeypatch.setattr(os, stage, fail)
    with pytest.raises(expected, match="No space left" if expected is UserError else None):
        write(path, overwrite=True)
    with pytest.raises(expected):
        write(tmp_path / "other.png")
    assert path.read_bytes() == b"precious"
    assert remaining(tmp_path) == ["out.png"]


@pytest.mark.parametrize("kind", ["photo", "labels"])
def test_a_failing_encoder_keeps_the_old_file_and_leaves_nothing(tmp_path, monkeypatch, face, kind):
    path = tmp_path / "out.png"
    path.write_bytes(b"precious")
    monkeypatch.setattr(Image.Image, "save", half_a_save)
    with pytest.raises(UserError, match="the encoder broke"):
        writers(face)[kind](path, overwrite=True)
    assert path.read_bytes() == b"precious"
    assert remaining(tmp_path) == ["out.png"]


def test_the_file_is_flushed_and_beside_its_place_before_it_is_put_there(tmp_path, monkeypatch, write):
    steps = []
    sync, replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda fd: (steps.append("fsync"), sync(fd)))
    monkeypatch.setattr(os, "replace", lambda a, b: (steps.append(Path(a).parent == Path(b).parent), replace(a, b)))
    write(tmp_path / "out.png")
    assert steps == ["fsync", True]


def test_an_image_too_large_for_its_format_is_refused(tmp_path):
    with pytest.raises(UserError, match="20000 x 1 px"):
        imaging.write_photo(tmp_path / "wide.webp", np.zeros((1, 20_000, 3), np.uint8))
    assert remaining(tmp_path) == []


def test_places_where_nothing_can_be_written(tmp_path, write):
    (tmp_path / "file").write_bytes(b"x")
    (tmp_path / "folder.png").mkdir()
    for path in ("missing/out.png", "file/out.png", "folder.png", "x" * 300 + ".png"):
        with pytest.raises(UserError):
            write(tmp_path / path, overwrite=True)
    assert remaining(tmp_path) == ["file", "folder.png"]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the superuser may write anywhere")
def test_protected_folders_and_files(tmp_path, write):
    path = tmp_path / "out.png"
    path.write_bytes(b"precious")
    path.chmod(0o444)
    with pytest.raises(UserError, match="write-protected"):
        write(path, overwrite=True)
    tmp_path.chmod(0o555)
    try:
        with pytest.raises(UserError, match="cannot be written"):
            write(tmp_path / "new.png")
    finally:
        tmp_path.chmod(0o755)
    assert path.read_bytes() == b"precious"


@pytest.mark.skipif(os.name != "posix", reason="POSIX permissions and links")
def test_permissions_and_links_survive_a_save(tmp_path, write):
    (tmp_path / "real.png").write_bytes(b"old")
    (tmp_path / "real.png").chmod(0o640)
    (tmp_path / "link.png").symlink_to("real.png")
    write(tmp_path / "link.png", overwrite=True)
    assert (tmp_path / "link.png").is_symlink()
    assert (tmp_path / "real.png").stat().st_mode & 0o777 == 0o640
    assert (tmp_path / "real.png").read_bytes() != b"old"
    (tmp_path / "plain").write_bytes(b"")
    write(tmp_path / "new.png")
    assert (tmp_path / "new.png").stat().st_mode == (tmp_path / "plain").stat().st_mode


# ---- pictures of things ----


def test_colourise(all_labels):
    assert (imaging.colourise(all_labels) == palette()[all_labels]).all()
    assert (imaging.colourise(all_labels, colour_blind=True) == palette(colour_blind=True)[all_labels]).all()


@pytest.mark.parametrize("shape", [(256, 256), (64, 48), (100, 300)])
def test_sheet_shows_the_four_pictures_in_order(shape):
    photo, result = np.full((*shape, 3), 90, np.uint8), np.full((*shape, 3), 210, np.uint8)
    before, after = np.full((32, 32), 1, np.uint8), np.full(shape, 13, np.uint8)
    sheet = imaging.before_after_sheet(photo, before, after, result)
    assert sheet.dtype == np.uint8
    assert sheet.shape[1] > 4 * shape[1]
    assert sheet.shape[0] > shape[0]
    middle = sheet[sheet.shape[0] // 3]
    changes = [tuple(middle[0].tolist())]
    for pixel in middle:
        if tuple(pixel.tolist()) != changes[-1]:
            changes.append(tuple(pixel.tolist()))
    ground, edge = (32, 33, 36), (64, 66, 71)
    tiles = [(90,) * 3, (0xCC, 0, 0), (0, 0, 0xCC), (210,) * 3]
    assert changes == [ground] + [step for tile in tiles for step in (edge, tile, edge, ground)]
    band = sheet[-sheet.shape[0] // 8 :] if shape[0] == 256 else sheet[-30:]
    for i in range(4):
        tile = band[:, i * band.shape[1] // 4 : (i + 1) * band.shape[1] // 4]
        assert (tile == (222, 224, 228)).all(axis=2).any(), "a caption under every tile"


def test_square_labels_are_those_that_fit_square_takes(face):
    photo, labels = face
    tall, tall_labels = np.pad(photo, ((60, 20), (0, 0), (0, 0))), np.pad(labels, ((60, 20), (0, 0)))
    np.testing.assert_array_equal(
        imaging.square_labels(tall_labels, 100), imaging.fit_square(tall, tall_labels, 100)[1]
    )
    np.testing.assert_array_equal(imaging.square_labels(labels, labels.shape[0]), labels)


def test_lossy_label_maps_have_an_error_of_their_own(tmp_path, face):
    imaging.write_photo(tmp_path / "map.jpg", imaging.colourise(face[1]))
    with pytest.raises(imaging.LossyLabelsError, match="stored as lossy JPEG"):
        imaging.read_labels(tmp_path / "map.jpg")
    assert imaging.read_label_file(tmp_path / "map.jpg", allow_lossy=True).notes


def test_enlarged_labels_have_smooth_outlines_and_no_new_classes():
    rows, columns = np.mgrid[:64, :64]
    labels = np.where((rows - 31.5) ** 2 + (columns - 31.5) ** 2 < 20**2, np.uint8(13), np.uint8(1))
    large = imaging.enlarge_labels(labels, 256)
    rows, columns = np.mgrid[:256, :256]
    circle = np.where((rows - 127.5) ** 2 + (columns - 127.5) ** 2 < 80**2, 13, 1)
    off = {"smooth": (large != circle).mean(), "blocks": (imaging.resize_labels(labels, (256, 256)) != circle).mean()}
    assert off["smooth"] < 0.6 * off["blocks"], off
    assert set(np.unique(large)) == {1, 13}


def test_labels_that_differ_in_one_place_are_enlarged_alike_elsewhere():
    labels = np.random.default_rng(0).integers(0, 19, (32, 32)).astype(np.uint8)
    edited = labels.copy()
    edited[10:14, 10:14] = 18
    differ = imaging.enlarge_labels(labels, 128) != imaging.enlarge_labels(edited, 128)
    assert differ.any()
    differ[4 * 6 : 4 * 18, 4 * 6 : 4 * 18] = False
    assert not differ.any()
