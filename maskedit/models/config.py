"""What a network is built from: small frozen dataclasses that travel in the checkpoint's header."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import ClassVar

from maskedit.errors import UserError
from maskedit.labels import NUM_LABELS


@dataclass(frozen=True)
class DmnConfig:
    """Dense Mapping Network (MaskGAN, CVPR 2020, section 3.1)."""

    width: int = 64
    """Channels at full resolution; the bottleneck has sixteen times as many."""
    size: int = 512
    """Side in pixels of the squares it was trained on; the editor renders at this side."""
    blocks: int = 4
    """Residual blocks in the bottleneck (paper: 4)."""
    labels: int = NUM_LABELS

    LIMIT: ClassVar[int] = 4096

    @property
    def style_values(self) -> int:
        """Length of one style code: a bias and a weight per channel for two AdaIN layers a block."""
        return self.blocks * 2 * 2 * 16 * self.width

    def to_dict(self) -> dict[str, int]:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict) -> DmnConfig:
        """Rebuild from a header; entries that are unknown or no integers in 1..4096 are a UserError."""
        known = {field.name for field in fields(cls)}
        wrong = sorted(
            f"{key} = {value!r}"
            for key, value in values.items()
            if key not in known or type(value) is not int or not 1 <= value <= cls.LIMIT
        )
        if wrong:
            raise UserError(f"The network's configuration holds {', '.join(wrong)}, which this version does not know.")
        return cls(**values)


PRESETS: dict[str, DmnConfig] = {
    "paper": DmnConfig(width=64, size=512),
    "compact": DmnConfig(width=32, size=512),
    "small": DmnConfig(width=16, size=256),
    "tiny": DmnConfig(width=4, size=64),
}
"""``paper`` is the published network; ``compact`` and ``small`` are for machines without a GPU; ``tiny`` for tests."""
