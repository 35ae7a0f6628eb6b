"""The networks against outputs of the authors' own, with synthetic weights (tests/reference)."""

import numpy as np
import pytest
import torch

from maskedit.models.config import PRESETS
from maskedit.models.dense_mapping import DenseMappingNetwork
from maskedit.models.discriminator import MultiscaleDiscriminator
from maskedit.models.official import convert_dmn
from maskedit.models.tensors import one_hot, photo_to_tensor
from tests.models.reference import case, dmn_shapes, shapes, synthetic_state


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


@pytest.mark.parametrize(("preset", "parameters"), [("paper", 89_702_595)])
def test_parameter_counts_are_the_papers(preset, parameters):
    with torch.device("meta"):
        network = DenseMappingNetwork(PRESETS[preset])
        discriminator = MultiscaleDiscriminator(64)
    assert sum(p.numel() for p in network.parameters()) == parameters
    assert sum(p.numel() for p in discriminator.parameters()) == 5_568_386
