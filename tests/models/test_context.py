"""The generator that sees the photo around the edit."""

from functools import partial

import pytest
import torch
import torch.nn.functional as F

from maskedit import Renderer
from maskedit.labels import BY_NAME
from maskedit.models.checkpoint import load_checkpoint, save_checkpoint
from maskedit.models.colours import TINT
from maskedit.models.config import DmnConfig
from maskedit.models.context import ContextNetwork, LabelAttention
from maskedit.models.dense_mapping import DenseMappingNetwork
from maskedit.models.holes import label_hole
from maskedit.models.layers import adaptive_instance_norm, instance_norm
from maskedit.models.tensors import one_hot, photo_to_tensor
from maskedit.render.learning import trained_names
from tests.faces import draw_face

SIDE = 64
CONFIG = DmnConfig(width=4, size=SIDE, variant="maskgan-context")


@pytest.fixture
def network():
    torch.manual_seed(0)
    return ContextNetwork(CONFIG).eval().requires_grad_(False)


@pytest.fixture
def trained(network):
    """One whose context branch says something."""
    torch.manual_seed(1)
    for name, parameter in network.named_parameters():
        if name.startswith(("into_", "attention.out", "modulations")):
            torch.nn.init.normal_(parameter, 0, 0.3)
    return network


def faces(*seeds, side=SIDE):
    drawn = [draw_face(side, seed) for seed in seeds]
    photos = torch.cat([photo_to_tensor(photo) for photo, _ in drawn])
    ids = torch.stack([torch.from_numpy(labels) for _, labels in drawn])
    return photos, ids, one_hot(ids)


def test_it_starts_as_the_plain_network(network):
    photo, ids, labels = faces(0)
    style = network.style(photo, labels)
    hole = label_hole(ids, [BY_NAME["hair"].id])
    assert network.complete(labels, style, photo, hole).allclose(network.generate(labels, style), atol=1e-6)


def test_a_hole_that_is_everything_gives_the_plain_network(trained):
    photo, _, labels = faces(0, 1)
    style = trained.style(photo, labels)
    everything = torch.ones(2, 1, SIDE, SIDE)
    assert trained.complete(labels, style, photo, everything).equal(trained.generate(labels, style))


def test_where_regions_are_known_a_hole_that_is_everything_shows_them(trained):
    photo, _, labels = faces(0, 1)
    style, everything = trained.style(photo, labels), torch.ones(2, 1, SIDE, SIDE)
    regions = trained.regions(photo, labels)
    regions[1] = 0  # of the second nothing is known
    image, plain = trained.complete(labels, style, photo, everything, regions), trained.generate(labels, style)
    assert not image[0].allclose(plain[0], atol=1e-2)
    assert image[1].allclose(plain[1], atol=1e-6)
    for value in (0, TINT):  # red, and what was learned
        other = regions.clone()
        other[0, :, value] -= 0.5 * regions[0, :, TINT - 1]
        assert not trained.complete(labels, style, photo, everything, other)[0].allclose(image[0], atol=1e-2)


def test_of_a_batch_only_hidden_photos_are_drawn_plainly(trained):
    photo, ids, labels = faces(0, 1)
    style = trained.style(photo, labels)
    hole = label_hole(ids, [BY_NAME["nose"].id])
    hole[1] = 1
    image, plain = trained.complete(labels, style, photo, hole), trained.generate(labels, style)
    assert image[1].allclose(plain[1], atol=1e-6)
    assert not image[0].allclose(plain[0], atol=1e-2)


def test_what_lies_in_the_hole_is_not_seen(trained):
    photo, ids, labels = faces(0)
    style = trained.style(photo, labels)
    hole = label_hole(ids, [BY_NAME["hair"].id])
    other = torch.where(hole > 0, torch.rand_like(photo), photo)
    assert trained.complete(labels, style, photo, hole).equal(trained.complete(labels, style, other, hole))


def test_what_lies_around_the_hole_is_seen(trained):
    photo, ids, labels = faces(0)
    style = trained.style(photo, labels)
    hole = label_hole(ids, [BY_NAME["nose"].id])
    darker = torch.where(hole > 0, photo, photo - 0.5)
    change = trained.complete(labels, style, photo, hole) - trained.complete(labels, style, darker, hole)
    assert float(change.abs()[hole.expand_as(change) > 0].mean()) > 1e-3


@pytest.mark.parametrize("side", [32, 48, 80])
def test_sides(trained, side):
    photo, ids, labels = faces(0, side=side)
    image = trained.complete(labels, trained.style(photo, labels), photo, label_hole(ids, [BY_NAME["skin"].id]))
    assert image.shape == photo.shape
    assert image.dtype == torch.float32
    assert image.abs().max() <= 1


def test_attention_looks_where_the_label_is_the_same_and_the_photo_is_seen():
    torch.manual_seed(0)
    attention = LabelAttention(4, 4, 3)
    for conv in (attention.query, attention.key):
        torch.nn.init.zeros_(conv.weight)
        torch.nn.init.zeros_(conv.bias)
    for conv in (attention.value, attention.out):
        conv.weight.data = torch.eye(4)[:, :, None, None]
        torch.nn.init.zeros_(conv.bias)
    attention.same.data = torch.tensor(50.0)
    ids = torch.randint(0, 3, (1, 8, 8), dtype=torch.uint8)
    visible = (torch.rand(1, 1, 8, 8) > 0.4).float()
    context = torch.randn(1, 4, 8, 8)
    found = attention(torch.randn(1, 4, 8, 8), context, one_hot(ids, classes=3), visible)
    for label in range(3):
        same = (ids[0] == label) & (visible[0, 0] > 0)
        wanted = context[0, :, same].mean(dim=1)
        assert found[0, :, ids[0] == label].allclose(wanted[:, None].expand(-1, int((ids == label).sum())), atol=1e-4)


def test_every_weight_is_learned_from_the_photo(network):
    photo, ids, labels = faces(0, 1)
    network.requires_grad_(True)
    hole = label_hole(ids, [BY_NAME["hair"].id])
    optimiser = torch.optim.SGD(network.parameters(), 0.1)
    for _ in range(2):  # the first step opens the gates that start at zero
        optimiser.zero_grad()
        regions = network.regions(photo, labels)
        network.complete(labels, network.style(photo, labels), photo, hole, regions).square().mean().backward()
        optimiser.step()
    # Biases before a normalisation, and of keys, which add the same to all logits of a row, move nothing.
    still = {name for name, value in network.named_parameters() if value.grad is None}
    assert not still
    moved = {name for name, value in network.named_parameters() if value.grad.abs().max() > 0}
    assert {name for name, _ in network.named_parameters() if name.endswith("weight")} <= moved


def test_it_is_saved_loaded_and_opened_by_the_renderer(trained, tmp_path):
    path = save_checkpoint(tmp_path / "context.safetensors", trained, {}, dtype=torch.float32)
    loaded, header = load_checkpoint(path)
    assert isinstance(loaded, ContextNetwork)
    assert header.config == CONFIG
    photo, ids, labels = faces(0)
    hole = label_hole(ids, [BY_NAME["nose"].id])
    arguments = labels, loaded.style(photo, labels), photo, hole
    assert loaded.complete(*arguments).equal(trained.complete(*arguments))
    drawn, ids = draw_face(SIDE, 0)
    renderer = Renderer(path, device="cpu", precision="float32")
    renderer.set_target(drawn, ids)
    assert renderer.render(ids).image.shape == (SIDE, SIDE, 3)


def test_learning_a_face_trains_what_plain_renders_use(network):
    plain = DenseMappingNetwork(DmnConfig(width=4, size=SIDE))
    assert trained_names(network) == trained_names(plain)


def test_a_plain_networks_weights_fit(network):
    plain = DenseMappingNetwork(DmnConfig(width=4, size=SIDE)).state_dict()
    missing, unknown = network.load_state_dict(plain, strict=False)
    assert not unknown
    assert all(name.startswith(ContextNetwork.CONTEXT_NAMES) for name in missing)


# Both ways through the network's layers, against its modules one by one


def generate_by_modules(network, labels, style):
    x = F.relu(instance_norm(network.stem(labels)))
    for conv in network.down:
        x = F.relu(instance_norm(conv(x)))
    x = through_blocks(network, x, style)
    for conv in network.up:
        x = F.relu(instance_norm(conv(x)))
    return torch.tanh(network.head(x))


def through_blocks(network, x, style):
    for block, code in zip(network.blocks, style.chunk(len(network.blocks), dim=1), strict=True):
        first, second = code.chunk(2, dim=1)
        y = F.relu(adaptive_instance_norm(block.conv1(x), first))
        x = x + adaptive_instance_norm(block.conv2(y), second)
    return x


def complete_by_modules(network, labels, style, photo, hole, regions):
    seen = network.seen(labels, photo, hole, regions)
    context = network.context(seen)
    x = F.relu(instance_norm(network.stem(labels) + network.into_down[0](context[0])))
    for conv, into, features in zip(network.down, network.into_down[1:], context[1:], strict=True):
        x = F.relu(instance_norm(conv(x) + into(features)))
    x = through_blocks(network, x, style)
    part = torch.ones(len(photo), 1, 1)
    ups = zip((3, 2, 1, 0), network.up, network.into_up, network.modulations, strict=True)
    for level, conv, into, modulation in ups:
        x = F.relu(modulation(instance_norm(conv(x)), regions, F.avg_pool2d(labels, 2**level), part))
        added = into(context[level])
        if level == 3:
            visible = 1 - F.avg_pool2d(hole, 8)
            added = added + network.attention(x, context[level], F.avg_pool2d(labels, 8), visible)
        elif level == 0:
            added = added + network.into_head(seen)
        x = x + added
    return torch.tanh(network.head(x))


@pytest.fixture
def ways(trained):
    """Each way: what draws, the same by modules, and what they are given."""
    photo, ids, labels = faces(0, 1)
    hole, style = label_hole(ids, [BY_NAME["hair"].id]), trained.style(photo, labels)
    given = labels, style, photo, hole, trained.regions(photo, labels)
    return {
        "generate": (trained.generate, partial(generate_by_modules, trained), (labels, style)),
        "complete": (trained.complete, partial(complete_by_modules, trained), given),
    }


@pytest.mark.parametrize("way", ["generate", "complete"])
def test_the_layers_do_what_the_modules_do_to_the_bit(trained, ways, way):
    draw, by_modules, given = ways[way]
    trained.requires_grad_(True)
    for function in (draw, by_modules):
        trained.zero_grad(set_to_none=True)
        image = function(*given)
        image.square().mean().backward()
        drawn = [image, *(weight.grad for weight in trained.parameters() if weight.grad is not None)]
        if function is draw:
            found = drawn
    assert len(found) > 30
    assert len(found) == len(drawn)
    assert all(map(torch.equal, found, drawn))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_the_layers_can_be_compiled_as_one_graph(trained, ways):
    trained.requires_grad_(True)
    draw, _, given = ways["generate"]
    compiled = torch.compile(draw, backend="aot_eager", fullgraph=True)
    gradients = []
    for function in (draw, compiled):
        trained.zero_grad(set_to_none=True)
        image = function(*given)
        image.square().mean().backward()
        gradients.append([image.detach(), trained.stem.weight.grad, trained.blocks[0].conv1.weight.grad])
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(other, one, atol=1e-5, rtol=1e-3)
