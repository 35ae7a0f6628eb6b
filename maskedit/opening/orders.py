"""Label maps in another project's class order: told from ours by what a face looks like, and brought into ours.

A map of ids does not say whose ids they are. But in the wrong order the hair is a lip and the neck stands on the head.
"""

from __future__ import annotations

from itertools import product

import numpy as np

from maskedit.labels import BISENET_ORDER, FARL_ORDER, LAPA_ORDER, MIRROR, NUM_LABELS, ids_of

ORDERS: dict[str, tuple[int, ...]] = {
    "BiSeNet (face-parsing.PyTorch)": BISENET_ORDER,
    "FaRL, SegFace": FARL_ORDER,
    # Neither data set says whose left it means, and those who use them disagree: the map itself tells.
    "LaPa, Helen": LAPA_ORDER,
    "LaPa, Helen (left in the picture)": tuple(MIRROR[list(LAPA_ORDER)].tolist()),
}
"""Entry i of an order is the id here of its class i."""

_SIDE = 256  # pixels; in a larger map some are skipped: where the parts of a face lie shows in a small one as well
_LEAST = 1e-4  # of the map; less of a class is a slip of the brush
_A_FACE = 0.8  # what is no face in any order stays below
# Of 901 maps of CelebAMask-HQ not one makes so much more sense in another order, and nearly all that are in another
# order do; also at 64 px, and (97 of 100) with a fifth of their classes taken out.
_CLEARLY = 0.12


def _pairs(*groups: tuple[str, str]) -> np.ndarray:
    """(n, 2) ids: each of the first names with each of the second, for every group."""
    pairs = [pair for first, second in groups for pair in product(first.split(), second.split())]
    return np.array([ids_of(*pair) for pair in pairs])


_ABOVE = _pairs(
    ("l_brow r_brow", "l_eye r_eye nose"),
    ("l_eye r_eye", "nose mouth u_lip l_lip ear_r"),
    ("hair hat eye_g", "mouth u_lip l_lip"),
    ("hat", "nose l_eye r_eye"),
    ("nose", "mouth u_lip l_lip"),
    ("u_lip mouth", "l_lip"),
    ("skin nose u_lip l_lip hair", "neck neck_l cloth"),
)
"""The centre of the first lies above the centre of the second."""
_RIGHT_OF = _pairs(("l_eye", "r_eye"), ("l_brow", "r_brow"), ("l_ear", "r_ear"))
_SMALLER = _pairs(
    ("nose l_eye r_eye l_brow r_brow mouth u_lip l_lip ear_r neck_l", "skin hair"),
    ("l_ear r_ear neck eye_g", "skin"),
    ("l_eye r_eye l_brow r_brow", "nose hat"),
)
_INSIDE = _pairs(("nose l_eye r_eye l_brow r_brow mouth u_lip l_lip eye_g", "skin"))
"""The centre of the first lies in the box around the second."""


def plausibility(labels: np.ndarray) -> float:
    """How much a map (H, W) uint8 of ids 0..18 looks like a face in our order, from 0 to 1.

    It is the share of true ones among simple facts: brows are above eyes, the left eye is right of the right one, the
    nose is smaller than the hair, the mouth is inside the skin. Only facts about classes that are there count, so a
    profile, a hat or a map of a few classes is as good as a full one; but one true and one false fact are added
    (Laplace's rule of succession), so few facts do not say much, and none say 0.5.
    """
    labels = _small(labels)
    height, width = labels.shape
    wide = labels.astype(np.int64)
    rows = np.bincount((wide + NUM_LABELS * np.arange(height)[:, None]).ravel(), minlength=NUM_LABELS * height)
    columns = np.bincount((wide + NUM_LABELS * np.arange(width)).ravel(), minlength=NUM_LABELS * width)
    rows, columns = rows.reshape(height, NUM_LABELS), columns.reshape(width, NUM_LABELS)  # pixels of each class
    area = rows.sum(axis=0)
    y, top, bottom = _extent(rows, area)
    x, left, right = _extent(columns, area)

    def inside(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return (left[b] <= x[a]) & (x[a] <= right[b]) & (top[b] <= y[a]) & (y[a] <= bottom[b])

    present = area >= max(1.0, _LEAST * labels.size)
    true = total = 0
    for pairs, holds in (
        (_ABOVE, lambda a, b: y[a] < y[b]),
        (_RIGHT_OF, lambda a, b: x[a] > x[b]),
        (_SMALLER, lambda a, b: area[a] < area[b]),
        (_INSIDE, inside),
    ):
        known = pairs[present[pairs].all(axis=1)]
        true += int(holds(*known.T).sum())
        total += len(known)
    return (true + 1) / (total + 2)


def likely_order(labels: np.ndarray) -> str | None:
    """The order of `ORDERS` in which a map (H, W) uint8 of ids 0..18 makes clearly more sense than in ours.

    None when ours is the best, and when it is unclear: a few classes can look like a face in any order.
    """
    small = _small(labels)
    known = [name for name, order in ORDERS.items() if small.max(initial=0) < len(order)]
    best = {name: plausibility(remapped(small, name)) for name in known}
    name = max(best, key=best.__getitem__)
    return name if best[name] > max(_A_FACE, plausibility(small) + _CLEARLY) else None


def remapped(labels: np.ndarray, order_name: str) -> np.ndarray:
    """A map (H, W) uint8 in one of `ORDERS`, in ours, as a new array; raises ValueError for a class it has not."""
    order = np.array(ORDERS[order_name], dtype=np.uint8)
    if labels.max(initial=0) >= len(order):
        raise ValueError(f"class {labels.max()}; the order of {order_name} has 0..{len(order) - 1}")
    return order[labels]


def _small(labels: np.ndarray) -> np.ndarray:
    step = max(1, max(labels.shape) // _SIDE)
    return labels[::step, ::step]


def _extent(lines: np.ndarray, area: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The mean, first and last line of each class, (19,) each; ``lines`` (n, 19) are its pixels in each line."""
    number = np.arange(len(lines))
    filled = lines > 0
    return number @ lines / np.maximum(area, 1), filled.argmax(axis=0), len(lines) - 1 - filled[::-1].argmax(axis=0)
