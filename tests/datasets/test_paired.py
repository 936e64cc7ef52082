"""The paired format: usual layouts and names, scales, and pairs that do not fit."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dashboard.datasets.opening import open_dataset
from dashboard.datasets.paired_names import reduced, sort_out
from dashboard.errors import InputError
from tests.datasets.pictures import encode, gradient, png16, zip_folder

TASK = "enhancement"


def put(root: Path, name: str, height: int = 6, width: int = 8, seed: int = 0) -> Path:
    file = root / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(encode(gradient(height, width, seed), "JPEG" if file.suffix == ".jpg" else "PNG"))
    return file


def opened(root: Path, **options: str):
    return open_dataset(root, task=TASK, options=options)


def refused(root: Path, **options: str) -> str:
    with pytest.raises(InputError) as caught:
        opened(root, **options)
    text = str(caught.value)
    assert "\n" not in text
    return text


LAYOUTS = {
    "input and target": (["input/1.png", "input/2.png"], ["target/1.png", "target/2.png"], ["1.png", "2.png"]),
    "other extension": (["lq/1.jpg", "lq/2.png"], ["gt/1.png", "gt/2.png"], ["1.jpg", "2.png"]),
    "in any case": (["LR/a.png"], ["HR/a.png"], ["a.png"]),
    "spelt out": (["Low_Res/a.png"], ["Ground Truth/a.png"], ["a.png"]),
    "LOL": (["e/low/1.png", "e/low/22.png"], ["e/high/1.png", "e/high/22.png"], ["1.png", "22.png"]),
    "LOL v2": (["Low/low00690.png"], ["Normal/normal00690.png"], ["low00690.png"]),
    "GoPro": (
        ["GOPR1/blur/01.png", "GOPR2/blur/01.png"],
        ["GOPR1/sharp/01.png", "GOPR2/sharp/01.png"],
        ["GOPR1/01.png", "GOPR2/01.png"],
    ),
    "DIV2K": (
        ["DIV2K_valid_LR_bicubic/X4/0801x4.png", "DIV2K_valid_LR_bicubic/X4/0802x4.png"],
        ["DIV2K_valid_HR/0801.png", "DIV2K_valid_HR/0802.png"],
        ["0801x4.png", "0802x4.png"],
    ),
    "rain": (["rain/rain-001.png"], ["norain/norain-001.png"], ["rain-001.png"]),
    "hazy": (["hazy/01_outdoor_hazy.jpg"], ["GT/01_outdoor_GT.jpg"], ["01_outdoor_hazy.jpg"]),
    "endings": (["lq/a_noisy.png", "lq/b_LR.png"], ["gt/a.png", "gt/b_HR.png"], ["a_noisy.png", "b_LR.png"]),
    "SIDD": (
        ["0001_001/NOISY_SRGB_010.PNG", "0002_001/NOISY_SRGB_010.PNG"],
        ["0001_001/GT_SRGB_010.PNG", "0002_001/GT_SRGB_010.PNG"],
        ["0001_001/NOISY_SRGB_010.PNG", "0002_001/NOISY_SRGB_010.PNG"],
    ),
    "one folder": (["a_LR.png", "b_LR.png"], ["a_HR.png", "b_HR.png"], ["a_LR.png", "b_LR.png"]),
    "sub-folders": (["input/x/1.png", "input/y/1.png"], ["target/x/1.png", "target/y/1.png"], ["x/1.png", "y/1.png"]),
    "a word in the wrapping": (["noisy_set/input/1.png"], ["noisy_set/target/1.png"], ["1.png"]),
    "named for the task": (["rain/input/1.png"], ["rain/target/1.png"], ["1.png"]),
    "BasicSR": (["Set5/LRbicx4/baby.png"], ["Set5/GTmod12/baby.png"], ["baby.png"]),
    "EDSR": (["LR_bicubic/X2/babyx2.png"], ["HR/baby.png"], ["babyx2.png"]),
    "other folders": (["lq/a.png"], ["gt/only/a.png"], ["a.png"]),
}  # fmt: skip


@pytest.mark.parametrize("name", LAYOUTS)
def test_layouts(name, tmp_path):
    inputs, targets, ids = LAYOUTS[name]
    for place, (ours, theirs) in enumerate(zip(inputs, targets, strict=True)):
        put(tmp_path / "set", ours, seed=place)
        put(tmp_path / "set", theirs, 12, 16, seed=place + 3)
    data = opened(tmp_path / "set")
    assert (data.format, data.task, data.scale, data.recipe) == ("paired", TASK, 2, "")
    assert data.ids == ids
    assert data.warnings == ()
    assert data.files == [str(tmp_path / "set" / path) for path in inputs]
    assert data.references == [str(tmp_path / "set" / path) for path in targets]
    sample = data[-1]
    assert sample.image.shape == (6, 8, 3)
    assert sample.target.size == (12, 16)
    assert sample.target.scale == 2
    if targets[-1].lower().endswith("png"):
        np.testing.assert_array_equal(sample.target.pixels, gradient(12, 16, len(ids) + 2))
    packed = open_dataset(zip_folder(tmp_path / "set", tmp_path / "set.zip"), task=TASK, cache_dir=tmp_path / "cache")
    assert packed.ids == ids
    assert packed.fingerprint == data.fingerprint


@pytest.mark.parametrize(
    ("stem", "left"),
    [
        ("0801x4", "0801"),
        ("img_001_SRF_4_LR", "img_001_SRF_4"),
        ("low00690", "00690"),
        ("lowland", "lowland"),
        ("a.noisy", "a"),
        ("NOISY_SRGB_010", "SRGB_010"),
        ("babyx4", "baby"),
        ("x4", "x4"),
        ("noisy", "noisy"),
        ("a_x4_b", "a_b"),
        ("plain name", "plain name"),
    ],
)
def test_reduced(stem, left):
    assert reduced(stem) == left


def test_whole_names_of_folders_count_most():
    found = sort_out(["s/blur/1.png", "s/blur_gamma/1.png", "s/sharp/1.png", "readme.png"])
    assert [p.path for p in found.inputs] == ["s/blur/1.png"]
    assert [p.key for p in found.targets] == ["s/1.png"]
    assert found.rest == ["s/blur_gamma/1.png", "readme.png"]


def test_ordinary_pictures_are_no_pairs(tmp_path):
    for name in ("low_tide.png", "high_tide.png", *(f"{i}.png" for i in range(4))):
        put(tmp_path / "set", name)
    assert opened(tmp_path / "set", degrade="noise:5").format == "images"


def test_pairs_are_not_degraded(tmp_path):
    put(tmp_path, "input/a.png")
    put(tmp_path, "target/a.png")
    assert "give the folder of clean pictures, without inputs (option degrade)" in refused(tmp_path, degrade="noise:5")
    assert opened(tmp_path / "target", degrade="noise:5").ids == ["a.png"]


class TestNames:
    @pytest.fixture
    def root(self, tmp_path):
        for name in ("input/a.png", "input/b.png", "input/c.png", "target/a.png", "target/b.png", "target/d.png"):
            put(tmp_path / "set", name)
        return tmp_path / "set"

    def test_without_partner(self, root):
        text = refused(root)
        assert "1 of 3 inputs have no reference ('input/c.png')" in text
        assert "1 of 3 references have no input ('target/d.png')" in text
        assert "without_pair=skip" in text
        data = opened(root, without_pair="skip")
        assert data.ids == ["a.png", "b.png"]
        assert "'input/c.png'" in data.warnings[0]
        assert "left out" in data.warnings[0]
        assert "it must be skip or error" in refused(root, without_pair="no")

    def test_different_counts(self, root):
        (root / "target" / "d.png").unlink()
        (root / "input" / "b.png").unlink()
        assert "1 of 2 inputs have no reference ('input/c.png') and 1 of 2 references" in refused(root)

    def test_no_name_in_common(self, tmp_path):
        put(tmp_path, "input/a.png")
        put(tmp_path, "target/q.png")
        assert "without_pair" not in refused(tmp_path)
        assert "give both the same name" in refused(tmp_path, without_pair="skip")

    def test_two_of_a_name(self, root):
        put(root, "input/a.jpg")
        assert "'input/a.jpg' and 'input/a.png' (inputs) have the same name but for extension" in refused(root)

    def test_two_scales_of_one_picture(self, tmp_path):
        put(tmp_path, "HR/0801.png", 12, 16)
        put(tmp_path, "LR/X2/0801x2.png")
        put(tmp_path, "LR/X4/0801x4.png", 3, 4)
        assert "option input=FOLDER" in refused(tmp_path)
        assert opened(tmp_path, input="LR/X4").scale == 4
        assert opened(tmp_path, input="LR/X2").ids == ["0801x2.png"]

    def test_one_side_only(self, tmp_path):
        put(tmp_path, "input/a.png")
        text = refused(tmp_path)
        assert "degrade" in text, "it is taken for clean pictures"
        with pytest.raises(InputError, match="no pictures that are references: call their folder target"):
            open_dataset(tmp_path, format="paired", task=TASK)


def test_given_folders(tmp_path):
    put(tmp_path, "set/dim/a.png")
    put(tmp_path, "set/bright/a.png")
    put(tmp_path, "elsewhere/a.png", seed=5)
    data = open_dataset(tmp_path / "set", "paired", TASK, {"input": "dim", "target": "bright"})
    assert data.ids == ["a.png"]
    far = str(tmp_path / "elsewhere")
    data = open_dataset(tmp_path / "set", "paired", TASK, {"input": "dim", "target": far})
    np.testing.assert_array_equal(data.targets[0].pixels, gradient(6, 8, 5))
    options = {"input": "dim", "target": far}
    with pytest.raises(InputError, match="lies outside the dataset's folder"):
        open_dataset(tmp_path / "set", "paired", TASK, options | {"confine": "true"})
    archive = zip_folder(tmp_path / "set", tmp_path / "set.zip")
    with pytest.raises(InputError, match=r"lies outside the dataset's folder \(option target\)"):
        open_dataset(archive, "paired", TASK, options, cache_dir=tmp_path / "cache")
    with pytest.raises(InputError, match=r"is not a folder \(option input\)"):
        open_dataset(tmp_path / "set", "paired", TASK, {"input": "nowhere", "target": "bright"})


def test_splits(tmp_path):
    for split in ("train", "val"):
        put(tmp_path, f"{split}/input/{split}1.png")
        put(tmp_path, f"{split}/target/{split}1.png")
    data = opened(tmp_path)
    assert data.ids == ["val1.png"]
    assert data.warnings == ("Of train, val only 'val' is read; the option split=NAME chooses another.",)
    assert opened(tmp_path, split="train").ids == ["train1.png"]
    assert "there is no split 'test' (option split): the folders say train, val" in refused(tmp_path, split="test")


class TestSizes:
    @pytest.mark.parametrize(
        ("ours", "theirs", "says"),
        [
            ((6, 8), (15, 20), "target/a.png is 20x15 pixels, but its input a.png is 8x6: a reference must have its"),
            ((6, 8), (12, 24), "whole number of times larger in both directions"),
            ((6, 8), (12, 17), "whole number of times larger in both directions"),
            ((6, 8), (6, 9), "whole number of times larger in both directions"),
            ((12, 16), (6, 8), "the input is the larger one: exchange the folders"),
        ],
    )
    def test_do_not_fit(self, tmp_path, ours, theirs, says):
        put(tmp_path, "input/a.png", *ours)
        put(tmp_path, "target/a.png", *theirs)
        assert says in refused(tmp_path)

    def test_scales_differ(self, tmp_path):
        for name, times in (("a", 2), ("b", 2), ("c", 4)):
            put(tmp_path, f"input/{name}.png")
            put(tmp_path, f"target/{name}.png", 6 * times, 8 * times)
        text = refused(tmp_path)
        assert "target/c.png is 4 times as large as its input c.png, but that of a.png is 2 times" in text
        assert "a dataset of each scale" in text

    def test_several_do_not_fit(self, tmp_path):
        for name, height in (("a", 6), ("b", 7), ("c", 9)):
            put(tmp_path, f"input/{name}.png")
            put(tmp_path, f"target/{name}.png", height)
        assert "b.png is 8x6 (2 of 3 pairs do not fit)" in refused(tmp_path)

    def test_turned(self, tmp_path):
        exif = Image.Exif()
        exif[0x0112] = 6
        put(tmp_path, "target/a.png")
        (tmp_path / "input").mkdir()
        (tmp_path / "input" / "a.jpg").write_bytes(encode(gradient(6, 8), "JPEG", exif=exif))
        assert "only one of them is turned by an EXIF mark" in refused(tmp_path)
        put(tmp_path, "target/a.png", 16, 12)
        data = opened(tmp_path)
        assert data.scale == 2
        assert data[0].image.shape == (8, 6, 3)

    def test_changed_afterwards(self, tmp_path):
        put(tmp_path, "input/a.png")
        put(tmp_path, "target/a.png")
        data = opened(tmp_path)
        put(tmp_path, "target/a.png", 7)
        sample = data[0]
        assert sample.image.shape == (6, 8, 3), "the reference is not read with it"
        with pytest.raises(InputError, match=r"a\.png has changed since"):
            _ = sample.target


def png_with_alpha(alpha: int) -> bytes:
    return encode(np.dstack([gradient(6, 8), np.full((6, 8), alpha, np.uint8)]), "PNG")


def encode_tiff16() -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.arange(48, dtype=np.uint16).reshape(6, 8) * 1000).save(buffer, "TIFF")
    return buffer.getvalue()


class TestKinds:
    @pytest.fixture
    def root(self, tmp_path):
        for name in ("input/a.png", "input/b.png", "target/a.png", "target/b.png"):
            put(tmp_path / "set", name)
        return tmp_path / "set"

    @pytest.mark.parametrize("side", ["input", "target"])
    @pytest.mark.parametrize(
        "data", [png16(np.full((6, 8, 3), 999, np.uint16)), png16(np.ones((6, 8), np.uint16)), encode_tiff16()]
    )
    def test_16_bits_on_one_side(self, root, side, data):
        (root / side / "b.png").write_bytes(data)
        text = refused(root)
        assert f"{side}/b.png has more than 8 bits a channel" in text
        assert "save both with the same number of bits" in text

    def test_16_bits_on_both_sides(self, root):
        for side in ("input", "target"):
            (root / side / "b.png").write_bytes(png16(np.full((6, 8, 3), 0x8040, np.uint16)))
        data = opened(root)
        assert data.warnings == ("Reduced to 8 bits a channel, of more: 1 of 2 pictures ('b.png').",)
        assert (data.targets[1].pixels == 0x80).all()

    @pytest.mark.parametrize("side", ["input", "target"])
    def test_alpha_on_one_side(self, root, side):
        (root / side / "b.png").write_bytes(png_with_alpha(100))
        text = refused(root)
        assert f"{side}/b.png has transparency (an alpha channel)" in text
        assert "alpha=ignore" in text
        data = opened(root, alpha="ignore")
        assert data.warnings == ("Transparency is left out of the comparison: 1 of 2 pictures ('b.png').",)
        assert data[1].image.shape == (6, 8, 3)
        np.testing.assert_array_equal(data.targets[1].pixels, gradient(6, 8))

    def test_alpha_on_both_sides(self, root):
        for side in ("input", "target"):
            (root / side / "b.png").write_bytes(png_with_alpha(100))
        assert "Transparency is left out" in opened(root).warnings[0]

    def test_odd_files(self, root):
        (root / "notes.txt").write_text("x")
        put(root, "extra.png")
        notes = opened(root).warnings
        assert notes[0].startswith("1 file that is not a picture passed over (.txt 1)")
        assert notes[1] == "1 pictures in other folders left out ('extra.png')."
        (root / "target" / "b.png").write_bytes(b"no picture")
        assert "target/b.png is not an image" in refused(root)


class TestReferencesOnly:
    def test_inputs_elsewhere(self, tmp_path):
        put(tmp_path, "target/a.png", 12, 16)
        put(tmp_path, "target/b.png", 12, 16)
        data = open_dataset(tmp_path, "paired", TASK, {"scale": "2"}, labels_only=True)
        assert data.ids == ["a.png", "b.png"]
        assert data.scale == data.targets[0].scale == 2
        assert "Inputs are not here" in data.warnings[0]
        assert data.fingerprint
        with pytest.raises(InputError, match=r"The input of a\.png is not here"):
            data[0].load()
        with pytest.raises(InputError, match="option scale=0: it must be"):
            open_dataset(tmp_path, "paired", TASK, {"scale": "0"}, labels_only=True)

    def test_inputs_here_all_the_same(self, tmp_path):
        put(tmp_path, "target/a.png", 12, 16)
        put(tmp_path, "input/a.png")
        data = open_dataset(tmp_path, task=TASK, labels_only=True)
        assert data.scale == 2
        assert data[0].image.shape == (6, 8, 3)
        assert open_dataset(tmp_path, task=TASK, options={"scale": "2"}).fingerprint == data.fingerprint
        with pytest.raises(InputError, match=r"references are 2 times as large as their inputs, not 4 times \(option"):
            open_dataset(tmp_path, task=TASK, options={"scale": "4"}, labels_only=True)
        with pytest.raises(InputError, match="option scale=much: it must be"):
            open_dataset(tmp_path, task=TASK, options={"scale": "much"})
