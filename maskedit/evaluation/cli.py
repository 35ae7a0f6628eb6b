"""``maskedit-eval PROTOCOL``: measure a weight file on photos it was not trained on."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from maskedit.errors import UserError, disk_errors
from maskedit.models.config import PERCEPTUAL, DmnConfig
from maskedit.shell import check_parent, command_parser, run_command, write_json

EXAMPLE = """example:
  maskedit-eval reconstruction --data celebamask-hq --perceptual squeezenet:squeezenet.npz --grid sheet.png
  maskedit-eval agreement --data celebamask-hq --parser parser.safetensors --vae mask_vae.safetensors
  maskedit-eval parsing --data celebamask-hq --weights parser.safetensors --size 512 --mirror
  maskedit-eval masks --data celebamask-hq --weights mask_vae.safetensors --json figures.json
  maskedit-eval completion --data celebamask-hq --perceptual squeezenet:squeezenet.npz -o completion.png
  maskedit-eval smiles --portraits london --identity mobilefacenet.onnx -o smiles.png
  maskedit-eval everyday --data celebamask-hq --portraits portraits -o sheets
  maskedit-eval person --data celebamask-hq --count 20 -o faces
  maskedit-eval faces --portraits portraits -o faces.png
  maskedit-eval boxes --data celebamask-hq --json boxes.json -o boxes.png
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status, 1 after one sentence for what a person can mend."""
    given = _parser().parse_args(arguments)

    def work() -> None:
        _check(given)
        {"everyday": _everyday, "showcase": _showcase}.get(given.protocol, _measure)(given)

    return run_command("maskedit-eval", work)


def _parser() -> argparse.ArgumentParser:
    parser = command_parser("maskedit-eval", __doc__, EXAMPLE)
    protocols = parser.add_subparsers(dest="protocol", required=True, metavar="PROTOCOL")
    weights, figures, perceptual, size, grid = (argparse.ArgumentParser(add_help=False) for _ in range(5))
    weights.add_argument("--weights", type=Path, metavar="FILE", help="a .safetensors file (default: the shipped one)")
    figures.add_argument("--json", type=Path, metavar="FILE", help="write the figures here as well")
    data = argparse.ArgumentParser(add_help=False, parents=[figures])
    data.add_argument("--data", type=Path, required=True, metavar="FOLDER", help="folder with images/ and masks/")
    data.add_argument(
        "--validation", type=int, default=91, metavar="COUNT",
        help="photos held out, the last ones in sorted order, as in training (default: %(default)s)",
    )  # fmt: skip
    perceptual.add_argument(
        "--perceptual", default="none", metavar="NET", help=PERCEPTUAL
    )  # fmt: skip
    size.add_argument(
        "--size", type=int, metavar="PIXELS", help="side to measure at (default: what the weights are made for)"
    )
    grid.add_argument("--grid", type=Path, metavar="FILE", help="write a sheet of samples here")
    grid.add_argument("--rows", type=int, default=20, metavar="COUNT", help="rows of the sheet (default: %(default)s)")
    out = argparse.ArgumentParser(add_help=False)
    out.add_argument("-o", "--out", type=Path, metavar="FILE", help="write a captioned sheet here")
    judge = argparse.ArgumentParser(add_help=False)
    judge.add_argument(
        "--parser", type=Path, metavar="FILE", help="a face parser's weights (default: the shipped ones)"
    )
    baseline = argparse.ArgumentParser(add_help=False)
    baseline.add_argument(
        "--baseline", type=Path, metavar="FILE",
        help="weights of the present composite (default: those of --weights, without the photo around the edit)",
    )  # fmt: skip
    systems = argparse.ArgumentParser(add_help=False, parents=[weights, baseline, perceptual, size, judge, out])
    systems.add_argument(
        "--identity", type=Path, metavar="FILE", help="an ArcFace-like ONNX network: is it still the same person?"
    )
    systems.add_argument("--count", type=int, metavar="COUNT", help="faces, spread evenly (default: all)")
    systems.add_argument(
        "--no-texture", dest="texture", action="store_false", help="completions without the photo's own texture"
    )

    protocols.add_parser(
        "reconstruction", parents=[data, weights, perceptual, size, grid],
        help="render held-out photos from their own label maps",
        description="Render every held-out photo from its own label map, beside the mean training face as the floor.",
    )  # fmt: skip
    one = protocols.add_parser(
        "agreement", parents=[data, weights, perceptual, size, judge],
        help="parse renders: do they show the label maps that were asked for?",
        description="Render held-out photos from their own, others' and perturbed label maps, parse the renders and "
        "compare; the parser on the photos themselves is the ceiling.",
    )  # fmt: skip
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
    four = protocols.add_parser(
        "person", parents=[data, weights, size, judge],
        help="learn faces: how near do renders come, and do they still obey?",
        description="Render held-out photos before and after learning each face: unedited, and with another face's "
        "mouth, which is also laid into the photo. Minutes a photo on a CPU.",
    )  # fmt: skip
    four.add_argument("--count", type=int, default=20, metavar="COUNT", help="photos to learn (default: %(default)s)")
    four.add_argument("--steps", type=int, metavar="COUNT", help="steps of learning (default: the editor's)")
    four.add_argument("-o", "--out", type=Path, metavar="FOLDER", help="write a sheet of the faces here")
    five = protocols.add_parser(
        "faces", parents=[figures, weights, out],
        help="faces in whole photos: are the eyes where people marked them?",
        description="Find the face of every photo that FOLDER/landmarks.json names, a list of objects with file, "
        "right_eye and left_eye ([x, y] in pixels, the person's own right and left), and compare the eyes.",
    )  # fmt: skip
    five.add_argument("--portraits", type=Path, required=True, metavar="FOLDER", help="photos and landmarks.json")
    six = protocols.add_parser(
        "boxes", parents=[data, weights, size, out],
        help="box renders against full renders of the same edits",
        description="Paint on held-out faces, render boxes while the brush moves and the whole image at the end, on "
        "the CPU, and compare, in levels of 255. Minutes; the strip shows the middling and the worst of every kind.",
    )  # fmt: skip
    six.add_argument("--count", type=int, default=50, metavar="COUNT", help="edits a kind (default: %(default)s)")
    six.add_argument("--precision", choices=("auto", "float32", "bfloat16"), default="auto")
    six.add_argument("--growths", action="store_true", help="instead, compare how far boxes may grow, on 40 edits")
    protocols.add_parser(
        "completion", parents=[data, systems],
        help="edits redrawn from the photo around them, beside the present composite",
        description="Hide parts of held-out photos and redraw them; edit held-out photos with parts of the next face; "
        "by a network that sees the photo around the edit (maskgan-context) and by the present composite. Measures the "
        "holes, the seams around them and whether edits show what was asked for. Minutes.",
    )  # fmt: skip
    seven = protocols.add_parser(
        "smiles", parents=[figures, systems],
        help="neutral faces made to smile, beside the person's real smile",
        description="FOLDER holds photos of the same people, NAME-neutral_NUMBER and NAME-smiling_NUMBER, cut to the "
        "aligned square. Every neutral photo takes the mouth of its own smile's label map; the truth is the smile.",
    )  # fmt: skip
    seven.add_argument("--portraits", type=Path, required=True, metavar="FOLDER", help="the photos")
    eight = protocols.add_parser(
        "everyday", parents=[weights, baseline],
        help="the twelve edits that people try first, on any portraits, to be looked at",
        description="Make twelve edits on the bundled portraits and on photos of FOLDER, by the present composite and "
        "by a network that sees the photo around the edit; writes a sheet a face, at 512 px.",
    )  # fmt: skip
    eight.add_argument("--data", type=Path, required=True, metavar="FOLDER", help="lends a smile and glasses")
    eight.add_argument("--validation", type=int, default=91, metavar="COUNT", help="photos held out in it")
    eight.add_argument("--portraits", type=Path, metavar="FOLDER", help="photos of faces, of any kind")
    eight.add_argument("--count", type=int, default=6, metavar="COUNT", help="of them (default: %(default)s)")
    eight.add_argument("-o", "--out", type=Path, required=True, metavar="FOLDER", help="for the sheets")
    three = protocols.add_parser(
        "showcase", parents=[weights],
        help="edit the bundled portraits, for the README's picture",
        description="Edit the bundled portraits with fixed strokes; writes one sheet of before and after.",
    )  # fmt: skip
    three.add_argument("-o", "--out", type=Path, required=True, metavar="FILE", help="where the sheet goes")
    return parser


def _check(given: argparse.Namespace) -> None:
    """Refuse what would fail only after minutes of measuring."""
    for name in ("validation", "rows", "size", "count", "steps"):
        value = getattr(given, name, None)
        if value is not None and value < 1:
            raise UserError(f"--{name} {value} must be at least 1.")
    if getattr(given, "size", None) is not None and given.protocol != "parsing":  # which compares at any side
        try:
            DmnConfig.check_side(given.size)
        except UserError as error:
            raise UserError(f"--size: {error}") from error
    # The other commands make a folder of --out, or write nothing else.
    for name in ("json", "grid", "out") if given.protocol in _SHEETS else ("json", "grid"):
        check_parent(f"--{name}", getattr(given, name, None))


# torch takes seconds to load: --help and wrong usage need not wait for it, so every protocol imports its own.


def _measure(given: argparse.Namespace) -> None:
    from maskedit import imaging
    from maskedit.evaluation import protocols

    found = getattr(protocols, given.protocol)(given)
    # Printed before anything is written: a full disk must not cost minutes of measuring.
    print("\n".join(found.lines))
    if given.json is not None:
        write_json("--json", given.json, found.figures)
    path = getattr(given, "grid", None) or getattr(given, "out", None)
    if path is not None:
        path = path / "person.png" if given.protocol == "person" else path
        with disk_errors():
            path.parent.mkdir(parents=True, exist_ok=True)
            print(imaging.write_photo(path, found.sheet(), overwrite=True))


def _everyday(given: argparse.Namespace) -> None:
    from maskedit.evaluation.everyday import everyday_edits, photos_in

    portraits = [] if given.portraits is None else photos_in(given.portraits, given.count)
    given.out.mkdir(parents=True, exist_ok=True)
    for path in everyday_edits(
        given.data, portraits, given.out, weights=given.weights, baseline=given.baseline, validation=given.validation
    ):
        print(path)


def _showcase(given: argparse.Namespace) -> None:
    from maskedit import imaging
    from maskedit.evaluation.showcase import showcase
    from maskedit.render.renderer import Renderer

    sheet = showcase(Renderer(given.weights, precision="float32", engine="torch"))
    print(imaging.write_photo(given.out, sheet, quality=90, overwrite=True))


_SHEETS = ("faces", "boxes", "completion", "smiles")
"""Protocols that write a sheet to the file ``--out``."""


if __name__ == "__main__":
    sys.exit(main())
