"""``maskedit-train STAGE``: train the networks that the editor uses."""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Sequence
from typing import Any

from maskedit.shell import command_parser, run_command
from maskedit.training.config import STAGES, AllOptions, BenchOptions, RunOptions, imported

EXAMPLE = """example:
  maskedit-train dmn --data celebamask-hq --preset paper --perceptual vgg19 --out runs/paper
  the same command again goes on where the run stopped
  maskedit-train parser --data celebamask-hq --data more-faces:0.25    each of these a quarter as often
"""

BENCH_EXAMPLE = """example:
  maskedit-train bench --preset paper --perceptual vgg19 --json bench.json
  maskedit-train bench --preset compact --recipe    how long `maskedit-train all --preset compact` takes here
"""

Options = RunOptions | AllOptions | BenchOptions
WORK: dict[str, tuple[type[Options], str]] = {
    **STAGES,
    "all": (AllOptions, "maskedit.training.all:train_all"),
    "bench": (BenchOptions, "maskedit.training.bench:bench"),
}
"""Stage, or what is done with all of them -> options, and where it is."""


def add_options(parser: argparse.ArgumentParser, options: type) -> None:
    """A flag for every field of a dataclass of options."""
    for field in dataclasses.fields(options):
        flag, text = "--" + field.name.replace("_", "-"), field.metadata["help"]
        if isinstance(field.default, bool):
            parser.add_argument(flag, action=argparse.BooleanOptionalAction, default=field.default, help=text)
        elif isinstance(field.default, tuple):
            parser.add_argument(flag, action="append", default=[], metavar=field.metadata["metavar"], help=text)
        else:
            parser.add_argument(
                flag, type=type(field.default), default=field.default, choices=field.metadata.get("choices"),
                metavar=None if field.metadata.get("choices") else type(field.default).__name__.upper(),
                help=f"{text} (default: {field.default})" if field.default != "" else text,
            )  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status, 1 after one sentence for what a person can mend."""
    parser = command_parser("maskedit-train", __doc__, EXAMPLE)
    stages = parser.add_subparsers(dest="stage", required=True, metavar="STAGE")
    for name, (options_type, _) in WORK.items():
        stage = stages.add_parser(
            name, help=options_type.__doc__, description=options_type.__doc__,
            epilog=BENCH_EXAMPLE if name == "bench" else None, formatter_class=parser.formatter_class,
        )  # fmt: skip
        add_options(stage, options_type)
        stage.add_argument("--dry-run", action="store_true", help="print options and networks' sizes, and stop")
    given = vars(parser.parse_args(arguments))
    name, dry_run = given.pop("stage"), given.pop("dry_run")
    return run_command("maskedit-train", lambda: _run(name, given, dry_run=dry_run))


def _run(name: str, given: dict[str, Any], *, dry_run: bool) -> None:
    options_type, place = WORK[name]
    options = options_type(**given)
    options.check()
    stage_or_function = imported(place)
    if dry_run:
        _describe(stage_or_function, options)
    elif name == "bench":
        stage_or_function(options)
    else:
        from maskedit.training.loop import train

        run = stage_or_function(options) if name == "all" else train(stage_or_function, options)
        print(f"{run}: latest.safetensors and best.safetensors hold the trained network")


def _describe(stage_type, options: Options) -> None:
    import torch

    for name, value in options.to_dict().items():
        print(f"{name} = {value}")
    if isinstance(options, BenchOptions):
        from maskedit.training.bench import jobs

        for job in jobs(options):
            print(job)
        return
    if isinstance(options, AllOptions):
        from maskedit.training.all import RECIPES

        for name, legs in vars(RECIPES[options.preset]).items():
            print(f"{name}: {legs}")
        return
    with torch.device("meta"):  # sizes without memory
        stage = stage_type(options, torch.device("meta"))
    for name, network in stage.networks.items():
        print(f"{name}: {sum(parameter.numel() for parameter in network.parameters()):,} parameters")


if __name__ == "__main__":
    sys.exit(main())
