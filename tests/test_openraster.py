"""Layers as OpenRaster files, read again by the specification."""

import numpy as np
import pytest

from maskedit import UserError, imaging
from maskedit.imaging import Layer, PhotoMetadata, write_openraster
from tests.faces import draw_face
from tests.openraster import read_openraster, shown
from tests.test_metadata import SOFTWARE, SRGB, camera_exif


def picture(height=300, width=420):
    return imaging.resize_photo(draw_face(420, 1)[0], (width, height))


@pytest.mark.parametrize("size", [(300, 420), (40, 30), (700, 20), (20, 700)])
def test_layers_come_back_where_they_were(tmp_path, size):
    photo = picture(*size)
    dot = np.full((5, 7, 4), (255, 0, 0, 128), np.uint8)
    layers = [Layer("Photo", photo), Layer('Dot & <"ü">', dot, 11, 3), Layer("Hidden", dot, 1, 2, visible=False)]
    path = write_openraster(tmp_path / "x.ora", layers, photo)
    found = read_openraster(path)
    assert [(each.name, each.at, each.visible) for each in found.layers] == [
        ("Photo", (0, 0), True),
        ('Dot & <"ü">', (11, 3), True),
        ("Hidden", (1, 2), False),
    ]
    for layer, read in zip(layers, found.layers, strict=True):
        assert np.array_equal(np.array(read.image), layer.pixels)
    assert np.array_equal(np.array(found.merged), photo)
    both = shown(found)
    assert np.abs(both[3:8, 11:18].astype(int) - (photo[3:8, 11:18] + (255.0, 0, 0)) / 2).max() <= 1
    both[3:8, 11:18] = photo[3:8, 11:18]
    assert np.array_equal(both, photo)
    assert found.merged.info == {}


def test_the_same_layers_make_the_same_file(tmp_path):
    layers = [Layer("Photo", picture())]
    one, other = (write_openraster(tmp_path / name, layers, picture()).read_bytes() for name in ("a.ora", "b.ora"))
    assert one == other


def test_metadata_goes_with_the_merged_picture_and_colours_with_all(tmp_path):
    photo, metadata = picture(), PhotoMetadata(camera_exif().tobytes(), SRGB)
    found = read_openraster(write_openraster(tmp_path / "x.ora", [Layer("Photo", photo)], photo, metadata=metadata))
    exif = found.merged.getexif()
    assert exif[0x010F] == "Cam"
    assert exif[0x0112] == 1  # upright
    assert exif[0x0131] == SOFTWARE
    for image in (found.merged, found.thumbnail, found.layers[0].image):
        assert image.info["icc_profile"] == SRGB
    assert not found.layers[0].image.getexif()


def test_files_are_refused_as_all_others(tmp_path):
    photo = picture(20, 20)
    with pytest.raises(UserError, match=r"does not end in \.ora"):
        write_openraster(tmp_path / "x.png", [Layer("Photo", photo)], photo)
    with pytest.raises(UserError, match="There is no folder"):
        write_openraster(tmp_path / "no" / "x.ora", [Layer("Photo", photo)], photo)
    there = tmp_path / "there.ora"
    there.write_bytes(b"precious")
    with pytest.raises(UserError, match="exists already"):
        write_openraster(there, [Layer("Photo", photo)], photo)
    assert there.read_bytes() == b"precious"
    write_openraster(there, [Layer("Photo", photo)], photo, overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == ["there.ora"]
    read_openraster(there)


def test_a_full_disk_leaves_the_old_file(tmp_path, monkeypatch):
    there = tmp_path / "there.ora"
    there.write_bytes(b"precious")

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(UserError, match="No space left on device"):
        write_openraster(there, [Layer("Photo", picture())], picture(), overwrite=True)
    assert there.read_bytes() == b"precious"
    assert [path.name for path in tmp_path.iterdir()] == ["there.ora"]
