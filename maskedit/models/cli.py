"""``maskedit-weights``: convert the published checkpoint, and say what a weight file holds."""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from maskedit.errors import UserError
from maskedit.models.config import DmnConfig
from maskedit.shell import command_parser, run_command, whole_number

EXAMPLE = """example:
  maskedit-weights import latest_net_G.pth -o weights/official.safetensors
  maskedit-weights info weights/official.safetensors
"""
LICENCE = "non-commercial research (MaskGAN authors)"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status, 1 after one sentence for what a person can mend."""
    parser = command_parser("maskedit-weights", __doc__, EXAMPLE)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    importing = commands.add_parser("import", help="convert the MaskGAN authors' latest_net_G.pth")
    importing.add_argument("source", type=Path, metavar="FILE", help="the published checkpoint; no code in it is run")
    importing.add_argument(
        "-o", "--output", type=Path, required=True, metavar="FILE", help="the .safetensors file to write"
    )
    importing.add_argument("--force", action="store_true", help="replace the output if it exists")
    importing.add_argument(
        "--size", type=whole_number(1, check=DmnConfig.check_side), default=512, metavar="PIXELS",
        help="side it was trained at (default: %(default)s)",
    )  # fmt: skip
    info = commands.add_parser("info", help="print a weight file's network and model card")
    info.add_argument("file", type=Path, metavar="FILE", help="a .safetensors file")
    given = parser.parse_args(arguments)
    return run_command("maskedit-weights", lambda: _run(given))


def _run(given: argparse.Namespace) -> None:
    if given.command == "import":
        import_official(given.source, given.output, force=given.force, size=given.size)
        print(f"{given.output}: converted from {given.source.name}; {LICENCE}")
    else:
        print("\n".join(describe(given.file)))


def import_official(source: Path, output: Path, *, force: bool = False, size: int = 512) -> None:
    """Convert ``latest_net_G.pth`` to safetensors and read the result back.

    Args:
        force: replace an existing ``output``.
        size: side in pixels of the squares the network was trained on.

    Raises:
        UserError: ``output`` exists or cannot be written, or ``source`` is not the released network.
    """
    # torch takes seconds to load: --help and wrong usage need not wait for it.
    from maskedit.models.checkpoint import load_checkpoint, save_checkpoint
    from maskedit.models.official import read_dmn

    if output.suffix.lower() != ".safetensors":
        raise UserError(f"--output {output} must end in .safetensors.")
    if output.exists() and not force:
        raise UserError(f"{output} exists; give --force to replace it, or another --output.")
    network = read_dmn(source, size=size)
    with source.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256")
    card = {"source": source.name, "sha256": digest.hexdigest(), "licence": LICENCE}
    try:
        save_checkpoint(output, network, card)
    except OSError as error:
        raise UserError(f"{output} could not be written ({error.strerror or error}).") from error
    written, _ = load_checkpoint(output)
    kept = written.state_dict()
    for name, value in network.state_dict().items():
        if not kept[name].equal(value.half().float()):
            raise UserError(f"{output} does not read back as it was written ({name} differs); is the disk sound?")


def describe(file: Path) -> Iterator[str]:
    """The lines that ``maskedit-weights info`` prints: network, width, size, parameters and the whole card."""
    import torch

    from maskedit.models.checkpoint import NETWORKS, read_header

    header = read_header(file)
    with torch.device("meta"):
        network = NETWORKS[header.network][1](header.config)
    yield f"network: {header.network}"
    yield f"width: {header.config.width}"
    yield f"size: {header.config.size} px"
    yield f"parameters: {sum(parameter.numel() for parameter in network.parameters()):,}"
    yield "card:" if header.card else "card: empty"
    yield from _entries(header.card, "  ")


def _entries(card: dict, indent: str) -> Iterator[str]:
    for name, value in card.items():
        if isinstance(value, dict):
            yield f"{indent}{name}:"
            yield from _entries(value, indent + "  ")
        else:
            yield f"{indent}{name}: {value}"


if __name__ == "__main__":
    sys.exit(main())
