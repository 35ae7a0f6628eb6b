"""The open document's edit on many other photos: one job of the render thread after the other, painting goes on."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from maskedit.document.document import Document
from maskedit.errors import UserError, disk_errors, explain
from maskedit.face.align import face_points
from maskedit.gui.dialogs.dialogs import Dialogs
from maskedit.gui.editor import Editor
from maskedit.gui.rendering.jobs import Services
from maskedit.gui.rendering.messages import RenderRequest
from maskedit.gui.states import Level
from maskedit.imaging import SUFFIXES, SourcePhoto, read_source
from maskedit.opening.documents import parsed_document
from maskedit.opening.replay import Replay
from maskedit.render.compositing import Blend
from maskedit.render.full_size import full_size

_QUALITY = 95
_TOLD = 4
"""So many failures are told; the log has all."""

logger = logging.getLogger(__name__)


@dataclass
class BatchRun:
    """One edit on its way over many photos."""

    replay: Replay
    blend: Blend
    """How it is laid into them."""
    folder: Path
    waiting: list[Path]
    total: int
    done: int = 0
    written: int = 0
    failures: list[str] = field(default_factory=list)
    """Names of photos, each with the reason in brackets."""
    cancelled: threading.Event = field(default_factory=threading.Event)


class Batch(QObject):
    """Lays the open document's edit on other photos.

    Args:
        editor: whose document it is, and whose render thread does it.
        dialogs: ask which photos.
        may_stop_learning: asks before a learning is lost: one renderer draws all photos.
        guarded: runs work whose UserError becomes a message.
        folder: where files are looked for first.
    """

    progressed = Signal(object)
    """BatchRun, with the photo that is edited now as the first that waits; or None: it is over."""

    def __init__(
        self,
        editor: Editor,
        dialogs: Dialogs,
        may_stop_learning: Callable[[], bool],
        guarded: Callable[[Callable[[], None]], bool],
        folder: Callable[[], str],
        parent: QObject,
    ):
        super().__init__(parent)
        self._editor, self._dialogs = editor, dialogs
        self._may_stop_learning, self._guarded, self._folder = may_stop_learning, guarded, folder
        self.run: BatchRun | None = None
        """What is under way; None while nothing is."""

    def ask(self) -> None:
        """Ask which photos get the edit of the open document, and begin."""
        self._guarded(self._ask)

    def _ask(self) -> None:
        if self.run is not None:
            raise UserError("An edit is being laid on photos already; let it end, or stop it.")
        replay = Replay(self._editor.document, face_points)
        wanted = self._dialogs.ask_batch(self._folder())
        if wanted is None or not self._may_stop_learning():
            return
        with disk_errors():
            wanted.folder.mkdir(parents=True, exist_ok=True)
        outputs = {output(photo, wanted.folder) for photo in wanted.photos}
        photos = [photo for photo in wanted.photos if photo not in outputs]  # not what an earlier run has written
        self.run = BatchRun(replay, self._editor.render.blend, wanted.folder, photos, len(photos))
        self._next()

    def cancel(self) -> None:
        """Begin with no other photo, and give up the one under way if that is still possible."""
        if self.run is not None:
            self.run.cancelled.set()

    def _next(self) -> None:
        run = self.run
        if not run.waiting or run.cancelled.is_set():
            self.run = None
            self.progressed.emit(None)
            self._editor.tell(Level.ERROR if run.failures else Level.INFO, outcome(run))
            if run.failures:
                self._editor.jobs.promise_ended.emit(outcome(run))  # a window that waits to close stays, to show it
            return
        self.progressed.emit(run)
        # Promised: the window closes once all are written, or at the second close.
        work = partial(_tried, run.replay, run.blend, run.waiting[0], run.folder, run.cancelled)
        self._editor.jobs.run(work, self._photo_done, promised=True)

    def _photo_done(self, result: bool | str) -> None:
        run, photo = self.run, self.run.waiting.pop(0)
        run.done += 1
        if isinstance(result, str):
            run.failures.append(f"{photo.name} ({result.rstrip('.')})")
        else:
            run.written += result
        self._next()


def outcome(run: BatchRun) -> str:
    """What came of it, for a person."""
    text = f"The edit is on {run.written} of {run.total} photos, in {run.folder}."
    if run.cancelled.is_set():
        text = "Stopped. " + text
    if run.failures:
        more = len(run.failures) - _TOLD
        rest = f" and {more} more, which the log names" if more > 0 else ""
        text += f" Not on {', '.join(run.failures[:_TOLD])}{rest}."
    return text


def output(photo: Path, folder: Path) -> Path:
    """Where the edited photo goes; what cannot be written as it came becomes PNG."""
    return folder / f"{photo.stem}_edited{photo.suffix if photo.suffix.lower() in SUFFIXES else '.png'}"


def _tried(
    replay: Replay, blend: Blend, photo: Path, folder: Path, cancelled: threading.Event, services: Services
) -> bool | str:
    """Like `edit_photo`, in the render thread; a reason where that failed."""
    try:
        return edit_photo(replay, blend, photo, folder, cancelled, services)
    except Exception as error:  # whatever one photo brings up, the others may do
        logger.exception("%s was not edited.", photo)
        return explain(error)


def edit_photo(
    replay: Replay, blend: Blend, path: Path, folder: Path, cancelled: threading.Event, services: Services
) -> bool:
    """Write a photo with an edit laid on its largest face; whether it was written, or given up.

    Raises:
        UserError: the file is no photo, shows no face, or is written already.
    """

    def given_up() -> bool:
        return cancelled.is_set() or services.leaving.is_set()

    out = output(path, folder)
    if out.exists():
        raise UserError(f"{out.name} is there already")
    photo = SourcePhoto(read_source(path)[0], path.stem)
    document = None if given_up() else _edited(replay, photo, services, given_up)
    if document is None or given_up():
        return False
    request = RenderRequest(
        sequence=0,
        revision=document.revision,
        photo=document.photo,
        reference_labels=document.reference_labels,
        labels=document.snapshot(),
        blend=blend,
        face_weights=document.face_weights,
        styles=document.styles,
    )
    rendered = services.rendered_apart(request)
    edited, metadata = full_size(
        document,
        rendered.result.composite,
        request.labels,
        partial(services.at_full_size, rendered),
        styles=request.styles,
        parse=services.finder.parser.parse if request.styles else None,
    )
    edited.write(out, quality=_QUALITY, overwrite=False, metadata=metadata)
    return True


def _edited(replay: Replay, photo: SourcePhoto, services: Services, given_up: Callable[[], bool]) -> Document | None:
    """A photo's document with the edit laid on it; None when the search for its face was given up."""
    if replay.made_for(photo):
        return replay.own(photo)
    faces = services.finder.find(photo.pixels, given_up=given_up)
    if not faces:
        if given_up():
            return None
        raise UserError("no face was found")
    document = parsed_document(photo, faces[0].square, services.finder.parser)
    replay.lay_on(document)
    return document
