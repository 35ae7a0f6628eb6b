"""The edit renderer on tiny real networks: only what an edit changes changes, whatever the network."""

import cv2
import numpy as np
import pytest
import torch

from maskedit import Blend, EditRenderer, Renderer, UserError, compose, imaging
from maskedit.labels import ids_of
from maskedit.models.checkpoint import save_checkpoint
from maskedit.models.config import DmnConfig
from maskedit.models.context import ContextNetwork
from maskedit.models.tensors import one_hot, photo_to_tensor, scaled_labels, tensor_to_photo
from maskedit.models.variants import build_generator
from maskedit.models.views import View
from maskedit.render.modes import FULL, QUICK, Cancelled
from maskedit.render.part_colours import colour_style
from maskedit.render.pasting import paste_back
from tests.faces import draw_face

CONFIGS = {
    "maskgan": DmnConfig(width=4, size=64, blocks=1),
    "context": DmnConfig(width=4, size=64, blocks=1, variant="maskgan-context"),
    "zoomed": DmnConfig(width=4, size=64, blocks=1, variant="maskgan-context", views="zoomed"),
}


@pytest.fixture(scope="module", params=CONFIGS)
def weights(request, tmp_path_factory):
    torch.manual_seed(3)
    network = build_generator(CONFIGS[request.param])
    for name, parameter in network.named_parameters():
        # As initialised, all photos have nearly the same style code, and what is seen around a hole adds nothing.
        if name.startswith("encoder.") or parameter.abs().sum() == 0:
            parameter.data = torch.randn_like(parameter) * 0.1
    path = tmp_path_factory.mktemp("weights") / f"{request.param}.safetensors"
    return save_checkpoint(path, network, {}, dtype=torch.float32)


@pytest.fixture
def renderer(weights):
    return Renderer(weights, device="cpu", precision="float32", engine="torch")


@pytest.fixture
def editor(renderer):
    return EditRenderer(renderer)


@pytest.fixture
def face():
    """Photo (96, 96, 3), its own label map and an edited one: larger than the network, which draws 64 px."""
    photo, labels = draw_face(96, 0)
    edited = labels.copy()
    edited[40:56, 30:50] = 14
    return photo, labels, edited


def test_only_what_the_edit_changes_changes(editor, face):
    photo, labels, edited = face
    editor.set_target(photo, labels)
    result = editor.render(edited)
    assert result.image.dtype == np.uint8
    assert result.image.shape == photo.shape
    assert result.changed_outside == 0
    outside = result.composite.alpha == 0
    assert 0.3 < outside.mean() < 0.98
    assert np.array_equal(result.image[outside], photo[outside])
    assert not np.array_equal(result.image[40:56, 30:50], photo[40:56, 30:50])
    assert result.mode == FULL
    assert result.seconds > 0
    assert result.engine == "CPU float32, 64 px"


def test_its_own_label_map_gives_the_photo(editor, face):
    photo, labels, edited = face
    editor.set_target(photo, labels)
    for quality in (FULL, QUICK):
        result = editor.render(labels, quality=quality)
        assert np.array_equal(result.image, photo)
        assert not result.composite.alpha.any()
        editor.render(edited)


def test_a_network_without_context_is_asked_twice_and_once_for_the_unedited_face(editor, renderer, face, monkeypatch):
    photo, labels, edited = face
    rendered, render = [], renderer.render
    monkeypatch.setattr(renderer, "render", lambda ids, **given: rendered.append(ids) or render(ids, **given))
    editor.set_target(photo, labels)
    first = editor.render(edited)
    assert len(rendered) == (0 if renderer.completes else 2)
    assert np.array_equal(editor.render(edited).image, first.image)
    assert len(rendered) == (0 if renderer.completes else 3)
    if not renderer.completes:
        renderer.set_target(photo, labels)
        expected = compose(photo, labels, edited, render(edited).image, render(labels).image)
        assert np.array_equal(first.image, expected.image)


def test_whole_faces_are_the_networks_own_picture(editor, renderer, face):
    photo, labels, edited = face
    editor.set_target(photo, labels)
    result = editor.render(edited, Blend(whole_face=True))
    small = View(0, 0, 96).photo(photo_to_tensor(photo), 64)
    ids, reference = (scaled_labels(torch.from_numpy(each)[None], 64) for each in (edited, labels))
    network = renderer._network
    with torch.inference_mode():
        if renderer.completes:  # all that is known of the photo is its style
            style = network.style(small, one_hot(reference))
            everything, regions = torch.ones(1, 1, 64, 64), network.regions(small, one_hot(reference))
            expected = network.complete(one_hot(ids), style, torch.zeros_like(small), everything, regions)
        else:
            expected = network(small, one_hot(reference), one_hot(ids))
    expected = imaging.resize_photo(tensor_to_photo(expected[0]), (96, 96))
    # Rounded before it was enlarged; and a completion gets the last of its sharpness from the photo.
    assert np.abs(result.image.astype(int) - expected).mean() <= (4 if renderer.completes else 1)
    assert result.composite.alpha.min() == 1


def test_what_follows_the_brush(editor, renderer, face):
    photo, labels, edited = face
    editor.set_target(photo, labels)
    editor.render(edited)
    assert editor.has_quick()
    assert editor.has_quick(Blend(whole_face=True))
    edited[42:44, 52:54] = 14
    quick, full = editor.render(edited, quality=QUICK), editor.render(edited)
    assert (quick.mode, full.mode) == (QUICK, FULL)
    assert np.abs(quick.image.astype(int) - full.image).mean() < 2
    assert quick.changed_outside == 0


def test_a_painter_may_go_on_in_the_arrays_that_were_given(editor, face):
    photo, labels, edited = face
    editor.set_target(photo, labels)
    before = editor.render(edited).image
    original = photo.copy()
    photo[:], labels[:] = 0, 1
    assert np.array_equal(editor.render(edited).image, before)
    editor.set_target(photo, labels)  # what lies in the same arrays now is another photo
    assert np.array_equal(editor.render(labels).image, photo)
    assert not np.array_equal(photo, original)


def test_wrong_use_is_told(editor, face):
    photo, labels, edited = face
    with pytest.raises(UserError, match="call set_target first"):
        editor.render(edited)
    editor.set_target(photo, labels)
    with pytest.raises(UserError, match=r"wanted \(96, 96\) uint8"):
        editor.render(edited[:50])
    editor.render(edited)
    with pytest.raises(UserError, match="crop it first"):
        editor.set_target(photo[:50], labels)
    with pytest.raises(UserError, match="call set_target first"):
        editor.render(edited)


def test_a_render_that_is_given_up_leaves_no_trace(editor, face):
    photo, labels, edited = face
    editor.set_target(photo, labels)
    with pytest.raises(Cancelled):
        editor.render(edited, cancelled=lambda: True)
    assert editor.render(edited).changed_outside == 0


@pytest.mark.slow
def test_a_learned_face_changes_renders_and_goes_again(editor, face):
    """Whole faces and what is made of them: what a network completes stays as it is, for learning makes it worse."""
    photo, labels, edited = face

    def images():
        return editor.render(edited, Blend(whole_face=True)).image, editor.render(edited).image

    def same(first, second):
        return list(map(np.array_equal, first, second))

    completes = editor._completes(Blend())
    editor.set_target(photo, labels)
    before, psnr = images(), editor.reconstruction_psnr()
    learning = editor.learn(8)
    for _ in range(learning.total):
        learning.step()
    learning.show()
    assert same(images(), before) == [False, completes]
    assert editor.reconstruction_psnr() > psnr
    face_weights = learning.finish()
    learned = images()
    editor.set_target(photo, labels, face_weights)  # they are applied already
    assert all(same(images(), learned))
    editor.set_target(photo, labels)
    assert all(same(images(), before))
    editor.set_target(photo, labels, face_weights)
    assert all(same(images(), learned))
    learning = editor.learn(8)
    learning.step()
    learning.show()
    learning.cancel()
    assert all(same(images(), learned))


def test_face_weights_that_do_not_fit_are_told_once_and_left_out(editor, face):
    photo, labels, edited = face
    editor.set_target(photo, labels)
    before = editor.render(edited).image
    editor.set_target(photo, labels, b"no weights")
    result = editor.render(edited)
    assert "is damaged" in result.notice
    assert "Forget this face" in result.notice
    assert np.array_equal(result.image, before)
    editor.set_target(photo, labels, b"no weights")
    assert editor.render(edited).notice == ""


def test_of_all_notices_none_is_lost(editor, renderer, face):
    photo, labels, edited = face
    editor.set_target(photo, labels)
    renderer._notice = "Memory ran short."
    assert editor.render(edited).notice == "Memory ran short."
    assert editor.render(edited).notice == ""


def test_it_is_made_of_a_weight_file(weights, face):
    photo, labels, edited = face
    editor = EditRenderer(weights=weights, device="cpu", precision="float32", engine="torch")
    assert weights.name in editor.about
    editor.set_target(photo, labels)
    assert editor.render(edited).changed_outside == 0


def test_quiet_times_make_the_first_stroke_ready(editor, renderer, face, monkeypatch):
    photo, labels, _ = face
    editor.set_target(photo, labels)
    editor.render(labels)
    while editor.idle():
        pass
    if renderer.completes:
        drawn, complete = [], renderer._network.complete
        monkeypatch.setattr(renderer._network, "complete", lambda *given: drawn.append(1) or complete(*given))
        assert not editor.idle()
        editor.set_target(photo[::-1], labels[::-1])
        assert editor.idle()
        assert drawn == [1]
        assert editor.render(labels[::-1]).changed_outside == 0
        assert drawn == [1]
    assert not editor.idle()


def test_weights_that_do_not_complete_say_so(renderer, face):
    photo, labels, edited = face
    renderer.set_target(photo, labels)
    if not renderer.completes:
        with pytest.raises(UserError, match="maskgan-context"):
            renderer.complete(edited)


@pytest.mark.slow
@pytest.mark.parametrize(("times", "notice"), [(1, "tried again"), (2, "on the CPU")])
def test_a_completion_out_of_gpu_memory_is_tried_again_then_made_on_the_cpu(
    editor, renderer, face, monkeypatch, times, notice
):
    if not renderer.completes:
        return
    photo, labels, edited = face
    editor.set_target(photo, labels)
    expected, calls = editor.render(edited).image, []

    def complete(self, *given):
        calls.append(1)
        if len(calls) <= times:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return original(self, *given)

    original = ContextNetwork.complete
    monkeypatch.setattr(ContextNetwork, "complete", complete)
    result = editor.render(edited)
    assert notice in result.notice
    assert np.array_equal(result.image, expected)
    assert editor.render(edited).notice == ""


def test_for_a_larger_photo_the_edit_is_drawn_at_its_size_there(editor, renderer):
    original, whole = draw_face(400, 2)
    square = imaging.Square(200, 200, 320, 0)
    photo, labels = imaging.cut_square(original, square, 96), imaging.cut_labels(whole, square, 96, size=(400, 400))
    edited = labels.copy()
    edited[40:56, 30:50] = 14
    editor.set_target(photo, labels)
    small = editor.render(edited).composite
    large = editor.at_full_size(original, square, edited, small)
    if not renderer.completes:
        assert large is small
        return
    assert large.image.shape == (320, 320, 3)
    assert large.changed_outside == 0
    # Of the same place as the small one, and only there.
    grown = imaging.resize_labels((small.alpha > 0).astype(np.uint8), (320, 320)) > 0
    assert np.mean(grown == (large.alpha > 0)) > 0.98
    pasted = paste_back(original, square, large)
    assert (pasted != original).any()
    assert np.array_equal(pasted[:40], original[:40])
    assert editor.at_full_size(original, square, edited, small, Blend(whole_face=True)) is small
    unchanged = editor.render(labels).composite
    assert editor.at_full_size(original, square, labels, unchanged) is unchanged


STYLES = {"hair": colour_style((200, 160, 90)), "hat": colour_style((190, 20, 30))}


def test_styles_change_their_regions_and_nothing_else(editor, face):
    photo, labels, _ = face
    editor.set_target(photo, labels, styles=STYLES)
    result = editor.render(labels)
    assert result.changed_outside == 0
    assert np.array_equal(result.reach, result.restyled)
    assert not result.composite.alpha.any()
    assert np.array_equal(result.image[result.reach == 0], photo[result.reach == 0])
    assert (result.image[result.reach == 1] != photo[result.reach == 1]).any(axis=1).mean() > 0.9
    assert 0.05 < (result.reach > 0).mean() < 0.6
    editor.set_target(photo, labels)
    plain = editor.render(labels)
    assert np.array_equal(plain.image, photo)
    assert plain.restyled is None


def test_an_edit_is_laid_into_the_photo_with_its_styles(editor, face):
    photo, labels, edited = face  # a hat is put on, which the photo does not show
    editor.set_target(photo, labels, styles=STYLES)
    styled, result = editor.render(labels), editor.render(edited)
    assert result.changed_outside == 0
    alpha = result.composite.alpha
    assert np.array_equal(result.image[alpha == 0], styled.image[alpha == 0])
    assert np.array_equal(result.reach, np.maximum(alpha, result.restyled))
    hat = np.zeros(labels.shape, bool)
    hat[46:50, 36:44] = True
    assert np.abs(result.image[hat].mean(axis=0) - (190, 20, 30)).max() < 40
    editor.set_target(photo, labels, styles={"hair": STYLES["hair"]})
    assert not np.array_equal(editor.render(edited).image[hat], result.image[hat])


def test_a_change_outside_is_measured_against_the_photo_itself(editor, face):
    photo, labels, edited = face
    editor.set_target(photo, labels, styles=STYLES)
    editor._given[0].flags.writeable = True
    editor._given[0][0, 0] += 9  # as if something had changed there
    assert editor.render(edited).changed_outside == 9


def test_another_strength_and_other_styles_are_another_target(editor, face):
    photo, labels, edited = face
    seen = []
    for styles in ({}, STYLES, {"hair": colour_style((200, 160, 90), strength=0.5)}, {}):
        editor.set_target(photo, labels, styles=styles)
        seen.append(editor.render(edited).image)
    assert np.array_equal(seen[0], seen[3])
    assert not np.array_equal(seen[0], seen[1])
    assert not np.array_equal(seen[1], seen[2])


def test_the_whole_photo_takes_styles_and_edit_at_its_own_size(editor, renderer):
    original, whole = draw_face(400, 2)
    square = imaging.Square(200, 200, 320, 0)
    photo, labels = imaging.cut_square(original, square, 96), imaging.cut_labels(whole, square, 96, size=(400, 400))
    edited = labels.copy()
    edited[20:30, 30:50] = 14
    with pytest.raises(UserError, match="call set_target first"):
        editor.restyled(original, square)
    editor.set_target(photo, labels, styles=STYLES)
    styled = editor.restyled(original, square)
    large = editor.at_full_size(styled, square, edited, editor.render(edited).composite)
    pasted = paste_back(styled, square, large)
    assert np.array_equal(pasted[:40], original[:40])
    far = cv2.erode(np.isin(whole, ids_of("hair", "hat"), invert=True).astype(np.uint8), np.ones((41, 41))) > 0
    far[:230] = False  # from the hat
    assert far.any()
    assert np.array_equal(pasted[far], original[far])
    assert np.abs(pasted[115:130, 155:195].mean(axis=(0, 1)) - (190, 20, 30)).max() < 40
    editor.set_target(photo, labels)
    assert editor.restyled(original, square) is original


def test_styles_and_photos_that_do_not_fit_are_told(editor, face):
    photo, labels, _ = face
    with pytest.raises(UserError, match="crop it first"):
        editor.set_target(photo[:50], labels, styles=STYLES)
    with pytest.raises(UserError, match=r"wanted \(96, 96\) uint8"):
        editor.set_target(photo, labels[:50], styles=STYLES)


@pytest.mark.slow
def test_face_weights_hold_for_the_photo_with_styles(editor, face):
    photo, labels, edited = face
    editor.set_target(photo, labels)
    learning = editor.learn(4)
    for _ in range(learning.total):
        learning.step()
    face_weights = learning.finish()
    editor.set_target(photo, labels, face_weights, STYLES)
    learned = editor.render(edited, Blend(whole_face=True))
    assert learned.notice == ""
    editor.set_target(photo, labels, face_weights)
    own = editor.render(edited, Blend(whole_face=True)).image
    hair = np.isin(edited, ids_of("hair"))
    assert np.abs(learned.image[hair].mean(axis=0) - own[hair].mean(axis=0)).max() > 10  # learned without its style
    editor.set_target(photo, labels, None, STYLES)
    assert not np.array_equal(editor.render(edited, Blend(whole_face=True)).image, learned.image)


def test_what_was_learned_but_does_not_fit_leaves_whole_faces_as_they_are(editor, face):
    photo, labels, edited = face
    editor.set_target(photo, labels)
    own = editor.render(edited, Blend(whole_face=True))
    editor.set_target(photo, labels, b"nothing that was learned")
    result = editor.render(edited, Blend(whole_face=True))
    assert "shown without it" in result.notice
    assert np.array_equal(result.image, own.image)
