"""Pretrained feature networks for the perceptual loss (MaskGAN Eq. 9) and for the feature distance.

VGG-19 is the paper's. SqueezeNet 1.0 stands in where VGG-19's weights cannot be had: a hundredth of the size. The
project's own face parser needs no outside weights at all: it has learnt nothing but faces, from the same photos. All
are frozen; none is needed to edit.
"""

from __future__ import annotations

import hashlib
import os
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from maskedit.errors import UserError
from maskedit.models.checkpoint import load_checkpoint
from maskedit.models.config import PERCEPTUAL
from maskedit.models.holes import mean_inside
from maskedit.models.parser import Parser
from maskedit.resources import default_weights

VGG19_URL = "https://download.pytorch.org/models/vgg19-dcbb9e9d.pth"
VGG19_SHA256_PREFIX = "dcbb9e9d"


class SqueezeNetFeatures(nn.Module):
    """SqueezeNet 1.0 (Iandola 2016), Caffe layout: features after conv1, fire3, fire5, fire7 and fire9.

    Args:
        path: ``.npz`` with ``{layer}_w`` (out, in, k, k) and ``{layer}_b`` (out,) for conv1 and fire2..fire9.

    Raises:
        UserError: the file is missing, damaged, lacks an array, or its arrays do not fit together.
    """

    TAPS = (3, 5, 7, 9)
    POOL_AFTER = (4, 8)

    def __init__(self, path: str | Path):
        super().__init__()
        self.register_buffer("mean", torch.tensor([104.0, 117.0, 123.0]).view(1, 3, 1, 1))
        try:
            with open(path, "rb") as file, np.load(file, allow_pickle=False) as weights:
                arrays = {name: torch.from_numpy(weights[name].astype(np.float32)) for name in weights.files}
            names = ["conv1"] + [
                f"fire{index}_{part}" for index in range(2, 10) for part in ("squeeze1x1", "expand1x1", "expand3x3")
            ]
            for name in names:
                self.register_buffer(f"{name}_w", arrays[f"{name}_w"])
                self.register_buffer(f"{name}_b", arrays[f"{name}_b"])
            with torch.no_grad():
                self(torch.zeros(1, 3, 32, 32))  # arrays of other shapes do not fit together
        except (OSError, EOFError, zipfile.BadZipFile, zlib.error, LookupError, TypeError, ValueError) as error:
            raise UserError(
                f"{path} is not a SqueezeNet 1.0 weight file ({error}); give --perceptual another."
            ) from error
        except RuntimeError as error:
            reason = str(error).splitlines()[0]
            raise UserError(f"{path} holds arrays of other shapes than SqueezeNet 1.0's ({reason}).") from error

    def _conv(self, name: str, x: Tensor, stride: int = 1, padding: int = 0) -> Tensor:
        return F.relu(F.conv2d(x, getattr(self, f"{name}_w"), getattr(self, f"{name}_b"), stride, padding))

    def forward(self, image: Tensor) -> list[Tensor]:
        """(N, 3, H, W) in [-1, 1] -> five feature maps, fine to coarse; differentiable in ``image``."""
        x = (image.flip(1) + 1.0) * 127.5 - self.mean
        x = self._conv("conv1", x, stride=2)
        features = [x]
        x = F.max_pool2d(x, 3, 2, ceil_mode=True)
        for index in range(2, 10):
            squeezed = self._conv(f"fire{index}_squeeze1x1", x)
            x = torch.cat(
                [
                    self._conv(f"fire{index}_expand1x1", squeezed),
                    self._conv(f"fire{index}_expand3x3", squeezed, padding=1),
                ],
                dim=1,
            )
            if index in self.TAPS:
                features.append(x)
            if index in self.POOL_AFTER:
                x = F.max_pool2d(x, 3, 2, ceil_mode=True)
        return features


class Vgg19Features(nn.Module):
    """VGG-19 (Simonyan 2014): relu1_1, relu2_1, relu3_1, relu4_1, relu5_1, the paper's five taps.

    Args:
        path: torchvision's ``vgg19-dcbb9e9d.pth`` (read with ``weights_only=True``), or None to download it once
            into torch's own cache, checked by its hash.
        width_divisor: for tests: a network this many times narrower.

    Raises:
        UserError: the file is missing, unreadable or holds something else; or the download failed.
    """

    WIDTHS = (64, 64, "M", 128, 128, "M", 256, 256, 256, 256, "M", 512, 512, 512, 512, "M", 512)
    TAPS = (0, 5, 10, 19, 28)

    def __init__(self, path: str | Path | None = None, *, width_divisor: int = 1):
        super().__init__()
        layers: list[nn.Module] = []
        channels = 3
        for width in self.WIDTHS:
            if width == "M":
                layers.append(nn.MaxPool2d(2))
            else:
                layers += [nn.Conv2d(channels, int(width) // width_divisor, 3, padding=1), nn.ReLU()]
                channels = int(width) // width_divisor
        self.layers = nn.Sequential(*layers)
        state = _load_vgg19(path)
        try:
            self.layers.load_state_dict({key: state[f"features.{key}"] for key in self.layers.state_dict()})
        except (LookupError, TypeError, RuntimeError) as error:
            reason = " ".join(str(error).split())[:300]
            raise UserError(f"{path or VGG19_URL} is not torchvision's VGG-19 state dict: {reason}") from error
        self.requires_grad_(False)
        self.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1))

    def forward(self, image: Tensor) -> list[Tensor]:
        """(N, 3, H, W) in [-1, 1] -> five feature maps, fine to coarse; differentiable in ``image``."""
        x = ((image + 1.0) / 2.0 - self.mean) / self.std
        features = []
        for index, layer in enumerate(self.layers):
            x = layer(x)
            if index - 1 in self.TAPS:  # the ReLU that follows a tapped convolution
                features.append(x)
        return features


class ParserFeatures(nn.Module):
    """The levels on a face parser's way down, fine to coarse."""

    def __init__(self, parser: Parser):
        super().__init__()
        self.parser = parser

    def forward(self, image: Tensor) -> list[Tensor]:
        """(N, 3, H, W) in [-1, 1], H and W multiples of 16 -> its features; differentiable in ``image``."""
        return self.parser.features(image)


def _load_vgg19(path: str | Path | None) -> dict[str, Tensor]:
    if path is not None:
        try:
            return torch.load(path, map_location="cpu", weights_only=True)
        except Exception as error:
            raise UserError(
                f"{path} could not be read as a state dict ({type(error).__name__}); give torchvision's VGG-19."
            ) from error
    cached = Path(torch.hub.get_dir()) / "checkpoints" / os.path.basename(VGG19_URL)
    if not cached.exists():
        cached.parent.mkdir(parents=True, exist_ok=True)
        try:
            torch.hub.download_url_to_file(VGG19_URL, str(cached), hash_prefix=VGG19_SHA256_PREFIX)
        except Exception as error:
            raise UserError(
                f"VGG-19 could not be downloaded ({error}); give its file with --perceptual vgg19:PATH, "
                "or use --perceptual squeezenet:PATH or --perceptual none."
            ) from error
    elif not hashlib.sha256(cached.read_bytes()).hexdigest().startswith(VGG19_SHA256_PREFIX):
        raise UserError(f"{cached} is damaged (its hash does not match); delete it and run again.")
    return torch.load(cached, map_location="cpu", weights_only=True)


def feature_distance(features: list[Tensor], target: list[Tensor], weights: Sequence[float | Tensor]) -> Tensor:
    """Weighted sum over feature maps of the L1 distance (MaskGAN Eq. 9); scalar."""
    total = features[0].new_zeros((), dtype=torch.float32)
    for weight, ours, theirs in zip(weights, features, target, strict=True):
        total = total + weight * F.l1_loss(ours.float(), theirs.float())
    return total


class PerceptualLoss(nn.Module):
    """L1 between pretrained features of render and photo (MaskGAN Eq. 9); evaluation's feature distance as well.

    VGG-19 uses the paper's weights 1/32 .. 1; the others' maps differ in scale, so each is divided by the mean
    magnitude of the photo's features, and they are averaged.

    Args:
        choice: ``vgg19``, ``vgg19:PATH``, ``squeezenet:PATH``, ``parser`` (the shipped one) or ``parser:PATH``.

    Raises:
        UserError: ``choice`` is none of these, or its file is missing or holds something else.
    """

    VGG_WEIGHTS = (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1.0)

    def __init__(self, choice: str):
        super().__init__()
        kind, _, path = choice.partition(":")
        if path and not Path(path).is_file():
            raise UserError(f"--perceptual {choice}: there is no file {path}.")
        if kind == "vgg19":
            self.features: nn.Module = Vgg19Features(path or None)
        elif kind == "squeezenet" and path:
            self.features = SqueezeNetFeatures(path)
        elif kind == "parser":
            parser, _ = load_checkpoint(Path(path) if path else default_weights("parser"), Parser)
            self.features = ParserFeatures(parser)
        else:
            raise UserError(f"--perceptual {choice} is unknown; give {PERCEPTUAL}.")
        self.eval().requires_grad_(False)

    def forward(self, image: Tensor, target: Tensor) -> Tensor:
        """Both (N, 3, H, W) in [-1, 1]; scalar, differentiable in ``image``."""
        with torch.no_grad():
            wanted = self.features(target)
        return feature_distance(self.features(image), wanted, self._weights(wanted))

    def inside(self, image: Tensor, target: Tensor, hole: Tensor) -> Tensor:
        """The same inside a hole (N, 1, H, W), 1 inside and 0 outside: (N,), differentiable in ``image``.

        Each feature counts by the share of its cell that lies in the hole; magnitudes are those of the whole photos.
        """
        with torch.no_grad():
            wanted = self.features(target)
        total = image.new_zeros(len(image), dtype=torch.float32)
        for weight, ours, theirs in zip(self._weights(wanted), self.features(image), wanted, strict=True):
            total = total + weight * mean_inside((ours.float() - theirs.float()).abs(), hole)
        return total

    def _weights(self, wanted: list[Tensor]) -> Sequence[float | Tensor]:
        if isinstance(self.features, Vgg19Features):
            return self.VGG_WEIGHTS
        # Tensors, not numbers: a number would make a GPU wait for each of the five.
        return [1 / (len(wanted) * feature.abs().float().mean().clamp_min(1e-6)) for feature in wanted]


def make_perceptual(choice: str) -> PerceptualLoss | None:
    """The loss, or None for ``none``."""
    return None if choice == "none" else PerceptualLoss(choice)
