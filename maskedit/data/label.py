"""``maskedit-data label``: aligned photos that nobody has drawn label maps for, made into pairs by the face parser.

Every file is written whole or not at all, the photo of a pair after its label map, so that a photo never stands there
without one. OUT/labels.tsv says of every photo what became of it; a later run measures only what is not in it, and
judges the measured ones anew, so that another threshold costs no second parsing. OUT/labelled.json holds the options;
that it is there tells later stages that a parser drew these label maps and not a person.
"""

from __future__ import annotations

import contextlib
import fnmatch
import functools
import hashlib
import json
import multiprocessing
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch

from maskedit import imaging
from maskedit.data.check import printable
from maskedit.data.folder import LABELLED, read_record
from maskedit.data.label_table import DIGITS, TABLE, Row, read_rows, write_rows
from maskedit.errors import UserError, disk_errors
from maskedit.face.parser import FaceParser
from maskedit.labels import LABELS, NUM_LABELS
from maskedit.resources import default_weights
from maskedit.workers import run_jobs

FORMAT = 1  # of LABELLED and TABLE; a change of what the same options give must raise it
LEAST_CONFIDENCE = 0.87
"""Least mean probability of the chosen labels, over all pixels of a photo. On 91 photos whose maps people drew it goes
with the share of pixels that are right (correlation 0.74). Of 4,390 other photos of mixed sources 4.9 % lie below, of
studio portraits none."""
LEAST_SHARES = {"skin": 0.05, "nose": 0.005, "eyes": 0.0002, "face": 0.1}
"""Least share of a photo's pixels, 0..1; half or less of what the emptiest of 331 real aligned faces have. ``face`` is
the skin with all that lies on it, without ears and neck; instead of eyes there may be glasses."""
MOST_BACKGROUND = 0.75
"""Largest share of background; the same faces have up to 0.56."""
FACE = ("skin", "nose", "eye_g", "l_eye", "r_eye", "l_brow", "r_brow", "mouth", "u_lip", "l_lip")
MADE, SKIPPED, SAME_STEM = "made", "skipped", "same stem"
_FILE_REASONS = ("unreadable", "not a square", "turned by EXIF")
_LARGEST = 1024  # px: a larger photo's map is drawn at this side and enlarged; 19 probabilities a pixel fill memory
_SAVE_EVERY = 10.0  # seconds: so much work a kill can lose
_SHOWN = 5  # names for each reason in the table


@dataclass(frozen=True)
class LabelOptions:
    """What decides the content of the pairs, and which photos become one."""

    parser: Path | None = None
    """A face parser's ``.safetensors``; the shipped one when None."""
    least_confidence: float = LEAST_CONFIDENCE
    """0..1: photos with a lower mean probability of the chosen labels are left out."""
    skip: tuple[str, ...] = ()
    """Glob patterns of photos' names to leave out."""


@dataclass
class Summary:
    """What a run did."""

    made: int = 0
    """Pairs written by this run."""
    kept: int = 0
    """Pairs that were there already."""
    left_out: dict[str, list[str]] = field(default_factory=dict)
    """Reason -> names, of all photos of the folder."""
    strays: list[str] = field(default_factory=list)
    """Files of the folder that are no photos by their names."""
    confidences: list[float] = field(default_factory=list)
    """Of every parsed photo of the folder, in no particular order."""
    parsed: int = 0
    """Photos that this run parsed, pairs or not."""
    seconds: float = 0.0


@dataclass(frozen=True)
class _Job:
    """One photo to be labelled; it is sent to another process."""

    photo: Path
    out: Path
    parser: Path
    digest: str
    """SHA-256 of the parser's file."""
    least_confidence: float


def label(
    folder: Path, out: Path, options: LabelOptions, *, workers: int, force: bool = False, quiet: bool = False
) -> Summary:
    """Make a pair of every photo of ``folder`` that the parser is sure of and ``out`` does not hold yet.

    Args:
        folder: holds square photos of aligned faces, of any sides; it is only read.
        out: is created; gets ``images/``, ``masks/``, labels.tsv and labelled.json.
        workers: processes at most.
        force: go on in a folder begun with other options. Pairs that another parser drew are removed first;
            after a change of thresholds, measured photos are judged anew and only new pairs are parsed again.
        quiet: no progress bar.

    Raises:
        UserError: ``folder`` holds no photos or is ``out``; the parser's file is none; ``out`` holds other pairs, or
            was begun with other options and ``force`` is not given; the disk refuses.
    """
    started = time.monotonic()
    if folder.resolve() == out.resolve():
        raise UserError(f"FOLDER and OUT are both {folder}; give another folder for the pairs.")
    parser = Path(options.parser or default_weights("parser")).absolute()
    header = FaceParser(parser, device="cpu").header  # read whole: a broken file is told before anything is written
    photos, strays = _find_photos(folder)
    summary = Summary(strays=strays)
    with disk_errors():
        record = _record(folder, parser, header.card, options)
        rows = _claim(out, photos, record, force=force)
        todo = _judge_known(photos, rows, out, options)
        summary.kept = sum(rows[photo.name].verdict == MADE for photo in photos if photo.name in rows)
        digest = record["parser"]["sha256"]
        jobs = [_Job(photo, out, parser, digest, options.least_confidence) for photo in todo]
        saved = time.monotonic()
        try:
            with contextlib.closing(
                run_jobs(_label_photo, jobs, workers=workers, title="labelling", quiet=quiet)
            ) as results:
                for row in results:
                    rows[row.name] = row
                    summary.made += row.verdict == MADE
                    summary.parsed += row.confidence is not None
                    if time.monotonic() - saved > _SAVE_EVERY:
                        write_rows(out / TABLE, rows)
                        saved = time.monotonic()
        finally:
            write_rows(out / TABLE, rows)
    for row in (rows[photo.name] for photo in photos):
        if row.verdict != MADE:
            summary.left_out.setdefault(row.verdict, []).append(row.name)
        if row.confidence is not None and row.verdict != SKIPPED:
            summary.confidences.append(row.confidence)
    summary.seconds = time.monotonic() - started
    return summary


def judge(confidence: float, shares: dict[str, float], least_confidence: float) -> str:
    """``"made"``, or why the parser's label map of a photo is not to be trusted.

    Args:
        confidence: 0..1, the mean probability of the chosen labels over all pixels.
        shares: class name -> share of the pixels, 0..1; classes that are not there may be missing.
        least_confidence: 0..1.
    """
    for part in ("skin", "nose"):
        if shares.get(part, 0) < LEAST_SHARES[part]:
            return f"no {part}"
    # Glasses may hide the eyes, and dark ones do.
    if all(_share(shares, parts) < LEAST_SHARES["eyes"] for parts in (("l_eye", "r_eye"), ("eye_g",))):
        return "no eyes"
    if _share(shares, FACE) < LEAST_SHARES["face"] or shares.get("background", 0) > MOST_BACKGROUND:
        return "face too small"
    return MADE if confidence >= least_confidence else "unsure"


def _share(shares: dict[str, float], parts: Sequence[str]) -> float:
    return sum(shares.get(part, 0) for part in parts)


def table(out: Path, summary: Summary) -> list[str]:
    """The lines that a person reads: how many pairs, what was left out and why, how sure the parser was."""
    left = sum(map(len, summary.left_out.values()))
    total = summary.made + summary.kept + left
    lines = [f"{printable(str(out))}: {summary.made + summary.kept:,} pairs of {total:,} photos", ""]
    counts = {"made now": summary.made, "there already": summary.kept, "left out": left}
    lines += [f"{title:<16} {count:>7,} {count / max(1, total):>8.1%}" for title, count in counts.items()]
    for reason, names in sorted(summary.left_out.items(), key=lambda item: -len(item[1])):
        more = f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
        shown = ", ".join(printable(name) for name in names[:_SHOWN])
        lines.append(f"  {reason:<14} {len(names):>7,} {len(names) / total:>8.1%}  {shown}{more}")
    if summary.confidences:
        marks = (0, 1, 5, 25, 50, 75, 100)
        values = np.percentile(summary.confidences, marks)
        told = ", ".join(f"{mark} % {value:.3f}" for mark, value in zip(marks, values, strict=True))
        lines += ["", f"mean probability of the labels, percentiles: {told}"]
    if summary.strays:
        lines.append(
            f"{len(summary.strays):,} files are no photos and were ignored, the first {printable(summary.strays[0])}"
        )
    if summary.parsed:
        minutes, each = summary.seconds / 60, summary.seconds / summary.parsed
        lines.append(f"parsed {summary.parsed:,} photos in {minutes:.1f} min, {each:.2f} s each")
    return lines


def count_finished(out: Path) -> int:
    """How many pairs ``out`` holds and its table knows: those that a later run need not make again."""
    return sum(row.verdict == MADE and _is_pair(out, row.name) for row in read_rows(out / TABLE).values())


def _find_photos(folder: Path) -> tuple[list[Path], list[str]]:
    """The photos of a flat folder, sorted, and the names of its other files; hidden ones and folders do not count."""
    try:
        files = sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
    except OSError as error:
        raise UserError(f"{folder} cannot be read ({error.strerror}); give a folder of photos.") from error
    photos = [path for path in files if path.suffix.lower() in imaging.SUFFIXES]
    if not photos:
        raise UserError(f"{folder} holds no photos; give a folder with aligned square photos directly in it.")
    return photos, [path.name for path in files if path.suffix.lower() not in imaging.SUFFIXES]


def _record(folder: Path, parser: Path, card: dict, options: LabelOptions) -> dict:
    """What labelled.json holds."""
    with open(parser, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {
        "format": FORMAT,
        "folder": str(folder.resolve()),
        "parser": {"file": parser.name, "sha256": digest, "mirror": True, "validation": card.get("validation")},
        "least_confidence": options.least_confidence,
        "least_shares": LEAST_SHARES,
        "most_background": MOST_BACKGROUND,
        "skip": list(options.skip),
    }


def _claim(out: Path, photos: Sequence[Path], wanted: dict, *, force: bool) -> dict[str, Row]:
    """Make the folders and the record, or refuse; returns the rows of earlier runs that hold for these options."""
    record = out / LABELLED
    folders = out / "images", out / "masks"
    rows: dict[str, Row] = {}
    if record.is_file():
        found = read_record(record)
        changed = _changes(found, wanted)
        if changed and not force:
            raise UserError(
                f"{out} was begun with other options: {', '.join(changed)}; give the same ones or another folder, or "
                "--force to go on in this one, which removes what another parser drew and judges the rest anew."
            )
        rows = read_rows(out / TABLE)
        if _drawn_by(found) != _drawn_by(wanted):
            # The record is replaced last: until then it tells the truth about the pairs that are left.
            for name in {*rows, *(photo.name for photo in photos)}:
                _remove_pair(out, name)
            (out / TABLE).unlink(missing_ok=True)
            rows = {}
    elif theirs := [path for path in folders if path.exists()]:
        raise UserError(f"{theirs[0]} is there, and no {LABELLED} says that it is one of ours; give an empty folder.")
    for path in folders:
        path.mkdir(parents=True, exist_ok=True)
    for path in (each for folder in (out, *folders) for each in folder.glob(".maskedit-*.tmp")):
        path.unlink(missing_ok=True)
    text = json.dumps(wanted, indent=1, ensure_ascii=True) + "\n"
    imaging.atomic_write_bytes(record, text.encode(), overwrite=True)
    return rows


def _parser(record: dict) -> dict:
    parser = record.get("parser")
    return parser if isinstance(parser, dict) else {}


def _drawn_by(record: dict) -> tuple:
    """What the content of a label map depends on, beside its photo."""
    return record.get("format"), _parser(record).get("sha256")


def _changes(found: dict, wanted: dict) -> list[str]:
    """In words, what two records differ in; ``--skip`` may change from run to run."""
    if found.get("format") != wanted["format"]:
        return ["by another version of maskedit"]
    changed = []
    if _drawn_by(found) != _drawn_by(wanted):
        then, now = (
            f"{each.get('file')} (SHA-256 {str(each.get('sha256'))[:12]})" for each in (_parser(found), _parser(wanted))
        )
        changed.append(f"--parser {then} then and {now} now")
    titles = {"folder": "FOLDER", "least_confidence": "--least-confidence"}
    changed += [
        f"{title} {found.get(key)} then and {wanted[key]} now"
        for key, title in titles.items()
        if found.get(key) != wanted[key]
    ]
    if any(found.get(key) != wanted[key] for key in ("least_shares", "most_background")):
        changed.append("by a version of maskedit with other limits of plausibility")
    return changed


def _judge_known(photos: Sequence[Path], rows: dict[str, Row], out: Path, options: LabelOptions) -> list[Path]:
    """Bring the rows, and the pairs of those that are left out now, to the options of today.

    Returns:
        the photos that have to be parsed; all others of ``photos`` have a row afterwards.
    """
    todo: list[Path] = []
    first: dict[str, str] = {}
    for photo in photos:
        row, size = rows.pop(photo.name, None), photo.stat().st_size
        if row is None or row.bytes != size:
            row = Row(photo.name, size, "")
        if any(fnmatch.fnmatchcase(photo.name, pattern) for pattern in options.skip):
            row = replace(row, verdict=SKIPPED, detail="")
        elif first.setdefault(photo.stem, photo.name) != photo.name:
            row = replace(row, verdict=SAME_STEM, detail=f"the label map {photo.stem}.png is of {first[photo.stem]}")
        elif row.confidence is not None:
            row = replace(row, verdict=judge(row.confidence, row.shares, options.least_confidence), detail="")
        elif row.verdict not in _FILE_REASONS:
            row = replace(row, verdict="", detail="")
        if row.verdict != MADE:
            _remove_pair(out, photo.name, mask=row.verdict != SAME_STEM)
        if not row.verdict or (row.verdict == MADE and not _is_pair(out, photo.name)):
            todo.append(photo)
        else:
            rows[photo.name] = row
    return todo


@functools.lru_cache(maxsize=1)
def _parser_of_process(path: Path, digest: str) -> FaceParser:
    """Loaded once in every process and for every file; on the CPU: each process would fill some of a GPU's memory."""
    if multiprocessing.parent_process() is not None:
        torch.set_num_threads(1)  # there is a process for every core
    return FaceParser(path, device="cpu")


def _label_photo(job: _Job) -> Row:
    """Make one pair, or say why not; what the disk refuses is raised as UserError."""
    row = Row(job.photo.name, 0, "")
    try:
        data, name = imaging.read_source(job.photo)
        row = replace(row, bytes=len(data))
        photo = imaging.read_photo(data, name=name)
    except UserError as error:
        return replace(row, verdict="unreadable", detail=str(error))
    height, side = photo.shape[:2]
    if height != side:
        return replace(row, verdict="not a square", detail=f"{side} x {height} px")
    if (orientation := imaging.read_orientation(data)) != 1:
        # Copied as it is, it would be read by others without the turn, and not fit its label map.
        return replace(row, verdict="turned by EXIF", detail=f"orientation {orientation}")
    parsed_side = min(side, _LARGEST)
    probabilities = _parser_of_process(job.parser, job.digest).probabilities([photo], side=parsed_side, mirror=True)[0]
    most, ids = torch.from_numpy(probabilities).max(dim=0)
    labels = ids.to(torch.uint8).numpy()
    counts = np.bincount(labels.ravel(), minlength=NUM_LABELS)
    shares = {LABELS[id].name: round(float(counts[id]) / labels.size, DIGITS) for id in np.flatnonzero(counts)}
    confidence = round(float(most.mean()), DIGITS)
    row = replace(row, confidence=confidence, shares=shares, verdict=judge(confidence, shares, job.least_confidence))
    if row.verdict == MADE:
        image, mask = _targets(job.out, job.photo.name)
        # The photo last: who reads the folder meanwhile looks for a label map to every photo.
        imaging.write_labels(mask, imaging.resize_labels(labels, (side, side)), overwrite=True)
        imaging.atomic_write_bytes(image, data, overwrite=True)
    return row


def _targets(out: Path, name: str) -> tuple[Path, Path]:
    """The photo and the label map of a pair."""
    return out / "images" / name, out / "masks" / f"{Path(name).stem}.png"


def _is_pair(out: Path, name: str) -> bool:
    return all(path.is_file() for path in _targets(out, name))


def _remove_pair(out: Path, name: str, *, mask: bool = True) -> None:
    """The photo first: a photo without its label map would stop who reads the folder."""
    for path in _targets(out, name)[: 2 if mask else 1]:
        path.unlink(missing_ok=True)
