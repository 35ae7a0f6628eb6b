"""Options of a training run: one dataclass, one line of help a field; the command line is made from it."""

from __future__ import annotations

import importlib
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from maskedit.data.folder import folder_and_weight, folder_texts
from maskedit.errors import UserError
from maskedit.models.config import PERCEPTUAL, DmnConfig


def _option(default, text: str, **extra):
    """``path=True``: a model card shows only the last part, for weights travel and machines stay."""
    return field(default=default, metadata={"help": text, **extra})


REPEAT_BELOW = "photos with a class that fewer than this share of the photos have are shown more often; 0: all alike"


@dataclass(frozen=True)
class CommonOptions:
    """What single stages and ``all`` understand alike."""

    data: tuple[str, ...] = _option(
        (), "FOLDER with images/ and masks/ of the same stems, or with train/ and val/; may be given several times: "
        "the first holds photos out, the others are trained on whole. FOLDER:WEIGHT shows its photos WEIGHT times as "
        "often as a folder of weight 1 shows its own; without one the weight is 1, or 0.5 where a file labelled.json "
        "says that a parser drew the label maps, and not people. Photos smaller than the training squares are left "
        "out, unless all of their folder are",
        metavar="FOLDER[:WEIGHT]",
    )  # fmt: skip
    out: str = _option("", "run folder; a new one below runs/ when left out, an existing one is resumed", path=True)
    preset: str = _option(
        "compact", "network: paper, compact, small or tiny", choices=("paper", "compact", "small", "tiny")
    )
    accumulate: int = _option(1, "micro-batches a process splits its share of a batch into, where memory is short")
    validation: int = _option(91, "photos held out: the last ones in sorted order, of val/ if there is one")
    licence: str = _option("not stated", "licence of the weights, for their model card: the data's conditions hold")
    seed: int = _option(0, "of the initial weights, the order of the photos and the augmentation")
    device: str = _option("auto", "auto, cpu, cuda, cuda:N or mps")
    precision: str = _option("auto", "auto, bfloat16 or float32", choices=("auto", "bfloat16", "float32"))
    memory_format: str = _option(
        "auto", "how feature maps lie in memory: auto is the fastest; what comes out is the same to rounding",
        choices=("auto", "channels_last", "contiguous"),
    )  # fmt: skip
    compile: bool = _option(False, "torch.compile the networks: minutes at the start, faster steps on a GPU")
    threads: int = _option(0, "CPU threads; 0: torch's choice")
    data_from: str = _option(
        "auto", "device: photos wait in its memory; disk: workers read them; auto: device if they fit",
        choices=("auto", "device", "disk"),
    )  # fmt: skip
    workers: int = _option(4, "processes that read photos from disk")
    minutes: float = _option(0.0, "stop after this many minutes, resumable; 0: no limit")
    checkpoint_minutes: float = _option(5.0, "minutes between two checkpoints")
    keep: int = _option(2, "checkpoints that are kept, beside the best and the latest weights")
    validate_every: int = _option(500, "steps between two validations and sample grids")

    def __post_init__(self) -> None:
        object.__setattr__(self, "data", folder_texts(self.data))

    def to_dict(self) -> dict:
        return asdict(self)


@dataclass(frozen=True)
class RunOptions(CommonOptions):
    """What every stage understands."""

    size: int = _option(0, "side of the training squares in pixels, a multiple of 32; 0: the preset's")
    init: str = _option(
        "", "start from this run folder's networks (an earlier size), or from a .safetensors checkpoint", path=True
    )
    batch: int = _option(8, "photos a step, over all processes (paper: 8)")
    steps: int = _option(100_000, "optimiser steps in all")
    rate: float = _option(2e-4, "Adam's learning rate (paper: 2e-4)")
    decay_from: float = _option(0.6, "share of the steps after which the rate falls linearly to zero")
    ema: float = _option(0.999, "decay of the moving average of the weights, which is what is kept")
    augment: bool = _option(True, "small shifts, turns, scalings and colour changes of photo and label map together")

    def check(self) -> None:
        """Raise a UserError that names the flag for anything no run could use."""
        if not self.data or not all(self.data):
            raise UserError("--data is missing: give a folder with images/ and masks/.")
        for folder in self.data:
            folder_and_weight(folder)
        if self.size < 0 or self.size % 32:
            raise UserError(f"--size {self.size} is not a multiple of 32, which the networks need.")
        for name in ("batch", "accumulate", "steps", "validate_every", "validation", "keep"):
            if getattr(self, name) < 1:
                raise UserError(f"--{name.replace('_', '-')} {getattr(self, name)} must be at least 1.")
        _at_least_zero(self, "threads", "workers", "minutes", "checkpoint_minutes")
        if not self.rate > 0:
            raise UserError(f"--rate {self.rate} must be more than 0.")
        if not 0 <= self.ema < 1:
            raise UserError(f"--ema {self.ema} must lie in [0, 1).")
        if not 0 <= self.decay_from <= 1:
            raise UserError(f"--decay-from {self.decay_from} must lie in [0, 1].")


def _at_least_zero(options: RunOptions | BenchOptions, *names: str) -> None:
    for name in names:
        if not getattr(options, name) >= 0:
            raise UserError(f"--{name.replace('_', '-')} {getattr(options, name)} must be 0 or more.")


@dataclass(frozen=True)
class DmnOptions(RunOptions):
    """Stage I of MaskGAN: the Dense Mapping Network (section 3.2, Eq. 6-9)."""

    variant: str = _option(
        "maskgan", "generator: maskgan, or one to compare it with: " + ", ".join(DmnConfig.VARIANTS[1:]),
        choices=DmnConfig.VARIANTS,
    )  # fmt: skip
    discriminator_width: int = _option(0, "channels of the discriminator's first convolution; 0: the network's width")
    adversarial: str = _option(
        "lsgan", "lsgan (as trained by the authors) or log (as printed, Eq. 7)", choices=("lsgan", "log")
    )
    feature_weight: float = _option(10.0, "weight of discriminator feature matching (Eq. 8)")
    perceptual: str = _option("none", f"perceptual features: {PERCEPTUAL}", path=True)
    perceptual_weight: float = _option(10.0, "weight of the perceptual loss (Eq. 9)")
    l1_weight: float = _option(0.0, "weight of the pixels' L1 distance (not in the paper)")

    def check(self) -> None:
        super().check()
        _at_least_zero(self, "discriminator_width", "feature_weight", "perceptual_weight", "l1_weight")


@dataclass(frozen=True)
class ParserOptions(RunOptions):
    """The face parser: photo -> label map."""

    rate: float = _option(1e-3, "Adam's learning rate")
    decay_from: float = _option(0.0, "share of the steps after which the rate falls linearly to zero")
    batch: int = _option(16, "photos a step, over all processes")
    balance: float = _option(0.5, "classes count by their share of the pixels to minus this power; 0: all pixels alike")
    dice_weight: float = _option(1.0, "weight of the soft Dice loss, in which small classes count like large ones")
    repeat_below: float = _option(0.3, REPEAT_BELOW)

    def check(self) -> None:
        super().check()
        _at_least_zero(self, "balance", "dice_weight", "repeat_below")


@dataclass(frozen=True)
class VaeOptions(RunOptions):
    """MaskVAE: a smooth latent space of label maps (section 3.2, Eq. 3-5)."""

    batch: int = _option(16, "label maps a step, over all processes (paper: 16)")
    kl_weight: float = _option(1e-5, "weight of the Kullback-Leibler term (Eq. 5; paper: 1e-5)")

    def check(self) -> None:
        super().check()
        _at_least_zero(self, "kl_weight")


@dataclass(frozen=True)
class EbstOptions(DmnOptions):
    """Editing Behavior Simulated Training (Algorithm 1): needs a trained DMN (--init) and MaskVAE (--vae)."""

    vae: str = _option("", "MaskVAE: a .safetensors checkpoint", path=True)
    rate: float = _option(5e-5, "Adam's learning rate (paper: 5e-5)")

    def check(self) -> None:
        super().check()
        for name, what in (("vae", "a trained MaskVAE"), ("init", "the run folder of a trained DMN")):
            if not getattr(self, name):
                raise UserError(f"--{name} is missing: EBST needs {what}.")


@dataclass(frozen=True)
class ContextOptions(DmnOptions):
    """Completion: the DMN learns to redraw holes, seeing the photo around them; starts from a trained DMN (--init)."""

    variant: str = _option("maskgan-context", "generator that sees the photo", choices=("maskgan-context",))
    view: int = _option(
        0, "side in pixels of the squares that the network sees: cut out of larger photos of --size, around the hole; "
        "0: whole photos",
    )  # fmt: skip
    adversarial_weight: float = _option(2.0, "weight of the adversarial loss; 0 trains without a discriminator")
    l1_weight: float = _option(5.0, "weight of the pixels' L1 distance in the hole")
    colour_weight: float = _option(5.0, "weight of the distance of smooth colours in the hole, also of edits")
    outside_weight: float = _option(5.0, "weight of the pixels' L1 distance outside the hole, which holds the rim")
    edited: float = _option(0.25, "share of the photos that are asked for another label map than their own")
    parser: str = _option("", "face parser that judges edited photos; the shipped one when left out", path=True)
    parsing_weight: float = _option(1.0, "weight of its cross-entropy in the hole; 0: no parser")
    repeat_below: float = _option(0.3, REPEAT_BELOW)

    def check(self) -> None:
        super().check()
        _at_least_zero(self, "adversarial_weight", "outside_weight", "parsing_weight", "colour_weight", "repeat_below")
        if self.view < 0 or self.view % 32:
            raise UserError(f"--view {self.view} is not a multiple of 32, which the networks need.")
        if not self.init:
            raise UserError("--init is missing: completion starts from a trained DMN's run folder or .safetensors.")
        if not 0 <= self.edited < 1:
            raise UserError(f"--edited {self.edited} must lie in [0, 1).")


@dataclass(frozen=True)
class AllOptions(CommonOptions):
    """Every stage in order, by the preset's recipe: parser, vae, dmn, ebst, context."""

    share: float = _option(1.0, "share of the recipe's steps: 0.01 is a rehearsal")
    perceptual: str = _option("parser", f"perceptual features: {PERCEPTUAL}; parser: the first stage's", path=True)
    l1_weight: float = _option(5.0, "weight of the pixels' L1 distance (not in the paper)")

    def check(self) -> None:
        """Raise a UserError that names the flag; the stages check the rest."""
        if not self.out:
            raise UserError("--out is missing: give a folder for the stages' run folders.")
        if not self.share > 0:
            raise UserError(f"--share {self.share} must be more than 0.")


def _common(name: str):
    """The field of that name of CommonOptions, with its default and help."""
    same = CommonOptions.__dataclass_fields__[name]
    return field(default=same.default, metadata=same.metadata)


STAGES: dict[str, tuple[type[RunOptions], str]] = {
    "parser": (ParserOptions, "maskedit.training.parser:ParserStage"),
    "vae": (VaeOptions, "maskedit.training.vae:VaeStage"),
    "dmn": (DmnOptions, "maskedit.training.dmn:DmnStage"),
    "ebst": (EbstOptions, "maskedit.training.ebst:EbstStage"),
    "context": (ContextOptions, "maskedit.training.context:ContextStage"),
}
"""Every stage in the order of `all` -> its options, and where it is: torch loads only when a run begins."""


def imported(place: str) -> Any:
    """What a place, ``module:name``, holds."""
    module, _, name = place.partition(":")
    return getattr(importlib.import_module(module), name)


@dataclass(frozen=True)
class BenchOptions:
    """Measure training on this machine: images a second, waiting, memory, arithmetic, against other loops."""

    data: str = _option("", "folder with images/ and masks/ to read from; random photos without it", path=True)
    preset: str = _common("preset")
    size: int = _option(0, "side of the training squares in pixels, a multiple of 32; 0: the preset's")
    batch: int = _option(0, "photos a step; 0: each stage's own default")
    stages: str = _option(",".join(STAGES), "stages to measure, with commas between them")
    recipe: bool = _option(False, "measure every leg of `maskedit-train all` and add up its hours")
    seconds: float = _option(10.0, "seconds that each loop is measured for at least, after warming up")
    json: str = _option("", "file to write all figures to", path=True)
    accumulate: int = _common("accumulate")
    device: str = _common("device")
    precision: str = _common("precision")
    memory_format: str = _common("memory_format")
    compile: bool = _common("compile")
    threads: int = _common("threads")
    data_from: str = _common("data_from")
    workers: int = _common("workers")
    perceptual: str = _option("none", f"perceptual features: {PERCEPTUAL}; parser: an untrained one's", path=True)

    def to_dict(self) -> dict:
        return asdict(self)

    @property
    def stage_names(self) -> list[str]:
        """The stages to measure, in the order given."""
        return [name.strip() for name in self.stages.split(",")]

    def check(self) -> None:
        """Raise a UserError that names the flag for anything that could not be measured."""
        unknown = [name for name in self.stage_names if name not in STAGES]
        if unknown:
            raise UserError(f"--stages {unknown[0]!r} is no stage; give some of {','.join(STAGES)}.")
        if self.size < 0 or self.size % 32:
            raise UserError(f"--size {self.size} is not a multiple of 32, which the networks need.")
        if self.recipe and (self.size or self.batch):
            raise UserError("--recipe has sizes and batches of its own: leave --size and --batch out.")
        if self.accumulate < 1:
            raise UserError(f"--accumulate {self.accumulate} must be at least 1.")
        if not self.seconds > 0:
            raise UserError(f"--seconds {self.seconds} must be more than 0.")
        _at_least_zero(self, "batch", "threads", "workers")
        if self.json and not Path(self.json).absolute().parent.is_dir():
            raise UserError(f"--json {self.json} cannot be written: there is no such folder.")
