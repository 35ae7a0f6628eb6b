"""The window: three linked views, the palette beside them, menus and tool bar made from the table of commands."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PySide6.QtCore import QByteArray, QEvent, QPointF, QSettings, QSize, QSizeF, Qt, QTimer, Slot
from PySide6.QtGui import QImage, QKeySequence, QShortcut
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QMainWindow,
    QSlider,
    QVBoxLayout,
    QWidget,
)

from maskedit.document.document import Document
from maskedit.gui import theme
from maskedit.gui.canvas.label_canvas import LabelCanvas
from maskedit.gui.canvas.view_area import LAYOUTS, ViewArea
from maskedit.gui.canvas.viewport import Viewport
from maskedit.gui.canvas.views import ImageView, ResultView
from maskedit.gui.commands.handlers import Commands
from maskedit.gui.commands.menus import Menus
from maskedit.gui.dialogs.dialogs import Dialogs
from maskedit.gui.editor import BRUSHES, TOOLS, Editor
from maskedit.gui.files.batch import BatchRun
from maskedit.gui.files.files import BUNDLED, Files
from maskedit.gui.files.pieces import PieceShelf
from maskedit.gui.files.weights import Weights
from maskedit.gui.panels.brush_bar import BrushBar
from maskedit.gui.panels.digits import DigitEntry
from maskedit.gui.panels.history_panel import HistoryPanel
from maskedit.gui.panels.learn_bar import LearnBar
from maskedit.gui.panels.message_bar import MessageBar
from maskedit.gui.panels.palette_panel import PalettePanel
from maskedit.gui.panels.pieces_panel import PiecesPanel
from maskedit.gui.panels.shape_panel import ShapePanel
from maskedit.gui.panels.side_tabs import SideTabs, scrolled
from maskedit.gui.panels.status import StatusLine, absence_text
from maskedit.gui.panels.style_panel import StylePanel
from maskedit.gui.preferences import Preferences
from maskedit.gui.qimage import photo_image
from maskedit.gui.rendering.messages import LearningProgress
from maskedit.gui.states import Level
from maskedit.labels import BACKGROUND

HINT = "Choose a class, paint on the labels, and the result follows.   F1: all keys"
HINT_SECONDS = 12.0
NEEDS_DOCUMENT = (
    *("open_labels", "open_source", "place_square", "save", "save_as", "export", "reset", "adopt", "parse_photo"),
    *("confidence", "render", "only_over", "snapshot", "apply_to_photos", "grow", "shrink", "smooth", "despeckle"),
    *("morph", "vary", "clean_up"),
)


class MainWindow(QMainWindow):
    """Binds widgets to the editor; holds no state of its own but what the screen shows.

    Args:
        settings: remembers the window's place, folders, recent files and preferences.
        dialogs: ask the person; over this window when None.
    """

    def __init__(self, editor: Editor, settings: QSettings, dialogs: Dialogs | None = None):
        super().__init__()
        self.editor = editor
        self.dialogs = dialogs or Dialogs(self)
        self.setAcceptDrops(True)
        self.resize(QSize(1440, 760).boundedTo(self.screen().availableSize()))
        self._settings = settings
        self.preferences = Preferences(settings)
        self._close_at_once = False
        self._opacities = {False: 75, True: 25}
        """Per cent of the labels over the photo, and over the result."""
        self.files = Files(editor, self.dialogs, settings, self)
        self.weights = Weights(editor, self.dialogs, self.preferences, self)

        self.viewport = Viewport(self)
        self.photo_view = ImageView(self.viewport, "Photo")
        self.canvas = LabelCanvas(editor, self.viewport)
        self.result_view = ResultView(self.viewport, "Result")
        self.views = (self.photo_view, self.canvas, self.result_view)
        self._build_views()
        self.palette_panel = PalettePanel(editor)
        self._build_side()
        self._build_menus()
        self.learn_bar = LearnBar()
        self.status = StatusLine(self.statusBar(), editor, self.viewport)
        self.statusBar().addPermanentWidget(self.learn_bar)
        self.batch_bar = LearnBar(stop_tip="Edit no more photos; those that are written stay")
        self.statusBar().addPermanentWidget(self.batch_bar)
        self._connect()
        self.commands.follow(self.preferences)
        self._explain_absence()
        self._list_recent()
        self._update_actions()
        self.canvas.setFocus()
        layout = settings.value("layout", LAYOUTS[0], type=str)
        # An INI file gives back False as the string "false", which is true: every boolean is read with its type.
        photo = settings.value("photo_view", True, type=bool)
        self._arrange(layout if layout in LAYOUTS else LAYOUTS[0], photo=photo)
        geometry = settings.value("geometry", QByteArray(), type=QByteArray)
        if not geometry.isEmpty():
            self.restoreGeometry(geometry)

    # Building ---------------------------------------------------------------------------------------------------

    def _build_views(self) -> None:
        self.view_area = ViewArea(*self.views)
        centre = QWidget()
        column = QVBoxLayout(centre)
        column.setContentsMargins(4, 2, 4, 0)
        column.addWidget(self.view_area, 1)
        self.setCentralWidget(centre)
        self.canvas.installEventFilter(self)
        self.message_bar = MessageBar(centre)

    def _build_palette(self) -> None:
        box = QWidget()
        column = QVBoxLayout(box)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(scrolled(self.palette_panel), 1)
        row = QHBoxLayout()
        row.setContentsMargins(8, 2, 8, 6)
        caption = QLabel("Label opacity")
        row.addWidget(caption)
        self.opacity = QSlider(Qt.Orientation.Horizontal)
        self.opacity.setRange(0, 100)
        self.opacity.setValue(round(self.canvas.opacity * 100))
        self.opacity.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.opacity.setAccessibleName("Label opacity")
        self.opacity.setToolTip("How much of the photo the labels cover (V hides them)")
        self.opacity.valueChanged.connect(self._set_opacity)
        caption.setBuddy(self.opacity)
        row.addWidget(self.opacity, 1)
        column.addLayout(row)
        self.style_panel = StylePanel(self.editor, lambda command: self.actions_by_id[command].trigger())
        column.addWidget(self.style_panel)
        self.side_tabs.add("Classes", box).setMinimumWidth(210)

    def _build_side(self) -> None:
        self.side_tabs = SideTabs(self)
        self._build_palette()
        self.shape_panel = ShapePanel(self.editor, self.files.others, lambda each: self.actions_by_id[each].trigger())
        self.side_tabs.add("Shape", scrolled(self.shape_panel))
        self.shape_panel.wanted.connect(lambda: self.side_tabs.show("Shape"))
        self.shelf = PieceShelf(self.editor, self.canvas, self.dialogs, self)
        self.pieces_panel = PiecesPanel(self.editor, self.shelf)
        pieces = self.side_tabs.add("Pieces", self.pieces_panel)
        pieces.visibilityChanged.connect(lambda seen: self.pieces_panel.fill() if seen else None)
        self.history_panel = HistoryPanel(self.editor, self.dialogs)
        self.side_tabs.add("History", self.history_panel)

    def _build_menus(self) -> None:
        self.commands = Commands(self)
        self.menus = Menus(self, self.commands.by_id, BrushBar(self.editor))
        self.actions_by_id = self.menus.by_id
        self._recent_menu = self.menus.submenu("Open recent", after="open_photo")
        bundled = self.menus.submenu("Bundled portraits", after="open_photo")
        sources = self.menus.submenu("Take from a bundled portrait", after="open_source")
        for title, name in BUNDLED:
            bundled.addAction(title, lambda name=name: self.files.open_bundled(name))
            sources.addAction(title, lambda name=name: self.files.others.take_bundled(name))
        self._digits = DigitEntry(self.editor.set_label)
        self._digit_keys = [
            QShortcut(QKeySequence(str(digit)), self, lambda digit=digit: self._digits.press(digit))
            for digit in range(10)
        ]
        self.menus.draw_icons(self.palette())

    def _connect(self) -> None:
        editor = self.editor
        editor.document_changed.connect(self._document_changed)
        editor.render.result_changed.connect(self._result_changed)
        editor.preview_changed.connect(self._explain_absence)
        editor.history_changed.connect(self._update_actions)
        editor.options_changed.connect(self._update_actions)
        editor.tool_changed.connect(self._update_actions)
        editor.label_changed.connect(self._update_actions)
        for changed in (editor.document_changed, editor.options_changed, editor.tool_changed):
            changed.connect(self._show_axis)
        editor.message.connect(self.message_bar.tell)
        editor.jobs.working_changed.connect(self._working_changed)
        self.message_bar.given_up.connect(editor.jobs.give_up)
        editor.tuning.progressed.connect(self._learning_changed)
        editor.parse_again_wanted.connect(self.files.faces.parse_again)
        self.learn_bar.cancelled.connect(editor.tuning.stop)
        self.files.batch.progressed.connect(self._batch_changed)
        self.batch_bar.cancelled.connect(self.files.batch.cancel)
        self.palette_panel.hidden_changed.connect(self._hide_classes)
        self.palette_panel.hide_class(BACKGROUND)  # it is black: one would not see what is painted over
        self.history_panel.snapshots.compared.connect(self._compare)
        self.files.recent_changed.connect(self._list_recent)
        self.photo_view.hovered.connect(self.status.show_pointer)
        self.result_view.hovered.connect(self.status.show_pointer)
        self.canvas.hovered.connect(self._canvas_hovered)

    # What the editor tells --------------------------------------------------------------------------------------

    @Slot()
    def _document_changed(self) -> None:
        document = self.editor.document
        photo = photo_image(document.photo)
        self.photo_view.set_image(photo)
        self.result_view.before = photo
        self.result_view.set_image(None)
        self.canvas.set_photo(photo)
        self.viewport.set_image_size(document.width, document.height)
        self.result_view.set_overlay(None)
        self.status.show_outside()
        self.actions_by_id["confidence"].setChecked(False)  # the canvas has forgotten the other photo's
        self._update_actions()

    @Slot()
    def _result_changed(self) -> None:
        self.result_view.set_image(self.editor.render.result_image)
        self.show_what_changes(self.actions_by_id["what_changes"].isChecked())
        self.status.show_outside()

    @Slot()
    def _working_changed(self) -> None:
        job = self.editor.jobs.working
        self.message_bar.tell_work("" if job is None else job.telling, can_give_up=job is not None and not job.promised)

    @Slot(object)
    def _learning_changed(self, progress: LearningProgress | None) -> None:
        if progress is None:
            self.learn_bar.finish()
        else:
            near = "" if progress.decibels is None else f" · {progress.decibels:.1f} dB"
            self.learn_bar.show_progress(progress.done, progress.total, f"Learning this face{near}")
        self._update_actions()

    @Slot(object)
    def _batch_changed(self, run: BatchRun | None) -> None:
        if run is None:
            self.batch_bar.finish()
        else:
            self.batch_bar.show_progress(run.done, run.total, f"Photo {run.done + 1} of {run.total}")
        self._update_actions()

    @Slot()
    def _explain_absence(self) -> None:
        """Why there is no result yet; seen only while there is none."""
        text = absence_text(self.editor)
        if text != self.result_view.empty_text:
            self.result_view.empty_text = text
            self.result_view.update()

    @Slot()
    def _update_actions(self) -> None:
        editor, document, actions = self.editor, self.editor.document, self.actions_by_id
        has_document = document is not None
        checked = {tool: editor.tool == tool for tool in TOOLS}
        checked |= {f"layout_{name}": self.view_area.layout_name == name for name in LAYOUTS}
        checked |= {
            "mirror": editor.mirror,
            "pressure": editor.pressure,
            "whole_face": editor.render.blend.whole_face,
            "detail": editor.render.blend.detail,
            "live": editor.render.live.enabled,
            "only_over": has_document and document.only_over is not None,
            "photo_view": self.view_area.photo_shown,
            "compare": self.result_view.split is not None,
        }
        enabled = dict.fromkeys(NEEDS_DOCUMENT, has_document)
        for command in ("style_from_photo", "style_from_colour"):
            enabled[command] = has_document and editor.part is not None
        enabled["compare"] = self.view_area.layout_name != "over"
        enabled["own_style"] = has_document and editor.part in document.styles
        enabled["learn"] = has_document and editor.tuning.progress is None and self.files.batch.run is None
        enabled["stop_learning"] = editor.tuning.progress is not None
        enabled["forget_face"] = has_document and document.face_weights is not None
        floats = has_document and document.floating is not None  # which undo gives up
        enabled["undo"] = has_document and (document.can_undo or floats)
        enabled["redo"] = has_document and document.can_redo
        self.menus.show_state(checked, enabled)
        if has_document:
            self.setWindowTitle(f"{document.name}[*] - maskedit")
            self.setWindowModified(document.is_modified)
            names, position = document.history.names, document.history.position
            actions["undo"].setText(f"Undo {names[position - 1]}" if document.can_undo else "Undo")
            actions["redo"].setText(f"Redo {names[position]}" if document.can_redo else "Redo")

    @Slot(object)
    def _canvas_hovered(self, point: QPointF | None) -> None:
        self.status.show_pointer(point)
        ring = point if self.editor.tool in BRUSHES else None
        for view in (self.photo_view, self.result_view):
            view.set_ring(ring, self.editor.brush)

    @Slot(object)
    def _compare(self, picture: QImage | None) -> None:
        """Show another picture in the result's place, as C shows the photo; None: no more."""
        self.result_view.before = self.photo_view.image if picture is None else picture
        self.result_view.set_show_before(picture is not None)

    @Slot()
    def _show_axis(self) -> None:
        """The mirrored brush shows its mirror and its other half."""
        editor = self.editor
        mirrored = editor.mirror and editor.tool in BRUSHES and editor.document is not None
        for view in self.views:
            view.set_axis(editor.document.width / 2 if mirrored else None)

    def show_photo_view(self, on: bool) -> None:
        """Without it the labels and the result may be larger; the photo is still behind C and the before-after line."""
        self._arrange(self.view_area.layout_name, photo=on)

    def set_layout(self, layout: str) -> None:
        """Share the window out among the views in another way, one of ``LAYOUTS``."""
        self._arrange(layout, photo=self.view_area.photo_shown or layout == "row")

    def _arrange(self, layout: str, *, photo: bool) -> None:
        over = layout == "over"
        if over != (self.view_area.layout_name == "over"):
            # The labels let more of a face shine through than of a photo; each has its own opacity.
            self._opacities[not over] = self.opacity.value()
            self.opacity.setValue(self._opacities[over])
            self.result_view.set_split(None)  # its line cannot be dragged where one paints
        self.view_area.arrange(layout, photo=photo)
        self._settings.setValue("layout", layout)
        self._settings.setValue("photo_view", photo)
        self._update_actions()

    def show_confidence(self, document: Document, confidence: np.ndarray) -> None:
        """Where the parser was unsure of a document's photo, if that is still wanted."""
        if document is self.editor.document and self.actions_by_id["confidence"].isChecked():
            self.canvas.set_confidence(confidence)

    def show_what_changes(self, on: bool) -> None:
        """Dim in the result what is the photo, bit for bit."""
        self.result_view.set_overlay(self.editor.render.reach if on else None)

    def show_hint(self) -> None:
        """One line for who opens the editor without a photo."""
        self.message_bar.tell(Level.INFO, HINT, HINT_SECONDS)

    @Slot(frozenset)
    def _hide_classes(self, hidden: frozenset[int]) -> None:
        self.canvas.hidden = hidden
        self.canvas.refresh_colours()

    @Slot(int)
    def _set_opacity(self, percent: int) -> None:
        self.canvas.opacity = percent / 100
        self.canvas.update()

    @Slot()
    def _list_recent(self) -> None:
        self._recent_menu.clear()
        for path in self.files.recent():
            # A name may hold an &, which would be taken for a mark of the next letter.
            self._recent_menu.addAction(str(path).replace("&", "&&"), lambda path=path: self.files.open(path))
        self._recent_menu.setEnabled(bool(self._recent_menu.actions()))

    # Qt ---------------------------------------------------------------------------------------------------------

    def _hold(self, key: int, on: bool) -> None:
        if key == Qt.Key.Key_C:
            self.result_view.set_show_before(on)
        elif key == Qt.Key.Key_Space:
            for view in self.views:
                view.set_space_held(on)

    def keyPressEvent(self, event) -> None:
        if not event.isAutoRepeat() and event.modifiers() == Qt.KeyboardModifier.NoModifier:
            self._hold(event.key(), True)
        super().keyPressEvent(event)

    def keyReleaseEvent(self, event) -> None:
        if not event.isAutoRepeat():
            self._hold(event.key(), False)
        super().keyReleaseEvent(event)

    def eventFilter(self, watched, event) -> bool:
        if event.type() == QEvent.Type.Resize and watched is self.canvas:
            self.viewport.set_view_size(QSizeF(event.size()))
        return super().eventFilter(watched, event)

    def changeEvent(self, event) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and hasattr(self, "menus"):
            theme.forget_icons()
            self.menus.draw_icons(self.palette())
        elif event.type() == QEvent.Type.ActivationChange and not self.isActiveWindow():
            # The release of a key that is held goes to the other window.
            for key in (Qt.Key.Key_C, Qt.Key.Key_Space):
                self._hold(key, False)

    def dragEnterEvent(self, event) -> None:
        data = event.mimeData()
        if data.hasImage() or any(url.isLocalFile() for url in data.urls()):
            event.acceptProposedAction()

    def dropEvent(self, event) -> None:
        data = event.mimeData()
        paths = [Path(url.toLocalFile()) for url in data.urls() if url.isLocalFile()]
        image = data.imageData() if not paths and data.hasImage() else None
        event.acceptProposedAction()
        self.canvas.leave()
        # After the drop: a question asked inside it would freeze the program that the files come from.
        QTimer.singleShot(0, lambda: self.files.open_dropped(paths, image))

    def _stay_open(self) -> None:
        self._close_at_once = False

    def _close_after_export(self) -> None:
        if self._close_at_once:
            self.close()

    def closeEvent(self, event) -> None:
        self.canvas.leave()
        if self.editor.has_waiting and not self._close_at_once:
            self._close_at_once = True
            text = "Closing once the export is written; close again to leave without it."
            self.message_bar.tell(Level.INFO, text, seconds=30.0)
            # Both come later: the person may have decided otherwise by then.
            self.editor.when_idle(lambda: QTimer.singleShot(0, self._close_after_export), self._stay_open)
            event.ignore()
            return
        self._stay_open()  # unless what follows closes the window, the next close waits for its export again
        if not self.files.may_leave():
            event.ignore()
            return
        self.files.close()
        self._settings.setValue("geometry", self.saveGeometry())
        event.accept()
