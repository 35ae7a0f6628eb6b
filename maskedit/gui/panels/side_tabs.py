"""The panels at the window's side: tabs of one dock, of which one is in front."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDockWidget, QFrame, QMainWindow, QScrollArea, QTabWidget, QWidget

_SIDE = Qt.DockWidgetArea.RightDockWidgetArea


def scrolled(panel: QWidget) -> QScrollArea:
    """A panel that scrolls where the window is too low for it."""
    scroll = QScrollArea()
    scroll.setWidget(panel)
    scroll.setWidgetResizable(True)
    scroll.setFrameShape(QFrame.Shape.NoFrame)
    scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    return scroll


class SideTabs:
    """Adds panels to a window; the first one is the one in front at the beginning."""

    def __init__(self, window: QMainWindow):
        self._window = window
        self._docks: dict[str, QDockWidget] = {}
        window.setTabPosition(_SIDE, QTabWidget.TabPosition.North)

    def add(self, title: str, panel: QWidget) -> QDockWidget:
        """One more panel behind the others."""
        dock = QDockWidget(title, self._window)
        dock.setObjectName(title.lower())
        dock.setFeatures(QDockWidget.DockWidgetFeature.DockWidgetMovable)
        dock.setTitleBarWidget(QWidget())  # the tab has the title
        dock.setWidget(panel)
        self._window.addDockWidget(_SIDE, dock)
        if self._docks:
            first = next(iter(self._docks.values()))
            self._window.tabifyDockWidget(list(self._docks.values())[-1], dock)
            first.raise_()
        self._docks[title] = dock
        return dock

    def show(self, title: str) -> None:
        """A panel to the front."""
        self._docks[title].raise_()

    def show_or_leave(self, title: str) -> None:
        """A panel to the front; the first one again where it is there already."""
        behind = self._docks[title].widget().visibleRegion().isEmpty()
        self.show(title if behind else next(iter(self._docks)))
