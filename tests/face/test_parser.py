"""The shipped parser on faces whose label maps people have drawn."""

import numpy as np
import pytest

from maskedit import UserError
from maskedit.face.parser import FaceParser
from maskedit.imaging import Square, resize_photo
from maskedit.labels import BY_NAME, FACE_PARTS
from maskedit.models.checkpoint import save_checkpoint
from maskedit.models.config import PARSER_PRESETS
from maskedit.models.parser import build_parser


@pytest.fixture(scope="module")
def parsed(parser, collins):
    return parser.parse_with_confidence(collins.photo)


@pytest.mark.slow
def test_it_sees_what_people_drew(parser, collins, hopper):
    for portrait, share in ((collins, 0.9), (hopper, 0.8)):  # it takes much of her cap for hair
        labels = parser.parse(portrait.photo)
        assert labels.dtype == np.uint8
        assert labels.shape == portrait.labels.shape
        assert (labels == portrait.labels).mean() > share


@pytest.mark.slow
def test_confidence_is_high_inside_and_low_at_edges(parsed, collins, parser):
    assert parsed.confidence.dtype == np.uint8
    assert parsed.confidence.shape == parsed.labels.shape == (512, 512)
    np.testing.assert_array_equal(parsed.labels, parser.parse(collins.photo))
    edge = parsed.labels[:, 1:] != parsed.labels[:, :-1]
    assert parsed.confidence[:, 1:][edge].mean() < 200 < np.median(parsed.confidence)
    right = parsed.labels == collins.labels
    assert parsed.confidence[right].mean() > parsed.confidence[~right].mean() + 30


def test_other_sides_are_parsed_at_their_own(parser, collins):
    labels = parser.parse(resize_photo(collins.photo, (200, 200)))
    assert labels.shape == (200, 200)


@pytest.mark.slow
def test_a_part_is_parsed_closer(parser, collins):
    """In a photo twice the document's size; where the part is, the mouth is at least as good as before."""
    photo = resize_photo(collins.photo, (1024, 1024))
    part = np.zeros((512, 512), bool)
    part[330:420, 180:340] = True
    labels = parser.parse_part(photo, Square(512, 512, 1024), part)
    assert labels.shape == (512, 512)
    assert labels.dtype == np.uint8
    whole = parser.parse(collins.photo)
    assert (labels == collins.labels)[part].mean() > (whole == collins.labels)[part].mean() - 0.02
    mouth = np.isin(labels, FACE_PARTS["Smile"])
    assert mouth[part].mean() > 0.1


def test_a_part_at_the_edge_of_the_document(parser, collins):
    part = np.zeros((512, 512), bool)
    part[-1, -1] = True
    labels = parser.parse_part(collins.photo, Square(256, 256, 512), part)
    assert labels[-1, -1] in (BY_NAME["cloth"].id, BY_NAME["background"].id, BY_NAME["neck"].id)


def test_probabilities_are_shares(parser, collins):
    probabilities = parser.probabilities([collins.photo] * 2, side=40, mirror=False)
    assert probabilities.shape == (2, 19, 40, 40)
    assert probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-3)


def test_wrong_photos_are_told(parser, collins):
    with pytest.raises(UserError, match=r"512 x 300 px; wanted an aligned square: find the face first"):
        parser.parse(collins.photo[:300])
    with pytest.raises(UserError, match=r"float64 \(512, 512, 3\); wanted \(S, S, 3\) uint8"):
        parser.parse(collins.photo / 255)
    with pytest.raises(UserError, match="came as list"):
        parser.parse([])


def test_other_weights_and_devices(tmp_path):
    path = save_checkpoint(tmp_path / "tiny.safetensors", build_parser(PARSER_PRESETS["tiny"]), {})
    tiny = FaceParser(path, device="cpu", precision="float32")
    assert tiny.parse(np.zeros((tiny.size * 2, tiny.size * 2, 3), np.uint8)).shape == (tiny.size * 2,) * 2
    with pytest.raises(UserError, match="no weight file"):
        FaceParser(tmp_path / "none.safetensors")
    with pytest.raises(UserError, match="'abacus' is unknown"):
        FaceParser(path, device="abacus")
