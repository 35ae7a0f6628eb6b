"""Open the editor: ``python run_editor.py [PHOTO] [--labels LABELS]``."""

import sys

try:
    import cv2  # noqa: F401 - asked for here, so that a missing package is named before a window opens
    import PySide6  # noqa: F401
    import qtawesome  # noqa: F401

    from maskedit.gui.app import main
except ImportError as error:
    sys.exit(f"{error}\nInstall what maskedit needs first:\n  {sys.executable} -m pip install -c constraints.txt -e .")

if __name__ == "__main__":
    sys.exit(main())
