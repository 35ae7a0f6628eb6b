"""Open the editor: ``python run_editor.py [PHOTO] [--labels LABELS]``."""

import sys
from importlib.util import find_spec
from pathlib import Path

PACKAGES = {
    "PIL": "Pillow",
    "PySide6": "PySide6-Essentials",
    "cv2": "opencv-python-headless",
    "numpy": "numpy",
    "qtawesome": "QtAwesome",
    "safetensors": "safetensors",
    "torch": "torch",
}
"""What is imported, and the name it is installed under. Only looked for: torch is loaded after the window stands."""
LIBRARIES = (
    "apt install libegl1 libgl1 libxkbcommon-x11-0 libxcb-cursor0 libxcb-icccm4 libxcb-keysyms1 libdbus-1-3 "
    "libfontconfig1"
)


def problem() -> str:
    """What is missing and how to get it; empty when the editor can start."""
    install = f"In {Path(__file__).resolve().parent} run:\n  {sys.executable} -m pip install -c constraints.txt -e ."
    missing = [package for module, package in PACKAGES.items() if find_spec(module) is None]
    if missing:
        return f"maskedit needs packages that are not installed: {', '.join(missing)}.\n{install}"
    try:
        import PySide6.QtGui  # noqa: F401 - PySide6 alone loads no system library
    except ImportError as error:
        if ".so" in str(error):
            return f"Qt needs a system library that is missing: {error}.\nOn Debian or Ubuntu run:\n  {LIBRARIES}"
        return f"Qt cannot be loaded: {error}.\n{install}"
    return ""


if __name__ == "__main__":
    if found := problem():
        sys.exit(found)
    from maskedit.gui.app import main

    sys.exit(main())
