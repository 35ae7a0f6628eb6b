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
from maskedit.training.config import STAGES, AllOptions, RunOptions, imported
from maskedit.training.loop import on_signal, train
from maskedit.training.run_folder import LATEST, RunFolder
from maskedit.training.stage import Stage


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

    def of(self, stage: str) -> tuple[Leg, ...]:
        """The legs of a stage, in order."""
        legs = getattr(self, stage)
        return legs if isinstance(legs, tuple) else (legs,)


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

    def add(name: str, start: Path | None = None, **given: str) -> Path:
        # Each leg from the one before, in 1-parser-1-64, 1-parser-2-128 ..; a stage that does not grow in 2-vae.
        kind, place = STAGES[name]
        run, prefix = start, f"{list(STAGES).index(name) + 1}-{name}"
        shared = {field.name for field in fields(kind)} & {field.name for field in fields(options)}
        for number, leg in enumerate(recipe.of(name), start=1):
            values = {name: getattr(options, name) for name in shared - {"out"}}
            values |= {name: value for name, value in vars(leg).items() if value is not None}
            steps = max(1, round(leg.steps * options.share))
            values |= {"steps": steps, "validate_every": min(options.validate_every, steps), **given}
            values["init"] = "" if run is None else str(run)
            run = out / (f"{prefix}-{number}-{leg.size}" if leg is not getattr(recipe, name) else prefix)
            legs.append((imported(place), kind(**values, out=str(run))))
        return run

    parser, vae = add("parser"), add("vae")
    own = options.perceptual == "parser"
    losses = {"perceptual": f"parser:{parser / LATEST}" if own else options.perceptual}
    ebst = add("ebst", add("dmn", **losses), vae=str(vae / LATEST), **losses)
    add("context", ebst, parser=str(parser / LATEST), **losses)
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
