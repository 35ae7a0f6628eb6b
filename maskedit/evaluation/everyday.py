"""Everyday edits: the twelve that people try first, on any portraits, for eyes to judge.

What a person would paint is drawn in code from each face's own label map, alike on every face; a smile and one pair of
glasses come from another face. Beside each other stand the photo, the edited label map, the present composite and the
completion, at the photo's side; the networks work at their own, as in the editor.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from tqdm import tqdm

from maskedit import imaging
from maskedit.data.folder import find_split
from maskedit.data.pairs import Pairs, load_pairs
from maskedit.document.beneath import skull
from maskedit.document.face_points import FACE, middle, pixel_box
from maskedit.document.transfer import nearest_ids, transfer_labels
from maskedit.errors import UserError
from maskedit.evaluation.edits import COMPLETION, PRESENT, Comparison
from maskedit.face.locate import FaceFinder
from maskedit.face.parser import FaceParser
from maskedit.imaging import SUFFIXES
from maskedit.labels import FACE_PARTS, NUM_LABELS, ids_of
from maskedit.models.holes import edit_hole
from maskedit.models.tensors import photo_to_tensor, tensor_to_photo
from maskedit.resources import portrait

CAPTIONS = ("photo", "edited label map", "present composite", "completion")
BUNDLED = ("collins", "hopper")

BACKGROUND, SKIN, NOSE, GLASSES, MOUTH, HAIR, HAT, EARRING, NECK, CLOTH = ids_of(
    "background", "skin", "nose", "eye_g", "mouth", "hair", "hat", "ear_r", "neck", "cloth"
)
EYES, BROWS, EARS = (ids_of(f"l_{part}", f"r_{part}") for part in ("eye", "brow", "ear"))
LIPS = ids_of("u_lip", "l_lip")


@dataclass(frozen=True, eq=False)
class Sources:
    """Label maps (S, S) uint8 of other faces."""

    smile: np.ndarray
    glasses: np.ndarray


Edit = Callable[[np.ndarray, Sources], np.ndarray]
"""A face's label map (S, S) uint8 -> another one, edited; the same map where the face has nothing to edit."""


def closed_mouth(ids: np.ndarray, sources: Sources) -> np.ndarray:
    """The lips meet in the middle of what was the open mouth."""
    result = ids.copy()
    inside = ids == MOUTH
    result[inside] = nearest_ids(ids, np.isin(ids, LIPS))[inside] if np.isin(ids, LIPS).any() else SKIN
    return result


def smile(ids: np.ndarray, sources: Sources) -> np.ndarray:
    """Mouth and lips of a smiling face, moved to where this one's are."""
    members = FACE_PARTS["Smile"]
    here, there = middle(ids, members), middle(sources.smile, members)
    if here is None or there is None:
        return ids
    return transfer_labels(ids, _shifted(sources.smile, here - there), members)


def drawn_glasses(ids: np.ndarray, sources: Sources) -> np.ndarray:
    """Two filled lenses and a bridge, as a person paints them with a round brush; over the eyes and all."""
    centres = [middle(ids, (eye,)) for eye in EYES]
    if any(centre is None for centre in centres):
        return ids
    apart = float(np.linalg.norm(centres[0] - centres[1]))
    canvas = np.zeros_like(ids)
    for centre in centres:
        cv2.ellipse(canvas, _point(centre), (round(0.36 * apart), round(0.26 * apart)), 0, 0, 360, 1, -1)
    cv2.line(canvas, _point(centres[0]), _point(centres[1]), 1, max(1, round(0.06 * apart)))
    return np.where(canvas > 0, np.uint8(GLASSES), ids)


def taken_glasses(ids: np.ndarray, sources: Sources) -> np.ndarray:
    """Another face's glasses, moved to these eyes; its eyes and brows stay these."""
    here, there = middle(ids, EYES), middle(sources.glasses, EYES)
    there = middle(sources.glasses, (GLASSES,)) if there is None else there
    if here is None or there is None:
        return ids
    return transfer_labels(ids, _shifted(sources.glasses, here - there), (GLASSES,))


def longer_hair(ids: np.ndarray, sources: Sources) -> np.ndarray:
    """Two broad strokes from the temples down to the shoulders, behind the face and the neck."""
    box = pixel_box(ids, FACE)
    if box is None:
        return ids
    left, top, right, bottom = box
    side, wide = len(ids), round(0.28 * (right - left))
    canvas = np.zeros_like(ids)
    for x, outwards in ((left, -1), (right, 1)):
        start = (x + outwards * wide // 3, top + (bottom - top) // 3)
        end = (x + outwards * wide // 2, min(side - 1, bottom + (bottom - top) // 3))
        cv2.line(canvas, start, end, 1, wide)
    ground = np.isin(ids, (BACKGROUND, CLOTH, *EARS, EARRING))
    return np.where((canvas > 0) & ground, np.uint8(HAIR), ids)


def bangs(ids: np.ndarray, sources: Sources) -> np.ndarray:
    """The forehead covered down to the brows."""
    brows, face = pixel_box(ids, BROWS), pixel_box(ids, FACE)
    if brows is None:
        return ids
    rows = np.arange(len(ids))[:, None]
    forehead = (rows < brows[1] + 0.02 * len(ids)) & (rows >= face[1]) & (ids == SKIN)
    return np.where(forehead, np.uint8(HAIR), ids)


def short_hair(ids: np.ndarray, sources: Sources) -> np.ndarray:
    """No hair below the eyes, and a narrower rim of it above."""
    box = pixel_box(ids, EYES)
    if box is None:
        return ids
    radius = round(0.05 * len(ids))
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    head = np.isin(ids, (*FACE, *EARS, HAIR)).astype(np.uint8)
    # The border of the picture is none of the head's.
    kept = cv2.erode(head, kernel, borderType=cv2.BORDER_CONSTANT, borderValue=1) > 0
    cut = (ids == HAIR) & (~kept | (np.arange(len(ids))[:, None] > box[3]))
    return _without_hair(ids, cut)


def bald(ids: np.ndarray, sources: Sources) -> np.ndarray:
    """Skin on a skull above the brows, the rest of the hair gone."""
    head, hair = skull(ids), ids == HAIR
    if head is None:
        return ids
    return np.where(hair & head, np.uint8(SKIN), _without_hair(ids, hair & ~head))


def hat(ids: np.ndarray, sources: Sources) -> np.ndarray:
    """A cap pulled down to above the brows: the head and its hair there, and a little around them."""
    brows, side = pixel_box(ids, BROWS), len(ids)
    if brows is None:
        return ids
    line, around = brows[1] - round(0.03 * side), round(0.025 * side)
    head = np.isin(ids, (*FACE, *EARS, HAIR)) & (np.arange(side)[:, None] < line - around)
    canvas = np.zeros_like(ids)
    if head.any():
        hull = cv2.convexHull(np.argwhere(head)[:, ::-1].astype(np.int32))
        cv2.fillConvexPoly(canvas, hull, 1)
        cv2.polylines(canvas, [hull], True, 1, thickness=2 * around)  # round corners
    return np.where(canvas > 0, np.uint8(HAT), ids)


def earrings(ids: np.ndarray, sources: Sources) -> np.ndarray:
    """A drop below each ear, or below where ears would be."""
    box = pixel_box(ids, FACE)
    if box is None:
        return ids
    left, top, right, bottom = box
    canvas = np.zeros_like(ids)
    for ear, x in zip(EARS, (right, left), strict=True):
        seen = pixel_box(ids, (ear,))
        place = (x, top + 2 * (bottom - top) // 3) if seen is None else ((seen[0] + seen[2]) // 2, seen[3])
        axes = round(0.018 * len(ids)), round(0.035 * len(ids))
        cv2.ellipse(canvas, (place[0], place[1] + axes[1]), axes, 0, 0, 360, 1, -1)
    return np.where(canvas > 0, np.uint8(EARRING), ids)


def thicker_brows(ids: np.ndarray, sources: Sources) -> np.ndarray:
    """Each brow wider by two hundredths of the side, mostly upwards."""
    result, reach = ids.copy(), round(0.02 * len(ids))
    kernel = np.ones((2 * reach + 1, 3), np.uint8)
    kernel[: reach // 2] = 0  # of a flipped kernel: less downwards
    for brow in BROWS:
        thick = cv2.dilate((ids == brow).astype(np.uint8), kernel) > 0
        result[thick & np.isin(ids, (SKIN, HAIR))] = brow
    return result


def narrower_jaw(ids: np.ndarray, sources: Sources) -> np.ndarray:
    """The skin below the nose drawn in by a tenth of its width; what is behind it comes forth."""
    box, nose = pixel_box(ids, FACE), pixel_box(ids, (NOSE,))
    if box is None or nose is None:
        return ids
    result = ids.copy()
    for row in range(nose[3], box[3] + 1):
        columns = np.flatnonzero(np.isin(ids[row], FACE))
        if not len(columns):
            continue
        share = min(1.0, (row - nose[3]) / max(1, 0.3 * (box[3] - nose[3])))
        cut = round(0.1 * share * (columns[-1] - columns[0]))
        for start, stop in ((columns[0], columns[0] + cut), (columns[-1] - cut + 1, columns[-1] + 1)):
            part = slice(start, stop)
            result[row, part] = np.where(ids[row, part] == SKIN, np.uint8(255), ids[row, part])
    return _laid_bare(ids, result == 255, (BACKGROUND, NECK, CLOTH, HAIR))


EDITS: dict[str, Edit] = {
    "closed mouth": closed_mouth,
    "smile": smile,
    "glasses by hand": drawn_glasses,
    "another's glasses": taken_glasses,
    "longer hair": longer_hair,
    "bangs": bangs,
    "short hair": short_hair,
    "bald": bald,
    "hat": hat,
    "earrings": earrings,
    "thicker brows": thicker_brows,
    "narrower jaw": narrower_jaw,
}


def _point(place: np.ndarray) -> tuple[int, int]:
    return round(float(place[0])), round(float(place[1]))


def _shifted(ids: np.ndarray, shift: np.ndarray) -> np.ndarray:
    matrix = np.float64([[1, 0, round(float(shift[0]))], [0, 1, round(float(shift[1]))]])
    return cv2.warpAffine(ids, matrix, ids.shape[::-1], flags=cv2.INTER_NEAREST)


def _without_hair(ids: np.ndarray, gone: np.ndarray) -> np.ndarray:
    """Where hair goes: beside the face what is behind it, below the chin the clothes as well."""
    box, rows = pixel_box(ids, FACE), np.arange(len(ids))[:, None]
    below = rows > (len(ids) if box is None else box[3])
    result = _laid_bare(ids, gone & below, (BACKGROUND, NECK, CLOTH))
    return np.where(gone & ~below, np.uint8(BACKGROUND), result)


def _laid_bare(ids: np.ndarray, gone: np.ndarray, grounds: Sequence[int]) -> np.ndarray:
    """Where something goes, the nearest of what may lie behind it."""
    seeds = np.isin(ids, grounds) & ~gone
    return np.where(gone, nearest_ids(ids, seeds), ids) if seeds.any() else ids


# The protocol -----------------------------------------------------------------------------------------------------


def faces_of(portraits: Sequence[Path], side: int) -> list[tuple[str, np.ndarray, np.ndarray]]:
    """Name, aligned photo (S, S, 3) uint8 and label map (S, S) uint8 of the largest face of each photo file, and of the
    bundled portraits before them.

    Raises:
        UserError: a file is no photo, or shows no face.
    """
    parser = FaceParser()
    finder, found = FaceFinder(parser), []
    for name in BUNDLED:
        photo, labels = portrait(name)
        found.append((name, *imaging.fit_square(imaging.read_photo(photo), imaging.read_labels(labels), side)))
    for path in portraits:
        photo = imaging.read_photo(path)
        faces = finder.find(photo)
        if not faces:
            raise UserError(f"{path.name} shows no face that could be found; give other photos.")
        aligned = imaging.cut_square(photo, faces[0].square, side)
        found.append((path.stem, aligned, parser.parse(aligned)))
    return found


def find_sources(pairs: Pairs) -> Sources:
    """The held-out faces with the widest smile and with the most of eyeglasses."""
    counts = torch.stack([torch.bincount(each.flatten().long(), minlength=NUM_LABELS) for each in pairs.labels])
    smiling, wearing = int(counts[:, MOUTH].argmax()), int(counts[:, GLASSES].argmax())
    if not counts[wearing, GLASSES]:
        raise UserError("No held-out face of --data wears glasses, which one of the edits takes; give another folder.")
    return Sources(pairs.labels[smiling].numpy(), pairs.labels[wearing].numpy())


def photos_in(folder: Path, count: int) -> list[Path]:
    """At most ``count`` photo files of a folder, spread evenly over it."""
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES) if folder.is_dir() else []
    if not paths:
        raise UserError(f"--portraits {folder} holds no photos.")
    return [paths[round(index)] for index in np.linspace(0, len(paths) - 1, min(count, len(paths)))]


def everyday_edits(
    data: Path,
    portraits: Sequence[Path],
    out: Path,
    *,
    weights: Path | None = None,
    baseline: Path | None = None,
    validation: int = 91,
    side: int = 512,
) -> list[Path]:
    """Make every edit on every face; one captioned sheet a face, ``out/NAME.png``, a row an edit.

    Args:
        data: folder with images/ and masks/, whose held-out faces lend a smile and glasses.
        portraits: photo files; the bundled portraits come before them.
        side: of the aligned squares and of the sheets' tiles, in pixels.
    """
    systems, _ = Comparison(weights, baseline).systems()
    sources = find_sources(load_pairs(find_split(data, validation)[1], side, quiet=True))
    written = []
    for name, photo, ids in tqdm(faces_of(portraits, side), desc="editing", disable=None):
        tensor, reference = photo_to_tensor(photo), torch.from_numpy(ids)[None]
        rows = []
        for edit in EDITS.values():
            wanted = torch.from_numpy(edit(ids, sources))[None]
            with torch.inference_mode():
                hole = edit_hole(reference, wanted)
                edited = [
                    tensor_to_photo(system.edit(tensor, reference, wanted, hole).photo[0]) if hole.any() else photo
                    for system in (systems[PRESENT], systems[COMPLETION])
                ]
            rows.append([photo, wanted[0].numpy(), *edited])
        sheet = imaging.captioned_sheet(rows, CAPTIONS)
        written.append(imaging.write_photo(out / f"{name}.png", sheet, overwrite=True))
    return written
