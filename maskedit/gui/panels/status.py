"""The status bar: x, y · class · brush · zoom · engine · state of the preview."""

from __future__ import annotations

from PySide6.QtCore import QObject, QPointF, Slot
from PySide6.QtWidgets import QLabel, QStatusBar

from maskedit.gui.canvas.viewport import Viewport
from maskedit.gui.editor import Editor
from maskedit.gui.states import EngineState, PreviewState
from maskedit.labels import LABELS

_PARTS = {
    "pointer": "Pixel and class under the cursor",
    "brush": "Chosen class and brush",
    "outside": "How much the edit changed outside its own region",
    "zoom": "Zoom",
    "engine": "What renders",
    "preview": "State of the preview",
}
LOADING = "The face appears here once the network has loaded."
DRAWING = "The face is being drawn."
FAILED = "The render failed. Painting goes on; F5 tries again."
NOT_LOADED = "The network could not be loaded. Painting goes on; F5 tries again."


def preview_text(editor: Editor) -> str:
    """The state of the preview in a few words."""
    match editor.preview_state:
        case PreviewState.EMPTY:
            return ""
        case PreviewState.LOADING:
            return "loading"
        case PreviewState.RENDERING:
            return f"rendering {editor.render.rendering_seconds:.1f} s"
        case PreviewState.LEARNING:
            return "learning"
        case PreviewState.FAILED:
            return "render failed"
        case PreviewState.UP_TO_DATE:
            return f"up to date, {editor.render.rendered.how}"
        case PreviewState.FOLLOWING:
            return f"following, {editor.render.rendered.how}"
        case PreviewState.OUT_OF_DATE:
            return "out of date"


def engine_text(editor: Editor) -> str:
    """What renders, or why nothing does."""
    without = {EngineState.STARTING: "starting", EngineState.MISSING: "no engine"}
    return without.get(editor.render.engine_state, editor.render.engine)


def absence_text(editor: Editor) -> str:
    """What stands in the place of the result while there is none."""
    if editor.preview_state is not PreviewState.FAILED:
        return LOADING if editor.render.engine_state is EngineState.STARTING else DRAWING
    return NOT_LOADED if editor.render.engine_state is EngineState.MISSING else FAILED


class StatusLine(QObject):
    """Fills the status bar from the editor and the viewport."""

    def __init__(self, bar: QStatusBar, editor: Editor, viewport: Viewport):
        super().__init__(bar)
        self._bar, self._editor, self._viewport = bar, editor, viewport
        self.parts = {name: QLabel() for name in _PARTS}
        for name, widget in self.parts.items():
            widget.setToolTip(_PARTS[name])
            widget.setMargin(3)
            if name == "pointer":
                bar.addWidget(widget, 1)
            else:
                bar.addPermanentWidget(widget)
        # The state changes ten times a second while a render runs: its neighbours must not jump.
        self.parts["preview"].setMinimumWidth(bar.fontMetrics().horizontalAdvance("up to date, full 000 ms") + 10)
        self.parts["zoom"].setMinimumWidth(bar.fontMetrics().horizontalAdvance("1000 %") + 10)
        editor.preview_changed.connect(self.show_preview)
        editor.render.engine_changed.connect(self.show_engine)
        changes = editor.label_changed, editor.brush_changed, editor.tool_changed
        for signal in (*changes, editor.options_changed, editor.document_changed):
            signal.connect(self.show_brush)
        viewport.changed.connect(self.show_zoom)
        self.show_engine()
        self.show_brush()

    def __getitem__(self, part: str) -> str:
        """The text of one part."""
        return self.parts[part].text()

    def _set(self, part: str, text: str) -> None:
        if text == self.parts[part].text():
            return
        self.parts[part].setText(text)
        self.parts[part].setAccessibleName(f"{_PARTS[part]}: {text}" if text else _PARTS[part])

    @Slot(object)
    def show_pointer(self, point: QPointF | None) -> None:
        """Where the cursor is on the image; None for elsewhere."""
        document, text = self._editor.document, ""
        if point is not None and document is not None:
            label = document.label_at(point.x(), point.y())
            if label is not None:
                text = f"{int(point.x())}, {int(point.y())} · {LABELS[label].title}"
        self._set("pointer", text)

    def show_outside(self) -> None:
        """What the edit does to the rest of the photo: nothing, or how much."""
        rendered, text = self._editor.render.rendered, ""
        if rendered is not None:
            greatest, reach = rendered.result.changed_outside, rendered.result.reach
            text = f"rest of the photo: {greatest} of 255 changed" if greatest else "rest of the photo: 0 changed"
            if reach.all():
                text = "whole face redrawn"
            elif not reach.any():
                text = "photo unchanged"
        self._set("outside", text)

    @Slot()
    def show_preview(self) -> None:
        self._set("preview", preview_text(self._editor))
        rendered = self._editor.render.rendered
        kept = 0 if rendered is None else rendered.cache_bytes
        more = f"; {kept / 2**20:.0f} MB of features are kept to follow the brush" if kept else ""
        self.parts["engine"].setToolTip(_PARTS["engine"] + more)

    @Slot()
    def show_engine(self) -> None:
        self._set("engine", engine_text(self._editor))

    @Slot()
    def show_brush(self) -> None:
        editor = self._editor
        document = editor.document
        parts = []
        if document is not None and document.only_over is not None:
            parts.append(f"only over {LABELS[document.only_over].title}")
        if editor.mirror:
            parts.append("mirrored")
        parts += [LABELS[0].title if editor.tool == "eraser" else LABELS[editor.label].title, f"{editor.brush} px"]
        self._set("brush", " · ".join(parts))

    @Slot()
    def show_zoom(self) -> None:
        # 100 % is one pixel of the screen for one of the image, also where the desktop is scaled.
        self._set("zoom", f"{self._viewport.zoom * self._bar.devicePixelRatioF() * 100:.0f} %")
