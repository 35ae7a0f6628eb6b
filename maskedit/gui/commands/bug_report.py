"""A bug report that a person can paste: what runs here, and what the log said last."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from PySide6.QtGui import QGuiApplication

import maskedit
from maskedit import logs
from maskedit.processes import processor_name

PACKAGES = ("torch", "numpy", "PySide6-Essentials", "opencv-python-headless", "pillow", "safetensors", "openvino")
LINES = 80
"""Of the log."""


def bug_report(*, engine: str, about: str, log_file: Path) -> str:
    """Versions, machine, engine, weights and the newest lines of the log, as plain text without the user's name.

    Args:
        engine: what renders, as the window shows it.
        about: a few lines on the weights; may be empty.
        log_file: where the whole log is.
    """
    lines = [
        f"maskedit {maskedit.__version__}, Python {platform.python_version()}",
        ", ".join(f"{package} {_version(package)}" for package in PACKAGES),
        f"{platform.platform()}, {processor_name()}, {os.cpu_count()} processors, "
        f"Qt platform {QGuiApplication.platformName()}",
        f"Engine: {engine}",
        about or "The weights are not loaded.",
        f"Log: {log_file}",
        "",
        *(logs.recent_lines(LINES) or ["The log is empty."]),
    ]
    return "\n".join(lines).replace(str(Path.home()), "~") + "\n"


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "is not installed"
