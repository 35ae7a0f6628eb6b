"""``maskedit-train STAGE``: train the networks that the editor uses."""

from __future__ import annotations

import argparse
import dataclasses
import importlib
import sys
from collections.abc import Sequence

from maskedit.errors import UserError
from maskedit.training.config import (
    AllOptions,
    BenchOptions,
    ContextOptions,
    DmnOptions,
    EbstOptions,
    ParserOptions,
    RunOptions,
    VaeOptions,
)

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
STAGES: dict[str, tuple[type[Options], str]] = {
    "parser": (ParserOptions, "maskedit.training.parser:ParserStage"),
    "vae": (VaeOptions, "maskedit.training.vae:VaeStage"),
    "dmn": (DmnOptions, "maskedit.training.dmn:DmnStage"),
    "ebst": (EbstOptions, "maskedit.training.ebst:EbstStage"),
    "context": (ContextOptions, "maskedit.training.context:ContextStage"),
    "all": (AllOptions, "maskedit.training.all:train_all"),
    "bench": (BenchOptions, "maskedit.training.bench:bench"),
}
"""Stage, or what is done with all of them -> options, and where it is: torch loads only when a run begins."""


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
    parser = argparse.ArgumentParser(
        prog="maskedit-train", description=__doc__, epilog=EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    stages = parser.add_subparsers(dest="stage", required=True, metavar="STAGE")
    for name, (options_type, _) in STAGES.items():
        stage = stages.add_parser(
            name, help=options_type.__doc__, description=options_type.__doc__,
            epilog=BENCH_EXAMPLE if name == "bench" else None, formatter_class=argparse.RawDescriptionHelpFormatter,
        )  # fmt: skip
        add_options(stage, options_type)
        stage.add_argument("--dry-run", action="store_true", help="print options and networks' sizes, and stop")
    given = vars(parser.parse_args(arguments))
    name = given.pop("stage")
    options_type, place = STAGES[name]
    dry_run = given.pop("dry_run")
    try:
        options = options_type(**given)
        options.check()
        module, _, attribute = place.partition(":")
        stage_or_function = getattr(importlib.import_module(module), attribute)
        if dry_run:
            _describe(stage_or_function, options)
            return 0
        if name == "bench":
            stage_or_function(options)
            return 0
        if name == "all":
            run = stage_or_function(options)
        else:
            from maskedit.training.loop import train

            run = train(stage_or_function, options)
    except UserError as error:
        print(f"maskedit-train: {error}", file=sys.stderr)
        return 1
    print(f"{run}: latest.safetensors and best.safetensors hold the trained network")
    return 0


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
