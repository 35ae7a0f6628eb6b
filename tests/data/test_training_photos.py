"""Several data folders in one run: weights, sizes, and what is held out."""

from fractions import Fraction

import pytest
from PIL import Image

from maskedit.data.folder import find_pairs, find_split
from maskedit.data.training_photos import find_photos
from maskedit.errors import UserError
from tests.folders import write_faces


def shrink(folder, *, count, side):
    """Make the first photos of a folder smaller; their label maps stay."""
    for path in sorted((folder / "images").iterdir())[:count]:
        with Image.open(path) as photo:
            small = photo.resize((side + 8, side))
        small = small.crop((4, 0, side + 4, side))
        small.save(path)


def test_what_a_parser_drew_counts_half_unless_told(drawn, labelled, tmp_path):
    def weights(*data):
        return [folder.weight for folder in find_photos(data, validation=2, size=64).folders]

    assert weights(str(drawn), str(labelled)) == [1, Fraction(1, 2)]
    assert weights(f"{drawn}:3", f"{labelled}:1") == [3, 1]
    write_faces(tmp_path / "train", 3)
    write_faces(tmp_path / "val", 3)
    assert weights(str(tmp_path), str(drawn)) == [1, 1]
    (tmp_path / "train" / "labelled.json").write_text("{}")
    assert weights(str(tmp_path), str(drawn)) == [Fraction(1, 2), 1]
    photos = find_photos([str(drawn), str(labelled)], validation=2, size=64)
    assert photos.paths == find_split(drawn, 2)[0] + find_pairs(labelled)
    assert photos.held_out == find_split(drawn, 2)[1]
    assert photos.weights == [1] * 5 + [Fraction(1, 2)] * 5
    assert str(photos) == (
        "drawn (weight 1, labelled by people): 5 photos, and 2 held out; "
        "labelled (weight 0.5, labelled by a parser): 5 photos"
    )


def test_of_the_other_folders_only_what_is_for_training(drawn, tmp_path):
    write_faces(tmp_path / "train", 3)
    write_faces(tmp_path / "val", 4)
    photos = find_photos([str(drawn), str(tmp_path)], validation=2, size=64)
    assert photos.folders[1].paths == find_pairs(tmp_path / "train")
    assert find_photos([str(tmp_path), str(drawn)], validation=2, size=64).held_out == find_pairs(tmp_path / "val")[2:]


def test_small_photos_are_left_out_where_others_are_large(drawn, tmp_path):
    mixed = write_faces(tmp_path / "mixed", 6)
    shrink(mixed, count=4, side=48)
    photos = find_photos([str(drawn), str(mixed)], validation=2, size=64)
    assert photos.folders[1].paths == find_pairs(mixed)[4:]
    assert str(photos).endswith("; mixed (weight 1, labelled by people): 2 of 6 photos have 64 px")
    assert len(photos.weights) == len(photos.paths) == 7
    assert len(find_photos([str(drawn), str(mixed)], validation=2, size=32).paths) == 11
    # In the first folder too; but whatever is held out stays.
    photos = find_photos([str(mixed)], validation=1, size=64)
    assert photos.paths == find_pairs(mixed)[4:5]
    assert photos.held_out == find_pairs(mixed)[5:]


def test_a_folder_of_small_photos_is_enlarged(drawn, tmp_path):
    small = write_faces(tmp_path / "small", 4, side=32)
    photos = find_photos([str(drawn), str(small)], validation=2, size=64)
    assert len(photos.paths) == 9
    assert str(photos).endswith("small (weight 1, labelled by people): 4 photos, enlarged, for none has 64 px")
    photos = find_photos([str(small), str(drawn)], validation=2, size=128)
    assert [folder.enlarged for folder in photos.folders] == [True, True]
    assert len(photos.paths) == 2 + 7


def test_the_shorter_side_counts_and_what_cannot_be_read_stays(tmp_path):
    folder = write_faces(tmp_path / "faces", 4)
    first, second, *_ = sorted((folder / "images").iterdir())
    with Image.open(first) as photo:
        photo.resize((640, 63)).save(first)
    second.write_bytes(second.read_bytes()[:12])
    used = find_photos([str(folder)], validation=1, size=64).paths
    assert [photo.name for photo, _ in used] == [second.name, "002.png"]  # training names it when its turn comes


def test_held_out_photos_are_never_trained_on(drawn, tmp_path):
    # The same photos by another way: a folder of links to them.
    links = tmp_path / "links"
    for part in ("images", "masks"):
        (links / part).mkdir(parents=True)
        for path in (drawn / part).iterdir():
            (links / part / path.name).symlink_to(path)
    photos = find_photos([str(drawn), str(links)], validation=2, size=64)
    assert [photo.name for photo, _ in photos.held_out] == ["005.png", "006.png"]
    assert [photo.name for photo, _ in photos.folders[1].paths] == [f"00{index}.png" for index in range(5)]
    train, val = write_faces(tmp_path / "whole" / "train", 3), write_faces(tmp_path / "whole" / "val", 3)
    photos = find_photos([str(train.parent), str(val)], validation=2, size=64)
    assert photos.folders[1].paths == find_pairs(val)[:1]
    with pytest.raises(UserError, match=r"val holds only photos that are held out"):
        find_photos([str(train.parent), str(val)], validation=3, size=64)


def test_a_folder_given_twice_is_refused(drawn):
    with pytest.raises(UserError, match=r"was given twice; give it once, with the weight wanted"):
        find_photos([str(drawn), f"{drawn}/:2"], validation=2, size=64)
