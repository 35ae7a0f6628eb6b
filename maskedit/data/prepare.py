"""``maskedit-data prepare``: the published CelebAMask-HQ download made into folders of training pairs.

Every file is written whole or not at all, the label map of a pair after its photo; a pair with both is finished, and
a later run goes on from there. OUT/prepare.json holds the options, so that two runs cannot mix theirs in one folder.
"""

from __future__ import annotations

import contextlib
import csv
import io
import json
import re
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path

from maskedit import imaging
from maskedit.data import celebamask
from maskedit.data.folder import read_record
from maskedit.errors import UserError, disk_errors
from maskedit.workers import run_jobs

JPEG_QUALITY = 95
RECORD, SKIPPED = "prepare.json", "skipped.csv"
FORMAT = 1  # of prepare.json; a change of what the same options give must raise it
_TITLES = {"order": "--order", "size": "--size", "split": "split"}


@dataclass(frozen=True)
class PrepareOptions:
    """What decides the content of the pairs."""

    order: str = "necklaces"
    """A key of ``celebamask.ORDERS``."""
    size: int = 512
    """Side of photos and label maps in pixels."""
    split: bool = True
    """Into train/, val/ and test/; else all pairs into OUT itself."""


@dataclass(frozen=True)
class Skipped:
    """A photo's number that gave no pair, and why."""

    stem: str
    reason: str
    detail: str = ""


@dataclass
class Summary:
    """What a run did."""

    made: int = 0
    """Pairs written by this run."""
    kept: int = 0
    """Pairs that were there already."""
    pairs: dict[str, int] = field(default_factory=dict)
    """All finished pairs by split; ``""`` without a split."""
    skipped: list[Skipped] = field(default_factory=list)
    strays: list[str] = field(default_factory=list)
    """Files among the parts that are no part of the published layout."""
    tables: list[str] = field(default_factory=list)
    """The annotation files that were there."""


@dataclass(frozen=True)
class _Pair:
    """What one job needs; it is sent to another process."""

    stem: str
    photo: Path
    parts: dict[str, Path]
    folder: Path
    order: str
    size: int

    @property
    def targets(self) -> tuple[Path, Path]:
        return self.folder / "images" / f"{self.stem}.jpg", self.folder / "masks" / f"{self.stem}.png"


def prepare(
    root: Path, out: Path, options: PrepareOptions, *, workers: int, force: bool = False, quiet: bool = False
) -> Summary:
    """Make every pair that ``root`` has the files for and ``out`` does not hold yet, and the tables beside them.

    Args:
        root: the published layout, see ``celebamask``; it is only read.
        out: is created; gets ``{train,val,test}/{images,masks}``, or ``{images,masks}`` without the split.
        workers: processes at most.
        force: remove the pairs an earlier run left and begin anew.
        quiet: no progress bar.

    Raises:
        UserError: ``root`` does not have the layout; ``out`` holds other files, or pairs of other options and
            ``force`` is not given; nothing could be prepared; the disk refuses.
    """
    photos = celebamask.find_photos(root)
    parts, strays = celebamask.find_parts(root)
    splits = celebamask.read_splits(root) if options.split else {}
    attributes, poses = celebamask.read_attributes(root), celebamask.read_poses(root)
    folders = {name: out / name for name in celebamask.SPLITS} if options.split else {"": out}
    summary = Summary(strays=strays)
    todo: list[_Pair] = []
    finished: dict[str, list[int]] = {name: [] for name in folders}
    with disk_errors():
        _claim(out, folders, options, force=force)
        for number in sorted(photos | parts.keys() | splits.keys()):
            stem, split = f"{number:05d}", splits.get(number, "")
            reason = _lack(number, photos, parts, splits if options.split else None)
            if reason:
                summary.skipped.append(Skipped(stem, reason))
                continue
            files = {part: celebamask.part_path(root, number, part) for part in parts[number]}
            photo = root / celebamask.PHOTOS / f"{number}.jpg"
            pair = _Pair(stem, photo, files, folders[split], options.order, options.size)
            if all(path.is_file() for path in pair.targets):
                summary.kept += 1
                finished[split].append(number)
            else:
                todo.append(pair)
        with contextlib.closing(run_jobs(_prepare_pair, todo, workers=workers, title="pairs", quiet=quiet)) as results:
            for stem, skipped in results:
                if skipped:
                    summary.skipped.append(skipped)
                else:
                    summary.made += 1
                    finished[splits.get(int(stem), "")].append(int(stem))
        summary.skipped.sort(key=lambda skipped: skipped.stem)
        summary.pairs = {name: len(numbers) for name, numbers in finished.items()}
        _write_csv(
            out / SKIPPED,
            ("stem", "reason", "detail"),
            [(each.stem, each.reason, each.detail) for each in summary.skipped],
        )
        for title, table in (("attributes", attributes), ("poses", poses)):
            if table is None:
                continue
            summary.tables.append(title)
            for name, folder in folders.items():
                rows = [(f"{k:05d}", *table.rows[k]) for k in sorted(finished[name]) if k in table.rows]
                _write_csv(folder / f"{title}.csv", ("stem", *table.columns), rows)
    if not summary.made + summary.kept:
        raise UserError(f"No pair could be prepared from {root}: {skipped_text(summary)}.")
    return summary


def skipped_text(summary: Summary) -> str:
    """``missing photo 3, no parts 1``, the most frequent reason first."""
    reasons = Counter(skipped.reason for skipped in summary.skipped)
    return ", ".join(f"{reason} {count:,}" for reason, count in reasons.most_common()) or "there are no photos"


def count_finished(out: Path) -> int:
    """How many pairs are in ``out``, whatever split they are in."""
    return sum(
        (path.parent.parent / "images" / f"{path.stem}.jpg").is_file()
        for folder in (out, *(out / name for name in celebamask.SPLITS))
        for path in folder.glob("masks/*.png")
    )


def _lack(number: int, photos: set[int], parts: dict, splits: dict | None) -> str:
    """Why a number cannot give a pair, or nothing."""
    if number not in photos:
        return "missing photo"
    if number not in parts:
        return "no parts"
    return "not in the mapping" if splits is not None and number not in splits else ""


def _prepare_pair(pair: _Pair) -> tuple[str, Skipped | None]:
    """Make one pair; what its own files lack is returned, what the disk refuses is raised as UserError."""
    try:
        labels = celebamask.merge_parts(pair.parts, pair.order)
    except UserError as error:
        return pair.stem, Skipped(pair.stem, "unreadable part", str(error))
    if not labels.any():
        return pair.stem, Skipped(pair.stem, "no parts", f"all {len(pair.parts)} parts are empty")
    try:
        photo = imaging.read_photo(pair.photo)
    except UserError as error:
        return pair.stem, Skipped(pair.stem, "unreadable photo", str(error))
    try:
        photo, labels = imaging.fit_square(photo, labels, pair.size)
    except UserError as error:
        return pair.stem, Skipped(pair.stem, "photo and parts differ in shape", str(error))
    image, mask = pair.targets
    imaging.write_photo(image, photo, quality=JPEG_QUALITY, overwrite=True)
    imaging.write_labels(mask, labels, overwrite=True)
    return pair.stem, None


def _claim(out: Path, folders: dict[str, Path], options: PrepareOptions, *, force: bool) -> None:
    """Make the folders and the record of the options, or refuse; what a killed run left half written is removed."""
    record = out / RECORD
    wanted = {"format": FORMAT, **asdict(options)}
    everywhere = (out, *(out / name for name in celebamask.SPLITS))
    if not record.is_file():
        theirs = [path for path in everywhere if (path / "images").exists() or (path / "masks").exists()]
        if theirs:
            raise UserError(
                f"{theirs[0]} holds images/ or masks/ and no {RECORD} says how they were made; give an empty folder."
            )
    elif (found := read_record(record)) != wanted or force:
        if not force:
            changed = [
                f"{title} {found.get(key, 'unknown')} then and {wanted[key]} now"
                for key, title in _TITLES.items()
                if found.get(key) != wanted[key]
            ]
            raise UserError(
                f"{out} was prepared with other options: {', '.join(changed) or 'by another version of maskedit'}; "
                "give the same ones or another folder, or --force to remove its pairs and begin anew."
            )
        # The record is replaced last: until then it tells the truth about the pairs that are left.
        for folder in everywhere:
            _remove_pairs(folder)
    for folder in folders.values():
        for part in ("images", "masks"):
            (folder / part).mkdir(parents=True, exist_ok=True)
            for path in (folder / part).glob(".maskedit-*.tmp"):
                path.unlink(missing_ok=True)
    imaging.atomic_write_bytes(record, (json.dumps(wanted, indent=1) + "\n").encode(), overwrite=True)


def _remove_pairs(folder: Path) -> None:
    """Remove what a run wrote into one split's folder, and nothing else."""
    for part, suffix in (("images", ".jpg"), ("masks", ".png")):
        if (folder / part).is_dir():
            for path in (folder / part).iterdir():
                if path.suffix == suffix and re.fullmatch("[0-9]{5}", path.stem):
                    path.unlink()
    for path in (folder / "attributes.csv", folder / "poses.csv", folder / SKIPPED):
        path.unlink(missing_ok=True)
    for path in (folder / "images", folder / "masks", folder):
        if path.is_dir() and not any(path.iterdir()):
            path.rmdir()


def _write_csv(path: Path, header: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    imaging.atomic_write_bytes(path, text.getvalue().encode("utf-8", "backslashreplace"), overwrite=True)
