"""The contracts on imports in setup.cfg: whether they name every module, and whether a running Python agrees."""

import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
CONFIG = ConfigParser()
CONFIG.read(ROOT / "setup.cfg", encoding="utf-8")


def sources(contract: str) -> set[str]:
    """The modules that a contract forbids something."""
    return set(CONFIG[f"importlinter:contract:{contract}"]["source_modules"].split())


def test_every_room_but_the_windows_is_without_qt():
    rooms = {path.stem for path in (ROOT / "maskedit").glob("*.py")} - {"__init__"}
    rooms |= {path.parent.name for path in (ROOT / "maskedit").glob("*/__init__.py")} - {"gui", "bench"}
    assert sources("qt") == {f"maskedit.{room}" for room in rooms}


@pytest.mark.parametrize("contract", ["torch", "compositing"])
def test_what_is_to_need_no_torch_loads_without_it(contract):
    code = f"import sys, {', '.join(sorted(sources(contract)))}; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, timeout=60)
    assert done.stdout == "False\n", done.stderr
