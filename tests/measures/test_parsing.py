"""Parsing at the parser's side and at others, plain and averaged with the mirrored photo."""

import torch

from maskedit.labels import BY_NAME, NUM_LABELS
from maskedit.measures.parsing import parsing_figures
from maskedit.models.parser import parse
from maskedit.models.tensors import normalised, scaled_labels
from tests.oracles import PerfectParser, maps, pairs, shown


def test_a_perfect_parser_is_right_everywhere():
    faces = pairs(5)
    figures = parsing_figures(PerfectParser(), faces.photos, faces.labels, batch=2)
    assert set(figures.values()) == {1.0}


def test_parsing_at_another_side():
    ids = maps(1)
    larger = parse(PerfectParser(), normalised(shown(ids)), side=128)
    assert larger.shape == (1, 128, 128)
    assert float((larger == scaled_labels(ids, 128)).double().mean()) > 0.97  # logits round the corners
    flat = torch.full((1, 96, 96), 13, dtype=torch.uint8)
    assert parse(PerfectParser(), normalised(shown(flat)), side=48).eq(13).all()


class OneSided(PerfectParser):
    """Knows no photo: a left ear on the right half of the picture, at three times the background's logit."""

    def __call__(self, photos):
        logits = torch.zeros(len(photos), NUM_LABELS, *photos.shape[2:])
        logits[:, 0] = 1
        logits[:, BY_NAME["l_ear"].id, :, 32:] = 3
        return logits


def test_mirroring_exchanges_left_and_right():
    photos = torch.zeros(2, 3, 64, 64)
    plain, both = parse(OneSided(), photos), parse(OneSided(), photos, mirror=True)
    assert plain[:, :, 32:].eq(BY_NAME["l_ear"].id).all()
    assert plain[:, :, :32].eq(0).all()
    assert both[:, :, 32:].eq(BY_NAME["l_ear"].id).all()
    assert both[:, :, :32].eq(BY_NAME["r_ear"].id).all()  # half of three is more than one
