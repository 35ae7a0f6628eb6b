"""``maskedit-eval PROTOCOL``: measure a weight file on photos it was not trained on."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from maskedit.errors import UserError
from maskedit.models.config import PERCEPTUAL, DmnConfig

EXAMPLE = """example:
  maskedit-eval reconstruction --data celebamask-hq --perceptual squeezenet:squeezenet.npz --grid sheet.png
  maskedit-eval agreement --data celebamask-hq --parser parser.safetensors --vae mask_vae.safetensors
  maskedit-eval parsing --data celebamask-hq --weights parser.safetensors --size 512 --mirror
  maskedit-eval masks --data celebamask-hq --weights mask_vae.safetensors --json figures.json
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status, 1 after one sentence for what a person can mend."""
    given = _parser().parse_args(arguments)
    try:
        if given.protocol == "showcase":
            _showcase(given)
        else:
            _measure(given)
    except UserError as error:
        print(f"maskedit-eval: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="maskedit-eval", description=__doc__, epilog=EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    protocols = parser.add_subparsers(dest="protocol", required=True, metavar="PROTOCOL")
    weights, data, perceptual, size, grid = (argparse.ArgumentParser(add_help=False) for _ in range(5))
    weights.add_argument("--weights", type=Path, metavar="FILE", help="a .safetensors file (default: the shipped one)")
    data.add_argument("--data", type=Path, required=True, metavar="FOLDER", help="folder with images/ and masks/")
    data.add_argument(
        "--validation", type=int, default=91, metavar="COUNT",
        help="photos held out, the last ones in sorted order, as in training (default: %(default)s)",
    )  # fmt: skip
    data.add_argument("--json", type=Path, metavar="FILE", help="write the figures here as well")
    perceptual.add_argument(
        "--perceptual", default="none", metavar="NET", help=PERCEPTUAL
    )  # fmt: skip
    size.add_argument("--size", type=int, metavar="PIXELS", help="side to measure at (default: the weights' own)")
    grid.add_argument("--grid", type=Path, metavar="FILE", help="write a sheet of samples here")
    grid.add_argument("--rows", type=int, default=20, metavar="COUNT", help="rows of the sheet (default: %(default)s)")

    protocols.add_parser(
        "reconstruction", parents=[data, weights, perceptual, size, grid],
        help="render held-out photos from their own label maps",
        description="Render every held-out photo from its own label map, beside the mean training face as the floor.",
    )  # fmt: skip
    one = protocols.add_parser(
        "agreement", parents=[data, weights, perceptual, size],
        help="parse renders: do they show the label maps that were asked for?",
        description="Render held-out photos from their own, others' and perturbed label maps, parse the renders and "
        "compare; the parser on the photos themselves is the ceiling.",
    )  # fmt: skip
    one.add_argument("--parser", type=Path, metavar="FILE", help="a face parser's weights (default: the shipped ones)")
    one.add_argument("--vae", type=Path, metavar="FILE", help="a MaskVAE's weights (default: the shipped)")
    two = protocols.add_parser(
        "parsing", parents=[data, weights, size, grid],
        help="a face parser's label maps against people's",
        description="Parse every held-out photo at the parser's own side; compare there, or at --size.",
    )  # fmt: skip
    two.add_argument("--mirror", action="store_true", help="average with what the parser makes of the mirrored photo")
    protocols.add_parser(
        "masks", parents=[data, weights, grid],
        help="label maps through a MaskVAE and back",
        description="Encode every held-out label map and decode its mean code, at the MaskVAE's own side.",
    )  # fmt: skip
    three = protocols.add_parser(
        "showcase", parents=[weights],
        help="edit the bundled portraits, for the README's picture",
        description="Edit the bundled portraits with fixed strokes; writes one sheet of before and after.",
    )  # fmt: skip
    three.add_argument("-o", "--out", type=Path, required=True, metavar="FILE", help="where the sheet goes")
    return parser


def _check(given: argparse.Namespace) -> None:
    """Refuse what would fail only after minutes of measuring."""
    for name in ("validation", "rows", "size"):
        value = getattr(given, name, None)
        if value is not None and value < 1:
            raise UserError(f"--{name} {value} must be at least 1.")
    if given.protocol in ("reconstruction", "agreement") and given.size is not None:
        try:
            DmnConfig.check_side(given.size)
        except UserError as error:
            raise UserError(f"--size: {error}") from error
    for name in ("json", "grid"):
        path = getattr(given, name, None)
        if path is not None and not path.parent.is_dir():
            raise UserError(f"--{name} {path}: there is no folder {path.parent}.")


def _measure(given: argparse.Namespace) -> None:
    _check(given)
    # torch takes seconds to load: --help and wrong usage need not wait for it.
    from maskedit import imaging
    from maskedit.evaluation import protocols

    report = getattr(protocols, given.protocol)(given)
    print("\n".join(report.lines))  # before the files: a full disk must not cost minutes of measuring
    try:
        if given.json is not None:
            given.json.write_text(json.dumps(report.figures, indent=1) + "\n", encoding="utf-8")
        if report.sheet is not None and given.grid is not None:
            imaging.write_photo(given.grid, report.sheet(), overwrite=True)
    except OSError as error:
        raise UserError(f"{error.filename} could not be written ({error.strerror}).") from error


def _showcase(given: argparse.Namespace) -> None:
    from maskedit import imaging
    from maskedit.evaluation.showcase import showcase
    from maskedit.render.renderer import Renderer

    sheet = showcase(Renderer(given.weights, precision="float32"))
    print(imaging.write_photo(given.out, sheet, quality=90, overwrite=True))


if __name__ == "__main__":
    sys.exit(main())
