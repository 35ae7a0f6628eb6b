"""Fusion in the system's light or dark scheme, and icons that follow it."""

from __future__ import annotations

import qtawesome
from PySide6.QtGui import QColor, QIcon, QPalette
from PySide6.QtWidgets import QApplication

ACCENT = QColor(66, 133, 244)


def apply(application: QApplication) -> None:
    """The same look on every system; light or dark as the system says."""
    application.setStyle("Fusion")
    colours = application.palette()
    colours.setColor(QPalette.ColorRole.Highlight, ACCENT)
    colours.setColor(QPalette.ColorRole.HighlightedText, QColor("white"))
    application.setPalette(colours)


def icon(name: str, palette: QPalette) -> QIcon:
    """A qtawesome icon in the theme's text colour; ask again after a change of theme."""
    colour = palette.color(QPalette.ColorRole.WindowText)
    off = palette.color(QPalette.ColorGroup.Disabled, QPalette.ColorRole.WindowText)
    return qtawesome.icon(name, color=colour, color_disabled=off, color_on=ACCENT)


def forget_icons() -> None:
    """qtawesome keeps the old colour until its cache is emptied."""
    qtawesome.reset_cache()


def text_on(colour: tuple[int, int, int]) -> QColor:
    """Black or white, whichever reads better on a swatch (WCAG relative luminance)."""
    linear = [((c / 255 + 0.055) / 1.055) ** 2.4 if c > 10 else c / 255 / 12.92 for c in colour]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return QColor("black") if luminance > 0.179 else QColor("white")
