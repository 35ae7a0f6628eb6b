"""How the views share the window: pure geometry."""

import pytest
from PySide6.QtCore import QRect, QSize

from maskedit.gui.canvas.view_area import LAYOUTS, places

TITLE = 18


def picture(place: QRect) -> int:
    """The side of the square that is seen in a panel."""
    return min(place.width(), place.height() - TITLE)


@pytest.mark.parametrize("photo", [True, False])
@pytest.mark.parametrize("size", [(810, 570), (1390, 860), (2340, 1290), (620, 1200), (2300, 800), (360, 240)])
def test_the_layout_that_fits_is_the_largest(size, photo):
    found = {layout: places(layout, QSize(*size), photo=photo, title=TITLE) for layout in LAYOUTS}
    two = {layout: picture(place.labels) for layout, place in found.items() if layout in ("side", "row", "rows")}
    assert picture(found["auto"].labels) >= 0.9 * max(two.values())
    for layout, place in found.items():
        shown = [rect for rect in (place.labels, place.result, place.photo) if rect is not None]
        assert all(QRect(0, 0, *size).contains(rect) for rect in shown)
        assert (place.result is None) == (layout == "over")
        assert place.result is None or place.result.size() == place.labels.size()
        assert (place.photo is not None) == photo
        if not place.inset:
            assert not any(one.intersects(other) for one in shown for other in shown if one is not other)


def test_a_window_of_everyday_has_no_empty_half():
    found = places("auto", QSize(1390, 860), photo=True, title=TITLE)
    assert picture(found.labels) == found.labels.width() == 693
    assert found.inset
    assert found.result.contains(found.photo)


def test_a_very_wide_window_shows_all_three_in_one_size():
    found = places("auto", QSize(2300, 800), photo=True, title=TITLE)
    assert found.photo.size() == found.labels.size() == found.result.size()
    assert places("auto", QSize(2300, 800), photo=False, title=TITLE).photo is None


def test_what_is_left_over_holds_the_photo():
    beside = places("side", QSize(2000, 800), photo=True, title=TITLE)
    below = places("side", QSize(990, 860), photo=True, title=TITLE)
    assert not beside.inset
    assert not below.inset
    assert beside.photo.right() < beside.labels.left()
    assert below.photo.top() > below.labels.bottom()
    assert picture(below.labels) == 493
