"""Checking a folder of pairs: a planted finding of every kind, mending, the table, the sheet, exit statuses."""

import base64
import io
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from maskedit import imaging
from maskedit.data import look, sheet
from maskedit.data.check import KINDS, NEAR_BITS, check, printable, table
from maskedit.data.cli import main
from maskedit.data.folder import mend_left_right
from maskedit.errors import UserError
from maskedit.labels import BY_NAME, MIRROR
from tests.faces import draw_face
from tests.folders import write_faces, write_map

REAL = Path(__file__).parents[3] / "shared" / "celebamask-hq-mini"


@pytest.fixture
def folder(tmp_path):
    return write_textured(tmp_path / "faces", 6)


def found(report):
    return {(finding.kind, finding.name) for finding in report.findings}


def only(report):
    assert len(report.findings) == 1, report.findings
    return report.findings[0]


def textured(seed, side=64):
    """A drawn face under coarse random spots: drawn faces are flat, and all alike, where real photos never are."""
    spots = np.random.default_rng(seed).integers(-60, 60, (16, 16))
    spots = np.kron(spots, np.ones((side // 16, side // 16), int))
    return np.clip(draw_face(side, seed)[0] + spots[..., None], 0, 255).astype(np.uint8)


def write_textured(folder, count):
    write_faces(folder, count)
    for number in range(count):
        Image.fromarray(textured(number)).save(folder / "images" / f"{number:03d}.png")
    return folder


def swap(folder, stem):
    """Exchange left and right in one map; returns the sound map."""
    labels = imaging.read_labels(folder / "masks" / f"{stem}.png")
    write_map(folder / "masks" / f"{stem}.png", MIRROR[labels])
    return labels


def test_a_sound_folder_is_clean(folder, capsys):
    report = check(folder, workers=1)
    assert (report.findings, report.photos, report.maps, report.pairs) == ([], 6, 6, 6)
    assert report.empty_classes == ["eye_g", "hat", "ear_r", "neck_l"]
    assert report.classes[BY_NAME["hair"].id] == 6
    assert main(["check", str(folder)]) == 0
    told = capsys.readouterr().out
    assert told.endswith("classes in no map: eye_g, hat, ear_r, neck_l\nclean\n")
    assert "photo with map: 64 x 64 with 64 x 64 (6)" in told
    assert re.search(r"^13 hair +6 +100\.0%$", told, re.MULTILINE)


def test_a_planted_finding_of_every_kind(folder, tmp_path, capsys):
    images, masks = folder / "images", folder / "masks"
    write_textured(tmp_path / "more", 16)
    for number in range(6, 16):
        for part in ("images", "masks"):
            shutil.copy(tmp_path / "more" / part / f"{number:03d}.png", folder / part)
    (masks / "000.png").unlink()
    (images / "001.png").unlink()
    (images / "notes.txt").write_text("mine")
    Image.open(images / "002.png").save(images / "002.webp")
    (images / "003.png").write_bytes((images / "003.png").read_bytes()[:300])
    (masks / "004.png").write_bytes(b"")
    Image.fromarray(np.full((64, 64), 77, np.uint8)).save(masks / "005.png")
    write_map(masks / "006.png", draw_face(64, 6)[1][:48])
    write_map(masks / "007.png", draw_face(128, 7)[1])
    Image.fromarray(textured(8, side=96)).save(images / "008.png")
    write_map(masks / "008.png", draw_face(96, 8)[1])
    swap(folder, "009")
    write_map(masks / "010.png", np.zeros((64, 64), np.uint8))
    shutil.copy(images / "011.png", images / "012.png")
    Image.open(images / "013.png").save(images / "014.jpg", quality=80)
    (images / "014.png").unlink()
    expected = {
        ("missing partner", "000"), ("missing partner", "001"), ("stray file", "images/notes.txt"),
        ("stray file", "images/002.webp"), ("unreadable", "003"), ("unreadable", "004"), ("unknown ids", "005"),
        ("size mismatch", "006"), ("size mismatch", "007"), ("odd size", "008"), ("swapped sides", "009"),
        ("empty map", "010"), ("duplicate", "012"), ("near duplicate", "014"),
    }  # fmt: skip
    report = check(folder, workers=1)
    assert found(report) == expected
    assert len(report.findings) == len(expected)
    assert {finding.kind for finding in report.findings} == set(KINDS)
    texts = {finding.name: finding.text for finding in report.findings}
    assert "77 (4,096 px)" in texts["005"]
    assert texts["006"] == "photo 64 x 64, map 64 x 48 px: not the same shape"
    assert texts["008"] == "photo 96 x 96, map 96 x 96 px; most have photo 64 x 64, map 64 x 64 px"
    assert texts["012"] == "the same file as 011.png"
    assert texts["014"].startswith("looks like 013.png (")
    assert "l_eye, r_eye, l_brow, r_brow, l_ear, r_ear" in texts["009"]
    page = tmp_path / "sheet.html"
    assert main(["check", str(folder), "--html", str(page)]) == 1
    told = capsys.readouterr().out
    assert re.search(r"^size mismatch +2 +12\.5% +0$", told, re.MULTILINE)
    assert "14 findings\nsheet: " in told
    text = page.read_text(encoding="utf-8")
    for kind, name in expected:
        assert f"<h2>{kind}</h2>" in text
        assert f"<b>{name}</b>: " in text
    assert text.count("<figure>") == 14


def test_fix_mends_swapped_sides_once(folder, capsys):
    sound = {stem: swap(folder, stem) for stem in ("001", "004")}
    plain = folder / "masks" / "004.png"
    imaging.write_labels(plain, MIRROR[sound["004"]], kind="ids", overwrite=True)
    assert main(["check", str(folder)]) == 1
    assert "2 findings" in capsys.readouterr().out
    assert main(["check", str(folder), "--fix"]) == 0
    assert "clean, 2 mended" in capsys.readouterr().out
    for stem, labels in sound.items():
        file = imaging.read_label_file(folder / "masks" / f"{stem}.png")
        np.testing.assert_array_equal(file.labels, labels)
        assert file.encoding == ("ids" if stem == "004" else "palette")
    before = {path.name: path.stat().st_mtime_ns for path in (folder / "masks").iterdir()}
    assert main(["check", str(folder), "--fix"]) == 0
    assert capsys.readouterr().out.endswith("\nclean\n")
    assert {path.name: path.stat().st_mtime_ns for path in (folder / "masks").iterdir()} == before


def test_what_cannot_be_mended_stays_a_finding(folder, monkeypatch):
    def full(*_, **__):
        raise UserError("the disk is full")

    swap(folder, "001")
    monkeypatch.setattr("maskedit.data.check.imaging.write_labels", full)
    report = check(folder, workers=1, fix=True)
    assert only(report).text.endswith("could not be mended: the disk is full")
    assert report.left == report.findings


def test_photos_twice_their_maps_are_as_they_should_be(folder):
    for number in range(6):
        Image.fromarray(textured(number, side=128)).save(folder / "images" / f"{number:03d}.png")
    assert check(folder, workers=1).findings == []
    Image.fromarray(textured(3)).save(folder / "images" / "003.png")
    assert only(check(folder, workers=1)).kind == "odd size"


@pytest.mark.slow
def test_the_fingerprint_survives_scaling_and_jpeg_and_tells_faces_apart():
    prints = []
    for seed in range(8):
        photo = textured(seed, side=256)
        buffer = io.BytesIO()
        Image.fromarray(imaging.resize_photo(photo, (128, 128))).save(buffer, "JPEG", quality=70)
        prints += [look.fingerprint(photo), look.fingerprint(imaging.read_photo(buffer.getvalue()))]
    near = look.near_pairs(prints, NEAR_BITS)
    assert [(first, second) for first, second, _ in near] == [(index, index + 1) for index in range(0, 16, 2)]
    assert look.near_pairs([], NEAR_BITS) == []
    many = [bytes(32)] + [bytes([255] * 32)] * 1100 + [bytes(31) + b"\x03"]
    assert (0, 1101, 2) in look.near_pairs(many, NEAR_BITS)


@pytest.mark.slow
def test_several_processes_find_the_same(folder, tmp_path):
    write_textured(tmp_path / "many", 40)
    swap(tmp_path / "many", "020")
    reports = [check(tmp_path / "many", workers=workers) for workers in (1, 2)]
    assert table(reports[0]) == table(reports[1])
    assert only(reports[1]).name == "020"


def test_hostile_names_are_harmless(folder, capsys, tmp_path):
    name = "<img src=x onerror=alert(1)>\x1b[31m\n&\udcff"
    try:
        shutil.copy(folder / "images" / "000.png", folder / "images" / f"{name}.png")
    except OSError:
        pytest.skip("the file system refuses such names")
    page = tmp_path / "sheet.html"
    assert main(["check", str(folder), "--html", str(page)]) == 1
    told = capsys.readouterr().out
    assert "\x1b" not in told
    assert printable(name) in told
    text = page.read_text(encoding="utf-8")
    assert "<img src=x" not in text
    assert "&lt;img src=x onerror=alert(1)&gt;\\x1b[31m\\n&amp;\\udcff" in text


def test_the_sheet_needs_nothing_beside_it_and_stays_small(folder, tmp_path, monkeypatch):
    swap(folder, "000")
    for number in range(30):
        (folder / "images" / f"stray{number}.txt").write_text("")
    monkeypatch.setattr(sheet, "MAX_ROWS", 10)
    text = sheet.sheet(check(folder, workers=1))
    assert text.count("<figure>") == 10
    assert "<h2>swapped sides</h2>" in text
    assert "<p>21 more findings are not shown.</p>" in text
    sources = re.findall(r'src="([^"]*)"', text)
    assert len(sources) == 2
    for source, format in zip(sources, ("JPEG", "PNG"), strict=True):
        head, data = source.split(",")
        assert head == f"data:image/{format.lower()};base64"
        assert Image.open(io.BytesIO(base64.b64decode(data))).format == format
    assert not re.findall(r"https?:|<script", text)


def test_wrong_folders_are_refused_with_a_hint(tmp_path, capsys):
    assert main(["check", str(tmp_path)]) == 1
    assert "has no folder images/; wanted images/ and masks/" in capsys.readouterr().err
    (tmp_path / "train" / "images").mkdir(parents=True)
    assert main(["check", str(tmp_path)]) == 1
    assert "did you mean " in capsys.readouterr().err
    (tmp_path / "train" / "masks").mkdir()
    assert main(["check", str(tmp_path / "train")]) == 1
    assert "holds neither photos nor label maps" in capsys.readouterr().err
    assert main(["check", str(tmp_path / "train"), "--html", str(tmp_path / "no" / "sheet.html")]) == 1
    assert "--html" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.skipif(not REAL.is_dir(), reason="../shared/celebamask-hq-mini is not here")
def test_some_real_maps_are_swapped(tmp_path):
    for part in ("images", "masks"):
        (tmp_path / part).mkdir()
        for path in sorted((REAL / part).iterdir())[:60]:
            shutil.copy(path, tmp_path / part)
    report = check(tmp_path, workers=1)
    swapped = [finding for finding in report.findings if finding.kind == "swapped sides"]
    assert 0.01 < len(swapped) / report.pairs < 0.15
    assert len(swapped) == len(report.findings)
    assert sheet.sheet(report).count("<figure>") == len(swapped)
    assert check(tmp_path, workers=1, fix=True).left == []
    labels = imaging.read_labels(swapped[0].labels)
    assert mend_left_right(labels) is labels
