"""Every stage in order, each from the last one's checkpoint: parser, MaskVAE, DMN (small to large), EBST.

A run folder below the given one for every leg; a leg that is finished is not trained again, one that was cut off goes
on where it stopped. So the whole can be killed anywhere and started again with the same command.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, fields
from pathlib import Path

from tqdm import tqdm

from maskedit.training.config import AllOptions, DmnOptions, EbstOptions, ParserOptions, RunOptions, VaeOptions
from maskedit.training.dmn import DmnStage
from maskedit.training.ebst import EbstStage
from maskedit.training.loop import train
from maskedit.training.parser import ParserStage
from maskedit.training.run_folder import LATEST, RunFolder
from maskedit.training.vae import VaeStage


@dataclass(frozen=True)
class Leg:
    """One run: photos of ``size`` px, ``batch`` of them a step; what is None is the stage's default."""

    size: int
    batch: int
    steps: int
    rate: float | None = None
    decay_from: float | None = None
    balance: float | None = None
    """Of the parser alone."""


@dataclass(frozen=True)
class Recipe:
    """What a preset's stages take; parser and DMN grow from leg to leg: most of what they learn, they learn small."""

    parser: tuple[Leg, ...]
    vae: Leg
    dmn: tuple[Leg, ...]
    ebst: Leg


RECIPES: dict[str, Recipe] = {
    # 24,183 photos: the paper's 200 epochs for the DMN, and as many steps again as half of them for EBST.
    "paper": Recipe(
        (Leg(256, 16, 60_000), Leg(512, 16, 30_000, rate=5e-4)),
        Leg(512, 16, 300_000),
        (Leg(256, 8, 200_000, decay_from=1), Leg(512, 8, 400_000)),
        Leg(512, 8, 150_000),
    ),
    # 810 photos on two CPU cores, in five hours.
    "compact": Recipe(
        # Rare classes weigh much at first, to be learnt at all, and less at last, to be no larger than they are.
        (
            Leg(128, 16, 4_000, decay_from=0.3),
            Leg(256, 8, 1_200, rate=5e-4),
            Leg(256, 8, 600, rate=3e-4, balance=0.2),
        ),
        Leg(128, 16, 4_000, rate=4e-4, decay_from=0.3),
        (Leg(64, 16, 650, decay_from=1), Leg(128, 8, 1_850, decay_from=1), Leg(256, 4, 2_400, decay_from=0.5)),
        Leg(256, 4, 600),
    ),
    "small": Recipe(
        (Leg(128, 16, 3_000),),
        Leg(128, 16, 3_000, rate=4e-4, decay_from=0.3),
        (Leg(64, 16, 1_000, decay_from=1), Leg(128, 8, 2_500)),
        Leg(128, 8, 800),
    ),
    "tiny": Recipe(
        (Leg(64, 8, 150),), Leg(64, 8, 150), (Leg(64, 4, 100, decay_from=1), Leg(64, 4, 200)), Leg(64, 4, 60)
    ),
}


class _TimeIsUp(Exception):
    """A leg was stopped before its end, by --minutes or a signal."""

    def __init__(self, run: Path, reached: int, steps: int):
        super().__init__(f"{run} was stopped at step {reached} of {steps}")
        self.run = run


def train_all(options: AllOptions) -> Path:
    """Run or go on; returns the run folder of the last leg, whose ``latest.safetensors`` opens in the editor.

    When --minutes are over, or at SIGTERM, that of the leg that was stopped.

    Raises:
        UserError: as the stages.
    """
    options.check()
    recipe, out = RECIPES[options.preset], Path(options.out)
    legs = _Legs(options)
    try:
        parser = legs.grow(ParserStage, ParserOptions, recipe.parser, out / "1-parser")
        vae = legs.train(VaeStage, VaeOptions, recipe.vae, out / "2-vae")
        own = options.perceptual == "parser"
        losses = {"perceptual": f"parser:{parser / LATEST}" if own else options.perceptual}
        dmn = legs.grow(DmnStage, DmnOptions, recipe.dmn, out / "3-dmn", **losses)
        given = {"init": str(dmn), "vae": str(vae / LATEST), **losses}
        return legs.train(EbstStage, EbstOptions, recipe.ebst, out / "4-ebst", **given)
    except _TimeIsUp as stopped:
        tqdm.write(f"{stopped}; the same command goes on from there.")
        return stopped.run


class _Legs:
    """Trains one leg after the other, and knows how much time is left."""

    def __init__(self, options: AllOptions):
        self.options = options
        self.end = time.monotonic() + options.minutes * 60 if options.minutes else None

    def grow(self, stage: type, kind: type[RunOptions], legs: tuple[Leg, ...], out: Path, **given: str) -> Path:
        """Train a stage's legs, each from the one before, in ``out-1-64``, ``out-2-128`` ...; returns the last."""
        earlier = ""
        for number, leg in enumerate(legs, start=1):
            run = out.with_name(f"{out.name}-{number}-{leg.size}")
            earlier = str(self.train(stage, kind, leg, run, init=earlier, **given))
        return Path(earlier)

    def train(self, stage: type, kind: type[RunOptions], leg: Leg, out: Path, **given: str) -> Path:
        """Train one leg with what the options and its recipe say; one that is finished is left alone."""
        options = self.options
        steps = max(1, round(leg.steps * options.share))
        if RunFolder(out).step >= steps:
            return out
        shared = {field.name for field in fields(kind)} & {field.name for field in fields(options)}
        values = {name: getattr(options, name) for name in shared}
        values |= {name: value for name, value in vars(leg).items() if value is not None}
        values |= {"out": str(out), "steps": steps, "validate_every": min(options.validate_every, steps), **given}
        if self.end is not None:
            values["minutes"] = max(1e-6, (self.end - time.monotonic()) / 60)
        train(stage, kind(**values))
        reached = RunFolder(out).step
        if reached < steps:
            raise _TimeIsUp(out, reached, steps)
        return out
