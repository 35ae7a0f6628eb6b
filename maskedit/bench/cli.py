"""``maskedit-bench``: how fast this machine redraws a face, how soon a stroke of the brush is on the screen, and what
memory the editor takes."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from maskedit.bench.report import HEADER, Job, Row, in_a_process, line, memory_line, stroke_line
from maskedit.errors import UserError
from maskedit.models.config import PRESETS, DmnConfig
from maskedit.processes import processor_name
from maskedit.shell import check_parent, command_parser, run_command, whole_number, write_json

EXAMPLE = """examples:
  maskedit-bench                                        every preset but tiny, with untrained weights
  maskedit-bench --weights weights/context.safetensors  a file, with the errors of each mode
  maskedit-bench --preset paper --device cpu,cuda --json bench.json

The baseline is what the released code does: style encoder and generator for every picture, in float32, as torch runs
them. Each ratio is how many times faster a row is, on the same device in the same run.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status, 1 after one sentence for what a person can mend."""
    given = _parser().parse_args(arguments)
    return run_command("maskedit-bench", lambda: _bench(given))


def _parser() -> argparse.ArgumentParser:
    parser = command_parser("maskedit-bench", __doc__, EXAMPLE)
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--preset", type=_several(_preset), default=("paper", "compact", "small"), metavar="NAMES",
        help=f"of {', '.join(PRESETS)}: networks with random weights (default: paper,compact,small)",
    )  # fmt: skip
    which.add_argument("--weights", type=Path, metavar="FILE", help="a .safetensors file instead of presets")
    parser.add_argument(
        "--device", type=_several(str), default=("auto",), metavar="NAMES",
        help="auto, cpu, cuda, cuda:N or mps, or several of them (default: auto)",
    )  # fmt: skip
    parser.add_argument(
        "--precision", default="auto", choices=("auto", "float32", "bfloat16"), help="of the renderer (default: auto)"
    )
    parser.add_argument(
        "--size",
        type=whole_number(1, check=DmnConfig.check_side),
        metavar="PIXELS",
        help="side to render at (default: the weights' own)",
    )
    parser.add_argument(
        "--seconds", type=_seconds, default=5.0, metavar="S",
        help="at least so long for each row, and three measurements (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--threads", type=whole_number(1), default=0, metavar="N", help="of torch (default: torch's choice)"
    )
    parser.add_argument(
        "--edits", type=_several(whole_number(1)), default=(16, 64, 128, 256), metavar="PIXELS",
        help="sides of the edited squares; larger ones than the render are left out (default: 16,64,128,256)",
    )  # fmt: skip
    parser.add_argument(
        "--stroke", action=argparse.BooleanOptionalAction, default=True,
        help="paint a recorded stroke of 3 seconds in the editor's window as well",
    )  # fmt: skip
    parser.add_argument(
        "--load", type=whole_number(1), default=0, metavar="N",
        help="paint the stroke once more with N busy processes beside it, as on a machine that does something else too",
    )  # fmt: skip
    parser.add_argument(
        "--memory", action=argparse.BooleanOptionalAction, default=True,
        help="open, edit and export photos of 512 px and of 24 megapixels in the editor's window as well, and tell how "
        "much memory that took",
    )  # fmt: skip
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here as well")
    return parser


def _several(convert: Callable[[str], object]) -> Callable[[str], tuple]:
    def values(text: str) -> tuple:
        return tuple(dict.fromkeys(convert(part.strip()) for part in text.split(",")))

    return values


def _preset(text: str) -> str:
    if text not in PRESETS:
        raise argparse.ArgumentTypeError(f"{text!r} is no preset; give some of {', '.join(PRESETS)}")
    return text


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < 3600:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds between 0 and 3600")
    return seconds


def _bench(given: argparse.Namespace) -> None:
    check_parent("--json", given.json)
    devices = _devices(given.device)
    hardware = _hardware(devices, given.threads)
    print(hardware)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        for name in (None,) if given.weights else given.preset:
            for job in _jobs(given, name, devices, Path(folder)):
                rows += _measured(job, loads=sorted({0, given.load}) if given.stroke else ())
                rows += _memory(job) if given.memory else []
    if given.json is not None:
        write_json("--json", given.json, {"hardware": hardware, "rows": [asdict(row) for row in rows]})


def _jobs(given: argparse.Namespace, preset: str | None, devices: Sequence[str], folder: Path) -> list[Job]:
    """One job a device; the preset's random weights are written into the folder, or those given are used."""
    # torch takes seconds to load: --help and wrong usage need not wait for it.
    import torch

    from maskedit.models.checkpoint import read_header, save_checkpoint
    from maskedit.models.dense_mapping import DenseMappingNetwork

    if preset is None:
        file, name = given.weights, given.weights.name
        config = read_header(file).config
    else:
        torch.manual_seed(0)
        name, config = preset, PRESETS[preset]
        file = save_checkpoint(folder / f"{preset}.safetensors", DenseMappingNetwork(config), {})
    size = given.size or config.size
    return [
        Job(
            name, file, preset is not None, device, given.precision, size, given.seconds, given.threads,
            tuple(given.edits),
        )
        for device in devices
    ]  # fmt: skip


def _measured(job: Job, *, loads: Sequence[int]) -> list[Row]:
    """The rows of a job, printed as they come: its renders, and a stroke beside each of these numbers of processes."""
    from maskedit.bench.renders import measure_renders

    rows = in_a_process(measure_renders, job)
    weights = "random weights, as fast as trained ones" if job.random else "weights of that file"
    print(f"\n{job.preset} at {job.size} px on {job.device}: {rows[1].engine}; {weights}\n{HEADER}")
    for row in rows:
        print(line(row), flush=True)
    baseline = rows[0].seconds
    for load in loads:
        from maskedit.bench.stroke import measure_stroke

        for row in in_a_process(measure_stroke, replace(job, load=load)):
            if row.work != "stroke to paint" and not load:  # the baseline had the processors to itself
                row = replace(row, ratio=baseline / row.seconds if row.seconds else None)
            rows.append(row)
            print(stroke_line(row), flush=True)
    return rows


def _memory(job: Job) -> list[Row]:
    """The rows of the editor's memory, printed as they come."""
    from maskedit.bench.memory import measure_large_memory, measure_memory

    rows = []
    for work in (measure_memory, measure_large_memory):
        for row in in_a_process(work, job):
            rows.append(row)
            print(memory_line(row), flush=True)
    return rows


def _devices(names: Sequence[str]) -> list[str]:
    """The devices that are meant, each once."""
    from maskedit.models.device import choose_device

    try:
        return list(dict.fromkeys(str(choose_device(name)) for name in names))
    except UserError as error:
        raise UserError(f"--device: {error}") from error


def _hardware(devices: Sequence[str], threads: int) -> str:
    import torch

    names = [torch.cuda.get_device_name(name) if name.startswith("cuda") else name for name in devices]
    threads = threads or torch.get_num_threads()
    return f"{processor_name()}, {threads} threads, {', '.join(names)}, torch {torch.__version__}"


if __name__ == "__main__":
    sys.exit(main())
