"""The class palette: swatch, name and number of each class; an eye to hide it, a lock to protect it."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QSize, Qt, Signal, Slot
from PySide6.QtGui import QIcon, QPalette
from PySide6.QtWidgets import QGridLayout, QPushButton, QSizePolicy, QToolButton, QWidget

from maskedit.document.styles import Styles
from maskedit.gui import theme
from maskedit.gui.editor import Editor
from maskedit.gui.panels.style_panel import plain_tip, thumbnail
from maskedit.labels import LABELS, STYLE_PART_OF, palette


class PalettePanel(QWidget):
    """``hidden_changed`` tells the set of ids whose eye is shut."""

    hidden_changed = Signal(frozenset)

    def __init__(self, editor: Editor, parent: QWidget | None = None):
        super().__init__(parent)
        self._editor = editor
        self._colour_blind = False
        self._rows: list[QPushButton] = []
        self._eyes: list[QToolButton] = []
        self._locks: list[QToolButton] = []
        grid = QGridLayout(self)
        grid.setContentsMargins(4, 4, 4, 4)
        grid.setSpacing(2)
        for label in LABELS:
            row = QPushButton()
            row.setCheckable(True)
            row.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            row.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
            row.setMinimumHeight(20)
            row.setMaximumHeight(30)
            row.setAccessibleName(f"Class {label.title}")
            row.setToolTip(f"{label.title} ({label.id}, {label.name}): paint with this class")
            row.clicked.connect(lambda _=False, id=label.id: self._choose(id))
            eye = self._toggle(f"Hide {label.title}", "Hide or show this class on the screen")
            eye.toggled.connect(self._eyes_changed)
            lock = self._toggle(f"Protect {label.title}", "Protect this class: nothing paints over it")
            lock.toggled.connect(self._locks_changed)
            for column, widget in enumerate((row, eye, lock)):
                grid.addWidget(widget, label.id, column)
            self._rows.append(row)
            self._eyes.append(eye)
            self._locks.append(lock)
        grid.setColumnStretch(0, 1)
        for row in range(len(LABELS)):
            grid.setRowStretch(row, 20)
        grid.setRowStretch(len(LABELS), 1)  # in a tall window they stay together
        editor.label_changed.connect(self._mark)
        editor.document_changed.connect(self._take_locks)
        editor.document_changed.connect(self._show_styles)
        editor.history_changed.connect(self._show_styles)
        self._styles: Styles = {}
        self.refresh()

    def _toggle(self, name: str, tip: str) -> QToolButton:
        button = QToolButton()
        button.setCheckable(True)
        button.setAutoRaise(True)
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        button.setIconSize(QSize(15, 15))
        button.setAccessibleName(name)
        button.setToolTip(tip)
        return button

    # State ------------------------------------------------------------------------------------------------------

    def set_colour_blind(self, on: bool) -> None:
        self._colour_blind = on
        self.refresh()

    def hide_class(self, label: int) -> None:
        """Shut the eye of a class."""
        self._eyes[label].setChecked(True)

    def refresh(self) -> None:
        """Colours and icons anew: after a change of palette or theme."""
        outline = self.palette().color(QPalette.ColorRole.WindowText).name()
        ground = self.palette().color(QPalette.ColorRole.Window).name()
        for row, colour in zip(self._rows, palette(colour_blind=self._colour_blind).tolist(), strict=True):
            text = theme.text_on(tuple(colour)).name()
            background = "#{:02x}{:02x}{:02x}".format(*colour)
            # The chosen class: a ring in the theme's own text colour with a gap of the window's ground, so that it
            # stands out from a swatch of any colour.
            row.setStyleSheet(
                f"QPushButton {{ background: {background}; color: {text}; text-align: left; padding: 1px 7px;"
                f" border: 3px solid {ground}; border-radius: 6px; margin: 0px; }}"
                f"QPushButton:checked {{ border: 3px solid {outline}; font-weight: bold; }}"
                f"QPushButton:focus {{ border: 3px dotted {outline}; }}"
            )
        self._draw_icons()
        self._mark(self._editor.label)

    def _draw_icons(self) -> None:
        for eye, lock in zip(self._eyes, self._locks, strict=True):
            shut, locked = eye.isChecked(), lock.isChecked()
            eye.setIcon(theme.icon("mdi6.eye-off-outline" if shut else "mdi6.eye-outline", self.palette()))
            lock.setIcon(
                theme.icon("mdi6.lock-outline" if locked else "mdi6.lock-open-variant-outline", self.palette())
            )

    @Slot(int)
    def _mark(self, label: int) -> None:
        for id, row in enumerate(self._rows):
            row.setChecked(id == label)
            row.setText(f"{'▸ ' if id == label else ''}{id}  {LABELS[id].title}")

    def _choose(self, label: int) -> None:
        self._editor.set_label(label)
        self._mark(self._editor.label)

    @Slot()
    def _eyes_changed(self) -> None:
        self._draw_icons()
        self.hidden_changed.emit(frozenset(id for id, eye in enumerate(self._eyes) if eye.isChecked()))

    @Slot()
    def _locks_changed(self) -> None:
        self._draw_icons()
        self._editor.set_option("locked", {id for id, lock in enumerate(self._locks) if lock.isChecked()})

    @Slot()
    def _take_locks(self) -> None:
        locked = set(self._editor.document.locked)
        for id, lock in enumerate(self._locks):
            lock.blockSignals(True)
            lock.setChecked(id in locked)
            lock.blockSignals(False)
        self._draw_icons()

    @Slot()
    def _show_styles(self) -> None:
        """A class that has another style than the photo's shows where it came from."""
        document = self._editor.document
        styles = {} if document is None else document.styles
        if styles is self._styles:
            return
        self._styles = styles
        for id, row in enumerate(self._rows):
            style = styles.get(STYLE_PART_OF.get(id))
            row.setIcon(QIcon() if style is None else QIcon(thumbnail(style)))
            tip = f"{LABELS[id].title} ({id}, {LABELS[id].name}): paint with this class"
            if style is not None:
                tip = plain_tip(f"{tip}\nStyle from {style.name}, {style.strength:.0%}")
            row.setToolTip(tip)

    # Qt ---------------------------------------------------------------------------------------------------------

    def changeEvent(self, event) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange:
            self.refresh()
