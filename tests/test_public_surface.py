"""What scripts and notebooks may rely on, and what an import costs."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import maskedit
from maskedit import resources


def test_the_public_names_are_these():
    assert maskedit.__all__ == [
        "LABELS",
        "Blend",
        "EditRenderer",
        "EditResult",
        "FaceFinder",
        "FaceParser",
        "RenderResult",
        "Renderer",
        "Square",
        "UserError",
        "colour_style",
        "compose",
        "cut_square",
        "paste_back",
        "read_labels",
        "read_photo",
        "style_of",
        "write_labels",
        "write_photo",
    ]
    for name in maskedit.__all__:
        assert getattr(maskedit, name) is not None
    assert dir(maskedit) == sorted(maskedit.__all__)
    with pytest.raises(AttributeError, match="nonsense"):
        _ = maskedit.nonsense


@pytest.mark.slow
def test_the_example_of_the_readme_runs(tmp_path, monkeypatch):
    """On a portrait in a larger photo; what is beside the longer hair stays as it was."""
    monkeypatch.chdir(tmp_path)
    photo = np.full((700, 900, 3), (168, 158, 146), np.uint8)
    photo[100:612, 200:712] = maskedit.read_photo(resources.portrait("collins")[0])
    maskedit.write_photo("me.jpg", photo, quality=100)
    text = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
    example = text.split("## From Python")[1].split("```python\n")[1].split("```")[0]
    names = {}
    exec(example, names)
    assert names["result"].changed_outside == 0
    assert names["longer"].mean() > 0.005
    written, before = maskedit.read_photo("edited.jpg"), names["photo"]
    rows, columns = np.nonzero(np.abs(written.astype(int) - before).max(axis=2) > 30)
    assert len(rows) > 500
    assert ((rows >= 100) & (rows < 612) & (columns >= 200) & (columns < 712)).all()


def test_importing_the_package_loads_neither_torch_nor_qt():
    code = """import sys, maskedit
maskedit.read_photo, maskedit.cut_square, maskedit.compose, maskedit.paste_back
maskedit.EditRenderer, maskedit.EditResult
print([name for name in ('torch', 'PySide6') if name in sys.modules])"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("module", "program"),
    [
        ("maskedit.gui.app", "maskedit"),
        ("maskedit.training.cli", "maskedit-train"),
        ("maskedit.models.cli", "maskedit-weights"),
        ("maskedit.edit.cli", "maskedit-edit"),
        ("maskedit.evaluation.cli", "maskedit-eval"),
    ],
)
def test_every_command_has_help_with_an_example_and_refuses_wrong_usage(module, program):
    help = subprocess.run([sys.executable, "-m", module, "--help"], capture_output=True, text=True, check=True)
    assert help.stdout.startswith(f"usage: {program}")
    assert "example" in help.stdout
    wrong = subprocess.run(
        [sys.executable, "-m", module, "--no-such-flag"], capture_output=True, text=True, check=False
    )
    assert wrong.returncode == 2


@pytest.mark.slow
def test_the_marks_of_the_window_load_no_torch():
    """They are where the aligning has its eyes and mouth, and the window must open at once."""
    code = "import maskedit.gui.dialogs.square_view, sys; print('torch' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"
