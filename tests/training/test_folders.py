"""Several data folders in one run: weights, sizes, what is held out, and what is told of them."""

import json
from fractions import Fraction

import pytest
import torch
from PIL import Image

from maskedit.data_folder import brief_folder, folder_and_weight
from maskedit.dataset import find_pairs, find_split
from maskedit.errors import UserError
from maskedit.models.checkpoint import read_header
from maskedit.training import cli, loop
from maskedit.training.config import AllOptions, ParserOptions
from maskedit.training.data import WeightedOrder, batch_indices
from maskedit.training.folders import find_photos
from maskedit.training.run_folder import RunFolder
from tests.folders import write_faces

FLAGS = "--preset tiny --validation 2 --batch 4 --device cpu --precision float32 --threads 1"


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    return write_faces(tmp_path_factory.mktemp("data") / "drawn", 7)


@pytest.fixture(scope="module")
def labelled(tmp_path_factory):
    folder = write_faces(tmp_path_factory.mktemp("data") / "labelled", 5)
    (folder / "labelled.json").write_text("{}")
    return folder


def shrink(folder, *, count, side):
    """Make the first photos of a folder smaller; their label maps stay."""
    for path in sorted((folder / "images").iterdir())[:count]:
        with Image.open(path) as photo:
            small = photo.resize((side + 8, side))
        small = small.crop((4, 0, side + 4, side))
        small.save(path)


# FOLDER:WEIGHT --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "name", "weight"),
    [
        ("faces", "faces", None),
        ("faces:0.5", "faces", Fraction(1, 2)),
        ("faces:2", "faces", Fraction(2)),
        ("faces:0.1", "faces", Fraction(1, 10)),
        ("nowhere:1e1", "nowhere", Fraction(10)),
        ("nowhere:some", "nowhere:some", None),
        ("with:2", "with:2", None),
        ("with:2:3", "with:2", Fraction(3)),
    ],
)
def test_a_folder_and_its_weight(tmp_path, monkeypatch, text, name, weight):
    monkeypatch.chdir(tmp_path)
    for folder in ("faces", "with:2"):
        (tmp_path / folder).mkdir()
    path, found = folder_and_weight(text)
    assert (str(path), found) == (name, weight)
    shown = name if weight is None else f"{name}:{float(weight):g}"
    assert brief_folder(text) == brief_folder(str(tmp_path / text)) == shown


@pytest.mark.parametrize(
    ("tail", "message"),
    [
        (":0", "the weight 0 cannot be used; give a number from 0.001 to 100, as in "),
        (":-1", "the weight -1 cannot be used"),
        (":nan", "the weight nan cannot be used"),
        (":inf", "the weight inf cannot be used"),
        (":101", "the weight 101 cannot be used"),
        (":1e-999999999", "cannot be used"),
        (":half", "'half' is no weight; give a number"),
        (":", "'' is no weight"),
    ],
)
def test_a_weight_that_cannot_be_used_is_named(drawn, capsys, tail, message):
    assert cli.main(["parser", "--data", f"{drawn}{tail}"]) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"maskedit-train: --data {drawn}{tail}")
    assert message in error


def test_a_weight_without_a_folder_is_named():
    with pytest.raises(UserError, match=r"--data :0.5 names no folder before its weight"):
        ParserOptions(data=":0.5").check()


def test_one_string_is_one_folder(drawn):
    assert ParserOptions(data=str(drawn)).data == ParserOptions(data=drawn).data == (str(drawn),)
    assert ParserOptions(data=["a", "b:2"]).data == AllOptions(data=("a", "b:2")).data == ("a", "b:2")
    assert ParserOptions().data == ParserOptions(data="").data == ()
    for nothing in ((), "", ("a", "")):
        with pytest.raises(UserError, match="--data is missing"):
            ParserOptions(data=nothing).check()


# How often ------------------------------------------------------------------------------------------------------


def shown(rates, *, seed=0, batch=7, steps=1):
    stream = WeightedOrder(rates, seed=seed)
    return torch.cat([stream.batch(batch, step=step) for step in range(steps)])


@pytest.mark.parametrize("batch", [1, 4, 9, 30])
def test_weights_of_one_change_nothing(batch):
    stream = WeightedOrder([Fraction(1)] * 9, seed=3)
    for step in range(20):
        assert stream.batch(batch, step=step).equal(batch_indices(9, batch, seed=3, step=step))


def test_whole_weights_show_every_epoch_alike():
    epochs = shown([1, 3, 2, 2], batch=8, steps=5).reshape(5, 8)
    assert all(epoch.bincount().tolist() == [1, 3, 2, 2] for epoch in epochs)
    assert len({tuple(epoch.tolist()) for epoch in epochs}) == 5


def test_half_as_often_is_every_second_epoch():
    # 6 photos of weight 1 and 6 of weight 1/2: epochs of 9.
    epochs = shown([1] * 6 + [Fraction(1, 2)] * 6, batch=9, steps=40).reshape(20, 2, 9)
    chosen = set()
    for two in epochs:
        assert all((epoch < 6).sum() == 6 for epoch in two)
        assert two.flatten().bincount().tolist() == [2] * 6 + [1] * 6
        chosen.add(tuple(sorted(two[0][two[0] >= 6].tolist())))
    assert len(chosen) > 5  # another half each time


@pytest.mark.parametrize("seed", [0, 5])
def test_the_share_of_each_photo_is_exact_in_the_long_run(seed):
    rates = [1] * 5 + [Fraction("0.3")] * 7 + [Fraction("2.5")] * 3 + [Fraction("0.01")] * 2
    epochs = 1000
    stream = shown(rates, seed=seed, batch=731, steps=20)
    assert len(stream) == sum(rates) * epochs
    assert stream.bincount().tolist() == [rate * epochs for rate in rates]
    # And at no time before does a photo's count stray by more than a shuffle of its epoch and one of its rate.
    for stop in range(100, len(stream), 997):
        counts = stream[:stop].bincount(minlength=len(rates))
        for count, rate in zip(counts.tolist(), rates, strict=True):
            assert count == pytest.approx(float(rate * stop / sum(rates)), abs=float(2 + rate))


def test_fewer_than_one_photo_an_epoch():
    assert shown([Fraction("0.1")] * 3, batch=4, steps=30).bincount().tolist() == [40, 40, 40]


def test_a_step_depends_on_itself_and_the_seed_alone():
    rates = [1] * 5 + [Fraction("0.3")] * 7 + [2]
    straight = shown(rates, seed=2, batch=5, steps=60).reshape(60, 5)
    stream = WeightedOrder(rates, seed=2)
    for step in (59, 0, 31, 30, 7):
        assert stream.batch(5, step=step).equal(straight[step])
        assert WeightedOrder(rates, seed=2).batch(5, step=step).equal(straight[step])
    assert not shown(rates, seed=3, batch=5, steps=60).reshape(60, 5).equal(straight)


# Which photos ---------------------------------------------------------------------------------------------------


def test_what_a_parser_drew_counts_half_unless_told(drawn, labelled, tmp_path):
    def weights(*data):
        return [folder.weight for folder in find_photos(data, validation=2, size=64).folders]

    assert weights(str(drawn), str(labelled)) == [1, Fraction(1, 2)]
    assert weights(f"{drawn}:3", f"{labelled}:1") == [3, 1]
    write_faces(tmp_path / "train", 3)
    write_faces(tmp_path / "val", 3)
    assert weights(str(tmp_path), str(drawn)) == [1, 1]
    (tmp_path / "train" / "labelled.json").write_text("{}")
    assert weights(str(tmp_path), str(drawn)) == [Fraction(1, 2), 1]
    photos = find_photos([str(drawn), str(labelled)], validation=2, size=64)
    assert photos.paths == find_split(drawn, 2)[0] + find_pairs(labelled)
    assert photos.held_out == find_split(drawn, 2)[1]
    assert photos.weights == [1] * 5 + [Fraction(1, 2)] * 5
    assert str(photos) == (
        "drawn (weight 1, labelled by people): 5 photos, and 2 held out; "
        "labelled (weight 0.5, labelled by a parser): 5 photos"
    )


def test_of_the_other_folders_only_what_is_for_training(drawn, tmp_path):
    write_faces(tmp_path / "train", 3)
    write_faces(tmp_path / "val", 4)
    photos = find_photos([str(drawn), str(tmp_path)], validation=2, size=64)
    assert photos.folders[1].paths == find_pairs(tmp_path / "train")
    assert find_photos([str(tmp_path), str(drawn)], validation=2, size=64).held_out == find_pairs(tmp_path / "val")[2:]


def test_small_photos_are_left_out_where_others_are_large(drawn, tmp_path):
    mixed = write_faces(tmp_path / "mixed", 6)
    shrink(mixed, count=4, side=48)
    photos = find_photos([str(drawn), str(mixed)], validation=2, size=64)
    assert photos.folders[1].paths == find_pairs(mixed)[4:]
    assert str(photos).endswith("; mixed (weight 1, labelled by people): 2 of 6 photos have 64 px")
    assert len(photos.weights) == len(photos.paths) == 7
    assert len(find_photos([str(drawn), str(mixed)], validation=2, size=32).paths) == 11
    # In the first folder too; but whatever is held out stays.
    photos = find_photos([str(mixed)], validation=1, size=64)
    assert photos.paths == find_pairs(mixed)[4:5]
    assert photos.held_out == find_pairs(mixed)[5:]


def test_a_folder_of_small_photos_is_enlarged(drawn, tmp_path):
    small = write_faces(tmp_path / "small", 4, side=32)
    photos = find_photos([str(drawn), str(small)], validation=2, size=64)
    assert len(photos.paths) == 9
    assert str(photos).endswith("small (weight 1, labelled by people): 4 photos, enlarged, for none has 64 px")
    photos = find_photos([str(small), str(drawn)], validation=2, size=128)
    assert [folder.enlarged for folder in photos.folders] == [True, True]
    assert len(photos.paths) == 2 + 7


def test_the_shorter_side_counts_and_what_cannot_be_read_stays(tmp_path):
    folder = write_faces(tmp_path / "faces", 4)
    first, second, *_ = sorted((folder / "images").iterdir())
    with Image.open(first) as photo:
        photo.resize((640, 63)).save(first)
    second.write_bytes(second.read_bytes()[:12])
    used = find_photos([str(folder)], validation=1, size=64).paths
    assert [photo.name for photo, _ in used] == [second.name, "002.png"]  # training names it when its turn comes


def test_held_out_photos_are_never_trained_on(drawn, tmp_path):
    # The same photos by another way: a folder of links to them.
    links = tmp_path / "links"
    for part in ("images", "masks"):
        (links / part).mkdir(parents=True)
        for path in (drawn / part).iterdir():
            (links / part / path.name).symlink_to(path)
    photos = find_photos([str(drawn), str(links)], validation=2, size=64)
    assert [photo.name for photo, _ in photos.held_out] == ["005.png", "006.png"]
    assert [photo.name for photo, _ in photos.folders[1].paths] == [f"00{index}.png" for index in range(5)]
    train, val = write_faces(tmp_path / "whole" / "train", 3), write_faces(tmp_path / "whole" / "val", 3)
    photos = find_photos([str(train.parent), str(val)], validation=2, size=64)
    assert photos.folders[1].paths == find_pairs(val)[:1]
    with pytest.raises(UserError, match=r"val holds only photos that are held out"):
        find_photos([str(train.parent), str(val)], validation=3, size=64)


def test_a_folder_given_twice_is_refused(drawn):
    with pytest.raises(UserError, match=r"was given twice; give it once, with the weight wanted"):
        find_photos([str(drawn), f"{drawn}/:2"], validation=2, size=64)


def test_a_folder_that_is_none_is_named(drawn, capsys, tmp_path):
    run = tmp_path / "run"
    assert (
        cli.main(["vae", "--data", str(drawn), "--data", f"{tmp_path}/no:0.5", *FLAGS.split(), "--out", str(run)]) == 1
    )
    assert f"--data {tmp_path}/no has no folder images/" in capsys.readouterr().err
    assert not run.exists()


# The command ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stage", ["parser", "dmn"])
def test_a_resumed_run_gives_the_same_weights(drawn, labelled, tmp_path, stage):
    given = [stage, "--data", str(drawn), "--data", f"{labelled}:0.3", *FLAGS.split(), "--steps", "12"]
    assert cli.main([*given, "--out", str(tmp_path / "straight")]) == 0
    stopped = [*given, "--data-from", "disk", "--workers", "0", "--out", str(tmp_path / "stopped")]
    for step in (1, 2):
        assert cli.main([*stopped, "--minutes", "0.000001"]) == 0
        assert RunFolder(tmp_path / "stopped").step == step
    assert cli.main(stopped) == 0
    ours, theirs = (RunFolder(tmp_path / run).load_state() for run in ("straight", "stopped"))
    for name, network in ours["networks"].items():
        assert all(value.equal(theirs["networks"][name][key]) for key, value in network.items())
    assert all(value.equal(theirs["average"][key]) for key, value in ours["average"].items())
    assert ours["progress"]["step"] == theirs["progress"]["step"] == 12


def test_the_card_tells_of_every_folder(drawn, labelled, tmp_path, capsys, monkeypatch):
    seen = []
    make_source = loop.make_source
    monkeypatch.setattr(loop, "make_source", lambda paths, *a, **k: seen.append(paths) or make_source(paths, *a, **k))
    run = tmp_path / "run"
    given = ["vae", "--data", f"{drawn}/", "--data", str(labelled), *FLAGS.split(), "--steps", "2", "--out", str(run)]
    assert cli.main(given) == 0
    card = read_header(run / "latest.safetensors").card
    assert card["data"] == (
        "drawn (weight 1, labelled by people): 5 photos, and 2 held out; "
        "labelled (weight 0.5, labelled by a parser): 5 photos"
    )
    assert "--data drawn --data labelled " in card["command"]
    assert str(drawn.parent) not in json.dumps(card)
    assert card["data"].split("; ") == capsys.readouterr().out.splitlines()[:2]
    assert json.loads((run / "options.json").read_text())["data"] == [f"{drawn}/", str(labelled)]
    assert seen == [find_split(drawn, 2)[0] + find_pairs(labelled)]
    run = tmp_path / "weighed"
    given = [
        "vae",
        "--data",
        f"{drawn}:2",
        "--data",
        f"{labelled}:0.25",
        *FLAGS.split(),
        "--steps",
        "2",
        "--out",
        str(run),
    ]
    assert cli.main(given) == 0
    card = read_header(run / "latest.safetensors").card
    assert "--data drawn:2 --data labelled:0.25 " in card["command"]
    assert "labelled (weight 0.25, labelled by a parser)" in card["data"]


def test_all_trains_on_every_folder_and_knows_them_again(drawn, labelled, tmp_path, capsys):
    out = tmp_path / "all"
    flags = f"all --out {out} --preset tiny --share 0.02 --validation 2 --device cpu --threads 1".split()
    flags += ["--minutes", "0.000001"]
    both = ["--data", str(drawn), "--data", f"{labelled}:0.5"]
    assert cli.main([*flags, *both]) == 0
    leg = RunFolder(out / "1-parser-1-64")
    assert leg.options["data"] == both[1::2]
    assert cli.main([*flags, "--data", str(drawn)]) == 1
    message = "was begun with data drawn, labelled:0.5, and now it is drawn: keep --data as it was"
    assert message in capsys.readouterr().err
    assert cli.main([*flags, *both[2:], *both[:2]]) == 1
    assert cli.main([*flags, "--data", f"{drawn}/", "--data", f"{labelled}:0.50"]) == 0
    assert leg.step == 2


def test_a_run_begun_when_data_was_one_string_goes_on(drawn, tmp_path):
    out = tmp_path / "all"
    flags = f"all --data {drawn} --out {out} --preset tiny --share 0.02 --validation 2 --device cpu --threads 1".split()
    flags += ["--minutes", "0.000001"]
    assert cli.main(flags) == 0
    leg = RunFolder(out / "1-parser-1-64")
    options = {**leg.options, "data": f"elsewhere/{drawn.name}"}
    (leg.path / "options.json").write_text(json.dumps(options))
    assert cli.main(flags) == 0
    assert leg.step == 2


def test_the_help_says_what_a_weight_is(capsys):
    with pytest.raises(SystemExit):
        cli.main(["parser", "--help"])
    told = " ".join(capsys.readouterr().out.split())
    assert "--data FOLDER[:WEIGHT]" in told
    assert "the weight is 1, or 0.5 where a file labelled.json says that a parser drew the label maps" in told
