"""``maskedit-train STAGE``: train the networks that the editor uses."""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Sequence

from maskedit.errors import UserError
from maskedit.training.config import DmnOptions

EXAMPLE = """example:
  maskedit-train dmn --data celebamask-hq --preset paper --perceptual vgg19 --out runs/paper
  the same command again goes on where the run stopped
"""


def add_options(parser: argparse.ArgumentParser, options: type) -> None:
    """A flag for every field of a dataclass of options."""
    for field in dataclasses.fields(options):
        flag, text = "--" + field.name.replace("_", "-"), field.metadata["help"]
        if isinstance(field.default, bool):
            parser.add_argument(flag, action=argparse.BooleanOptionalAction, default=field.default, help=text)
        else:
            parser.add_argument(
                flag, type=type(field.default), default=field.default, choices=field.metadata.get("choices"),
                metavar=None if field.metadata.get("choices") else type(field.default).__name__.upper(),
                help=f"{text} (default: {field.default})" if field.default != "" else text,
            )  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="maskedit-train", description=__doc__, epilog=EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    stages = parser.add_subparsers(dest="stage", required=True, metavar="STAGE")
    dmn = stages.add_parser("dmn", help="stage I: the Dense Mapping Network", description=DmnOptions.__doc__)
    add_options(dmn, DmnOptions)
    dmn.add_argument("--dry-run", action="store_true", help="print the options and the networks' sizes, and stop")
    given = vars(parser.parse_args(arguments))
    given.pop("stage")
    dry_run = given.pop("dry_run")
    try:
        options = DmnOptions(**given)
        options.check()
        if dry_run:
            return _dry_run(options)
        from maskedit.training.dmn import DmnStage
        from maskedit.training.loop import train

        run = train(DmnStage, options)
    except UserError as error:
        print(f"maskedit-train: {error}", file=sys.stderr)
        return 1
    print(f"{run}: latest.safetensors and best.safetensors open in the editor (maskedit --weights FILE)")
    return 0


def _dry_run(options: DmnOptions) -> int:
    import torch

    from maskedit.models.config import PRESETS
    from maskedit.models.dense_mapping import DenseMappingNetwork
    from maskedit.models.discriminator import MultiscaleDiscriminator

    with torch.device("meta"):
        generator = DenseMappingNetwork(PRESETS[options.preset])
        discriminator = MultiscaleDiscriminator(options.discriminator_width or PRESETS[options.preset].width)
    for name, value in options.to_dict().items():
        print(f"{name} = {value}")
    for name, network in (("generator", generator), ("discriminator", discriminator)):
        print(f"{name}: {sum(parameter.numel() for parameter in network.parameters()):,} parameters")
    return 0


if __name__ == "__main__":
    sys.exit(main())
