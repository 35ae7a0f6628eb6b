"""What a network is built from: small frozen dataclasses that travel in the checkpoint's header."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import ClassVar, Self

from maskedit.errors import UserError
from maskedit.labels import NUM_LABELS

PERCEPTUAL = "vgg19[:PATH], squeezenet:PATH, parser[:PATH] or none"
"""The feature networks that ``--perceptual`` knows (see ``maskedit.models.perceptual``)."""


@dataclass(frozen=True)
class NetworkConfig:
    """What every network's configuration has: a width, the side it was trained at, and its form in a header."""

    width: int
    """Channels of the first convolution; the deeper ones are multiples of it."""
    size: int
    """Side in pixels of the squares it was trained on."""

    LIMIT: ClassVar[int] = 4096

    def to_dict(self) -> dict[str, int | str]:
        """What JSON can hold; ``from_dict`` takes it back."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict) -> Self:
        """Rebuild from a header; an entry that is unknown, of another type or no integer in 1..4096 is a UserError."""
        types = {field.name: type(field.default) for field in fields(cls)}
        wrong = sorted(
            f"{key} = {value!r}"
            for key, value in values.items()
            if type(value) is not types.get(key) or (type(value) is int and not 1 <= value <= cls.LIMIT)
        )
        if wrong:
            raise UserError(f"The network's configuration holds {', '.join(wrong)}, which this version does not know.")
        return cls(**values)


@dataclass(frozen=True)
class DmnConfig(NetworkConfig):
    """Dense Mapping Network (MaskGAN, CVPR 2020, section 3.1), or one of the networks the paper compares it with.

    Raises:
        UserError: ``variant`` is none of ``VARIANTS``.
    """

    width: int = 64
    """Channels at full resolution; the bottleneck has sixteen times as many."""
    size: int = 512
    """Side in pixels of the squares it was trained on; the editor renders at this side."""
    blocks: int = 4
    """Residual blocks in the bottleneck (paper: 4); ``spade`` has its own number."""
    labels: int = NUM_LABELS
    variant: str = "maskgan"
    """``maskgan`` is the product's; the others are for comparisons (see ``maskedit.models.variants``)."""
    views: str = "whole"
    """What it was trained on: ``whole`` faces, or ``zoomed`` squares of them, down to half the side, as well."""

    VIEWS: ClassVar[tuple[str, ...]] = ("whole", "zoomed")
    VARIANTS: ClassVar[tuple[str, ...]] = ("maskgan", "maskgan-concat", "pix2pixhd-m", "spade", "maskgan-context")
    SPADE_STYLE_VALUES: ClassVar[int] = 256

    def __post_init__(self):
        if self.variant not in self.VARIANTS:
            raise UserError(f"The variant {self.variant!r} is unknown; give {' or '.join(self.VARIANTS)}.")
        if self.views not in self.VIEWS:
            raise UserError(f"The views {self.views!r} are unknown; give {' or '.join(self.VIEWS)}.")

    @staticmethod
    def check_side(side: int) -> None:
        """Raise a UserError for a side that the network cannot render: four halvings, and reflected borders."""
        if side < 32 or side % 16:
            raise UserError(f"The side of {side} px must be a multiple of 16, at least 32.")

    @property
    def style_values(self) -> int:
        """Length of one style code: a bias and a weight per channel for two AdaIN layers a block; of SPADE's, 256."""
        if self.variant == "spade":
            return self.SPADE_STYLE_VALUES
        return self.blocks * 2 * 2 * 16 * self.width


@dataclass(frozen=True)
class MaskVaeConfig(NetworkConfig):
    """MaskVAE (MaskGAN section 3.2).

    Raises:
        UserError: ``size`` is not 4 doubled once or more.
    """

    width: int = 32
    """Channels of the first encoder convolution and the last decoder block; doubled at every level below."""
    size: int = 512
    """Side in pixels of the label maps, 4 doubled at every level; no other side can be encoded."""
    latent: int = 1024
    """Length of a latent code."""
    labels: int = NUM_LABELS

    FLOOR: ClassVar[int] = 4
    """Side in pixels of the coarsest feature map."""

    def __post_init__(self):
        if self.levels < 1 or self.size != self.FLOOR << self.levels:
            raise UserError(f"MaskVAE cannot have the size {self.size}; give 8 doubled any number of times, e.g. 256.")

    @property
    def levels(self) -> int:
        """Halvings between the label map and the coarsest feature map (paper: 7)."""
        return (self.size // self.FLOOR).bit_length() - 1

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels after each encoder convolution, fine to coarse (paper: 32, 64 ... 2048)."""
        return tuple(self.width << level for level in range(self.levels))


@dataclass(frozen=True)
class AlphaBlenderConfig(NetworkConfig):
    """Alpha Blender (MaskGAN section 3.3)."""

    width: int = 32
    """Channels at full resolution; the bottleneck has eight times as many."""
    size: int = 512
    """Side in pixels of the squares it was trained on."""
    blocks: int = 3
    """Residual blocks in the bottleneck (paper: 3)."""


@dataclass(frozen=True)
class ParserConfig(NetworkConfig):
    """Face parser: photo -> label map.

    Raises:
        UserError: ``kind`` is none of ``KINDS``.
    """

    width: int = 16
    """Channels at the finest level, doubled at every level below."""
    size: int = 512
    """Side in pixels of the squares it was trained on; photos are parsed at this side."""
    kind: str = "unet"
    """``unet`` is the paper's; ``residual`` the stronger one this project ships (see ``maskedit.models.parser``)."""
    labels: int = NUM_LABELS

    KINDS: ClassVar[tuple[str, ...]] = ("unet", "residual")

    def __post_init__(self):
        if self.kind not in self.KINDS:
            raise UserError(f"The parser kind {self.kind!r} is unknown; give {' or '.join(self.KINDS)}.")


PRESETS: dict[str, DmnConfig] = {
    "paper": DmnConfig(width=64, size=512),
    "compact": DmnConfig(width=32, size=512),
    "small": DmnConfig(width=16, size=256),
    "tiny": DmnConfig(width=4, size=64),
}
"""``paper`` is the published network; ``compact`` and ``small`` are for machines without a GPU; ``tiny`` for tests."""

MASK_VAE_PRESETS: dict[str, MaskVaeConfig] = {
    "paper": MaskVaeConfig(width=32, size=512, latent=1024),
    "compact": MaskVaeConfig(width=16, size=128, latent=256),
    "small": MaskVaeConfig(width=16, size=128, latent=256),
    "tiny": MaskVaeConfig(width=4, size=64, latent=16),
}
"""Label maps are smooth: a smaller side than that of ``PRESETS`` does, and half of the parameters depend on it."""

ALPHA_BLENDER_PRESETS: dict[str, AlphaBlenderConfig] = {
    "paper": AlphaBlenderConfig(width=32, size=512),
    "compact": AlphaBlenderConfig(width=16, size=512),
    "small": AlphaBlenderConfig(width=8, size=256),
    "tiny": AlphaBlenderConfig(width=4, size=64),
}

PARSER_PRESETS: dict[str, ParserConfig] = {
    "paper": ParserConfig(kind="unet", width=16, size=512),
    "compact": ParserConfig(kind="residual", width=32, size=256),
    "small": ParserConfig(kind="residual", width=24, size=128),
    "tiny": ParserConfig(kind="residual", width=4, size=64),
}
"""A parser sees photos, not the other networks' tensors, so its side need not be theirs."""
