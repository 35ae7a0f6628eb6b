"""The same person: what *Learn this face* gains, and whether the label map is still obeyed after it.

Photos never trained on, before and after learning each: the unedited render against the photo; the mouth of another
held-out face (paper section 4.2, attribute transfer), rendered, parsed and compared with the label map asked for; and
that edit laid into the photo, where nothing may change outside.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import numpy as np
import torch
from tqdm import tqdm

from maskedit import imaging
from maskedit.data.pairs import Pairs
from maskedit.document.transfer import transfer_labels
from maskedit.labels import FACE_PARTS
from maskedit.measures.metrics import Distance, Means
from maskedit.measures.segmentation import confusion, confusion_figures
from maskedit.measures.tables import table
from maskedit.models.parser import Parser, parse
from maskedit.models.tensors import photo_to_tensor, spread
from maskedit.render.compositing import WHOLE_FACE
from maskedit.render.edit_renderer import EditRenderer
from maskedit.render.renderer import Renderer

CAPTIONS = ("photo", "before", "learnt", "other mouth", "before", "learnt", "composed")
"""What stands in the columns of a sheet."""

MOUTH = FACE_PARTS["Smile"]
NAMES = ("mouth", "u_lip", "l_lip")

TITLES = {
    "psnr_before": "PSNR dB", "psnr": "learnt", "ssim_before": "SSIM", "ssim": "learnt",
    "features_before": "features", "features": "learnt", "seconds": "seconds", "megabytes": "MB",
    "accuracy_before": "accuracy", "accuracy": "learnt", "accuracy_photo": "photo",
    "mean_f1_before": "mean F1", "mean_f1": "learnt", "mean_f1_photo": "photo",
    "mouth_f1_before": "mouth F1", "mouth_f1": "learnt", "mouth_f1_photo": "photo",
    "psnr_outside": "outside dB", "ssim_outside": "SSIM", "changed_outside": "changed",
}  # fmt: skip
"""Figures of a row, in the order of the table's columns; ``learnt`` and ``photo`` belong to the columns before them.

``photo`` is what the parser makes of the photo itself and its own label map: no render of this face need do better."""
DECIMALS = {"psnr": 2, "seconds": 1, "megabytes": 1, "changed": 0}


@dataclass
class Person:
    """What was measured on every photo."""

    rows: dict[str, dict[str, float]] = field(default_factory=dict)
    """Stem of a photo -> the figures of ``TITLES``."""
    tiles: list[list[np.ndarray]] = field(default_factory=list)
    """Rows of a captioned sheet with ``CAPTIONS``."""

    @property
    def means(self) -> dict[str, float]:
        """Of every figure over the photos."""
        return {name: float(np.mean([row[name] for row in self.rows.values()])) for name in TITLES}

    @property
    def lines(self) -> list[str]:
        """The table as text, the means last."""
        columns = [(title, DECIMALS.get(name.partition("_")[0], 4)) for name, title in TITLES.items()]
        rows = {stem: list(row.values()) for stem, row in (self.rows | {"mean": self.means}).items()}
        return table(columns, rows, width=10)

    def sheet(self) -> np.ndarray:
        """The captioned picture (H, W, 3) uint8 RGB of all photos."""
        return imaging.captioned_sheet(self.tiles, CAPTIONS)


def person_figures(
    renderer: Renderer, parser: Parser, pairs: Pairs, distance: Distance | None, *, count: int, steps: int | None = None
) -> Person:
    """Learn ``count`` faces of ``pairs``, spread evenly over them; each takes its mouth from the next of them.

    Args:
        parser: parses the renders, at its own side; the figures are taken at the photos' side.
        distance: of pretrained features; zeros stand in the table without one.
        steps: of learning; the renderer's own number when None.
    """
    chosen = spread(len(pairs), count)
    person, editor = Person(), EditRenderer(renderer)
    for index, other in zip(tqdm(chosen, desc="learning faces", disable=None), [*chosen[1:], chosen[0]], strict=True):
        photo, labels = pairs.photos[index].permute(1, 2, 0).contiguous().numpy(), pairs.labels[index].numpy()
        edited = transfer_labels(labels, pairs.labels[other].numpy(), MOUTH)
        editor.set_target(photo, labels)
        before, edited_before = (editor.render(each, WHOLE_FACE).image for each in (labels, edited))
        started = time.perf_counter()
        learning = editor.learn(steps)
        for _ in range(learning.total):
            learning.step()
        learned = learning.finish()
        seconds = time.perf_counter() - started
        after, edited_after = (editor.render(each, WHOLE_FACE).image for each in (labels, edited))
        composite = editor.render(edited).composite
        figures = {"seconds": seconds, "megabytes": len(learned) / 1e6}
        figures |= {f"{name}_before": value for name, value in likeness(before, photo, distance).items()}
        figures |= likeness(after, photo, distance)
        figures |= {f"{name}_before": value for name, value in obedience(parser, edited_before, edited).items()}
        figures |= obedience(parser, edited_after, edited)
        figures |= {f"{name}_photo": value for name, value in obedience(parser, photo, labels).items()}
        figures |= outside(composite.image, composite.alpha, photo, labels != edited)
        person.rows[pairs.stems[index]] = {name: figures[name] for name in TITLES}
        person.tiles.append([photo, before, after, edited, edited_before, edited_after, composite.image])
    return person


def likeness(image: np.ndarray, photo: np.ndarray, distance: Distance | None) -> dict[str, float]:
    """``psnr``, ``ssim`` and ``features`` of one picture against its photo, both (S, S, 3) uint8."""
    means = Means(distance)
    with torch.inference_mode():
        means.add(photo_to_tensor(image), photo_to_tensor(photo))
    return {"features": 0.0} | means.figures


def obedience(parser: Parser, image: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """``accuracy``, ``mean_f1`` and ``mouth_f1`` of a parsed render (S, S, 3) uint8 against the map it should show.

    ``mean_f1`` is over all classes; ``mouth_f1`` over the mouth and both lips.
    """
    found = parse(parser, photo_to_tensor(image), side=labels.shape[0])
    figures = confusion_figures(confusion(found, torch.from_numpy(labels)[None]), ("f1",))
    mouth = float(np.mean([figures[f"f1_{name}"] for name in NAMES]))
    return {"accuracy": figures["accuracy"], "mean_f1": figures["mean_f1"], "mouth_f1": mouth}


def outside(image: np.ndarray, alpha: np.ndarray, photo: np.ndarray, changed: np.ndarray) -> dict[str, float]:
    """How well a composed picture (S, S, 3) uint8 keeps the photo where the label map did not change.

    Args:
        alpha: (S, S) float32: how much of the edit shows.
        changed: (S, S) bool: where the label map changed; there the photo is looked at, for both figures.

    Returns:
        ``psnr_outside``, ``ssim_outside``; and ``changed_outside``: the greatest difference, of 255, where ``alpha``
        is 0.
    """
    kept = np.where(changed[..., None], photo, image)
    figures = likeness(kept, photo, None)
    untouched = (np.abs(image.astype(int) - photo) * (alpha == 0)[..., None]).max()
    return {
        "psnr_outside": figures["psnr"], "ssim_outside": figures["ssim"], "changed_outside": float(untouched)
    }  # fmt: skip
