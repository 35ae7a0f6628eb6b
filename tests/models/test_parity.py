"""The networks against outputs of the authors' own, with synthetic weights (tests/reference)."""

import numpy as np
import pytest
import torch

from maskedit.models.alpha_blender import AlphaBlender
from maskedit.models.config import (
    ALPHA_BLENDER_PRESETS,
    MASK_VAE_PRESETS,
    PARSER_PRESETS,
    PRESETS,
    AlphaBlenderConfig,
    MaskVaeConfig,
)
from maskedit.models.dense_mapping import DenseMappingNetwork
from maskedit.models.discriminator import MultiscaleDiscriminator
from maskedit.models.mask_vae import MaskVAE
from maskedit.models.official import convert_dmn
from maskedit.models.parser import build_parser
from maskedit.models.tensors import one_hot, photo_to_tensor
from tests.models.reference import (
    blender_names,
    case,
    dmn_shapes,
    loaded,
    mask_vae_names,
    mask_vae_shapes,
    parser_names,
    shapes,
    synthetic_state,
)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["dmn_ngf8_64", "dmn_ngf64_128"])
def test_dmn_reproduces_the_released_network(name):
    expected = case(name)
    network = convert_dmn(synthetic_state(dmn_shapes(int(expected["ngf"])), int(expected["seed"])))
    with torch.inference_mode():
        style = network.style(photo_to_tensor(expected["photo"]), one_hot(expected["reference_labels"]))
        output = network.generate(one_hot(expected["target_labels"]), style)
    assert np.abs(style[0].numpy() - expected["style"]).max() < 1e-4
    assert np.abs(output[0].numpy() - expected["output"]).max() < 1e-4


def test_discriminator_reproduces_the_released_network():
    expected = case("discriminator_128")
    state = synthetic_state(shapes("discriminator"), int(expected["seed"]))
    network = MultiscaleDiscriminator(64).eval()
    # The released container numbers its scales from coarse to fine.
    renamed = {}
    for theirs, ours in (("scale1", "fine"), ("scale0", "coarse")):
        for layer in range(5):
            for part in ("weight", "bias"):
                target = f"{ours}.convs.{layer}.{part}" if layer < 4 else f"{ours}.head.{part}"
                renamed[target] = state[f"{theirs}_layer{layer}.0.{part}"]
    network.load_state_dict(renamed)
    with torch.inference_mode():
        scales = network(one_hot(expected["labels"]), photo_to_tensor(expected["image"]))
    for index, outputs in enumerate(scales):
        assert np.abs(outputs[-1][0].numpy() - expected[f"scale{index}_logits"]).max() < 1e-4
        for layer, feature in enumerate(outputs[:-1]):
            assert float(feature.mean()) == pytest.approx(
                float(expected[f"scale{index}_feature{layer}_mean"]), abs=1e-4
            )
            std = feature.std(unbiased=False)
            assert float(std) == pytest.approx(float(expected[f"scale{index}_feature{layer}_std"]), abs=1e-4)


def test_mask_vae_reproduces_the_authors_network():
    expected = case("mask_vae_base2_512")
    latent = len(expected["mu"])
    state = synthetic_state(mask_vae_shapes(2, latent), int(expected["seed"]))
    network = loaded(MaskVAE(MaskVaeConfig(width=2, size=512, latent=latent)), state, mask_vae_names())
    with torch.inference_mode():
        mean, log_variance = network.encode(one_hot(expected["labels"]))
        logits = network.decode(mean)[0]
    # Tighter than the reference's 1e-4: an epsilon taken for the other one moves its faint outputs by 6e-6 only.
    assert np.abs(mean[0].numpy() - expected["mu"]).max() < 2e-6
    assert np.abs(log_variance[0].numpy() - expected["logvar"]).max() < 2e-6
    assert np.abs(logits[:, 240:272, 240:272].numpy() - expected["logits_crop"]).max() < 2e-6
    # Padding with zeros turns a whole border, 512 pixels, to another class; near ties may turn a few elsewhere.
    assert (logits.argmax(dim=0).numpy() != expected["logits_argmax"]).sum() < 50


def test_blender_reproduces_the_authors_network():
    expected = case("blender_128")
    state = synthetic_state(shapes("blender"), int(expected["seed"]))
    network = loaded(AlphaBlender(AlphaBlenderConfig(size=128)), state, blender_names())
    with torch.inference_mode():
        blend, alpha = network(photo_to_tensor(expected["first"]), photo_to_tensor(expected["second"]))
    assert np.abs(blend[0].numpy() - expected["blend"]).max() < 1e-4
    assert np.abs(alpha[0].numpy() - expected["alpha"]).max() < 1e-4


@pytest.mark.parametrize(
    ("name", "names", "build"),
    [
        ("mask_vae", mask_vae_names(), lambda: MaskVAE(MASK_VAE_PRESETS["paper"])),
        ("blender", blender_names(), lambda: AlphaBlender(ALPHA_BLENDER_PRESETS["paper"])),
        ("unet_parser", parser_names(), lambda: build_parser(PARSER_PRESETS["paper"])),
    ],
    ids=["mask_vae", "blender", "unet_parser"],
)
def test_every_entry_of_the_authors_networks_has_its_place(name, names, build):
    with torch.device("meta"):
        ours = {entry: tuple(value.shape) for entry, value in build().state_dict().items()}
    assert {names[theirs]: shape for theirs, shape in shapes(name).items()} == ours


@pytest.mark.parametrize(
    ("build", "parameters"),
    [
        (lambda: DenseMappingNetwork(PRESETS["paper"]), 89_702_595),
        (lambda: MultiscaleDiscriminator(64), 5_568_386),
        (lambda: MaskVAE(MASK_VAE_PRESETS["paper"]), 170_619_571),
        (lambda: AlphaBlender(ALPHA_BLENDER_PRESETS["paper"]), 4_329_443),
        (lambda: build_parser(PARSER_PRESETS["paper"]), 1_944_355),
    ],
    ids=["dmn", "discriminator", "mask_vae", "alpha_blender", "parser"],
)
def test_parameter_counts_are_the_papers(build, parameters):
    with torch.device("meta"):
        network = build()
    assert sum(p.numel() for p in network.parameters()) == parameters
