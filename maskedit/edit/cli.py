"""``maskedit-edit``: edit faces without a window."""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import multiprocessing
import os
import re
import sys
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

from maskedit.errors import UserError, explain
from maskedit.imaging import Square
from maskedit.labels import BY_NAME, FACE_PARTS, STYLE_PARTS
from maskedit.logs import logging_to
from maskedit.opening.files import photos_in
from maskedit.opening.other_face import WantedStyle
from maskedit.processes import follow_parent
from maskedit.shell import add_device, command_parser, run_command, whole_number

if TYPE_CHECKING:
    from maskedit.edit.jobs import Job, Options

logger = logging.getLogger(__name__)

DESCRIPTION = """Find the face in every photo, change its label map, and write the photo with the edited face in it:
only what the edit is about changes. The label map comes from a file you painted (--labels), or takes
a smile, hair .. or everything from another face (--source), or repeats what you edited in the window, on the same
photo or on others (--session). Hair, lips, skin .. take the colours of another face, or
one of your choice (--style), with the labels or without.

With --parse-only the masks of your own photo are written instead: NAME_face.png, the aligned square;
NAME_face_labels.png, its label map, to be painted in any program that keeps palettes; NAME_face.json, where in the
photo the square lies, in pixels: centre x, centre y, side, degrees clockwise. With --face all they are called
NAME_face_1.png and so on. Then
  maskedit-edit me.jpg --labels OUT/me_face_labels.png --square OUT/me_face.json -o edited.jpg
lays the edit exactly where the square was. Without --square the face is found again.

What the window asks is decided here: a label map in another project's class order is remapped, one in a lossy
format is refused. A photo is parsed anew, whatever lies beside it: --own-labels names its label map.

An output that ends in .ora (OpenRaster, for Krita, GIMP ..) holds layers: the photo, the edit with soft edges,
and, hidden, the label map and the hole that was redrawn. In a folder, --suffix _layers.ora makes such files.

A photo that fails is told, and the others go on. What is there already is left out, so that the same
command goes on where it was stopped. "changed outside the edit" is measured before JPEG compresses the result.
Exit status: 0 all done, 1 a photo failed, 2 wrong usage."""
EXAMPLE = """example:
  maskedit-edit me.jpg --source friend.jpg --classes smile -o smiling.jpg
  maskedit-edit holiday/ --source friend_labels.png --classes mouth,u_lip,l_lip -o smiling/ --face all --workers 2
  maskedit-edit me.jpg --style hair=friend.jpg:0.8 --style lips=#a01830 -o coloured.jpg
  maskedit-edit --session me.maskedit me.jpg friends/ -o edited/
  maskedit-edit me.jpg --parse-only -o masks/
  torchrun --nproc-per-node 8 -m maskedit.edit.cli photos/ --source smile.png --classes smile -o smiling/
"""
_WRITABLE = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp", ".ora")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status: 1 if a photo failed, 130 on Ctrl+C."""
    parser = _parser()
    given = parser.parse_intermixed_args(arguments)  # a shell's *.jpg may stand at the end
    try:
        _check(given)
    except UserError as error:
        parser.error(str(error))

    def work() -> int:
        jobs = _jobs(given)
        return _run(given, jobs, 0) if given.workers == 1 else _in_processes(given, jobs)

    return run_command("maskedit-edit", work, stopped=lambda: "; the same command goes on from there.")


def _parser() -> argparse.ArgumentParser:
    parser = command_parser("maskedit-edit", DESCRIPTION, EXAMPLE)
    parser.add_argument("photos", type=Path, nargs="+", metavar="PHOTO", help="photos, or folders of them")
    parser.add_argument(
        "-o", "--out", type=Path, required=True, metavar="OUT",
        help="a file for one photo, else a folder, which is created; one without an image's extension is a folder; "
        "NAME.ora is written in layers",
    )  # fmt: skip
    what = parser.add_argument_group("what to do")
    labels = what.add_mutually_exclusive_group()
    labels.add_argument(
        "--labels", type=Path, metavar="FILE",
        help="the edited label map of the square, of any size; or a folder with NAME_face_labels.png, NAME_labels.png "
        "or NAME.png for each",
    )  # fmt: skip
    labels.add_argument(
        "--source", type=Path, metavar="FILE",
        help="take labels from this label map or session, or from a photo: of NAME_labels.png beside it, else parsed",
    )  # fmt: skip
    labels.add_argument(
        "--session", type=Path, metavar="FILE",
        help="lay this session's edit, styles too, on the photos: as it is on the photo that it was made for, on "
        "others carried over to the face there",
    )  # fmt: skip
    labels.add_argument("--parse-only", action="store_true", help="write the aligned square and its label map")
    what.add_argument(
        "--style", dest="styles", type=_style, action="append", default=[], metavar="PART=FROM[:STRENGTH]",
        help="colour a part of the face as it is in another photo or session, or as #rrggbb, by 0 to 1 (default: 1); "
        f"of {', '.join(STYLE_PARTS)}; may be given for several",
    )  # fmt: skip
    how = parser.add_argument_group("how")
    how.add_argument(
        "--classes", type=_classes, metavar="NAMES",
        help=f"what to take of --source (default: all of it): {', '.join(map(str.lower, FACE_PARTS))}, or names of "
        "classes, with commas between",
    )  # fmt: skip
    how.add_argument(
        "--own-labels", type=Path, metavar="FILE",
        help="the unedited label map of the square, or a folder as for --labels, instead of parsing",
    )  # fmt: skip
    how.add_argument("--face", type=_face, default=1, metavar="N", help="1 for the largest (default), 2 .., or all")
    how.add_argument(
        "--square", type=_square, metavar="X,Y,SIDE[,DEGREES]",
        help="where the face is, instead of finding it: centre, side and turn; or the .json of --parse-only",
    )  # fmt: skip
    how.add_argument("--whole-face", action="store_true", help="show the render everywhere in the square")
    how.add_argument("--no-detail", action="store_true", help="match colours only, without the photo's fine detail")
    how.add_argument(
        "--learn", type=whole_number(1), nargs="?", const=0, metavar="STEPS",
        help="learn each face first, so that renders show this very person: minutes a face on a CPU",
    )  # fmt: skip
    how.add_argument("--crop-only", action="store_true", help="write the edited square of 512 px, not the whole photo")
    files = parser.add_argument_group("files")
    files.add_argument("--suffix", default="", metavar="TEXT", help="end of names in a folder: _smile, or _smile.png")
    files.add_argument("--quality", type=int, default=95, help="of JPEG and WebP, 1 to 100 (default: %(default)s)")
    files.add_argument("--overwrite", action="store_true", help="write anew what is there already")
    files.add_argument("--verbose", action="store_true", help="write the log to the terminal: tracebacks, for one")
    networks = parser.add_argument_group("networks")
    networks.add_argument("--weights", type=Path, metavar="FILE", help="that render (default: the shipped ones)")
    networks.add_argument("--parser", type=Path, metavar="FILE", help="a face parser's (default: the shipped ones)")
    add_device(networks)
    many = parser.add_argument_group("many photos")
    many.add_argument(
        "--workers", type=whole_number(1), default=1, metavar="N", help="processes here (default: %(default)s)"
    )
    many.add_argument(
        "--rank", type=int, metavar="R", help="which of several machines or processes this is (default: $RANK, else 0)"
    )
    many.add_argument(
        "--world-size", type=int, metavar="W", help="how many there are; each does every W-th photo ($WORLD_SIZE, or 1)"
    )
    return parser


# Arguments ------------------------------------------------------------------------------------------------------


def _face(text: str) -> int:
    return 0 if text == "all" else whole_number(1)(text)


def _classes(text: str) -> tuple[int, ...]:
    parts = {name.lower(): ids for name, ids in FACE_PARTS.items()} | {name: (it.id,) for name, it in BY_NAME.items()}
    names = [name.strip().lower() for name in text.split(",")]
    unknown = [name for name in names if name not in parts]
    if unknown:
        raise argparse.ArgumentTypeError(f"{unknown[0]!r} is no class; there are {', '.join(parts)}")
    return tuple(sorted({id for name in names for id in parts[name]}))


def _style(text: str) -> WantedStyle:
    match = re.fullmatch(r"(\w+)=(.+?)(?::([0-9.]+))?", text)
    if match is None:
        raise argparse.ArgumentTypeError(f"wanted PART=PHOTO or PART=#rrggbb, with :STRENGTH behind it, not {text!r}")
    part, source, strength = match[1].lower(), match[2], match[3] or "1"
    if part not in STYLE_PARTS:
        raise argparse.ArgumentTypeError(f"{match[1]!r} has no style; there are {', '.join(STYLE_PARTS)}")
    if not re.fullmatch(r"[01]|[01]?\.\d+", strength) or float(strength) > 1:
        raise argparse.ArgumentTypeError(f"a strength is 0 to 1, not {strength}")
    colour = re.fullmatch(r"#([0-9a-fA-F]{6})", source)
    return WantedStyle(part, tuple(bytes.fromhex(colour[1])) if colour else Path(source), float(strength))


def _square(text: str) -> Square:
    """Of numbers, or of the file that ``--parse-only`` wrote."""
    wanted = "wanted X,Y,SIDE or X,Y,SIDE,DEGREES, a side of 1 or more, or the .json of --parse-only"
    try:
        if text.lower().endswith(".json"):
            numbers = json.loads(Path(text).read_text(encoding="utf-8"))["square"]
        else:
            numbers = [float(number) for number in text.split(",")]
        if len(numbers) not in (3, 4):
            raise ValueError
        square = Square(*numbers)
    except OSError as error:
        raise argparse.ArgumentTypeError(f"{text} cannot be read ({error.strerror})") from error
    except (KeyError, TypeError, ValueError) as error:
        raise argparse.ArgumentTypeError(f"{wanted}, not {text!r}") from error
    if square.side < 1 or max(map(abs, (square.x, square.y, square.side, square.degrees))) > 1e6:
        raise argparse.ArgumentTypeError(f"{wanted}, not {text!r}")
    return square


def _check(given: argparse.Namespace) -> None:
    """Refuse what does not go together, and fill in the defaults that others depend on."""
    if not (given.labels or given.source or given.session or given.styles or given.parse_only):
        raise UserError("one of the arguments --labels --source --session --style --parse-only is required")
    parts = [style.part for style in given.styles]
    if len(set(parts)) < len(parts):
        raise UserError(f"--style: a part takes one style, and these came: {', '.join(parts)}.")
    if given.classes is not None and given.source is None:
        raise UserError("--classes says what to take of --source, which is missing.")
    if given.square is not None and given.face != 1:
        raise UserError("--square says where the face is; leave --face out.")
    if given.face == 0 and (given.labels is not None or given.own_labels is not None):
        raise UserError("--face all: a label map fits one face; give --face N, or take labels from a --source.")
    if given.parse_only:
        for name in ("own_labels", "learn", "styles"):
            if getattr(given, name) not in (None, []):
                flag = "style" if name == "styles" else name.replace("_", "-")
                raise UserError(f"--parse-only edits nothing; leave --{flag} out.")
    if not 1 <= given.quality <= 100:
        raise UserError(f"--quality {given.quality}: wanted 1 to 100.")
    if any(letter in given.suffix for letter in ("/", "\\", "\0")):
        raise UserError(f"--suffix {given.suffix}: wanted the end of a name, not a path.")
    given.rank = _from_environment("RANK", 0) if given.rank is None else given.rank
    given.world_size = _from_environment("WORLD_SIZE", 1) if given.world_size is None else given.world_size
    if not 0 <= given.rank < given.world_size:
        raise UserError(f"--rank {given.rank} of --world-size {given.world_size}: wanted ranks from 0, below the size.")
    given.many = len(given.photos) > 1 or given.photos[0].is_dir()
    given.folder = given.many or given.parse_only or given.out.is_dir() or given.out.suffix.lower() not in _WRITABLE
    if given.folder and (given.out.is_file() or (given.out.suffix.lower() in _WRITABLE and not given.out.is_dir())):
        raise UserError(f"-o {given.out} is a file's name; wanted a folder, as several files may come.")
    for name in ("labels", "own_labels"):
        path = getattr(given, name)
        if given.many and path is not None and path.is_file():
            raise UserError(f"--{name.replace('_', '-')} {path}: several photos came; wanted a folder of label maps.")


def _from_environment(name: str, default: int) -> int:
    text = os.environ.get(name, "")
    try:
        return int(text) if text else default
    except ValueError as error:
        raise UserError(f"${name} is {text!r}; wanted a whole number.") from error


# Work -----------------------------------------------------------------------------------------------------------


def _jobs(given: argparse.Namespace) -> list[Job]:
    """Every photo with its output, of all ranks."""
    from maskedit.edit.jobs import Job

    photos = list(
        dict.fromkeys(photo for path in given.photos for photo in (photos_in(path) if path.is_dir() else [path]))
    )
    if not given.folder:
        jobs = [Job(photos[0], given.out)]
    else:
        jobs = [Job(photo, given.out / _name(photo, given)) for photo in photos]
    inputs, outputs = {photo.resolve() for photo in photos}, {}
    for job in jobs:
        if job.out.resolve() in inputs:
            raise UserError(f"{job.out} is one of the photos; choose another folder, or a --suffix.")
        other = outputs.setdefault(job.out, job.photo)
        if other is not job.photo:
            raise UserError(f"{other} and {job.photo} would both be written as {job.out}; edit them into two folders.")
    try:
        (given.out if given.folder else given.out.absolute().parent).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"-o {given.out} cannot be made ({error.strerror}); choose another place.") from error
    return jobs


def _name(photo: Path, given: argparse.Namespace) -> str:
    """What a photo's output is called in a folder; what cannot be written as it came becomes PNG."""
    suffix = Path("_" + given.suffix).suffix.lower()
    if given.parse_only:
        return f"{photo.stem}_face{given.suffix.removesuffix(suffix) if suffix in _WRITABLE else given.suffix}.png"
    if suffix in _WRITABLE:
        return photo.stem + given.suffix
    return photo.stem + given.suffix + (photo.suffix if photo.suffix.lower() in _WRITABLE else ".png")


def _options(given: argparse.Namespace, index: int) -> Options:
    """Process ``index`` of this machine takes a GPU of its own, where there are several."""
    from maskedit.edit.jobs import Options
    from maskedit.render.compositing import Blend

    device = given.device
    if device == "auto":
        import torch

        if torch.cuda.device_count() > 1:
            local = _from_environment("LOCAL_RANK", 0) * given.workers + index
            device = f"cuda:{local % torch.cuda.device_count()}"
    blend = Blend(whole_face=given.whole_face, detail=not given.no_detail)
    names = {field.name for field in fields(Options)} - {"blend", "device", "styles"}
    styles = tuple(given.styles)
    return Options(blend=blend, device=device, styles=styles, **{name: getattr(given, name) for name in names})


def _run(given: argparse.Namespace, jobs: list[Job], index: int) -> int:
    """The share of one process; 1 if a photo failed."""
    with logging_to(verbose=given.verbose):
        return _edit(jobs[given.rank * given.workers + index :: given.world_size * given.workers], given, index)


def _edit(jobs: list[Job], given: argparse.Namespace, index: int) -> int:
    from maskedit.edit.jobs import Editor

    options, failed = _options(given, index), False
    editor: Editor | None = None
    for job in jobs:
        there = None if given.overwrite else job.finished(options)
        if there is not None:
            print(f"{job.photo}: left out, {there} is there already (--overwrite writes it anew)", flush=True)
            continue
        editor = editor or Editor(options)
        try:
            print(editor.run(job), flush=True)
        except Exception as error:  # whatever one photo brought up, from a decoder or a GPU, the others may do
            logger.exception("%s was not edited.", job.photo)
            print(f"maskedit-edit: {job.photo}: {explain(error)}", file=sys.stderr, flush=True)
            failed = True
    return int(failed)


def _in_processes(given: argparse.Namespace, jobs: list[Job]) -> int:
    """Each worker is a rank of its own; 1 if one of them failed."""
    threads = max(1, (os.cpu_count() or 1) // given.workers)
    for name in ("OMP_NUM_THREADS", "OPENCV_FOR_THREADS_NUM"):  # read by torch and OpenCV when they are loaded
        os.environ.setdefault(name, str(threads))
    context = multiprocessing.get_context("spawn")
    workers = [
        context.Process(target=_worker, args=(given, jobs, index), daemon=True)
        for index in range(min(given.workers, len(jobs)))
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return int(any(worker.exitcode for worker in workers))


def _worker(given: argparse.Namespace, jobs: list[Job], index: int) -> None:
    follow_parent()
    with contextlib.suppress(KeyboardInterrupt):  # which the process that started this one tells
        sys.exit(run_command("maskedit-edit", lambda: _run(given, jobs, index)))


if __name__ == "__main__":
    sys.exit(main())
