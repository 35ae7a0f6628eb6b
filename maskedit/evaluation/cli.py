"""``maskedit-eval PROTOCOL``: measure a weight file on photos it was not trained on."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

from maskedit.errors import UserError, disk_errors
from maskedit.models.config import PERCEPTUAL, DmnConfig
from maskedit.shell import check_parent, command_parser, run_command, write_json

if TYPE_CHECKING:
    import numpy as np

    from maskedit.evaluation.edits import Comparison

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
        _RUNS[given.protocol](given)

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


def _write(given: argparse.Namespace, figures: dict, path: Path | None, sheet: Callable[[], np.ndarray]) -> None:
    """Write ``--json``, and the sheet to ``path``, where they were asked for."""
    from maskedit import imaging

    if given.json is not None:
        write_json("--json", given.json, figures)
    if path is not None:
        with disk_errors():
            path.parent.mkdir(parents=True, exist_ok=True)
            print(imaging.write_photo(path, sheet(), overwrite=True))


# torch takes seconds to load: --help and wrong usage need not wait for it, so every protocol imports its own.
# All print their lines before they write: a full disk must not cost minutes of measuring.


def _measure(given: argparse.Namespace) -> None:
    from maskedit.evaluation import protocols

    report = getattr(protocols, given.protocol)(given)
    print("\n".join(report.lines))
    _write(given, report.figures, getattr(given, "grid", None), report.sheet)


def _person(given: argparse.Namespace) -> None:
    from maskedit.data.folder import find_split
    from maskedit.data.pairs import load_pairs
    from maskedit.evaluation.person import person_figures, sheet
    from maskedit.models.perceptual import make_perceptual
    from maskedit.render.renderer import Renderer

    perceptual = make_perceptual("parser" if given.parser is None else f"parser:{given.parser}")
    renderer = Renderer(given.weights, size=given.size, engine="torch")
    pairs = load_pairs(find_split(given.data, given.validation)[1], renderer.size)
    person = person_figures(
        renderer, perceptual.features.parser, pairs, perceptual, count=given.count, steps=given.steps
    )
    print(f"{len(person.rows)} held-out faces learned by {renderer.weights.name}, {renderer.engine}")
    print("\n".join(person.lines))
    figures = {"protocol": "person", "weights": renderer.weights.name, "size": renderer.size}
    figures |= {"mean": person.means, "photos": person.rows}
    _write(given, figures, None if given.out is None else given.out / "person.png", lambda: sheet(person))


def _faces(given: argparse.Namespace) -> None:
    from maskedit.evaluation.faces import faces_figures, sheet
    from maskedit.face.parser import FaceParser

    faces = faces_figures(given.portraits, FaceParser(given.weights))
    print("\n".join(faces.lines))
    _write(given, faces.report, given.out, lambda: sheet(faces))


def _boxes(given: argparse.Namespace) -> None:
    if given.growths and given.out is not None:
        raise UserError("--growths makes a table only: leave out -o.")
    from maskedit.evaluation.boxes import boxes_report, sheet

    report, boxes = boxes_report(
        given.data, given.weights, validation=given.validation, count=given.count, size=given.size,
        precision=given.precision, growths=given.growths,
    )  # fmt: skip
    print("\n".join(report.pop("lines")))
    _write(given, report, given.out, lambda: sheet(boxes))


def _completion(given: argparse.Namespace) -> None:
    from maskedit.evaluation.completion import completion_report

    found = completion_report(given.data, _comparison(given), validation=given.validation)
    print("\n".join(found.lines))
    _write(given, found.report, given.out, found.sheet)


def _smiles(given: argparse.Namespace) -> None:
    from maskedit.evaluation.smiles import smiles_report

    found = smiles_report(given.portraits, _comparison(given))
    print("\n".join(found.lines))
    _write(given, found.report, given.out, found.sheet)


def _comparison(given: argparse.Namespace) -> Comparison:
    from maskedit.evaluation.edits import Comparison

    return Comparison(**{field.name: getattr(given, field.name) for field in fields(Comparison)})


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


_RUNS: dict[str, Callable[[argparse.Namespace], None]] = {
    **dict.fromkeys(("reconstruction", "agreement", "parsing", "masks"), _measure),
    "person": _person,
    "faces": _faces,
    "boxes": _boxes,
    "completion": _completion,
    "smiles": _smiles,
    "everyday": _everyday,
    "showcase": _showcase,
}
"""Protocol -> what runs it."""
_SHEETS = ("faces", "boxes", "completion", "smiles")
"""Protocols that write a sheet to the file ``--out``."""


if __name__ == "__main__":
    sys.exit(main())
