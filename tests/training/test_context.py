"""The completion stage through the command: from a plain DMN, in legs, resumed to the bit."""

import json

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from maskedit.data.order import repeats
from maskedit.data.pairs import Pairs
from maskedit.data.source import DeviceSource
from maskedit.labels import BY_NAME
from maskedit.models.checkpoint import OPTIONAL, load_checkpoint, save_checkpoint
from maskedit.models.colours import GROUPS, NUM_GROUPS, TINT
from maskedit.models.config import DmnConfig, ParserConfig
from maskedit.models.context import ContextNetwork
from maskedit.models.dense_mapping import DenseMappingNetwork
from maskedit.models.parser import build_parser
from maskedit.models.regions import REGION, STYLE, layout_in
from maskedit.models.tensors import normalised, one_hot
from maskedit.models.views import View, random_view, regions_of
from maskedit.training import cli
from maskedit.training.augmentation import DiffAugment
from maskedit.training.config import ContextOptions
from maskedit.training.context import ContextStage, sharp_photos
from maskedit.training.holes import Task
from maskedit.training.losses import adversarial_loss, feature_matching_loss
from maskedit.training.run_folder import RunFolder
from tests.faces import draw_face
from tests.folders import write_faces

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("context")


@pytest.fixture(scope="module")
def plain(folder):
    torch.manual_seed(0)
    return save_checkpoint(folder / "plain.safetensors", DenseMappingNetwork(DmnConfig(width=4, size=64)), {})


@pytest.fixture(scope="module")
def parser(folder):
    torch.manual_seed(0)
    network = build_parser(ParserConfig(kind="residual", width=4, size=64))
    return save_checkpoint(folder / "parser.safetensors", network, {})


@pytest.fixture(scope="module")
def common(folder, plain, parser):
    faces = write_faces(folder / "faces", 8)
    return (
        f"context --data {faces} --init {plain} --parser {parser} --preset tiny --validation 2 --batch 4 --device cpu "
        "--precision float32 --threads 1 --edited 0.4 --validate-every 5 --ema 0.9"
    ).split()


def weights(run):
    return load_checkpoint(run / "latest.safetensors")[0].state_dict()


def test_it_trains_validates_and_goes_on_to_the_bit(common, tmp_path):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert cli.main([*common, "--steps", "6", "--decay-from", "1", "--out", str(whole)]) == 0
    for steps in ("3", "6"):
        assert cli.main([*common, "--steps", steps, "--decay-from", "1", "--out", str(parts)]) == 0
    assert all(value.equal(weights(parts)[name]) for name, value in weights(whole).items())
    network, header = load_checkpoint(whole / "latest.safetensors")
    assert isinstance(network, ContextNetwork)
    assert header.config == DmnConfig(width=4, size=64, variant="maskgan-context")
    assert set(header.card["validation"]) == {"psnr_hole", "l1_hole", "psnr"}
    assert list((whole / "samples").iterdir())


def test_every_loss_is_taken_and_recorded(common, tmp_path):
    run = tmp_path / "run"
    assert cli.main([*common, "--steps", "20", "--out", str(run)]) == 0
    rows = [json.loads(line) for line in (run / "stats.jsonl").read_text().splitlines()]
    names = {"discriminator", "adversarial", "features", "l1", "l1_outside", "colours", "parsing", "total"}
    assert names <= set(next(row for row in rows if "total" in row))


def test_a_leg_starts_from_the_last_one(common, tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    assert cli.main([*common, "--steps", "3", "--out", str(first)]) == 0
    flags = [*common, "--steps", "1", "--size", "96", "--rate", "1e-9", "--out", str(second)]
    flags[flags.index("--init") + 1] = str(first)
    assert cli.main(flags) == 0
    # One step at next to no rate: still what the first leg left, its average.
    average = RunFolder(first).load_state()["average"]
    left = {name: value for name, value in weights(second).items() if not name.endswith(OPTIONAL)}  # chosen anew
    assert all(value.allclose(average[name], atol=1e-3) for name, value in left.items())


def test_without_a_discriminator_it_stays_as_it_is(common, plain, tmp_path):
    run = tmp_path / "run"
    flags = ["--adversarial-weight", "0", "--feature-weight", "0", "--parsing-weight", "0"]
    assert cli.main([*common, *flags, "--steps", "2", "--out", str(run)]) == 0
    one = RunFolder(run).load_state()["networks"]
    assert "discriminator" in one
    assert cli.main([*common, *flags, "--steps", "4", "--out", str(run)]) == 0
    other = RunFolder(run).load_state()["networks"]
    assert all(value.equal(other["discriminator"][name]) for name, value in one["discriminator"].items())
    assert not all(value.equal(other["generator"][name]) for name, value in one["generator"].items())


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--edited", "1"], "--edited 1.0 must lie in [0, 1)"),
        (["--outside-weight", "-1"], "--outside-weight -1.0 must be 0 or more"),
        (["--colour-weight", "-1"], "--colour-weight -1.0 must be 0 or more"),
        (["--view", "50"], "--view 50 is not a multiple of 32"),
        (["--init", ""], "--init is missing"),
        (["--batch", "1"], "context needs 2"),
    ],
)
def test_options_that_no_run_could_use(common, capsys, flags, message, tmp_path):
    assert cli.main([*common, *flags, "--out", str(tmp_path / "run")]) == 1
    assert message in capsys.readouterr().err


def test_another_network_is_no_start(common, parser, capsys, tmp_path):
    flags = [*common, "--out", str(tmp_path / "run")]
    flags[flags.index("--init") + 1] = str(parser)
    assert cli.main(flags) == 1
    assert "Dense Mapping Network" in capsys.readouterr().err


def test_squares_around_the_hole_are_looked_at_from_near(common, tmp_path):
    run = tmp_path / "run"
    flags = ["--size", "96", "--view", "64", "--steps", "2"]
    assert cli.main([*common, *flags, "--out", str(run)]) == 0
    config = load_checkpoint(run / "latest.safetensors")[1].config
    assert (config.size, config.views) == (64, "zoomed")


def stage_of(plain, parser, folder, **options):
    options = ContextOptions(
        data=(str(folder / "faces"),), init=str(plain), parser=str(parser), preset="tiny", device="cpu", **options
    )
    return ContextStage(options, torch.device("cpu"))


def test_what_is_seen_is_the_same_part_of_photo_labels_and_hole(plain, parser, folder):
    stage = stage_of(plain, parser, folder, size=96, view=64)
    ids = torch.zeros(2, 96, 96, dtype=torch.uint8)
    ids[:, 30:60, 40:80] = 10
    photos = (ids[:, None] > 0).float().expand(2, 3, 96, 96).contiguous() * 2 - 1
    hole = (ids[:, None] > 0).float()
    task = Task(hole, ids, torch.zeros(2, dtype=torch.bool))
    regions = regions_of(stage.generator, photos, ids).detach()
    for choose in (stage._closest, lambda hole: random_view(hole, np.random.default_rng(3))):
        seen, own, wanted, styles = stage._seen(photos, ids, task, regions, choose)
        assert own.shape == (2, 64, 64)
        assert own.equal(wanted.ids)
        shown = layout_in(styles)[0, GROUPS[10], 3]  # in cells of 4 px
        assert float((F.interpolate(shown[None, None], size=64) - (own[:1] == 10).float()).abs().mean()) < 0.08
        assert (own[:, None] == 10).float().mean() > 0.1
        # To a pixel at the border, which may lie in the hole in part.
        assert float((((own[:, None] == 10).float() - wanted.hole).abs()).mean()) < 0.06
        assert float((((own[:, None] == 10).float() * 2 - 1 - seen).abs()).mean()) < 0.06


def test_usual_styles_are_those_of_a_training_photo_that_shows_the_class(plain, parser, folder):
    stage = stage_of(plain, parser, folder)
    drawn = [draw_face(64, seed) for seed in range(4)]
    photos = torch.stack([torch.from_numpy(photo).permute(2, 0, 1) for photo, _ in drawn])
    ids = torch.stack([torch.from_numpy(labels) for _, labels in drawn])
    hat, mouth = BY_NAME["hat"].id, BY_NAME["mouth"].id
    ids[ids == hat] = ids[ids == mouth] = 0
    ids[2, :20], ids[3, 0, 0] = hat, mouth  # a pixel is no example
    source = DeviceSource(Pairs(photos, ids, list("abcd")))
    assert stage.prepare(source).tolist() == repeats(source.counts(), stage.options.repeat_below).tolist()
    network = stage.generator.eval()
    stage.finish(network)
    styles = regions_of(network, normalised(photos[2:3]), ids[2:3])[0]
    assert network.region_encoder.usual[GROUPS[hat]].allclose(styles[GROUPS[hat], :STYLE], atol=0.02)
    assert network.region_encoder.usual[GROUPS[hat], TINT - 1] == 1
    assert network.region_encoder.usual[GROUPS[mouth]].count_nonzero() == 0


def test_photos_that_show_no_more_from_near_are_seen_whole(plain, parser, folder):
    stage = stage_of(plain, parser, folder, size=96, view=64)
    sharp = (torch.rand(1, 3, 96, 96) * 2 - 1) * 0.07
    enlarged = F.interpolate(F.avg_pool2d(sharp, 2), size=96, mode="bilinear")
    photos = torch.cat([sharp, enlarged])
    assert sharp_photos(photos) == [True, False]
    task = Task(torch.zeros(2, 1, 96, 96), torch.zeros(2, 96, 96, dtype=torch.uint8), torch.zeros(2, dtype=torch.bool))
    nothing = torch.zeros(2, NUM_GROUPS, REGION)
    seen, _, _, _ = stage._seen(photos, task.ids, task, nothing, lambda hole: View(8, 8, 64))
    assert seen[0].equal(sharp[0, :, 8:72, 8:72])
    assert seen[1].equal(View(0, 0, 96).photo(enlarged, 64)[0])
    assert stage.smallest == 64
    assert stage_of(plain, parser, folder, size=96).smallest == 96


def test_colours_of_edits_are_held_to_where_the_photo_shows_the_label():
    hair, skin = 13, 1
    ids = torch.full((2, 64, 64), skin, dtype=torch.uint8)
    ids[:, :16] = hair
    wanted = ids.clone()
    wanted[:, 16:32] = hair
    photos = torch.where(ids[:, None] == hair, -0.8, 0.5).expand(2, 3, 64, 64).contiguous()
    hole = torch.zeros(2, 1, 64, 64)
    hole[:, :, 16:32] = 1
    task = Task(hole, wanted, torch.tensor([False, True]))
    dark = torch.where(hole > 0, -0.8, photos)
    nothing = torch.zeros(2, NUM_GROUPS, REGION)
    # The first is held to its photo, which is skin there, the second to its hair.
    first = ContextStage._colour_loss(photos, dark, one_hot(wanted), task, nothing)
    task.edited[:] = True
    assert float(ContextStage._colour_loss(photos, dark, one_hot(wanted), task, nothing)) < 0.05
    assert float(first) == pytest.approx(1.3 / 2, abs=0.05)


def outputs(*sides):
    torch.manual_seed(0)
    return [[torch.rand(2, 3, side + 4, side + 4), torch.rand(2, 1, side, side)] for side in sides]


def test_only_patches_that_touch_the_hole_count():
    hole = torch.zeros(2, 1, 32, 32)
    hole[:, :, :16, :16] = 1
    judged = outputs(8, 4)
    loss = adversarial_loss(judged, real=True, kind="lsgan", hole=hole)
    for scale in judged:
        scale[-1][:, :, 5:, 5:] = 100
    assert adversarial_loss(judged, real=True, kind="lsgan", hole=hole) == loss
    wanted = torch.stack(
        [(scale[-1][:, :, : s // 2, : s // 2] - 1).square().mean() for scale, s in zip(judged, (8, 4), strict=True)]
    )
    assert loss == pytest.approx(float(wanted.mean()))


def test_features_are_matched_inside_the_hole_alone():
    ours, theirs = outputs(8), outputs(8)
    theirs[0][0] = theirs[0][0] + 0.5
    hole = torch.ones(2, 1, 24, 24)
    assert float(feature_matching_loss(ours, theirs, hole)) == pytest.approx(0.5, abs=1e-5)
    assert float(feature_matching_loss(ours, theirs, hole * 0)) == 0


def test_small_holes_count_like_large_ones(plain, parser, folder):
    stage = stage_of(plain, parser, folder, edited=0.0)
    photos = torch.zeros(2, 3, 64, 64)
    image = photos + 0.25
    task = type("Task", (), {})()
    task.hole, task.edited = torch.zeros(2, 1, 64, 64), torch.zeros(2, dtype=torch.bool)
    task.hole[0, :, :4, :4], task.hole[1, :, :32] = 1, 1
    losses = {}
    stage._truth_losses(photos, image, image, task, losses)
    assert float(losses["l1"]) == pytest.approx(0.25)
    image[1, :, :32] = 0
    stage._truth_losses(photos, image, image, task, losses)
    assert float(losses["l1"]) == pytest.approx(0.125)


def test_augmentation_moves_all_alike_and_recolours_photos():
    torch.manual_seed(3)
    augment = DiffAugment(2, torch.device("cpu"))
    photos = torch.stack([torch.from_numpy(draw_face(64, seed)[0]).permute(2, 0, 1) for seed in (0, 1)]) / 127.5 - 1
    marks = torch.rand(2, 1, 64, 64)
    both = augment.moved(torch.cat([photos, marks], dim=1))
    assert both[:, :3].equal(augment.moved(photos))
    assert both[:, 3:].equal(augment.moved(marks))
    for before, after, shift in zip(marks[:, 0], both[:, 3], augment.shift, strict=True):
        down, across = (int(value) for value in (shift * 64).round())
        rolled = np.roll(before.numpy(), (-down, -across), axis=(0, 1))
        inner = (slice(9, -9), slice(9, -9))
        assert np.array_equal(after.numpy()[inner], rolled[inner])
    photos.requires_grad_(True)
    augment.colours(photos).sum().backward()
    assert photos.grad.abs().max() > 0
