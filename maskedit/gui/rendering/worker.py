"""Rendering off the GUI thread: a worker that lives in a QThread of its own.

torch is loaded by the worker's thread, so that the window stands first. Results go to slots of objects that live in the
GUI thread; a lambda would run in the worker's.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
from PySide6.QtCore import QObject, QThread, QTimer, Signal, Slot

from maskedit.document.styles import Styles
from maskedit.errors import explain
from maskedit.gui.qimage import photo_image
from maskedit.gui.rendering.jobs import Job, JobQueue
from maskedit.gui.rendering.messages import LearningProgress, Mailbox, Rendered, RenderRequest
from maskedit.imaging import Square
from maskedit.render.compositing import WHOLE_FACE, Composite
from maskedit.render.edit_renderer import EditRenderer
from maskedit.render.modes import FULL, QUICK, Cancelled, never
from maskedit.render.results import FaceRenderer, Learning

logger = logging.getLogger(__name__)

REST = 400
"""Milliseconds without work after which the engine may do something for later renders."""
SHOW_EVERY = 10
"""Steps of learning between two live pictures: about four seconds at 256 px on two processor cores."""


class RenderWorker(QObject):
    """Makes the engine, then does what waits each time it is woken: a job, a render, a step of learning.

    To jobs it is the `Services`. It takes, runs and reports; how an edit is rendered is `EditRenderer`'s business.

    Args:
        make_renderer: makes what the edit renderer draws with, in this thread.
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
    noticed = Signal(str)  # what a picture that is not for the screen had to say

    def __init__(
        self,
        mailbox: Mailbox,
        jobs: JobQueue,
        make_renderer: Callable[[], FaceRenderer],
        make_finder: Callable[[], Any],
    ):
        super().__init__()
        self._mailbox = mailbox
        self._jobs = jobs
        self._make_renderer, self._make_finder = make_renderer, make_finder
        self._renderer: EditRenderer | None = None
        self._finder: Any = None
        self.make_label_space: Callable[[], Any] = shipped_label_space
        """Makes a `maskedit.models.label_space.LabelSpace`, likewise when a job first asks for it."""
        self._label_space: Any = None
        self._learning: Learning | None = None
        self._learned_face: tuple[np.ndarray, np.ndarray] | None = None
        """The photo that is being learned, and its own label map."""
        self._decibels: float | None = None
        self._last: RenderRequest | None = None
        # A timer, not a signal to itself: however often it is started, the next thing is done once.
        self._again = QTimer(self, singleShot=True, interval=0)
        self._again.timeout.connect(self.work)
        self._quiet = QTimer(self, singleShot=True, interval=REST)
        self._quiet.timeout.connect(self.improve)
        self.leaving = threading.Event()

    @Slot()
    def start(self) -> None:
        """Load torch and the weights; a failure is reported, and tried again at the next request."""
        try:
            self._ready_renderer()
        except Exception as error:
            logger.exception("The renderer was not made.")
            self.failed.emit(-1, explain(error))

    def _ready_renderer(self) -> EditRenderer:
        if self._renderer is None:
            self._use(EditRenderer(self._make_renderer()))
        return self._renderer

    def exchange_renderer(self, make: Callable[[], FaceRenderer]) -> None:
        """See `Services`; a learning under way ends, for it trains the network of before."""
        renderer = EditRenderer(make())
        self._drop_learning()
        self._make_renderer = make
        self._use(renderer)

    def _use(self, renderer: EditRenderer) -> None:
        self._renderer = renderer
        logger.info("%s\n%s", renderer.engine, renderer.about)
        self.ready.emit(renderer.engine, renderer.about)

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

    @property
    def label_space(self) -> Any:
        """What a network knows of label maps."""
        if self._label_space is None:
            self._label_space = self.make_label_space()
        return self._label_space

    def _run(self, job: Job) -> None:
        try:
            result = job.work(self)
        except Exception as error:
            logger.exception("A job failed.")
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
            logger.exception("A render failed.")
            # The next run starts clean, whatever state the failed one left behind.
            self._drop_learning()
            if self._renderer is not None:
                self._renderer.clear()
            self.failed.emit(request.sequence, explain(error))
        else:
            self._last = request
            self.rendered.emit(rendered)

    def _render(self, request: RenderRequest, cancelled: Callable[[], bool]) -> Rendered:
        renderer = self._request_renderer(request)
        learns = self._learning is not None
        # What is being learned shows in the face itself.
        blend = WHOLE_FACE if learns else request.blend
        # Not given up for a newer edit, which needs it as well.
        renderer.prepare(request.labels, blend, cancelled=self.leaving.is_set)
        result = renderer.render(request.labels, blend, FULL if learns else request.mode, cancelled=cancelled)
        return Rendered(
            request,
            result,
            photo_image(result.image),
            learning=learns,
            has_quick=renderer.has_quick(blend),
            cache_bytes=renderer.cache_bytes,
        )

    def at_full_size(self, rendered: Rendered, original: np.ndarray, square: Square) -> Composite:
        """See `Services`; while a face is being learned, the picture is as it was shown: it is no longer, or not yet,
        drawn with those weights."""
        if self._learning is not None:
            return rendered.result.composite
        request = rendered.request
        renderer = self._request_renderer(request)
        return renderer.at_full_size(original, square, request.labels, rendered.result.composite, request.blend)

    def rendered_apart(self, request: RenderRequest) -> Rendered:
        """See `Services`; what the result has to say is said here, for no later one will say it again."""
        rendered = self._render(request, self.leaving.is_set)
        if rendered.result.notice:
            self.noticed.emit(rendered.result.notice)
        return rendered

    @Slot()
    def improve(self) -> None:
        """Let the engine do something for later renders, and come again as long as there is more."""
        if self._renderer is None or self._wanted():
            return
        try:
            if self._renderer.idle(self._wanted):
                self._quiet.start()
        except Cancelled:
            pass  # what it was given up for ends in another quiet time
        except Exception:  # nobody asked for it: the log is told, and nobody else
            logger.exception("An idle step failed.")
            self._quiet.stop()

    def _overtaken(self) -> bool:
        """Whether a full render under way is worth nothing any more."""
        return self._mailbox.waiting == QUICK or self.leaving.is_set()

    def _wanted(self) -> bool:
        """Whether there is something else to do."""
        return self._mailbox.waiting is not None or self._jobs.waiting or self.leaving.is_set()

    def _request_renderer(self, request: RenderRequest) -> EditRenderer:
        """The edit renderer, set to what a request shows an edit of."""
        return self._target_renderer(request.photo, request.reference_labels, request.face_weights, request.styles)

    def _target_renderer(
        self, photo: np.ndarray, reference_labels: np.ndarray, face_weights: bytes | None, styles: Styles
    ) -> EditRenderer:
        """The edit renderer, set to this photo with styles and to what was learned of it, or is being learned now: a
        face is learned as the photo shows it, without styles."""
        renderer, face = self._ready_renderer(), self._learned_face
        if self._learning is None or face[0] is not photo or face[1] is not reference_labels:
            self._drop_learning()
            renderer.set_target(photo, reference_labels, face_weights, styles)
        return renderer

    # Learning ---------------------------------------------------------------------------------------------------

    def begin_learning(self, photo: np.ndarray, reference_labels: np.ndarray) -> None:
        """See `Services`; the learning begins with the weights of the file."""
        self._drop_learning()
        self._learning = self._target_renderer(photo, reference_labels, None, {}).learn()
        self._learned_face, self._decibels = (photo, reference_labels), None
        self._tell_progress()

    def stop_learning(self) -> None:
        """See `Services`."""
        self._drop_learning()

    def _learn_on(self) -> None:
        learning = self._learning
        try:
            learning.step()
            if learning.done >= learning.total:
                face_weights, self._learning = learning.finish(), None
                self._tell_progress(learning, face_weights=face_weights)
            else:
                if learning.done % SHOW_EVERY == 0:
                    learning.show()
                    if self._mailbox.waiting is None:  # else it would be a picture of labels that are no more
                        self._glimpse()
                self._tell_progress()
        except Exception as error:
            logger.exception("Learning a face failed.")
            self._drop_learning()
            self.learning_failed.emit(explain(error))

    def _glimpse(self) -> None:
        """The picture as it would be with what is learned by now."""
        self._decibels = self._renderer.reconstruction_psnr()
        if self._last is not None and self._last.photo is self._learned_face[0]:
            self.glimpsed.emit(self._render(self._last, never))

    def _drop_learning(self) -> None:
        """Forget a learning under way."""
        learning, self._learning = self._learning, None
        if learning is not None:
            learning.cancel()
            self._tell_progress(learning, ended=True)

    def _tell_progress(
        self, learning: Learning | None = None, *, face_weights: bytes | None = None, ended: bool = False
    ) -> None:
        learning = learning or self._learning
        self.learning_moved.emit(
            LearningProgress(
                photo=self._learned_face[0],
                done=learning.done,
                total=learning.total,
                decibels=self._decibels,
                face_weights=face_weights,
                ended=ended or face_weights is not None,
            )
        )


def shipped_renderer(weights: str | None, device: str, precision: str, engine: str) -> FaceRenderer:
    """Load torch and the weights; for the worker to call."""
    from maskedit.render.renderer import Renderer

    return Renderer(weights, device=device, precision=precision, engine=engine)


def shipped_finder(device: str, precision: str) -> Any:
    """Load the shipped face parser, likewise."""
    from maskedit.face.locate import FaceFinder
    from maskedit.face.parser import FaceParser

    return FaceFinder(FaceParser(device=device, precision=precision))


def shipped_label_space() -> Any:
    """Load the shipped MaskVAE, likewise."""
    from maskedit.models.label_space import LabelSpace

    return LabelSpace()
