"""From the hand to the pixels: a recorded stroke through the real window, each event timed until it is on the screen.

The window is the editor's own, with its worker; only its settings and recovery files lie in a folder that is thrown
away. Times count from when an event was due, not from when the window got round to it: a window that hangs is late for
every event that it keeps waiting. What the display adds is not in them.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
from PySide6.QtCore import QCoreApplication, QEvent, QObject, QPointF, QSettings, Qt, QTimer, Slot
from PySide6.QtGui import QGuiApplication, QMouseEvent

from maskedit.bench.recording import PORTRAIT_SIDE, Point, hand_stroke
from maskedit.bench.report import Job, Row
from maskedit.errors import UserError
from maskedit.gui.app import main as editor_main
from maskedit.gui.main_window import MainWindow
from maskedit.render.results import FaceRenderer

HEARTBEAT = 5
"""Milliseconds."""
LOOK_EVERY = 20
"""Milliseconds until it is looked again whether the last result is there."""
LOADED = 1.0
"""Seconds until the processes beside the stroke are busy."""
BUSY = """import os
parent = os.getppid()
while os.getppid() == parent:
    for _ in range(10**6):
        pass
"""
"""A program that keeps one processor busy as long as who started it lives."""
DEADLINE = 480.0
"""Seconds after the stroke in which its result must be there."""
_MOUSE = (QEvent.Type.MouseButtonPress, QEvent.Type.MouseMove, QEvent.Type.MouseButtonRelease)


@dataclass
class Moment:
    """One event of the mouse; times in seconds of `time.perf_counter`."""

    kind: QEvent.Type
    due: float
    position: QPointF
    """On the canvas."""
    revision: int | None = None
    """Of the document, once the event was handled."""
    changed: bool = False
    """Whether the event changed the label map."""
    painted: float | None = None
    """When the canvas was painted with it."""
    previewed: float | None = None
    """When the result view was painted with a render of it."""


@dataclass
class Replay:
    """What a stroke did."""

    moments: list[Moment]
    screen: str = ""
    began: float = 0.0
    released: float = 0.0
    """When the button came up."""
    updates: list[float] = field(default_factory=list)
    """When the result view was painted with a newer result."""
    modes: Counter[str] = field(default_factory=Counter)
    """Results that were shown, per mode, until the last one was there."""
    beats: list[float] = field(default_factory=list)
    """Of a timer in the window's thread, every ``HEARTBEAT`` ms while the brush moved."""

    @property
    def seconds(self) -> float:
        """How long the brush moved."""
        return self.released - self.began

    @property
    def paint(self) -> list[float]:
        """Seconds until each event was on the canvas; the release of the button shows nothing."""
        drawn = [moment for moment in self.moments if moment.kind != QEvent.Type.MouseButtonRelease]
        return [moment.painted - moment.due for moment in drawn if moment.painted is not None]

    @property
    def preview(self) -> list[float]:
        """Seconds until the result showed each event that changed the label map."""
        return [moment.previewed - moment.due for moment in self.moments if moment.previewed is not None]

    @property
    def updates_per_second(self) -> float:
        """New results on the screen while the brush moved."""
        return sum(self.began <= update <= self.released for update in self.updates) / self.seconds

    @property
    def longest_gap(self) -> float:
        """Seconds between two beats of the window's thread, at most."""
        return float(np.diff(self.beats).max()) if len(self.beats) > 1 else self.seconds

    @property
    def settled(self) -> float:
        """Seconds from the release until the full result was on the screen."""
        return max(self.updates[-1] - self.released, 0.0) if self.updates else 0.0


def measure_stroke(job: Job) -> list[Row]:
    """The rows of the recorded stroke; for a fresh process, whose window it is.

    Raises:
        UserError: the weights or the device cannot be used, or no result came.
    """
    offscreen_without_a_screen()
    engines: list[Any] = []

    def make_renderer() -> FaceRenderer:
        engines.append(renderer_of(job))
        return engines[0]

    return rows(job, replay(make_renderer, hand_stroke(), load=job.load), engines[0].engine)


def offscreen_without_a_screen() -> None:
    """Have Qt draw into memory where there is nothing else to draw on."""
    if sys.platform == "linux" and not any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY")):
        os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")


def renderer_of(job: Job) -> Any:
    """What a job renders with, for the window's worker to make."""
    import torch

    from maskedit.render.renderer import Renderer

    if job.threads:
        torch.set_num_threads(job.threads)
    return Renderer(job.weights, device=job.device, precision=job.precision, size=job.size)


def rows(job: Job, done: Replay, engine: str) -> list[Row]:
    """What a replay says, as rows of the report."""
    blank = Row(job.device, job.preset, job.size, "", 0.0, 0, engine=engine, screen=done.screen, load=job.load)

    def row(work: str, seconds: Sequence[float], **more: Any) -> Row:
        p50, p95 = (float(np.percentile(seconds, share)) for share in (50, 95))
        values = {"work": work, "seconds": p50, "count": len(seconds), "p50": p50, "p95": p95}
        return Row(**vars(blank) | values | more)

    return [
        row("stroke to paint", done.paint, longest_gap=done.longest_gap),
        row("stroke to preview", done.preview, updates_per_second=done.updates_per_second, modes=dict(done.modes)),
        Row(**vars(blank) | {"work": "release to result", "seconds": done.settled, "count": 1}),
    ]


def replay(make_renderer: Callable[[], FaceRenderer], stroke: Sequence[Point], *, load: int = 0) -> Replay:
    """Open the editor on the bundled portrait, paint the stroke, wait for its result, close.

    Args:
        make_renderer: as of `maskedit.gui.app.main`.
        load: how many busy processes run beside the stroke.

    Raises:
        UserError: a render failed, or none came.
    """
    players: list[Player] = []
    engines: list[Any] = []

    def make() -> FaceRenderer:
        engines.append(make_renderer())
        return engines[-1]

    def prepare(_: object) -> None:
        while engines[-1].idle():
            pass

    def play(window: MainWindow) -> None:
        players.append(Player(window, stroke, prepare, load))
        players[0].begin()

    with nothing_kept() as settings:
        editor_main([], make_renderer=make, on_window=play, settings=settings)
    player = players[0]
    if player.failure:
        raise UserError(f"The stroke could not be measured: {player.failure}")
    return player.replay


@contextmanager
def nothing_kept() -> Iterator[QSettings]:
    """Settings for a window that neither reads a person's own and recovery files nor leaves any, on any system."""
    with tempfile.TemporaryDirectory() as folder:
        settings = QSettings(str(Path(folder) / "settings.ini"), QSettings.Format.IniFormat)
        with mock.patch("maskedit.gui.files.recovery.recovery_folder", return_value=Path(folder) / "recovery"):
            yield settings
        settings.sync()  # or it would write its file, and the folder anew, when it is thrown away


class Hand(QObject):
    """Does in a window what a person would, and closes it; at the first error that the window tells, too."""

    def __init__(self, window: MainWindow):
        super().__init__(window)
        self._window, self._editor = window, window.editor
        self.failure = ""

    def _close(self) -> None:
        raise NotImplementedError

    @Slot(str, str)
    def _told(self, level: str, text: str) -> None:
        if level == "error":
            self._fail(text)

    def _fail(self, reason: str) -> None:
        self.failure = self.failure or reason
        self._close()


class Player(Hand):
    """Plays a stroke in a window, and closes it when the result is there.

    Args:
        prepare: called in the worker's thread when the window shows its first result, before the stroke.
        load: how many busy processes run from then on.
    """

    def __init__(self, window: MainWindow, stroke: Sequence[Point], prepare: Callable[[object], None], load: int):
        super().__init__(window)
        self._prepare = prepare
        self._stroke, self._load = stroke, load
        self._beside: list[subprocess.Popen] = []
        self.replay = Replay([], QGuiApplication.platformName())
        self._closing = False
        self._handled = 0
        self._result: int | None = None
        """The document's revision in a result that is not painted yet."""
        # As from the desktop: the events come when they are due, whatever the window is doing.
        self._hand = threading.Thread(target=self._post, name="hand", daemon=True)
        self._heart = QTimer(self, interval=HEARTBEAT, timerType=Qt.TimerType.PreciseTimer)
        self._heart.timeout.connect(self._beat)
        self._look = QTimer(self, interval=LOOK_EVERY)
        self._look.timeout.connect(self._end_when_settled)

    def begin(self) -> None:
        """Wait for the first result, then play."""
        self._editor.message.connect(self._told)
        self._editor.render.when_up_to_date(
            lambda: self._editor.jobs.run(self._prepare, self._play, self._fail), self._fail
        )

    # Playing ----------------------------------------------------------------------------------------------------

    def _play(self, _: object) -> None:
        canvas, document = self._window.canvas, self._editor.document
        # From this thread, not from `prepare`'s: they would take over its priority.
        self._beside = [subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(self._load)]
        start = time.perf_counter() + (LOADED if self._load else 0.1)
        scale = document.width / PORTRAIT_SIDE
        press, move, release = _MOUSE
        points = [*self._stroke, self._stroke[-1]]
        kinds = [press, *[move] * (len(points) - 2), release]
        for kind, point in zip(kinds, points, strict=True):
            place = canvas.viewport.to_view(QPointF(point.x * scale, point.y * scale), canvas.view_size())
            self.replay.moments.append(Moment(kind, start + point.milliseconds / 1000, place))
        self.replay.began = start
        self._revision = document.revision
        for view in (canvas, self._window.result_view):
            view.installEventFilter(self)
        self._editor.render.result_changed.connect(self._result_shown)
        self._corner = canvas.mapToGlobal(QPointF(0, 0))
        self._heart.start()
        self._hand.start()

    def _post(self) -> None:
        """Send every event at its time; in a thread of its own."""
        canvas = self._window.canvas
        left, none = Qt.MouseButton.LeftButton, Qt.MouseButton.NoButton
        for moment in self.replay.moments:
            time.sleep(max(0.0, moment.due - time.perf_counter()))
            if self._closing:
                return
            button = none if moment.kind == QEvent.Type.MouseMove else left
            held = none if moment.kind == QEvent.Type.MouseButtonRelease else left
            place, plain = moment.position, Qt.KeyboardModifier.NoModifier
            event = QMouseEvent(moment.kind, place, place + self._corner, button, held, plain)
            QCoreApplication.postEvent(canvas, event)

    # Watching ---------------------------------------------------------------------------------------------------

    def eventFilter(self, watched, event) -> bool:
        """Hand the events on to the view itself, to see when it is done with them."""
        if event.type() == QEvent.Type.Paint:
            watched.event(event)
            if watched is self._window.canvas:
                self._canvas_painted()
            else:
                self._result_painted()
            return True
        if event.type() in _MOUSE and watched is self._window.canvas:
            if not event.spontaneous():  # a real mouse that moves meanwhile is kept out
                watched.event(event)
                self._event_handled()
            return True
        return False

    def _event_handled(self) -> None:
        moment = self.replay.moments[self._handled]
        self._handled += 1
        moment.revision = self._editor.document.revision
        moment.changed, self._revision = moment.revision != self._revision, moment.revision
        if moment.kind == QEvent.Type.MouseButtonRelease:
            self._heart.stop()
            self.replay.released = moment.due
            self._look.start()

    def _canvas_painted(self) -> None:
        now = time.perf_counter()
        for moment in reversed(self.replay.moments[: self._handled]):
            if moment.painted is not None:
                break
            moment.painted = now

    @Slot()
    def _result_shown(self) -> None:
        rendered = self._editor.render.rendered
        self.replay.modes[rendered.result.mode] += 1
        self._result = rendered.request.revision

    def _result_painted(self) -> None:
        if self._result is None:
            return
        now = time.perf_counter()
        shown, self._result = self._result, None
        self.replay.updates.append(now)
        for moment in self.replay.moments[: self._handled]:
            if moment.changed and moment.previewed is None and moment.revision <= shown:
                moment.previewed = now

    @Slot()
    def _beat(self) -> None:
        self.replay.beats.append(time.perf_counter())

    # Ending -----------------------------------------------------------------------------------------------------

    @Slot()
    def _end_when_settled(self) -> None:
        editor = self._editor
        if time.perf_counter() > self.replay.released + DEADLINE:
            self._fail(f"no result came within {DEADLINE:.0f} seconds.")
            return
        # A render of boxes is not up to date: the full one follows once the hand rests.
        if editor.render.up_to_date and not editor.render.live.in_flight and self._result is None:
            self._close()

    def _close(self) -> None:
        if self._closing:
            return
        self._closing = True
        for timer in (self._heart, self._look):
            timer.stop()
        if self._hand.is_alive():
            self._hand.join()
        for process in self._beside:
            process.kill()
            process.wait()
        for view in (self._window.canvas, self._window.result_view):
            view.removeEventFilter(self)
        self._window.canvas.abort()
        self._editor.document.mark_saved()  # nobody is to be asked whether to save it
        QTimer.singleShot(0, self._window.close)
