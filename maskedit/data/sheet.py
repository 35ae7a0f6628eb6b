"""The findings of a check as one HTML file that needs nothing beside it: thumbnails are data URIs, nothing runs."""

from __future__ import annotations

import base64
import html
import io
from pathlib import Path

import numpy as np
from PIL import Image

from maskedit import imaging
from maskedit.data.check import KINDS, Finding, Report
from maskedit.errors import UserError
from maskedit.labels import LABELS

MAX_ROWS = 200
"""Findings with thumbnails at most: some 2 MB."""
_SIDE = 128  # of a thumbnail's longer side, in pixels
_STYLE = """
body { font: 15px/1.4 system-ui, sans-serif; color: #202124; background: #fff; margin: 2em auto; max-width: 72em;
       padding: 0 1em }
table { border-collapse: collapse; margin: 1em 2em 1em 0; display: inline-table; vertical-align: top }
td, th { padding: .15em .8em; text-align: left; border-bottom: 1px solid #ddd }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums }
.rows { display: grid; grid-template-columns: repeat(auto-fill, minmax(300px, 1fr)); gap: 1em }
figure { margin: 0; padding: .6em; border: 1px solid #ddd; border-radius: 6px }
figure img, figure .none { height: 128px; min-width: 60px; display: inline-block; vertical-align: top }
figure .none { border: 1px dashed #999; color: #666; padding: .4em; box-sizing: border-box; font-size: 13px }
figcaption { overflow-wrap: anywhere; font-size: 13px; margin-top: .4em }
.swatch { display: inline-block; width: .9em; height: .9em; border: 1px solid #888; margin-right: .4em }
"""


def write_sheet(path: Path, report: Report) -> Path:
    """Write the sheet, over an older one; returns the path. Raises UserError where it cannot be written."""
    return imaging.atomic_write_bytes(path, sheet(report).encode("utf-8", "backslashreplace"), overwrite=True)


def sheet(report: Report) -> str:
    """The whole page: counts, classes, and up to :data:`MAX_ROWS` findings, each kind having its share of them."""
    shown = _chosen(report.findings)
    counts = "".join(
        f"<tr><td>{kind}</td><td class=n>{sum(finding.kind == kind for finding in report.findings):,}</td></tr>"
        for kind in KINDS
    )
    classes = "".join(
        f'<tr><td><span class=swatch style="background:#{bytes(label.colour).hex()}"></span>{label.name}</td>'
        f"<td class=n>{count:,}</td><td class=n>{count / max(1, report.read_maps):.1%}</td></tr>"
        for label, count in zip(LABELS, report.classes, strict=True)
    )
    rest = len(report.findings) - len(shown)
    sections = []
    for kind in KINDS:
        rows = [_figure(finding) for finding in shown if finding.kind == kind]
        if rows:
            sections.append(f"<h2>{kind}</h2>\n<div class=rows>\n" + "\n".join(rows) + "\n</div>")
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en"><head><meta charset="utf-8">',
            '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; img-src data:; '
            "style-src 'unsafe-inline'\">",
            f"<title>{html.escape(report.folder)}: check</title><style>{_STYLE}</style></head><body>",
            f"<h1>{html.escape(report.folder)}</h1>",
            f"<p>{report.photos:,} photos, {report.maps:,} label maps, {report.pairs:,} pairs; "
            f"{len(report.findings):,} findings, {len(report.findings) - len(report.left):,} of them mended.</p>",
            f"<table><tr><th>finding<th class=n>count</tr>{counts}</table>",
            f"<table><tr><th>class<th class=n>maps<th class=n>share</tr>{classes}</table>",
            *sections,
            f"<p>{rest:,} more findings are not shown.</p>" if rest else "",
            "</body></html>",
            "",
        ]
    )


def _chosen(findings: list[Finding]) -> list[Finding]:
    """The first of every kind, then the second of every kind and so on, until the sheet is full."""
    ranked, seen = [], dict.fromkeys(KINDS, 0)
    for finding in findings:
        ranked.append((seen[finding.kind], KINDS.index(finding.kind), finding))
        seen[finding.kind] += 1
    ranked.sort(key=lambda entry: entry[:2])
    return [finding for _, _, finding in ranked[:MAX_ROWS]]


def _figure(finding: Finding) -> str:
    pictures = [_thumbnail(finding.photo, "no photo"), _thumbnail(finding.labels, "no map", labels=True)]
    if finding.photo is None and finding.labels is None:
        pictures = []
    if finding.other is not None:
        pictures.append(_thumbnail(finding.other, "no photo"))
    name, text = html.escape(finding.name), html.escape(finding.text)
    return f"<figure>{' '.join(pictures)}<figcaption><b>{name}</b>: {text}</figcaption></figure>"


def _thumbnail(path: Path | None, missing: str, *, labels: bool = False) -> str:
    """A small picture as an image element; a map that holds no ids is shown as the picture it is."""
    if path is None:
        return f"<span class=none>{missing}</span>"
    picture = None
    for read in (imaging.read_labels, imaging.read_photo) if labels else (imaging.read_photo,):
        try:
            picture = read(path)
            break
        except UserError:
            continue
    if picture is None:
        return "<span class=none>unreadable</span>"
    height, width = picture.shape[:2]
    scale = min(1.0, _SIDE / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    if picture.ndim == 2:
        small, format = imaging.colourise(imaging.resize_labels(picture, size)), "PNG"
    else:
        small, format = imaging.resize_photo(picture, size), "JPEG"
    alternative = "label map" if labels else "photo"
    return f'<img src="{_data_uri(small, format)}" alt="{alternative}">'


def _data_uri(picture: np.ndarray, format: str) -> str:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, format, quality=80)
    return f"data:image/{format.lower()};base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"
