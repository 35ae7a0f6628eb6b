"""Which memory format a network is trained in."""

import pytest
import torch

from maskedit.errors import UserError
from maskedit.models import device
from maskedit.models.device import choose_memory_format, fastest_memory_format, memory_format_name

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("kind", "precision", "expected"),
    [
        ("cuda", torch.float32, torch.channels_last),
        ("cuda", torch.bfloat16, torch.channels_last),
        ("cpu", torch.bfloat16, torch.channels_last),
        ("cpu", torch.float32, torch.contiguous_format),
        ("mps", torch.float32, torch.contiguous_format),
    ],
)
def test_the_fastest_memory_format(kind, precision, expected):
    assert fastest_memory_format(kind, precision) == expected
    assert choose_memory_format("auto", torch.device(kind), precision) == expected


def test_a_choice_is_taken_at_its_word():
    for name in ("channels_last", "contiguous"):
        assert memory_format_name(choose_memory_format(name, CPU, torch.float32)) == name
    with pytest.raises(UserError, match="memory format 'rows' is unknown; give auto, channels_last, contiguous"):
        choose_memory_format("rows", CPU, torch.float32)
    assert device.MEMORY_FORMATS[0] == "auto"
