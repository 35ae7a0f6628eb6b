"""Faces in photos, with the shipped parser: where they are, how they are turned, and where there are none."""

import cv2
import numpy as np
import pytest

from maskedit.face import locate
from maskedit.face.align import Landmarks, aligned_square
from maskedit.face.locate import FaceFinder
from maskedit.imaging import Square, cut_square
from maskedit.labels import BY_NAME, NUM_LABELS
from tests.face.conftest import assert_same_square, wall

pytestmark = pytest.mark.slow


def test_a_portrait_is_its_own_square(finder, portrait):
    (face,) = finder.find(portrait.photo)
    assert_same_square(face.square, Square(256, 256, 512))
    assert 0.85 < face.confidence <= 1
    distance = np.hypot(*(portrait.eyes[1] - portrait.eyes[0]))
    assert np.hypot(*(face.eyes / 512 - portrait.eyes).T).max() < 0.07 * distance
    (again,) = finder.find(portrait.photo)
    assert again.square == face.square


@pytest.mark.parametrize("noise", [0, 25])
def test_a_face_in_a_larger_photo(finder, portrait, noise):
    where = Square(230, 150, 190)
    photo = portrait.laid_into(wall(400, 300), where)
    photo = photo + np.random.default_rng(0).normal(0, noise / 3, photo.shape)
    photo[:, :100] += np.random.default_rng(1).normal(0, noise, (300, 100, 3))
    (face,) = finder.find(photo.clip(0, 255).astype(np.uint8))
    assert_same_square(face.square, where)


def test_a_group_comes_largest_first(finder, collins, hopper):
    people = [
        (collins, Square(330, 500, 480)),
        (hopper.mirrored, Square(860, 330, 360)),
        (hopper, Square(1380, 640, 300)),
        (collins.mirrored, Square(1300, 220, 240, -8)),
        (collins, Square(880, 780, 190, 10)),
    ]
    photo = wall(1600, 1000)
    for person, where in people:
        photo = person.laid_into(photo, where)
    faces = finder.find(photo)
    assert len(faces) == len(people)
    for face, (_, where) in zip(faces, people, strict=True):
        assert_same_square(face.square, where)


@pytest.mark.parametrize("degrees", [20, -20, 90, 180, -90])
def test_a_turned_face_comes_back_upright(finder, collins, degrees):
    where = Square(150, 140, 170, degrees)
    (face,) = finder.find(collins.laid_into(wall(300, 280), where))
    assert abs((face.square.degrees - degrees + 180) % 360 - 180) < 4
    true_eyes = collins.eyes @ where.matrix(1)[:, :2].T + where.matrix(1)[:, 2]
    seen = cv2.transform(true_eyes[None], cv2.invertAffineTransform(face.square.matrix(1)))[0]
    np.testing.assert_allclose(seen, collins.eyes, atol=0.03)
    np.testing.assert_allclose(face.eyes, true_eyes, atol=0.03 * where.side)


def test_a_small_face_in_a_large_photo(finder, hopper):
    """Searched in a smaller copy, aligned in the photo itself."""
    where = Square(2800, 1300, 620, 5)
    photo = hopper.laid_into(wall(4000, 3000), where)
    (face,) = finder.find(photo)
    assert_same_square(face.square, where)


def test_a_face_at_the_edge(finder, collins):
    """Part of the hair and the neck is beyond the photo; the square reaches there."""
    where = Square(96, 70, 170)
    (face,) = finder.find(collins.laid_into(wall(300, 170), where))
    assert_same_square(face.square, where)
    assert face.square.corners().min() < 0


def test_no_face(finder):
    random = np.random.default_rng(0)
    side = 180
    x, y = np.meshgrid(np.linspace(0, 255, side), np.linspace(0, 255, side))
    text = np.full((side, side, 3), 255, np.uint8)
    for line in range(6):
        cv2.putText(text, "no face here", (4, 25 + 28 * line), cv2.FONT_HERSHEY_SIMPLEX, 0.7, (0, 0, 0), 2)
    nothing = {
        "noise": random.integers(0, 256, (side, side, 3), dtype=np.uint8),
        "coarse noise": cv2.resize(random.integers(0, 256, (9, 9, 3), dtype=np.uint8), (side, side)),
        "gradient": np.dstack([x, y, 255 - x]),
        "black": np.zeros((side, side, 3)),
        "skin colour": np.full((side, side, 3), (224, 172, 140)),
        "text": text,
        "tiny": random.integers(0, 256, (16, 16, 3), dtype=np.uint8),
        "a line": np.full((16, 300, 3), 120),
    }  # fmt: skip
    found = {name: finder.find(photo.astype(np.uint8)) for name, photo in nothing.items()}
    assert {name: faces for name, faces in found.items() if faces} == {}


def test_a_portrait_without_its_face_is_no_face(finder, collins):
    """Hair, neck and clothes are still there."""
    photo = collins.photo.copy()
    photo[200:430, 130:390] = (200, 160, 130)
    assert finder.find(cv2.resize(photo, (180, 180), interpolation=cv2.INTER_AREA)) == []


def test_the_square_cuts_out_the_portrait(finder, hopper):
    """What was laid into a photo is found and cut out again."""
    photo = hopper.laid_into(wall(420, 340), Square(200, 170, 256, -12))
    (face,) = finder.find(photo)
    cut = cut_square(photo, face.square, 128)
    whole = cv2.resize(hopper.photo, (128, 128), interpolation=cv2.INTER_AREA)
    inner = slice(30, 98)
    correlation = np.corrcoef(cut[inner, inner].ravel(), whole[inner, inner].ravel())[0, 1]
    assert correlation > 0.9


@pytest.mark.parametrize(("confidence", "kept"), [(0.5, False), (0.9, True)])
def test_where_a_square_rests_there_must_be_a_face(parser, monkeypatch, confidence, kept):
    """A square that rests around leaves at once would hide the face between them."""
    landmarks = Landmarks(np.array([[170.0, 200], [230, 200], [180, 270], [220, 270]]), confidence)
    finder, square = FaceFinder(parser), aligned_square(landmarks)
    monkeypatch.setattr(finder, "_landmarks", lambda *given, **options: landmarks)
    assert (finder._approach(wall(400, 400), square) is not None) is kept


# ---- how long it takes where there is no face ----


def test_a_strip_of_a_few_rows(finder):
    """Made as small as other photos, it would have no rows left."""
    assert finder.find(np.full((16, 70_000, 3), 120, np.uint8)) == []
    assert finder.find(np.full((70_000, 3, 3), 120, np.uint8)) == []


class SeesFacesInSkin:
    """In place of the parser: each view shows skin, with or without 16 noses between eyes and lips."""

    size = 64

    def __init__(self, *, noses=True):
        self.parsed, self.noses = 0, noses

    def probabilities(self, photos, *, mirror):
        self.parsed += len(photos)
        labels = np.full((self.size, self.size), BY_NAME["skin"].id)
        y, x = np.mgrid[: self.size, : self.size] % 16
        for name, row in (("r_eye", 3), ("nose", 6), ("mouth", 10)) if self.noses else ():
            labels[(x >= 6) & (x < 9) & (y >= row) & (y < row + 3)] = BY_NAME[name].id
        return np.repeat(np.eye(NUM_LABELS, dtype=np.float32)[labels].transpose(2, 0, 1)[None], len(photos), axis=0)


@pytest.fixture
def skin():
    """A picture of 800 px: four levels of windows, 284 in all."""
    noise = np.random.default_rng(0).normal(0, 20, (800, 800, 3))
    return np.add(noise, [224, 172, 140]).clip(0, 255).astype(np.uint8)


def test_a_search_in_vain_is_bounded(skin, monkeypatch):
    finder = FaceFinder(SeesFacesInSkin(noses=False))
    assert finder.find(skin) == []
    assert finder.parser.parsed == locate._MOST_WINDOWS + 3 * (1 + 9)
    finder, approached = FaceFinder(SeesFacesInSkin()), []
    approach = finder._approach
    monkeypatch.setattr(finder, "_approach", lambda *given: approached.append(given) or approach(*given))
    assert finder.find(skin) == []
    assert len(approached) == 4 * locate._MOST_IN_VAIN
    assert finder.parser.parsed <= locate._MOST_WINDOWS + 3 * (1 + 9) + len(approached) * locate._ROUNDS


def test_windows_with_most_skin_come_first(monkeypatch):
    """In the dark upper half there is a little skin everywhere; the budget is for the lower one."""
    views, dim = [], 0.05

    class SeesLight(SeesFacesInSkin):
        def probabilities(self, photos, *, mirror):
            views.extend(photo.mean() for photo in photos)
            seen = np.zeros((len(photos), NUM_LABELS, self.size, self.size), np.float32)
            for one, photo in zip(seen, photos, strict=True):
                one[BY_NAME["skin"].id] = np.where(photo[..., 0] > 128, 1, dim)
            return seen

    photo = np.zeros((800, 800, 3), np.uint8)
    photo[400:] = 255
    assert FaceFinder(SeesLight()).find(photo) == []
    dark = [view < 1 for view in views[: locate._MOST_WINDOWS]]
    assert sum(dark[1 + 9 :][:14]) == sum(dark[1 + 9 + 49 :]) == 0


@pytest.mark.parametrize("asked", [1, 3, 30])
def test_nobody_waits_any_more(skin, asked):
    """Before windows at once, between them, and between the squares that are approached."""
    finder, answers = FaceFinder(SeesFacesInSkin()), iter([False] * (asked - 1) + [True])
    assert finder.find(skin, given_up=lambda: next(answers)) == []
    assert next(answers, None) is None
    assert finder.parser.parsed <= (asked - 1) * max(locate._BATCH, locate._ROUNDS)


def test_who_waits_gets_the_faces(finder, collins):
    asked = []
    assert len(finder.find(collins.photo, given_up=lambda: bool(asked.append(1)))) == 1
    assert asked
