"""``labels.tsv``: what became of every photo that ``maskedit-data label`` looked at, a line each."""

from __future__ import annotations

import contextlib
import csv
import io
from dataclasses import dataclass, field
from pathlib import Path

from maskedit import imaging
from maskedit.data.check import printable
from maskedit.labels import BY_NAME

TABLE = "labels.tsv"
DIGITS = 7
"""Of confidence and shares: a pixel of 1024 x 1024 still counts, and a row reads back as it was judged."""
_COLUMNS = ("name", "bytes", "verdict", "confidence", "classes", "detail")


@dataclass(frozen=True)
class Row:
    """One photo: a line of labels.tsv."""

    name: str
    bytes: int
    """Of the file: a photo of the same name and another size is another photo."""
    verdict: str
    """``"made"``, or the reason why it was left out."""
    confidence: float | None = None
    """0..1, the mean probability of the chosen labels; None where it was not parsed."""
    shares: dict[str, float] = field(default_factory=dict)
    """Class name -> share of the pixels, of the classes that are there."""
    detail: str = ""


def write_rows(path: Path, rows: dict[str, Row]) -> None:
    """Write the rows, by name, whole or not at all."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter="\t", lineterminator="\n")
    writer.writerow(_COLUMNS)
    for name in sorted(rows):
        row = rows[name]
        confidence = "" if row.confidence is None else f"{row.confidence:.{DIGITS}f}"
        shares = " ".join(f"{part}:{share:.{DIGITS}f}" for part, share in row.shares.items())
        writer.writerow((name, row.bytes, row.verdict, confidence, shares, printable(row.detail)))
    # Names that are no UTF-8 come from the system as surrogates and go back as the same bytes.
    imaging.atomic_write_bytes(path, text.getvalue().encode("utf-8", "surrogateescape"), overwrite=True)


def read_rows(path: Path) -> dict[str, Row]:
    """The rows of an earlier run by name; none when there is no table. A line that is none is no photo's."""
    rows = {}
    with (
        contextlib.suppress(FileNotFoundError, csv.Error),
        open(path, newline="", encoding="utf-8", errors="surrogateescape") as file,
    ):
        for line in csv.DictReader(file, delimiter="\t"):
            with contextlib.suppress(KeyError, TypeError, ValueError, AttributeError):
                parts = (each.rsplit(":", 1) for each in line["classes"].split())
                shares = {part: float(share) for part, share in parts if part in BY_NAME}
                confidence = float(line["confidence"]) if line["confidence"] else None
                row = Row(line["name"], int(line["bytes"]), line["verdict"], confidence, shares, line["detail"] or "")
                if row.name == Path(row.name).name:  # pairs are removed by it: it must not lead out of the folder
                    rows[row.name] = row
    return rows
