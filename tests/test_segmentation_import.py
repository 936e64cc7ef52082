"""Predicted masks: whose they are, what their numbers mean, what is refused, and the run that is made of them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dashboard import segmentation_scoring
from dashboard.datasets.opening import open_dataset
from dashboard.errors import InputError
from dashboard.scoring import score
from dashboard.segmentation_import import import_masks
from dashboard.segmentation_parts import segmentation_batches
from dashboard.store import Store
from tests.datasets.masks_on_disk import COLOURS, FILES, NAMES, coloured, labels_of, make_masks, png
from tests.datasets.pictures import encode, zip_folder

TASK = "semantic-segmentation"


@pytest.fixture
def root(tmp_path):
    make_masks(tmp_path / "set")
    return tmp_path / "set"


@pytest.fixture
def truth(root):
    return open_dataset(root, task=TASK)


def answer_of(index: int) -> np.ndarray:
    """The truth one row further down; the first row is void."""
    return np.roll(labels_of(index), 1, axis=0)


@pytest.fixture
def folder(tmp_path):
    where = tmp_path / "answers"
    where.mkdir()
    for i, name in enumerate(FILES):
        (where / name.replace(".jpg", ".png")).write_bytes(png(answer_of(i)))
    return where


def read_all(path, truth, **options) -> None:
    found = import_masks(path, truth, **options)
    for place in range(len(found)):
        found.maps(place)


def refused(path, truth, match: str, **options) -> str:
    """Refused when found, or when read."""
    with pytest.raises(InputError, match=match) as info:
        read_all(path, truth, **options)
    text = str(info.value)
    assert "\n" not in text
    assert len(text) < 700
    return text


def test_by_hand(folder, truth):
    found = import_masks(folder, truth)
    assert found.rows.tolist() == [0, 1, 2, 3]
    assert found.notes == ()
    for place in range(4):
        answer, true = found.maps(place)
        assert (true == labels_of(place)).all()
        want = np.where(answer_of(place) == 255, 3, answer_of(place))
        assert (answer == want).all(), "where the answer says nothing it is of no class"
        assert answer.dtype == np.uint8


class TestWhose:
    @pytest.mark.parametrize("name", ["{}_mask.png", "deep/{}.png", "{}_labelIds.png", "{}.bmp"])
    def test_names(self, folder, truth, name):
        for file in sorted(folder.iterdir()):
            to = folder / name.format(file.stem)
            to.parent.mkdir(exist_ok=True)
            file.rename(to)
        found = import_masks(folder, truth)
        assert found.rows.tolist() == [0, 1, 2, 3]
        assert [f.rpartition("/")[2].split(".")[0].split("_")[0] for f in found.files] == ["1", "2", "3", "10"]

    def test_named_as_the_masks_of_the_truth(self, root, folder):
        for i, name in enumerate(FILES):
            stem = name.removesuffix(".jpg")
            (root / "masks" / f"{stem}.png").rename(root / "masks" / f"{stem}_truth.png")
            (folder / f"{stem}.png").rename(folder / f"{stem}_truth.png")
            assert i < 4
        data = open_dataset(root, task=TASK, options={"ending": "_truth"})
        assert len(import_masks(folder, data)) == 4

    def test_missing(self, folder, truth):
        (folder / "2.png").unlink()
        (folder / "3.png").unlink()
        refused(folder, truth, r"answers has no mask for 2 of the 4 pictures: '2\.jpg', '3\.jpg'; add them")
        found = import_masks(folder, truth, partial=True)
        assert found.rows.tolist() == [0, 3]
        assert found.notes == ("2 of 4 pictures have no mask and are left out: '2.jpg', '3.jpg'.",)
        assert import_masks(folder, truth, limit=1).rows.tolist() == [0]
        refused(folder, truth, "no mask for 1 of the 2 pictures", limit=2)
        (folder / "2.png").mkdir()
        refused(folder, truth, r"'3\.jpg' \('2\.png' is there, but is no ordinary file\); add them")

    def test_unknown(self, folder, truth):
        (folder / "9.png").write_bytes(png(labels_of(0)))
        refused(
            folder, truth, r"1 of 5 masks belong to no picture of the truth: '9\.png'; its pictures are like '1\.jpg'"
        )
        found = import_masks(folder, truth, partial=True)
        assert found.notes == ("1 masks of no picture of the truth left out: '9.png'.",)
        for file in folder.iterdir():
            file.rename(folder / f"x{file.name}")
        refused(folder, truth, "5 of 5 masks belong to no picture", partial=True)

    def test_two_of_one_name(self, folder, truth):
        (folder / "2.bmp").write_bytes((folder / "2.png").read_bytes())
        refused(folder, truth, r"'2\.bmp' and '2\.png' both are masks of '2\.jpg'")

    def test_what_is_no_folder_of_masks(self, folder, truth, tmp_path):
        refused(tmp_path / "gone", truth, "does not exist")
        refused(folder / "2.png", truth, "no folder or zip")
        (tmp_path / "other").mkdir()
        refused(tmp_path / "other", truth, "holds no masks: give")
        (tmp_path / "other" / "a.json").write_text("{}")
        refused(tmp_path / "other", truth, r"holds no masks, only \.json files")
        (tmp_path / "a.zip").write_bytes(b"PK")
        refused(tmp_path / "a.zip", truth, "not a zip archive")

    def test_zip(self, folder, truth, tmp_path):
        archive = zip_folder(folder, tmp_path / "a.zip", inside="results/masks")
        found = import_masks(archive, truth, cache_dir=tmp_path / "cache")
        assert (found.maps(2)[0] == import_masks(folder, truth).maps(2)[0]).all()
        (folder / "3.png").write_bytes(png(np.full((24, 32), 9, np.uint8)))
        archive = zip_folder(folder, tmp_path / "b.zip")
        refused(archive, truth, r"b\.zip/3\.png: the pixel at row 0, column 0", cache_dir=tmp_path / "cache")

    def test_a_dataset_without_mask_files(self, tmp_path):
        scenes = open_dataset("demo:scenes", task=TASK)
        target = scenes.targets[1]
        (tmp_path / "scene-0001.png").write_bytes(png(target.class_ids))
        found = import_masks(tmp_path, scenes, partial=True)
        assert found.rows.tolist() == [1]
        answer, true = found.maps(0)
        assert (answer == true).all()
        (tmp_path / "scene-0001.png").write_bytes(png(np.full(target.size, 11, np.uint8)))
        refused(
            tmp_path, scenes, r"has the number 11, which is none of the classes of scenes \(0\.\.10\)", partial=True
        )


class TestNumbers:
    def test_outside_the_list(self, folder, truth):
        ids = answer_of(1)
        ids[5, 6] = 3
        (folder / "2.png").write_bytes(png(ids))
        text = refused(folder, truth, r"2\.png: the pixel at row 5, column 6 has the number 3")
        assert "--classes FILE" in text

    def test_another_size(self, folder, truth):
        (folder / "2.png").write_bytes(png(answer_of(1)[::2, ::2].copy()))
        refused(folder, truth, r"2\.png is 16x12 pixels, but the truth of 2\.jpg is 32x24: .*nearest")

    def test_bad_files(self, folder, truth):
        (folder / "2.png").write_bytes(png(coloured(answer_of(1))))
        refused(folder, truth, "RGB mask and there is no palette")
        (folder / "2.png").unlink()
        (folder / "2.jpg").write_bytes(encode(answer_of(1)))
        refused(folder, truth, "JPEG file, which does not keep class numbers")

    def test_what_does_not_count_in_the_truth_is_no_class_of_an_answer(self, root, folder):
        data = open_dataset(root, task=TASK, options={"ignore": "road"})
        answer, true = import_masks(folder, data).maps(0)
        assert data.class_names == ("sky", "car")
        assert (answer == np.array([0, 2, 1])[np.where(answer_of(0) == 255, 1, answer_of(0))]).all()
        assert set(np.unique(true)) == {0, 1, 255}

    def test_in_another_order(self, folder, truth):
        names = ["car", "sky", "boat", "Road"]
        to = np.full(256, 255, np.uint8)
        to[[0, 1, 2]] = [1, 3, 0]
        for i, name in enumerate(FILES):
            ids = to[answer_of(i)]
            ids[20, 20] = 2
            (folder / name.replace(".jpg", ".png")).write_bytes(png(ids))
        found = import_masks(folder, truth, names=names)
        want = np.where(answer_of(1) == 255, 3, answer_of(1))
        want[20, 20] = 3
        assert (found.maps(1)[0] == want).all()
        assert found.notes == ("Pixels of 'boat', which the truth does not have, count as of no class.",)
        refused(
            folder,
            truth,
            r"number 3, which is none of the classes of the names given .*\(0\.\.1\)",
            names=names[:2],
            partial=True,
        )
        refused(folder, truth, "class 'road' of the truth is not among the 3 names", names=names[:3])

    def test_by_colour(self, root, folder):
        (root / "palette.txt").write_text("".join(f"{n},{','.join(map(str, c))}\n" for n, c in COLOURS.items()))
        data = open_dataset(root, task=TASK)
        for i, name in enumerate(FILES):
            (folder / name.replace(".jpg", ".png")).write_bytes(png(coloured(answer_of(i))))
        want = np.where(answer_of(2) == 255, 3, answer_of(2))
        assert (import_masks(folder, data).maps(2)[0] == want).all()
        turned = import_masks(folder, data, names=["car", "road", "sky"])
        assert (turned.maps(2)[0] == want).all(), "a colour means the same class in any order of numbers"

    @pytest.mark.parametrize("how", ["colours", "numbers"])
    def test_what_counts_in_a_palette_png_is_as_asked(self, root, folder, how):
        """Names for the predictions' numbers do not undo palette_png=colours."""
        (root / "palette.txt").write_text("".join(f"{n},{','.join(map(str, c))}\n" for n, c in COLOURS.items()))
        data = open_dataset(root, task=TASK, options={"palette_png": how})
        palette = [v for name in (*NAMES[::-1], "void") for v in COLOURS[name]]  # number 0 has the colour of cars
        for i, name in enumerate(FILES):
            ids = np.where(answer_of(i) == 255, 3, answer_of(i)).astype(np.uint8)
            (folder / name.replace(".jpg", ".png")).write_bytes(png(ids, palette=palette))
        numbers = np.where(answer_of(2) == 255, 3, answer_of(2))
        names = [*NAMES, "void"]
        found = import_masks(folder, data, names=names, partial=True).maps(2)[0]
        want = {"numbers": numbers, "colours": np.array([2, 1, 0, 3])[numbers]}[how]
        assert (found == want).all()

    def test_names_that_differ_in_punctuation(self, root, folder):
        (root / "classes.txt").write_text("CD4+\nCD4-\nrest\n")
        text = "CD4+,70,130,180\nCD4-,128,64,128\nrest,0,0,142\nvoid,0,0,0\n"
        (root / "palette.txt").write_text(text)
        data = open_dataset(root, task=TASK)
        for i, name in enumerate(FILES):
            (folder / name.replace(".jpg", ".png")).write_bytes(png(coloured(answer_of(i))))
        want = np.where(answer_of(2) == 255, 3, answer_of(2))
        for names in (["CD4-", "CD4+", "rest"], ["REST", "CD4-", "CD4+"]):
            assert (import_masks(folder, data, names=names).maps(2)[0] == want).all()
        for names in (["cd4", "CD4-", "rest"], ["CD4-", "rest", "x"]):
            refused(folder, data, r"class 'CD4\+' of the truth is not among the 3 names", names=names)
        found = import_masks(folder, data, names=["CD4-", "rest"], partial=True).maps(2)[0]
        assert (found == np.where(want == 0, 3, want)).all(), "the colour of CD4+ is not that of CD4-"

    def test_colours_without_names_and_names_for_the_numbers(self, root, folder):
        (root / "palette.txt").write_text("70 130 180\n128 64 128\n0 0 142\n0 0 0\n")
        data = open_dataset(root, task=TASK)
        for i, name in enumerate(FILES):
            (folder / name.replace(".jpg", ".png")).write_bytes(png(coloured(answer_of(i))))
        want = np.where(answer_of(2) == 255, 3, answer_of(2))
        assert (import_masks(folder, data, names=NAMES[::-1]).maps(2)[0] == want).all()

    def test_too_many_names(self, folder, truth):
        names = [*NAMES, *(f"c{i}" for i in range(70_000))]
        refused(folder, truth, r"the names given for the predictions \(--classes\): 70,003 classes count", names=names)

    @settings(max_examples=20, deadline=None)
    @given(st.permutations(range(5)), st.integers(0, 2**32 - 1))
    def test_any_order_of_classes(self, tmp_path_factory, order, seed):
        where = tmp_path_factory.mktemp("p")
        rng = np.random.default_rng(seed)
        true, found = rng.integers(0, 5, (2, 6, 7)).astype(np.uint8)
        names = list("abcde")
        for folder in ("set/masks", "own", "other"):
            (where / folder).mkdir(parents=True)
        (where / "set" / "classes.txt").write_text("\n".join(names))
        (where / "set" / "masks" / "x.png").write_bytes(png(true))
        (where / "own" / "x.png").write_bytes(png(found))
        (where / "other" / "x.png").write_bytes(png(np.argsort(order).astype(np.uint8)[found]))
        data = open_dataset(where / "set", task=TASK, labels_only=True)
        own = import_masks(where / "own", data)
        other = import_masks(where / "other", data, names=[names[i] for i in order])
        assert (own.maps(0)[0] == found).all()
        assert (other.maps(0)[0] == found).all()


class TestScoring:
    def test_a_run(self, folder, truth, tmp_path, monkeypatch):
        monkeypatch.setattr(segmentation_scoring, "_PART_ROWS", 3)
        store = Store(tmp_path / "store")
        run = score(truth, folder, store)
        assert (run.task, run.model, run.dataset, run.samples) == (TASK, "answers", "set", 4)
        assert run.classes == list(NAMES)
        found = [np.where(answer_of(i) == 255, 3, answer_of(i)) for i in range(4)]
        counted = [labels_of(i) != 255 for i in range(4)]
        right = sum(int((f == labels_of(i))[c].sum()) for i, (f, c) in enumerate(zip(found, counted, strict=True)))
        assert run.metrics["pixel_accuracy"] == pytest.approx(right / sum(int(c.sum()) for c in counted), abs=1e-12)
        assert run.metrics["cross_entropy"] is None
        index = []
        for places, batch in segmentation_batches(run.predictions_path, 3):
            index += places.tolist()
            for place, answer, true in zip(places, batch.found, batch.truth, strict=True):
                assert (answer == found[place]).all()
                assert (true == labels_of(place)).all()
        assert index == [0, 1, 2, 3]
        assert score(truth, folder, store).id == run.id
        (folder / "2.png").write_bytes(png(labels_of(1)))
        assert score(truth, folder, store).id != run.id

    def test_part_of_the_pictures(self, folder, truth, tmp_path):
        store = Store(tmp_path / "store")
        assert score(truth, folder, store, limit=2).samples == 2
        (folder / "1.png").unlink()
        run = score(truth, folder, store, settings={"partial": "true"})
        assert run.samples == 3
        assert run.facts["notes"]["import"] == ["1 of 4 pictures have no mask and are left out: '1.jpg'."]
        with pytest.raises(InputError, match="no mask for 1 of the 4"):
            score(truth, folder, store)
        with pytest.raises(InputError, match="--set units: scoring takes"):
            score(truth, folder, store, settings={"units": "px"})

    def test_names_from_a_file(self, folder, truth, tmp_path):
        store = Store(tmp_path / "store")
        (tmp_path / "names.txt").write_text("car\nroad\nsky\n")
        turned = score(truth, folder, store, classes=str(tmp_path / "names.txt"))
        plain = score(truth, folder, store)
        assert turned.id != plain.id
        assert turned.metrics["pixel_accuracy"] < plain.metrics["pixel_accuracy"]

    def test_nothing_is_left_of_a_failure(self, folder, truth, tmp_path):
        store = Store(tmp_path / "store")
        (folder / "10.png").write_bytes(png(np.full((24, 32), 77, np.uint8)))
        with pytest.raises(InputError, match=r"10\.png: .* has the number 77"):
            score(truth, folder, store)
        assert store.runs() == []
        assert not list((tmp_path / "store").rglob("*.parquet"))
