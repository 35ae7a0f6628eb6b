"""Measures against values worked out by hand and against torchmetrics."""

import numpy as np
import pytest
import torch

from maskedit.measures.metrics import feature_distances, psnr, ssim, ssim_map
from maskedit.models.perceptual import PerceptualLoss
from tests.squeezenet import write_squeezenet


def flat(value, side=16):
    return torch.full((1, 3, side, side), value)


def picture(seed, count=2, side=48):
    smooth = torch.rand(count, 3, side // 4, side // 4, generator=torch.Generator().manual_seed(seed)) * 2 - 1
    return torch.nn.functional.interpolate(smooth, scale_factor=4, mode="bilinear")


def test_psnr_of_a_known_error():
    assert float(psnr(flat(0.2), flat(0.0))) == pytest.approx(20.0, abs=1e-5)  # 0.2 of 2 is 0.1 of the range
    assert float(psnr(flat(1.0), flat(-1.0))) == pytest.approx(0.0)
    assert float(psnr(flat(0.3), flat(0.3))) == pytest.approx(100.0)


def test_psnr_is_taken_photo_by_photo():
    images = torch.cat([flat(0.2), flat(0.02)])
    assert psnr(images, torch.zeros_like(images)).tolist() == pytest.approx([20.0, 40.0], abs=1e-4)


def test_ssim_of_flat_pictures():
    # Without variance only the luminance term is left; 0.25 and 0.75 of the range.
    wanted = (2 * 0.25 * 0.75 + 1e-4) / (0.25**2 + 0.75**2 + 1e-4)
    assert float(ssim(flat(-0.5), flat(0.5))) == pytest.approx(wanted, abs=1e-9)


def test_the_map_of_ssim_by_hand():
    one, other = picture(0, count=1), picture(1, count=1)
    bell = np.exp(-((np.arange(11) - 5) ** 2) / (2 * 1.5**2))
    window = np.outer(bell, bell) / bell.sum() ** 2
    found = ssim_map(one, other)[0, 0]
    for row, column in ((20, 31), (0, 0), (47, 12)):  # inside, and where the window reaches over the edge
        likeness = []
        for channel in range(3):
            padded = [np.pad((x[0, channel].double().numpy() + 1) / 2, 5, mode="reflect") for x in (one, other)]
            a, b = (x[row : row + 11, column : column + 11] for x in padded)
            mean_a, mean_b = (window * a).sum(), (window * b).sum()
            spread_a, spread_b = (window * (a - mean_a) ** 2).sum(), (window * (b - mean_b) ** 2).sum()
            common = (window * (a - mean_a) * (b - mean_b)).sum()
            luminance = (2 * mean_a * mean_b + 1e-4) / (mean_a**2 + mean_b**2 + 1e-4)
            likeness.append(luminance * (2 * common + 9e-4) / (spread_a + spread_b + 9e-4))
        assert float(found[row, column]) == pytest.approx(np.mean(likeness), abs=1e-9)


def test_ssim_of_equal_and_of_inverted_pictures():
    photo = picture(0)
    assert ssim(photo, photo).tolist() == pytest.approx([1.0, 1.0])
    assert (ssim(-photo, photo) < 0).all()
    near, far = photo + 0.1 * picture(1), photo + 0.5 * picture(1)
    assert (ssim(near, photo) > ssim(far, photo)).all()


def test_ssim_needs_a_whole_window():
    with pytest.raises(ValueError, match="11 x 11"):
        ssim(flat(0.0, 10), flat(0.0, 10))
    assert ssim(flat(0.0, 11), flat(0.0, 11)).shape == (1,)


@pytest.mark.filterwarnings("ignore")
def test_torchmetrics_agrees():
    functional = pytest.importorskip("torchmetrics.functional.image")
    photo = picture(0, count=3)
    for strength in (0.05, 0.5):
        other = (photo + strength * picture(1, count=3)).clamp(-1, 1)
        a, b = (other + 1) / 2, (photo + 1) / 2
        _, likeness = functional.structural_similarity_index_measure(
            a, b, data_range=1.0, reduction="none", return_full_image=True
        )
        # It averages over windows that reach over the edge as well, the paper's own code over whole ones only.
        wanted = likeness[:, :, 5:-5, 5:-5].mean(dim=(1, 2, 3))
        assert ssim(other, photo).tolist() == pytest.approx(wanted.tolist(), abs=2e-5)
        wanted = functional.peak_signal_noise_ratio(a, b, data_range=1.0, reduction="none", dim=(1, 2, 3))
        assert psnr(other, photo).tolist() == pytest.approx(wanted.tolist(), abs=1e-3)


def test_feature_distance_is_the_training_measure_photo_by_photo(tmp_path):
    distance = PerceptualLoss(f"squeezenet:{write_squeezenet(tmp_path / 'squeezenet.npz')}")
    images, photos = picture(1, count=3, side=64), picture(0, count=3, side=64)
    together = feature_distances(distance, images, photos)
    wanted = [float(distance(images[index : index + 1], photos[index : index + 1])) for index in range(3)]
    assert together.tolist() == pytest.approx(wanted)
    assert feature_distances(distance, photos, photos).tolist() == [0, 0, 0]
