"""The product as one class: a label map in, the edited photo out, and only what the edit is about changes.

How that promise is kept depends on the weights. A network that sees the photo around an edit redraws a hole in it
(`maskedit.render.completion`). Any other one draws a similar face, not this one: so it is asked twice, for the edited
label map and for the photo's own, and `maskedit.render.compositing` lays the difference into the photo.

Styles come first (`maskedit.render.restyling`): the photo with them is the photo to everything that follows. What an
edit draws takes its colours from there; only of a part that the photo does not show, the drawn pixels are recoloured.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import cv2
import numpy as np

from maskedit import imaging
from maskedit.document.styles import Styles
from maskedit.errors import UserError
from maskedit.imaging import Square
from maskedit.render.checks import check_labels, check_photo
from maskedit.render.compositing import Blend, Composite, compose
from maskedit.render.modes import FULL, QUICK, Mode, never
from maskedit.render.restyling import Parse, Restyling, restyle_drawn
from maskedit.render.results import EditResult, FaceRenderer, Learning

FULL_SIZE = 1024
"""Pixels: the largest square that is redrawn for the photo's own size. Beyond it the edit is enlarged."""
WORTH_IT = 1.25
"""So many times as large as the target the square must be in the photo."""
_UNKNOWN = object()
"""Stands for face weights that are not known: the next `EditRenderer.set_target` applies whatever it is given."""


class EditRenderer:
    """Edits one photo after the other; set a photo once, then render as many edits of it as you like.

    It alone knows which photo the engine is set to, which face weights it has, and what the unedited face looks like
    as the engine draws it. Use it from one thread.

    Args:
        renderer: what draws faces; a `maskedit.Renderer` made of the other arguments when None.
        weights: a ``.safetensors`` checkpoint; the shipped one when None.
        device: as of `maskedit.Renderer`; likewise ``precision`` and ``engine``.

    Raises:
        UserError: the file is no checkpoint, or the device is not there.
    """

    def __init__(
        self,
        renderer: FaceRenderer | None = None,
        *,
        weights: str | Path | None = None,
        device: str = "auto",
        precision: str = "auto",
        engine: str = "auto",
    ):
        if renderer is None:
            from maskedit.render.renderer import Renderer  # with torch

            renderer = Renderer(weights, device=device, precision=precision, engine=engine)
        self._renderer = renderer
        self._notices: list[str] = []
        self.clear()

    @property
    def engine(self) -> str:
        """What renders, for a person."""
        return self._renderer.engine

    @property
    def about(self) -> str:
        """A few lines about the weights and their licence, for a person; may be empty."""
        return self._renderer.about

    @property
    def cache_bytes(self) -> int:
        """Memory that is kept for renders of ``QUICK`` quality, in bytes."""
        return self._renderer.cache_bytes

    def has_quick(self, blend: Blend = Blend()) -> bool:
        """Whether ``QUICK`` quality is anything else than ``FULL`` for edits blended in this way."""
        return self._completes(blend) or self._renderer.has_quick

    def set_target(
        self,
        photo: np.ndarray,
        reference_labels: np.ndarray,
        face_weights: bytes | None = None,
        styles: Styles = MappingProxyType({}),
    ) -> None:
        """The photo to edit, its own label map, what was learned of its face, and the styles that it is to have.

        Face weights that do not fit are left out; the next result's ``notice`` says why.

        Args:
            photo: (S, S, 3) uint8 RGB, square, at least 32 px.
            reference_labels: (S, S) uint8 ids of ``LABELS``.
            face_weights: what ``learn().finish()`` gave for this photo, or None.
            styles: of parts of the face; the others keep the photo's own.

        Raises:
            UserError: a photo or a label map of another shape or type; there is no target then.
        """
        given = (photo, reference_labels)
        if self._given is None or not all(map(np.array_equal, self._given, given)):
            self.clear()
            check_labels(reference_labels, check_photo(photo))
            self._given = _kept(photo), _kept(reference_labels)
            self._restyling = Restyling(*self._given)
        if self._target is None or self._styles != styles:
            self._restyle(styles)
        if face_weights != self._face_weights:
            self._apply(face_weights)

    def clear(self) -> None:
        """Forget the target, e.g. after an error: whatever state the engine is in, the next one is set anew."""
        self._given: tuple[np.ndarray, np.ndarray] | None = None
        """The photo as it came, and its own label map."""
        self._target: tuple[np.ndarray, np.ndarray] | None = None
        """The photo with its styles, which the engine is set to, and the same label map."""
        self._restyled: np.ndarray | None = None
        self._weights_changed(_UNKNOWN)

    def render(
        self,
        labels: np.ndarray,
        blend: Blend = Blend(),
        quality: Mode = FULL,
        *,
        cancelled: Callable[[], bool] = never,
    ) -> EditResult:
        """The photo edited to show a label map.

        Args:
            labels: (S, S) uint8 ids, of the photo's side. The photo's own label map gives the photo, bit for bit where
                no style reaches.
            blend: how the edit is laid into the photo; of a network that completes, only ``whole_face`` is heeded.
            quality: ``FULL``, or ``QUICK`` where soon is better than exact: while the brush moves.
            cancelled: asked now and then; True gives the render up.

        Raises:
            UserError: no target yet, or a label map that does not fit it.
            Cancelled: ``cancelled`` said so.
        """
        photo, reference_labels = self._checked_target()
        if self._completes(blend):
            result = self._renderer.complete(
                labels, whole=blend.whole_face, quick=quality == QUICK, cancelled=cancelled
            )
            composite = self._finished(result.composite, labels, self._unseen_styles())
            return replace(result, composite=composite, notice=self._told(result.notice), restyled=self._restyled)
        self.prepare(labels, blend, cancelled=cancelled)
        if quality == QUICK and self._renderer.has_quick:
            result = self._renderer.update(labels)
        else:
            result = self._renderer.render(labels, cancelled=cancelled)
        edited = unedited = result.image
        if np.array_equal(labels, reference_labels):
            if result.mode == FULL:
                self._unedited = edited
        elif not blend.whole_face:
            unedited = self._unedited
        # A face is learned as the photo shows it, and drawn so.
        styles = self._styles if self._learned else self._unseen_styles()
        composite = self._finished(compose(photo, reference_labels, labels, edited, unedited, blend), labels, styles)
        notice = self._told(result.notice)
        return EditResult(composite, result.seconds, result.engine, result.mode, notice, restyled=self._restyled)

    def restyled(self, original: np.ndarray, square: Square, parse: Parse | None = None) -> np.ndarray:
        """A whole photo with the target's styles in the square that the target was cut from, as sharp as it is.

        What `at_full_size` gives is to be laid into this photo.

        Args:
            original: (H, W, 3) uint8 RGB.
            square: where the target lies in it.
            parse: makes label maps, as `maskedit.FaceParser.parse` does, so that hair that goes on beyond the square is
                recoloured there, too; without it styles fade out before the square ends.

        Returns:
            (H, W, 3) uint8 RGB: the photo itself, where there are no styles.

        Raises:
            UserError: no target yet.
        """
        self._checked_target()
        return self._restyling.whole(self._styles, original, square, parse) if self._styles else original

    def at_full_size(
        self,
        original: np.ndarray,
        square: Square,
        labels: np.ndarray,
        composite: Composite,
        blend: Blend = Blend(),
        *,
        cancelled: Callable[[], bool] = never,
    ) -> Composite:
        """An edit as sharp as the photo that the square was cut from, to be laid into that with `paste_back`.

        Where the square is larger in the photo than here, what was redrawn is redrawn once more from the photo's own
        pixels, at the square's size there, but at no more than `FULL_SIZE` px: it takes a second or two.

        Args:
            original: (H, W, 3) uint8 RGB, the whole photo, as `restyled` gives it.
            square: where the target lies in it.
            labels: (S, S) uint8 ids, what ``composite`` shows; likewise of the target's side.
            composite: what came of the edit; it is what is returned where nothing is gained.
            blend: as for `render`.
            cancelled: asked now and then; True gives it up.

        Raises:
            UserError: no target yet.
            Cancelled: ``cancelled`` said so.
        """
        _, reference_labels = self._checked_target()
        side = min(FULL_SIZE, round(square.side))
        if blend.whole_face or not self._completes(blend) or side < WORTH_IT * len(labels) or not composite.alpha.any():
            return composite
        photo = imaging.cut_square(original, square, side)
        before, after = (imaging.enlarge_labels(each, side) for each in (reference_labels, labels))
        composite = self._renderer.complete_once(photo, before, after, cancelled=cancelled)
        return restyle_drawn(photo, composite, before, after, self._unseen_styles())

    def prepare(self, labels: np.ndarray, blend: Blend = Blend(), *, cancelled: Callable[[], bool] = never) -> None:
        """Render the unedited face if this edit is the first to need it; `render` does so itself.

        Every later edit of the photo needs it as well, so a caller that gives up one edit for a newer one need not give
        this up.

        Args:
            labels: (S, S) uint8 ids, as for `render`; likewise ``blend`` and ``cancelled``.
        """
        _, reference_labels = self._checked_target()
        if not (blend.whole_face or self._completes(blend) or np.array_equal(labels, reference_labels)):
            self._render_unedited(cancelled)

    def reconstruction_psnr(self) -> float:
        """PSNR in decibels of the unedited render against the photo: how well the network knows this face."""
        photo, _ = self._checked_target()
        return cv2.PSNR(photo, self._render_unedited(never))

    def learn(self, steps: int | None = None) -> Learning:
        """Begin to learn the target's face, so that renders show this very person; see `maskedit.Renderer.learn`.

        What its ``finish`` gives are the face weights of `set_target`; they are applied already.

        Args:
            steps: how many; as many as do for a photo when None.

        Raises:
            UserError: no target yet, fewer than one step, or too little memory on the GPU.
        """
        self._checked_target()
        return _WatchedLearning(self._renderer.learn(steps), self._face_weights, self._weights_changed)

    def idle(self, cancelled: Callable[[], bool] = never) -> bool:
        """Do one thing that makes later renders better or faster, some tenths of a second; False when there is none.

        Raises:
            Cancelled: ``cancelled`` said so.
        """
        return self._renderer.idle(cancelled)

    def _completes(self, blend: Blend) -> bool:
        # What was learned of a face is in the weights of the plain network, which draws whole faces.
        return self._renderer.completes and not (blend.whole_face and self._learned)

    def _checked_target(self) -> tuple[np.ndarray, np.ndarray]:
        if self._target is None:
            raise UserError("There is no photo to edit: call set_target first.")
        return self._target

    def _restyle(self, styles: Styles) -> None:
        """Set the engine to the photo with these styles."""
        photo, reference_labels = self._given
        self._styles, self._restyled = dict(styles), None
        if styles:
            photo, self._restyled = self._restyling.square(styles)
        self._target = None  # unless what follows succeeds
        self._weights_changed(_UNKNOWN)
        self._renderer.set_target(photo, reference_labels)
        self._target = _kept(photo), reference_labels

    def _unseen_styles(self) -> Styles:
        """Those of parts that the photo does not show, but an edit may draw."""
        return {part: style for part, style in self._styles.items() if not self._restyling.shows(part)}

    def _finished(self, composite: Composite, labels: np.ndarray, styles: Styles) -> Composite:
        """A composite of the photo with its styles: what an edit drew gets those that it has not; and it is measured
        what changed where neither reaches."""
        if not self._styles:
            return composite
        photo, reference_labels = self._target
        composite = restyle_drawn(photo, composite, reference_labels, labels, styles)
        outside = ((composite.alpha == 0) & (self._restyled == 0)).astype(np.uint8)
        changed = cv2.norm(composite.image, self._given[0], cv2.NORM_INF, outside)
        return replace(composite, changed_outside=int(changed))

    def _render_unedited(self, cancelled: Callable[[], bool]) -> np.ndarray:
        """The render of the target's own label map, as the engine stands."""
        if self._unedited is None:
            result = self._renderer.render(self._target[1], cancelled=cancelled)
            self._unedited = result.image
            self._notices.append(result.notice)
        return self._unedited

    def _apply(self, face_weights: bytes | None) -> None:
        applied = True
        try:
            if face_weights is None:
                self._renderer.forget()
            else:
                self._renderer.load_face_weights(face_weights)
        except UserError as error:
            self._renderer.forget()
            applied = False
            self._notices.append(f"{error} The face is shown without it; Render > Forget this face drops it.")
        self._weights_changed(face_weights, applied=applied)

    def _weights_changed(self, face_weights: object, *, applied: bool = True) -> None:
        self._face_weights, self._unedited = face_weights, None
        self._learned = applied and face_weights is not None

    def _told(self, notice: str) -> str:
        """All notices since the last result, as one text."""
        notices, self._notices = [*self._notices, notice], []
        return " ".join(dict.fromkeys(filter(None, notices)))


class _WatchedLearning:
    """A learning that tells when it has put other weights into the engine.

    Args:
        before: the face weights that it goes back to when it is cancelled.
        weights_changed: called with the face weights that the engine has now.
    """

    def __init__(self, learning: Learning, before: object, weights_changed: Callable[[object], None]):
        self._learning, self._before, self._weights_changed = learning, before, weights_changed

    @property
    def done(self) -> int:
        return self._learning.done

    @property
    def total(self) -> int:
        return self._learning.total

    def step(self) -> float:
        return self._learning.step()

    def show(self) -> None:
        self._learning.show()
        self._weights_changed(_UNKNOWN)

    def finish(self) -> bytes:
        face_weights = self._learning.finish()
        self._weights_changed(face_weights)
        return face_weights

    def cancel(self) -> None:
        self._learning.cancel()
        self._weights_changed(self._before)


def _kept(array: np.ndarray) -> np.ndarray:
    """A copy that nobody can write to: whoever gave the array may go on painting in it."""
    copy = array.copy()
    copy.flags.writeable = False
    return copy
