"""How far is a box render from the full render of the same label map?

While the brush moves, the editor renders boxes (`maskedit.render.boxes`); when it rests, the whole image. Edits
that a person would paint (`maskedit.evaluation.strokes`), on photos never trained on, are rendered in both ways, and
what the person sees change at rest is measured, in levels of 255. The truth is the full render, in the same precision.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from maskedit import imaging
from maskedit.data.folder import find_split
from maskedit.data.pairs import Pairs, load_pairs
from maskedit.document.history import bounds
from maskedit.errors import UserError
from maskedit.evaluation.strokes import KINDS, Edit, make_edit
from maskedit.models.checkpoint import load_checkpoint
from maskedit.models.dense_mapping import DenseMappingNetwork
from maskedit.models.device import choose_precision
from maskedit.models.tensors import one_hot, photo_to_tensor, spread
from maskedit.render.boxes.box_engine import BoxEngine, Region
from maskedit.render.boxes.geometry import EVERYTHING, Halo
from maskedit.render.compositing import Blend, compose
from maskedit.render.engines.engine import supports
from maskedit.resources import default_weights

CAPTIONS = ("photo", "edited labels", "unedited, full", "box", "full", "difference x 8", "composed, box",
            "composed, full")  # fmt: skip
"""What stands in the columns of a sheet."""
GROWTHS = (
    Halo(0, 0, 0), Halo(1, 1, 2), Halo(2, 1, 4), Halo(3, 1, 8), Halo(3, 2, 8), Halo(3, 4, 8),
    Halo(3, 2, 16), Halo(3, 2, 32), Halo(3, None, 8), EVERYTHING,
)  # fmt: skip
"""What ``--growths`` tries."""
GROWTH_EDITS = 40
"""At most so many edits suffice to tell growths apart."""
_AROUND = 8 / 256
"""Of the side: how far around the changed labels is looked at as well."""

MODES = {"live": "an update after every mouse move", "once": "one update with the whole edit",
         "frozen": "every move, statistics of the last full render"}  # fmt: skip
TITLES = {
    "size": "the edit itself, where labels changed",
    "changed": "where labels changed",
    "around": "in their box and 8 px of 256 around",
    "picture": "over the whole picture",
    "picture_99": ".. 99th percentile",
    "composed_changed": "composed: where labels changed",
    "composed_alpha": "composed: where it shows",
    "composed_999": ".. 99.9th percentile",
    "kept": "not rendered: what a full render moves",
    "undone": "undone: over the whole picture",
}
"""Figures of a row: what a person reads. All but the first stand for a mode, e.g. ``live_changed``."""


class WatchedEngine(BoxEngine):
    """Remembers which pixels were rendered anew, and how long updates and full renders took, in seconds."""

    def __init__(self, network: DenseMappingNetwork, *args):
        super().__init__(network, *args)
        self.network = network
        self.touched = np.zeros((0, 0), bool)
        self.seconds: dict[str, list[float]] = {"full": [], "update": []}

    def generate(self, ids: np.ndarray, *args) -> np.ndarray:
        started = time.perf_counter()
        picture = super().generate(ids, *args)
        self.seconds["full"].append(time.perf_counter() - started)
        self.touched = np.zeros(ids.shape, bool)
        return picture

    def update(self, ids: np.ndarray, **options) -> np.ndarray:
        started = time.perf_counter()
        picture = super().update(ids, **options)
        self.seconds["update"].append(time.perf_counter() - started)
        return picture

    def update_box(self, *args, **options) -> Region:
        region = super().update_box(*args, **options)
        self.touched[region[0].slice, region[1].slice] = True
        return region


@dataclass(frozen=True, eq=False)
class Case:
    """One edit of one held-out face."""

    stem: str
    photo: np.ndarray
    """(S, S, 3) uint8."""
    labels: np.ndarray
    """(S, S) uint8, unedited."""
    edit: Edit


@dataclass
class Boxes:
    """What was measured on every edit."""

    rows: list[dict] = field(default_factory=list)
    """``photo``, ``kind``, and ``size`` and MODE_FIGURE for the modes and figures of ``TITLES``, in levels of 255;
    MODE_outside is the greatest change of any pixel that was not rendered anew."""
    tiles: list[list[np.ndarray]] = field(default_factory=list)
    """Rows of a captioned sheet with ``CAPTIONS``."""
    milliseconds: dict[str, float] = field(default_factory=dict)
    """Medians of ``full`` and ``update``."""

    def means(self, kind: str | None = None, *, percentile: float | None = None) -> dict[str, float]:
        """Of every figure over the edits of a kind, or of all; or their percentile."""
        rows = [row for row in self.rows if kind in (None, row["kind"])]
        columns = {name: [row[name] for row in rows] for name in rows[0] if name not in ("photo", "kind")}
        return {
            name: float(np.mean(values) if percentile is None else np.percentile(values, percentile))
            for name, values in columns.items()
        }

    @property
    def summary(self) -> dict[str, dict[str, float]]:
        """``mean`` and ``percentile_95`` over all edits, and the means of each kind."""
        kinds = {kind: self.means(kind) for kind in KINDS if any(row["kind"] == kind for row in self.rows)}
        return {"mean": self.means(), "percentile_95": self.means(percentile=95)} | kinds

    @property
    def outside(self) -> float:
        """The greatest change of a pixel that was not rendered anew, over all edits: 0, or something is wrong."""
        return max(row[f"{mode}_outside"] for row in self.rows for mode in MODES)

    @property
    def report(self) -> dict:
        """All of it for a JSON file."""
        return {
            "figures": self.summary, "outside": self.outside, "milliseconds": self.milliseconds, "edits": self.rows
        }  # fmt: skip

    @property
    def lines(self) -> list[str]:
        """The table as text."""
        summary = self.summary
        wide = max(map(len, TITLES.values())) + 2
        kinds = [row["kind"] for row in self.rows]
        lines = [
            ", ".join(f"{kinds.count(kind)} {kind}" for kind in KINDS) + "; levels of 255, means and 95th percentile",
            " ".join([" " * wide, *(f"{name.replace('percentile_', '')[:8]:>8}" for name in summary)]),
        ]

        def line(title: str, name: str) -> str:
            return " ".join([f"{title:<{wide}}", *(f"{figures[name]:>8.2f}" for figures in summary.values())])

        lines.append(line(TITLES["size"], "size"))
        for mode, meaning in MODES.items():
            lines.append(f"{mode}: {meaning}")
            lines += [
                line(f"  {title}", f"{mode}_{name}")
                for name, title in TITLES.items()
                if f"{mode}_{name}" in self.rows[0]
            ]
        times = self.milliseconds
        return [
            *lines,
            f"changed where nothing was rendered: {self.outside:g} at most",
            f"median of an update {times['update']:.1f} ms, of a full render {times['full']:.1f} ms",
        ]

    def sheet(self) -> np.ndarray:
        """The captioned picture (H, W, 3) uint8 RGB of some edits."""
        return imaging.captioned_sheet(self.tiles, CAPTIONS)


def boxes_report(
    data: Path,
    weights: Path | None = None,
    *,
    validation: int = 91,
    count: int = 50,
    size: int | None = None,
    precision: str = "auto",
    growths: bool = False,
) -> tuple[dict, Boxes | None]:
    """All of the protocol: what goes to a JSON file, its text as ``lines``; and what the sheet is made of.

    Args:
        data: folder with images/ and masks/.
        weights: a network's; those of the shipped ``dmn`` when None.
        count: edits of a kind.
        size: side in pixels to render at; the weights' own when None.
        precision: of ``PRECISIONS``.
        growths: compare growths instead, on ``GROWTH_EDITS`` of the edits; there is no sheet then.

    Raises:
        UserError: what cannot be read; weights of another kind of network; label maps with no place for any edit.
    """
    weights = default_weights() if weights is None else weights
    network, header = load_checkpoint(weights)
    if not supports(network):
        raise UserError(f"{weights.name} holds a {header.config.variant} network, which cannot render boxes.")
    kind = choose_precision(precision, torch.device("cpu"))
    engine = WatchedEngine(network.to(kind, memory_format=torch.channels_last))
    size = header.config.size if size is None else size
    cases = edits_of(load_pairs(find_split(data, validation)[1], size), count)
    if not cases:
        raise UserError(f"No label map in {data} has a place for any edit: no mouth, brow, hair or eyes.")
    report = {"protocol": "boxes", "weights": weights.name, "size": size, "engine": engine.name}
    if growths:
        cases = [cases[index] for index in spread(len(cases), GROWTH_EDITS)]
        rows = grow(engine, cases, GROWTHS)
        boxes, lines, found = None, growth_lines(rows), {"edits": len(cases), "growths": rows}
    else:
        boxes = boxes_figures(engine, cases)
        lines, found = boxes.lines, boxes.report
    faces = len({case.stem for case in cases})
    head = f"{len(cases)} edits of {faces} held-out faces, {weights.name}, {engine.name}, {size} px, {engine.halo}"
    return report | {"growth": asdict(engine.halo), "faces": faces} | found | {"lines": [head, *lines]}, boxes


def edits_of(pairs: Pairs, count: int) -> list[Case]:
    """``count`` edits of every kind in turn, on faces spread evenly over the pairs.

    ``count`` times the kinds in all: where a face has no place for a kind, further faces make up for it, as long as
    there are any.
    """
    chosen = spread(len(pairs), count)
    chosen += [index for index in range(len(pairs)) if index not in chosen]
    cases: list[Case] = []
    for turn, index in enumerate(chosen):
        photo, labels = pairs.photos[index].permute(1, 2, 0).contiguous().numpy(), pairs.labels[index].numpy()
        edits = [make_edit(kind, photo, labels, turn) for kind in KINDS]
        cases += [Case(pairs.stems[index], photo, labels, edit) for edit in edits if edit is not None]
        if len(cases) >= count * len(KINDS):
            break
    return cases[: count * len(KINDS)]


def boxes_figures(engine: WatchedEngine, cases: list[Case], *, rows: int = 2) -> Boxes:
    """Measure all edits; the sheet gets ``rows`` rows a kind, from the middling edit to the worst."""
    found = Boxes()
    for case in tqdm(cases, desc="rendering edits", disable=None):
        found.rows.append(measure(engine, case)[0])
    found.milliseconds = {name: 1000 * float(np.median(values)) for name, values in engine.seconds.items()}
    for kind in KINDS:
        ordered = [index for index, row in enumerate(found.rows) if row["kind"] == kind]
        ordered.sort(key=lambda index: found.rows[index]["live_changed"])
        shown = {ordered[-1 - each] for each in spread(len(ordered) // 2 + 1, rows)} if ordered else set()
        found.tiles += [measure(engine, cases[index])[1] for index in sorted(shown, key=ordered.index)]
    return found


def measure(engine: WatchedEngine, case: Case) -> tuple[dict, list[np.ndarray]]:
    """One row and its tiles, see `Boxes`."""
    photo, labels, maps = case.photo, case.labels, case.edit.maps
    edited, style = maps[-1], style_of(engine.network, photo, labels)
    full = engine.generate(edited, style)
    changed = edited != labels
    row: dict = {"photo": case.stem, "kind": case.edit.kind}
    tiles: list[np.ndarray] = []
    for mode in MODES:
        unedited = engine.generate(labels, style)
        shown = unedited
        for each in maps[-1:] if mode == "once" else maps:
            shown = engine.update(each, frozen=mode == "frozen")
        row["size"] = _mean(full, unedited, changed)
        truth = compose(photo, labels, edited, full, unedited, Blend())
        composed = compose(photo, labels, edited, shown, unedited, Blend())
        kept, alpha = ~engine.touched, truth.alpha > 0
        figures = {
            "changed": _mean(shown, full, changed),
            "around": _mean(shown, full, _around(changed)),
            "picture": _mean(shown, full),
            "picture_99": _percentile(shown, full, 99),
            "composed_changed": _mean(composed.image, truth.image, changed),
            "composed_alpha": _mean(composed.image, truth.image, alpha),
            "composed_999": _percentile(composed.image, truth.image, 99.9, alpha),
            "outside": float(_difference(shown, unedited)[kept].max(initial=0)),
            "kept": _mean(full, unedited, kept),
        }
        if mode == "live":
            distance = np.minimum(_difference(shown, full) * 8, 255).astype(np.uint8)
            tiles = [photo, edited, unedited, shown, full, distance, composed.image, truth.image]
            for each in case.edit.undone:
                shown = engine.update(each)
            figures["undone"] = _mean(shown, unedited)
        row |= {f"{mode}_{name}": value for name, value in figures.items()}
    return row, tiles


def grow(engine: WatchedEngine, cases: list[Case], growths: Sequence[Halo]) -> list[dict]:
    """What each halo costs and how far off it is, painted move by move.

    Returns:
        ``down``, ``blocks``, ``up``; means of ``changed``, ``picture`` and ``composed_changed`` over the edits, and
        the 95th percentile of the first; ``milliseconds`` of an update, the median, and its ``share`` of a full
        render's.
    """
    found: list[list[tuple[float, float, float]]] = [[] for _ in growths]
    seconds: list[list[float]] = [[] for _ in growths]
    engine.seconds["full"].clear()
    for case in tqdm(cases, desc="trying growths", disable=None):
        labels, edited, style = case.labels, case.edit.maps[-1], style_of(engine.network, case.photo, case.labels)
        full, changed = engine.generate(edited, style), edited != labels
        for index, halo in enumerate(growths):
            unedited = shown = engine.generate(labels, style)
            engine.seconds["update"].clear()
            for each in case.edit.maps:
                shown = engine.update(each, halo=halo)
            seconds[index] += engine.seconds["update"]
            composed = [compose(case.photo, labels, edited, each, unedited).image for each in (shown, full)]
            found[index].append((_mean(shown, full, changed), _mean(shown, full), _mean(*composed, changed)))
    whole = np.median(engine.seconds["full"])
    rows = []
    for halo, values, taken in zip(growths, found, seconds, strict=True):
        row = dict(zip(("changed", "picture", "composed_changed"), np.mean(values, axis=0).tolist(), strict=True))
        row |= {"changed_95": float(np.percentile([each[0] for each in values], 95))}
        row |= {"milliseconds": float(1000 * np.median(taken)), "share": float(np.median(taken) / whole)}
        rows.append({"down": halo.down, "blocks": halo.blocks, "up": halo.up} | row)
    return rows


def growth_lines(rows: list[dict]) -> list[str]:
    """What ``grow`` found, as text."""
    head = ("down", "blocks", "up", "changed", "95th", "picture", "composed", "ms", "of full")
    lines = [" ".join(f"{each:>8}" for each in head)]
    for row in rows:
        sizes = ["all" if row[name] is None else row[name] for name in ("down", "blocks", "up")]
        values = [f"{row[name]:.2f}" for name in ("changed", "changed_95", "picture", "composed_changed")]
        cells = [*sizes, *values, f"{row['milliseconds']:.1f}", f"{row['share']:.0%}"]
        lines.append(" ".join(f"{each:>8}" for each in cells))
    return lines


def style_of(network: DenseMappingNetwork, photo: np.ndarray, labels: np.ndarray) -> Tensor:
    """(1, style values): of a photo (S, S, 3) uint8 and its own label map (S, S) uint8."""
    precision = next(network.parameters()).dtype
    with torch.inference_mode():
        return network.style(photo_to_tensor(photo).to(precision), one_hot(labels, dtype=precision))


def _difference(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return np.abs(one.astype(np.int16) - other)


def _mean(one: np.ndarray, other: np.ndarray, where: np.ndarray | None = None) -> float:
    """Mean difference of two pictures (S, S, 3) uint8, in a mask (S, S) bool; 0 where there is none of it."""
    difference = _difference(one, other)
    difference = difference if where is None else difference[where]
    return float(difference.mean()) if difference.size else 0.0


def _percentile(one: np.ndarray, other: np.ndarray, percent: float, where: np.ndarray | None = None) -> float:
    difference = _difference(one, other)
    return float(np.percentile(difference if where is None else difference[where], percent))


def _around(changed: np.ndarray) -> np.ndarray:
    """(S, S) bool: the box of what changed and a little around."""
    side = changed.shape[0]
    box, margin = bounds(changed), round(_AROUND * side)
    around = np.zeros_like(changed)
    around[max(box.y0 - margin, 0) : box.y1 + margin, max(box.x0 - margin, 0) : box.x1 + margin] = True
    return around
