"""What a fresh checkout must have: its top level, its bundled files, its two commands."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from maskedit import imaging, resources
from maskedit.data.folder import mend_left_right
from maskedit.gui.files.files import BUNDLED
from maskedit.labels import LABELS, palette
from maskedit.models.checkpoint import read_header

ROOT = Path(__file__).parent.parent


def test_without_its_packages_the_editor_says_which_command_to_run():
    # -S: no site-packages, as on a machine where nothing was installed.
    run = subprocess.run([sys.executable, "-S", "run_editor.py"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 1
    assert "-m pip install -c constraints.txt -e ." in run.stderr
    assert "Traceback" not in run.stderr


def test_the_readme_gives_the_two_commands():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "pip install -c constraints.txt -e '.[cpu]' && python run_editor.py" in text
    assert "pip install -c constraints.txt -e '.[test]' && pytest" in text
    for part in text.split("](")[1:]:
        target = part.split(")")[0]
        assert (ROOT / target).exists(), f"the README points to {target}"


@pytest.mark.parametrize("name", [name for _, name in BUNDLED])
def test_bundled_portraits_are_aligned_squares_with_good_label_maps(name):
    photo_file, labels_file = resources.portrait(name)
    photo, file = imaging.read_photo(photo_file), imaging.read_label_file(labels_file)
    labels = file.labels
    assert photo.shape == (512, 512, 3)
    assert labels.shape == (512, 512)
    assert file.encoding == "palette"
    assert file.notes == ()
    assert {1, 2, 4, 5, 6, 7, 11, 12, 13, 17, 18} <= set(np.unique(labels).tolist())
    np.testing.assert_array_equal(mend_left_right(labels), labels)  # the person's left is on the picture's right
    with Image.open(labels_file) as image:
        np.testing.assert_array_equal(np.reshape(image.getpalette()[: 3 * len(LABELS)], (-1, 3)), palette())


@pytest.mark.parametrize("name", ["context", "mask_vae", "parser"])
def test_the_shipped_weights_say_where_they_come_from(name):
    header = read_header(resources.default_weights(name))
    assert header.network == ("dmn" if name == "context" else name)
    assert header.config.size >= 128
    for entry in ("data", "command", "steps", "hours", "hardware", "validation", "licence"):
        assert header.card[entry], entry
    assert "non-commercial" in header.card["licence"]
    assert str(ROOT) not in str(header.card)
    assert f"`{name}.safetensors`" in (ROOT / "weights" / "README.md").read_text(encoding="utf-8")


def test_the_shipped_weights_are_small():
    assert sum(path.stat().st_size for path in (ROOT / "weights").iterdir()) < 100e6
