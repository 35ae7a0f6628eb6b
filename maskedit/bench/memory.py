"""How much memory the editor takes, from its start to its exports: the real window, its worker, the networks, a photo.

Each figure wants a process of its own, whose peak it is: torch, Qt and all else that the process holds is in it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any

import numpy as np
from PIL import Image
from PySide6.QtCore import QTimer, Slot
from PySide6.QtGui import QGuiApplication

from maskedit import imaging
from maskedit.bench.report import Job, Row
from maskedit.bench.stroke import Hand, nothing_kept, offscreen_without_a_screen, renderer_of
from maskedit.errors import UserError
from maskedit.gui.app import main as editor_main
from maskedit.gui.dialogs.export import Export
from maskedit.gui.main_window import MainWindow
from maskedit.labels import BY_NAME, ids_of
from maskedit.processes import peak_memory
from maskedit.render.results import FaceRenderer
from maskedit.resources import portrait

PORTRAIT = "collins"
LARGE = (6000, 4000)
"""Width and height in pixels: 24 megapixels."""
FACE = 0.75
"""Of the large photo's height: the portrait in it."""
LONGER = 0.08
"""Of the side: how much longer the hair becomes."""
QUIET = 1.0
"""Seconds between the end of one thing and the next."""
DEADLINE = 480.0
"""Seconds in which all must be done."""


def measure_memory(job: Job) -> list[Row]:
    """One row: a bundled portrait of 512 px is opened, its hair made longer, and the result exported.

    Raises:
        UserError: the weights or the device cannot be used, or something failed.
    """
    return [_measured(job, "512 px", None)]


def measure_large_memory(job: Job) -> list[Row]:
    """As `measure_memory`, with the portrait in a JPEG of 24 megapixels, where its face must be found and parsed."""
    return [_measured(job, f"{LARGE[0] * LARGE[1] / 1e6:.0f} megapixels", large_photo())]


def large_photo() -> bytes:
    """A JPEG of ``LARGE`` with the portrait in the middle of a plain wall."""
    picture = imaging.read_photo(portrait(PORTRAIT)[0])
    width, height = LARGE
    side = round(FACE * height)
    photo = Image.new("RGB", LARGE, tuple(int(value) for value in picture[0, 0]))
    photo.paste(Image.fromarray(picture).resize((side, side)), ((width - side) // 2, (height - side) // 2))
    buffer = BytesIO()
    photo.save(buffer, "JPEG", quality=92)
    return buffer.getvalue()


def _measured(job: Job, photo_size: str, photo: bytes | None) -> Row:
    offscreen_without_a_screen()
    engines: list[Any] = []

    def make_renderer() -> FaceRenderer:
        engines.append(renderer_of(job))
        return engines[-1]

    started = time.perf_counter()
    edit_and_export(make_renderer, photo, ["--device", job.device, "--precision", job.precision])
    return Row(
        job.device, job.preset, job.size, f"editor's memory, photo of {photo_size}", time.perf_counter() - started, 1,
        engine=engines[0].engine, peak_memory_mib=peak_memory(), screen=QGuiApplication.platformName(),
    )  # fmt: skip


def edit_and_export(
    make_renderer: Callable[[], FaceRenderer],
    photo: bytes | None,
    arguments: Sequence[str] = (),
    make_finder: Callable[[], object] | None = None,
) -> list[int]:
    """Open the editor, make the hair longer, export the whole photo as a JPEG and in layers, close.

    Args:
        make_renderer: as of `maskedit.gui.app.main`; likewise ``arguments``, but for the photo, and ``make_finder``.
        photo: the file to open; the bundled portrait when None.

    Returns:
        The bytes of the two files.

    Raises:
        UserError: something failed, or took too long.
    """
    with TemporaryDirectory() as folder, nothing_kept() as settings:
        given, out = Path(folder) / "photo.jpg", [Path(folder) / name for name in ("out.jpg", "out.ora")]
        if photo is not None:
            given.write_bytes(photo)
        engines: list[Any] = []
        hands: list[_Editing] = []

        def make() -> FaceRenderer:
            engines.append(make_renderer())
            return engines[-1]

        def prepare() -> None:
            while engines[-1].idle():
                pass

        def begin(window: MainWindow) -> None:
            hands.append(_Editing(window, PORTRAIT if photo is None else given.stem, prepare, len(out)))

        exports, paths = iter([Export("photo", 95), Export("layers", 95)]), iter(out)
        answers = SimpleNamespace(
            ask_export=lambda: next(exports), ask_save=lambda *_: next(paths), ask_face=lambda *_: 0
        )
        editor_main(
            [*arguments, *([] if photo is None else [str(given)])],
            make_renderer=make,
            make_finder=make_finder,
            on_window=begin,
            settings=settings,
            dialogs=answers,
        )
        if hands[0].failure:
            raise UserError(f"The editor's memory could not be measured: {hands[0].failure}")
        return [path.stat().st_size for path in out]


class _Editing(Hand):
    """Edits the photo and exports it, the next thing once all is quiet.

    Args:
        name: of the document that is waited for.
        prepare: does all that the engine does when nobody waits; called in the worker's thread.
        exports: how many there are.
    """

    def __init__(self, window: MainWindow, name: str, prepare: Callable[[], None], exports: int):
        super().__init__(window)
        self._name = name
        self._ends = time.monotonic() + DEADLINE
        self._quiet_since = time.monotonic()
        self._prepare = prepare
        export = window.files.export_dialog
        self._steps = iter([self._rest, self._edit, self._rest, *[export] * exports, self._close])
        self._editor.message.connect(self._told)
        self._look = QTimer(self, interval=100)
        self._look.timeout.connect(self._act)
        self._look.start()

    @Slot()
    def _act(self) -> None:
        now = time.monotonic()
        if now > self._ends:
            self._fail(f"it was not done within {DEADLINE:.0f} seconds.")
        elif not self._rests():
            self._quiet_since = now
        elif now - self._quiet_since > QUIET:
            self._quiet_since = now
            next(self._steps)()

    def _rests(self) -> bool:
        """Whether the document is there, its picture is up to date, and nobody waits for a file."""
        document, editor = self._editor.document, self._editor
        opened = document is not None and document.name == self._name
        return opened and editor.render.up_to_date and not editor.render.rendering and not editor.has_waiting

    def _rest(self) -> None:
        """As if the person looked at it for a while; promised, so that it is waited for."""
        self._editor.jobs.run(lambda _: self._prepare(), lambda _: None, self._fail, promised=True)

    def _edit(self) -> None:
        document = self._editor.document
        labels, side = document.snapshot(), document.width
        hair = BY_NAME["hair"].id
        longer = np.roll(labels == hair, round(LONGER * side), axis=0)
        longer &= np.isin(labels, ids_of("background", "cloth"))
        self._editor.edited(document.replace_labels(np.where(longer, np.uint8(hair), labels), name="Longer hair"))

    def _close(self) -> None:
        self._look.stop()
        if (document := self._editor.document) is not None:
            document.mark_saved()  # nobody is to be asked whether to save it
        QTimer.singleShot(0, self._window.close)
