"""Smiles: neutral faces made to smile, beside the same people's real smiles.

The one edit whose truth is known: the neutral photo takes mouth and lips of its own smile's label map, and the result
is compared with the photo of that smile, around the mouth and by who it shows. A real smile also moves cheeks and
eyes, which the edit leaves alone, so no system can come all the way; the neutral photo itself shows how far off
doing nothing is.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from maskedit import imaging
from maskedit.document.transfer import transfer_labels
from maskedit.errors import UserError
from maskedit.evaluation.edits import (
    COMPLETION,
    PRESENT,
    Comparison,
    Identity,
    System,
    five_points,
    psnr_inside,
)
from maskedit.face.parser import FaceParser
from maskedit.imaging import SUFFIXES
from maskedit.labels import FACE_PARTS
from maskedit.measures.tables import table
from maskedit.models.holes import EDIT_GROWTH, edit_hole
from maskedit.models.perceptual import PerceptualLoss, make_perceptual
from maskedit.models.tensors import grown, photo_to_tensor, spread, tensor_to_photo

NEUTRAL, SMILING = "neutral", "smiling"
"""What stands in the names of the files; otherwise those of a pair are the same."""
CAPTIONS = ("neutral", "edited map", "present composite", "completion", "real smile")
"""What stands in the columns of a sheet."""
SHOWN = 12
"""Rows of a sheet."""
FIGURES = {"features": ("features", 3), "psnr": ("PSNR dB", 2), "identity": ("identity", 3)}
"""Figure -> title and decimals of its column."""


@dataclass(frozen=True, eq=False)
class Person:
    """One person, neutral and smiling, the smile moved so that eyes and nose lie as in the neutral photo."""

    name: str
    """Of the neutral file, without suffix."""
    photo: np.ndarray
    """(S, S, 3) uint8: neutral."""
    ids: np.ndarray
    """(S, S) uint8: its label map."""
    smile: np.ndarray
    smile_ids: np.ndarray

    @property
    def edited(self) -> np.ndarray:
        """(S, S) uint8: the neutral label map with mouth and lips of the smile's."""
        return transfer_labels(self.ids, self.smile_ids, FACE_PARTS["Smile"])


@dataclass
class Smiles:
    """All that was measured."""

    head: dict
    """What was measured with what."""
    values: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    """System, or ``neutral`` for the untouched neutral photo -> figure -> its value for each person."""
    people: int = 0
    skipped: list[str] = field(default_factory=list)
    """Photos in which no eyes, nose or mouth were found, or whose mouth is the same in both."""
    tiles: list[list[np.ndarray]] = field(default_factory=list)
    """Rows of a captioned sheet with `CAPTIONS`."""

    def add(self, system: str, **values: float) -> None:
        for name, value in values.items():
            self.values.setdefault(system, {}).setdefault(name, []).append(value)

    @property
    def figures(self) -> dict[str, dict[str, float]]:
        """Means over the people."""
        return {
            system: {name: float(np.mean(each)) for name, each in values.items()}
            for system, values in self.values.items()
        }

    @property
    def report(self) -> dict:
        """What goes to a JSON file."""
        return self.head | {"people": self.people, "skipped": self.skipped, "figures": self.figures}

    @property
    def lines(self) -> list[str]:
        """The table as text."""
        head, figures = self.head, self.figures
        names = [name for name in FIGURES if any(name in row for row in figures.values())]
        titles = {NEUTRAL: "neutral photo", PRESENT: "present composite", COMPLETION: "completion"}
        rows = {titles[system]: [row.get(name) for name in names] for system, row in figures.items()}
        lines = [
            f"smiles of {self.people} people at {head['size']} px by {head['weights']}, the present composite by "
            f"{head['baseline']}; against the real smile, around the mouth",
            *table([FIGURES[name] for name in names], rows),
        ]
        return lines + ([f"Left out: {', '.join(self.skipped)}"] if self.skipped else [])

    def sheet(self) -> np.ndarray:
        """The captioned picture (H, W, 3) uint8 RGB of some people."""
        return imaging.captioned_sheet([self.tiles[row] for row in spread(len(self.tiles), SHOWN)], CAPTIONS)


def smiles_report(portraits: Path, given: Comparison) -> Smiles:
    """All of the protocol.

    Args:
        portraits: folder with the photos, see `find_people`.

    Raises:
        UserError: what cannot be read; weights that cannot complete; no pair of photos, or no smile in any.
    """
    systems, own_size = given.systems()
    faces = FaceParser(given.parser, device="cpu", precision="float32")
    who, distance = given.who(), make_perceptual(given.perceptual)
    paths, size = find_people(portraits), given.size or own_size
    found = Smiles(given.head("smiles", size=size))
    chosen = given.chosen(len(paths))
    with torch.inference_mode():
        for index in tqdm(chosen, desc="smiling", disable=None):
            person = load_person(*paths[index], faces, size)
            if person is None or (person.edited == person.ids).all():
                found.skipped.append(paths[index][0].stem)
            else:
                measure(person, systems, distance, who, found)
    if not found.people:
        raise UserError(
            f"--portraits {portraits}: no pair of photos shows a face with two different mouths; give aligned squares."
        )
    return found


def find_people(folder: Path) -> list[tuple[Path, Path]]:
    """(neutral, smiling) photos of a folder, sorted; a file without its partner is left out.

    Raises:
        UserError: no such folder, or no pair in it.
    """
    if not folder.is_dir():
        raise UserError(f"--portraits {folder}: there is no such folder.")
    neutral = sorted(path for path in folder.glob(f"*{NEUTRAL}*") if path.suffix.lower() in SUFFIXES)
    pairs = [(path, path.with_name(path.name.replace(NEUTRAL, SMILING))) for path in neutral]
    pairs = [pair for pair in pairs if pair[1].is_file()]
    if not pairs:
        raise UserError(
            f"--portraits {folder}: there are no two photos such as london-{NEUTRAL}_002.jpg and "
            f"london-{SMILING}_002.jpg."
        )
    return pairs


def load_person(neutral: Path, smiling: Path, parser: FaceParser, size: int) -> Person | None:
    """Both photos at side ``size``, parsed; None where eyes, nose or mouth are not found in one of them."""
    photo, smile = (imaging.fit_square(imaging.read_photo(path), None, size)[0] for path in (neutral, smiling))
    ids, smile_ids = parser.parse(photo), parser.parse(smile)
    here, there = five_points(ids), five_points(smile_ids)
    if here is None or there is None:
        return None
    # Eyes and nose: the mouth is what is to differ.
    across, down = ((here - there)[:3].mean(axis=0) * size).round().tolist()
    return Person(neutral.stem, photo, ids, moved(smile, across, down), moved(smile_ids, across, down))


def moved(picture: np.ndarray, across: float, down: float) -> np.ndarray:
    """A photo or label map (S, S[, 3]) uint8 moved by whole pixels; what comes in is the nearest of its edge."""
    matrix = np.array([[1.0, 0, across], [0, 1, down]])
    size = picture.shape[1::-1]
    return cv2.warpAffine(picture, matrix, size, flags=cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE)


def measure(
    person: Person, systems: dict[str, System], distance: PerceptualLoss | None, who: Identity | None, found: Smiles
) -> None:
    """Let every system make a person smile, and add what comes of it."""
    photo, smile = photo_to_tensor(person.photo), photo_to_tensor(person.smile)
    reference, ids = (torch.from_numpy(each)[None] for each in (person.ids, person.edited))
    hole = edit_hole(reference, ids)
    around = grown(hole, round(EDIT_GROWTH * ids.shape[-1]))
    results: dict[str, Tensor] = {NEUTRAL: photo}
    results |= {name: system.edit(photo, reference, ids, hole).photo for name, system in systems.items()}
    # Each picture is cut by the label map it is to show.
    maps = dict.fromkeys(results, person.edited) | {NEUTRAL: person.ids}
    truth = None if who is None else who.embedding(person.smile, five_points(person.smile_ids))
    for name, result in results.items():
        found.add(name, psnr=psnr_inside(result, smile, around))
        if distance is not None:
            found.add(name, features=float(distance.inside(result, smile, around)))
        if who is not None:
            found.add(name, identity=float(truth @ who.embedding(tensor_to_photo(result[0]), five_points(maps[name]))))
    found.people += 1
    shown = [tensor_to_photo(results[name][0]) for name in (PRESENT, COMPLETION)]
    found.tiles.append([person.photo, person.edited, *shown, person.smile])
