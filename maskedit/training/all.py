"""Every stage in order, each from the last one's checkpoint: parser, MaskVAE, DMN (small to large), EBST, completion.

A run folder below the given one for every leg; a leg that is finished is not trained again, one that was cut off goes
on where it stopped. So the whole can be killed anywhere and started again with the same command.
"""

from __future__ import annotations

import dataclasses
import time
from dataclasses import dataclass, fields
from pathlib import Path

from tqdm import tqdm

from maskedit.data.folder import brief_folder, folder_texts
from maskedit.errors import UserError
from maskedit.models.perceptual import make_perceptual
from maskedit.training.config import (
    AllOptions,
    ContextOptions,
    DmnOptions,
    EbstOptions,
    ParserOptions,
    RunOptions,
    VaeOptions,
)
from maskedit.training.context import ContextStage
from maskedit.training.dmn import DmnStage
from maskedit.training.ebst import EbstStage
from maskedit.training.loop import on_signal, train
from maskedit.training.parser import ParserStage
from maskedit.training.run_folder import LATEST, RunFolder
from maskedit.training.stage import Stage
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
    adversarial_weight: float | None = None
    feature_weight: float | None = None
    view: int | None = None
    """Of completion: side in pixels of the squares that are looked at, cut out of the photos."""


@dataclass(frozen=True)
class Recipe:
    """What a preset's stages take; some grow from leg to leg: most of what they learn, they learn small."""

    parser: tuple[Leg, ...]
    vae: Leg
    dmn: tuple[Leg, ...]
    ebst: Leg
    context: tuple[Leg, ...]


RECIPES: dict[str, Recipe] = {
    # 24,183 photos: 200 epochs for the DMN as in the released options, most of them at 512 px, and 50 for EBST.
    "paper": Recipe(
        (Leg(256, 16, 60_000), Leg(512, 16, 30_000, rate=5e-4)),
        Leg(512, 16, 300_000),
        (Leg(256, 8, 200_000, decay_from=1), Leg(512, 8, 400_000)),
        Leg(512, 8, 150_000),
        (Leg(256, 8, 150_000, decay_from=1), Leg(512, 8, 300_000, view=256)),
    ),
    # 810 photos on two CPU cores, in an afternoon.
    "compact": Recipe(
        # Rare classes weigh much at first, to be learnt at all, and less at last, to be no larger than they are.
        (
            Leg(128, 16, 4_000, decay_from=0.3),
            Leg(256, 8, 1_200, rate=5e-4),
            Leg(256, 8, 600, rate=3e-4, balance=0.2),
        ),
        Leg(128, 16, 4_000, rate=4e-4, decay_from=0.3),
        (Leg(64, 16, 650, decay_from=1), Leg(128, 8, 1_850, decay_from=1), Leg(256, 4, 2_400, decay_from=0.5)),
        Leg(256, 4, 300, rate=1e-4, decay_from=0.3),
        # Colours first, which needs no discriminator; then what looks photographed; at last from near. Some ten hours.
        (
            Leg(128, 8, 4_000, rate=3e-4, decay_from=1, adversarial_weight=0.0, feature_weight=0.0),
            Leg(256, 4, 8_000, decay_from=1),
            Leg(512, 4, 8_000, decay_from=0.6, view=256),
        ),
    ),
    "small": Recipe(
        (Leg(128, 16, 3_000),),
        Leg(128, 16, 3_000, rate=4e-4, decay_from=0.3),
        (Leg(64, 16, 1_000, decay_from=1), Leg(128, 8, 2_500)),
        Leg(128, 8, 800),
        (Leg(128, 8, 3_000, decay_from=1), Leg(256, 4, 4_000)),
    ),
    "tiny": Recipe(
        (Leg(64, 8, 150),),
        Leg(64, 8, 150),
        (Leg(64, 4, 100, decay_from=1), Leg(64, 4, 200)),
        Leg(64, 4, 60),
        (Leg(64, 4, 60),),
    ),
}


def train_all(options: AllOptions) -> Path:
    """Run or go on; returns the run folder of the last leg, whose ``latest.safetensors`` opens in the editor.

    When --minutes are over, or at SIGTERM, that of the leg that was stopped.

    Raises:
        UserError: as the stages; what a look at the options can tell comes before the first leg.
    """
    options.check()
    legs = plan(options)
    for _, leg in legs:
        leg.check()
        _check_begun(leg)
    if options.perceptual != "parser":
        make_perceptual(options.perceptual)  # better missed now than after the first two stages
    end = time.monotonic() + (options.minutes * 60 or float("inf"))
    asked: list[bool] = []
    with on_signal(lambda: asked.append(True)):
        for number, (stage, leg) in enumerate(legs, start=1):
            folder = RunFolder(Path(leg.out))
            if folder.step < leg.steps:
                left = (end - time.monotonic()) / 60
                train(stage, dataclasses.replace(leg, minutes=max(1e-6, left) if options.minutes else 0.0))
                reached = folder.step
                stopped = asked or time.monotonic() > end
                if reached < leg.steps or (stopped and number < len(legs)):
                    place = f"{folder.path} was stopped at step {reached} of {leg.steps}, leg {number} of {len(legs)}"
                    tqdm.write(f"{place}; the same command goes on from there.")
                    break
    return folder.path


def plan(options: AllOptions) -> list[tuple[type[Stage], RunOptions]]:
    """Every leg with its stage and options, in order."""
    recipe, out = RECIPES[options.preset], Path(options.out)
    legs: list[tuple[type[Stage], RunOptions]] = []

    def add(stage: type[Stage], kind: type[RunOptions], leg: Leg, run: Path, **given: str) -> Path:
        shared = {field.name for field in fields(kind)} & {field.name for field in fields(options)}
        values = {name: getattr(options, name) for name in shared}
        values |= {name: value for name, value in vars(leg).items() if value is not None}
        steps = max(1, round(leg.steps * options.share))
        values |= {"out": str(run), "steps": steps, "validate_every": min(options.validate_every, steps), **given}
        legs.append((stage, kind(**values)))
        return run

    def grow(
        stage: type[Stage],
        kind: type[RunOptions],
        stage_legs: tuple[Leg, ...],
        name: str,
        start: str = "",
        **given: str,
    ) -> Path:
        # Each from the one before, in name-1-64, name-2-128 ...
        earlier = start
        for number, leg in enumerate(stage_legs, start=1):
            earlier = str(add(stage, kind, leg, out / f"{name}-{number}-{leg.size}", init=earlier, **given))
        return Path(earlier)

    parser = grow(ParserStage, ParserOptions, recipe.parser, "1-parser")
    vae = add(VaeStage, VaeOptions, recipe.vae, out / "2-vae")
    own = options.perceptual == "parser"
    losses = {"perceptual": f"parser:{parser / LATEST}" if own else options.perceptual}
    dmn = grow(DmnStage, DmnOptions, recipe.dmn, "3-dmn", **losses)
    ebst = add(EbstStage, EbstOptions, recipe.ebst, out / "4-ebst", init=str(dmn), vae=str(vae / LATEST), **losses)
    judge = {"parser": str(parser / LATEST)}
    grow(ContextStage, ContextOptions, recipe.context, "5-context", start=str(ebst), **losses, **judge)
    return legs


def _check_begun(leg: RunOptions) -> None:
    """A folder that was begun for another run must not serve this one unnoticed: its leg would count as trained."""
    begun, now = RunFolder(Path(leg.out)).options, leg.to_dict()
    for options in (begun, now):
        if "data" in options:  # one string in the options of an older run
            options["data"] = ", ".join(brief_folder(folder) for folder in folder_texts(options["data"]))
    for name in ("preset", "data", "validation", "size", "batch", "steps", "seed", "init", "perceptual"):
        # Of paths only the last part: the same folder may be called by another way.
        if name in begun and name in now and Path(str(begun[name])).name != Path(str(now[name])).name:
            flag = "--" + ("share" if name == "steps" else name)
            raise UserError(
                f"{leg.out} was begun with {name} {begun[name]}, and now it is {now[name]}: keep {flag} as it was, or "
                "give another --out."
            )
