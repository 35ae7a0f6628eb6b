"""Which memory format a network is trained in."""

import pytest
import torch

from maskedit.errors import UserError
from maskedit.models import device
from maskedit.models.device import choose_memory_format, fastest_memory_format, memory_format_name

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("kind", "precision", "amx", "expected"),
    [
        ("cuda", torch.float32, False, torch.channels_last),
        ("cuda", torch.bfloat16, False, torch.channels_last),
        ("cpu", torch.bfloat16, True, torch.channels_last),
        ("cpu", torch.bfloat16, False, torch.contiguous_format),
        ("cpu", torch.float32, True, torch.contiguous_format),
        ("cpu", torch.float32, False, torch.contiguous_format),
        ("mps", torch.float32, False, torch.contiguous_format),
    ],
)
def test_the_fastest_memory_format(kind, precision, amx, expected):
    assert fastest_memory_format(kind, precision, amx=amx) == expected


@pytest.mark.parametrize("amx", [True, False])
def test_the_processor_is_asked(amx, monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"amx_bf16": amx}, raising=False)
    expected = torch.channels_last if amx else torch.contiguous_format
    assert choose_memory_format("auto", CPU, torch.bfloat16) == expected
    # An older torch knows no capabilities.
    monkeypatch.delattr(torch.cpu, "get_capabilities")
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx, raising=False)
    assert choose_memory_format("auto", CPU, torch.bfloat16) == expected


def test_a_choice_is_taken_at_its_word():
    for name in ("channels_last", "contiguous"):
        assert memory_format_name(choose_memory_format(name, CPU, torch.float32)) == name
    with pytest.raises(UserError, match="memory format 'rows' is unknown; give auto, channels_last, contiguous"):
        choose_memory_format("rows", CPU, torch.float32)
    assert device.MEMORY_FORMATS[0] == "auto"
