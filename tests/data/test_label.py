"""Photos without label maps to pairs: what is copied and drawn, what is left out and why, resuming, refusal, kills."""

import csv
import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from PIL import Image

from maskedit import imaging, resources
from maskedit.data import label as module
from maskedit.data.cli import main
from maskedit.data.folder import find_pairs
from maskedit.data.label import judge
from maskedit.face.parser import FaceParser
from maskedit.models.checkpoint import save_checkpoint
from maskedit.models.config import PARSER_PRESETS
from maskedit.models.parser import build_parser
from tests.faces import draw_face

FACE = {"background": 0.35, "skin": 0.26, "nose": 0.02, "l_eye": 0.002, "r_eye": 0.002, "hair": 0.3}


def write_parser(path, seed):
    torch.manual_seed(seed)
    return save_checkpoint(path, build_parser(PARSER_PRESETS["tiny"]), {"validation": {"accuracy": 0.5}})


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """A parser of random weights."""
    return write_parser(tmp_path_factory.mktemp("tiny") / "tiny.safetensors", 0)


@pytest.fixture
def believe(monkeypatch):
    """What random weights draw is no face; here it counts as one. Few photos are parsed in this process."""
    monkeypatch.setattr(module, "LEAST_SHARES", dict.fromkeys(module.LEAST_SHARES, 0.0))
    monkeypatch.setattr(module, "MOST_BACKGROUND", 1.0)


def write_photos(folder, count, *, sides=(64,)):
    folder.mkdir(parents=True)
    for index in range(count):
        side = sides[index % len(sides)]
        imaging.write_photo(folder / f"{index:03d}.jpg", draw_face(side, index)[0])
    return folder


@pytest.fixture
def photos(tmp_path):
    """Five photos, three of 64 px and two of 96."""
    return write_photos(tmp_path / "photos", 5, sides=(64, 96))


@pytest.fixture
def run(tiny, tmp_path):
    """The command with the tiny parser, which accepts every photo unless an argument says otherwise."""

    def run(folder, *arguments, out=tmp_path / "out"):
        return main(["label", *map(str, (folder, out, "--parser", tiny, "--least-confidence", "0", *arguments))])

    return run


def files(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def rows(out):
    with open(out / "labels.tsv", newline="", encoding="utf-8") as file:
        return {row["name"]: row for row in csv.DictReader(file, delimiter="\t")}


def verdicts(out):
    return {name: row["verdict"] for name, row in rows(out).items()}


@pytest.mark.usefixtures("believe")
def test_photos_are_copied_and_their_label_maps_are_the_parsers(photos, tiny, tmp_path, run, capsys):
    assert run(photos) == 0
    out = tmp_path / "out"
    parser = FaceParser(tiny, device="cpu")
    for index, (image, mask) in enumerate(find_pairs(out)):
        assert image.read_bytes() == (photos / f"{index:03d}.jpg").read_bytes()
        file = imaging.read_label_file(mask)
        assert file.encoding == "palette"
        photo = imaging.read_photo(image)
        probabilities = parser.probabilities([photo], side=len(photo), mirror=True)[0]
        np.testing.assert_array_equal(file.labels, probabilities.argmax(axis=0))
        row = rows(out)[image.name]
        assert (row["verdict"], int(row["bytes"]), row["detail"]) == ("made", image.stat().st_size, "")
        assert float(row["confidence"]) == pytest.approx(probabilities.max(axis=0).mean(), abs=1e-5)
        shares = dict(part.split(":") for part in row["classes"].split())
        assert sum(map(float, shares.values())) == pytest.approx(1, abs=1e-5)
    assert index == 4
    assert [imaging.read_labels(out / "masks" / f"00{k}.png").shape[0] for k in (0, 1)] == [64, 96]
    record = json.loads((out / "labelled.json").read_text())
    digest = hashlib.sha256(tiny.read_bytes()).hexdigest()
    assert record["parser"] == {
        "file": "tiny.safetensors", "sha256": digest, "mirror": True, "validation": {"accuracy": 0.5},
    }  # fmt: skip
    assert (record["least_confidence"], record["folder"]) == (0, str(photos))
    told = capsys.readouterr().out
    assert "5 pairs of 5 photos" in told
    assert re.search(r"made now +5 +100\.0%\nthere already +0", told)
    assert "parsed 5 photos in" in told


@pytest.mark.usefixtures("believe")
def test_photos_that_cannot_be_copied_as_they_are_are_left_out(photos, tmp_path, run, capsys):
    photo = draw_face(64, 9)[0]
    Image.fromarray(photo[:48]).save(photos / "wide.png")
    (photos / "broken.jpg").write_bytes((photos / "000.jpg").read_bytes()[:300])
    (photos / "empty.webp").write_bytes(b"")
    turned = Image.Exif()
    turned[0x0112] = 6
    Image.fromarray(photo).save(photos / "turned.jpg", exif=turned)
    turned[0x0112] = 1
    Image.fromarray(photo).save(photos / "upright.jpg", exif=turned)
    Image.fromarray(photo).save(photos / "000.png")
    (photos / "index.tsv").write_text("name\n")
    (photos / ".hidden.jpg").write_bytes(b"")
    (photos / "deeper").mkdir()
    assert run(photos, "--skip", "00[34].*", "--skip", "*.gif") == 0
    out = tmp_path / "out"
    assert verdicts(out) == {
        "000.jpg": "made", "000.png": "same stem", "001.jpg": "made", "002.jpg": "made", "003.jpg": "skipped",
        "004.jpg": "skipped", "broken.jpg": "unreadable", "empty.webp": "unreadable", "turned.jpg": "turned by EXIF",
        "upright.jpg": "made", "wide.png": "not a square",
    }  # fmt: skip
    details = {name: row["detail"] for name, row in rows(out).items() if row["detail"]}
    assert (details["wide.png"], details["turned.jpg"]) == ("64 x 48 px", "orientation 6")
    assert "damaged or cut short" in details["broken.jpg"]
    assert details["000.png"] == "the label map 000.png is of 000.jpg"
    assert {path.name for path in (out / "images").iterdir()} == {"000.jpg", "001.jpg", "002.jpg", "upright.jpg"}
    assert {path.name for path in (out / "masks").iterdir()} == {"000.png", "001.png", "002.png", "upright.png"}
    told = capsys.readouterr().out
    assert re.search(r"left out +7 +63\.6%", told)
    assert re.search(r"unreadable +2 +18\.2%  broken\.jpg, empty\.webp\n", told)
    assert re.search(r"skipped +2 +18\.2%  003\.jpg, 004\.jpg\n", told)
    assert "1 files are no photos and were ignored, the first index.tsv" in told


def test_the_table_names_the_first_of_many(tmp_path, run, capsys):
    write_photos(tmp_path / "photos", 7)
    assert run(tmp_path / "photos") == 1
    told = capsys.readouterr()
    reason = next(line for line in told.out.splitlines() if "000.jpg" in line)
    assert "000.jpg, 001.jpg, 002.jpg, 003.jpg, 004.jpg" in reason
    assert "7 photos" in told.out
    assert told.err == f"maskedit-data: No photo of {tmp_path / 'photos'} became a pair; labels.tsv in " + (
        f"{tmp_path / 'out'} says why not.\n"
    )


@pytest.mark.parametrize(
    ("changed", "verdict"),
    [
        ({}, "made"),
        ({"skin": 0.04}, "no skin"),
        ({"skin": 0}, "no skin"),
        ({"nose": 0.004}, "no nose"),
        ({"l_eye": 0, "r_eye": 0}, "no eyes"),
        ({"l_eye": 0.00005, "r_eye": 0.00005}, "no eyes"),
        ({"l_eye": 0}, "made"),
        ({"l_eye": 0, "r_eye": 0, "eye_g": 0.05}, "made"),
        ({"skin": 0.06}, "face too small"),
        ({"background": 0.76}, "face too small"),
    ],
)
def test_implausible_faces_have_a_reason(changed, verdict):
    shares = {**FACE, **changed}
    assert judge(0.95, shares, 0.9) == verdict
    assert judge(0.95, {part: share for part, share in shares.items() if share}, 0.9) == verdict


def test_unsure_is_what_lies_below_the_threshold():
    assert [judge(confidence, FACE, 0.9) for confidence in (0.8999, 0.9)] == ["unsure", "made"]


@pytest.mark.slow
def test_the_shipped_parser_takes_a_face_and_leaves_noise_out(tmp_path):
    folder, out = tmp_path / "photos", tmp_path / "out"
    folder.mkdir()
    photo, labels = resources.portrait("collins")
    face = imaging.resize_photo(imaging.read_photo(photo), (256, 256))
    imaging.write_photo(folder / "face.png", face)
    imaging.write_photo(folder / "noise.png", np.random.default_rng(0).integers(0, 256, (256, 256, 3), np.uint8))
    imaging.write_photo(folder / "wall.png", np.full((256, 256, 3), 150, np.uint8))
    assert main(["label", str(folder), str(out)]) == 0
    found = verdicts(out)
    assert found.pop("face.png") == "made"
    assert "made" not in found.values()
    drawn = imaging.resize_labels(imaging.read_labels(labels), (256, 256))
    assert (imaging.read_labels(out / "masks" / "face.png") == drawn).mean() > 0.9


@pytest.mark.usefixtures("believe")
def test_a_run_goes_on_where_it_was_killed(photos, tmp_path, run, monkeypatch, capsys):
    whole, out = tmp_path / "whole", tmp_path / "out"
    Image.fromarray(draw_face(64, 9)[0][:48]).save(photos / "wide.png")
    assert run(photos, out=whole) == 0
    write = imaging.atomic_write_bytes

    def killed(path, data, **options):
        if path.name == "003.jpg":  # its label map is there already
            raise KeyboardInterrupt
        return write(path, data, **options)

    monkeypatch.setattr(module.imaging, "atomic_write_bytes", killed)
    assert run(photos) == 130
    assert "stopped. 3 pairs are finished; the same command goes on from there." in capsys.readouterr().err
    monkeypatch.setattr(module.imaging, "atomic_write_bytes", write)
    assert len(find_pairs(out)) == 3
    (out / "masks" / ".maskedit-0123.tmp").write_bytes(b"of a run that was killed")
    before = (out / "images" / "000.jpg").stat().st_mtime_ns
    assert run(photos) == 0
    assert re.search(r"made now +2 .*\nthere already +3 ", capsys.readouterr().out)
    assert (out / "images" / "000.jpg").stat().st_mtime_ns == before
    assert files(out) == files(whole)
    monkeypatch.setattr(module, "_label_photo", None)  # nothing is looked at again
    assert run(photos) == 0
    assert files(out) == files(whole)


@pytest.mark.slow
@pytest.mark.usefixtures("believe")
def test_pairs_that_the_table_does_not_know_are_made_again(photos, tmp_path, run):
    run(photos, out=tmp_path / "whole")
    run(photos)
    out = tmp_path / "out"
    lines = (out / "labels.tsv").read_text().splitlines(keepends=True)
    for damaged in ("".join(lines[:3]), "", "".join(lines[:4]) + "nonsense\n../../x.jpg\t1\tmade\t0.9\t\t\n", "\0"):
        (out / "labels.tsv").write_text(damaged)
        (out / "masks" / "000.png").unlink()
        assert run(photos) == 0
        assert files(out) == files(tmp_path / "whole")
    (out / "labels.tsv").unlink()
    assert run(photos) == 0
    assert files(out) == files(tmp_path / "whole")


@pytest.mark.usefixtures("believe")
def test_a_photo_that_changed_is_labelled_anew(photos, tmp_path, run, capsys):
    run(photos)
    other = draw_face(80, 3)[0]
    imaging.write_photo(photos / "000.jpg", other, overwrite=True)
    capsys.readouterr()
    assert run(photos) == 0
    assert re.search(r"made now +1 .*\nthere already +4 ", capsys.readouterr().out)
    assert imaging.read_labels(tmp_path / "out" / "masks" / "000.png").shape == (80, 80)
    Image.fromarray(other[:40]).save(photos / "000.jpg")
    assert run(photos) == 0
    assert verdicts(tmp_path / "out")["000.jpg"] == "not a square"
    assert [image.name for image, _ in find_pairs(tmp_path / "out")] == ["001.jpg", "002.jpg", "003.jpg", "004.jpg"]
    assert not (tmp_path / "out" / "masks" / "000.png").exists()


@pytest.mark.usefixtures("believe")
def test_a_photo_takes_over_the_stem_of_one_that_is_skipped(photos, tmp_path, run):
    out = tmp_path / "out"
    Image.fromarray(draw_face(48, 9)[0]).save(photos / "000.png")
    run(photos)
    run(photos, "--skip", "000.jpg")
    assert (verdicts(out)["000.jpg"], verdicts(out)["000.png"]) == ("skipped", "made")
    assert next(image.name for image, _ in find_pairs(out)) == "000.png"
    assert imaging.read_labels(out / "masks" / "000.png").shape == (48, 48)
    run(photos)
    assert next(image.name for image, _ in find_pairs(out)) == "000.jpg"
    assert imaging.read_labels(out / "masks" / "000.png").shape == (64, 64)


@pytest.mark.usefixtures("believe")
def test_another_threshold_is_refused_and_forced_judges_anew_without_parsing(
    photos, tmp_path, run, monkeypatch, capsys
):
    out = tmp_path / "out"
    run(photos)
    before = files(out)
    middle = sorted(float(row["confidence"]) for row in rows(out).values())[2]
    capsys.readouterr()
    assert run(photos, "--least-confidence", middle) == 1
    told = capsys.readouterr().err
    assert told.startswith("maskedit-data: ")
    assert f"--least-confidence 0.0 then and {middle} now" in told
    assert "--force" in told
    assert files(out) == before
    parse = module._label_photo
    monkeypatch.setattr(module, "_label_photo", None)
    assert run(photos, "--least-confidence", middle, "--force") == 0
    assert re.search(r"there already +3 .*\nleft out +2 .*\n +unsure +2 ", capsys.readouterr().out)
    assert len(find_pairs(out)) == len(list((out / "masks").iterdir())) == 3
    assert json.loads((out / "labelled.json").read_text())["least_confidence"] == middle
    monkeypatch.setattr(module, "_label_photo", parse)
    assert run(photos, "--force") == 0
    assert re.search(r"made now +2 .*\nthere already +3 ", capsys.readouterr().out)
    assert files(out) == before


@pytest.mark.slow
@pytest.mark.usefixtures("believe")
def test_another_parser_is_refused_and_forced_draws_everything_anew(photos, tmp_path, run, capsys):
    out = tmp_path / "out"
    run(photos)
    (out / "notes.txt").write_text("mine")
    (photos / "004.jpg").unlink()
    before = files(out)
    other = write_parser(tmp_path / "other.safetensors", 1)
    assert run(photos, "--parser", other) == 1
    told = capsys.readouterr().err
    assert "--parser tiny.safetensors (SHA-256 " in told
    assert "then and other.safetensors (SHA-256 " in told
    assert files(out) == before
    assert run(photos, "--parser", other, "--force") == 0
    run(photos, "--parser", other, out=tmp_path / "fresh")
    assert files(out) == {**files(tmp_path / "fresh"), "notes.txt": b"mine"}
    assert len(find_pairs(out)) == 4
    same = tmp_path / "renamed.safetensors"
    same.write_bytes(other.read_bytes())
    assert run(photos, "--parser", same) == 0
    (out / "labelled.json").write_text("[1")
    assert run(photos, "--parser", other) == 1
    assert "by another version of maskedit" in capsys.readouterr().err


@pytest.mark.usefixtures("believe")
def test_another_folder_is_refused_and_forced_is_added(photos, tmp_path, run, capsys):
    run(photos)
    more = tmp_path / "more"
    more.mkdir()
    imaging.write_photo(more / "five.png", draw_face(64, 5)[0])
    assert run(more) == 1
    assert f"FOLDER {photos} then and {more} now" in capsys.readouterr().err
    assert run(more, "--force") == 0
    assert len(find_pairs(tmp_path / "out")) == len(rows(tmp_path / "out")) == 6


def test_a_folder_that_is_not_ours_is_left_alone(photos, tiny, tmp_path, run, capsys):
    mine = tmp_path / "mine"
    (mine / "masks").mkdir(parents=True)
    for arguments in ((), ("--force",)):
        assert run(photos, *arguments, out=mine) == 1
        assert "no labelled.json says that it is one of ours" in capsys.readouterr().err
    assert [path.name for path in mine.rglob("*")] == ["masks"]
    assert run(photos, out=photos) == 1
    assert "FOLDER and OUT are both" in capsys.readouterr().err
    assert run(mine) == 1
    assert f"{mine} holds no photos" in capsys.readouterr().err
    assert run(tmp_path / "nowhere") == 1
    assert "cannot be read" in capsys.readouterr().err
    assert run(photos, "--parser", photos / "000.jpg") == 1
    assert "is not a safetensors file" in capsys.readouterr().err
    assert run(photos, out=tiny) == 1
    assert "cannot be used" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("believe")
def test_large_photos_are_parsed_smaller_and_their_maps_enlarged(tmp_path, run, monkeypatch):
    write_photos(tmp_path / "photos", 1, sides=(96,))
    run(tmp_path / "photos", out=tmp_path / "fine")
    monkeypatch.setattr(module, "_LARGEST", 32)
    run(tmp_path / "photos")
    labels = imaging.read_labels(tmp_path / "out" / "masks" / "000.png")
    assert labels.shape == (96, 96)
    np.testing.assert_array_equal(labels, labels[::3, ::3].repeat(3, axis=0).repeat(3, axis=1))
    assert (imaging.read_labels(tmp_path / "fine" / "masks" / "000.png") == labels).mean() > 0.7


@pytest.mark.slow
def test_several_processes_tell_the_same(tiny, tmp_path, run):
    write_photos(tmp_path / "photos", 18)
    for workers in (1, 2):
        run(tmp_path / "photos", "--workers", workers, out=tmp_path / str(workers))
    assert len(rows(tmp_path / "1")) == 18
    for name, row in rows(tmp_path / "1").items():
        other = rows(tmp_path / "2")[name]
        assert other["verdict"] == row["verdict"]
        assert float(other["confidence"]) == pytest.approx(float(row["confidence"]), abs=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_kill_leaves_whole_pairs(tmp_path, number):
    folder, out = tmp_path / "photos", tmp_path / "out"
    folder.mkdir()
    face = imaging.resize_photo(imaging.read_photo(resources.portrait("collins")[0]), (256, 256))
    imaging.write_photo(folder / "000.jpg", face)
    for index in range(1, 20):
        (folder / f"{index:03d}.jpg").write_bytes((folder / "000.jpg").read_bytes())
    command = [sys.executable, "-m", "maskedit.data.cli", "label", folder, out, "--workers", "2"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 120
        while not list(out.glob("images/*.jpg")) and time.monotonic() < deadline:
            time.sleep(0.01)
        os.kill(process.pid, number)
        told = process.communicate(timeout=120)[1]
    assert "Traceback" not in told
    if number == signal.SIGTERM:
        assert process.returncode == 130, told
        assert f"stopped. {len(rows(out))} pairs are finished; the same command goes on from there." in told
        assert not list(out.rglob("*.tmp"))
    pairs = find_pairs(out)
    assert 0 < len(pairs) < 20
    for image, mask in pairs:
        assert image.read_bytes() == (folder / image.name).read_bytes()
        assert imaging.read_labels(mask).shape == (256, 256)
    for path in sorted(folder.iterdir())[4:]:
        path.unlink()  # four do to see that a run goes on
    assert main(["label", str(folder), str(out), "--workers", "1"]) == 0
    assert len(rows(out)) >= 4
    assert set(verdicts(out).values()) == {"made"}
    assert not list(out.rglob("*.tmp"))


def test_the_help_tells_the_threshold(capsys):
    with pytest.raises(SystemExit) as exit:
        main(["label", "--help"])
    assert exit.value.code == 0
    assert f"(default: {module.LEAST_CONFIDENCE})" in capsys.readouterr().out


@pytest.mark.parametrize("least", ["1.5", "-0.1", "much", "nan"])
def test_a_threshold_is_a_probability(least, capsys):
    with pytest.raises(SystemExit) as exit:
        main(["label", "a", "b", "--least-confidence", least])
    assert exit.value.code == 2
    assert f"wanted a number from 0 to 1, not '{least}'" in capsys.readouterr().err
