"""What scripts and notebooks may rely on, and what an import costs."""

import subprocess
import sys

import pytest

import maskedit


def test_the_public_names_are_these():
    assert maskedit.__all__ == [
        "LABELS",
        "FaceFinder",
        "FaceParser",
        "RenderResult",
        "Renderer",
        "UserError",
        "read_labels",
        "read_photo",
        "write_labels",
        "write_photo",
    ]
    for name in maskedit.__all__:
        assert getattr(maskedit, name) is not None
    assert dir(maskedit) == sorted(maskedit.__all__)
    with pytest.raises(AttributeError, match="nonsense"):
        _ = maskedit.nonsense


def test_importing_the_package_loads_neither_torch_nor_qt():
    code = "import maskedit, sys; maskedit.read_photo; print([m for m in ('torch', 'PySide6') if m in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


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
