"""Holes as people edit, and label maps that people might paint."""

import numpy as np
import pytest
import torch

from maskedit.labels import BY_NAME, OVERLAYS
from maskedit.models.holes import frame_hole, lenses
from maskedit.training.holes import GROWTH, LEAST, Shares, draw_task
from tests.faces import draw_face

SIDE = 64
HAIR = BY_NAME["hair"].id


def maps(count=4):
    return torch.from_numpy(np.stack([draw_face(SIDE, seed)[1] for seed in range(count)]))


def draw(seed, edited=0.3, shares=None):
    random = np.random.default_rng(seed)
    return draw_task(maps(), edited=edited, random=random, shares=shares or Shares())


def only(kind):
    return Shares(**{name: float(name == kind) for name in vars(Shares())})


def test_the_same_seed_draws_the_same():
    one, two, other = draw(5), draw(5), draw(6)
    assert one.hole.equal(two.hole)
    assert one.ids.equal(two.ids)
    assert not one.hole.equal(other.hole)


def test_holes_are_zeros_and_ones_and_never_too_small():
    for seed in range(25):
        task = draw(seed)
        assert task.hole.shape == (4, 1, SIDE, SIDE)
        assert set(task.hole.unique().tolist()) <= {0.0, 1.0}
        true = ~task.edited
        assert (task.hole[true].mean(dim=(1, 2, 3)) >= LEAST).all()
        assert task.ids[true].equal(maps()[true])


@pytest.mark.slow
def test_an_edit_changes_labels_inside_its_hole_only():
    seen = 0
    for seed in range(20):
        task = draw(seed, edited=0.999)
        for index in torch.nonzero(task.edited).flatten().tolist():
            changed = task.ids[index] != maps()[index]
            assert changed.any()
            through = lenses(task.ids[index][None])[0, 0]
            assert task.hole[index, 0][changed & ~through].eq(1).all()
            seen += 1
    assert seen > 50


def test_every_batch_holds_truth():
    assert not any(draw(seed, edited=0.999).edited[0] for seed in range(10))


def test_everything_is_everything():
    assert draw(0, edited=0.0, shares=only("everything")).hole.eq(1).all()


def test_a_feature_is_hidden_with_a_rim():
    for seed in range(20):
        task = draw(seed, edited=0.0, shares=only("feature"))
        for ids, hole in zip(maps(), task.hole[:, 0], strict=True):
            hidden = set(ids[hole > 0].unique().tolist())
            wholly = {label for label in hidden if hole[ids == label].eq(1).all()}
            assert wholly


def test_the_rim_of_the_hair_holds_its_border():
    for seed in range(10):
        task = draw(seed, edited=0.0, shares=only("rim"))
        for ids, hole in zip(maps(), task.hole[:, 0], strict=True):
            hair = (ids == HAIR).numpy()
            border = np.zeros_like(hair)
            border[1:] |= hair[1:] != hair[:-1]
            assert (hole.numpy()[border] > 0).mean() > 0.3


def test_what_is_left_are_strokes_of_a_brush():
    none = Shares(**dict.fromkeys(vars(Shares()), 0.0))
    shares = [float(draw(seed, edited=0.0, shares=none).hole.mean()) for seed in range(20)]
    assert 0.03 < np.mean(shares) < 0.6


def test_one_face_alone_is_never_edited():
    task = draw_task(maps(1), edited=0.999, random=np.random.default_rng(0))
    assert not task.edited.any()


@pytest.mark.parametrize("seed", range(3))
def test_holes_grow_by_their_least_at_least(seed):
    task = draw(seed, edited=0.999)
    radius = int(GROWTH[0] * SIDE)
    for index in torch.nonzero(task.edited).flatten().tolist():
        edited = task.ids[index]
        changed = ((edited != maps()[index]) & ~torch.isin(edited, torch.tensor(OVERLAYS))).float()[None, None]
        wider = torch.nn.functional.max_pool2d(changed, 2 * radius + 1, stride=1, padding=radius)
        assert (task.hole[index] >= wider[0] * ~lenses(edited[None])[0]).all()


def test_faces_that_wear_glasses_often_hide_the_frame_alone():
    faces = maps()
    faces[:, 20:32, 12:52] = BY_NAME["eye_g"].id
    frames = others = 0
    for seed in range(20):
        task = draw_task(faces, edited=0.0, random=np.random.default_rng(seed))
        for ids, hole in zip(task.ids, task.hole, strict=True):
            inside, through = lenses(ids[None])[0], frame_hole(ids[None])[0]
            is_frame = not (hole * inside).any() and bool((hole * through).any())
            frames, others = frames + is_frame, others + (not is_frame)
    assert 0.2 < frames / (frames + others) < 0.6
