"""The window: three linked views, the palette beside them, menus and tool bar made from the table of commands."""

from __future__ import annotations

import math
from pathlib import Path

from PySide6.QtCore import QEvent, QPointF, QSettings, QSize, QSizeF, Qt, QTimer
from PySide6.QtGui import QAction, QActionGroup, QKeySequence, QShortcut
from PySide6.QtWidgets import (
    QApplication,
    QDockWidget,
    QFrame,
    QHBoxLayout,
    QLabel,
    QMainWindow,
    QMessageBox,
    QScrollArea,
    QSlider,
    QSplitter,
    QToolBar,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

import maskedit
from maskedit.gui import dialogs, theme
from maskedit.gui.actions import COMMANDS
from maskedit.gui.canvas import LabelCanvas
from maskedit.gui.digits import DigitEntry
from maskedit.gui.editor import MAX_BRUSH, TOOLS, Editor
from maskedit.gui.files import BUNDLED, Files, bundled_document
from maskedit.gui.palette_panel import PalettePanel
from maskedit.gui.qimage import image_photo, photo_image
from maskedit.gui.viewport import Viewport
from maskedit.gui.views import ImageView, ResultView
from maskedit.labels import LABELS

HINT = "Choose a class, paint on the middle picture, and the face on the right follows."


class MainWindow(QMainWindow):
    """Binds widgets to the editor; holds no state of its own but what the screen shows."""

    def __init__(self, editor: Editor, settings: QSettings):
        super().__init__()
        self.editor = editor
        self.setAcceptDrops(True)
        self.resize(1440, 760)
        self._settings = settings
        self.files = Files(self, editor, settings)
        self._digits = DigitEntry(editor.set_label)

        self.viewport = Viewport(self)
        self.photo_view = ImageView(self.viewport, "Photo")
        self.canvas = LabelCanvas(editor, self.viewport)
        self.result_view = ResultView(self.viewport, "Result")
        self.result_view.empty_text = "The face appears here once the network has loaded."
        self._build_actions()
        self._build_views()
        self._build_palette()
        self._build_status()
        self._connect()
        self._update_actions()

    # Building ---------------------------------------------------------------------------------------------------

    def _build_actions(self) -> None:
        self.actions_by_id: dict[str, QAction] = {}
        self._menus = {}
        groups: dict[str, QActionGroup] = {}
        bar = QToolBar("Tools", self)
        bar.setObjectName("tools")
        bar.setIconSize(QSize(20, 20))
        bar.setMovable(False)
        last_menu = ""
        for command in COMMANDS:
            action = QAction(command.text, self)
            keys = f" ({command.keys[0]})" if command.keys else ""
            tip = f"{command.text.rstrip('…')}{keys}: {command.tip}"
            action.setToolTip(tip)
            action.setStatusTip(tip)
            action.setShortcuts([QKeySequence(key) for key in command.keys])
            action.setCheckable(command.checkable)
            handler = getattr(self, f"on_{command.id}")
            (action.toggled if command.checkable and not command.group else action.triggered).connect(handler)
            if command.group:
                groups.setdefault(command.group, QActionGroup(self)).addAction(action)
            menu = self._menus.setdefault(command.menu, None) or self.menuBar().addMenu(command.menu)
            self._menus[command.menu] = menu
            if command.separated:
                menu.addSeparator()
            menu.addAction(action)
            self.addAction(action)
            if command.bar:
                if last_menu and last_menu != command.menu:
                    bar.addSeparator()
                last_menu = command.menu
                bar.addAction(action)
            self.actions_by_id[command.id] = action
        self._recent_menu = self._submenu("Open recent", after="open_photo")
        bundled = self._submenu("Bundled portraits", after="open_photo")
        sources = self._submenu("Take labels from a bundled portrait", after="open_source")
        for title, name in BUNDLED:
            bundled.addAction(title, lambda name=name: self.files.open_bundled(name))
            sources.addAction(title, lambda name=name: self._take_bundled(name))
        self.addToolBar(bar)
        bar.addWidget(self._build_brush())
        for button in bar.findChildren(QToolButton):
            button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.actions_by_id["brush"].setChecked(True)
        self.actions_by_id["live"].setChecked(True)
        for digit in range(10):
            QShortcut(QKeySequence(str(digit)), self, lambda digit=digit: self._digits.press(digit))
        self._draw_icons()

    def _submenu(self, title: str, *, after: str):
        menu = self._menus["File"]
        actions = menu.actions()
        following = actions[actions.index(self.actions_by_id[after]) + 1]
        submenu = self.menuBar().addMenu(title)
        self.menuBar().removeAction(submenu.menuAction())
        menu.insertMenu(following, submenu)
        return submenu

    def _build_brush(self) -> QWidget:
        box = QWidget()
        row = QHBoxLayout(box)
        row.setContentsMargins(12, 0, 8, 0)
        self._brush_text = QLabel()
        self._brush_text.setMinimumWidth(92)
        # Equal steps of the slider are equal ratios of the diameter: fine control where brushes are small.
        self._brush_slider = QSlider(Qt.Orientation.Horizontal)
        self._brush_slider.setRange(0, 100)
        self._brush_slider.setFixedWidth(130)
        self._brush_slider.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._brush_slider.setAccessibleName("Brush size")
        self._brush_slider.setToolTip("Brush size ([ and ], or Alt+drag)")
        self._brush_slider.sliderMoved.connect(lambda value: self.editor.set_brush(MAX_BRUSH ** (value / 100)))
        row.addWidget(self._brush_text)
        row.addWidget(self._brush_slider)
        return box

    def _build_views(self) -> None:
        self._message = QFrame()
        self._message.setFrameShape(QFrame.Shape.StyledPanel)
        row = QHBoxLayout(self._message)
        row.setContentsMargins(10, 4, 4, 4)
        self._message_text = QLabel()
        self._message_text.setWordWrap(True)
        self._message_text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        close = QToolButton(text="✕")
        close.setAutoRaise(True)
        close.setAccessibleName("Close the message")
        close.clicked.connect(self._message.hide)
        row.addWidget(self._message_text, 1)
        row.addWidget(close)
        self._message_timer = QTimer(self, singleShot=True, interval=6000)
        self._message_timer.timeout.connect(self._message.hide)
        self._message.hide()

        splitter = QSplitter(Qt.Orientation.Horizontal)
        splitter.setChildrenCollapsible(False)
        for title, view in (("Photo", self.photo_view), ("Labels", self.canvas), ("Result", self.result_view)):
            panel = QWidget()
            column = QVBoxLayout(panel)
            column.setContentsMargins(0, 0, 0, 0)
            column.setSpacing(2)
            caption = QLabel(title)
            caption.setAlignment(Qt.AlignmentFlag.AlignCenter)
            column.addWidget(caption)
            column.addWidget(view, 1)
            splitter.addWidget(panel)
            view.installEventFilter(self)
        splitter.setSizes([480, 480, 480])
        centre = QWidget()
        column = QVBoxLayout(centre)
        column.setContentsMargins(4, 4, 4, 0)
        column.addWidget(self._message)
        column.addWidget(splitter, 1)
        self.setCentralWidget(centre)

    def _build_palette(self) -> None:
        self.palette_panel = PalettePanel(self.editor)
        scroll = QScrollArea()
        scroll.setWidget(self.palette_panel)
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        box = QWidget()
        column = QVBoxLayout(box)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(scroll, 1)
        row = QHBoxLayout()
        row.setContentsMargins(8, 2, 8, 6)
        row.addWidget(QLabel("Label opacity"))
        self.opacity = QSlider(Qt.Orientation.Horizontal)
        self.opacity.setRange(0, 100)
        self.opacity.setValue(round(self.canvas.opacity * 100))
        self.opacity.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.opacity.setAccessibleName("Label opacity")
        self.opacity.valueChanged.connect(self._set_opacity)
        row.addWidget(self.opacity, 1)
        column.addLayout(row)
        dock = QDockWidget("Classes", self)
        dock.setObjectName("classes")
        dock.setFeatures(QDockWidget.DockWidgetFeature.DockWidgetMovable)
        dock.setWidget(box)
        dock.setMinimumWidth(210)
        self.addDockWidget(Qt.DockWidgetArea.RightDockWidgetArea, dock)

    def _build_status(self) -> None:
        self.status = {name: QLabel() for name in ("pointer", "brush", "zoom", "engine", "preview")}
        for name, widget in self.status.items():
            widget.setAccessibleName(name)
            widget.setMargin(3)
            if name == "pointer":
                self.statusBar().addWidget(widget, 1)
            else:
                self.statusBar().addPermanentWidget(widget)

    def _connect(self) -> None:
        editor = self.editor
        editor.document_changed.connect(self._document_changed)
        editor.history_changed.connect(self._update_actions)
        editor.result_changed.connect(self._result_changed)
        editor.preview_changed.connect(self.status["preview"].setText)
        editor.engine_changed.connect(self._show_engine)
        editor.tool_changed.connect(self._update_actions)
        editor.label_changed.connect(self._update_actions)
        editor.options_changed.connect(self._update_actions)
        editor.brush_changed.connect(self._show_brush)
        editor.message.connect(self.show_message)
        self.palette_panel.hidden_changed.connect(self._hide_classes)
        self.viewport.changed.connect(self._show_zoom)
        self.files.recent_changed.connect(self._list_recent)
        for view in (self.photo_view, self.canvas, self.result_view):
            view.hovered.connect(self._hovered)
        self._show_engine(editor.engine)
        self._show_brush(editor.brush)
        self._list_recent()

    # What the editor tells --------------------------------------------------------------------------------------

    def _document_changed(self) -> None:
        document = self.editor.document
        photo = photo_image(document.photo)
        self.photo_view.set_image(photo)
        self.result_view.before = photo
        self.result_view.set_image(None)
        self.canvas.set_photo(photo)
        self.viewport.set_image_size(document.width, document.height)
        self._update_actions()

    def _result_changed(self) -> None:
        self.result_view.set_image(self.editor.result_image)

    def _update_actions(self, *_: object) -> None:
        editor, document, actions = self.editor, self.editor.document, self.actions_by_id
        for tool in TOOLS:
            actions[tool].setChecked(editor.tool == tool)
        states = {
            "mirror": editor.mirror,
            "pressure": editor.pressure,
            "live": editor.live.enabled,
            "only_over": document is not None and document.only_over is not None,
        }
        for name, on in states.items():
            actions[name].blockSignals(True)
            actions[name].setChecked(on)
            actions[name].blockSignals(False)
        actions["undo"].setEnabled(document is not None and document.can_undo)
        actions["redo"].setEnabled(document is not None and document.can_redo)
        for name in ("open_labels", "open_source", "save", "save_as", "export", "reset", "render"):
            actions[name].setEnabled(document is not None)
        if document is not None:
            self.setWindowTitle(f"{document.name}[*] - maskedit")
            self.setWindowModified(document.is_modified)
            names, position = document.history.names, document.history.position
            actions["undo"].setText(f"Undo {names[position - 1]}" if document.can_undo else "Undo")
            actions["redo"].setText(f"Redo {names[position]}" if document.can_redo else "Redo")
        only_over = f"only over {LABELS[document.only_over].title} · " if states["only_over"] else ""
        mirror = "mirrored · " if editor.mirror else ""
        self.status["brush"].setText(f"{only_over}{mirror}{LABELS[editor.label].title} · {editor.brush} px")

    def _show_engine(self, engine: str) -> None:
        self.status["engine"].setText(engine)

    def _show_brush(self, diameter: int) -> None:
        self._brush_text.setText(f"Brush {diameter} px")
        self._brush_slider.setValue(round(100 * math.log(diameter) / math.log(MAX_BRUSH)))
        self.canvas.refresh_ring()
        self._update_actions()

    def _show_zoom(self) -> None:
        self.status["zoom"].setText(f"{self.viewport.zoom * 100:.0f} %")

    def _hovered(self, point: QPointF | None) -> None:
        document, sender = self.editor.document, self.sender()
        text = ""
        if point is not None and document is not None:
            label = document.label_at(point.x(), point.y())
            if label is not None:
                text = f"{int(point.x())}, {int(point.y())} · {LABELS[label].title}"
        self.status["pointer"].setText(text)
        painting = self.editor.tool in ("brush", "eraser")
        for view in (self.photo_view, self.result_view):
            show = point is not None and sender is self.canvas and painting
            view.set_ring(point if show else None, self.editor.brush)

    def show_message(self, level: str, text: str) -> None:
        """A message bar, never a modal box: what the person is doing goes on."""
        colour = {"error": "#b3261e", "info": "#2b5fb3"}[level]
        self._message.setStyleSheet(
            f"QFrame {{ background: {colour}; border-radius: 4px; }} QLabel {{ color: white; }}"
        )
        self._message_text.setText(text)
        self._message.show()
        if level == "info":
            self._message_timer.start()
        else:
            self._message_timer.stop()

    def _hide_classes(self, hidden: frozenset[int]) -> None:
        self.canvas.hidden = hidden
        self.canvas.refresh_colours()

    def _set_opacity(self, percent: int) -> None:
        self.canvas.opacity = percent / 100
        self.canvas.update()

    def _list_recent(self) -> None:
        self._recent_menu.clear()
        for path in self.files.recent():
            self._recent_menu.addAction(str(path), lambda path=path: self.files.open(path))
        self._recent_menu.setEnabled(bool(self._recent_menu.actions()))

    def _take_bundled(self, name: str) -> None:
        if self.editor.document is not None:
            self.files.guarded(lambda: self.files.take_labels(bundled_document(name).snapshot(), name))

    # Commands: one method each, named in actions.py -------------------------------------------------------------

    def on_open_photo(self) -> None:
        self.files.open_dialog()

    def on_open_labels(self) -> None:
        self.files.open_labels_dialog()

    def on_open_source(self) -> None:
        self.files.source_dialog()

    def on_save(self) -> None:
        self.files.save()

    def on_save_as(self) -> None:
        self.files.save_as()

    def on_export(self) -> None:
        self.files.export_dialog()

    def on_quit(self) -> None:
        self.close()

    def on_undo(self) -> None:
        self.canvas.abort()
        self.editor.undo()

    def on_redo(self) -> None:
        self.canvas.abort()
        self.editor.redo()

    def on_reset(self) -> None:
        self.canvas.abort()
        self.editor.edited(self.editor.document.reset_labels())

    def on_abort(self) -> None:
        self.canvas.abort()

    def on_paste(self) -> None:
        clipboard = QApplication.clipboard()
        urls = clipboard.mimeData().urls()
        if urls and urls[0].isLocalFile():
            self.files.open(Path(urls[0].toLocalFile()))
        elif clipboard.mimeData().hasImage():
            self.files.open_pixels(image_photo(clipboard.image()), "pasted photo")
        else:
            self.show_message("error", "There is no image on the clipboard: copy one first.")

    def on_brush(self) -> None:
        self.editor.set_tool("brush")

    def on_eraser(self) -> None:
        self.editor.set_tool("eraser")

    def on_fill(self) -> None:
        self.editor.set_tool("fill")

    def on_lasso(self) -> None:
        self.editor.set_tool("lasso")

    def on_picker(self) -> None:
        self.editor.set_tool("picker")

    def on_smaller(self) -> None:
        self.editor.set_brush(min(self.editor.brush - 1, self.editor.brush * 0.9))

    def on_larger(self) -> None:
        self.editor.set_brush(max(self.editor.brush + 1, self.editor.brush * 1.1))

    def on_much_smaller(self) -> None:
        for _ in range(5):
            self.on_smaller()

    def on_much_larger(self) -> None:
        for _ in range(5):
            self.on_larger()

    def on_mirror(self, on: bool) -> None:
        self.editor.set_option("mirror", on)

    def on_only_over(self, on: bool) -> None:
        under = self.canvas.label_under_cursor()
        self.editor.set_option("only_over", (self.editor.label if under is None else under) if on else None)

    def on_pressure(self, on: bool) -> None:
        self.editor.set_option("pressure", on)

    def on_previous_label(self) -> None:
        self.editor.step_label(-1)

    def on_next_label(self) -> None:
        self.editor.step_label(1)

    def on_swap_label(self) -> None:
        self.editor.swap_label()

    def on_isolate(self, on: bool) -> None:
        self.canvas.isolated = on
        self.canvas.refresh_colours()

    def on_colour_blind(self, on: bool) -> None:
        self.canvas.colour_blind = on
        self.canvas.refresh_colours()
        self.palette_panel.set_colour_blind(on)

    def on_fit(self) -> None:
        self.viewport.fit()

    def on_actual_size(self) -> None:
        self.viewport.set_zoom(1 / self.devicePixelRatioF())

    def on_zoom_in(self) -> None:
        self.viewport.set_zoom(self.viewport.zoom * 1.25)

    def on_zoom_out(self) -> None:
        self.viewport.set_zoom(self.viewport.zoom / 1.25)

    def on_hide_labels(self, on: bool) -> None:
        self.canvas.labels_hidden = on
        self.canvas.update()

    def on_compare(self, on: bool) -> None:
        self.result_view.set_split(0.5 if on else None)

    def on_live(self, on: bool) -> None:
        self.editor.set_live(on)

    def on_render(self) -> None:
        self.editor.render_now()

    def on_palette(self) -> None:
        dialog = dialogs.CommandPalette(self)
        if dialog.exec() and dialog.chosen:
            self.actions_by_id[dialog.chosen].trigger()

    def on_shortcuts(self) -> None:
        dialogs.shortcut_sheet(self).show()

    def on_about(self) -> None:
        text = f"maskedit {maskedit.__version__}\n\nThe code is Apache-2.0.\nEngine: {self.editor.engine}"
        QMessageBox.about(self, "About maskedit", text)

    # Qt ---------------------------------------------------------------------------------------------------------

    def _draw_icons(self) -> None:
        for command in COMMANDS:
            if command.icon:
                self.actions_by_id[command.id].setIcon(theme.icon(command.icon, self.palette()))

    def _hold(self, key: int, on: bool) -> None:
        if key == Qt.Key.Key_C:
            self.result_view.set_show_before(on)
        elif key == Qt.Key.Key_Space:
            for view in (self.photo_view, self.canvas, self.result_view):
                view.space_held = on
                view.setCursor(Qt.CursorShape.OpenHandCursor if on else view.resting_cursor)

    def keyPressEvent(self, event) -> None:
        if not event.isAutoRepeat() and event.modifiers() == Qt.KeyboardModifier.NoModifier:
            self._hold(event.key(), True)
        super().keyPressEvent(event)

    def keyReleaseEvent(self, event) -> None:
        if not event.isAutoRepeat():
            self._hold(event.key(), False)
        super().keyReleaseEvent(event)

    def eventFilter(self, watched, event) -> bool:
        if event.type() == QEvent.Type.Resize:
            views = (self.photo_view, self.canvas, self.result_view)
            self.viewport.set_view_size(QSizeF(min(v.width() for v in views), min(v.height() for v in views)))
        return super().eventFilter(watched, event)

    def changeEvent(self, event) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and hasattr(self, "palette_panel"):
            theme.forget_icons()
            self._draw_icons()
            self.palette_panel.refresh()
        elif event.type() == QEvent.Type.ActivationChange and not self.isActiveWindow():
            for key in (Qt.Key.Key_C, Qt.Key.Key_Space):
                self._hold(key, False)

    def dragEnterEvent(self, event) -> None:
        if any(url.isLocalFile() for url in event.mimeData().urls()):
            event.acceptProposedAction()

    def dropEvent(self, event) -> None:
        paths = [Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile()]
        event.acceptProposedAction()
        # Two files at once are a photo and its label map.
        self.files.open(paths[0], paths[1] if len(paths) > 1 else None)

    def closeEvent(self, event) -> None:
        self.canvas.abort()
        if not self.files.may_leave():
            event.ignore()
            return
        self.files.close()
        self._settings.setValue("geometry", self.saveGeometry())
        event.accept()
