"""What a photo file says beside its pixels survives a save, and nothing of it is untrue afterwards."""

import io
import struct

import numpy as np
import pytest
from PIL import Image, ImageCms, TiffImagePlugin
from PIL.ExifTags import GPS, IFD, Base

import maskedit
from maskedit import imaging
from maskedit.errors import UserError
from maskedit.imaging import PhotoMetadata, read_metadata, write_photo
from tests.faces import draw_face

SOFTWARE = f"edited with maskedit {maskedit.__version__}"
HOLDING = [".jpg", ".png", ".webp", ".tif"]
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


@pytest.fixture
def photo() -> np.ndarray:
    return draw_face(96, 3)[0]


def camera_exif() -> Image.Exif:
    """A block as a camera writes it."""
    exif = Image.Exif()
    exif[Base.Make], exif[Base.Model] = "Cam", "Era 5"
    exif[Base.Orientation] = 6
    exif[Base.Software] = "Camera firmware 1"
    exif[Base.ImageWidth], exif[Base.ImageLength] = 4000, 3000
    exif[Base.XResolution] = TiffImagePlugin.IFDRational(300, 1)
    camera = exif.get_ifd(IFD.Exif)
    camera[Base.DateTimeOriginal] = "2024:05:06 07:08:09"
    camera[Base.ExposureTime] = TiffImagePlugin.IFDRational(1, 250)
    camera[Base.MakerNote] = b"secret note of the maker"
    camera[Base.ExifImageWidth], camera[Base.ExifImageHeight] = 4000, 3000
    exif._ifds[IFD.Exif] = camera
    exif._ifds[IFD.GPSInfo] = {GPS.GPSLatitudeRef: "N", GPS.GPSLatitude: (47.0, 22.0, 30.5)}
    written = Image.Exif()
    written.load(exif.tobytes())  # only so does Pillow know of the directories below
    return written


def encode(image: Image.Image | np.ndarray, format: str = "JPEG", **options: object) -> bytes:
    image = Image.fromarray(image) if isinstance(image, np.ndarray) else image
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def with_thumbnail(photo: np.ndarray) -> bytes:
    """A JPEG with a second directory, which points to a small JPEG."""
    thumbnail = encode(np.full((16, 16, 3), 200, np.uint8))
    block = camera_exif().tobytes()
    body = bytearray(block[6:])
    order = "<" if body[:2] == b"II" else ">"
    (first,) = struct.unpack_from(order + "L", body, 4)
    (count,) = struct.unpack_from(order + "H", body, first)
    entries = [(0x0103, 3, 1, 6), (0x0201, 4, 1, len(body) + 42), (0x0202, 4, 1, len(thumbnail))]
    struct.pack_into(order + "L", body, first + 2 + 12 * count, len(body))
    body += struct.pack(order + "H", len(entries))
    for tag, kind, number, value in entries:
        body += struct.pack(order + "HHL", tag, kind, number)
        body += struct.pack(order + "HH", value, 0) if kind == 3 else struct.pack(order + "L", value)
    body += struct.pack(order + "L", 0) + thumbnail
    data = encode(photo, exif=b"Exif\0\0" + bytes(body))
    with Image.open(io.BytesIO(data)) as image:
        assert image.getexif().get_ifd(IFD.IFD1)[0x0202] == len(thumbnail)
    return data


def saved(folder, photo: np.ndarray, metadata: PhotoMetadata | None, extension: str = ".jpg") -> Image.Image:
    path = write_photo(folder / f"out{extension}", photo, metadata=metadata, overwrite=True)
    image = Image.open(io.BytesIO(path.read_bytes()))
    image.load()
    return image


@pytest.mark.parametrize("extension", HOLDING)
@pytest.mark.parametrize("source", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_what_the_camera_wrote_is_kept_and_corrected(tmp_path, photo, source, extension):
    metadata = read_metadata(encode(photo, source, exif=camera_exif()))
    image = saved(tmp_path, photo[:80], metadata, extension)
    exif = image.getexif()
    camera, place = exif.get_ifd(IFD.Exif), exif.get_ifd(IFD.GPSInfo)
    assert (exif[Base.Make], exif[Base.Model]) == ("Cam", "Era 5")
    assert exif[Base.XResolution] == 300
    assert exif.get(Base.Orientation, 1) == 1
    assert exif[Base.Software] == SOFTWARE
    assert (exif.get(Base.ImageWidth), exif.get(Base.ImageLength)) == (96, 80)
    assert camera[Base.DateTimeOriginal] == "2024:05:06 07:08:09"
    assert camera[Base.ExposureTime] == TiffImagePlugin.IFDRational(1, 250)
    assert Base.MakerNote not in camera  # it may hold a preview of the unedited face
    assert (camera[Base.ExifImageWidth], camera[Base.ExifImageHeight]) == (96, 80)
    assert place[GPS.GPSLatitudeRef] == "N"
    assert [float(part) for part in place[GPS.GPSLatitude]] == [47.0, 22.0, 30.5]


@pytest.mark.parametrize("extension", HOLDING)
def test_a_saved_photo_is_read_as_it_was_written(tmp_path, photo, extension):
    """The turn has been applied before; applied twice, the photo would lie on its side."""
    source = encode(photo[:64], exif=camera_exif(), quality=100)
    upright = imaging.read_photo(source)
    assert upright.shape == (96, 64, 3)
    path = write_photo(tmp_path / f"out{extension}", upright, metadata=read_metadata(source), quality=100)
    assert np.abs(imaging.read_photo(path).astype(int) - upright).mean() < 4


@pytest.mark.parametrize("extension", HOLDING)
def test_the_thumbnail_goes(tmp_path, photo, extension):
    metadata = read_metadata(with_thumbnail(photo))
    image = saved(tmp_path, photo, metadata, extension)
    assert image.getexif()[Base.Make] == "Cam"
    assert not image.getexif().get_ifd(IFD.IFD1)
    assert metadata.exif.count(b"\xff\xd8\xff") == 0


@pytest.mark.parametrize("extension", HOLDING)
@pytest.mark.parametrize("source", ["JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF"])
def test_without_a_block_the_file_names_this_program(tmp_path, photo, source, extension):
    metadata = read_metadata(encode(photo, source))
    image = saved(tmp_path, photo, metadata, extension)
    assert image.getexif()[Base.Software] == SOFTWARE
    assert (np.array(image).shape) == photo.shape
    if extension == ".png":
        assert image.text["Software"] == SOFTWARE


def test_a_bmp_holds_pixels_only(tmp_path, photo):
    image = saved(tmp_path, photo, PhotoMetadata(camera_exif().tobytes(), SRGB), ".bmp")
    assert (np.array(image) == photo).all()
    assert not image.getexif()


@pytest.mark.parametrize("extension", [*HOLDING, ".bmp"])
def test_without_metadata_nothing_is_written_beside_the_pixels(tmp_path, photo, extension):
    path = write_photo(tmp_path / f"a{extension}", photo)
    assert b"maskedit" not in path.read_bytes()
    plain = {".jpg": {"quality": 95, "subsampling": 0}, ".webp": {"quality": 95}}.get(extension, {})
    format = {".jpg": "JPEG", ".tif": "TIFF"}.get(extension, extension[1:].upper())
    assert path.read_bytes() == encode(photo, format, **plain)


@pytest.mark.parametrize("extension", HOLDING)
@pytest.mark.parametrize(
    "block",
    [
        b"Exif\0\0MM\0\x2a\0\0\0\x08\xff\xff\x01\x12",
        b"Exif\0\0II\x2a\0\xff\xff\xff\xff",
        b"Exif\0\0",
        b"nothing of the kind",
        camera_exif().tobytes()[:70],
        camera_exif().tobytes().replace(b"2024", b"\xff\xfe\xfd\xfc"),
    ],
    ids=["count too large", "offset too large", "empty", "nonsense", "cut short", "odd characters"],
)
def test_a_broken_block_never_fails_a_save(tmp_path, photo, block, extension):
    for metadata in (PhotoMetadata(block), read_metadata(encode(photo, exif=block))):
        image = saved(tmp_path, photo, metadata, extension)
        assert image.getexif()[Base.Software] == SOFTWARE


@pytest.mark.slow
@pytest.mark.parametrize("extension", HOLDING)
def test_no_bit_flip_in_the_block_fails_a_save(tmp_path, photo, extension):
    random = np.random.default_rng(4)
    block = np.frombuffer(camera_exif().tobytes(), np.uint8)
    for _ in range(60):
        broken = block.copy()
        broken[6 + random.integers(0, len(block) - 6, 5)] = random.integers(0, 256, 5)
        for metadata in (PhotoMetadata(broken.tobytes()), read_metadata(encode(photo, exif=broken.tobytes()))):
            write_photo(tmp_path / f"out{extension}", photo[:16, :16], metadata=metadata, overwrite=True)


@pytest.mark.parametrize("extension", HOLDING)
def test_a_block_too_large_for_a_jpeg_loses_what_is_long(tmp_path, photo, extension):
    exif = camera_exif()
    exif.get_ifd(IFD.Exif)[Base.MakerNote] = bytes(70_000)  # which goes anyway
    exif.get_ifd(IFD.Exif)[Base.UserComment] = b"Rome"
    kept = saved(tmp_path, photo, PhotoMetadata(exif.tobytes()), extension).getexif()
    assert Base.MakerNote not in kept.get_ifd(IFD.Exif)
    assert kept.get_ifd(IFD.Exif)[Base.UserComment] == b"Rome"
    exif.get_ifd(IFD.Exif)[Base.UserComment] = bytes(70_000)
    exif[Base.ImageDescription] = "x" * 300
    kept = saved(tmp_path, photo, PhotoMetadata(exif.tobytes()), extension).getexif()
    assert Base.UserComment not in kept.get_ifd(IFD.Exif)
    assert Base.ImageDescription not in kept
    assert kept.get_ifd(IFD.Exif)[Base.DateTimeOriginal] == "2024:05:06 07:08:09"
    assert (kept[Base.Make], kept[Base.Software]) == ("Cam", SOFTWARE)


@pytest.mark.parametrize("extension", HOLDING)
def test_the_preview_in_the_makers_note_goes(tmp_path, photo, extension):
    """Cameras keep one there that is larger than the thumbnail."""
    exif, preview = camera_exif(), encode(np.full((16, 16, 3), 200, np.uint8))
    exif.get_ifd(IFD.Exif)[Base.MakerNote] = b"Cam\0" + preview
    image = saved(tmp_path, photo, read_metadata(encode(photo, exif=exif)), extension)
    assert image.getexif()[Base.Make] == "Cam"
    assert preview not in (tmp_path / f"out{extension}").read_bytes()


def test_how_a_tiff_stored_its_pixels_is_not_carried_over(tmp_path, photo):
    data = encode(Image.fromarray(photo).convert("CMYK"), "TIFF", exif=camera_exif())
    for extension in HOLDING:
        image = saved(tmp_path, photo, read_metadata(data), extension)
        assert image.mode == "RGB"
        assert image.getexif()[Base.Make] == "Cam"
        if extension != ".tif":
            assert not {Base.Compression, Base.StripOffsets, Base.BitsPerSample} & set(image.getexif())


def test_names_keep_their_letters(tmp_path, photo):
    exif = camera_exif()
    exif[Base.Artist] = "S\xf8ren".encode()
    image = saved(tmp_path, photo, read_metadata(encode(photo, exif=exif)))
    assert image.getexif()[Base.Artist].encode("latin-1").decode() == "S\xf8ren"


# ---- colour profiles ----


@pytest.mark.parametrize("extension", HOLDING)
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_the_profile_of_an_rgb_photo_is_kept(tmp_path, photo, format, extension):
    metadata = read_metadata(encode(photo, format, icc_profile=SRGB))
    assert metadata.icc == SRGB
    assert saved(tmp_path, photo, metadata, extension).info["icc_profile"] == SRGB
    assert "icc_profile" not in saved(tmp_path, photo, PhotoMetadata(), extension).info


def test_the_profile_of_a_palette_is_kept(photo):
    assert read_metadata(encode(Image.fromarray(photo).convert("P"), "PNG", icc_profile=SRGB)).icc == SRGB


def test_profiles_that_do_not_describe_rgb_are_left_out(photo):
    image = Image.fromarray(photo)
    assert read_metadata(encode(image.convert("L"), icc_profile=SRGB)).icc is None
    assert read_metadata(encode(image.convert("CMYK"), icc_profile=ink_profile())).icc is None
    assert read_metadata(encode(image, icc_profile=ink_profile())).icc is None
    assert read_metadata(encode(image, icc_profile=b"RGB " * 10)).icc is None
    assert read_metadata(encode(image, "TIFF", icc_profile=SRGB + bytes(5 << 20))).icc is None


def ink_profile() -> bytes:
    """A CMYK printer that prints on blue paper with weak inks: a table of two steps for each ink."""
    corners = np.array([[(i >> shift) & 1 for shift in (3, 2, 1, 0)] for i in range(16)], float)
    lightness = 60 - corners @ [5, 5, 5, 20]
    table = np.stack([lightness * 2.55, np.full(16, 128), np.full(16, 128 - 60)], axis=1).round().astype(np.uint8)
    ramp = np.arange(256, dtype=np.uint8).tobytes()
    identity = b"".join(struct.pack(">l", 65536 * (i in (0, 4, 8))) for i in range(9))
    lut = b"mft1" + bytes(4) + bytes([4, 3, 2, 0]) + identity + ramp * 4 + table.tobytes() + ramp * 3
    tags = struct.pack(">L4sLL", 1, b"A2B0", 144, len(lut))
    white = struct.pack(">lll", 63190, 65536, 54061)
    header = struct.pack(">L4sL4s4s4s", 0, b"lcms", 0x02400000, b"prtr", b"CMYK", b"Lab ") + bytes(12)
    header += b"acsp" + bytes(28) + white
    profile = header.ljust(128, b"\0") + tags + lut
    return struct.pack(">L", len(profile)) + profile[4:]


@pytest.mark.parametrize("format", ["TIFF", "JPEG"])
def test_inks_are_read_by_their_profile(format):
    cyan = Image.new("CMYK", (32, 32), (255, 0, 0, 0))
    plain = imaging.read_photo(encode(cyan, format))[16, 16].astype(int)
    assert np.abs(plain - (0, 255, 255)).max() < 4
    printed = imaging.read_photo(encode(cyan, format, icc_profile=ink_profile()))[16, 16].astype(int)
    assert np.abs(printed - (32, 135, 236)).max() < 8


@pytest.mark.parametrize(
    "profile", [b"", b"junk" * 100, SRGB, ink_profile()[:200], ink_profile()[:128] + b"\xff" * 400], ids=range(5)
)
def test_inks_with_an_unusable_profile_are_read_plainly(photo, profile):
    image = Image.fromarray(photo).convert("CMYK")
    plain = imaging.read_photo(encode(image, "TIFF"))
    assert (imaging.read_photo(encode(image, "TIFF", icc_profile=profile)) == plain).all()


# ---- sources ----


def test_sources_that_are_no_photo(tmp_path):
    (tmp_path / "text.jpg").write_bytes(b"dear diary")
    for source in (tmp_path / "missing.jpg", tmp_path / "text.jpg", b""):
        with pytest.raises(UserError):
            read_metadata(source)


def test_paths_text_and_bytes_are_the_same(tmp_path, photo):
    path = tmp_path / "me.jpg"
    path.write_bytes(encode(photo, exif=camera_exif(), icc_profile=SRGB))
    assert read_metadata(path) == read_metadata(str(path)) == read_metadata(path.read_bytes())


def test_a_photo_cut_short_still_says_what_its_header_says(photo):
    data = encode(photo, exif=camera_exif(), icc_profile=SRGB)
    metadata = read_metadata(data[:-400])
    assert metadata.icc == SRGB
    assert metadata.exif is not None
