"""Runs on several data folders: their weights, the same weights again after a stop, and what is told of them."""

import json

import pytest

from maskedit.data.folder import find_pairs, find_split
from maskedit.errors import UserError
from maskedit.models.checkpoint import read_header
from maskedit.training import cli, loop
from maskedit.training.config import AllOptions, ParserOptions
from maskedit.training.run_folder import RunFolder

FLAGS = "--preset tiny --validation 2 --batch 4 --device cpu --precision float32 --threads 1"


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


def test_a_folder_that_is_none_is_named(drawn, capsys, tmp_path):
    run = tmp_path / "run"
    assert (
        cli.main(["vae", "--data", str(drawn), "--data", f"{tmp_path}/no:0.5", *FLAGS.split(), "--out", str(run)]) == 1
    )
    assert f"--data {tmp_path}/no has no folder images/" in capsys.readouterr().err
    assert not run.exists()


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
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
