"""``maskedit-data``: make training pairs of the published CelebAMask-HQ or of photos alone, and check any pairs."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from maskedit.errors import UserError
from maskedit.shell import check_parent, command_parser, run_command, terminated_as_interrupted, whole_number

EXAMPLE = """example:
  maskedit-data prepare CelebAMask-HQ celebamask-pairs
  maskedit-data label more-faces labelled-pairs
  maskedit-data check celebamask-pairs/train --html sheet.html
"""
PREPARE = """Merge the parts of the published CelebAMask-HQ into label maps and scale the photos, into
OUT/{train,val,test}/{images,masks}, with attributes.csv and poses.csv beside them.
The same command again goes on where it was stopped."""
LABEL = """Make training pairs of photos without label maps: squares of aligned faces, directly in FOLDER, each of any
side. The face parser draws the label maps, into OUT/{images,masks}; the photos are copied as they are. Photos are left
out where the parser is unsure or sees no whole face; OUT/labels.tsv tells of every photo what became of it and why.
The same command again goes on where it was stopped. OUT/labelled.json says that a parser drew these label maps."""
CHECK = """Look at every pair of DIR/images and DIR/masks: missing partners, unreadable files, unknown ids, sizes that
differ, swapped left and right, empty maps, duplicates. Exit status: 0 clean, 1 findings are left, 2 wrong usage.
Classes that no map has are told, but are no finding: a small set may well have no hat."""


def _probability(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number <= 1:
        raise argparse.ArgumentTypeError(f"wanted a number from 0 to 1, not {text!r}")
    return number


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status: 1 after one sentence for what a person can mend, 130 on Ctrl+C."""
    shape = {"formatter_class": argparse.RawDescriptionHelpFormatter, "epilog": EXAMPLE}
    parser = command_parser("maskedit-data", __doc__, EXAMPLE)
    tasks = parser.add_subparsers(dest="task", required=True, metavar="TASK")
    one = tasks.add_parser("prepare", help="the published data set to training pairs", description=PREPARE, **shape)
    one.add_argument("root", type=Path, metavar="ROOT", help="the download, with CelebA-HQ-img/ in it")
    one.add_argument("out", type=Path, metavar="OUT", help="folder for the pairs; it is created")
    one.add_argument(
        "--order", choices=("necklaces", "authors"), default="necklaces",
        help="which parts lie on top: necklaces stay visible, or the authors' order, which hides most under the neck "
        "(default: %(default)s)",
    )  # fmt: skip
    one.add_argument(
        "--size", type=whole_number(16, 4096), default=512, metavar="PIXELS",
        help="side of photos and label maps (default: %(default)s)",
    )  # fmt: skip
    one.add_argument("--no-split", dest="split", action="store_false", help="all pairs in one folder")
    one.add_argument("--force", action="store_true", help="remove the pairs an earlier run made, and begin anew")
    two = tasks.add_parser("check", help="look for flaws in a folder of pairs", description=CHECK, **shape)
    two.add_argument("folder", type=Path, metavar="DIR", help="folder with images/ and masks/")
    two.add_argument("--fix", action="store_true", help="write label maps with swapped left and right anew, mended")
    two.add_argument("--html", type=Path, metavar="FILE", help="write a sheet with thumbnails of the findings")
    three = tasks.add_parser("label", help="photos without label maps to training pairs", description=LABEL, **shape)
    three.add_argument("folder", type=Path, metavar="FOLDER", help="the photos; it is only read")
    three.add_argument("out", type=Path, metavar="OUT", help="folder for the pairs; it is created")
    three.add_argument(
        "--parser", type=Path, metavar="FILE", help="a face parser's weights (default: the shipped ones)"
    )
    three.add_argument(
        "--least-confidence", type=_probability, metavar="P",
        help="leave photos out whose labels have a lower mean probability, from 0 to 1 (default: 0.87)",
    )  # fmt: skip
    three.add_argument(
        "--skip", action="append", default=[], metavar="PATTERN",
        help="leave photos out whose names match, as 'synthetic_*'; may be given several times",
    )  # fmt: skip
    three.add_argument(
        "--force", action="store_true",
        help="go on in a folder begun with other options: remove what another parser drew, judge the rest anew",
    )  # fmt: skip
    for task in (one, two, three):
        task.add_argument(
            "--workers", type=whole_number(1, 256), metavar="COUNT", help="processes at most (default: one a core)"
        )
    given = parser.parse_args(arguments)
    from maskedit.workers import default_workers

    given.workers = given.workers or default_workers()

    def work() -> int:
        with terminated_as_interrupted():
            return {"prepare": _prepare, "check": _check, "label": _label}[given.task](given)

    return run_command("maskedit-data", work, stopped=lambda: f". {_left_behind(given)}")


def _prepare(given: argparse.Namespace) -> int:
    from maskedit.data import prepare

    options = prepare.PrepareOptions(order=given.order, size=given.size, split=given.split)
    summary = prepare.prepare(given.root, given.out, options, workers=given.workers, force=given.force)
    counts = ", ".join(f"{name} {count:,}" for name, count in summary.pairs.items() if name)
    total = summary.made + summary.kept
    print(f"{given.out}: {total:,} pairs at {options.size} px{f' ({counts})' if counts else ''}")
    print(f"  made now {summary.made:,}, there already {summary.kept:,}")
    if summary.skipped:
        print(f"  skipped {len(summary.skipped):,}, listed in {prepare.SKIPPED}: {prepare.skipped_text(summary)}")
    else:
        print("  skipped none")
    if summary.strays:
        print(
            f"  {len(summary.strays):,} files among the parts are none and were ignored, the first {summary.strays[0]}"
        )
    print(f"  tables: {', '.join(f'{name}.csv' for name in summary.tables) or 'none, ROOT has no annotation files'}")
    return 0


def _check(given: argparse.Namespace) -> int:
    from maskedit.data import check, sheet

    check_parent("--html", given.html)
    report = check.check(given.folder, workers=given.workers, fix=given.fix)
    print("\n".join(check.table(report)))
    if given.html is not None:
        sheet.write_sheet(given.html, report)
        print(f"sheet: {given.html}")
    return 1 if report.left else 0


def _label(given: argparse.Namespace) -> int:
    from maskedit.data import label

    least = label.LEAST_CONFIDENCE if given.least_confidence is None else given.least_confidence
    options = label.LabelOptions(parser=given.parser, least_confidence=least, skip=tuple(given.skip))
    summary = label.label(given.folder, given.out, options, workers=given.workers, force=given.force)
    print("\n".join(label.table(given.out, summary)))
    if not summary.made + summary.kept:
        raise UserError(f"No photo of {given.folder} became a pair; {label.TABLE} in {given.out} says why not.")
    return 0


def _left_behind(given: argparse.Namespace) -> str:
    if given.task == "check":
        return "No file is half written."
    if given.task == "label":
        from maskedit.data.label import count_finished
    else:
        from maskedit.data.prepare import count_finished

    return f"{count_finished(given.out):,} pairs are finished; the same command goes on from there."


if __name__ == "__main__":
    sys.exit(main())
