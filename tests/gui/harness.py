"""What the tests of the window share: a fake engine, answers to dialogs, a mouse that speaks in map pixels."""

from __future__ import annotations

import os
import time
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from PySide6.QtCore import QEventLoop, QPoint, QPointF, QSettings, Qt, QTimer
from PySide6.QtGui import QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from maskedit import imaging
from maskedit.document import session
from maskedit.document.document import Document
from maskedit.errors import UserError
from maskedit.gui.dialogs.dialogs import Dialogs
from maskedit.gui.editor import Editor
from maskedit.gui.main_window import MainWindow
from maskedit.imaging import Square
from maskedit.render.modes import FULL
from tests.faces import draw_face

LEFT, RIGHT, MIDDLE = Qt.MouseButton.LeftButton, Qt.MouseButton.RightButton, Qt.MouseButton.MiddleButton
NONE, SHIFT = Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.ShiftModifier
CTRL, ALT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.AltModifier
SIDE = 256
FOUND = Square(200, 150, 160)
"""Where the fake finder finds a face."""


class Clock:
    """Stands still until a test moves it."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


class FakeEngine:
    """A `FaceRenderer` that shows label maps as colours, after ``seconds``; raises ``error`` once if there is one."""

    engine = "fake"
    about = "fake.safetensors, for tests only"
    has_quick = completes = False
    cache_bytes = 0

    def __init__(self, seconds: float = 0.0):
        self.seconds = seconds
        self.error: Exception | None = None
        self.targets: list[np.ndarray] = []
        self.rendered: list[np.ndarray] = []

    def set_target(self, photo, reference_labels):
        self.targets.append(photo)

    def render(self, labels, *, cancelled=None):
        assert not labels.flags.writeable
        time.sleep(self.seconds)
        if self.error is not None:
            error, self.error = self.error, None
            raise error
        self.rendered.append(labels)
        return self.result(imaging.colourise(labels), self.seconds)

    def result(self, image, seconds, mode=FULL):
        """A `RenderResult` that a test may change."""
        return SimpleNamespace(image=image, seconds=seconds, engine=self.engine, mode=mode, notice="")

    def update(self, labels):
        return self.render(labels)

    def complete(self, labels, *, whole=False, quick=False, cancelled=None):
        raise UserError("This engine does not complete.")

    def idle(self, cancelled=None):
        return False

    def learn(self, steps=None):
        raise UserError("This engine does not learn.")

    def load_face_weights(self, data):
        raise UserError("This engine does not learn.")

    def forget(self):
        pass


class LearningEngine(FakeEngine):
    """Learns to draw the photo itself, in so many ``steps``."""

    def __init__(self, steps=25):
        super().__init__()
        self.steps = steps
        self.photo, self.level, self.loaded = None, 0.0, []
        self.cancelled = 0

    def set_target(self, photo, reference_labels):
        super().set_target(photo, reference_labels)
        self.photo, self.level = photo, 0.0

    def render(self, labels, *, cancelled=None):
        result = super().render(labels)
        result.image = np.round(result.image * (1 - self.level) + self.photo * self.level).astype(np.uint8)
        return result

    def learn(self, steps=None):
        return FakeLearning(self)

    def load_face_weights(self, data):
        self.loaded.append(data)
        self.level = 1.0

    def forget(self):
        self.level = 0.0


class FakeLearning:
    def __init__(self, engine):
        self.engine, self.done, self.total = engine, 0, engine.steps

    def step(self):
        self.done += 1
        return 1.0

    def show(self):
        self.engine.level = self.done / self.total

    def finish(self):
        self.engine.level = 1.0
        return b"learned"

    def cancel(self):
        self.engine.level = 0.0
        self.engine.cancelled += 1


class Answers:
    """One list of answers per question of `Dialogs`, in whose place ``dialogs`` stands; ``asked`` tells what was asked.

    A question that nobody expects fails the test.
    """

    NAMES = tuple(name for name in vars(Dialogs) if not name.startswith("_"))

    def __init__(self):
        self.asked: list[str] = []
        self.dialogs = SimpleNamespace()
        for name in self.NAMES:
            setattr(self, name, [])
            setattr(self.dialogs, name, partial(self.give, name))

    def give(self, name, *arguments):
        self.asked.append(name)
        answers = getattr(self, name)
        assert answers, f"nobody expected {name}{arguments}"
        answer = answers.pop(0)
        return answer(*arguments) if callable(answer) else answer


def make_document(side: int = SIDE, seed: int = 0, name: str = "face") -> Document:
    photo, labels = draw_face(side, seed)
    return Document(photo, labels, name=name)


def leave_behind(folder: Path, *, name: str = "lost", age: float = 0.0) -> Path:
    """A recovery file of one edit at (50, 50), as an editor left it that ran ``age`` seconds ago."""
    document = make_document(seed=9, name=name)
    stroke = document.begin_stroke(14, diameter=30)
    stroke.move_to(50, 50)
    stroke.commit()
    written = session.write_recovery(folder, document)
    path = written.rename(written.with_name(f"recovery-{os.getpid()}-00000000-{name}{session.SUFFIX}"))
    os.utime(path, (time.time() - age,) * 2)
    return path


class FakeFinder:
    """Finds ``squares`` in every photo; parses each to a drawn face's map, with doubt in its upper left corner."""

    def __init__(self, *squares: Square):
        self.squares = squares
        self.photos: list[np.ndarray] = []
        self.parser = self

    def find(self, photo, *, given_up=lambda: False):
        self.photos.append(photo)
        return [SimpleNamespace(square=square) for square in self.squares]

    def parse(self, photo):
        return draw_face(photo.shape[0], seed=3)[1]

    def parse_with_confidence(self, photo):
        confidence = np.full(photo.shape[:2], 255, np.uint8)
        confidence[:40, :40] = 60
        return SimpleNamespace(labels=self.parse(photo), confidence=confidence)

    def parse_part(self, photo, document, part):
        return np.full(part.shape, 14, np.uint8)


def make_window(
    engine,
    *,
    document: Document | None = None,
    start: bool = True,
    finder=None,
    whole_face: bool = True,
    dialogs=None,
    choosing=None,
) -> MainWindow:
    """A window as ``main`` makes it; ``engine`` is one, or a function that makes one.

    Args:
        finder: finds faces and parses; one that finds ``FOUND`` when None.
        whole_face: whether the engine's picture is shown as it is, and not laid into the photo.
        dialogs: answer for the person; every question fails the test when None.
        choosing: makes the engine of a `RendererChoice`, in place of ``engine``.
    """
    finder = finder or FakeFinder(FOUND)
    make = choosing or (lambda _: engine() if callable(engine) else engine)
    editor = Editor(make, lambda: finder)
    editor.set_option("whole_face", whole_face)
    window = MainWindow(editor, QSettings("maskedit", "maskedit"), dialogs or Answers().dialogs)
    window.files.show_document(document or make_document())
    window.resize(1200, 640)
    window.show()
    window.activateWindow()
    QTest.qWaitForWindowExposed(window, 2000)
    editor.set_label(14)  # the drawn face wears no hat: whatever is painted changes pixels
    window.messages = []
    editor.message.connect(lambda level, text: window.messages.append((level, text)))
    if start:
        editor.start()
    return window


def wait(condition, seconds: float = 60.0) -> None:
    """Run the event loop until ``condition()`` holds; fails when it does not come true."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        # Not QTest.qWait: that keeps Python's lock while it sleeps, and the worker waits for it at every operation.
        loop = QEventLoop()
        QTimer.singleShot(2, loop.quit)
        loop.exec()


def settle(window) -> None:
    """Until the result belongs to the label map and nothing is on its way."""
    editor = window.editor
    wait(lambda: editor.render.up_to_date and editor.render.live.delay() is None and not editor.render.rendering)


def at(window, x: float, y: float) -> QPoint:
    """Where a point of the map lies on the canvas."""
    canvas = window.canvas
    return canvas.viewport.to_view(QPointF(x, y), canvas.view_size()).toPoint()


def drag(window, *points, button=LEFT, modifiers=NONE) -> None:
    """Press at the first point of the map, move through the others, release at the last."""
    QTest.mousePress(window.canvas, button, modifiers, at(window, *points[0]))
    for point in points[1:]:
        QTest.mouseMove(window.canvas, at(window, *point))
    QTest.mouseRelease(window.canvas, button, modifiers, at(window, *points[-1]))


def click(window, x, y, button=LEFT, modifiers=NONE) -> None:
    QTest.mouseClick(window.canvas, button, modifiers, at(window, x, y))


def key(window, key, modifiers=NONE) -> None:
    QTest.keyClick(QApplication.focusWidget() or window, key, modifiers)


def wheel(view, position: QPointF, delta: int) -> None:
    event = QWheelEvent(
        position, view.mapToGlobal(position), QPoint(), QPoint(0, delta), Qt.MouseButton.NoButton, NONE,
        Qt.ScrollPhase.NoScrollPhase, False,
    )  # fmt: skip
    QApplication.sendEvent(view, event)


def disc(centre: QPointF, diameter: float, side: int = SIDE) -> np.ndarray:
    """(side, side) bool: the pixels whose centres lie in a disc."""
    rows, columns = np.mgrid[:side, :side] + 0.5
    return (columns - centre.x()) ** 2 + (rows - centre.y()) ** 2 <= (diameter / 2) ** 2 + 1e-6
