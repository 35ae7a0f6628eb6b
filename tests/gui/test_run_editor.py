"""run_editor.py on machines where something is missing: one clear message, no traceback."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
MODULES = ("PIL", "PySide6", "cv2", "numpy", "qtawesome", "safetensors", "torch")


def run(folder: Path, *flags: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, *flags, "run_editor.py", "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env=os.environ | {"PYTHONPATH": str(folder)},
    )


def stubs(folder: Path, modules) -> Path:
    for module in modules:
        (folder / module).mkdir()
        (folder / module / "__init__.py").touch()
    return folder


@pytest.mark.parametrize(
    ("module", "package"), [("torch", "torch"), ("safetensors", "safetensors"), ("PIL", "Pillow"), ("cv2", "opencv")]
)
def test_a_missing_package_is_named(tmp_path, module, package):
    # -S: no site-packages; all but one package are stubs.
    done = run(stubs(tmp_path, set(MODULES) - {module}), "-S")
    assert done.returncode == 1
    first, second, third = done.stderr.splitlines()
    assert package in first
    assert first.count(",") == 0
    assert second == f"In {ROOT} run:"
    assert third.strip() == f"{sys.executable} -m pip install -c constraints.txt -e ."


@pytest.mark.parametrize(
    "error", ["libEGL.so.1: cannot open shared object file: No such file or directory", "DLL load"]
)
def test_a_missing_system_library_is_named(tmp_path, error):
    stubs(tmp_path, MODULES)
    (tmp_path / "PySide6" / "QtGui.py").write_text(f"raise ImportError({error!r})")
    done = run(tmp_path, "-S")
    assert done.returncode == 1
    assert error in done.stderr
    assert "Traceback" not in done.stderr
    readme = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    line = next(line for line in readme if "apt install" in line).split("`")[1]
    assert (line in done.stderr) is (".so" in error)
    assert ("pip install" in done.stderr) is (".so" not in error)


def test_with_everything_there_it_starts(tmp_path):
    done = run(tmp_path)
    assert done.returncode == 0, done.stderr
    assert "usage: maskedit" in done.stdout
