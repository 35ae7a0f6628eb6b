"""A convolution whose weights are laid out once for the processor, not at every call.

torch's CPU convolutions bring weights into the order their kernels want each time they run. For a whole image nobody
notices; for a small box of the 1024-channel layers it is more work than the convolution. torch.compile packs weights
once through operators that have no public name; they are used here where they exist and take what they are given, and
the plain convolution is where they do not.
"""

from __future__ import annotations

import logging

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_TYPICAL = 32
"""Pixels, at least: the input that weights are laid out for."""

logger = logging.getLogger(__name__)


class Convolution:
    """A convolution, or a transposed one, of a network on the CPU; ``module`` keeps the weights."""

    def __init__(self, module: nn.Conv2d | nn.ConvTranspose2d):
        self._module = module
        self._transposed = isinstance(module, nn.ConvTranspose2d)
        self._packed: Tensor | None = None
        self._plain = False

    def weights_changed(self) -> None:
        """The module's weights were changed in place."""
        self._packed = None

    def __call__(self, x: Tensor, padding: tuple[int, int] = (0, 0)) -> Tensor:
        """(1, C, H, W) -> (1, C', H', W'), both in channels_last; a transposed one gives 2 H x 2 W.

        Args:
            padding: zeros above and below, and left and right; a transposed one has its own.
        """
        if self._packed is None and not self._plain:
            self._pack()
        if self._plain:
            return self._as_torch_does(x, padding)
        conv = self._module
        ones = [1, 1]
        if self._transposed:
            return torch.ops.mkldnn._convolution_transpose_pointwise(
                x, self._packed, conv.bias, conv.padding, conv.output_padding, conv.stride, ones, 1, "none", [], ""
            )
        return torch.ops.mkldnn._convolution_pointwise(
            x, self._packed, conv.bias, padding, conv.stride, ones, 1, "none", [], ""
        )

    def _as_torch_does(self, x: Tensor, padding: tuple[int, int]) -> Tensor:
        conv = self._module
        if self._transposed:
            return conv(x)
        return F.conv2d(x, conv.weight, conv.bias, conv.stride, padding)

    def _pack(self) -> None:
        """Lay the weights out; where that does not work, or does not compute the same, go without."""
        conv = self._module
        size = [1, conv.in_channels, _TYPICAL, _TYPICAL]
        try:
            if self._transposed:
                self._packed = torch.ops.mkldnn._reorder_convolution_transpose_weight(
                    conv.weight, conv.padding, conv.output_padding, conv.stride, [1, 1], 1, size
                )
            else:
                self._packed = torch.ops.mkldnn._reorder_convolution_weight(
                    conv.weight, [0, 0], conv.stride, [1, 1], 1, size
                )
            small = max(conv.kernel_size) + 2
            x = torch.linspace(-1, 1, conv.in_channels * small * small, dtype=conv.weight.dtype)
            x = x.view(1, small, small, -1).permute(0, 3, 1, 2)
            same = torch.allclose(self(x).float(), self._as_torch_does(x, (0, 0)).float(), rtol=0.02, atol=0.02)
        except (AttributeError, RuntimeError, TypeError, NotImplementedError):
            logger.debug("Weights cannot be laid out ahead here; renders are slower.", exc_info=True)
            same = False
        if not same:
            self._packed, self._plain = None, True


class FourPixelConvolution:
    """A 7x7 convolution to three channels, four pixels at a time, in less than half of the time."""

    def __init__(self, module: nn.Conv2d):
        self._module = module
        channels, outputs = module.in_channels, 4 * module.out_channels
        self._four = nn.Conv2d(channels, outputs, 8, stride=2, device="meta").requires_grad_(False)
        self.weights_changed()

    def weights_changed(self) -> None:
        """The module's weights were changed in place."""
        kernel, bias = four_pixel_kernel(self._module.weight), self._module.bias.detach()
        self._four.weight = nn.Parameter(kernel.flatten(0, 2), requires_grad=False)
        self._four.bias = nn.Parameter(bias.repeat_interleave(4), requires_grad=False)
        self._convolution = Convolution(self._four)

    def __call__(self, x: Tensor, padding: tuple[int, int] = (0, 0)) -> Tensor:
        """(1, C, H + 6, W + 6) -> (1, 3, H, W), H and W even; ``padding`` as in `Convolution`."""
        return F.pixel_shuffle(self._convolution(x, padding), 2)


def four_pixel_kernel(weight: Tensor) -> Tensor:
    """(3, C, 7, 7) -> (3, 2, 2, C, 8, 8): a kernel of stride 2 that computes squares of 2x2 pixels.

    Three output channels leave most of a vector register empty, twelve fill it: each pixel of the square (its row and
    column are the second and third index) has the 7x7 kernel at its own place in an 8x8 one.
    """
    kernel = weight.new_zeros(weight.shape[0], 2, 2, weight.shape[1], 8, 8)
    for row in range(2):
        for column in range(2):
            kernel[:, row, column, :, row : row + 7, column : column + 7] = weight.detach()
    return kernel
