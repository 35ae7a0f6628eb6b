"""What lies over the views: where an edit changes the result, where the parser was unsure."""

import numpy as np
import pytest
from PySide6.QtCore import QSizeF
from PySide6.QtTest import QTest

from maskedit.gui.canvas.viewport import Viewport
from maskedit.gui.canvas.views import ResultView
from maskedit.gui.qimage import image_photo, photo_image, tint_image
from tests.gui.harness import SIDE, make_document

RED = np.tile(np.uint8([200, 60, 40]), (64, 64, 1))


def pixels(view) -> np.ndarray:
    return image_photo(view.grab().toImage()).astype(int)


@pytest.fixture
def result(qapp):
    """A result view at four screen pixels a pixel, with an image of 64 px."""
    viewport = Viewport()
    viewport.set_image_size(64, 64)
    view = ResultView(viewport, "Result")
    view.resize(272, 272)
    view.show()
    QTest.qWaitForWindowExposed(view, 2000)
    viewport.set_view_size(QSizeF(view.size()))
    viewport.set_zoom(4.0)
    view.set_image(photo_image(RED))
    yield view
    view.close()
    view.deleteLater()


def at(view, image: np.ndarray, x: float, y: float) -> np.ndarray:
    """The screen's colour in the middle of an image pixel."""
    rect = view.viewport.image_rect(view.view_size())
    return image[round(rect.top() + (y + 0.5) * 4), round(rect.left() + (x + 0.5) * 4)]


@pytest.fixture
def alpha():
    alpha = np.zeros((64, 64), np.float32)
    alpha[20:40, 20:40] = 1
    return alpha


def test_a_tint_owns_its_premultiplied_memory():
    opacity = np.zeros((3, 5))
    opacity[1, 2] = 0.5
    image = tint_image(opacity, np.array([200, 100, 50], np.uint8))
    opacity[:] = 1
    colour = image.pixelColor(2, 1)
    assert colour.alpha() == 128
    assert abs(np.array(colour.getRgb()[:3]) - [200, 100, 50]).max() <= 1
    assert image.pixelColor(1, 1).alpha() == 0


def test_the_overlay_dims_what_stays(result, alpha):
    before = pixels(result)
    result.set_overlay(alpha)
    after = pixels(result)
    for inside in ((30, 30), (24, 36)):
        assert (at(result, after, *inside) == at(result, before, *inside)).all()
    for outside in ((5, 5), (50, 30), (30, 60)):
        was, now = at(result, before, *outside), at(result, after, *outside)
        assert now.sum() < 0.8 * was.sum()
        assert np.ptp(now) < 0.6 * np.ptp(was)
    edge = np.ptp(after[:, round(after.shape[1] / 2)], axis=1)  # the outline, white on black, crosses this column
    assert after[edge < 10].max() > 180
    rect = result.viewport.image_rect(result.view_size()).toAlignedRect()
    assert (after[: rect.top()] == before[: rect.top()]).all()  # nothing beside the image
    result.set_overlay(None)
    assert (pixels(result) == before).all()


def test_half_changed_is_half_dimmed(result, alpha):
    result.set_overlay(np.full((64, 64), 0.5, np.float32))
    half = at(result, pixels(result), 30, 30)
    result.set_overlay(np.zeros((64, 64), np.float32))
    whole = at(result, pixels(result), 30, 30)
    assert abs((RED[0, 0] + whole) / 2 - half).max() <= 1


def test_the_overlay_lies_over_the_result_only(result, alpha):
    result.before = photo_image(RED)
    before = pixels(result)
    result.set_overlay(alpha)
    result.set_split(0.5)
    after = pixels(result)
    assert (at(result, after, 5, 5) == at(result, before, 5, 5)).all()  # the photo
    assert at(result, after, 60, 5).sum() < 0.8 * at(result, before, 60, 5).sum()
    result.set_show_before(True)
    result.set_split(None)
    assert (pixels(result) == before).all()


def test_no_overlay_without_an_image(result, alpha):
    result.set_image(None)
    before = pixels(result)
    result.set_overlay(alpha)
    assert (pixels(result) == before).all()


# Where the parser was unsure


@pytest.fixture
def unsure():
    """Sure but for two blocks: one a little unsure, the other very."""
    confidence = np.full((SIDE, SIDE), 255, np.uint8)
    confidence[10:40, 10:40] = 200
    confidence[200:230, 200:230] = 80
    return confidence


def blocks(window) -> list[np.ndarray]:
    """The screen over the two blocks and over a part where the parser was sure."""
    canvas, shown = window.canvas, pixels(window.canvas)
    rect, scale = canvas.viewport.image_rect(canvas.view_size()), canvas.scale
    parts = []
    for start in (12, 202, 100):
        x, y = round(rect.left() + start * scale), round(rect.top() + start * scale)
        parts.append(shown[y : y + round(25 * scale), x : x + round(25 * scale)])
    return parts


@pytest.mark.parametrize("colour_blind", [False, True])
def test_doubt_is_hatched_the_more_the_greater_it_is(window, unsure, colour_blind):
    if colour_blind:
        window.actions_by_id["colour_blind"].trigger()
    little, much, sure = blocks(window)
    window.canvas.set_confidence(unsure)
    little_after, much_after, sure_after = blocks(window)
    assert (sure_after == sure).all()
    change_little, change_much = abs(little_after - little).mean(), abs(much_after - much).mean()
    assert 20 < change_little < change_much
    magenta = (much_after[..., 0] > 180) & (much_after[..., 1] < 110) & (much_after[..., 2] > 130)
    white = much_after.min(axis=2) > 180
    assert magenta.mean() > 0.25
    assert white.mean() > 0.25
    window.canvas.set_confidence(None)
    assert all((now == was).all() for now, was in zip(blocks(window), (little, much, sure), strict=True))


def test_from_nine_tenths_on_the_parser_is_sure(window):
    before = pixels(window.canvas)
    window.canvas.set_confidence(np.full((SIDE, SIDE), 230, np.uint8))
    assert (pixels(window.canvas) == before).all()


def test_with_the_labels_the_hatching_is_hidden(window, unsure):
    window.canvas.labels_hidden = True
    before = pixels(window.canvas)
    window.canvas.set_confidence(unsure)
    assert (pixels(window.canvas) == before).all()


def test_another_document_forgets_the_confidence(window, unsure):
    before = pixels(window.canvas)
    window.canvas.set_confidence(unsure)
    assert (pixels(window.canvas) != before).any()
    window.files.show_document(make_document())
    assert window.canvas._doubt is None
    window.canvas.set_confidence(unsure)
    window.canvas.set_photo(photo_image(window.editor.document.photo))
    assert (pixels(window.canvas) == before).all()


def test_the_background_lets_the_photo_through_until_its_eye_is_opened(window):
    canvas, document = window.canvas, window.editor.document

    def shown() -> np.ndarray:
        """What the canvas shows in the upper left corner, as a mean colour."""
        rect, scale = canvas.viewport.image_rect(canvas.view_size()), canvas.scale
        x, y = round(rect.left() + 4 * scale), round(rect.top() + 4 * scale)
        return pixels(canvas)[y : y + 20, x : x + 20].mean(axis=(0, 1))

    assert (document.labels[:20, :20] == 0).all()
    photo = document.photo[4:14, 4:14].mean(axis=(0, 1))
    window.opacity.setValue(100)
    assert abs(shown() - photo).max() < 12
    window.palette_panel._eyes[0].click()
    assert shown().max() < 3
    window.palette_panel._eyes[0].click()
    window.editor.set_label(0)
    window.actions_by_id["isolate"].trigger()
    assert shown().max() < 3
