"""The protocols of ``maskedit-eval``: the flags given -> a report. Loads torch, which ``cli`` puts off."""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import torch

from maskedit import resources
from maskedit.data.folder import find_split
from maskedit.data.pairs import Pairs, load_pairs
from maskedit.errors import UserError
from maskedit.evaluation.agreement import agreement_figures
from maskedit.evaluation.boxes import boxes_report
from maskedit.evaluation.completion import completion_report
from maskedit.evaluation.edits import Comparison
from maskedit.evaluation.faces import faces_figures
from maskedit.evaluation.person import person_figures
from maskedit.evaluation.reconstruction import floor_figures, mean_photo, network_figures
from maskedit.evaluation.smiles import smiles_report
from maskedit.face.parser import FaceParser
from maskedit.labels import LABELS
from maskedit.measures.masks import masks_figures, masks_sheet
from maskedit.measures.parsing import parsing_figures, parsing_sheet
from maskedit.measures.reconstruction import sample_sheet
from maskedit.measures.tables import table
from maskedit.models.checkpoint import load_checkpoint
from maskedit.models.mask_vae import MaskVAE
from maskedit.models.parser import Parser
from maskedit.models.perceptual import make_perceptual
from maskedit.render.renderer import Renderer

Rows = dict[str, dict[str, float]]

TITLES = {
    "psnr": "PSNR dB", "ssim": "SSIM", "features": "features", "accuracy": "accuracy", "mean_f1": "mean F1",
    "mean_iou": "mean IoU", "f1": "F1", "iou": "IoU",
}  # fmt: skip
"""Of the figures that a table shows, in the order of its columns; others are not shown."""


@dataclass(frozen=True)
class Report:
    """What a protocol found."""

    lines: list[str]
    """What is printed."""
    figures: dict
    """What ``--json`` writes."""
    sheet: Callable[[], np.ndarray] | None = None
    """Makes the picture (H, W, 3) uint8 RGB that ``--grid`` or ``--out`` writes."""


def reconstruction(given: argparse.Namespace) -> Report:
    """Held-out photos rendered from their own label maps, and the mean training face as the floor."""
    weights = given.weights or resources.default_weights()
    network, header = load_checkpoint(weights)
    size = given.size or header.config.size
    distance = make_perceptual(given.perceptual)
    training, held_out = find_split(given.data, given.validation)
    pairs = load_pairs(held_out, size)
    ours = network_figures(network, pairs, distance)
    floor = floor_figures(mean_photo(training, size), pairs, distance)
    figures = _head(given, weights, pairs) | {"perceptual": given.perceptual.partition(":")[0]}
    return Report(
        _table(
            f"reconstruction of {len(pairs)} held-out photos at {size} px",
            {weights.name: ours, "mean training face": floor},
        ),
        figures | {"network": ours, "mean_face": floor},
        sheet=lambda: sample_sheet(network, pairs.photos, pairs.labels, rows=given.rows, precision=torch.float32),
    )


def agreement(given: argparse.Namespace) -> Report:
    """Renders of own, others' and perturbed label maps, parsed and compared with what was asked for."""
    weights = given.weights or resources.default_weights()
    network, header = load_checkpoint(weights)
    judge = given.parser or resources.default_weights("parser")
    parser, _ = load_checkpoint(judge, Parser)
    perturbing = given.vae or resources.default_weights("mask_vae")
    vae, _ = load_checkpoint(perturbing, MaskVAE)
    distance = make_perceptual(given.perceptual)
    pairs = _held_out(given, given.size or header.config.size)
    rows = agreement_figures(network, parser, vae, pairs, distance)
    figures = _head(given, weights, pairs) | {
        "perceptual": given.perceptual.partition(":")[0],
        "parser": _identity(judge) | {"size": parser.config.size},
        "vae": _identity(perturbing),
        "rows": rows,
    }
    return Report(
        _table(
            f"agreement of {len(pairs)} held-out photos at {figures['size']} px: {weights.name}, "
            f"parsed at {parser.config.size} px by {judge.name}",
            rows,
        ),
        figures,
    )


def parsing(given: argparse.Namespace) -> Report:
    """A face parser's label maps of held-out photos."""
    weights = given.weights or resources.default_weights("parser")
    parser, header = load_checkpoint(weights, Parser)
    # Read at the parser's side, as it was trained, not scaled from --size.
    seen = _held_out(given, header.config.size)
    shown = seen if given.size in (None, header.config.size) else _held_out(given, given.size)
    found = parsing_figures(parser, seen.photos, shown.labels, mirror=given.mirror)
    figures = _head(given, weights, shown) | {"parsed_at": header.config.size, "mirror": given.mirror}
    mirrored = ", averaged with the mirrored photo's" if given.mirror else ""
    return Report(
        _table(
            f"parsing of {len(seen)} held-out photos at {figures['size']} px by {weights.name}{mirrored}",
            _by_class(found, "f1"),
        ),
        figures | {"figures": found},
        sheet=lambda: parsing_sheet(
            parser, seen.photos, shown.photos, shown.labels, rows=given.rows, mirror=given.mirror
        ),
    )


def masks(given: argparse.Namespace) -> Report:
    """Held-out label maps through a MaskVAE and back."""
    weights = given.weights or resources.default_weights("mask_vae")
    vae, header = load_checkpoint(weights, MaskVAE)
    pairs = _held_out(given, header.config.size)
    found = masks_figures(vae, pairs.labels)
    return Report(
        _table(
            f"{len(pairs)} held-out label maps at {header.config.size} px through {weights.name}",
            _by_class(found, "iou"),
        ),
        _head(given, weights, pairs) | {"figures": found},
        sheet=lambda: masks_sheet(vae, pairs.labels, rows=given.rows),
    )


def person(given: argparse.Namespace) -> Report:
    """Held-out faces before and after each was learned."""
    perceptual = make_perceptual("parser" if given.parser is None else f"parser:{given.parser}")
    renderer = Renderer(given.weights, size=given.size, engine="torch")
    pairs, parser = _held_out(given, renderer.size), perceptual.features.parser
    found = person_figures(renderer, parser, pairs, perceptual, count=given.count, steps=given.steps)
    title = f"{len(found.rows)} held-out faces learned by {renderer.weights.name}, {renderer.engine}"
    figures = {"protocol": "person", "weights": renderer.weights.name, "size": renderer.size}
    figures |= {"mean": found.means, "photos": found.rows}
    return Report([title, *found.lines], figures, found.sheet)


def faces(given: argparse.Namespace) -> Report:
    """Faces found in whole photos, and their eyes."""
    found = faces_figures(given.portraits, FaceParser(given.weights))
    return Report(found.lines, found.report, found.sheet)


def boxes(given: argparse.Namespace) -> Report:
    """Box renders of held-out faces against full ones, or how far boxes may grow."""
    if given.growths and given.out is not None:
        raise UserError("--growths makes a table only: leave out -o.")
    names = ("validation", "count", "size", "precision", "growths")
    report, found = boxes_report(given.data, given.weights, **{name: getattr(given, name) for name in names})
    return Report(report.pop("lines"), report, None if found is None else found.sheet)


def completion(given: argparse.Namespace) -> Report:
    """Parts of held-out photos hidden and redrawn, and edits of them, by both systems."""
    found = completion_report(given.data, _comparison(given), validation=given.validation)
    return Report(found.lines, found.report, found.sheet)


def smiles(given: argparse.Namespace) -> Report:
    """Neutral faces made to smile by both systems."""
    found = smiles_report(given.portraits, _comparison(given))
    return Report(found.lines, found.report, found.sheet)


def _comparison(given: argparse.Namespace) -> Comparison:
    return Comparison(**{field.name: getattr(given, field.name) for field in fields(Comparison)})


def _held_out(given: argparse.Namespace, size: int) -> Pairs:
    return load_pairs(find_split(given.data, given.validation)[1], size)


def _identity(path: Path) -> dict[str, str]:
    # The name alone: where somebody keeps files is nobody's business.
    return {"weights": path.name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}


def _head(given: argparse.Namespace, weights: Path, pairs: Pairs) -> dict:
    """What every report says first."""
    return {"protocol": given.protocol, **_identity(weights), "size": pairs.labels.shape[-1], "photos": len(pairs)}


def _table(title: str, rows: Rows) -> list[str]:
    """Row -> figure -> value as text; a row that has no such figure shows a dash."""
    names = [name for name in TITLES if any(name in figures for figures in rows.values())]
    columns = [(TITLES[name], 2 if name == "psnr" else 4) for name in names]
    return [title, *table(columns, {row: [figures.get(name) for name in names] for row, figures in rows.items()})]


def _by_class(figures: dict[str, float], measure: str) -> Rows:
    """A row of means and one row a class."""
    rows = {"all classes": {"accuracy": figures["accuracy"], measure: figures[f"mean_{measure}"]}}
    return rows | {label.title: {measure: figures[f"{measure}_{label.name}"]} for label in LABELS}
