"""maskedit-eval completion: its measures against calculations of another kind, and the command on tiny networks."""

import json
import math
import sys

import numpy as np
import pytest
import torch

from maskedit import imaging
from maskedit.evaluation import cli, completion, edits
from maskedit.evaluation.completion import ALL, HIDDEN, PHOTO, TAKEN, Section, glasses_zone, hide_and_redraw, take_parts
from maskedit.evaluation.edits import COMPLETION, PRESENT, Edited, PresentComposite
from maskedit.labels import BY_NAME, LABELS
from maskedit.models.checkpoint import save_checkpoint
from maskedit.models.config import PARSER_PRESETS, DmnConfig
from maskedit.models.context import ContextNetwork
from maskedit.models.dense_mapping import DenseMappingNetwork
from maskedit.models.holes import edit_hole
from maskedit.models.parser import build_parser
from maskedit.models.perceptual import PerceptualLoss
from maskedit.models.tensors import normalised, photo_to_tensor
from maskedit.render.compositing import compose
from tests.faces import draw_face
from tests.folders import write_faces
from tests.oracles import PerfectGenerator, PerfectParser, pairs, shown
from tests.squeezenet import write_squeezenet


def random_photos(count, side=40):
    levels = torch.randint(0, 256, (count, 3, side, side), generator=torch.Generator().manual_seed(count))
    return normalised(levels.to(torch.uint8))


def box(side=40, top=8, bottom=20, left=5, right=30):
    hole = torch.zeros(1, 1, side, side)
    hole[..., top:bottom, left:right] = 1
    return hole


class Truth:
    """Gives the photo back, wherever the hole is."""

    def edit(self, photo, reference, ids, hole):
        return Edited(photo, hole)


class Obedient:
    """Shows the wanted map in the hole, as `PerfectParser` reads it."""

    def edit(self, photo, reference, ids, hole):
        return Edited(torch.where(hole > 0, normalised(shown(ids)), photo), hole)


# Inside the hole


def test_psnr_looks_inside_alone():
    photo, hole = random_photos(1) * 0.5, box()
    image = torch.where(hole > 0, photo + 0.2, -photo)
    assert edits.psnr_inside(image, photo, hole) == pytest.approx(20.0, abs=1e-4)  # 0.2 of 2 is 0.1 of the range
    assert edits.psnr_inside(torch.where(hole > 0, photo, -photo), photo, hole) == 100
    one, other = random_photos(2).split(1)
    inside = (one - other)[:, :, 8:20, 5:30].numpy() / 2
    assert edits.psnr_inside(one, other, hole) == pytest.approx(-10 * math.log10(np.mean(inside**2)), abs=1e-4)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_torchmetrics_has_the_same_map_to_the_edge():
    functional = pytest.importorskip("torchmetrics.functional.image")
    one, other = random_photos(2).split(1)
    _, wanted = functional.structural_similarity_index_measure(
        (one + 1) / 2, (other + 1) / 2, data_range=1.0, return_full_image=True
    )
    hole = box(top=0, left=0)
    assert edits.ssim_inside(one, other, hole) == pytest.approx(float(wanted[..., :20, :30].mean()), abs=2e-5)


# Around it


def test_seam_by_hand():
    # One row of grey levels, the hole on its left half; the same row many times has no seam down the columns.
    row = torch.tensor([0.0, 0.1, 0.3, 0.4, 0.9, 0.7, 0.6, 0.6])
    image = row.expand(1, 3, 8, 8)
    hole = torch.zeros(1, 1, 8, 8)
    hole[..., :4] = 1
    step = (abs(0.9 - 0.3) + abs(0.7 - 0.4)) / 2
    gradient = abs((0.7 - 0.9) - (0.4 - 0.3))
    assert edits.seam(image, hole).tolist() == pytest.approx([24 * step, 24 * gradient])


def test_seam_is_the_same_however_the_picture_is_turned():
    photo, hole = random_photos(1), box()
    wanted = edits.seam(photo, hole).tolist()
    for turn in (lambda x: x.flip(2), lambda x: x.flip(3), lambda x: x.transpose(2, 3)):
        assert edits.seam(turn(photo), turn(hole)).tolist() == pytest.approx(wanted)
    assert edits.seam(photo, 1 - hole).tolist() == pytest.approx(wanted)
    assert edits.seam(photo, torch.ones(1, 1, 40, 40)).tolist() == [0, 0]


def test_frechet_of_known_gaussians():
    random = np.random.default_rng(0)
    one, other = random.normal(size=(50, 6)), random.normal(size=(60, 6)) @ random.normal(size=(6, 6))
    sqrtm = pytest.importorskip("scipy.linalg").sqrtm
    a, b = (np.cov(each, rowvar=False, bias=True) for each in (one, other))
    wanted = ((one.mean(axis=0) - other.mean(axis=0)) ** 2).sum() + np.trace(a + b - 2 * sqrtm(a @ b).real)
    assert edits.frechet(one, other) == pytest.approx(wanted)
    assert edits.frechet(one, one) == pytest.approx(0, abs=1e-9)
    assert edits.frechet(one + np.array([1, 2, 0, 0, 0, 0]), one) == pytest.approx(5)
    assert edits.frechet(one * 2 - one.mean(axis=0), one) == pytest.approx(np.trace(a))


def test_frechet_of_fewer_photos_than_features():
    photos = np.random.default_rng(1).normal(size=(12, 40))
    assert edits.frechet(photos, photos) == pytest.approx(0, abs=1e-9)
    assert edits.frechet(photos + 0.5, photos) == pytest.approx(10)
    assert edits.frechet(photos[:5], photos) > 0
    assert edits.frechet(photos[:1], photos[:1]) == pytest.approx(0, abs=1e-9)


def test_shrinkage_by_its_definition():
    samples = np.random.default_rng(2).normal(size=(15, 8)) * np.arange(1, 9)
    centred = samples - samples.mean(axis=0)
    outer = np.einsum("ni,nj->nij", centred, centred)
    covariance = outer.mean(axis=0)
    target = np.eye(8) * np.trace(covariance) / 8
    wanted = ((outer - covariance) ** 2).sum() / 15**2 / ((covariance - target) ** 2).sum()
    assert edits.ledoit_wolf(samples) == pytest.approx(wanted)
    assert 0 < wanted < 1


# Who it is


def test_five_points_of_a_drawn_face():
    labels = draw_face(256, 3)[1]
    right_eye, left_eye, nose, right_corner, left_corner = edits.five_points(labels) * 256
    for found, name in ((right_eye, "r_eye"), (left_eye, "l_eye")):
        rows, columns = np.nonzero(labels == BY_NAME[name].id)
        assert found == pytest.approx([columns.mean() + 0.5, rows.mean() + 0.5], abs=1)
    assert labels[round(nose[1]), round(nose[0])] == BY_NAME["nose"].id
    assert right_corner[0] < nose[0] < left_corner[0]
    columns = np.nonzero(np.isin(labels, [BY_NAME[name].id for name in ("mouth", "u_lip", "l_lip")]))[1]
    assert right_corner[0] == pytest.approx(columns.min(), abs=4)
    assert left_corner[0] == pytest.approx(columns.max(), abs=4)
    assert (
        edits.five_points(np.where(labels == BY_NAME["nose"].id, BY_NAME["skin"].id, labels).astype(np.uint8)) is None
    )
    assert edits.five_points(np.zeros((64, 64), np.uint8)) is None


def test_the_square_brings_points_to_the_template():
    angle, scale, shift = 0.3, 1.7, np.array([40.0, -9.0])
    turn = scale * np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    points = (edits.TEMPLATE + 0.5) @ turn.T + shift
    matrix = edits.arcface_square(points).matrix(112)
    assert (edits.TEMPLATE + 0.5) @ matrix[:, :2].T + matrix[:, 2] == pytest.approx(points)


def test_the_square_is_the_least_squares_one():
    points = (edits.TEMPLATE + np.random.default_rng(0).normal(size=(5, 2)) * 4) * 2 + 30
    # The template's x and y from a, b and the shift: x' = a x - b y + u, y' = b x + a y + v.
    x, y = points.T
    ones, zeros = np.ones(5), np.zeros(5)
    equations = np.vstack([np.column_stack([x, -y, ones, zeros]), np.column_stack([y, x, zeros, ones])])
    a, b, u, v = np.linalg.lstsq(equations, (edits.TEMPLATE + 0.5).T.ravel(), rcond=None)[0]
    matrix = edits.arcface_square(points).matrix(112)
    wanted = np.linalg.inv([[a, -b, u], [b, a, v], [0, 0, 1]])[:2]
    assert matrix == pytest.approx(wanted)


@pytest.fixture(scope="module")
def identity(tmp_path_factory):
    """A network that takes faces of 112 px and gives the means of 4 x 4 parts: it tells drawn faces apart."""
    openvino = pytest.importorskip("openvino")
    from openvino import opset13 as ops

    face = ops.parameter([-1, 3, 112, 112], np.float32)
    pooled = ops.avg_pool(face, [28, 28], [0, 0], [0, 0], [28, 28], False)
    flat = ops.reshape(pooled, np.array([-1, 48]), False)
    path = tmp_path_factory.mktemp("identity") / "face.xml"
    openvino.save_model(openvino.Model([ops.subtract(flat, np.float32(128))], [face]), path, compress_to_fp16=False)
    return path


def test_embeddings_are_of_the_aligned_face(identity):
    who = edits.Identity(identity)
    photo, labels = draw_face(256, 0)
    points = edits.five_points(labels)
    found = who.embedding(photo, points)
    face = imaging.cut_square(photo, edits.arcface_square(points * 256), 112).astype(float)
    wanted = face.reshape(4, 28, 4, 28, 3).mean(axis=(1, 3)).transpose(2, 0, 1).ravel() - 128
    assert found == pytest.approx(wanted / np.linalg.norm(wanted), abs=1e-4)
    other, other_labels = draw_face(256, 1)
    assert float(found @ who.embedding(other, edits.five_points(other_labels))) < 0.99


def test_what_is_no_identity_network(identity, tmp_path, monkeypatch):
    openvino = pytest.importorskip("openvino")
    from openvino import opset13 as ops

    with pytest.raises(edits.UserError, match="there is no such file"):
        edits.Identity(tmp_path / "none.onnx")
    (tmp_path / "text.onnx").write_text("no network")
    with pytest.raises(edits.UserError, match=r"text\.onnx cannot be read"):
        edits.Identity(tmp_path / "text.onnx")
    face = ops.parameter([1, 3, 64, 64], np.float32)
    openvino.save_model(openvino.Model([ops.relu(face)], [face]), tmp_path / "small.xml")
    with pytest.raises(edits.UserError, match=r"wanted one input \(N, 3, 112, 112\)"):
        edits.Identity(tmp_path / "small.xml")
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(edits.UserError, match="pip install openvino"):
        edits.Identity(identity)


# The protocol, with systems whose answer is known


def test_the_truth_is_found_to_be_the_truth(tmp_path):
    distance = PerceptualLoss(f"squeezenet:{write_squeezenet(tmp_path / 'squeezenet.npz')}")
    faces, section = pairs(3), Section(completion.REDRAW | completion.SEAM)
    with torch.inference_mode():
        hide_and_redraw({PRESENT: Truth(), COMPLETION: Truth()}, faces, [0, 1, 2], distance, section)
    assert list(section.figures) == list(HIDDEN)
    for group, figures in section.figures.items():
        assert figures["photos"] == 3
        wanted = {"psnr": 100, "ssim": pytest.approx(1), "features": 0}
        assert (
            figures[PRESENT]
            == figures[COMPLETION]
            == wanted | ({} if group == "everything" else {"step": 1, "gradient": 1})
        )


def test_groups_that_a_photo_lacks_are_left_out():
    faces, section = pairs(2), Section(completion.REDRAW)
    nose = faces.labels[0] == BY_NAME["nose"].id
    faces.labels[0][nose] = BY_NAME["skin"].id
    with torch.inference_mode():
        hide_and_redraw({PRESENT: Truth(), COMPLETION: Truth()}, faces, [0, 1], None, section)
        assert section.photos["nose"] == 1
        assert section.photos["mouth"] == 2
        section = Section(completion.REDRAW)
        hide_and_redraw({PRESENT: Truth(), COMPLETION: Truth()}, faces, [0], None, section)
    assert "nose" not in section.figures


def test_an_obedient_system_is_found_obedient_and_a_stubborn_one_not():
    faces, section = pairs(4), Section(completion.OBEDIENCE | completion.SEAM)
    with torch.inference_mode():
        take_parts(
            {PRESENT: Truth(), COMPLETION: Obedient()}, faces, [0, 1, 2, 3], None, PerfectParser(), None, section
        )
    figures = section.figures
    assert list(figures) == ["mouth", "hair", "brows", ALL]  # no drawn face wears glasses
    assert figures[ALL]["photos"] == sum(figures[kind]["photos"] for kind in ("mouth", "hair", "brows"))
    for row in figures.values():
        assert (row[PHOTO]["accuracy"], row[PHOTO]["mean_f1"]) == (1, 1)
        assert (row[COMPLETION]["accuracy"], row[COMPLETION]["mean_f1"]) == (1, 1)
        assert row[PRESENT]["accuracy"] < 1
        assert (row[PRESENT]["step"], row[PRESENT]["gradient"]) == (1, 1)
    # By plain counting: what the photo shows against what was wanted, in all holes together.
    truth, found = [], []
    for index in range(4):
        own, other = faces.labels[index].numpy(), faces.labels[(index + 1) % 4].numpy()
        wanted = completion.transfer_labels(own, other, TAKEN["mouth"])
        hole = edit_hole(*(torch.from_numpy(each)[None] for each in (own, wanted)))[0, 0].numpy() > 0
        truth.append(wanted[hole])
        found.append(own[hole])
    truth, found = np.concatenate(truth), np.concatenate(found)
    assert figures["mouth"][PRESENT]["accuracy"] == pytest.approx((truth == found).mean())
    scores = []
    for label in np.unique(truth):
        hits = ((truth == label) & (found == label)).sum()
        scores.append(2 * hits / ((truth == label).sum() + (found == label).sum()))
    assert figures["mouth"][PRESENT]["mean_f1"] == pytest.approx(np.mean(scores))


def test_glasses_are_taken_where_the_next_face_has_some():
    faces, section = pairs(3), Section(completion.OBEDIENCE)
    faces.labels[1][24:34, 16:48] = BY_NAME["eye_g"].id
    faces.photos[:] = shown(faces.labels)
    with torch.inference_mode():
        take_parts({PRESENT: Truth(), COMPLETION: Obedient()}, faces, [0, 1, 2], None, PerfectParser(), None, section)
    assert section.photos["eyeglasses"] == 1
    assert section.figures["eyeglasses"][COMPLETION]["accuracy"] == 1


def test_the_present_composite_is_the_editors():
    photo, labels = draw_face(64, 0)
    edited = completion.transfer_labels(labels, draw_face(64, 5)[1], TAKEN["mouth"])
    reference, ids = (torch.from_numpy(each)[None] for each in (labels, edited))
    system, before = PresentComposite(PerfectGenerator()), shown(reference)[0].permute(1, 2, 0).numpy()
    after = shown(ids)[0].permute(1, 2, 0).numpy()
    found = system.edit(photo_to_tensor(photo), reference, ids, edit_hole(reference, ids))
    wanted = compose(photo, labels, edited, after, before)
    assert found.photo.equal(photo_to_tensor(wanted.image))
    assert found.shows[0, 0].numpy() == pytest.approx((wanted.alpha > 0).astype(float))


def test_nothing_in_the_hole_is_trusted_by_the_present_composite():
    photo, labels = draw_face(256, 0)  # smaller, and the composite's own blur reaches into the hole
    ids = torch.from_numpy(labels)[None]
    hole = HIDDEN["mouth"](ids)
    spoilt = np.where(hole[0, 0, :, :, None].numpy() > 0, 0, photo).astype(np.uint8)
    found = [
        PresentComposite(PerfectGenerator()).edit(photo_to_tensor(each), ids, ids, hole).photo
        for each in (photo, spoilt)
    ]
    inside = (hole > 0).expand(-1, 3, -1, -1)
    assert found[0][inside].equal(found[1][inside])
    everything = torch.ones(1, 1, 256, 256)
    render = PresentComposite(PerfectGenerator()).edit(photo_to_tensor(photo), ids, ids, everything)
    assert render.photo.equal(normalised(shown(ids)))


def test_the_completion_leaves_the_photo_around_the_hole(tmp_path):
    torch.manual_seed(0)
    network = ContextNetwork(DmnConfig(width=4, size=64, blocks=1, variant="maskgan-context")).eval()
    photo, labels = draw_face(64, 0)
    photo, ids = photo_to_tensor(photo), torch.from_numpy(labels)[None]
    hole = HIDDEN["hair"](ids)
    with torch.inference_mode():
        found = edits.Completion(network).edit(photo, ids, ids, hole)
    outside = (hole == 0).expand(-1, 3, -1, -1)
    assert found.photo[outside].equal(photo[outside])
    assert not found.photo.equal(photo)
    assert found.shows.equal(hole)


def test_the_zone_of_glasses():
    labels = torch.from_numpy(draw_face(256, 2)[1])[None]
    zone = glasses_zone(labels)[0, 0] > 0
    for label in LABELS:
        there = labels[0] == label.id
        if label.name in ("l_eye", "r_eye", "l_brow", "r_brow"):
            assert zone[there].all()
        if label.name in ("mouth", "u_lip", "l_lip", "cloth"):
            assert not zone[there].any()
    rows, columns = np.nonzero(np.isin(labels[0].numpy(), (4, 5)))
    assert zone[rows.max() + 17, columns.min() - 22]  # the rectangle's corner: 0.07 down, 0.09 beside
    assert not zone[rows.max() + 20, columns.min()]
    assert not glasses_zone(torch.zeros(1, 64, 64, dtype=torch.uint8)).any()


# The command


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    folder = tmp_path_factory.mktemp("weights")
    torch.manual_seed(0)
    context = DmnConfig(width=4, size=64, blocks=1, variant="maskgan-context")
    return {
        "context": save_checkpoint(folder / "context.safetensors", ContextNetwork(context), {}),
        "plain": save_checkpoint(
            folder / "plain.safetensors", DenseMappingNetwork(DmnConfig(width=4, size=64, blocks=1)), {}
        ),
        "parser": save_checkpoint(folder / "parser.safetensors", build_parser(PARSER_PRESETS["tiny"]), {}),
    }


@pytest.fixture(scope="module")
def flags(weights, tmp_path_factory):
    faces = write_faces(tmp_path_factory.mktemp("completion") / "faces", 6)
    given = {
        "--data": faces, "--weights": weights["context"], "--parser": weights["parser"],
        "--validation": 4, "--count": 2,
    }  # fmt: skip
    return ["completion", *(str(part) for pair in given.items() for part in pair)]


@pytest.mark.slow
def test_completion(flags, weights, identity, tmp_path, capsys):
    squeezenet = write_squeezenet(tmp_path / "squeezenet.npz")
    report, sheet = tmp_path / "report.json", tmp_path / "sheet.png"
    given = ["--baseline", weights["plain"], "--perceptual", f"squeezenet:{squeezenet}", "--identity", identity]
    assert cli.main([*flags, *map(str, given), "--json", str(report), "-o", str(sheet)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == (
        "completion by context.safetensors beside the present composite by plain.safetensors: "
        "2 held-out photos at 64 px"
    )
    text = report.read_text()
    assert str(tmp_path.parent) not in text
    figures = json.loads(text)
    assert (figures["photos"], figures["size"], figures["perceptual"]) == (2, 64, "squeezenet")
    assert len(figures["weights_sha256"]) == 64
    assert figures["weights_sha256"] != figures["baseline_sha256"]
    assert list(figures["redraw"]) == list(HIDDEN)
    for group, row in figures["redraw"].items():
        for system in (PRESENT, COMPLETION):
            names = {"psnr", "ssim", "features"} | (set() if group == "everything" else {"step", "gradient"})
            assert set(row[system]) == names
            assert row[system]["psnr"] < 40
            assert row[system]["features"] > 0
    assert figures["redraw"]["everything"][PRESENT] != figures["redraw"]["everything"][COMPLETION]  # two networks
    assert list(figures["edits"]) == ["mouth", "hair", "brows", ALL]
    for row in figures["edits"].values():
        assert set(row[COMPLETION]) == {"accuracy", "mean_f1", "step", "gradient", "identity"}
        assert set(row[PHOTO]) == {"accuracy", "mean_f1"}
        assert row[COMPLETION]["identity"] < 1
    assert set(figures["frechet"]) == {PRESENT, COMPLETION}
    table = lines[3:11]
    assert table[0].split() == [
        "photos", "PSNR", "dB", "completed", "SSIM", "completed", "features", "completed", "step", "completed",
        "gradient", "completed",
    ]  # fmt: skip
    mouth = figures["redraw"]["mouth"]
    assert table[1].split()[:4] == ["mouth", "2", f"{mouth[PRESENT]['psnr']:.2f}", f"{mouth[COMPLETION]['psnr']:.2f}"]
    assert table[7].split()[-4:] == ["-"] * 4  # everything has no border
    assert len({len(line) for line in table}) == 1
    assert imaging.read_photo(sheet).shape[1] > 5 * 160


@pytest.mark.slow
def test_one_file_is_both_systems(flags, tmp_path, capsys):
    files = tmp_path / "own.json", tmp_path / "small.json"
    assert cli.main([*flags, "--json", str(files[0])]) == 0
    assert cli.main([*flags, "--count", "1", "--size", "32", "--no-texture", "--json", str(files[1])]) == 0
    figures, small = (json.loads(file.read_text()) for file in files)
    assert figures["weights"] == figures["baseline"] == "context.safetensors"
    assert (figures["size"], figures["texture"]) == (64, True)
    assert (small["size"], small["texture"]) == (32, False)
    everything = figures["redraw"]["everything"]
    assert everything[PRESENT]["psnr"] == pytest.approx(everything[COMPLETION]["psnr"])
    assert "features" not in everything[PRESENT]
    assert "frechet" not in figures
    assert "identity" not in capsys.readouterr().out


@pytest.mark.slow
def test_shipped_weights_are_the_default(flags, weights, monkeypatch, capsys):
    monkeypatch.setattr(edits, "default_weights", lambda name: weights[name])
    at = flags.index("--weights")
    assert cli.main([*flags[:at], *flags[at + 2 :], "--count", "1"]) == 0
    assert "context.safetensors" in capsys.readouterr().out


def test_a_network_that_cannot_complete_is_named(flags, weights, capsys):
    assert cli.main([*flags, "--weights", str(weights["plain"])]) == 1
    assert "plain.safetensors holds a maskgan network, which cannot complete" in capsys.readouterr().err


@pytest.mark.parametrize(
    "given",
    [
        "--size=40",
        "--count=0",
        "--validation=6",
        "--perceptual=vgg",
        "--identity=nowhere.onnx",
        "--baseline=nowhere.safetensors",
        "--json=nowhere/a.json",
        "--out=nowhere/a.png",
    ],
)
def test_failures_are_one_sentence(flags, capsys, given):
    assert cli.main([*flags, given]) == 1
    error = capsys.readouterr().err
    assert (given.partition("=")[2] if "baseline" in given else given.partition("=")[0]) in error
    assert len(error.splitlines()) == 1
