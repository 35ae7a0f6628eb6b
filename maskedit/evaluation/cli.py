"""``maskedit-eval PROTOCOL``: measure a weight file on photos it was not trained on."""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from maskedit.errors import UserError
from maskedit.models.config import DmnConfig

EXAMPLE = """example:
  maskedit-eval reconstruction --data celebamask-hq --perceptual squeezenet:squeezenet.npz --grid sheet.png
"""
TITLES = {"psnr": "PSNR dB", "ssim": "SSIM", "features": "features"}
DIGITS = {"psnr": 2, "ssim": 4, "features": 4}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status, 1 after one sentence for what a person can mend."""
    parser = argparse.ArgumentParser(
        prog="maskedit-eval", description=__doc__, epilog=EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    protocols = parser.add_subparsers(dest="protocol", required=True, metavar="PROTOCOL")
    one = protocols.add_parser(
        "reconstruction",
        help="render held-out photos from their own label maps",
        description="Render every held-out photo from its own label map, beside the mean training face as the floor.",
    )
    one.add_argument("--data", type=Path, required=True, metavar="FOLDER", help="folder with images/ and masks/")
    one.add_argument("--weights", type=Path, metavar="FILE", help="a .safetensors file (default: the shipped one)")
    one.add_argument("--perceptual", default="none", metavar="NET", help="vgg19[:PATH], squeezenet:PATH or none")
    one.add_argument(
        "--validation", type=int, default=91, metavar="COUNT",
        help="photos held out, the last ones in sorted order, as in training (default: %(default)s)",
    )  # fmt: skip
    one.add_argument("--size", type=int, metavar="PIXELS", help="side to render at (default: the weights' own)")
    one.add_argument("--json", type=Path, metavar="FILE", help="write the figures here as well")
    one.add_argument("--grid", type=Path, metavar="FILE", help="write a sheet of samples here")
    one.add_argument("--rows", type=int, default=20, metavar="COUNT", help="rows of the sheet (default: %(default)s)")
    two = protocols.add_parser(
        "showcase",
        help="edit the bundled portraits, for the README's picture",
        description="Edit the bundled portraits with fixed strokes; writes one sheet of before and after.",
    )
    two.add_argument("-o", "--out", type=Path, required=True, metavar="FILE", help="where the sheet goes")
    two.add_argument("--weights", type=Path, metavar="FILE", help="a .safetensors file (default: the shipped one)")
    given = parser.parse_args(arguments)
    try:
        {"reconstruction": _reconstruction, "showcase": _showcase}[given.protocol](given)
    except UserError as error:
        print(f"maskedit-eval: {error}", file=sys.stderr)
        return 1
    return 0


def _reconstruction(given: argparse.Namespace) -> None:
    for name, least in (("validation", 1), ("rows", 1)):
        if getattr(given, name) < least:
            raise UserError(f"--{name} {getattr(given, name)} must be at least {least}.")
    if given.size is not None:
        try:
            DmnConfig.check_side(given.size)
        except UserError as error:
            raise UserError(f"--size: {error}") from error
    for name in ("json", "grid"):
        path = getattr(given, name)
        if path is not None and not path.parent.is_dir():
            raise UserError(f"--{name} {path}: there is no folder {path.parent}.")
    # torch takes seconds to load: --help and wrong usage need not wait for it.
    import torch

    from maskedit import imaging
    from maskedit.dataset import find_pairs, load_pairs, split
    from maskedit.evaluation import reconstruction
    from maskedit.models.checkpoint import load_checkpoint
    from maskedit.models.perceptual import make_perceptual
    from maskedit.models.reconstruction import sample_sheet

    weights = given.weights
    if weights is None:
        from maskedit.resources import default_weights

        weights = default_weights()
    network, header = load_checkpoint(weights)
    size = given.size or header.config.size
    distance = make_perceptual(given.perceptual)
    training, held_out = split(find_pairs(given.data), given.validation)
    pairs = load_pairs(held_out, size)
    report = {
        "protocol": "reconstruction",
        "weights": weights.name,
        "sha256": hashlib.sha256(weights.read_bytes()).hexdigest(),
        "perceptual": given.perceptual.partition(":")[0],
        "size": size,
        "photos": len(pairs),
        "network": reconstruction.network_figures(network, pairs, distance),
        "mean_face": reconstruction.floor_figures(reconstruction.mean_photo(training, size), pairs, distance),
    }
    print("\n".join(_table(report)))  # before the files: a full disk must not cost minutes of measuring
    try:
        if given.json is not None:
            given.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
        if given.grid is not None:
            sheet = sample_sheet(network, pairs.photos, pairs.labels, rows=given.rows, precision=torch.float32)
            imaging.write_photo(given.grid, sheet, overwrite=True)
    except OSError as error:
        raise UserError(f"{error.filename} could not be written ({error.strerror}).") from error


def _showcase(given: argparse.Namespace) -> None:
    from maskedit import imaging
    from maskedit.evaluation.showcase import showcase
    from maskedit.render.renderer import Renderer

    sheet = showcase(Renderer(given.weights, precision="float32"))
    print(imaging.write_photo(given.out, sheet, quality=90, overwrite=True))


def _table(report: dict) -> list[str]:
    rows = {report["weights"]: report["network"], "mean training face": report["mean_face"]}
    wide = max(len(name) for name in rows)
    names = list(report["network"])
    return [
        f"reconstruction of {report['photos']} held-out photos at {report['size']} px",
        " ".join([" " * wide, *(f"{TITLES[name]:>9}" for name in names)]),
        *(
            " ".join([f"{row:<{wide}}", *(f"{figures[name]:>9.{DIGITS[name]}f}" for name in names)])
            for row, figures in rows.items()
        ),
    ]


if __name__ == "__main__":
    sys.exit(main())
