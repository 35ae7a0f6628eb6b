"""Faces found in whole photos: are the eyes where people marked them?

The errors are those of eye localisation (Jesorsky et al., "Robust Face Detection Using the Hausdorff Distance", 2001):
the distance of a found eye from the given one, as a share of the distance between the given eyes.
"""

from __future__ import annotations

import json
import math
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from tqdm import tqdm

from maskedit import imaging
from maskedit.errors import UserError
from maskedit.face.locate import Face, FaceFinder
from maskedit.face.parser import FaceParser

LANDMARKS = "landmarks.json"
CAPTIONS = ("aligned", "parsed")
"""What stands in the columns of a sheet, `_ACROSS` times side by side."""
_ACROSS = 4
WITHIN = (0.05, 0.1)
"""Of the eye distance: the shares of photos up to these errors are told."""
_EYES = ("right_eye", "left_eye")


@dataclass(frozen=True, eq=False)
class Row:
    """One photo."""

    file: str
    offsets: np.ndarray | None
    """(2, 2) float64: the right and the left eye, found less given, along and across the given line of the eyes, as
    shares of their distance; None when no face was found. Across is positive towards the chin."""
    faces: int
    seconds: float

    @property
    def errors(self) -> np.ndarray:
        """(2,) float64: of the right and the left eye, as shares of the eye distance; infinite without a face."""
        return np.full(2, np.inf) if self.offsets is None else np.hypot(*self.offsets.T)


@dataclass
class Faces:
    """What was measured on every photo."""

    rows: list[Row] = field(default_factory=list)
    tiles: list[np.ndarray] = field(default_factory=list)
    """Aligned photo, its label map, the next photo's ..; none for photos without a face."""

    @property
    def figures(self) -> dict[str, dict[str, float | None]]:
        """Shares of photos within each of ``WITHIN``, and median offsets; None where no face was found at all."""
        errors = np.array([row.errors for row in self.rows])
        offsets = [row.offsets for row in self.rows if row.offsets is not None]
        figures: dict[str, dict[str, float | None]] = {}
        for name, error in (("both eyes", errors.max(axis=1)), *zip(_EYES, errors.T, strict=True)):
            figures[name] = {f"within_{limit:g}": float(np.mean(error <= limit)) for limit in WITHIN}
            figures[name]["median_error"] = _finite(np.median(error))
        for eye, name in enumerate(_EYES):
            for axis, way in enumerate(("along", "across")):
                figures[name][way] = float(np.median([each[eye, axis] for each in offsets])) if offsets else None
        return figures

    @property
    def lines(self) -> list[str]:
        """Photo by photo, then all together, as text."""
        wide = max(len(row.file) for row in self.rows)
        lines = [f"{'':<{wide}} {'worse eye':>10} {'faces':>6} {'seconds':>8}"]
        for row in self.rows:
            lines.append(f"{row.file:<{wide}} {_percent(row.errors.max()):>10} {row.faces:>6} {row.seconds:>8.1f}")
        titles = [*(f"within {limit:.0%}" for limit in WITHIN), "median", "along", "across"]
        lines += ["", f"{'':<{wide}} " + " ".join(f"{title:>10}" for title in titles)]
        for name, figures in self.figures.items():
            cells = [_percent(figures.get(key)) for key in [*(f"within_{limit:g}" for limit in WITHIN), "median_error"]]
            cells += [_percent(figures[way], sign="+") if way in figures else "" for way in ("along", "across")]
            lines.append(f"{name.replace('_', ' '):<{wide}} " + " ".join(f"{cell:>10}" for cell in cells).rstrip())
        return lines

    @property
    def report(self) -> dict:
        """All of it for a JSON file."""
        photos = {
            row.file: {
                "errors": [_finite(error) for error in row.errors],
                "offsets": None if row.offsets is None else row.offsets.tolist(),
                "faces": row.faces,
                "seconds": row.seconds,
            }
            for row in self.rows
        }
        return {"protocol": "faces", "all": self.figures, "photos": photos}

    def sheet(self) -> np.ndarray:
        """The aligned squares beside their label maps, as (H, W, 3) uint8 RGB.

        Raises:
            UserError: no photo showed a face.
        """
        if not self.tiles:
            raise UserError("No face was found in any photo: there is nothing to put on a sheet.")
        length = len(CAPTIONS) * min(_ACROSS, len(self.tiles) // len(CAPTIONS))
        rows = [self.tiles[start : start + length] for start in range(0, len(self.tiles), length)]
        rows[-1] += [np.zeros_like(self.tiles[0])] * (length - len(rows[-1]))
        return imaging.captioned_sheet(rows, CAPTIONS * (length // len(CAPTIONS)))


def faces_figures(folder: Path, parser: FaceParser) -> Faces:
    """Find the face of every photo that ``folder``/landmarks.json names, and compare its eyes with those given.

    The file holds a list of objects with ``file`` and, each an [x, y] in continuous pixels of the photo, the person's
    own ``right_eye`` and ``left_eye``; what else they hold is not looked at. Where several faces are found, the one
    nearest to the given eyes counts.

    Raises:
        UserError: the list or a photo is not there or cannot be read.
    """
    finder, faces = FaceFinder(parser), Faces()
    for file, eyes in tqdm(read_landmarks(folder), desc="finding faces", disable=None):
        photo = imaging.read_photo(folder / file)
        started = time.perf_counter()
        found = finder.find(photo)
        seconds = time.perf_counter() - started
        best: Face | None = min(found, key=lambda face: np.abs(face.eyes - eyes).sum(), default=None)
        offsets = None if best is None else eye_offsets(best.eyes, given=eyes)
        faces.rows.append(Row(file, offsets, len(found), seconds))
        if best is not None:
            aligned = imaging.cut_square(photo, best.square, parser.size)
            faces.tiles += [aligned, parser.parse(aligned)]
    return faces


def read_landmarks(folder: Path) -> list[tuple[str, np.ndarray]]:
    """(file name, (2, 2) float64 right and left eye) of every photo in ``folder``/landmarks.json, as listed."""
    path = folder / LANDMARKS
    try:
        listed = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}); wanted the eyes of each photo there.") from error
    except ValueError as error:
        raise UserError(f"{path} is no JSON ({error}); wanted a list of photos with their eyes.") from error
    try:
        rows = [(str(row["file"]), np.array([row[eye] for eye in _EYES], np.float64)) for row in listed]
        fits = all(eyes.shape == (2, 2) and np.isfinite(eyes).all() and np.ptp(eyes, axis=0).any() for _, eyes in rows)
    except (KeyError, TypeError, ValueError):
        rows, fits = [], False
    if not rows or not fits:
        raise UserError(f'{path}: wanted a list of {{"file": NAME, "right_eye": [X, Y], "left_eye": [X, Y]}}.')
    return rows


def eye_offsets(eyes: np.ndarray, *, given: np.ndarray) -> np.ndarray:
    """(2, 2) float64 as ``Row.offsets``: both eyes of each are (2, 2), in pixels."""
    across = given[1] - given[0]
    distance = math.hypot(*across)
    along = across / distance
    return (eyes - given) @ np.column_stack([along, [-along[1], along[0]]]) / distance


def _finite(value: float) -> float | None:
    """JSON knows no infinity."""
    return float(value) if math.isfinite(value) else None


def _percent(value: float | None, sign: str = "") -> str:
    return "none" if value is None or not math.isfinite(value) else f"{value:{sign}.1%}"
