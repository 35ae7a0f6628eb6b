"""The published layout to training pairs: orders, split, tables, resuming, what is skipped, stopping."""

import csv
import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

from maskedit import imaging
from maskedit.data import celebamask
from maskedit.data import prepare as module
from maskedit.data.cli import main
from maskedit.data.prepare import PrepareOptions, prepare
from maskedit.errors import UserError
from maskedit.labels import BY_NAME
from tests.data.published import ATTRIBUTES, SPLITS, drawn, multiply, necklace, write_part, write_published
from tests.faces import draw_face

SMALL = PrepareOptions(size=64)
PARTS = "CelebAMask-HQ-mask-anno/0"


@pytest.fixture
def root(tmp_path):
    return write_published(tmp_path / "published")


def files(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def table(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


def test_pairs_go_into_celebas_own_split(root, tmp_path):
    summary = prepare(root, tmp_path / "out", SMALL, workers=1)
    assert (summary.made, summary.kept, summary.skipped) == (6, 0, [])
    assert summary.pairs == {"train": 2, "val": 2, "test": 2}
    for number, split in enumerate(SPLITS):
        folder = tmp_path / "out" / split
        photo = imaging.read_photo(folder / "images" / f"{number:05d}.jpg")
        assert photo.shape == (64, 64, 3)
        small = imaging.resize_photo(draw_face(128, number)[0], (64, 64))
        assert np.abs(photo.astype(int) - small).mean() < 4
        file = imaging.read_label_file(folder / "masks" / f"{number:05d}.png")
        assert file.encoding == "palette"
        np.testing.assert_array_equal(file.labels, drawn(number))
    assert table(tmp_path / "out" / "skipped.csv") == [["stem", "reason", "detail"]]


def test_attributes_and_poses_lie_beside_the_pairs(root, tmp_path):
    prepare(root, tmp_path / "out", SMALL, workers=1)
    attributes = table(tmp_path / "out" / "val" / "attributes.csv")
    assert attributes[0] == ["stem", *ATTRIBUTES]
    assert [row[0] for row in attributes[1:]] == ["00002", "00003"]
    assert attributes[1][1:3] == ["-1", "1"]
    assert table(tmp_path / "out" / "test" / "poses.csv") == [
        ["stem", "yaw", "pitch", "roll"], ["00004", "4.5", "-4.25", "1.0e-05"], ["00005", "5.5", "-5.25", "1.0e-05"],
    ]  # fmt: skip


def test_the_authors_order_hides_necklaces(tmp_path):
    root = write_published(tmp_path / "published", 1)
    labels = draw_face(64, 0)[1]
    write_part(root, 0, "neck", labels == BY_NAME["neck"].id)  # as published: the neck goes on under the necklace
    for order in ("necklaces", "authors"):
        prepare(root, tmp_path / order, PrepareOptions(order=order, size=64), workers=1)
    kept = imaging.read_labels(tmp_path / "necklaces" / "train" / "masks" / "00000.png")
    hidden = imaging.read_labels(tmp_path / "authors" / "train" / "masks" / "00000.png")
    np.testing.assert_array_equal(kept == BY_NAME["neck_l"].id, necklace(labels))
    np.testing.assert_array_equal(hidden, labels)


def test_later_parts_lie_over_earlier_ones(tmp_path):
    root = write_published(tmp_path / "published", 1)
    everywhere = np.ones((64, 64), bool)
    for part in ("skin", "hair"):
        write_part(root, 0, part, everywhere)
    prepare(root, tmp_path / "out", SMALL, workers=1)
    labels = imaging.read_labels(tmp_path / "out" / "train" / "masks" / "00000.png")
    assert set(np.unique(labels)) == {BY_NAME[name].id for name in ("hair", "neck_l", "neck", "cloth")}
    assert sorted(celebamask.ORDERS["authors"]) == sorted(celebamask.ORDERS["necklaces"]) == sorted(list(BY_NAME)[1:])


def test_without_a_split_all_pairs_are_in_one_folder_and_need_no_mapping(root, tmp_path):
    (root / celebamask.MAPPING).unlink()
    (root / celebamask.POSES).unlink()
    summary = prepare(root, tmp_path / "out", PrepareOptions(size=32, split=False), workers=1)
    assert (summary.pairs, summary.tables) == ({"": 6}, ["attributes"])
    assert len(table(tmp_path / "out" / "attributes.csv")) == 7
    assert not (tmp_path / "out" / "train").exists()
    assert imaging.read_labels(tmp_path / "out" / "masks" / "00005.png").shape == (32, 32)
    with pytest.raises(UserError, match=r"no CelebA-HQ-to-CelebA-mapping\.txt.*--no-split"):
        prepare(root, tmp_path / "other", SMALL, workers=1)


def test_what_is_skipped_is_told(root, tmp_path):
    (root / "CelebA-HQ-img" / "0.jpg").unlink()
    for path in (root / PARTS).glob("00001_*.png"):
        path.unlink()
    (root / PARTS / "00002_hair.png").write_bytes(b"not a picture")
    write_part(root, 3, "nose", np.ones((32, 32), bool))
    (root / "CelebA-HQ-img" / "4.jpg").write_bytes(b"")
    (root / PARTS / "00005_wing.png").write_bytes(b"")
    (root / "CelebA-HQ-img" / "6.jpg").write_bytes((root / "CelebA-HQ-img" / "5.jpg").read_bytes())
    write_part(root, 6, "skin", np.ones((64, 64), bool))
    summary = prepare(root, tmp_path / "out", SMALL, workers=1)
    assert (summary.made, summary.strays) == (1, ["0/00005_wing.png"])
    rows = table(tmp_path / "out" / "skipped.csv")[1:]
    assert [row[:2] for row in rows] == [
        ["00000", "missing photo"], ["00001", "no parts"], ["00002", "unreadable part"], ["00003", "unreadable part"],
        ["00004", "unreadable photo"], ["00006", "not in the mapping"],
    ]  # fmt: skip
    assert "00002_hair.png" in rows[2][2]
    assert "'00003_nose.png' is 32 x 32 px" in rows[3][2]
    assert table(tmp_path / "out" / "train" / "attributes.csv") == [["stem", *ATTRIBUTES]]


def test_black_parts_and_other_shapes_give_no_pair(root, tmp_path):
    for path in (root / PARTS).glob("00000_*.png"):
        Image.new("L", (64, 64)).save(path)
    Image.new("RGB", (100, 50)).save(root / "CelebA-HQ-img" / "1.jpg")
    reasons = [each.reason for each in prepare(root, tmp_path / "out", SMALL, workers=1).skipped]
    assert reasons == ["no parts", "photo and parts differ in shape"]


def test_a_run_goes_on_where_it_stopped(root, tmp_path, monkeypatch):
    whole, out = tmp_path / "whole", tmp_path / "out"
    prepare(root, whole, SMALL, workers=1)
    write = imaging.write_labels

    def interrupted(path, labels, **options):
        if path.stem == "00003":
            raise KeyboardInterrupt
        return write(path, labels, **options)

    monkeypatch.setattr(module.imaging, "write_labels", interrupted)
    with pytest.raises(KeyboardInterrupt):
        prepare(root, out, SMALL, workers=1)
    assert module.count_finished(out) == 3
    monkeypatch.undo()
    (out / "val" / "images" / ".maskedit-0123.tmp").write_bytes(b"of a run that was killed")
    before = (out / "train" / "images" / "00000.jpg").stat().st_mtime_ns
    summary = prepare(root, out, SMALL, workers=1)
    assert (summary.made, summary.kept) == (3, 3)
    assert (out / "train" / "images" / "00000.jpg").stat().st_mtime_ns == before
    assert files(out) == files(whole)
    assert prepare(root, out, SMALL, workers=1).kept == 6
    assert files(out) == files(whole)


def test_changed_options_are_refused_unless_forced(root, tmp_path):
    out = tmp_path / "out"
    prepare(root, out, SMALL, workers=1)
    (out / "train" / "notes.txt").write_text("mine")
    before = files(out)
    for changed in (PrepareOptions(size=32), PrepareOptions(size=64, order="authors")):
        with pytest.raises(UserError, match=r"--(size 64 then and 32|order necklaces then and authors) now.*--force"):
            prepare(root, out, changed, workers=1)
    with pytest.raises(UserError, match="split True then and False now"):
        prepare(root, out, PrepareOptions(size=64, split=False), workers=1)
    assert files(out) == before
    forced = PrepareOptions(size=32, split=False)
    assert prepare(root, out, forced, workers=1, force=True).made == 6
    prepare(root, tmp_path / "fresh", forced, workers=1)
    assert files(out) == {**files(tmp_path / "fresh"), "train/notes.txt": b"mine"}
    assert json.loads((out / "prepare.json").read_text())["size"] == 32
    (out / "prepare.json").write_text("{")
    with pytest.raises(UserError, match="size unknown then"):
        prepare(root, out, forced, workers=1)


def test_a_folder_with_other_pairs_is_left_alone(root, tmp_path):
    (tmp_path / "mine" / "val" / "masks").mkdir(parents=True)
    for force in (False, True):
        with pytest.raises(UserError, match=r"no prepare\.json says"):
            prepare(root, tmp_path / "mine", SMALL, workers=1, force=force)
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be used"):
        prepare(root, tmp_path / "file", SMALL, workers=1)


@pytest.mark.slow
def test_several_processes_give_the_same_files(root, tmp_path):
    multiply(root, 40)
    prepare(root, tmp_path / "one", PrepareOptions(size=32), workers=1)
    summary = prepare(root, tmp_path / "two", PrepareOptions(size=32), workers=2)
    assert summary.made == 40
    assert files(tmp_path / "one") == files(tmp_path / "two")


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_leaves_neither_a_partial_file_nor_a_traceback(root, tmp_path, number):
    multiply(root, 400)
    out = tmp_path / "out"
    command = [sys.executable, "-m", "maskedit.data.cli", "prepare", root, out, "--size", "64", "--workers", "2"]
    # A test run that was itself started in the background ignores SIGINT, and its children would inherit that.
    heard = {"preexec_fn": lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)}
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True, **heard) as process:
        deadline = time.monotonic() + 60
        while not list(out.glob("*/masks/*.png")) and time.monotonic() < deadline:
            time.sleep(0.01)
        # Ctrl+C in a terminal goes to the whole group; SIGTERM comes to one process.
        (os.killpg if number == signal.SIGINT else os.kill)(process.pid, number)
        told = process.communicate(timeout=60)[1]
    assert process.returncode == 130, told
    assert "Traceback" not in told
    assert "pairs are finished; the same command goes on from there." in told
    left = [path.name for path in out.rglob("*") if path.is_file()]
    assert not [name for name in left if name.endswith(".tmp")]
    done = module.count_finished(out)
    assert 0 < done < 400
    for path in (*out.glob("*/images/*"), *out.glob("*/masks/*")):
        Image.open(path).load()
    summary = prepare(root, out, SMALL, workers=1)
    assert (summary.made, summary.kept) == (400 - done, done)


def test_the_mapping_is_held_against_the_published_counts(tmp_path):
    originals = [*range(1, 24_184), *range(162_771, 165_764), *range(182_638, 185_462)]
    path = tmp_path / celebamask.MAPPING
    path.write_text("idx orig_idx orig_file\n" + "".join(f"{k} 0 {n:06d}.jpg\n" for k, n in enumerate(originals)))
    splits = celebamask.read_splits(tmp_path)
    assert {name: list(splits.values()).count(name) for name in celebamask.SPLITS} == celebamask.PUBLISHED_COUNTS
    path.write_text(path.read_text().replace("000001.jpg", "162771.jpg"))
    with pytest.raises(UserError, match="splits train 24,182, val 2,994, test 2,824, and the published one train 24,1"):
        celebamask.read_splits(tmp_path)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        (celebamask.MAPPING, "idx orig_idx orig_file\n0 x\n", "line 2: wanted idx, orig_idx and orig_file, not '0 x'"),
        (celebamask.ATTRIBUTES, "1\nSmiling Male\n0.jpg 1\n", r"line 3: wanted N\.jpg and 2 numbers"),
        (celebamask.ATTRIBUTES, "1\nSmiling\n0.jpg 2\n", "line 3"),
        (celebamask.POSES, "1\nYaw Pitch Raw\n0.jpg 1 2 left\n", r"line 3: wanted N\.jpg and 3 numbers"),
    ],
)
def test_damaged_annotations_are_named(root, tmp_path, name, text, message):
    (root / name).write_text(text)
    with pytest.raises(UserError, match=rf"{name}, {message}"):
        prepare(root, tmp_path / "out", SMALL, workers=1)
    assert not (tmp_path / "out").exists()


def test_the_command_tells_what_it_did(root, tmp_path, capsys):
    (root / "CelebA-HQ-img" / "0.jpg").unlink()
    arguments = ["prepare", str(root), str(tmp_path / "out"), "--size", "32", "--workers", "1"]
    assert main(arguments) == 0
    told = capsys.readouterr().out
    assert "5 pairs at 32 px (train 1, val 2, test 2)" in told
    assert "skipped 1, listed in skipped.csv: missing photo 1" in told
    assert main(arguments) == 0
    assert "made now 0, there already 5" in capsys.readouterr().out
    assert main([*arguments, "--order", "authors"]) == 1
    assert capsys.readouterr().err.startswith("maskedit-data: ")
    assert main(["prepare", str(tmp_path), str(tmp_path / "other")]) == 1
    assert "has no folder CelebA-HQ-img/; wanted the published layout" in capsys.readouterr().err
    assert not (tmp_path / "other").exists()


@pytest.mark.slow
@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_full_disk_ends_the_run_with_one_sentence(root, tmp_path, capsys, workers):
    multiply(root, 40)
    out = tmp_path / "out"
    prepare(root, out, PrepareOptions(size=32), workers=1)
    # A folder where a file belongs stands for whatever the disk may refuse.
    (out / "train" / "masks" / "00000.png").unlink()
    (out / "train" / "masks" / "00000.png").mkdir()
    for path in out.glob("val/masks/*.png"):
        path.unlink()
    for path in out.glob("test/masks/*.png"):
        path.unlink()
    assert main(["prepare", str(root), str(out), "--size", "32", "--workers", workers]) == 1
    told = capsys.readouterr().err
    assert told.startswith("maskedit-data: '")
    assert "00000.png' is a folder" in told
    assert not list(out.rglob("*.tmp"))


def test_nothing_to_prepare_is_a_failure(root, tmp_path, capsys):
    for path in (root / PARTS).iterdir():
        path.unlink()
    assert main(["prepare", str(root), str(tmp_path / "out"), "--workers", "1"]) == 1
    assert "No pair could be prepared" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [[], ["prepare"], ["prepare", "a", "b", "--size", "0"], ["prepare", "a", "b", "--size", "big"], ["check"],
     ["prepare", "a", "b", "--order", "mine"], ["check", "a", "--workers", "0"], ["mend", "a"]],
)  # fmt: skip
def test_wrong_usage_exits_2(arguments, capsys):
    with pytest.raises(SystemExit) as exit:
        main(arguments)
    assert exit.value.code == 2
    assert "usage: maskedit-data" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [[], ["prepare"], ["check"]])
def test_help_has_an_example(arguments, capsys):
    with pytest.raises(SystemExit) as exit:
        main([*arguments, "--help"])
    assert exit.value.code == 0
    assert "example:\n  maskedit-data prepare CelebAMask-HQ" in capsys.readouterr().out


@pytest.mark.slow
def test_no_torch_is_loaded():
    code = "import sys; from maskedit.data import check, cli, prepare, sheet; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
