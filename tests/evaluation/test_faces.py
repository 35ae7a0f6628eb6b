"""maskedit-eval faces through the real command, on the bundled portraits with the shipped parser."""

import json

import numpy as np
import pytest
from PIL import Image

from maskedit import imaging, resources
from maskedit.evaluation import cli, faces
from maskedit.labels import BY_NAME


@pytest.fixture(scope="module")
def portraits(tmp_path_factory):
    """Both portraits at 180 px with their eyes, and a photo of nobody."""
    folder, listed = tmp_path_factory.mktemp("portraits"), []
    for name in ("collins", "hopper"):
        photo, labels = resources.portrait(name)
        Image.fromarray(imaging.resize_photo(imaging.read_photo(photo), (180, 180))).save(folder / f"{name}.png")
        labels = imaging.read_labels(labels)
        eyes = [np.argwhere(labels == BY_NAME[eye].id).mean(axis=0)[::-1] * 180 / 512 for eye in ("r_eye", "l_eye")]
        listed.append({"file": f"{name}.png", "right_eye": list(eyes[0]), "left_eye": list(eyes[1]), "nose": None})
    Image.fromarray(np.zeros((60, 60, 3), np.uint8)).save(folder / "nobody.png")
    listed.append({"file": "nobody.png", "right_eye": [20, 30], "left_eye": [40, 30]})
    (folder / "landmarks.json").write_text(json.dumps(listed))
    return folder


@pytest.mark.slow
def test_faces(portraits, tmp_path, capsys):
    report, picture = tmp_path / "figures.json", tmp_path / "sheet.png"
    assert cli.main(["faces", "--portraits", str(portraits), "--json", str(report), "-o", str(picture)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[1:4]] == ["collins.png", "hopper.png", "nobody.png"]
    assert lines[3].split()[1:3] == ["none", "0"]
    assert [line.split()[0] for line in lines[6:9]] == ["both", "right", "left"]
    text = report.read_text()
    assert str(portraits) not in text
    figures = json.loads(text)
    assert figures["all"]["both eyes"]["within_0.1"] == pytest.approx(2 / 3)
    assert abs(figures["all"]["right_eye"]["along"]) < 0.07
    assert figures["photos"]["nobody.png"]["errors"] == [None, None]
    assert figures["photos"]["hopper.png"]["faces"] == 1
    sheet = imaging.read_photo(picture)
    assert sheet.shape[1] > 4 * 256 > sheet.shape[0]


def test_offsets_are_along_and_across_the_eyes():
    """Eyes 10 px apart on a line that goes down to the right; found 1 px further on and 2 px towards the chin."""
    along, across = np.array([0.8, 0.6]), np.array([-0.6, 0.8])
    given = np.array([[50, 50], [50, 50] + 10 * along])
    offsets = faces.eye_offsets(given + along + 2 * across, given=given)
    np.testing.assert_allclose(offsets, [[0.1, 0.2], [0.1, 0.2]])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "cannot be read"),
        ("{", "is no JSON"),
        ("[]", "wanted a list of"),
        ('[{"file": "a.png"}]', "wanted a list of"),
        ('[{"file": "a.png", "right_eye": [1, 2], "left_eye": [1, 2]}]', "wanted a list of"),
        ('[{"file": "a.png", "right_eye": [1, 2], "left_eye": [3, 4]}]', "There is no file"),
    ],
)
def test_landmarks_that_are_none(tmp_path, capsys, text, message):
    if text is not None:
        (tmp_path / "landmarks.json").write_text(text)
    assert cli.main(["faces", "--portraits", str(tmp_path)]) == 1
    assert message in capsys.readouterr().err


def test_wrong_usage(tmp_path, capsys):
    assert cli.main(["faces", "--portraits", str(tmp_path), "-o", str(tmp_path / "no" / "sheet.png")]) == 1
    assert "there is no folder" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        cli.main(["faces"])
