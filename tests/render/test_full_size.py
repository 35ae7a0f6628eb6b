"""The edit alone and in layers: laid over the photo, by any program, it is the edited photo."""

import tracemalloc

import numpy as np
import pytest
from PIL import Image

from maskedit import imaging
from maskedit.document.document import Document
from maskedit.imaging import Square
from maskedit.render.completion import laid_in
from maskedit.render.compositing import Blend, Composite, compose
from maskedit.render.full_size import EditedPhoto, full_size, in_square, overlay, styled_square
from maskedit.render.part_colours import colour_style
from maskedit.render.pasting import paste_back, pasted_alpha
from tests.faces import draw_face
from tests.openraster import read_openraster, shown

SIDE = 128


def edit_of(side=SIDE, blend=Blend()):
    """A photo, an edited label map, and the composite of two renders that show label maps as colours."""
    photo, labels = draw_face(side, 2)
    edited = labels.copy()
    edited[side // 2 : side * 5 // 8, side // 3 : side // 2] = 14
    return photo, edited, compose(photo, labels, edited, *map(imaging.colourise, (edited, labels)), blend)


def laid_over(photo, layer):
    """In floats, rounded at the end; and as Pillow does it, in whole numbers."""
    alpha = layer[..., 3:] / 255.0
    plainly = np.rint(photo + alpha * (layer[..., :3].astype(float) - photo)).astype(np.uint8)
    canvas = Image.fromarray(photo).convert("RGBA")
    canvas.alpha_composite(Image.fromarray(layer))
    return plainly, np.array(canvas.convert("RGB"))


@pytest.mark.parametrize("alpha", ["random", "least", "full"])
def test_an_overlay_gives_the_edited_picture(alpha):
    """Whatever the difference: also one that so little of any colour could not make."""
    random = np.random.default_rng(0)
    photo, edited = (random.integers(0, 256, (600, 40, 3), dtype=np.uint8) for _ in range(2))
    edited[::3] = photo[::3]
    weights = {
        "random": random.integers(1, 256, (600, 40)),
        "least": np.ones((600, 40)),
        "full": np.full((600, 40), 255),
    }
    weights = weights[alpha].astype(np.uint8)
    weights[::3] = 0
    layer = overlay(photo, edited, weights)
    plainly, by_pillow = laid_over(photo, layer)
    assert np.array_equal(plainly, edited)
    assert np.abs(by_pillow.astype(int) - edited).max() <= 1
    assert (layer[::3] == 0).all()
    assert (layer[..., 3] >= weights).all()
    if alpha == "full":
        assert np.array_equal(layer[weights > 0][:, :3], edited[weights > 0])


def test_alpha_is_no_more_than_what_shows():
    photo, _, composite = edit_of()
    layer = in_square(photo, composite, np.zeros((SIDE, SIDE), np.uint8)).cutout()
    # A network's colours are within what can be shown: then alpha is the blend's own.
    soft = (composite.alpha > 0) & (composite.alpha < 1)
    assert soft.sum() > 100
    near = np.abs(layer[..., 3] - 255 * composite.alpha)
    assert np.median(near[soft]) <= 1
    assert (layer[composite.alpha == 0] == 0).all()
    assert (layer[composite.alpha == 1][:, 3] == 255).all()


@pytest.mark.parametrize("blend", [Blend(), Blend(detail=False), Blend(whole_face=True)])
@pytest.mark.parametrize(
    "square",
    [Square(200.3, 149.6, 180, 33), Square(30, 150, 200, 10), Square.middle(420, 300), Square(200, 150, 40, 15)],
)
def test_a_cutout_over_its_photo_is_the_edited_photo(square, blend):
    photo = np.random.default_rng(1).integers(0, 256, (300, 420, 3), dtype=np.uint8)
    _, labels, composite = edit_of(blend=blend)
    edited = EditedPhoto(photo)
    edited.add(square, composite, labels)
    layer = edited.cutout()
    assert layer.shape == (300, 420, 4)
    plainly, by_pillow = laid_over(photo, layer)
    assert np.array_equal(plainly, edited.image)
    assert np.abs(by_pillow.astype(int) - edited.image).max() <= 1
    alpha = pasted_alpha(square, composite, width=420, height=300)
    assert np.array_equal(layer[..., 3] > 0, alpha > 0)
    assert (edited.image != photo).any()


def test_layers_of_two_faces_show_the_edited_photo(tmp_path):
    photo = np.random.default_rng(1).integers(0, 256, (300, 420, 3), dtype=np.uint8)
    _, labels, composite = edit_of()
    edited = EditedPhoto(photo)
    squares = Square(120, 150, 128), Square(250, 150, 150, 30)
    for square in squares:
        edited.add(square, composite, labels)
    edited.write(tmp_path / "two.ora", quality=95, overwrite=False, metadata=imaging.PhotoMetadata())
    found = read_openraster(tmp_path / "two.ora")
    names = [(layer.name, layer.visible) for layer in found.layers]
    assert names == [("Photo", True), ("Edit", True), ("Label map", False), ("Label map", False), ("Hole", False)]
    base, edit, upright, turned, hole = found.layers
    assert np.array_equal(np.array(base.image), photo)
    assert np.array_equal(np.array(found.merged), edited.image)
    assert np.abs(shown(found).astype(int) - edited.image).max() <= 1
    # The label map of a square on whole pixels is the map; a turned one is cut from the map where one sees it.
    assert upright.at == (56, 86)
    assert np.array_equal(np.array(upright.image)[..., :3], imaging.colourise(labels))
    assert (np.array(upright.image)[..., 3] == 255).all()
    turned_pixels = np.array(turned.image)
    x, y = (round(each) for each in (squares[1].x - turned.at[0], squares[1].y - turned.at[1]))
    assert (turned_pixels[y, x, :3] == imaging.colourise(labels)[64, 64]).all()
    assert (turned_pixels[0, 0] == 0).all()
    # A hole is where the edit shows, however little of it.
    assert (hole.at, hole.image.size) == (edit.at, edit.image.size)
    assert np.array_equal(np.array(hole.image)[..., 3] > 0, np.array(edit.image)[..., 3] > 0)
    assert set(np.unique(np.array(hole.image))) == {0, 255}
    whole = edited.cutout()
    left, top, right, bottom = (*edit.at, edit.at[0] + edit.image.width, edit.at[1] + edit.image.height)
    assert np.array_equal(np.array(edit.image), whole[top:bottom, left:right])
    whole[top:bottom, left:right] = 0
    assert (whole == 0).all()


def test_where_two_faces_meet_colours_change_once(tmp_path):
    photo = np.full((300, 420, 3), 90, np.uint8)
    edited = EditedPhoto(photo)
    for left, colour in ((100, 150), (200, 210)):  # each recolours what is there already
        styled = edited.image.copy()
        styled[100:200, left : left + 150] = styled[100:200, left : left + 150] // 3 + colour - 30
        edited.restyle(styled)
    assert set(np.unique(edited.image[100:200, 100:250])) == {150}
    assert set(np.unique(edited.image[100:200, 250:350])) == {210}
    assert (photo == 90).all()


def test_the_layer_of_holes_shows_what_was_drawn_and_no_style(tmp_path):
    photo = np.full((300, 420, 3), 90, np.uint8)
    _, labels, composite = edit_of()
    edited, square = EditedPhoto(photo), Square(120, 150, 128)
    styled = photo.copy()
    styled[:60, :400] = 30
    edited.restyle(styled)
    edited.add(square, composite, labels)
    _, edit, *_, hole = edited.layers()
    drawn = pasted_alpha(square, composite, width=420, height=300) > 0
    whole = np.zeros((300, 420), bool)
    rows, columns = hole.pixels.shape[:2]
    whole[hole.top : hole.top + rows, hole.left : hole.left + columns] = hole.pixels[..., 3] > 0
    assert np.array_equal(whole, drawn)
    assert edit.pixels[..., 3].astype(bool).sum() > drawn.sum()


def test_without_an_edit_the_layers_show_the_photo(tmp_path):
    photo, labels = draw_face(96, 0)
    nothing = compose(photo, labels, labels, photo, photo)
    for edited in (in_square(photo, nothing, labels), EditedPhoto(photo)):
        assert not edited.cutout().any()
        edited.write(tmp_path / "x.ora", quality=95, overwrite=True, metadata=imaging.PhotoMetadata())
        assert np.array_equal(shown(read_openraster(tmp_path / "x.ora")), photo)
    beside = EditedPhoto(photo)
    beside.add(Square(900, 900, 50), nothing, labels)
    assert [layer.pixels.shape for layer in beside.layers()[1:]] == [(1, 1, 4)] * 3


def test_other_endings_are_one_picture(tmp_path):
    photo, labels, composite = edit_of()
    edited = in_square(photo, composite, labels)
    edited.write(tmp_path / "x.png", quality=95, overwrite=False, metadata=imaging.PhotoMetadata())
    assert np.array_equal(imaging.read_photo(tmp_path / "x.png"), composite.image)
    assert np.array_equal(edited.image, composite.image)


def drawn_disc(side, *, replaced=1.0):
    """The composite of a flat disc in a flat square."""
    y, x = np.mgrid[:side, :side] + 0.5
    alpha = np.clip(side * 0.3 - np.hypot(x - side / 2, y - side / 2), 0, 1).astype(np.float32)
    flat = np.full((side, side, 3), 120, np.float32)
    nothing, share = np.zeros_like(flat), np.full((side, side), replaced, np.float32)
    return Composite(flat.astype(np.uint8), alpha, flat, nothing, share, 0)


def test_an_enlarged_edit_gets_the_photos_grain():
    """As much as beside it; where the photo's own detail is kept, or nothing was enlarged, it is there already."""
    photo = np.rint(np.random.default_rng(3).normal(120, 6, (600, 700, 3))).astype(np.uint8)
    square, labels = Square(350, 300, 400, 10), np.ones((SIDE, SIDE), np.uint8)
    edited = EditedPhoto(photo)
    edited.add(square, drawn_disc(SIDE), labels)
    plain = paste_back(photo, square, drawn_disc(SIDE))
    alpha = pasted_alpha(square, drawn_disc(SIDE), width=700, height=600)
    assert plain[alpha == 255].std() == 0
    assert edited.image[alpha == 255].std() == pytest.approx(photo.std(), rel=0.1)
    assert np.array_equal(edited.image[alpha == 0], photo[alpha == 0])
    same, square_there = EditedPhoto(photo), Square(350, 300, SIDE, 10)
    same.add(square_there, drawn_disc(SIDE), labels)
    assert np.array_equal(same.image, paste_back(photo, square_there, drawn_disc(SIDE)))
    kept = EditedPhoto(photo)
    kept.add(square, drawn_disc(SIDE, replaced=0.0), labels)
    assert np.array_equal(kept.image, photo)


@pytest.mark.slow
def test_a_large_cutout_needs_little_more_memory_than_itself():
    photo = np.zeros((2400, 3000, 3), np.uint8)
    ones = np.ones((256, 256), np.float32)
    face = Composite(photo[:256, :256], ones, np.full((256, 256, 3), 90, np.float32), np.zeros((256, 256, 3)), ones, 0)
    edited = EditedPhoto(photo)
    edited.add(Square(1500, 1200, 2300, 10), face, np.zeros((256, 256), np.uint8))
    tracemalloc.start()
    try:
        result = edited.cutout()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 1.3 * result.nbytes + 60_000_000


def test_styles_belong_to_the_edit_that_is_cut_out():
    """Laid over the photo, the cutout gives the photo with its styles and the edit; elsewhere it shows nothing."""
    photo, labels = draw_face(SIDE, 0)
    document = Document(photo, labels)
    styles = {"hair": colour_style((30, 60, 190))}
    composite = laid_in(styled_square(document, styles), photo, np.zeros(labels.shape, bool))
    edited, _ = full_size(document, composite, labels, styles=styles)
    assert np.array_equal(edited.image, composite.image)
    layer = edited.cutout()
    changed = (edited.image != photo).any(axis=2)
    assert changed.any()
    assert np.array_equal(layer[..., 3] == 255, changed)
    assert np.array_equal(layer[changed][:, :3], edited.image[changed])
    assert not layer[~changed].any()
    plain, _ = full_size(document, laid_in(photo, photo, np.zeros(labels.shape, bool)), labels)
    assert np.array_equal(plain.image, photo)
