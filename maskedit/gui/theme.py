"""Fusion in a light or a dark scheme, and icons that follow it."""

from __future__ import annotations

import qtawesome
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QIcon, QPalette
from PySide6.QtWidgets import QApplication, QToolTip

ACCENT = QColor(66, 133, 244)
SCHEMES = {"system": Qt.ColorScheme.Unknown, "light": Qt.ColorScheme.Light, "dark": Qt.ColorScheme.Dark}
"""What the look may be, as Qt calls it; ``system`` is what the desktop says."""

_ROLE = QPalette.ColorRole
_COLOURS = {
    "light": {
        **dict.fromkeys((_ROLE.WindowText, _ROLE.Text, _ROLE.ButtonText, _ROLE.ToolTipText), "#000000"),
        **{_ROLE.Window: "#efefef", _ROLE.Button: "#efefef", _ROLE.Base: "#ffffff", _ROLE.AlternateBase: "#f7f7f7"},
        **{_ROLE.Light: "#ffffff", _ROLE.Midlight: "#cacaca", _ROLE.Mid: "#b8b8b8", _ROLE.Dark: "#9f9f9f"},
        **{_ROLE.Shadow: "#767676", _ROLE.ToolTipBase: "#ffffdc", _ROLE.PlaceholderText: "#808080"},
        **{_ROLE.BrightText: "#ffffff", _ROLE.Link: "#0b57d0", _ROLE.LinkVisited: "#7c3aed"},
    },
    "dark": {
        **dict.fromkeys((_ROLE.WindowText, _ROLE.Text, _ROLE.ButtonText, _ROLE.ToolTipText), "#e8e8ea"),
        **{_ROLE.Window: "#35353a", _ROLE.Button: "#414147", _ROLE.Base: "#232327", _ROLE.AlternateBase: "#2b2b2f"},
        **{_ROLE.Light: "#5d5d64", _ROLE.Midlight: "#53535a", _ROLE.Mid: "#2b2b2f", _ROLE.Dark: "#1e1e21"},
        **{_ROLE.Shadow: "#101012", _ROLE.ToolTipBase: "#3c3c42", _ROLE.PlaceholderText: "#9a9aa2"},
        **{_ROLE.BrightText: "#ffffff", _ROLE.Link: "#8ab4f8", _ROLE.LinkVisited: "#c58af9"},
    },
}
_DISABLED = {"light": "#9a9a9a", "dark": "#77777e"}


def apply(application: QApplication, scheme: str = "system") -> None:
    """The same look on every system; ``scheme`` is one of `SCHEMES`, and any other word is the system's.

    Light and dark bring colours of their own: where the desktop reports no scheme, as on bare X11, Qt has none to give.
    """
    if application.style().name() != "fusion":
        application.setStyle("Fusion")
    application.styleHints().setColorScheme(SCHEMES.get(scheme, Qt.ColorScheme.Unknown))
    colours = QPalette()  # what is not set in it is the system's, and follows it
    for role, colour in _COLOURS.get(scheme, {}).items():
        colours.setColor(role, QColor(colour))
    if scheme in _DISABLED:
        for role in (_ROLE.WindowText, _ROLE.Text, _ROLE.ButtonText, _ROLE.HighlightedText):
            colours.setColor(QPalette.ColorGroup.Disabled, role, QColor(_DISABLED[scheme]))
    colours.setColor(_ROLE.Highlight, ACCENT)
    colours.setColor(_ROLE.HighlightedText, QColor("white"))
    application.setPalette(colours)
    QToolTip.setPalette(application.palette())


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
