"""Generators by name: the product's and those it is compared with, as in the tables of MaskGAN (CVPR 2020).

- ``maskgan``: spatial-aware style encoder, SFT, AdaIN (``maskedit.models.dense_mapping``).
- ``maskgan-concat``: the same with concatenation and a 1x1 convolution in place of both SFT layers.
- ``pix2pixhd-m``: the style encoder sees the photo alone.
- ``spade``: spatially-adaptive normalisation (``maskedit.models.spade``).
- ``maskgan-context``: not the paper's: ``maskgan`` that also sees the photo around the edit
  (``maskedit.models.context``).

All are trained with the same discriminator and losses: what differs is how label map and photo steer the render.
"""

from __future__ import annotations

from maskedit.models.config import DmnConfig
from maskedit.models.context import ContextNetwork
from maskedit.models.dense_mapping import DenseMappingNetwork, Generator
from maskedit.models.spade import SpadeGenerator


def build_generator(config: DmnConfig) -> Generator:
    """The generator of ``config.variant``, its weights drawn at random."""
    others = {"spade": SpadeGenerator, "maskgan-context": ContextNetwork}
    return others.get(config.variant, DenseMappingNetwork)(config)
