"""Every stage in order, each from the last one's checkpoint: parser, MaskVAE, DMN (small to large), EBST.

A run folder below the given one for every leg; a leg that is finished is not trained again, one that was cut off goes
on where it stopped. So the whole can be killed anywhere and started again with the same command.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

from maskedit.errors import UserError
from maskedit.training.config import AllOptions, DmnOptions, EbstOptions, ParserOptions, RunOptions, VaeOptions
from maskedit.training.dmn import DmnStage
from maskedit.training.ebst import EbstStage
from maskedit.training.loop import train
from maskedit.training.parser import ParserStage
from maskedit.training.run_folder import LATEST, RunFolder
from maskedit.training.vae import VaeStage


@dataclass(frozen=True)
class Leg:
    """One run: photos of ``size`` px, ``batch`` of them a step."""

    size: int
    batch: int
    steps: int


@dataclass(frozen=True)
class Recipe:
    """What a preset's stages take; ``dmn`` grows from leg to leg: most of what it learns, it learns on small photos."""

    parser: Leg
    vae: Leg
    dmn: tuple[Leg, ...]
    ebst: Leg


RECIPES: dict[str, Recipe] = {
    # 24,183 photos: the paper's 200 epochs for the DMN, and as many steps again as half of them for EBST.
    "paper": Recipe(
        Leg(512, 16, 60_000), Leg(512, 16, 300_000), (Leg(256, 8, 200_000), Leg(512, 8, 400_000)), Leg(512, 8, 150_000)
    ),
    # 810 photos on a few CPU cores, in an afternoon.
    "compact": Recipe(
        Leg(128, 16, 4_000),
        Leg(128, 16, 4_000),
        (Leg(64, 16, 650), Leg(128, 8, 1_850), Leg(256, 4, 2_400)),
        Leg(256, 4, 600),
    ),
    "small": Recipe(
        Leg(128, 16, 3_000), Leg(128, 16, 3_000), (Leg(64, 16, 1_000), Leg(128, 8, 2_500)), Leg(128, 8, 800)
    ),
    "tiny": Recipe(Leg(64, 8, 150), Leg(64, 8, 150), (Leg(64, 4, 100), Leg(64, 4, 200)), Leg(64, 4, 60)),
}


def train_all(options: AllOptions) -> Path:
    """Run or go on; returns the run folder of the last leg, whose ``latest.safetensors`` opens in the editor.

    Raises:
        UserError: as the stages; or a leg that was stopped before its end (--minutes, SIGTERM).
    """
    options.check()
    recipe, out = RECIPES[options.preset], Path(options.out)
    _leg(ParserStage, ParserOptions, options, recipe.parser, out / "1-parser")
    vae = _leg(VaeStage, VaeOptions, options, recipe.vae, out / "2-vae")
    earlier = ""
    for number, leg in enumerate(recipe.dmn, start=1):
        run = out / f"3-dmn-{number}-{leg.size}"
        earlier = str(_leg(DmnStage, DmnOptions, options, leg, run, init=earlier))
    return _leg(EbstStage, EbstOptions, options, recipe.ebst, out / "4-ebst", init=earlier, vae=str(vae / LATEST))


def _leg(stage: type, kind: type[RunOptions], options: AllOptions, leg: Leg, out: Path, **given: str) -> Path:
    """Train one leg with what the options and its recipe say."""
    shared = {field.name for field in fields(kind)} & {field.name for field in fields(options)}
    values = {name: getattr(options, name) for name in shared} | {"out": str(out), "size": leg.size, "batch": leg.batch}
    steps = max(1, round(leg.steps * options.share))
    values |= {"steps": steps, "validate_every": min(options.validate_every, steps), **given}
    run = train(stage, kind(**values))
    reached = RunFolder(run).load_state()["progress"]["step"]
    if reached < steps:
        raise UserError(f"{run} was stopped at step {reached} of {steps}; the same command goes on from there.")
    return run
