"""Completion: an edit redrawn by a network that sees the photo around it, beside what the editor does without.

On photos never trained on, both systems do the same work. First a part of the photo is hidden and redrawn from the
photo's own label map, so that the truth is known; then real edits, each photo taking parts of the next face, which
are parsed and compared with the map that was asked for. At the borders of both the seams are measured.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from maskedit import imaging
from maskedit.data.folder import find_split
from maskedit.data.pairs import Pairs, load_pairs
from maskedit.document.transfer import transfer_labels
from maskedit.evaluation.edits import (
    COMPLETION,
    PRESENT,
    Comparison,
    Edited,
    Identity,
    System,
    five_points,
    frechet,
    pooled_features,
    psnr_inside,
    seam,
    ssim_inside,
)
from maskedit.labels import FACE_PARTS, NUM_LABELS, ids_of
from maskedit.measures.segmentation import confusion
from maskedit.measures.tables import table
from maskedit.models.checkpoint import load_checkpoint
from maskedit.models.holes import edit_hole, label_hole
from maskedit.models.parser import Parser, parse
from maskedit.models.perceptual import PerceptualLoss, make_perceptual
from maskedit.models.tensors import normalised, tensor_to_photo
from maskedit.resources import default_weights

SMALLEST = 0.002
"""Of the square: holes below say nothing and are left out."""
PHOTO, ALL = "photo", "all edits"
"""The ceiling beside the systems: the photo itself; and the row of all kinds of edits together."""
CAPTIONS = ("photo", "label map", "hidden", "present composite", "completion")
"""What stands in the columns of a sheet."""
SHOWN = 3
"""Rows of the sheet for each row of the tables."""
_GREY = 128
_BESIDE, _ABOVE, _BELOW = 0.09, 0.03, 0.07
"""Of the side: how far glasses reach beyond the box around the eyes; medians over the training faces that wear some."""

REDRAW = {"psnr": ("PSNR dB", 2), "ssim": ("SSIM", 3), "features": ("features", 3)}
SEAM = {"step": ("step", 3), "gradient": ("gradient", 3)}
OBEDIENCE = {"accuracy": ("accuracy", 3), "mean_f1": ("mean F1", 3)}
IDENTITY = {"identity": ("identity", 3)}
"""Figure -> title and decimals of its columns."""


_EYES = ids_of("l_eye", "r_eye")


def glasses_zone(ids: Tensor) -> Tensor:
    """The hole (1, 1, S, S) of eyes, brows, eyeglasses and a rectangle such as glasses cover, of a map (1, S, S)."""
    hole = label_hole(ids, (*_EYES, *ids_of("l_brow", "r_brow", "eye_g")))
    side = ids.shape[-1]
    rows, columns = np.nonzero(np.isin(ids[0].numpy(), _EYES))
    if len(rows):
        top, bottom = int(rows.min()) - round(_ABOVE * side), int(rows.max()) + round(_BELOW * side) + 1
        left, right = int(columns.min()) - round(_BESIDE * side), int(columns.max()) + round(_BESIDE * side) + 1
        hole[..., max(top, 0) : bottom, max(left, 0) : right] = 1
    return hole


def _hiding(*names: str) -> Callable[[Tensor], Tensor]:
    return lambda ids: label_hole(ids, ids_of(*names))


HIDDEN: dict[str, Callable[[Tensor], Tensor]] = {
    "mouth": _hiding("mouth", "u_lip", "l_lip"),
    "eyes and brows": _hiding("l_eye", "r_eye", "l_brow", "r_brow"),
    "hair": _hiding("hair", "hat"),
    "glasses zone": glasses_zone,
    "neck and clothes": _hiding("neck", "cloth", "neck_l"),
    "nose": _hiding("nose"),
    "everything": lambda ids: torch.ones(1, 1, *ids.shape[-2:]),
}
"""What is hidden and redrawn: the hole (1, 1, S, S) of a label map (1, S, S)."""

TAKEN: dict[str, tuple[int, ...]] = {
    "mouth": FACE_PARTS["Smile"],
    "hair": (*FACE_PARTS["Hair"], *ids_of("hat")),
    "eyeglasses": FACE_PARTS["Eyeglasses"],
    "brows": FACE_PARTS["Brows"],
}
"""What photos take from the next face that is held out."""


# What was measured ------------------------------------------------------------------------------------------------


@dataclass
class Row:
    """What one system did in one row of a table, photo by photo."""

    values: dict[str, list[float]] = field(default_factory=dict)
    """Figure -> its value of each photo."""
    seams: Tensor = field(default_factory=lambda: torch.zeros(2, 2, 2, dtype=torch.float64))
    """At the hole's border and where the edit ends; of the result and of the photo; `seam`."""
    counts: Tensor = field(default_factory=lambda: torch.zeros(NUM_LABELS, NUM_LABELS, dtype=torch.long))
    """`confusion` inside the holes."""

    def add(self, **values: float) -> None:
        for name, value in values.items():
            self.values.setdefault(name, []).append(value)

    def add_seams(self, edited: Edited, photo: Tensor, hole: Tensor) -> None:
        for place, region in enumerate((hole, edited.shows)):
            self.seams[place] += torch.stack([seam(edited.photo, region), seam(photo, region)])

    def join(self, other: Row) -> None:
        """Take in another row's photos."""
        for name, values in other.values.items():
            self.values.setdefault(name, []).extend(values)
        self.seams += other.seams
        self.counts += other.counts

    @property
    def figures(self) -> dict[str, float]:
        """Means over photos; seams as ratios of sums over all photos, at the worse of the two borders; accuracy and
        mean F1 pooled over all photos, F1 over the classes that are wanted somewhere."""
        figures = {name: float(np.mean(values)) for name, values in self.values.items()}
        for index, name in enumerate(SEAM):
            ratios = [float(of_result / of_photo) for of_result, of_photo in self.seams[..., index] if of_photo > 0]
            figures |= {name: max(ratios)} if ratios else {}
        if self.counts.any():
            counts = self.counts.double()
            wanted, hits = counts.sum(dim=1), counts.diagonal()
            f1 = (2 * hits / (wanted + counts.sum(dim=0)))[wanted > 0]
            figures |= {"accuracy": float(hits.sum() / wanted.sum()), "mean_f1": float(f1.mean())}
        return figures


@dataclass
class Section:
    """One of the two tables."""

    measures: dict[str, tuple[str, int]]
    """Figure -> title and decimals, in the order of the columns."""
    rows: dict[str, dict[str, Row]] = field(default_factory=dict)
    """Group or kind -> system -> what it did; rows that no photo has are missing."""
    photos: dict[str, int] = field(default_factory=dict)
    """Group or kind -> how many photos have it."""
    tiles: dict[str, list[list[np.ndarray]]] = field(default_factory=dict)
    """Group or kind -> rows of a captioned sheet with `CAPTIONS`."""

    def of(self, name: str, system: str) -> Row:
        return self.rows.setdefault(name, {}).setdefault(system, Row())

    def show(self, name: str, photo: Tensor, ids: Tensor, hole: Tensor, results: Mapping[str, Edited]) -> None:
        """Count a photo, and keep the first `SHOWN` of each row for the sheet."""
        self.photos[name] = self.photos.get(name, 0) + 1
        if self.photos[name] <= SHOWN:
            original = tensor_to_photo(photo[0])
            hidden = np.where(hole[0, 0, :, :, None].numpy() > 0, np.uint8(_GREY), original)
            pictures = [tensor_to_photo(results[name].photo[0]) for name in (PRESENT, COMPLETION)]
            self.tiles.setdefault(name, []).append([original, ids[0].numpy(), hidden, *pictures])

    @property
    def figures(self) -> dict[str, dict]:
        """Group or kind -> ``photos`` and the figures of each system."""
        return {
            name: {"photos": self.photos[name]} | {system: row.figures for system, row in systems.items()}
            for name, systems in self.rows.items()
        }

    @property
    def lines(self) -> list[str]:
        """The table: each figure of the present composite, of the completion and, where there is one, of the photo."""
        figures = self.figures
        systems = [each for each in (PRESENT, COMPLETION, PHOTO) if any(each in row for row in figures.values())]
        shown = [
            (name, system)
            for name in self.measures
            for system in systems
            if any(name in row[system] for row in figures.values())
        ]
        columns = [("photos", 0), *((self._title(*each), self.measures[each[0]][1]) for each in shown)]
        cells = {
            name: [row["photos"], *(row[system].get(measure) for measure, system in shown)]
            for name, row in figures.items()
        }
        return table(columns, cells)

    def _title(self, measure: str, system: str) -> str:
        return {PRESENT: self.measures[measure][0], COMPLETION: "completed", PHOTO: "photo"}[system]


@dataclass
class Completed:
    """All that was measured."""

    head: dict
    """What was measured with what."""
    redraw: Section = field(default_factory=lambda: Section(REDRAW | SEAM))
    edits: Section = field(default_factory=lambda: Section(OBEDIENCE | SEAM | IDENTITY))
    frechet: dict[str, float] = field(default_factory=dict)
    """System -> distance of all its edits from all photos; empty without a feature network."""

    @property
    def report(self) -> dict:
        """What goes to a JSON file."""
        sections = {"redraw": self.redraw.figures, "edits": self.edits.figures}
        return self.head | sections | ({"frechet": self.frechet} if self.frechet else {})

    @property
    def lines(self) -> list[str]:
        """All of it as text."""
        head = self.head
        lines = [
            f"completion by {head['weights']} beside the present composite by {head['baseline']}: "
            f"{head['photos']} held-out photos at {head['size']} px",
            "Every figure stands twice: of the present composite under its name, then of the completion.",
            "Hidden and redrawn, inside the hole; step and gradient at its border, 1 is no seam.",
            *self.redraw.lines,
        ]
        if self.edits.rows:
            lines += ["Parts taken from the next face, parsed inside the hole.", *self.edits.lines]
        if self.frechet:
            lines.append("Frechet distance: " + ", ".join(f"{self.frechet[name]:.4f} {name}" for name in self.frechet))
        return lines

    def sheet(self) -> np.ndarray:
        """The captioned picture (H, W, 3) uint8 RGB of some photos of every row."""
        rows = [row for section in (self.redraw, self.edits) for each in section.tiles.values() for row in each]
        return imaging.captioned_sheet(rows, CAPTIONS)


# The protocol -----------------------------------------------------------------------------------------------------


def completion_report(data: Path, given: Comparison, *, validation: int = 91) -> Completed:
    """All of the protocol, see the module.

    Args:
        data: folder with images/ and masks/.
        validation: photos held out.

    Raises:
        UserError: what cannot be read; weights that cannot complete.
    """
    systems, own_size = given.systems()
    judge, _ = load_checkpoint(given.parser or default_weights("parser"), Parser)
    who, distance = given.who(), make_perceptual(given.perceptual)
    pairs = load_pairs(find_split(data, validation)[1], given.size or own_size)
    chosen = given.chosen(len(pairs))
    found = Completed(given.head("completion", size=pairs.labels.shape[-1], photos=len(chosen)))
    with torch.inference_mode():
        hide_and_redraw(systems, pairs, chosen, distance, found.redraw)
        pooled = take_parts(systems, pairs, chosen, distance, judge, who, found.edits)
        if distance is not None and found.edits.rows:
            photos = np.stack([pooled_features(distance, normalised(each[None])) for each in pairs.photos])
            found.frechet = {name: frechet(np.stack(each), photos) for name, each in pooled.items()}
    return found


def hide_and_redraw(
    systems: Mapping[str, System], pairs: Pairs, chosen: list[int], distance: PerceptualLoss | None, section: Section
) -> None:
    """Hide every group of `HIDDEN` in turn and redraw it: the truth is the photo."""
    for index in tqdm(chosen, desc="hiding and redrawing", disable=None):
        photo, ids = normalised(pairs.photos[index][None]), pairs.labels[index][None]
        for group, hole_of in HIDDEN.items():
            hole = hole_of(ids)
            if hole.mean() < SMALLEST:
                continue
            results = {name: system.edit(photo, ids, ids, hole) for name, system in systems.items()}
            for name, edited in results.items():
                row = section.of(group, name)
                row.add(psnr=psnr_inside(edited.photo, photo, hole), ssim=ssim_inside(edited.photo, photo, hole))
                if distance is not None:
                    row.add(features=float(distance.inside(edited.photo, photo, hole)))
                row.add_seams(edited, photo, hole)
            section.show(group, photo, ids, hole, results)


def take_parts(
    systems: Mapping[str, System],
    pairs: Pairs,
    chosen: list[int],
    distance: PerceptualLoss | None,
    parser: Parser,
    who: Identity | None,
    section: Section,
) -> dict[str, list[np.ndarray]]:
    """Every photo takes each of `TAKEN` from the next face of ``pairs``, where that has any.

    Returns:
        System -> `pooled_features` of all its results; empty lists without a distance.
    """
    pooled: dict[str, list[np.ndarray]] = {name: [] for name in systems}
    for index in tqdm(chosen, desc="editing", disable=None):
        photo, own = normalised(pairs.photos[index][None]), pairs.labels[index][None]
        other = pairs.labels[(index + 1) % len(pairs)].numpy()
        # Both pictures are cut alike, by the photo's own map: an edit stays where it is.
        points = None if who is None else five_points(own[0].numpy())
        before = None if points is None else who.embedding(tensor_to_photo(photo[0]), points)
        parsed = parse(parser, photo, side=own.shape[-1])
        for kind, members in TAKEN.items():
            ids = torch.from_numpy(transfer_labels(own[0].numpy(), other, members))[None]
            hole = edit_hole(own, ids)
            if not np.isin(other, members).any() or hole.mean() < SMALLEST:
                continue
            inside = hole[:, 0] > 0
            section.of(kind, PHOTO).counts += confusion(parsed[inside], own[inside])
            results = {name: system.edit(photo, own, ids, hole) for name, system in systems.items()}
            for name, edited in results.items():
                row = section.of(kind, name)
                row.counts += confusion(parse(parser, edited.photo, side=ids.shape[-1])[inside], ids[inside])
                row.add_seams(edited, photo, hole)
                if before is not None:
                    row.add(identity=float(before @ who.embedding(tensor_to_photo(edited.photo[0]), points)))
                if distance is not None:
                    pooled[name].append(pooled_features(distance, edited.photo))
            section.show(kind, photo, ids, hole, results)
    _sum_up(section)
    return pooled


def _sum_up(section: Section) -> None:
    """Add the row `ALL`."""
    for kind, systems in list(section.rows.items()):
        section.photos[ALL] = section.photos.get(ALL, 0) + section.photos[kind]
        for name, row in systems.items():
            section.of(ALL, name).join(row)
