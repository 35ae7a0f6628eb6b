"""maskedit-edit through the real command: a tiny renderer, the shipped parser, the bundled portraits."""

import json
from itertools import pairwise

import numpy as np
import pytest
import torch
from PIL import Image

from maskedit import imaging, resources
from maskedit.document import session
from maskedit.document.document import Document
from maskedit.document.origin import Origin
from maskedit.edit import cli
from maskedit.edit.jobs import Editor
from maskedit.imaging import SourcePhoto, Square, read_labels
from maskedit.labels import BISENET_ORDER, BY_NAME
from maskedit.models.checkpoint import save_checkpoint
from maskedit.models.config import DmnConfig
from maskedit.models.dense_mapping import DenseMappingNetwork
from tests.openraster import read_openraster, shown

pytestmark = pytest.mark.slow

SIDE, X, Y = 200, 70, 40
SQUARE = f"--square={X + SIDE / 2},{Y + SIDE / 2},{SIDE}"
SMILE = [BY_NAME[name].id for name in ("mouth", "u_lip", "l_lip")]
COLLINS, COLLINS_LABELS = resources.portrait("collins")
HOPPER, HOPPER_LABELS = resources.portrait("hopper")
EXIF_CAMERA = 0x010F


def photo_of(portrait, *, left=X, width=300, height=260):
    """A portrait of ``SIDE`` px on a plain wall."""
    photo = np.full((height, width, 3), (160, 150, 140), np.uint8)
    photo[Y : Y + SIDE, left : left + SIDE] = imaging.resize_photo(imaging.read_photo(portrait), (SIDE, SIDE))
    return photo


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    network = DenseMappingNetwork(DmnConfig(width=4, size=64, blocks=1))
    return save_checkpoint(path, network, {}, dtype=torch.float32)


@pytest.fixture
def me(tmp_path):
    """A JPEG with a camera's name in it."""
    path = tmp_path / "me.jpg"
    exif = Image.Exif()
    exif[EXIF_CAMERA] = "Box"
    Image.fromarray(photo_of(COLLINS)).save(path, quality=95, exif=exif)
    return path


@pytest.fixture
def edit(weights, monkeypatch):
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK"):
        monkeypatch.delenv(name, raising=False)

    def run(*arguments):
        return cli.main([str(each) for each in ("--weights", weights, "--device", "cpu", *arguments)])

    return run


def usage_error(capsys, run):
    with pytest.raises(SystemExit) as stopped:
        run()
    assert stopped.value.code == 2
    return capsys.readouterr().err


def test_a_smile_from_another_photo(edit, me, tmp_path, capsys):
    """The face is found, only the mouth changes, and what the camera wrote stays."""
    out = tmp_path / "smile.png"
    assert edit(me, "--source", HOPPER_LABELS, "--classes", "smile", "-o", out) == 0
    line = capsys.readouterr().out.strip()
    assert line.startswith(f"{me}: face 1 of 1 (")
    assert f"-> {out}; " in line
    assert "changed outside the edit: 0; " in line
    before, after = imaging.read_photo(me), imaging.read_photo(out)
    assert after.shape == before.shape
    rows, columns = np.nonzero((before != after).any(axis=2))
    # The mouth of an aligned face is about (0.5, 0.74) of its square.
    assert abs(columns.mean() - (X + 0.5 * SIDE)) < 0.05 * SIDE
    assert abs(rows.mean() - (Y + 0.74 * SIDE)) < 0.07 * SIDE
    assert np.ptp(rows) < 0.45 * SIDE
    with Image.open(out) as image:
        assert image.getexif()[EXIF_CAMERA] == "Box"


def test_styles_from_another_photo_and_of_a_colour(edit, me, tmp_path, capsys):
    """Hair and lips change their colours at the photo's own size; labels may be edited with them."""
    out = tmp_path / "styled.png"
    styles = ("--style", f"hair={HOPPER}:0.5", "--style", "lips=#b01028")
    assert edit(me, *styles, "-o", out) == 0
    line = capsys.readouterr().out
    assert "0.0% of the label map changed, changed outside the edit: 0; " in line
    before, after = imaging.read_photo(me), imaging.read_photo(out)
    changed = (before != after).any(axis=2)
    assert 0.02 < changed.mean() < 0.4
    assert not changed[:, : X - 20].any()
    lips = after[Y + 143 : Y + 153, X + 85 : X + 115].astype(int)
    assert (lips[..., 0] - lips[..., 1]).mean() > (
        before[Y + 143 : Y + 153, X + 85 : X + 115].astype(int) @ [1, -1, 0]
    ).mean()
    assert (
        edit(me, *styles, "--source", HOPPER_LABELS, "--classes", "smile", "--crop-only", "-o", tmp_path / "b.png") == 0
    )
    assert "changed outside the edit: 0; " in capsys.readouterr().out


def test_styles_that_cannot_be_taken_are_told(edit, me, tmp_path, capsys):
    assert edit(me, "--style", f"hair={HOPPER_LABELS}", "-o", tmp_path / "a.png") == 1
    assert "hopper_labels.png is a label map and shows no colours; wanted a photo" in capsys.readouterr().err
    assert edit(me, "--style", f"hat={COLLINS}", "-o", tmp_path / "a.png") == 1
    assert "collins.jpg shows no hat whose colours could be taken" in capsys.readouterr().err


def test_masks_of_a_photo_painted_and_laid_back_exactly(edit, me, tmp_path, capsys):
    masks, out = tmp_path / "masks", tmp_path / "edited.png"
    assert edit(me, "--parse-only", "-o", masks) == 0
    assert sorted(path.name for path in masks.iterdir()) == ["me_face.json", "me_face.png", "me_face_labels.png"]
    place = json.loads((masks / "me_face.json").read_text())
    assert place["photo"] == "me.jpg"
    assert place["size"] == [300, 260]
    assert 0.7 < place["confidence"] <= 1
    square, photo = Square(*place["square"]), imaging.read_photo(me)
    aligned, labels = imaging.read_photo(masks / "me_face.png"), imaging.read_labels(masks / "me_face_labels.png")
    np.testing.assert_array_equal(aligned, imaging.cut_square(photo, square, 512))
    assert labels.shape == (512, 512)
    # As parsed, nothing changes; the parser sees the same again.
    painted = masks / "me_face_labels.png"
    assert edit(me, "--labels", painted, "--square", masks / "me_face.json", "-o", out) == 0
    np.testing.assert_array_equal(imaging.read_photo(out), photo)
    assert "0.0% of the label map changed" in capsys.readouterr().out
    labels[labels == BY_NAME["u_lip"].id] = BY_NAME["skin"].id
    imaging.write_labels(painted, labels, overwrite=True)
    assert edit(me, "--labels", masks, "--square", masks / "me_face.json", "-o", out, "--overwrite") == 0
    assert (imaging.read_photo(out) != photo).any()


def test_parsing_replaces_nothing_that_somebody_painted(edit, me, capsys):
    """The map that lies beside a photo is not touched, and a square's without its place only if one says so."""
    painted = imaging.write_labels(me.with_name("me_labels.png"), np.full((512, 512), 13, np.uint8))
    before = painted.read_bytes()
    flags = (me, "--parse-only", SQUARE, "-o", me.parent)
    assert edit(*flags) == 0
    assert painted.read_bytes() == before
    for name in ("me_face_labels.png", "me_face.png"):
        for path in me.parent.glob("me_face*"):
            path.unlink()
        (me.parent / name).write_bytes(before)
        assert edit(*flags) == 1
        told = f"{name} is there already, but not its .json: an earlier run was cut off, or it is yours"
        assert told in capsys.readouterr().err
        assert [path.name for path in me.parent.glob("me_face*")] == [name]
        assert (me.parent / name).read_bytes() == before
    assert edit(*flags, "--overwrite") == 0
    assert len(list(me.parent.glob("me_face*"))) == 3


def test_squares_beside_their_photos_are_no_photos(edit, me, capsys):
    flags = (me.parent, "--parse-only", SQUARE, "-o", me.parent)
    assert edit(*flags) == 0
    assert edit(*flags) == 0
    assert "me.jpg: left out" in capsys.readouterr().out
    assert len(list(me.parent.iterdir())) == 4


@pytest.mark.parametrize("flag", ["--labels", "--own-labels"])
def test_label_maps_in_a_folder_are_found_by_name_in_order(edit, me, tmp_path, flag):
    """What is first in order is read: all the others are broken."""
    maps = tmp_path / "maps"
    maps.mkdir()
    for index, name in enumerate(("me.png", "me_labels.png", "me_face_labels.png")):
        imaging.write_labels(maps / name, imaging.read_labels(COLLINS_LABELS))
        other = ("--source", HOPPER_LABELS) if flag == "--own-labels" else ()
        assert edit(me, flag, maps, *other, SQUARE, "-o", tmp_path / f"{index}.png") == 0
        (maps / name).write_bytes(b"no image")


def test_without_parsing_or_finding_it_is_the_renderers_work_alone(edit, me, tmp_path, capsys):
    """Own and edited label map of any size, the square's crop, the render everywhere, learned."""
    own, edited, out = tmp_path / "own.png", tmp_path / "edited.png", tmp_path / "face.png"
    labels = imaging.read_labels(COLLINS_LABELS)
    imaging.write_labels(own, imaging.resize_labels(labels, (128, 128)))
    imaging.write_labels(edited, imaging.resize_labels(np.where(labels == 13, 0, labels).astype(np.uint8), (256, 256)))
    common = (me, "--own-labels", own, "--labels", edited, SQUARE, "--crop-only", "-o", out, "--overwrite")
    images = []
    for flags in ((), ("--no-detail",), ("--whole-face",), ("--whole-face", "--learn", "2")):
        assert edit(*common, *flags) == 0
        images.append(imaging.read_photo(out))
        assert images[-1].shape == (512, 512, 3)
    assert "the given square -> " in capsys.readouterr().out
    for one, other in pairwise(images):
        assert (one != other).any()


def test_other_class_orders_are_told_and_read(edit, me, tmp_path, capsys):
    source = tmp_path / "bisenet.png"
    labels = imaging.read_labels(HOPPER_LABELS)
    Image.fromarray(np.argsort(BISENET_ORDER).astype(np.uint8)[labels]).save(source)
    flags = (me, SQUARE, "--classes", "smile", "--overwrite", "-o", tmp_path / "out.png")
    assert edit(*flags, "--source", source) == 0
    assert "in the class order of BiSeNet" in capsys.readouterr().out
    remapped = imaging.read_photo(tmp_path / "out.png")
    assert edit(*flags, "--source", HOPPER_LABELS) == 0
    np.testing.assert_array_equal(imaging.read_photo(tmp_path / "out.png"), remapped)


def test_a_photo_as_source_is_parsed(edit, me, tmp_path, capsys):
    source = tmp_path / "hopper.jpg"
    Image.fromarray(photo_of(HOPPER)).save(source)
    assert edit(me, SQUARE, "--source", source, "--classes", "mouth,u_lip,l_lip", "-o", tmp_path / "out.png") == 0
    assert "changed outside the edit: 0" in capsys.readouterr().out
    plain = tmp_path / "plain.png"
    Image.fromarray(np.full((64, 64, 3), 90, np.uint8)).save(plain)
    assert edit(me, SQUARE, "--source", plain, "-o", tmp_path / "other.png") == 1
    assert "As a photo, plain.png shows no face" in capsys.readouterr().err


def test_all_faces_of_a_photo(edit, tmp_path, capsys):
    photo = np.hstack([photo_of(COLLINS), photo_of(HOPPER)])
    two = tmp_path / "two.png"
    Image.fromarray(photo).save(two)
    assert edit(two, "--source", HOPPER_LABELS, "--classes", "brows", "--face", "all", "-o", tmp_path / "out.png") == 0
    assert ": 2 faces (" in capsys.readouterr().out
    changed = (imaging.read_photo(tmp_path / "out.png") != photo).any(axis=2)
    assert changed[:, :300].any()
    assert changed[:, 300:].any()
    assert edit(two, "--parse-only", "--face", "all", "-o", tmp_path / "masks") == 0
    names = sorted(path.name for path in (tmp_path / "masks").iterdir())
    assert names == [f"two_face_{n}{end}" for n in (1, 2) for end in (".json", ".png", "_labels.png")]
    # A run that was cut off after the second face, which somebody has painted since.
    for end in (".json", ".png", "_labels.png"):
        (tmp_path / "masks" / f"two_face_1{end}").unlink()
    painted = imaging.write_labels(
        tmp_path / "masks" / "two_face_2_labels.png", np.full((512, 512), 13, np.uint8), overwrite=True
    )
    assert edit(two, "--parse-only", "--face", "all", "-o", tmp_path / "masks") == 0
    assert sorted(path.name for path in (tmp_path / "masks").iterdir()) == names
    assert (imaging.read_labels(painted) == 13).all()
    assert edit(two, "--parse-only", "--face", "3", "-o", tmp_path / "third") == 1
    assert "2 faces were found, and face 3 is wanted" in capsys.readouterr().err


def test_a_name_that_ends_in_ora_is_written_in_layers(edit, me, tmp_path):
    """Whole and of the square alone: what the layers show together is the picture that another ending gives."""
    flags = (me, SQUARE, "--source", HOPPER_LABELS, "--classes", "smile")
    for crop, size in (((), (300, 260)), (("--crop-only",), (512, 512))):
        out = tmp_path / f"{len(crop)}.ora"
        assert edit(*flags, *crop, "-o", out) == 0
        assert edit(*flags, *crop, "-o", out.with_suffix(".png")) == 0
        found, edited = read_openraster(out), imaging.read_photo(out.with_suffix(".png"))
        assert found.size == size
        assert [layer.name for layer in found.layers] == ["Photo", "Edit", "Label map", "Hole"]
        assert np.array_equal(np.array(found.merged), edited)
        assert np.abs(shown(found).astype(int) - edited).max() <= 1
        assert (shown(found) != np.array(found.layers[0].image)).any()
        assert found.merged.getexif()[EXIF_CAMERA] == "Box"
    assert edit(me, SQUARE, "--source", HOPPER_LABELS, "-o", tmp_path / "many", "--suffix", "_layers.ora") == 0
    assert [path.name for path in (tmp_path / "many").iterdir()] == ["me_layers.ora"]
    assert edit(*flags, "-o", tmp_path / "0.ora") == 0  # is there already: nothing is done


def test_a_folder_goes_on_after_failures_and_where_it_was_stopped(edit, me, tmp_path, capsys):
    photos, out = tmp_path / "photos", tmp_path / "out"
    photos.mkdir()
    me.rename(photos / "b.jpg")
    (photos / "a.png").write_bytes(b"no image")
    Image.fromarray(np.zeros((40, 40, 3), np.uint8)).save(photos / "black.png")
    imaging.write_labels(photos / "b_labels.png", np.zeros((8, 8), np.uint8))  # lies beside its photo: no photo
    flags = (photos, "--source", HOPPER_LABELS, "--classes", "hair", "-o", out, "--suffix", "_hair.png")
    assert edit(*flags) == 1
    told = capsys.readouterr()
    assert [path.name for path in out.iterdir()] == ["b_hair.png"]
    assert told.out.count("\n") == 1
    assert told.err.count("\n") == 2
    assert f"maskedit-edit: {photos / 'a.png'}: " in told.err
    assert "black.png: no face was found" in told.err
    assert edit(*flags) == 1
    assert f"b.jpg: left out, {out / 'b_hair.png'} is there already" in capsys.readouterr().out


def test_no_error_of_one_photo_ends_the_batch(edit, me, tmp_path, capsys, monkeypatch):
    """A bug or a full GPU in the second of three; Ctrl+C ends it all the same."""
    photos = [tmp_path / name for name in ("a.jpg", "b.jpg", "c.jpg")]
    for photo in photos:
        photo.write_bytes(me.read_bytes())
    run, error = Editor.run, RuntimeError("CUDA error: out of luck\nCompile with TORCH_USE_CUDA_DSA")

    def unlucky(editor, job):
        if job.photo == photos[1]:
            raise error
        return run(editor, job)

    monkeypatch.setattr(Editor, "run", unlucky)
    flags = (*photos, "--parse-only", SQUARE, "--overwrite", "-o", tmp_path / "out")
    assert edit(*flags) == 1
    assert capsys.readouterr().err == f"maskedit-edit: {photos[1]}: RuntimeError: CUDA error: out of luck\n"
    assert sorted(path.name for path in (tmp_path / "out").glob("*.json")) == ["a_face.json", "c_face.json"]
    (tmp_path / "out" / "c_face.json").unlink()
    error = KeyboardInterrupt()
    assert edit(*flags) == 130
    assert not (tmp_path / "out" / "c_face.json").exists()


def test_ranks_share_the_photos(edit, me, tmp_path, capsys, monkeypatch):
    names = [f"{index}.jpg" for index in range(5)]
    for name in names:
        (tmp_path / name).write_bytes(me.read_bytes())
    flags = (*(tmp_path / name for name in names), "--parse-only", SQUARE, "-o", tmp_path / "out")
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "1")
    assert edit(*flags) == 0
    assert sorted(path.name for path in (tmp_path / "out").glob("*.json")) == ["1_face.json", "3_face.json"]
    assert edit(*flags, "--rank", "0") == 0
    assert len(list((tmp_path / "out").glob("*.json"))) == 5
    assert "left out" not in capsys.readouterr().out


def test_workers_share_the_photos(edit, me, tmp_path, capfd):
    names = ["0.jpg", "1.jpg", "2.jpg"]
    for name in names:
        (tmp_path / name).write_bytes(me.read_bytes() if name != "1.jpg" else b"no image")
    photos = [tmp_path / name for name in names]
    assert edit(*photos, "--parse-only", SQUARE, "-o", tmp_path / "out", "--workers", "2") == 1
    assert sorted(path.stem for path in (tmp_path / "out").glob("*.json")) == ["0_face", "2_face"]
    told = capfd.readouterr()
    assert told.out.count("the given square") == 2
    assert "1.jpg: " in told.err


def test_no_photo_is_ever_replaced(edit, me, tmp_path, capsys):
    before = me.read_bytes()
    for out in (me, tmp_path):
        assert edit(me, "--source", HOPPER_LABELS, SQUARE, "-o", out, "--overwrite") == 1
        assert "is one of the photos" in capsys.readouterr().err
    assert me.read_bytes() == before
    (tmp_path / "other").mkdir()
    twin = tmp_path / "other" / "me.jpg"
    twin.write_bytes(before)
    assert edit(me, twin, "--source", HOPPER_LABELS, SQUARE, "-o", tmp_path / "out") == 1
    assert "would both be written as" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ((), "one of the arguments --labels --source --session --style --parse-only is required"),
        (("--parse-only", "--labels", "x.png"), "not allowed with"),
        (("--parse-only", "--learn"), "leave --learn out"),
        (("--labels", "x.png", "--classes", "hair"), "--source, which is missing"),
        (("--labels", "x.png", "--face", "all"), "a label map fits one face"),
        (("--source", "x.png", "--classes", "grin"), "'grin' is no class; there are smile, eyes"),
        (("--source", "x.png", "--face", "0"), "wanted a whole number from 1 on"),
        (("--source", "x.png", "--face", "2", SQUARE), "leave --face out"),
        (("--source", "x.png", "--square", "1,2"), "wanted X,Y,SIDE"),
        (("--source", "x.png", "--square", "1,2,inf"), "wanted X,Y,SIDE"),
        (("--source", "x.png", "--square", "1,2,0"), "wanted X,Y,SIDE"),
        (("--source", "x.png", "--square", "none.json"), "none.json cannot be read"),
        (("--source", "x.png", "--quality", "0"), "--quality 0"),
        (("--source", "x.png", "--rank", "2", "--world-size", "2"), "--rank 2 of --world-size 2"),
        (("--source", "x.png", "--suffix", "a/b"), "not a path"),
        (("--source", "x.png", "two.jpg"), "wanted a folder"),
        (("--source", "x.png", "two.jpg", "-o", "x.ora"), "wanted a folder"),
        (("--style", "hair"), "wanted PART=PHOTO or PART=#rrggbb"),
        (("--style", "mouth=x.png"), "'mouth' has no style; there are hair, brows"),
        (("--style", "hair=x.png:1.5"), "a strength is 0 to 1, not 1.5"),
        (("--style", "hair=x.png:.."), "a strength is 0 to 1"),
        (("--style", "hair=x.png", "--style", "hair=#102030"), "a part takes one style"),
        (("--parse-only", "--style", "hair=x.png"), "leave --style out"),
    ],
)
def test_wrong_usage(edit, capsys, tmp_path, flags, message):
    out = tmp_path / "out.jpg"
    assert message in usage_error(capsys, lambda: edit("me.jpg", "-o", out, *flags))


def test_what_is_missing_is_told(edit, me, tmp_path, capsys):
    assert edit(tmp_path / "no.jpg", "--source", HOPPER_LABELS, "-o", tmp_path / "out.jpg") == 1
    assert "There is no file" in capsys.readouterr().err
    assert edit(me, "--labels", tmp_path, SQUARE, "-o", tmp_path / "out.jpg") == 1
    assert "wanted me_face_labels.png, me_labels.png or me.png" in capsys.readouterr().err
    wide = tmp_path / "wide.png"
    imaging.write_labels(wide, np.ones((8, 16), np.uint8))
    assert edit(me, "--labels", wide, SQUARE, "-o", tmp_path / "out.jpg") == 1
    assert "wide.png is 16 x 8 px; wanted that of the square" in capsys.readouterr().err
    (tmp_path / "empty").mkdir()
    assert edit(tmp_path / "empty", "--source", HOPPER_LABELS, "-o", tmp_path / "out") == 1
    assert "holds no photos" in capsys.readouterr().err


def test_a_session_is_laid_on_its_own_photo_and_on_another(edit, me, tmp_path, capsys):
    """On its own photo it is the edit of its own square; on another one the same changes."""
    square = Square(X + SIDE / 2 + 9, Y + SIDE / 2, SIDE, 3)  # where no finder would place it
    photo = SourcePhoto(me.read_bytes(), "me")
    own = read_labels(COLLINS_LABELS)
    document = Document(photo.cut(square, 512), own, origin=Origin(photo.data, square), name="me")
    document.replace_labels(read_labels(HOPPER_LABELS), classes=SMILE, name="Mouth")
    session.save_session(tmp_path / "me.maskedit", document)
    other = tmp_path / "other.png"
    imaging.write_photo(other, photo_of(HOPPER))
    out = tmp_path / "out"
    assert edit("--session", tmp_path / "me.maskedit", me, other, "--suffix", ".png", "-o", out) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert f"{me}: the session's own square -> " in first
    assert "changed outside the edit: 0; " in first
    assert "face 1 of 1 (" in second
    imaging.write_labels(tmp_path / "own.png", own)
    imaging.write_labels(tmp_path / "labels.png", document.snapshot())
    maps = ("--own-labels", tmp_path / "own.png", "--labels", tmp_path / "labels.png")
    same = tmp_path / "same.png"
    where = f"--square={square.x},{square.y},{square.side},{square.degrees}"
    assert edit(me, *maps, where, "-o", same) == 0
    np.testing.assert_array_equal(imaging.read_photo(out / "me.png"), imaging.read_photo(same))
    before, after = imaging.read_photo(other), imaging.read_photo(out / "other.png")
    rows, columns = np.nonzero((before != after).any(axis=2))
    assert abs(columns.mean() - (X + 0.5 * SIDE)) < 0.06 * SIDE
    assert abs(rows.mean() - (Y + 0.74 * SIDE)) < 0.1 * SIDE
