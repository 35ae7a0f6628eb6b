"""Face parsers: shapes, gradients, what a pixel can see, and that they tell left from right."""

import pytest
import torch
import torch.nn.functional as F

from maskedit.errors import UserError
from maskedit.models.config import PARSER_PRESETS, ParserConfig
from maskedit.models.parser import ResidualUNet, UNet, build_parser

KINDS = {"unet": UNet, "residual": ResidualUNet}


@pytest.fixture(params=KINDS)
def parser(request):
    torch.manual_seed(0)
    return build_parser(ParserConfig(kind=request.param, width=4, size=64))


def photo(height=64, width=64, count=2):
    return torch.rand(count, 3, height, width, generator=torch.Generator().manual_seed(0)) * 2 - 1


@pytest.mark.parametrize("shape", [(64, 64), (32, 48), (128, 128)])
def test_logits_have_the_photos_shape(parser, shape):
    assert type(parser) is KINDS[parser.config.kind]
    with torch.inference_mode():
        logits = parser.eval()(photo(*shape))
    assert logits.shape == (2, 19, *shape)
    assert logits.dtype == torch.float32


def test_unknown_kind():
    with pytest.raises(UserError, match="'resnet' is unknown; give unet or residual"):
        ParserConfig(kind="resnet")


@pytest.mark.parametrize(("preset", "parameters"), [("compact", 5_274_380), ("small", 2_973_532)])
def test_product_parsers_are_small(preset, parameters):
    with torch.device("meta"):
        network = build_parser(PARSER_PRESETS[preset])
    assert sum(p.numel() for p in network.parameters()) == parameters


def test_every_parameter_learns(parser):
    optimiser = torch.optim.SGD(parser.parameters(), lr=0.1)
    labels = torch.randint(0, 19, (2, 64, 64), generator=torch.Generator().manual_seed(0))
    for _ in range(2):  # the residual blocks' inner weights start behind a zero and move in the second step
        optimiser.zero_grad()
        F.cross_entropy(parser(photo()), labels).backward()
        optimiser.step()
    for name, parameter in parser.named_parameters():
        assert torch.isfinite(parameter.grad).all()
        assert name.endswith("bias") or parameter.grad.abs().max() > 0, name


def test_the_bottleneck_sees_the_whole_photo():
    torch.manual_seed(0)
    network = build_parser(ParserConfig(kind="residual", width=4, size=256)).eval()
    image = photo(256, 256, 1).requires_grad_()
    network(image)[0, :, 0, 0].square().sum().backward()
    assert image.grad[0, :, -2:, -2:].abs().max() > 0


@pytest.mark.slow
def test_left_and_right_can_be_told_apart():
    """Two equal squares on grey, 4 on the right and 5 on the left, as eyes are; the rest does not count."""
    torch.manual_seed(0)
    network = build_parser(ParserConfig(kind="residual", width=4, size=64))
    image, labels = torch.zeros(1, 3, 64, 64), torch.zeros(1, 64, 64, dtype=torch.long)
    image[:, :, 24:32, 8:16] = image[:, :, 24:32, 48:56] = 1
    labels[:, 24:32, 8:16], labels[:, 24:32, 48:56] = 5, 4
    optimiser = torch.optim.Adam(network.parameters(), lr=0.01)
    for _ in range(40):
        optimiser.zero_grad()
        F.cross_entropy(network(image), labels, ignore_index=0).backward()
        optimiser.step()
    predicted = network(image).argmax(dim=1)
    assert (predicted[labels > 0] == labels[labels > 0]).float().mean() > 0.9


def test_bfloat16_autocast_gives_float32(parser):
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        assert parser.eval()(photo()).dtype == torch.float32
