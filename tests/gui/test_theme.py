"""Colours of the window."""

from PySide6.QtGui import QColor

from maskedit.gui import theme


def test_text_on_swatches_is_readable():
    assert theme.text_on((0, 0, 0)) == QColor("white")
    assert theme.text_on((255, 255, 255)) == QColor("black")
    assert theme.text_on((0, 0, 204)) == QColor("white")
    assert theme.text_on((255, 255, 0)) == QColor("black")
