"""Agreement: does a render show the label map that was asked for?

Every render is parsed by a face parser and compared with the requested map, as the paper does for its segmentation
accuracy (section 4.3). What the parser makes of the real photos is the ceiling: its own mistakes, and the maps'.
"""

from __future__ import annotations

import torch
from torch import Tensor
from tqdm import tqdm

from maskedit.data.pairs import Pairs
from maskedit.measures.metrics import Distance, Means
from maskedit.measures.segmentation import confusion, confusion_figures
from maskedit.models.dense_mapping import Generator
from maskedit.models.mask_vae import MaskVAE, perturbed_maps
from maskedit.models.parser import Parser, parse
from maskedit.models.tensors import normalised, one_hot, scaled_labels


@torch.inference_mode()
def agreement_figures(
    network: Generator,
    parser: Parser,
    vae: MaskVAE,
    pairs: Pairs,
    distance: Distance | None,
    *,
    batch: int = 4,
) -> dict[str, dict[str, float]]:
    """``confusion_figures`` at the parser's side of parsed pictures against the label maps they should show.

    Returns:
        ``photos``: the photos themselves; ``own``: renders of each photo's own label map, with ``Means.figures``
        too; ``another's``: of the next photo's map in this one's style (the paper's style copy);
        ``perturbed``: of Algorithm 1's inner and outer maps between the two, counted together.
    """
    others = pairs.labels.roll(-1, dims=0)
    means = Means(distance)
    counts: dict[str, Tensor] = {}

    def compare(row: str, images: Tensor, ids: Tensor) -> None:
        wanted = scaled_labels(ids, parser.config.size)
        found = confusion(parse(parser, images), wanted)
        counts[row] = counts.get(row, 0) + found

    with tqdm(total=len(pairs), desc="rendering and parsing", disable=None) as bar:
        for chosen in torch.arange(len(pairs)).split(batch):
            photos, own, other = normalised(pairs.photos[chosen]), pairs.labels[chosen], others[chosen]
            style = network.style(photos, one_hot(own))
            render = network.generate(one_hot(own), style)
            means.add(render, photos)
            compare("photos", photos, own)
            compare("own", render, own)
            compare("another's", network.generate(one_hot(other), style), other)
            for maps in perturbed_maps(vae, own, other):
                compare("perturbed", network.generate(one_hot(maps), style), maps)
            bar.update(len(chosen))
    rows = {row: confusion_figures(count) for row, count in counts.items()}
    rows["own"] |= means.figures
    return rows
