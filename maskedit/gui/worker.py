"""Rendering off the GUI thread: a worker that lives in a QThread of its own.

torch is imported here, in the worker, so that the window stands first. Results go to slots of objects that live in
the GUI thread; a lambda would run in this thread.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from PySide6.QtCore import QObject, QThread, QTimer, Signal, Slot

from maskedit.errors import UserError, explain
from maskedit.gui.jobs import JobQueue
from maskedit.gui.qimage import photo_image
from maskedit.gui.requests import LearningProgress, Mailbox, Rendered, RenderRequest
from maskedit.render.compositing import Blend, compose
from maskedit.render.modes import BOX, FULL, Cancelled, never

_UNKNOWN = object()
NICE = 10
"""How far the worker's threads stand back, of 19. With less, one mouse event in twenty waits for them; with more, they
get next to nothing while another program keeps the processors busy."""
REST = 400
"""Milliseconds without work after which the engine may do something for later renders."""
SHOW_EVERY = 10
"""Steps of learning between two live pictures: together with the parsing of a glance, about four seconds."""


class Engine(Protocol):
    """What the worker needs of a renderer; ``maskedit.Renderer`` is one.

    ``about``, a few lines on its weights and their licence, is shown where there is one. Where ``has_boxes`` is true,
    ``update`` renders boxes and keeps ``cache_bytes`` in memory for them. ``idle``, for quiet times, may be missing.
    ``learn``, ``load_learned`` and ``forget``, as `Renderer` has them, are needed once somebody wants a face learned.
    """

    engine: str

    def set_target(self, photo: np.ndarray, reference_labels: np.ndarray) -> None: ...

    def render(self, labels: np.ndarray, *, cancelled: Callable[[], bool]): ...


class RenderWorker(QObject):
    """Makes the engine, then does what waits each time it is woken: a job, a render, a step of learning.

    Args:
        make_finder: makes a `maskedit.face.locate.FaceFinder`, the first time that a job asks for ``finder``.
    """

    ready = Signal(str, str)  # engine, about
    rendered = Signal(object)
    failed = Signal(int, str)
    job_done = Signal(object, object)  # job, what it returned
    job_failed = Signal(object, str)
    learning_moved = Signal(object)  # LearningProgress
    learning_failed = Signal(str)
    glimpsed = Signal(object)  # Rendered: a live picture that nobody asked for

    def __init__(
        self,
        mailbox: Mailbox,
        jobs: JobQueue,
        make_engine: Callable[[], Engine],
        make_finder: Callable[[], Any],
    ):
        super().__init__()
        self._mailbox = mailbox
        self._jobs = jobs
        self._make_engine, self._make_finder = make_engine, make_finder
        self._engine: Engine | None = None
        self._finder: Any = None
        self._target: tuple[np.ndarray, np.ndarray] | None = None
        self._worn: object = None
        """What was learned of the target and is in the engine: bytes, None, or _UNKNOWN."""
        self._notice = ""
        self._unedited: np.ndarray | None = None
        """The render of the target's own label map, as the engine stands."""
        self._learning: Any = None
        self._decibels: float | None = None
        self._last: RenderRequest | None = None
        # A timer, not a signal to itself: however often it is started, the next thing is done once.
        self._again = QTimer(self, singleShot=True, interval=0)
        self._again.timeout.connect(self.work)
        self._quiet = QTimer(self, singleShot=True, interval=REST)
        self._quiet.timeout.connect(self.improve)
        self.leaving = threading.Event()
        """Set when the editor closes: long work that nobody was promised may stop."""

    @Slot()
    def start(self) -> None:
        """Load torch and the weights; a failure is reported, and tried again at the next request."""
        _step_back()
        try:
            self._engine = self._make_engine()
        except Exception as error:
            self.failed.emit(-1, explain(error))
            return
        self._tell_ready()

    def _tell_ready(self) -> None:
        self.ready.emit(self._engine.engine, getattr(self._engine, "about", ""))

    @Slot()
    def work(self) -> None:
        """Do one thing that waits, and come again for the next: between two, the thread can be told to end."""
        self._quiet.stop()
        if (job := self._jobs.take()) is not None:
            self._run(job)
        elif (request := self._mailbox.take()) is not None:
            self._answer(request)
        elif self._learning is not None:
            self._learn_on()
        else:
            self._quiet.start()
            return
        self._again.start()

    @Slot()
    def leave(self) -> None:
        """Do what was promised, then end the thread."""
        self._again.stop()
        self._quiet.stop()
        self._jobs.keep_promised()
        while (job := self._jobs.take()) is not None:
            self._run(job)
        QThread.currentThread().quit()

    # Jobs -------------------------------------------------------------------------------------------------------

    @property
    def finder(self) -> Any:
        """The face finder, with its parser."""
        if self._finder is None:
            self._finder = self._make_finder()
        return self._finder

    def _run(self, job) -> None:
        try:
            result = job.work(self)
        except Exception as error:
            self.job_failed.emit(job, explain(error))
        else:
            self.job_done.emit(job, result)

    # Rendering --------------------------------------------------------------------------------------------------

    def _answer(self, request: RenderRequest) -> None:
        try:
            rendered = self._render(request, self._overtaken)
        except Cancelled:
            pass  # whoever asked has asked anew
        except Exception as error:
            # The next run starts clean, whatever state the failed one left behind.
            self._drop_learning()
            self._target, self._worn, self._unedited = None, _UNKNOWN, None
            self.failed.emit(request.sequence, explain(error))
        else:
            self._last = request
            self.rendered.emit(rendered)

    def _render(self, request: RenderRequest, cancelled: Callable[[], bool]) -> Rendered:
        self._aim(request.photo, request.reference_labels, request.learned)
        learns = self._learning is not None
        # What is being learned shows in the face itself.
        blend = Blend(whole_face=True) if learns else request.blend
        unchanged = np.array_equal(request.labels, request.reference_labels)
        if not (blend.whole_face or unchanged) and self._unedited is None:
            self._unedited = self._engine.render(request.reference_labels, cancelled=self.leaving.is_set).image
        has_boxes = getattr(self._engine, "has_boxes", False)
        if request.mode == BOX and has_boxes and not learns:
            result = self._engine.update(request.labels)
        else:
            result = self._engine.render(request.labels, cancelled=cancelled)
        edited = result.image
        unedited = edited if blend.whole_face or unchanged else self._unedited
        mode = getattr(result, "mode", FULL)
        if unchanged and mode == FULL:
            self._unedited = edited
        composite = compose(request.photo, request.reference_labels, request.labels, edited, unedited, blend)
        notice, self._notice = " ".join(filter(None, (self._notice, result.notice))), ""
        return Rendered(
            request,
            composite,
            photo_image(composite.image),
            result.seconds,
            result.engine,
            notice,
            mode=mode,
            learning=learns,
            has_boxes=has_boxes,
            cache_bytes=getattr(self._engine, "cache_bytes", 0),
        )

    @Slot()
    def improve(self) -> None:
        """Let the engine do something for later renders, and come again as long as there is more."""
        idle = getattr(self._engine, "idle", None)
        if idle is None or self._wanted():
            return
        try:
            if idle(self._wanted):
                self._quiet.start()
        except Cancelled:
            pass  # what it was given up for ends in another quiet time
        except Exception:  # what nobody asked for need not be told to anybody
            self._quiet.stop()

    def _overtaken(self) -> bool:
        """Whether a full render under way is worth nothing any more."""
        return self._mailbox.waiting == BOX or self.leaving.is_set()

    def _wanted(self) -> bool:
        """Whether there is something else to do."""
        return self._mailbox.waiting is not None or self._jobs.waiting or self.leaving.is_set()

    def _aim(self, photo: np.ndarray, reference_labels: np.ndarray, learned: bytes | None) -> None:
        """Make the engine render this photo with what was learned of it."""
        if self._engine is None:
            self._engine = self._make_engine()
            self._tell_ready()
        target = (photo, reference_labels)
        if self._target is None or any(ours is not new for ours, new in zip(self._target, target, strict=True)):
            self._drop_learning()
            self._engine.set_target(*target)
            # An engine that knows this very photo already may still wear what was learned of it.
            self._target, self._worn, self._unedited = target, _UNKNOWN, None
        if learned is not self._worn and self._learning is None:
            self._wear(learned)

    def _wear(self, learned: bytes | None) -> None:
        """Put what was learned into the engine; what does not fit it is told once, and left in the document."""
        try:
            if learned is not None:
                self._engine.load_learned(learned)
            elif hasattr(self._engine, "forget"):
                self._engine.forget()
        except UserError as error:
            self._engine.forget()
            self._notice = f"{error} The face is shown without it; Render > Forget this face drops it."
        self._worn, self._unedited = learned, None

    # Learning ---------------------------------------------------------------------------------------------------

    def begin_learning(self, photo: np.ndarray, reference_labels: np.ndarray) -> None:
        """Learn the face of a photo, a step at a time, from the weights of the file; for a job."""
        self._drop_learning()
        self._aim(photo, reference_labels, None)
        self._learning, self._decibels = self._engine.learn(), None
        self._tell_progress()

    def stop_learning(self) -> None:
        """Back to how the engine rendered before, without a trace; for a job."""
        self._drop_learning()

    def _learn_on(self) -> None:
        learning = self._learning
        try:
            learning.step()
            if learning.done >= learning.total:
                self._worn, self._learning, self._unedited = learning.finish(), None, None
                self._tell_progress(learning, learned=self._worn)
            else:
                if learning.done % SHOW_EVERY == 0:
                    learning.show()
                    self._glimpse()
                self._tell_progress()
        except Exception as error:
            self._drop_learning()
            self.learning_failed.emit(explain(error))

    def _glimpse(self) -> None:
        """The picture as it would be with what is learned by now."""
        photo, reference_labels = self._target
        self._unedited = self._engine.render(reference_labels, cancelled=never).image
        difference = self._unedited.astype(np.float32) - photo
        self._decibels = float(10 * np.log10(255**2 / max(float((difference**2).mean()), 1e-6)))
        if self._last is not None and self._last.photo is photo:
            self.glimpsed.emit(self._render(self._last, never))

    def _drop_learning(self) -> None:
        """Forget a learning under way."""
        learning, self._learning = self._learning, None
        if learning is not None:
            learning.cancel()
            self._unedited = None
            self._tell_progress(learning, ended=True)

    def _tell_progress(self, learning: Any = None, *, learned: bytes | None = None, ended: bool = False) -> None:
        learning = learning or self._learning
        self.learning_moved.emit(
            LearningProgress(
                photo=self._target[0],
                done=learning.done,
                total=learning.total,
                decibels=self._decibels,
                learned=learned,
                ended=ended or learned is not None,
            )
        )


def _step_back() -> None:
    """Let the window have a processor whenever it wants one: renders use all of them.

    On Linux the threads that do the computing are started by this one and inherit what it is given here; elsewhere it
    holds for this one alone.
    """
    if sys.platform == "linux":  # where a thread has a priority of its own, which Qt does not know
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)
    else:
        QThread.currentThread().setPriority(QThread.Priority.LowPriority)


def shipped_engine(weights: str | None, device: str, precision: str, engine: str) -> Callable[[], Engine]:
    """A function that loads torch and the weights when the worker calls it."""

    def make() -> Engine:
        from maskedit.render.renderer import Renderer

        return Renderer(weights, device=device, precision=precision, engine=engine)

    return make


def shipped_finder(device: str, precision: str) -> Callable[[], Any]:
    """A function that loads the shipped face parser when the worker calls it."""

    def make() -> Any:
        from maskedit.face.locate import FaceFinder
        from maskedit.face.parser import FaceParser

        return FaceFinder(FaceParser(device=device, precision=precision))

    return make
