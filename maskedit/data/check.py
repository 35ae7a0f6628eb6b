"""``maskedit-data check``: what is wrong with a folder of pairs, and swapped sides mended."""

from __future__ import annotations

import contextlib
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from maskedit import imaging
from maskedit.data.folder import mend_left_right
from maskedit.data.look import HASH_SIDE, Look, PairPaths, look_at, near_pairs
from maskedit.errors import UserError
from maskedit.labels import LABELS, NUM_LABELS
from maskedit.workers import run_jobs

KINDS = (
    "missing partner",
    "stray file",
    "unreadable",
    "unknown ids",
    "size mismatch",
    "odd size",
    "swapped sides",
    "empty map",
    "duplicate",
    "near duplicate",
)
NEAR_BITS = 32
"""Of 256. Measured on 901 real faces: two different ones differ in 66 or more; the same one in 6 or fewer after scaling
to 200 px and JPEG at quality 60, and in 34 or fewer, mostly 26, after losing 5 of its 512 px at each side."""
_SAME_SHAPE = 0.01  # as imaging.fit_square, which training reads with
_SHOWN = 8  # findings of each kind that the table lists


@dataclass(frozen=True)
class Finding:
    """One flaw of one file or pair."""

    kind: str
    """One of :data:`KINDS`."""
    name: str
    """The stem, or the name of a stray file, as text that any terminal can show."""
    text: str
    """What was found, likewise."""
    photo: Path | None = None
    labels: Path | None = None
    other: Path | None = None
    """The photo that this one doubles."""
    mended: bool = False


@dataclass
class Report:
    """Everything that a check found out."""

    folder: str
    photos: int = 0
    maps: int = 0
    pairs: int = 0
    sizes: Counter = field(default_factory=Counter)
    """How many pairs have ((photo width, height), (map width, height)) in pixels."""
    classes: list[int] = field(default_factory=list)
    """How many readable maps hold each of the 19 ids."""
    read_maps: int = 0
    findings: list[Finding] = field(default_factory=list)
    """In the order of :data:`KINDS`, then of stems."""

    @property
    def left(self) -> list[Finding]:
        """The findings that were not mended."""
        return [finding for finding in self.findings if not finding.mended]

    @property
    def empty_classes(self) -> list[str]:
        """Names of the classes that no readable map holds."""
        return [label.name for label in LABELS if not self.classes[label.id]]


def check(folder: Path, *, workers: int, fix: bool = False, quiet: bool = False) -> Report:
    """Look at every file of ``folder/images`` and ``folder/masks``.

    Args:
        workers: processes at most.
        fix: write every map with swapped sides anew, mended; such findings are then ``mended``.
        quiet: no progress bar.

    Raises:
        UserError: ``folder`` has no images/ or masks/, or both are empty.
    """
    pairs, findings = _find_files(folder)
    with contextlib.closing(run_jobs(look_at, pairs, workers=workers, title="checking", quiet=quiet)) as results:
        looks = sorted(results, key=lambda look: look.paths.stem)
    report = Report(printable(str(folder)), findings=findings)
    report.photos = sum(pair.photo is not None for pair in pairs)
    report.maps = sum(pair.labels is not None for pair in pairs)
    report.pairs = sum(pair.photo is not None and pair.labels is not None for pair in pairs)
    report.read_maps = sum(look.labels_size is not None for look in looks)
    counts = Counter(id for look in looks for id in look.classes)
    report.classes = [counts[id] for id in range(NUM_LABELS)]
    report.sizes = Counter(
        (look.photo_size, look.labels_size) for look in looks if look.photo_size and look.labels_size
    )
    usual = _usual(report.sizes)
    for look in looks:
        findings += _flaws(look, usual)
        if look.swapped:
            findings.append(_swapped(look, fix=fix))
    findings += _duplicates([look for look in looks if look.digest])
    findings.sort(key=lambda finding: (KINDS.index(finding.kind), finding.name))
    return report


def table(report: Report) -> list[str]:
    """The lines that a person reads: counts by kind, the first findings of each, the share of every class."""
    sizes = ", ".join(
        f"{_size(photo)} with {_size(labels)} ({n:,})" for (photo, labels), n in report.sizes.most_common(3)
    )
    more = f" and {len(report.sizes) - 3} other sizes" if len(report.sizes) > 3 else ""
    lines = [
        f"{report.folder}: {report.photos:,} photos, {report.maps:,} label maps, {report.pairs:,} pairs",
        f"sizes in pixels, photo with map: {sizes or 'none'}{more}",
        "",
        f"{'finding':<16} {'count':>7} {'share':>8} {'mended':>7}",
    ]
    stems = report.photos + report.maps - report.pairs
    by_kind = {kind: [finding for finding in report.findings if finding.kind == kind] for kind in KINDS}
    for kind, found in by_kind.items():
        mended = sum(finding.mended for finding in found)
        lines.append(f"{kind:<16} {len(found):>7,} {len(found) / max(1, stems):>8.1%} {mended:>7,}")
    for kind, found in by_kind.items():
        if found:
            lines += ["", f"{kind}:"]
            lines += [f"  {finding.name}: {finding.text}" for finding in found[:_SHOWN]]
            lines += [f"  and {len(found) - _SHOWN:,} more"] if len(found) > _SHOWN else []
    lines += ["", f"{'id':>2} {'class':<11} {'maps':>7} {'share':>8}"]
    for label, count in zip(LABELS, report.classes, strict=True):
        share = f"{count / report.read_maps:8.1%}" if report.read_maps else f"{'-':>8}"
        lines.append(f"{label.id:>2} {label.name:<11} {count:>7,} {share}")
    lines += ["", f"classes in no map: {', '.join(report.empty_classes) or 'none'}"]
    mended = len(report.findings) - len(report.left)
    lines.append(
        (f"{len(report.left):,} findings" if report.left else "clean") + (f", {mended:,} mended" if mended else "")
    )
    return lines


def printable(text: str) -> str:
    """``text`` with whatever a terminal could choke on (control characters, broken file names) as escapes."""
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode("ascii") for letter in text
    )


def _find_files(folder: Path) -> tuple[list[PairPaths], list[Finding]]:
    """Every stem with its files, sorted, and what of the folder's files is left over."""
    files: dict[str, list[Path]] = {}
    for part in ("images", "masks"):
        if not (folder / part).is_dir():
            splits = [name for name in ("train", "val", "test") if (folder / name / part).is_dir()]
            hint = (
                f"; did you mean {folder / splits[0]}?"
                if splits
                else "; wanted images/ and masks/ with the same stems."
            )
            raise UserError(f"{folder} has no folder {part}/{hint}")
        try:
            entries = sorted((folder / part).iterdir())
            files[part] = [path for path in entries if not path.name.startswith(".") and not path.is_dir()]
        except OSError as error:
            raise UserError(f"{folder / part} cannot be read ({error.strerror}).") from error
    photos: dict[str, Path] = {}
    maps: dict[str, Path] = {}
    findings = []
    for found, suffixes, part, wanted in (
        (photos, imaging.SUFFIXES, "images", "a photo"),
        (maps, {".png"}, "masks", "a PNG"),
    ):
        for path in files[part]:
            name = f"{part}/{printable(path.name)}"
            if path.suffix.lower() not in suffixes:
                findings.append(Finding("stray file", name, f"is not {wanted} by its name"))
            elif path.stem in found:
                text = f"has the stem of {printable(found[path.stem].name)}; which one belongs to the pair?"
                findings.append(Finding("stray file", name, text))
            else:
                found[path.stem] = path
    pairs = [PairPaths(stem, photos.get(stem), maps.get(stem)) for stem in sorted(photos.keys() | maps.keys())]
    if not pairs:
        raise UserError(f"{folder} holds neither photos nor label maps.")
    return pairs, findings


def _flaws(look: Look, usual: tuple | None) -> list[Finding]:
    """What is wrong with one pair for itself, and beside the usual sizes; swapped sides are not among it."""
    flaws = [(kind, text) for kind, text in look.problems]
    if look.paths.labels is None:
        flaws.append(("missing partner", f"the photo {look.paths.photo.name} has no PNG in masks/"))
    if look.paths.photo is None:
        flaws.append(("missing partner", f"the label map {look.paths.labels.name} has no photo in images/"))
    if len(look.classes) == 1:
        flaws.append(("empty map", f"all of the map is {LABELS[look.classes[0]].name}"))
    if look.photo_size and look.labels_size:
        (width, height), (map_width, map_height) = look.photo_size, look.labels_size
        text = f"photo {_size(look.photo_size)}, map {_size(look.labels_size)} px"
        is_usual = (look.photo_size, look.labels_size) == usual
        if abs(map_width * height / (map_height * width) - 1) > _SAME_SHAPE:
            flaws.append(("size mismatch", f"{text}: not the same shape"))
        elif look.photo_size != look.labels_size and not is_usual:
            flaws.append(("size mismatch", text))
        elif usual and not is_usual:
            flaws.append(("odd size", f"{text}; most have photo {_size(usual[0])}, map {_size(usual[1])} px"))
    return [_finding(kind, look, text) for kind, text in flaws]


def _usual(sizes: Counter) -> tuple | None:
    """The sizes that more than half of the pairs have. Photos twice their maps, say, are then as it should be."""
    if not sizes:
        return None
    commonest, count = sizes.most_common(1)[0]
    return commonest if 2 * count > sizes.total() and sizes.total() > 1 else None


def _swapped(look: Look, *, fix: bool) -> Finding:
    text = f"left and right are exchanged: {', '.join(look.swapped)}"
    if not fix:
        return _finding("swapped sides", look, text)
    try:
        file = imaging.read_label_file(look.paths.labels)
        kind = "ids" if file.encoding == "ids" else "palette"
        imaging.write_labels(look.paths.labels, mend_left_right(file.labels), kind=kind, overwrite=True)
    except UserError as error:
        return _finding("swapped sides", look, f"{text}; could not be mended: {error}")
    return _finding("swapped sides", look, f"{text}; mended", mended=True)


def _duplicates(looks: list[Look]) -> list[Finding]:
    """Photos that another one doubles: each is named once, with the first it doubles."""
    findings = []
    first: dict[bytes, Look] = {}
    for look in looks:
        if look.digest in first:
            other = first[look.digest].paths
            findings.append(_finding("duplicate", look, f"the same file as {other.photo.name}", other=other.photo))
        else:
            first[look.digest] = look
    unique = list(first.values())
    told = set()
    for one, two, bits in near_pairs([look.fingerprint for look in unique], NEAR_BITS):
        if two not in told:
            told.add(two)
            other = unique[one].paths.photo
            text = f"looks like {other.name} ({bits} of {HASH_SIDE**2} bits differ)"
            findings.append(_finding("near duplicate", unique[two], text, other=other))
    return findings


def _finding(kind: str, look: Look, text: str, *, other: Path | None = None, mended: bool = False) -> Finding:
    paths = look.paths
    return Finding(kind, printable(paths.stem), printable(text), paths.photo, paths.labels, other, mended)


def _size(size: tuple[int, int]) -> str:
    return f"{size[0]} x {size[1]}"
