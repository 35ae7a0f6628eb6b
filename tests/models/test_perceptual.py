"""Feature networks on synthetic weights; the download is never made."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch

from maskedit.errors import UserError
from maskedit.models import perceptual
from maskedit.models.checkpoint import save_checkpoint
from maskedit.models.config import DmnConfig, ParserConfig
from maskedit.models.dense_mapping import DenseMappingNetwork
from maskedit.models.parser import build_parser
from maskedit.models.perceptual import (
    PerceptualLoss,
    SqueezeNetFeatures,
    Vgg19Features,
    feature_distance,
    make_perceptual,
)
from tests.squeezenet import CHANNELS, DIVISOR, write_squeezenet

VGG_DIVISOR = 16


@pytest.fixture
def squeezenet(tmp_path):
    return write_squeezenet(tmp_path / "squeezenet.npz")


def vgg_state(divisor=VGG_DIVISOR):
    torch.manual_seed(0)
    state, channels, index = {}, 3, 0
    for width in Vgg19Features.WIDTHS:
        if width == "M":
            index += 1
            continue
        state[f"features.{index}.weight"] = torch.randn(width // divisor, channels, 3, 3) / (9 * channels) ** 0.5
        state[f"features.{index}.bias"] = torch.full((width // divisor,), 0.1)
        channels, index = width // divisor, index + 2
    state["classifier.0.weight"] = torch.zeros(2, 2)  # torchvision's file has these too
    return state


@pytest.fixture
def vgg(tmp_path):
    torch.save(vgg_state(), tmp_path / "vgg19.pth")
    return tmp_path / "vgg19.pth"


def image(seed=0, side=64):
    return torch.rand(2, 3, side, side, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def test_squeezenet_taps(squeezenet):
    features = SqueezeNetFeatures(squeezenet)(image())
    channels = [CHANNELS[index] // DIVISOR for index in (0, 2, 4, 6, 8)]
    # 64 -> conv1 29 -> pool 14 -> pool (after fire4) 7 -> pool (after fire8) 3
    assert [tuple(feature.shape) for feature in features] == [
        (2, width, side, side) for width, side in zip(channels, (29, 14, 7, 7, 3), strict=True)
    ]
    assert all((feature >= 0).all() for feature in features)


def test_squeezenet_sees_bgr_0_to_255_less_the_mean(squeezenet):
    network = SqueezeNetFeatures(squeezenet)
    with np.load(squeezenet) as weights:
        weight = torch.from_numpy(weights["conv1_w"].astype(np.float32))
    colour = torch.tensor([10.0, 20.0, 30.0])  # red, green, blue
    flat = (colour / 127.5 - 1).view(1, 3, 1, 1).expand(1, 3, 32, 32)
    seen = colour.flip(0) - torch.tensor([104.0, 117.0, 123.0])
    wanted = torch.relu((weight.sum(dim=(2, 3)) * seen).sum(dim=1) + np.float16(0.1).item())
    assert torch.allclose(network(flat)[0][0, :, 0, 0], wanted, rtol=1e-3, atol=0.05)


@pytest.mark.parametrize(
    "changed",
    [{"fire5_expand1x1_w": None}, {"fire5_expand1x1_w": np.zeros((1, 2, 3, 4), np.float16)}, {"conv1_b": np.zeros(2)}],
)
def test_wrong_arrays(tmp_path, changed):
    with pytest.raises(UserError, match=r"x\.npz"):
        SqueezeNetFeatures(write_squeezenet(tmp_path / "x.npz", **changed))


def test_wrong_squeezenet_files(tmp_path, squeezenet):
    whole = squeezenet.read_bytes()
    np.save(tmp_path / "array.npy", np.zeros(3))
    np.savez(tmp_path / "objects.npz", conv1_w=np.array([{}], dtype=object))
    contents = {"empty": b"", "text": b"hello", "cut": whole[: len(whole) // 2]}
    for name, content in contents.items():
        (tmp_path / f"{name}.npz").write_bytes(content)
    for name in ("empty.npz", "text.npz", "cut.npz", "array.npy", "objects.npz", "none.npz"):
        with pytest.raises(UserError, match=name):
            SqueezeNetFeatures(tmp_path / name)


def test_vgg_taps(vgg):
    features = Vgg19Features(vgg, width_divisor=VGG_DIVISOR)(image())
    assert [tuple(feature.shape) for feature in features] == [
        (2, width // VGG_DIVISOR, 64 // scale, 64 // scale)
        for width, scale in zip((64, 128, 256, 512, 512), (1, 2, 4, 8, 16), strict=True)
    ]
    assert all((feature >= 0).all() for feature in features)  # taken after the ReLU


def test_wrong_vgg_files(tmp_path, vgg):
    with pytest.raises(UserError, match="VGG-19"):
        Vgg19Features(vgg)  # the widths of the real one are wanted
    torch.save([1], tmp_path / "list.pth")
    torch.save({}, tmp_path / "empty.pth")
    (tmp_path / "text.pth").write_bytes(b"hello")
    for name in ("list.pth", "empty.pth", "text.pth", "none.pth"):
        with pytest.raises(UserError, match=name):
            Vgg19Features(tmp_path / name, width_divisor=VGG_DIVISOR)


@pytest.fixture
def cache(tmp_path, monkeypatch, vgg):
    """torch's cache in a temporary folder, a counting download of the synthetic file, and that file's own hash."""
    calls = []

    def download(url, path, hash_prefix=None, progress=True):
        calls.append((url, hash_prefix))
        Path(path).write_bytes(vgg.read_bytes())

    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    monkeypatch.setattr(torch.hub, "download_url_to_file", download)
    digest = hashlib.sha256(vgg.read_bytes()).hexdigest()
    monkeypatch.setattr(perceptual, "VGG19_SHA256_PREFIX", digest[:8])
    return calls


def test_vgg_is_downloaded_once_with_its_hash(cache):
    for _ in range(2):
        Vgg19Features(width_divisor=VGG_DIVISOR)
    assert cache == [(perceptual.VGG19_URL, perceptual.VGG19_SHA256_PREFIX)]
    assert perceptual.VGG19_URL.endswith("vgg19-dcbb9e9d.pth")


def test_damaged_vgg_in_the_cache(cache, tmp_path):
    Vgg19Features(width_divisor=VGG_DIVISOR)
    (cached,) = (tmp_path / "hub" / "checkpoints").iterdir()
    cached.write_bytes(b"damaged")
    with pytest.raises(UserError, match="delete it"):
        Vgg19Features(width_divisor=VGG_DIVISOR)


def test_failed_download_says_what_else_to_give(cache, monkeypatch):
    def fail(*_, **__):
        raise OSError("no network")

    monkeypatch.setattr(torch.hub, "download_url_to_file", fail)
    with pytest.raises(UserError, match=r"no network.*--perceptual squeezenet:PATH"):
        Vgg19Features()


def test_feature_distance_is_weighted_l1():
    features = [torch.zeros(1, 2, 4, 4), torch.ones(1, 3, 2, 2)]
    target = [torch.full((1, 2, 4, 4), 2.0), torch.zeros(1, 3, 2, 2)]
    assert float(feature_distance(features, target, [0.25, 3.0])) == pytest.approx(3.5)


def test_loss_is_zero_for_equal_pictures_and_grows(squeezenet):
    loss = PerceptualLoss(f"squeezenet:{squeezenet}")
    photo = image()
    near, far = photo + 0.05 * image(1), photo + 0.5 * image(1)
    assert float(loss(photo, photo)) == 0
    assert 0 < float(loss(near, photo)) < float(loss(far, photo))


def test_loss_reaches_the_picture_and_not_the_weights(squeezenet):
    loss = PerceptualLoss(f"squeezenet:{squeezenet}")
    render = image(1).requires_grad_()
    loss(render, image()).backward()
    assert render.grad.abs().sum() > 0
    assert not list(loss.parameters()) or not any(parameter.requires_grad for parameter in loss.parameters())


def test_vgg_loss_uses_the_papers_weights(vgg, monkeypatch):
    monkeypatch.setattr(perceptual, "Vgg19Features", _Narrow)
    loss = PerceptualLoss(f"vgg19:{vgg}")
    render, photo = image(1), image()
    ours, theirs = loss.features(render), loss.features(photo)
    wanted = sum(
        weight * float((a - b).abs().mean())
        for weight, a, b in zip((1 / 32, 1 / 16, 1 / 8, 1 / 4, 1), ours, theirs, strict=True)
    )
    assert float(loss(render, photo)) == pytest.approx(wanted, rel=1e-5)


class _Narrow(Vgg19Features):
    def __init__(self, path):
        super().__init__(path, width_divisor=VGG_DIVISOR)


@pytest.mark.parametrize("kind", ["unet", "residual"])
def test_the_projects_own_parser_serves_as_well(tmp_path, kind):
    torch.manual_seed(0)
    network = build_parser(ParserConfig(kind=kind, width=4, size=64))
    path = save_checkpoint(tmp_path / "parser.safetensors", network, {})
    loss = PerceptualLoss(f"parser:{path}")
    photo = image()
    levels = [(tuple(feature.shape), bool((feature >= 0).all())) for feature in loss.features(photo)]
    sides = (64, 32, 16, 8, 4) if kind == "unet" else (32, 16, 8, 4)
    assert levels == [((2, 4 << level, side, side), True) for level, side in enumerate(sides)]
    assert float(loss(photo, photo)) == 0
    render = (photo + 0.2 * image(1)).requires_grad_()
    loss(render, photo).backward()
    assert render.grad.abs().sum() > 0
    assert not any(parameter.requires_grad for parameter in loss.parameters())


def test_another_network_is_no_parser(tmp_path):
    path = save_checkpoint(tmp_path / "dmn.safetensors", DenseMappingNetwork(DmnConfig(width=4, size=64)), {})
    with pytest.raises(UserError, match="holds a Dense Mapping Network, wanted a face parser"):
        PerceptualLoss(f"parser:{path}")


def test_choices(squeezenet, tmp_path):
    assert make_perceptual("none") is None
    assert isinstance(make_perceptual(f"squeezenet:{squeezenet}"), PerceptualLoss)
    for choice in ("squeezenet", "resnet", "", f"squeezenet:{tmp_path / 'none.npz'}"):
        with pytest.raises(UserError, match="--perceptual"):
            make_perceptual(choice)
