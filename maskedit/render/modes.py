"""What a renderer and those who ask it have words for; needs no torch."""

from __future__ import annotations

FULL, BOX = "full", "box"
"""How a render was made: the whole image, or only boxes around what changed, which is quick and nearly the same."""

ENGINES = ("auto", "torch", "openvino", "int8", "compiled")
"""On a CPU, ``auto`` measures which is the fastest, ``torch`` uses nothing else, ``openvino`` is OpenVINO in the
network's precision and ``int8`` in 8-bit integers. On an NVIDIA GPU, ``compiled`` has torch.compile work on the network
first, which may take a minute at every start."""


class Cancelled(Exception):
    """A render was given up between two layers, because its caller wanted so."""


def never() -> bool:
    """A ``cancelled`` that lets every render end."""
    return False
