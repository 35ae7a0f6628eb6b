"""``maskedit``: the editor's command."""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from maskedit.gui.states import Level
from maskedit.shell import INTERRUPTED, add_device, command_parser

if TYPE_CHECKING:
    from PySide6.QtCore import QSettings
    from PySide6.QtWidgets import QApplication

    from maskedit.gui.dialogs.dialogs import Dialogs
    from maskedit.gui.main_window import MainWindow
    from maskedit.render.results import FaceRenderer

EXAMPLE = """examples:
  maskedit                                 a bundled portrait, ready to paint
  maskedit me.jpg                          any photo: the face is found and its label map drawn
  maskedit me.png --labels me_labels.png   a photo and its label map
  maskedit work.maskedit                   a saved session
"""


logger = logging.getLogger(__name__)


def main(
    arguments: Sequence[str] | None = None,
    *,
    make_renderer: Callable | None = None,
    make_finder: Callable | None = None,
    on_window: Callable | None = None,
    settings: QSettings | None = None,
    dialogs: Dialogs | None = None,
) -> int:
    """Open the editor; returns when its window is closed.

    Args:
        arguments: the command line without the program's name; ``sys.argv`` when None.
        make_renderer: makes the renderer in the worker's thread, whatever is chosen; one of the chosen weights and
            engine when None.
        make_finder: makes the face finder there, likewise.
        on_window: called with the window once it is shown.
        settings: remember folders, recent files and the window's place; the person's own when None.
        dialogs: ask the person; on the screen when None.
    """
    options = _parser().parse_args(arguments)
    # The threads of torch, which is loaded later, sleep while they wait for one another. Waiting busily they would keep
    # the processors from the window and, beside another busy program, from each other.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    from PySide6.QtCore import QSettings
    from PySide6.QtWidgets import QApplication

    from maskedit.gui import theme
    from maskedit.gui.editor import Editor
    from maskedit.gui.files import recovery
    from maskedit.gui.main_window import MainWindow
    from maskedit.gui.preferences import DEFAULTS, Preferences
    from maskedit.gui.rendering.chooser import RendererChoice
    from maskedit.gui.rendering.worker import shipped_finder, shipped_renderer
    from maskedit.logs import logging_to

    application = QApplication.instance() or QApplication(sys.argv[:1])
    application.setApplicationName("maskedit")
    application.setApplicationDisplayName("maskedit")
    settings = settings or QSettings("maskedit", "maskedit")
    preferred = Preferences(settings)
    theme.apply(application, preferred["theme"])
    with logging_to(recovery.log_file(), verbose=options.verbose):
        device, precision = options.device, options.precision

        def make(choice: RendererChoice) -> FaceRenderer:
            if make_renderer is not None:
                return make_renderer()
            return shipped_renderer(choice.weights, device, precision, choice.engine)

        # The command line comes before what was chosen in another run; where that is gone, it goes on without.
        weights, engine = options.weights or preferred["weights"], options.engine or preferred["engine"]
        editor = Editor(
            make,
            make_finder or partial(shipped_finder, device, precision),
            choice=RendererChoice(Path(weights) if weights else None, engine),
            fallback=RendererChoice(options.weights, options.engine or DEFAULTS["engine"]),
        )
        window = MainWindow(editor, settings, dialogs)
        window.preferences.follow("theme", partial(theme.apply, application))
        return _edit(application, window, options, on_window)


def _edit(
    application: QApplication, window: MainWindow, options: argparse.Namespace, on_window: Callable | None
) -> int:
    """Show the window and run until it is closed; arguments and result are those of `main`."""
    from PySide6.QtCore import QTimer

    from maskedit.gui.files.files import BUNDLED

    editor = window.editor
    # Under a photo that is given as well: its face is still to be found, or it may be no photo at all.
    window.files.open_bundled(BUNDLED[0][1])
    if options.photo is None:
        window.show_hint()
    else:
        window.files.open(options.photo, options.labels)
    window.show()

    def settle() -> None:
        if options.timing:
            print(f"window after {_process_seconds():.2f} s; torch loaded: {'torch' in sys.modules}", flush=True)
        window.files.offer_recovery()
        editor.start()
        if on_window is not None:
            on_window(window)

    QTimer.singleShot(0, settle)

    def interrupt() -> None:
        # Somebody at the terminal wants it to end: no question, and what was not saved is offered at the next start.
        window.files.recovery.keep()
        application.exit(INTERRUPTED)

    with _errors_to(editor.tell, interrupt), _ctrl_c_to(interrupt):
        code = application.exec()
    if not editor.stop():
        # A render cannot be interrupted, and a thread cannot be killed safely. Everything is saved: wait, then go.
        sys.stdout.flush()
        if not editor.thread.join(seconds=20.0):
            os._exit(code)
    return code


@contextlib.contextmanager
def _errors_to(tell: Callable[[Level, str], None], interrupt: Callable[[], None]):
    """A bug of ours in a slot neither ends the program nor stays in a console that nobody sees."""
    previous = sys.excepthook

    def hook(kind, error, trace) -> None:
        if issubclass(kind, KeyboardInterrupt):
            interrupt()
            return
        logger.critical("A slot failed.", exc_info=(kind, error, trace))
        previous(kind, error, trace)
        tell(Level.ERROR, f"Something went wrong ({kind.__name__}: {error}). Your work is kept; save it to be safe.")

    sys.excepthook = hook
    try:
        yield
    finally:
        sys.excepthook = previous


@contextlib.contextmanager
def _ctrl_c_to(interrupt: Callable[[], None]):
    """Ctrl+C in the terminal calls ``interrupt`` between two events, not as an exception in the middle of an edit."""
    from PySide6.QtCore import QTimer

    previous = signal.signal(signal.SIGINT, lambda *_: QTimer.singleShot(0, interrupt))
    # Python sees signals only while Python code runs; an idle window runs none.
    timer = QTimer(interval=250)
    timer.timeout.connect(lambda: None)
    timer.start()
    try:
        yield
    finally:
        timer.stop()
        signal.signal(signal.SIGINT, previous)


def _parser() -> argparse.ArgumentParser:
    import maskedit
    from maskedit.render.modes import ENGINES

    parser = command_parser("maskedit", "Edit a face by painting its label map.", EXAMPLE)
    parser.add_argument("photo", type=Path, nargs="?", help="a photo or a session; a bundled portrait when left out")
    parser.add_argument(
        "--labels",
        type=Path,
        help="the photo's label map; NAME_labels.png beside it when left out, or drawn by the parser",
    )
    parser.add_argument(
        "--weights", type=Path, help="a .safetensors checkpoint; when left out, the one chosen in the window last"
    )
    add_device(parser)
    parser.add_argument("--engine", choices=ENGINES, help="what renders; as the preferences say when left out")
    parser.add_argument("--verbose", action="store_true", help="write the log to the terminal as well")
    parser.add_argument("--timing", action="store_true", help="print when the window stood, in seconds from the start")
    parser.add_argument("--version", action="version", version=f"maskedit {maskedit.__version__}")
    return parser


def _process_seconds() -> float:
    """Seconds since this process started, as the system counts it; its processor time where it cannot."""
    try:
        started = float(Path("/proc/self/stat").read_text().rsplit(")", 1)[1].split()[19])
        return float(Path("/proc/uptime").read_text().split()[0]) - started / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError):
        return time.process_time()


if __name__ == "__main__":
    sys.exit(main())
