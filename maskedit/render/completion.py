"""What an edit changed, redrawn by a network that sees the photo around it: numpy outside, torch inside.

The hole is what changed, grown as in training. The network redraws it, seeing the photo around it or, where its weights
were trained so, a closer square of it (`maskedit.models.views`). The photo's own texture is laid into what it drew
(`maskedit.render.texture`), and its grain where that is missing (`maskedit.render.grain`); the last few pixels inside
the rim fade into the photo. Outside the hole the photo stays as it is, bit for bit.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import torch
from torch import Tensor

from maskedit.labels import ids_of
from maskedit.models.context import ContextNetwork
from maskedit.models.holes import edit_hole, label_hole
from maskedit.models.tensors import box_of, photo_to_tensor, tensor_to_photo
from maskedit.models.views import Draw, Sight, View, by_torch, complete_sight, look, regions_of, style_of, view_for
from maskedit.render.compositing import Composite, blended
from maskedit.render.grain import grained
from maskedit.render.modes import Cancelled, never
from maskedit.render.portraits import portrait_edits, portraits
from maskedit.render.texture import textured

RIM = 0.006
"""A fraction of the side: over this width, inside the hole, the completion fades into the photo."""


class Completer:
    """Redraws what an edit changed, seeing the photo around it.

    Args:
        network: on ``device``, in ``precision``; it is not copied.
        device: where it is.
        precision: what it computes in.
        draw: stands for the network's `complete`; that itself when None.
    """

    def __init__(
        self, network: ContextNetwork, *, device: torch.device, precision: torch.dtype, draw: Draw | None = None
    ):
        self._network, self._device, self._precision = network, device, precision
        self._draw = by_torch(network) if draw is None else draw
        self._target: tuple[np.ndarray, np.ndarray, Tensor, Tensor, Tensor] | None = None
        self._sight: Sight | None = None
        """What was looked at last."""
        self._styled: tuple[View, Tensor] | None = None
        """The last style code, and what was looked at for it."""

    def set_target(self, photo: np.ndarray, reference_labels: np.ndarray) -> None:
        """The photo (S, S, 3) uint8 RGB and its own label map (S, S) uint8; both are kept, not copied."""
        tensor = photo_to_tensor(photo).to(self._device)
        ids = self._ids(reference_labels)
        with torch.inference_mode():
            regions = regions_of(self._network, tensor, ids)
        self._target = photo, reference_labels, tensor, ids, regions
        self._sight = self._styled = None

    def complete(
        self, labels: np.ndarray, *, whole: bool = False, quick: bool = False, cancelled: Callable[[], bool] = never
    ) -> Composite:
        """The target, redrawn where a label map differs from its own.

        Args:
            labels: (S, S) uint8 ids. Those of the photo give the photo.
            whole: everything is redrawn; of the photo, only its style is known.
            quick: without the photo's texture, while the brush moves.
            cancelled: asked now and then; True gives it up.

        Raises:
            Cancelled: ``cancelled`` said so.
            ValueError: no target yet.
        """
        if self._target is None:
            raise ValueError("there is no photo to complete: call set_target first")
        photo, reference_labels, tensor, reference, _ = self._target
        ids = self._ids(labels)
        image = photo
        with torch.inference_mode():
            hole = torch.ones_like(tensor[:, :1]) if whole else edit_hole(reference, ids)
            inside = hole[0, 0].cpu().numpy() > 0
            if inside.any():
                image = self._redrawn(ids, hole, quick)
        _check(cancelled)
        if inside.any() and not quick:
            image = detailed(image, photo, inside, labels, reference_labels, check=lambda: _check(cancelled))
        return laid_in(photo, image, inside)

    def _redrawn(self, ids: Tensor, hole: Tensor, quick: bool) -> np.ndarray:
        """The photo with a hole (1, 1, S, S) redrawn to show ids (1, S, S)."""
        photo, _, tensor, _, regions = self._target
        view = view_for(self._network.config, hole, ids)
        if self._sight is None or self._sight.view != view:
            self._sight = look(self._network.config, tensor, regions, view, self._precision)
        part = complete_sight(self._draw, self._sight, self._style(quick), ids, hole)
        image = photo.copy()
        left, top, right, bottom = box_of(hole)
        rows, columns = slice(top - view.top, bottom - view.top), slice(left - view.left, right - view.left)
        image[top:bottom, left:right] = tensor_to_photo(part[0, :, rows, columns])
        return image

    def _style(self, quick: bool) -> Tensor:
        """The style code of what is looked at; the last one will do where soon is better than exact."""
        view = self._sight.view
        if self._styled is None or not (self._styled[0] == view or (quick and self._styled[0].near(view))):
            self._styled = view, style_of(self._network, self._sight, self._target[3])
        return self._styled[1]

    def _ids(self, labels: np.ndarray) -> Tensor:
        return torch.from_numpy(np.array(labels))[None].to(self._device)


def _check(cancelled: Callable[[], bool]) -> None:
    if cancelled():
        raise Cancelled


def detailed(
    image: np.ndarray,
    photo: np.ndarray,
    inside: np.ndarray,
    labels: np.ndarray,
    reference_labels: np.ndarray,
    *,
    check: Callable[[], None] = lambda: None,
) -> np.ndarray:
    """What the network drew with all that it does not draw: the photo's texture and its grain. See `textured`."""
    image = textured(image, photo, inside, labels, reference_labels, check=check)
    return grained(image, photo, np.where(inside, np.uint8(255), np.uint8(0)), labels)


def laid_in(photo: np.ndarray, image: np.ndarray, inside: np.ndarray) -> Composite:
    """An image laid into the photo, both (S, S, 3) uint8, where ``inside`` (S, S) bool is; its rim fades."""
    layer, change = image.astype(np.float32), np.zeros_like(photo, np.float32)
    alpha, fresh = np.zeros(inside.shape, np.float32), np.ones(inside.shape, np.float32)
    result = photo.copy()
    left, top, width, height = cv2.boundingRect(inside.astype(np.uint8))
    if width:
        # With what is next to it, to which distances are measured.
        box = slice(max(0, top - 1), top + height + 1), slice(max(0, left - 1), left + width + 1)
        # From the middle of one pixel to the middle of another: half a pixel less to the border between them.
        distance = cv2.distanceTransform(inside[box].astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5) - 0.5
        alpha[box] = np.clip(distance / max(1.0, RIM * len(photo)), 0, 1)
        result[box] = blended(
            photo[box], alpha=alpha[box], replacement=layer[box], residual=change[box], replace_mask=fresh[box]
        )
    outside = cv2.norm(result, photo, cv2.NORM_INF, (alpha == 0).astype(np.uint8))
    return Composite(result, alpha, layer, change, fresh, int(outside))


def portrait_completions(network: ContextNetwork) -> list[tuple[Tensor, Tensor, Tensor, Tensor, Tensor]]:
    """What int8 is calibrated to, as `maskedit.models.views.Draw` takes it: bundled portraits with parts to be redrawn.

    Each takes the other's features, and its own hair is hidden.
    """
    size, weight = network.config.size, network.stem.weight
    found = []
    for photo, labels in portraits(size):
        reference = torch.from_numpy(labels)[None].to(weight.device)
        edits = [torch.from_numpy(edit)[None].to(weight.device) for edit in portrait_edits(labels)]
        tasks = [(edit, edit_hole(reference, edit)) for edit in edits]
        tasks.append((reference, label_hole(reference, ids_of("hair"))))
        with torch.inference_mode():
            tensor = photo_to_tensor(photo).to(weight.device)
            regions = regions_of(network, tensor, reference)
            sight = look(network.config, tensor, regions, View(0, 0, size), weight.dtype)
            style = style_of(network, sight, reference)
        found += [(ids, style, sight.seen, hole, sight.regions) for ids, hole in tasks if hole.any()]
    return found
