"""What the benchmark measures against: the same stages in the plain float32 loop of the released code.

Written from what is known of it (pix2pixHD's loop, Wang et al. 2018, which MaskGAN's authors took over): float32, rows
as they come, ``F.instance_norm``, Adam one tensor at a time, no moving average, photos neither moved nor recoloured.
The generator goes first, and the gradients that its loss leaves in the discriminator are computed and thrown away.

Where it still differs from the release: the networks are ours (reflect padding, AdaIN as one fused multiplication), and
EBST encodes a photo's style once for both renders and draws fresh label maps from the MaskVAE, where the release read
them from files. Completion was never released: its plain loop is our stage without what makes it fast. On a GPU,
convolutions may use TF32, torch's default.
"""

from __future__ import annotations

import dataclasses
import itertools
import time

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from maskedit.data.order import batch_indices
from maskedit.data.source import Source
from maskedit.models.tensors import normalised
from maskedit.training.config import RunOptions
from maskedit.training.context import ContextStage
from maskedit.training.dmn import DmnStage
from maskedit.training.ebst import EbstStage
from maskedit.training.losses import adversarial_loss, feature_matching_loss
from maskedit.training.parser import ParserStage
from maskedit.training.stage import Losses, Stage
from maskedit.training.vae import VaeStage


class InstanceNormKernels(TorchFunctionMode):
    """A context in which our networks' instance normalisation, `F.group_norm`, runs in torch's own kernels for it."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if function is F.group_norm and args[1] == args[0].shape[1]:
            return F.instance_norm(args[0], **kwargs)  # weight, bias, eps
        return function(*args, **kwargs)


class _Plain(Stage):
    """A stage without what makes it fast."""

    def __init__(self, options: RunOptions, device: torch.device):
        super().__init__(dataclasses.replace(options, precision="float32", memory_format="contiguous"), device)

    def add_network(self, name: str, network: nn.Module, *, betas: tuple[float, float] = (0.5, 0.999)) -> nn.Module:
        network = super().add_network(name, network, betas=betas)
        self.optimisers[name] = torch.optim.Adam(network.parameters(), self.options.rate, betas, foreach=False)
        return network


class _PlainParser(_Plain, ParserStage):
    pass


class _PlainVae(_Plain, VaeStage):
    pass


class _PlainDmn(_Plain, DmnStage):
    def judge(self, photos: Tensor, labels: Tensor, fake: Tensor, share: float) -> Losses:
        """Gradients of both networks, in the release's order; see `DmnStage.judge`."""
        options = self.options
        fake_outputs = self.discriminator(labels, fake.detach())
        real_outputs = self.discriminator(labels, photos)
        judged = self.discriminator(labels, fake)
        total = adversarial_loss(judged, real=True, kind=options.adversarial)
        total = total + options.feature_weight * feature_matching_loss(judged, real_outputs)
        if self.perceptual is not None:
            total = total + options.perceptual_weight * self.perceptual(fake, photos)
        (total * share).backward()

        self.optimisers["discriminator"].zero_grad()
        loss_d = 0.5 * (
            adversarial_loss(real_outputs, real=True, kind=options.adversarial)
            + adversarial_loss(fake_outputs, real=False, kind=options.adversarial)
        )
        (loss_d * share).backward()
        return {"discriminator": loss_d.detach(), "total": total.detach()}


class _PlainEbst(_PlainDmn, EbstStage):
    pass


class _PlainContext(_Plain, ContextStage):
    pass


PLAIN: dict[str, type[Stage]] = {
    "parser": _PlainParser,
    "vae": _PlainVae,
    "dmn": _PlainDmn,
    "ebst": _PlainEbst,
    "context": _PlainContext,
}


class ReleasedLoop:
    """One stage in the plain loop.

    Args:
        name: of the stage.
        options: of the stage; precision, memory format, micro-batches and compilation are left out.
        source: training pairs.
        device: where everything is computed.
    """

    def __init__(self, name: str, options: RunOptions, source: Source, device: torch.device):
        self.stage = PLAIN[name](options, device)
        self._seeds = itertools.count(options.seed * 1_000_003)
        self.waited = 0.0
        """Seconds waited for photos."""

        def order(step: int) -> Tensor:
            return batch_indices(len(source), options.batch, seed=options.seed, step=step)

        self._batches = source.batches(order, 0, options.steps)

    def step(self) -> Losses:
        """Every phase once with the next batch; the losses, for the tests."""
        started = time.monotonic()
        photos, ids = next(self._batches)
        self.waited += time.monotonic() - started
        # The trainer's seeds: how much a step of completion computes depends on what it draws.
        torch.manual_seed(next(self._seeds) * 4096)
        photos = normalised(photos)
        losses: Losses = {}
        for phase in self.stage.phases:
            optimisers = [self.stage.optimisers[name] for name in phase.optimisers]
            for optimiser in optimisers:
                optimiser.zero_grad()
            with InstanceNormKernels():
                losses |= phase.backward(photos, ids, 1.0)
            for optimiser in optimisers:
                optimiser.step()
        return losses
