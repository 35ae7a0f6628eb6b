"""Arrays as images of the screen, and back."""

import numpy as np
import pytest
from PySide6.QtGui import QColor, QImage

from maskedit.gui.qimage import LabelImage, image_photo, photo_image
from maskedit.labels import palette


@pytest.mark.parametrize("width", [1, 3, 511, 513])
def test_photos_of_any_width(width):
    photo = np.random.default_rng(width).integers(0, 256, (5, width, 3), dtype=np.uint8)
    image = photo_image(photo)
    assert (image.width(), image.height()) == (width, 5)
    expected = photo.copy()
    photo[:] = 0  # the image owns its memory
    assert np.array_equal(image_photo(image), expected)
    assert image.pixelColor(width - 1, 4).getRgb()[:3] == tuple(expected[4, -1].tolist())


def test_transparent_pixels_become_white_and_scaled_images_keep_their_size():
    image = QImage(6, 4, QImage.Format.Format_ARGB32)
    image.fill(QColor(10, 20, 30, 0))
    image.setPixelColor(0, 0, QColor(10, 20, 30))
    image.setDevicePixelRatio(2.0)
    photo = image_photo(image)
    assert photo.shape == (4, 6, 3)
    assert photo[0, 0].tolist() == [10, 20, 30]
    assert photo[3, 5].tolist() == [255, 255, 255]


@pytest.mark.parametrize("width", [1, 3, 511, 513])
def test_label_images_change_in_the_box_alone(width):
    from maskedit.document.history import Box

    labels = np.full((4, width), 13, np.uint8)
    colours = np.concatenate([palette(), np.full((19, 1), 255, np.uint8)], axis=1)
    colours[1, 3] = 0
    image = LabelImage(labels, colours)
    labels[:] = 18
    labels[0, 0] = 1
    image.update(labels, Box(0, 0, 1, 2))
    assert image.image.pixelColor(0, 0).alpha() == 0
    assert image.image.pixelColor(0, 1).getRgb() == (0, 204, 0, 255)
    assert image.image.pixelColor(width - 1, 3).getRgb() == (0, 0, 204, 255)
