"""Learn this face, on tiny real networks: it gets nearer, it comes and goes without a trace, it trusts no bytes."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load, save

from maskedit import Renderer, UserError
from maskedit.labels import MIRROR
from maskedit.models.checkpoint import save_checkpoint
from maskedit.models.config import DmnConfig
from maskedit.models.variants import build_generator
from maskedit.render import learning
from tests.faces import draw_face


@pytest.fixture(scope="module")
def make_weights(tmp_path_factory):
    folder = tmp_path_factory.mktemp("weights")

    def made(name, seed=3, **config):
        torch.manual_seed(seed)
        network = build_generator(DmnConfig(**{"width": 4, "size": 64, "blocks": 2} | config))
        return save_checkpoint(folder / f"{name}.safetensors", network, {}, dtype=torch.float32)

    return made


@pytest.fixture(scope="module")
def weights(make_weights):
    return make_weights("tiny")


@pytest.fixture
def renderer(weights):
    made = Renderer(weights, device="cpu", precision="float32")
    made.set_target(*draw_face(64, 0))
    return made


def unlike(renderer, seed=0):
    """Mean absolute difference of the unedited render from the photo."""
    photo, labels = draw_face(64, seed)
    return np.abs(renderer.render(labels).image.astype(int) - photo).mean()


def learned_bytes(renderer, steps=3):
    run = renderer.learn(steps)
    for _ in range(run.total):
        run.step()
    return run.finish()


EDITED = draw_face(64, 1)[1]


@pytest.mark.slow
def test_the_render_gets_nearer_to_the_photo(renderer):
    before = unlike(renderer)
    run = renderer.learn(40)
    losses = [run.step() for _ in range(run.total)]
    assert (run.done, run.total) == (40, 40)
    assert np.mean(losses[-5:]) < 0.8 * np.mean(losses[:5])
    assert not renderer.has_face_weights
    run.finish()
    assert renderer.has_face_weights
    assert unlike(renderer) < 0.75 * before


@pytest.mark.slow
def test_bfloat16_learns_as_well(weights):
    renderer = Renderer(weights, device="cpu", precision="bfloat16")
    renderer.set_target(*draw_face(64, 0))
    before = unlike(renderer)
    learned_bytes(renderer, 30)
    assert unlike(renderer) < 0.8 * before


@pytest.mark.slow
def test_renders_between_steps_change_only_when_shown(renderer):
    first = renderer.render(EDITED).image
    run = renderer.learn(6)
    run.step()
    np.testing.assert_array_equal(renderer.render(EDITED).image, first)
    run.show()
    shown = renderer.render(EDITED).image
    assert (shown != first).any()
    run.step()
    np.testing.assert_array_equal(renderer.render(EDITED).image, shown)
    run.show()
    assert (renderer.render(EDITED).image != shown).any()


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_cancel_and_forget_leave_no_trace(weights, precision):
    renderer = Renderer(weights, device="cpu", precision=precision)
    renderer.set_target(*draw_face(64, 0))
    first = renderer.render(EDITED).image
    run = renderer.learn(5)
    run.step()
    run.show()
    assert renderer.has_face_weights
    run.cancel()
    assert not renderer.has_face_weights
    np.testing.assert_array_equal(renderer.render(EDITED).image, first)
    for late in (run.step, run.show, run.finish):
        with pytest.raises(RuntimeError, match="finished or cancelled"):
            late()

    learned_bytes(renderer)
    learned = renderer.render(EDITED).image
    run.cancel()  # has nothing left to cancel
    again = renderer.learn(5)  # goes on from what was learned
    again.step()
    again.show()
    again.cancel()
    np.testing.assert_array_equal(renderer.render(EDITED).image, learned)
    renderer.forget()
    np.testing.assert_array_equal(renderer.render(EDITED).image, first)
    renderer.forget()


def test_the_bytes_give_the_same_renders(renderer, weights):
    data = learned_bytes(renderer)
    photo, labels = draw_face(64, 0)
    other = Renderer(weights, device="cpu", precision="float32")
    with pytest.raises(UserError, match="set_target first"):
        other.load_face_weights(data)
    other.set_target(photo, labels)
    other.load_face_weights(data)
    assert other.has_face_weights
    for each in (labels, EDITED):
        np.testing.assert_array_equal(other.render(each).image, renderer.render(each).image)
    names = set(load(data))
    assert {"style", "stem.weight", "blocks.0.conv1.weight", "head.bias"} <= names
    assert not any(name.startswith(("encoder.", "blocks.1.")) for name in names)


@pytest.mark.slow
def test_another_target_forgets(renderer, weights):
    photo, labels = draw_face(64, 0)
    learned_bytes(renderer)
    learned = renderer.render(EDITED).image
    renderer.set_target(photo.copy(), labels.copy())
    np.testing.assert_array_equal(renderer.render(EDITED).image, learned)
    fresh = Renderer(weights, device="cpu", precision="float32")
    for other in ((draw_face(64, 2)[0], labels), (photo, draw_face(64, 2)[1])):
        renderer.load_face_weights(learned_bytes(renderer, 1))
        renderer.set_target(*other)
        assert not renderer.has_face_weights
        fresh.set_target(*other)
        np.testing.assert_array_equal(renderer.render(EDITED).image, fresh.render(EDITED).image)


def test_what_is_learned_of_one_face_does_not_reach_another(renderer):
    run = renderer.learn(3)
    run.step()
    renderer.set_target(*draw_face(64, 2))
    first = renderer.render(EDITED).image
    run.show()
    run.finish()
    assert not renderer.has_face_weights
    np.testing.assert_array_equal(renderer.render(EDITED).image, first)


def repacked(data, **changes):
    header = json.loads(json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])["__metadata__"]["maskedit"])
    return save(load(data), metadata={"maskedit": json.dumps(header | changes)})


@pytest.mark.slow
def test_bytes_from_anywhere_are_refused(renderer, make_weights):
    first = renderer.render(EDITED).image
    data = learned_bytes(renderer)
    renderer.forget()
    tensors = load(data)

    def with_tensors(**changes):
        return save(tensors | changes, metadata=header)

    header = {"maskedit": json.dumps({"format": 1, "base": renderer._fingerprint})}
    head, scale = tensors["head.weight"], tensors["head.weight.scale"]
    damaged = [
        b"",
        b"PK\x03\x04" * 20,
        b"\xff" * 8 + data[8:],
        data[:-1],
        data + b"\0",
        data + bytes(1 << 20),
        save(tensors),
        save(tensors, metadata={"maskedit": "[" * 5000}),
        save(tensors, metadata={"maskedit": "[]"}),
        save({name: tensor for name, tensor in tensors.items() if name != "style"}, metadata=header),
        with_tensors(extra=torch.zeros(1, dtype=torch.float16)),
        with_tensors(**{"head.weight": head.transpose(0, 1).contiguous()}),
        with_tensors(**{"head.weight": head.float()}),
        with_tensors(**{"head.weight.scale": torch.full_like(scale, torch.nan)}),
        with_tensors(style=torch.full_like(tensors["style"], torch.inf)),
    ]
    for each in damaged:
        with pytest.raises(UserError, match=r"is damaged .*; learn the face again"):
            renderer.load_face_weights(each)
    with pytest.raises(UserError, match="in format 2, wanted 1"):
        renderer.load_face_weights(repacked(data, format=2))
    with pytest.raises(UserError, match=r"with other weights .* choose those weights, or learn the face again"):
        renderer.load_face_weights(repacked(data, base=7))
    other = Renderer(make_weights("other", seed=4), device="cpu", precision="float32")
    other.set_target(*draw_face(64, 0))
    with pytest.raises(UserError, match="with other weights"):
        other.load_face_weights(data)
    wider = Renderer(make_weights("wider", width=8), device="cpu", precision="float32")
    wider.set_target(*draw_face(64, 0))
    with pytest.raises(UserError, match="with other weights"):
        renderer.load_face_weights(learned_bytes(wider, 1))
    assert not renderer.has_face_weights
    np.testing.assert_array_equal(renderer.render(EDITED).image, first)


@pytest.mark.slow
def test_wrong_calls(weights, renderer):
    with pytest.raises(UserError, match="set_target first"):
        Renderer(weights, device="cpu").learn()
    with pytest.raises(UserError, match="0 steps"):
        renderer.learn(0)


def test_out_of_gpu_memory_cancels(renderer, monkeypatch):
    first = renderer.render(EDITED).image
    run = renderer.learn(3)
    run.step()
    run.show()

    def full(*given):
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(learning, "unlikeness", full)
    with pytest.raises(UserError, match="too little memory to learn this face; nothing was changed"):
        run.step()
    assert not renderer.has_face_weights
    np.testing.assert_array_equal(renderer.render(EDITED).image, first)
    monkeypatch.setattr(learning.copy, "deepcopy", full)
    with pytest.raises(UserError, match="too little memory to learn this face"):
        renderer.learn(3)


def test_a_loss_that_is_no_number_cancels(renderer, monkeypatch):
    first = renderer.render(EDITED).image
    run = renderer.learn(3)
    monkeypatch.setattr(learning, "unlikeness", lambda render, photo: render.sum() * torch.nan)
    with pytest.raises(UserError, match="went astray; nothing was changed"):
        run.step()
    np.testing.assert_array_equal(renderer.render(EDITED).image, first)


def as_tensors(seed=0):
    photo, labels = draw_face(64, seed)
    return torch.from_numpy(photo).permute(2, 0, 1)[None] / 127.5 - 1, torch.from_numpy(labels)[None]


def test_mirroring_exchanges_left_and_right():
    photo, labels = as_tensors()
    flipped, partners = learning.mirrored(photo, labels)
    assert torch.equal(flipped, photo.flip(3))
    assert partners.dtype == torch.uint8
    np.testing.assert_array_equal(partners[0].numpy(), MIRROR[labels[0].numpy()[:, ::-1]])
    across = torch.arange(64).expand(64, 64)
    assert across[partners[0] == 4].float().mean() > across[partners[0] == 5].float().mean()  # the person's own left


def test_photo_and_labels_are_warped_alike():
    photo, labels = as_tensors()
    ids = labels[:, None].float().expand_as(photo) / 10 - 1  # a photo that shows the label map
    still = torch.zeros(1, 2, 5, 5)
    same, same_labels = learning.warped(photo, labels, still)
    torch.testing.assert_close(same, photo, atol=1e-4, rtol=0)
    assert torch.equal(same_labels, labels)
    moves = torch.randn(1, 2, 5, 5, generator=torch.Generator().manual_seed(1)) * learning.WARP
    bent, bent_labels = learning.warped(ids, labels, moves)
    assert 0.05 < (bent_labels != labels).float().mean() < 0.5
    agree = ((bent[:, 0] + 1) * 10).round() == bent_labels
    assert agree.float().mean() > 0.8  # all but the edges, where the photo is interpolated
    shifted, _ = learning.warped(photo, labels, torch.full_like(still, 4 * 2 / 64))
    torch.testing.assert_close(shifted[..., :60, :60], photo[..., 4:, 4:], atol=1e-4, rtol=0)


def test_lessons_show_the_photo_and_more():
    photo, labels = as_tensors()
    random = torch.Generator().manual_seed(0)
    lessons = [learning.lesson(photo, labels, random) for _ in range(60)]
    plain = sum(torch.equal(seen, photo) for seen, _ in lessons) / len(lessons)
    assert abs(plain - learning.AS_IT_IS) < 0.2
    assert {(tuple(seen.shape), ids.dtype) for seen, ids in lessons} == {((1, 3, 64, 64), torch.uint8)}


@pytest.mark.slow
def test_what_the_photo_lacks_is_drawn_as_before(weights, monkeypatch):
    """Learned for long with an edit to keep, a class that the photo lacks changes less than without."""
    photo, labels = draw_face(64, 0)
    edited = labels.copy()
    edited[40:60, 20:44] = 14  # a hat, where there was none
    changes = []
    for weight in (0.0, 1.0):  # more than in earnest: there are but few steps
        monkeypatch.setattr(learning, "KEEP_WEIGHT", weight)
        renderer = Renderer(weights, device="cpu", precision="float32")
        monkeypatch.setattr("maskedit.render.renderer.portrait_edits", lambda labels: [edited])
        renderer.set_target(photo, labels)
        before = renderer.render(edited).image.astype(int)
        learned_bytes(renderer, 40)
        changes.append(np.abs(renderer.render(edited).image - before)[40:60, 20:44].mean())
    assert changes[1] < 0.7 * changes[0]
