"""A cartoon portrait drawn in code: a photo and a label map that agree, for tests that need a face but no data set."""

from __future__ import annotations

import cv2
import numpy as np

from maskedit.labels import BY_NAME

_SHIFT = 4  # cv2 takes fixed-point coordinates: four fractional bits keep small faces symmetric
_HAIR = ((40, 28, 20), (92, 58, 30), (168, 128, 64), (120, 48, 24), (60, 60, 66))
_SKIN = ((232, 190, 160), (214, 164, 128), (168, 118, 84), (120, 80, 58), (242, 208, 182))
_IRIS = ((70, 110, 150), (80, 120, 70), (90, 58, 30))


def draw_face(side: int = 256, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Draw a portrait: photo (side, side, 3) uint8 RGB and label map (side, side) uint8, identical for equal arguments.

    Holds background, skin, nose, eyes, brows, ears, mouth with both lips, hair, neck and cloth, each in a colour of its
    own; ``l_eye`` stands on the right of the picture. ``seed`` varies colours and geometry a little. All classes are
    present from ``side`` 64 on.
    """
    random = np.random.default_rng(seed)
    photo = np.zeros((side, side, 3), np.uint8)
    labels = np.zeros((side, side), np.uint8)

    def vary(colour: tuple[int, int, int]) -> np.ndarray:
        return np.clip(np.array(colour) + random.integers(-10, 11, 3), 0, 255)

    skin = vary(_SKIN[random.integers(len(_SKIN))])
    hair = vary(_HAIR[random.integers(len(_HAIR))])
    iris = vary(_IRIS[random.integers(len(_IRIS))])
    cloth = random.integers(40, 220, 3)
    top, bottom = random.integers(90, 220, 3), random.integers(90, 220, 3)
    middle = 0.5 + random.uniform(-0.015, 0.015)
    width = 0.2 + random.uniform(-0.015, 0.015)
    height = 0.275 + random.uniform(-0.015, 0.015)
    smile = random.uniform(-0.012, 0.02)

    def paint(mask: np.ndarray, name: str | None, colour: np.ndarray) -> None:
        photo[mask > 0] = np.clip(colour, 0, 255).astype(np.uint8)
        if name is not None:
            labels[mask > 0] = BY_NAME[name].id

    def ellipse(x: float, y: float, rx: float, ry: float) -> np.ndarray:
        mask = np.zeros((side, side), np.uint8)
        scale = side * (1 << _SHIFT)
        centre, axes = (round(x * scale), round(y * scale)), (round(rx * scale), round(ry * scale))
        cv2.ellipse(mask, centre, axes, 0, 0, 360, 1, -1, cv2.LINE_8, _SHIFT)
        return mask

    def polygon(*points: tuple[float, float]) -> np.ndarray:
        mask = np.zeros((side, side), np.uint8)
        corners = np.round(np.array(points) * side * (1 << _SHIFT)).astype(np.int32)
        cv2.fillPoly(mask, [corners], 1, cv2.LINE_8, _SHIFT)
        return mask

    ramp = np.linspace(0, 1, side)[:, None, None]
    photo[:] = (top * (1 - ramp) + bottom * ramp).astype(np.uint8)

    paint(ellipse(middle, 0.42, width * 1.4, height * 1.3), "hair", hair)
    paint(ellipse(middle, 1.02, 0.4, 0.23), "cloth", cloth)
    neck = polygon((middle - 0.1, 0.6), (middle + 0.1, 0.6), (middle + 0.12, 0.86), (middle - 0.12, 0.86))
    paint(neck, "neck", skin * 0.8)
    # The person's own left is the picture's right: side +1 draws every l_ part.
    for sign, prefix in ((-1, "r"), (1, "l")):
        paint(ellipse(middle + sign * width * 1.03, 0.48, 0.035, 0.06), f"{prefix}_ear", skin * 0.88)
    face = ellipse(middle, 0.48, width, height)
    paint(face, "skin", skin)
    fringe = face & (np.arange(side)[:, None] < round((0.48 - height * 0.55) * side)).astype(np.uint8)
    paint(fringe, "hair", hair * 0.92)
    for sign, prefix in ((-1, "r"), (1, "l")):
        x = middle + sign * width * 0.45
        brow = polygon((x - 0.055, 0.385), (x, 0.363), (x + 0.055, 0.385), (x + 0.055, 0.402), (x - 0.055, 0.402))
        paint(brow, f"{prefix}_brow", hair * 0.7 + 12)
        eye = ellipse(x, 0.44, 0.048, 0.024)
        paint(eye, f"{prefix}_eye", np.array([240, 240, 244]))
        paint(eye & ellipse(x, 0.44, 0.022, 0.024), None, iris)
        paint(eye & ellipse(x, 0.44, 0.01, 0.011), None, np.array([12, 12, 14]))
    nose = polygon((middle - 0.012, 0.44), (middle + 0.012, 0.44), (middle + 0.045, 0.565), (middle - 0.045, 0.565))
    paint(nose, "nose", skin * 0.92 + 4)
    corner, lip = 0.645 - smile, skin * 0.45 + np.array([100, 20, 30])
    left, right = (middle - 0.085, corner), (middle + 0.085, corner)
    paint(polygon(left, (middle - 0.03, 0.62), (middle + 0.03, 0.62), right, (middle, 0.66)), "u_lip", lip)
    paint(polygon(left, (middle, 0.65), right, (middle + 0.04, 0.7), (middle - 0.04, 0.7)), "l_lip", lip * 0.9)
    paint(polygon(left, (middle, 0.637), right, (middle, 0.676)), "mouth", np.array([96, 20, 28]))
    # A little grain, so that nothing which looks at the photo sees perfectly flat regions.
    grain = random.integers(-3, 4, photo.shape)
    return np.clip(photo + grain, 0, 255).astype(np.uint8), labels
