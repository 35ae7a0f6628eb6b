"""The table of commands as QActions: in the menu bar, in the tool bar, and behind their keys."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QAction, QActionGroup, QKeySequence, QPalette
from PySide6.QtWidgets import QMainWindow, QMenu, QSizePolicy, QToolBar, QToolButton, QWidget

from maskedit.gui import theme
from maskedit.gui.commands.mnemonics import give_mnemonics
from maskedit.gui.commands.table import COMMANDS, PURPOSES, Command

_ROW = PURPOSES.index("Painting") + 1
"""How many groups stand in the upper row of the tool bar, where texts make two rows of it."""


class Menus:
    """Owns the actions and menus: PySide6 drops a QAction or QMenu that nobody refers to.

    Args:
        window: gets the menu bar, the tool bar and the keys.
        handlers: what each command does, by its id.
        brush: the widget that follows what paints in the tool bar.
    """

    def __init__(self, window: QMainWindow, handlers: dict[str, Callable], brush: QWidget):
        self._window = window
        self._menus: dict[str, QMenu] = {}
        self._groups: dict[str, QActionGroup] = {}
        self.by_id = {command.id: self._action(command, handlers[command.id]) for command in COMMANDS}
        self.bar = self._tool_bar("tools", PURPOSES[:_ROW], brush)
        self._more = self._tool_bar("more tools", PURPOSES[_ROW:])
        # A tool bar shares spare room among the widgets in it; this one takes all of it.
        rest = QWidget()
        rest.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self._more.addWidget(rest)

    def _action(self, command: Command, handler: Callable) -> QAction:
        action = QAction(command.text, self._window)
        action.setIconText(command.short or command.text.rstrip("…"))
        keys = f" ({command.keys[0]})" if command.keys else ""
        tip = f"{command.text.rstrip('…')}{keys}: {command.tip}"
        action.setToolTip(tip)
        action.setStatusTip(tip)
        action.setShortcuts([QKeySequence(key) for key in command.keys])
        action.setCheckable(command.checkable)
        # Not toggled: that fires, too, when show_state makes the action look as the editor stands.
        action.triggered.connect(handler)
        if command.group:
            if command.group not in self._groups:
                self._groups[command.group] = QActionGroup(self._window)
            self._groups[command.group].addAction(action)
        if command.menu not in self._menus:
            self._menus[command.menu] = self._window.menuBar().addMenu(f"&{command.menu}")
            give_mnemonics(self._menus[command.menu])
        menu = self._menus[command.menu]
        if command.separated:
            menu.addSeparator()
        menu.addAction(action)
        self._window.addAction(action)
        return action

    def _tool_bar(self, name: str, purposes: Sequence[str], brush: QWidget | None = None) -> QToolBar:
        """The commands of the bar by what they are for, a separator between two purposes."""
        bar = QToolBar(name.capitalize(), self._window)
        bar.setObjectName(name)
        bar.setIconSize(QSize(20, 20))
        bar.setMovable(False)
        for purpose in purposes:
            shown = [command for command in COMMANDS if command.bar and command.purpose == purpose]
            if shown and (bar.actions() or brush is None):
                bar.addSeparator()
            bar.addActions([self.by_id[command.id] for command in shown])
        if brush is not None:
            bar.addWidget(brush)
        # All of it is in the menus too: a button that took the focus would only take it from the canvas.
        for button in bar.findChildren(QToolButton):
            button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._window.addToolBar(bar)
        return bar

    def show_text(self, on: bool) -> None:
        """Words beside the icons of the tool bar, which has two rows then."""
        style = Qt.ToolButtonStyle.ToolButtonTextBesideIcon if on else Qt.ToolButtonStyle.ToolButtonIconOnly
        for bar in (self.bar, self._more):
            bar.setToolButtonStyle(style)
        self._more.actions()[0].setVisible(not on)  # a separator, between the two bars in one row
        if on:
            self._window.insertToolBarBreak(self._more)
        else:
            self._window.removeToolBarBreak(self._more)

    def submenu(self, title: str, *, after: str) -> QMenu:
        """A new menu in the File menu, behind one of its commands."""
        menu = self._menus["File"]
        actions = menu.actions()
        following = actions[actions.index(self.by_id[after]) + 1]
        submenu = QMenu(title, menu)
        menu.insertMenu(following, submenu)
        give_mnemonics(submenu)
        return submenu

    def show_state(self, checked: dict[str, bool], enabled: dict[str, bool]) -> None:
        """Make actions look as the editor stands, without running them."""
        for id, on in checked.items():
            self.by_id[id].setChecked(on)
        for id, on in enabled.items():
            self.by_id[id].setEnabled(on)

    def draw_icons(self, palette: QPalette) -> None:
        """Icons and lines in the theme's colours; again after a change of theme."""
        for command in COMMANDS:
            if command.icon:
                self.by_id[command.id].setIcon(theme.icon(command.icon, palette))
        # Fusion's own lines between the groups of the tool bar can hardly be seen.
        line = palette.color(QPalette.ColorRole.Midlight).name()
        for bar in (self.bar, self._more):
            bar.setStyleSheet(f"QToolBar::separator {{ background: {line}; width: 1px; margin: 5px 6px; }}")
            more = bar.findChild(QToolButton, "qt_toolbar_ext_button")  # Qt's is black in a dark theme, too
            more.setIcon(theme.icon("mdi6.chevron-double-right", palette))
