"""maskedit-eval smiles, on faces that show their ids in grey and a parser that reads them off."""

import json

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from maskedit import imaging
from maskedit.evaluation import cli, smiles
from maskedit.evaluation.edits import COMPLETION, PRESENT, Edited
from maskedit.evaluation.smiles import NEUTRAL, SHOWN, Smiles, find_people, load_person, measure, moved
from maskedit.labels import BY_NAME, FACE_PARTS
from maskedit.models.checkpoint import save_checkpoint
from maskedit.models.config import DmnConfig
from maskedit.models.context import ContextNetwork
from maskedit.models.holes import edit_hole
from maskedit.models.perceptual import PerceptualLoss
from maskedit.models.tensors import grown, photo_to_tensor
from tests.faces import draw_face
from tests.oracles import STEP
from tests.squeezenet import write_squeezenet

SHIFT = (3, -2)
"""Pixels across and down by which the smiling photo is moved."""
MOUTH = FACE_PARTS["Smile"]


class GreyParser:
    """Reads the ids off photos that show them."""

    def __init__(self, *_, **__):
        pass

    def parse(self, photo):
        return np.round(photo[..., 0] / STEP).astype(np.uint8)


def smiling(labels):
    """The same face, the mouth a little wider and higher."""
    mouth = np.where(np.isin(labels, MOUTH), labels, 0)
    rows, columns = np.nonzero(mouth)
    about = np.array([columns.mean(), rows.mean()])
    matrix = np.array([[1.3, 0, -0.3 * about[0]], [0, 1.3, -0.3 * about[1] - 1]])
    wider = cv2.warpAffine(mouth, matrix, labels.shape, flags=cv2.INTER_NEAREST)
    face = np.where(np.isin(labels, MOUTH), np.uint8(BY_NAME["skin"].id), labels)
    return np.where(wider > 0, wider, face)


def write_grey(path, labels):
    Image.fromarray(np.repeat(labels[..., None] * np.uint8(STEP), 3, axis=2)).save(path)


@pytest.fixture
def portraits(tmp_path):
    folder = tmp_path / "portraits"
    folder.mkdir()
    for index in range(3):
        labels = draw_face(64, index)[1]
        write_grey(folder / f"london-neutral_{index:03d}.png", labels)
        write_grey(folder / f"london-smiling_{index:03d}.png", moved(smiling(labels), *SHIFT))
    write_grey(folder / "london-neutral_099.png", labels)  # without a smile
    (folder / "index.tsv").write_text("file")
    return folder


def test_people_are_found_by_name(portraits, tmp_path):
    names = [(neutral.name, smile.name) for neutral, smile in find_people(portraits)]
    assert names == [(f"london-neutral_{index:03d}.png", f"london-smiling_{index:03d}.png") for index in range(3)]
    for folder in (tmp_path / "nowhere", tmp_path):
        with pytest.raises(smiles.UserError, match="--portraits"):
            find_people(folder)


def test_pictures_are_moved_by_whole_pixels():
    photo, labels = draw_face(64, 0)
    there = moved(photo, 3, -2)
    assert np.array_equal(there[:-2, 3:], photo[2:, :-3])
    assert np.array_equal(there[:-2, 0], photo[2:, 0])  # the edge goes on
    assert np.array_equal(moved(moved(labels, 3, 2), -3, -2)[:-2, :-3], labels[:-2, :-3])


def test_the_smile_is_moved_to_the_neutral_eyes_and_nose(portraits):
    person = load_person(*find_people(portraits)[1], GreyParser(), 64)
    labels = draw_face(64, 1)[1]
    assert np.array_equal(person.ids, labels)
    inner = np.s_[4:-4, 4:-4]
    assert np.array_equal(person.smile_ids[inner], smiling(labels)[inner])
    assert np.array_equal(person.smile[inner][..., 0], smiling(labels)[inner] * STEP)
    # The wanted map: the smile's mouth, and everything else the neutral's own.
    assert np.array_equal(np.isin(person.edited, MOUTH), np.isin(person.smile_ids, MOUTH))
    others = ~np.isin(labels, MOUTH) & ~np.isin(person.edited, MOUTH)
    assert np.array_equal(person.edited[others], labels[others])


def test_no_face_is_no_person(tmp_path, portraits):
    neutral, smile = find_people(portraits)[0]
    write_grey(smile, np.zeros((64, 64), np.uint8))
    assert load_person(neutral, smile, GreyParser(), 64) is None


class WholePicture:
    """Tells people apart by all their pixels."""

    def embedding(self, photo, points):
        assert points.shape == (5, 2)
        return photo.ravel() / np.linalg.norm(photo.astype(float))


class Showing:
    """Gives one picture, whatever is asked for."""

    def __init__(self, picture):
        self.picture = photo_to_tensor(picture)

    def edit(self, photo, reference, ids, hole):
        return Edited(self.picture, hole)


def test_the_real_smile_is_the_truth_and_the_neutral_photo_is_nothing_done(portraits, tmp_path):
    distance = PerceptualLoss(f"squeezenet:{write_squeezenet(tmp_path / 'squeezenet.npz')}")
    person, found = load_person(*find_people(portraits)[0], GreyParser(), 64), Smiles({})
    with torch.inference_mode():
        measure(
            person, {PRESENT: Showing(person.photo), COMPLETION: Showing(person.smile)}, distance, WholePicture(), found
        )
    assert found.figures[COMPLETION] == {"psnr": 100, "features": 0, "identity": pytest.approx(1)}
    assert found.figures[PRESENT] == found.figures[NEUTRAL]
    hole = edit_hole(*(torch.from_numpy(each)[None] for each in (person.ids, person.edited)))
    around = grown(hole, 2)[0, 0].numpy() > 0  # 2.5 % of 64 px
    errors = (person.photo[around].astype(float) - person.smile[around]) / 255
    assert found.figures[NEUTRAL]["psnr"] == pytest.approx(-10 * np.log10(np.mean(errors**2)), abs=1e-3)
    assert found.figures[NEUTRAL]["features"] > 0.01
    one, other = (each.ravel().astype(float) for each in (person.photo, person.smile))
    cosine = one @ other / np.sqrt((one @ one) * (other @ other))
    assert found.figures[NEUTRAL]["identity"] == pytest.approx(cosine)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    torch.manual_seed(0)
    network = ContextNetwork(DmnConfig(width=4, size=64, blocks=1, variant="maskgan-context"))
    return save_checkpoint(tmp_path_factory.mktemp("weights") / "context.safetensors", network, {})


@pytest.fixture
def flags(portraits, weights, monkeypatch):
    monkeypatch.setattr(smiles, "FaceParser", GreyParser)
    return ["smiles", "--portraits", str(portraits), "--weights", str(weights)]


def test_smiles(flags, tmp_path, capsys):
    report, sheet = tmp_path / "report.json", tmp_path / "sheet.png"
    squeezenet = write_squeezenet(tmp_path / "squeezenet.npz")
    given = ["--perceptual", f"squeezenet:{squeezenet}", "--json", report, "-o", sheet]
    assert cli.main([*flags, *map(str, given)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("smiles of 3 people at 64 px by context.safetensors, the present composite by context")
    assert lines[1].split() == ["features", "PSNR", "dB"]
    assert [line[:17].strip() for line in lines[2:5]] == ["neutral photo", "present composite", "completion"]
    text = report.read_text()
    assert str(tmp_path.parent) not in text
    figures = json.loads(text)
    assert (figures["people"], figures["skipped"]) == (3, [])
    assert set(figures["figures"]) == {NEUTRAL, PRESENT, COMPLETION}
    assert len({row["features"] for row in figures["figures"].values()}) == 3
    picture = imaging.read_photo(sheet)
    assert picture.shape[0] > 3 * 160
    assert picture.shape[1] > 5 * 160
    assert SHOWN > 3


def test_people_that_cannot_be_measured_are_named(flags, portraits, capsys):
    write_grey(portraits / "london-smiling_001.png", np.zeros((64, 64), np.uint8))
    (portraits / "london-smiling_002.png").write_bytes((portraits / "london-neutral_002.png").read_bytes())
    assert cli.main(flags) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("smiles of 1 people")
    assert lines[-1] == "Left out: london-neutral_001, london-neutral_002"
    (portraits / "london-smiling_000.png").write_bytes((portraits / "london-neutral_000.png").read_bytes())
    assert cli.main(flags) == 1
    assert "no pair of photos shows a face with two different mouths" in capsys.readouterr().err


@pytest.mark.parametrize(
    "given",
    ["--portraits=nowhere", "--size=40", "--count=0", "--identity=nowhere.onnx", "--perceptual=vgg", "--out=no/a.png"],
)
def test_failures_are_one_sentence(flags, capsys, given):
    assert cli.main([*flags, given]) == 1
    error = capsys.readouterr().err
    assert given.partition("=")[0] in error
    assert len(error.splitlines()) == 1
