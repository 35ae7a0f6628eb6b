"""Region styles, and the usual ones of what a photo does not show."""

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from maskedit.labels import BY_NAME
from maskedit.models.checkpoint import OPTIONAL, load_checkpoint, save_checkpoint
from maskedit.models.colours import GROUPS, NUM_GROUPS, colours_of, grouped
from maskedit.models.config import DmnConfig
from maskedit.models.context import ContextNetwork
from maskedit.models.regions import BRIGHT, DARK, STYLE, RegionEncoder, layout_in, usual_style, with_layout
from maskedit.models.tensors import one_hot, photo_to_tensor
from tests.faces import draw_face

HAT, SKIN = (GROUPS[BY_NAME[name].id] for name in ("hat", "skin"))


def test_what_a_photo_does_not_show_has_its_usual_style():
    encoder = RegionEncoder().eval()
    photo, labels = draw_face(64, 0)
    labels[labels == BY_NAME["hat"].id] = BY_NAME["hair"].id
    seen = photo_to_tensor(photo), one_hot(torch.from_numpy(labels)[None])
    unknown = encoder(*seen)
    assert unknown[0, HAT].count_nonzero() == 0
    encoder.usual[HAT] = torch.arange(STYLE) / 10
    encoder.usual[SKIN] = 9.0
    known = encoder(*seen)
    assert known[0, HAT, :STYLE].equal(encoder.usual[HAT])
    assert known[0, HAT, STYLE:].count_nonzero() == 0  # it has no place
    assert known[0, SKIN].equal(unknown[0, SKIN])  # the photo shows skin


def test_a_region_style_ends_with_its_colour_layout():
    photo, labels = draw_face(64, 0)
    photo, labels = photo_to_tensor(photo), one_hot(torch.from_numpy(labels)[None])
    regions = RegionEncoder()(photo, labels)
    layout = colours_of(grouped(labels), photo)[1]
    assert layout_in(regions).equal(layout)
    other = with_layout(regions, layout / 2)
    assert layout_in(other).equal(layout / 2)
    assert other[..., :STYLE].equal(regions[..., :STYLE])


def test_the_usual_style_is_one_of_them_and_no_stray():
    torch.manual_seed(0)
    styles = torch.cat([torch.randn(9, 5), torch.full((1, 5), 30.0)])
    medoid = usual_style(styles)
    spread = styles / styles.std(dim=0, correction=0)
    assert medoid.equal(styles[torch.cdist(spread, spread).sum(dim=1).argmin()])
    dark, bright = usual_style(styles, DARK), usual_style(styles, BRIGHT)
    for chosen in (medoid, dark, bright):
        assert (styles[:9] == chosen).all(dim=1).any()
    assert dark[:3].mean() < bright[:3].mean()
    assert usual_style(styles[:1], DARK).equal(styles[0])


def test_files_of_before_have_no_usual_styles(tmp_path):
    torch.manual_seed(0)
    network = ContextNetwork(DmnConfig(width=4, size=64, variant="maskgan-context"))
    network.region_encoder.usual[HAT] = 0.5
    path = save_checkpoint(tmp_path / "now.safetensors", network, {})
    assert load_checkpoint(path)[0].region_encoder.usual[HAT].eq(0.5).all()
    tensors = {name: value for name, value in load_file(path).items() if not name.endswith(OPTIONAL)}
    assert len(tensors) == len(network.state_dict()) - 1
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
    save_file(tensors, tmp_path / "before.safetensors", metadata=metadata)
    usual = load_checkpoint(tmp_path / "before.safetensors")[0].region_encoder.usual
    assert usual.shape == (NUM_GROUPS, STYLE)
    assert usual.count_nonzero() == 0
