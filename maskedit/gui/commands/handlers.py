"""What each command of the table does, one method each: ``on_`` and the command's id."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from PySide6.QtWidgets import QApplication

from maskedit.gui.commands.bug_report import bug_report
from maskedit.gui.dialogs.command_search import shortcut_sheet
from maskedit.gui.files import recovery
from maskedit.gui.panels.status import engine_text
from maskedit.gui.states import Level

if TYPE_CHECKING:
    from maskedit.gui.main_window import MainWindow


class Commands:
    """Runs commands on a window; only actions and keys of that window call it, in the GUI thread."""

    def __init__(self, window: MainWindow):
        self._window = window
        self._editor, self._canvas, self._files = window.editor, window.canvas, window.files

    def handler(self, id: str) -> Callable:
        return getattr(self, f"on_{id}")

    # File

    def on_open_photo(self) -> None:
        self._canvas.abort()
        self._files.open_dialog()

    def on_open_labels(self) -> None:
        self._canvas.abort()
        self._files.open_labels_dialog()

    def on_place_square(self) -> None:
        self._canvas.abort()
        self._files.place_square()

    def on_open_source(self) -> None:
        self._canvas.abort()
        self._files.source_dialog()

    def on_save(self) -> None:
        self._files.save()

    def on_save_as(self) -> None:
        self._files.save_as()

    def on_export(self) -> None:
        self._canvas.abort()
        self._files.export_dialog()

    def on_quit(self) -> None:
        self._window.close()

    # Edit

    def on_undo(self) -> None:
        if not self._aborted():
            self._editor.undo()

    def on_redo(self) -> None:
        if not self._aborted():
            self._editor.redo()

    def _aborted(self) -> bool:
        """In the middle of a gesture it is the gesture that is taken back, not the edit before it."""
        busy = self._canvas.tools.busy
        self._canvas.abort()
        return busy

    def on_reset(self) -> None:
        self._canvas.abort()
        self._editor.edited(self._editor.document.reset_labels())

    def on_adopt(self) -> None:
        self._canvas.abort()
        self._files.adopt_labels()

    def on_parse_photo(self) -> None:
        self._canvas.abort()
        self._files.parse_photo()

    def on_abort(self) -> None:
        if not self._aborted():
            self._window.message_bar.hide()

    def on_paste(self) -> None:
        self._canvas.abort()
        self._files.paste()

    # Tools

    def on_brush(self) -> None:
        self._editor.set_tool("brush")

    def on_eraser(self) -> None:
        self._editor.set_tool("eraser")

    def on_fill(self) -> None:
        self._editor.set_tool("fill")

    def on_lasso(self) -> None:
        self._editor.set_tool("lasso")

    def on_parse_again(self) -> None:
        self._editor.set_tool("parse_again")

    def on_picker(self) -> None:
        self._editor.set_tool("picker")

    def on_smaller(self) -> None:
        self._step_brush(-1)

    def on_larger(self) -> None:
        self._step_brush(1)

    def on_much_smaller(self) -> None:
        self._step_brush(-5)

    def on_much_larger(self) -> None:
        self._step_brush(5)

    def _step_brush(self, steps: int) -> None:
        """A step is a tenth of the size, and a pixel at least."""
        size = self._editor.brush
        for _ in range(abs(steps)):
            size = max(size + 1, size * 1.1) if steps > 0 else min(size - 1, size * 0.9)
        self._editor.set_brush(size)

    def on_mirror(self, on: bool) -> None:
        self._editor.set_option("mirror", on)

    def on_only_over(self, on: bool) -> None:
        under = self._canvas.label_under_cursor()
        self._editor.set_option("only_over", (self._editor.label if under is None else under) if on else None)

    def on_pressure(self, on: bool) -> None:
        self._editor.set_option("pressure", on)

    # Classes

    def on_previous_label(self) -> None:
        self._editor.step_label(-1)

    def on_next_label(self) -> None:
        self._editor.step_label(1)

    def on_swap_label(self) -> None:
        self._editor.swap_label()

    def on_isolate(self, on: bool) -> None:
        self._canvas.isolated = on
        self._canvas.refresh_colours()

    def on_colour_blind(self, on: bool) -> None:
        self._editor.set_option("colour_blind", on)
        self._canvas.refresh_colours()
        self._window.palette_panel.set_colour_blind(on)

    # View

    def on_fit(self) -> None:
        self._window.viewport.fit()

    def on_actual_size(self) -> None:
        self._window.viewport.set_zoom(1 / self._window.devicePixelRatioF())

    def on_zoom_in(self) -> None:
        self._window.viewport.set_zoom(self._window.viewport.zoom * 1.25)

    def on_zoom_out(self) -> None:
        self._window.viewport.set_zoom(self._window.viewport.zoom / 1.25)

    def on_photo_view(self, on: bool) -> None:
        self._window.show_photo_view(on)

    def on_hide_labels(self, on: bool) -> None:
        self._canvas.labels_hidden = on
        self._canvas.update()

    def on_confidence(self, on: bool) -> None:
        document = self._editor.document
        self._canvas.set_confidence(None)
        if on and document is not None:
            action = self._window.actions_by_id["confidence"]
            self._files.faces.confidence(
                document, lambda sure: self._window.show_confidence(document, sure), lambda: action.setChecked(False)
            )

    def on_what_changes(self, on: bool) -> None:
        self._window.show_what_changes(on)

    def on_compare(self, on: bool) -> None:
        self._window.result_view.set_split(0.5 if on else None)

    # Render

    def on_live(self, on: bool) -> None:
        self._editor.set_live(on)

    def on_render(self) -> None:
        self._editor.render_now()

    def on_whole_face(self, on: bool) -> None:
        self._editor.set_option("whole_face", on)

    def on_detail(self, on: bool) -> None:
        self._editor.set_option("detail", on)

    def on_learn(self) -> None:
        self._editor.learn()

    def on_stop_learning(self) -> None:
        self._editor.stop_learning()

    def on_forget_face(self) -> None:
        self._editor.forget_face()

    # Help

    def on_palette(self) -> None:
        actions = self._window.actions_by_id
        chosen = self._window.dialogs.ask_command({id for id, action in actions.items() if action.isEnabled()})
        if chosen is not None:
            actions[chosen].trigger()

    def on_shortcuts(self) -> None:
        shortcut_sheet(self._window).show()

    def on_bug_report(self) -> None:
        editor = self._editor
        report = bug_report(engine=engine_text(editor), about=editor.about, log_file=recovery.log_file())
        QApplication.clipboard().setText(report)
        editor.message.emit(Level.INFO, "The bug report is on the clipboard: read it, then paste it into your message.")

    def on_about(self) -> None:
        self._window.dialogs.about(engine_text(self._editor), self._editor.about, recovery.log_file())
