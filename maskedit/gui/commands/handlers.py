"""What each command of the table does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtWidgets import QApplication

from maskedit.document.reshape import RESHAPES, reshape
from maskedit.gui.canvas.view_area import LAYOUTS
from maskedit.gui.commands.bug_report import bug_report
from maskedit.gui.commands.table import COMMANDS
from maskedit.gui.dialogs.command_search import Choice
from maskedit.gui.dialogs.shortcut_sheet import shortcut_sheet, written
from maskedit.gui.editor import TOOLS
from maskedit.gui.files import recovery
from maskedit.gui.panels.status import engine_text
from maskedit.gui.preferences import Preferences
from maskedit.gui.states import Level
from maskedit.labels import LABELS, MIRROR, palette

if TYPE_CHECKING:
    from maskedit.gui.main_window import MainWindow


class Commands:
    """Runs commands on a window; only actions and keys of that window call it, in the GUI thread."""

    def __init__(self, window: MainWindow):
        self._window = window
        self._editor, self._canvas = window.editor, window.canvas
        editor, files, render, view = window.editor, window.files, window.editor.render, window.viewport
        self.by_id: dict[str, Callable] = {
            "open_photo": self._first_aborting(files.open_dialog),
            "open_labels": self._first_aborting(files.open_labels_dialog),
            "place_square": self._first_aborting(files.place_square),
            "open_source": self._first_aborting(files.others.ask),
            "save": files.save,
            "save_as": files.save_as,
            "export": self._first_aborting(files.export_dialog),
            "apply_to_photos": self._first_aborting(files.batch.ask),
            "quit": window.close,
            "undo": self._unless_aborting(editor.undo),
            "redo": self._unless_aborting(editor.redo),
            "snapshot": self._first_aborting(window.history_panel.snapshots.take),
            "history": lambda: window.side_tabs.show_or_leave("History"),
            "reset": self._first_aborting(lambda: editor.edited(editor.document.reset_labels())),
            "adopt": self._first_aborting(files.adopt_labels),
            "parse_photo": self._first_aborting(files.parse_photo),
            "morph": self._first_aborting(window.shape_panel.ask_face),
            "vary": self._first_aborting(window.shape_panel.shaping.vary),
            "clean_up": self._first_aborting(window.shape_panel.shaping.clean_up),
            "abort": self._unless_aborting(window.message_bar.dismiss),
            "paste": self._first_aborting(files.paste),
            "preferences": self._first_aborting(self._ask_preferences),
            **{tool: self._tool(tool) for tool in TOOLS},
            "save_piece": window.shelf.save,
            "pieces": lambda: window.side_tabs.show_or_leave("Pieces"),
            "flip_piece": self._canvas.tools.pieces.flip,
            "smaller": lambda: self._step_brush(-1),
            "larger": lambda: self._step_brush(1),
            "much_smaller": lambda: self._step_brush(-5),
            "much_larger": lambda: self._step_brush(5),
            "mirror": lambda on: editor.set_option("mirror", on),
            "only_over": self._paint_only_over,
            "pressure": lambda on: editor.set_option("pressure", on),
            "previous_label": lambda: editor.step_label(-1),
            "next_label": lambda: editor.step_label(1),
            "swap_label": editor.swap_label,
            "isolate": self._canvas.set_isolated,
            **{how: self._reshape(how) for how in RESHAPES},
            "style_from_photo": self._first_aborting(files.others.from_photo),
            "style_from_colour": self._first_aborting(files.others.from_colour),
            "own_style": self._first_aborting(files.others.own),
            "colour_blind": self._preference("colour_blind"),
            "shape": lambda: window.side_tabs.show_or_leave("Shape"),
            "fit": view.fit,
            "actual_size": lambda: view.set_zoom(1 / window.devicePixelRatioF()),
            "zoom_in": lambda: view.set_zoom(view.zoom * 1.25),
            "zoom_out": lambda: view.set_zoom(view.zoom / 1.25),
            "photo_view": window.show_photo_view,
            **{f"layout_{layout}": self._layout(layout) for layout in LAYOUTS},
            "hide_labels": self._canvas.hide_labels,
            "confidence": self._show_confidence,
            "what_changes": window.show_what_changes,
            "compare": lambda on: window.result_view.set_split(0.5 if on else None),
            "bar_text": self._preference("bar_text"),
            "live": self._preference("live"),
            "render": render.render_now,
            "whole_face": lambda on: editor.set_option("whole_face", on),
            "detail": lambda on: editor.set_option("detail", on),
            "learn": editor.tuning.begin,
            "stop_learning": editor.tuning.stop,
            "forget_face": editor.tuning.forget,
            "weights": self._first_aborting(window.weights.ask),
            "palette": self._search,
            "shortcuts": lambda: shortcut_sheet(window).show(),
            "bug_report": self._copy_bug_report,
            "about": lambda: window.dialogs.about(engine_text(editor), render.about, recovery.log_file()),
        }
        """What is called for each command; the checkable ones are called with whether they are on."""

    def follow(self, preferences: Preferences) -> None:
        """Do what the preferences say, now and whenever one is chosen."""
        window = self._window
        preferences.follow("bar_text", window.menus.show_text)
        preferences.follow("colour_blind", self._show_colour_blind)
        preferences.follow("live", self._editor.render.set_live)
        preferences.follow("autosave", window.files.recovery.set_seconds)
        for command in ("bar_text", "colour_blind"):
            preferences.follow(command, window.actions_by_id[command].setChecked)

    def _first_aborting(self, run: Callable[[], object]) -> Callable[[], None]:
        """A gesture under way is taken back before the command runs, a piece that floats is let go."""

        def handler() -> None:
            self._canvas.leave()
            run()

        return handler

    def _unless_aborting(self, run: Callable[[], object]) -> Callable[[], None]:
        """In the middle of a gesture it is the gesture that is taken back, and the command does not run."""

        def handler() -> None:
            busy = self._canvas.tools.busy
            self._canvas.abort()
            if not busy:
                run()

        return handler

    def _tool(self, tool: str) -> Callable[[], None]:
        return lambda: self._editor.set_tool(tool)

    def _preference(self, name: str) -> Callable[[bool], None]:
        def handler(on: bool) -> None:
            self._window.preferences[name] = on

        return handler

    def _ask_preferences(self) -> None:
        window = self._window
        window.dialogs.ask_preferences(window.preferences, window.actions_by_id, window.weights)

    def _layout(self, layout: str) -> Callable[[], None]:
        return lambda: self._window.set_layout(layout)

    def _reshape(self, how: str) -> Callable[[], None]:
        """The chosen class, and with the mirrored brush its partner on the other side of the face."""

        def handler() -> None:
            editor, document = self._editor, self._editor.document
            if document.stroke is not None:
                return
            classes = dict.fromkeys((editor.label, int(MIRROR[editor.label])) if editor.mirror else (editor.label,))
            box = reshape(document, classes, how)
            editor.edited(box)
            if box is None:
                title = LABELS[editor.label].title
                why = "it is protected" if document.is_protected(editor.label) else "there is nothing of it to change"
                editor.tell(Level.INFO, f"{how.capitalize()} {title}: {why}.")

        return handler

    def _step_brush(self, steps: int) -> None:
        """A step is a tenth of the size, and a pixel at least."""
        size = self._editor.brush
        for _ in range(abs(steps)):
            size = max(size + 1, size * 1.1) if steps > 0 else min(size - 1, size * 0.9)
        self._editor.set_brush(size)

    def _paint_only_over(self, on: bool) -> None:
        under = self._canvas.label_under_cursor()
        self._editor.set_option("only_over", (self._editor.label if under is None else under) if on else None)

    def _show_colour_blind(self, on: bool) -> None:
        self._editor.set_option("colour_blind", on)
        self._canvas.refresh_colours()
        self._window.palette_panel.set_colour_blind(on)

    def _show_confidence(self, on: bool) -> None:
        window, document = self._window, self._editor.document
        self._canvas.set_confidence(None)
        if on and document is not None:
            action = window.actions_by_id["confidence"]
            window.files.faces.confidence(
                document, lambda sure: window.show_confidence(document, sure), lambda: action.setChecked(False)
            )

    def _search(self) -> None:
        chosen = self._window.dialogs.ask_command(
            [*self._found_commands(), *self._found_classes(), *self._found_files()]
        )
        if chosen is not None:
            chosen.run()

    def _found_commands(self) -> Iterator[Choice]:
        for command in COMMANDS:
            action = self._window.actions_by_id[command.id]
            name, keys = command.text.rstrip("…"), " or ".join(map(written, command.keys))
            if command.id != "palette":
                yield Choice(
                    command.id, command.menu, name, action.trigger, command.tip, keys, enabled=action.isEnabled()
                )

    def _found_classes(self) -> Iterator[Choice]:
        colours = palette(colour_blind=self._editor.colour_blind).tolist()
        for label in LABELS:
            tip = f"paint with this class ({label.name})"
            run = partial(self._editor.set_label, label.id)
            name = label.title.capitalize()
            yield Choice(f"class {label.id}", "Class", name, run, tip, str(label.id), colour=tuple(colours[label.id]))

    def _found_files(self) -> Iterator[Choice]:
        files = self._window.files
        for path in files.recent():
            yield Choice(f"file {path}", "Open", path.name, self._first_aborting(partial(files.open, path)), str(path))

    def _copy_bug_report(self) -> None:
        editor = self._editor
        report = bug_report(engine=engine_text(editor), about=editor.render.about, log_file=recovery.log_file())
        QApplication.clipboard().setText(report)
        editor.tell(Level.INFO, "The bug report is on the clipboard: read it, then paste it into your message.")
