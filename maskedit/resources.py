"""Where the bundled files are: beside the package in a checkout, inside it in an installed wheel."""

from __future__ import annotations

from pathlib import Path

from maskedit.errors import UserError

_PACKAGE = Path(__file__).resolve().parent


def folder(name: str) -> Path:
    """The folder ``assets`` or ``weights``."""
    inside = _PACKAGE / name
    return inside if inside.is_dir() else _PACKAGE.parent / name


def asset(name: str) -> Path:
    """One bundled file, e.g. ``asset("collins.jpg")``."""
    return _existing(folder("assets") / name)


def portrait(name: str) -> tuple[Path, Path]:
    """The photo and the label map of a bundled portrait: ``"collins"`` or ``"hopper"``."""
    return asset(f"{name}.jpg"), asset(f"{name}_labels.png")


def default_weights(network: str = "context") -> Path:
    """A network's shipped checkpoint: ``context``, which renders and completes, ``parser`` or ``mask_vae``."""
    return _existing(folder("weights") / f"{network}.safetensors")


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise UserError(f"The bundled file {path} is missing: the installation is damaged; install maskedit again.")
    return path
