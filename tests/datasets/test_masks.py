"""The masks format: layouts of folders and names, what counts, and folders that are not what they should be."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading

import numpy as np
import pytest
from PIL import Image

from dashboard.datasets import mask_scan
from dashboard.datasets.mask_pairs import pair
from dashboard.datasets.mask_scan import scan
from dashboard.datasets.opening import open_dataset
from dashboard.errors import InputError
from tests.datasets.masks_on_disk import (
    COLOURS,
    FILES,
    NAMES,
    coloured,
    labels_of,
    make_masks,
    opened,
    png,
    put,
    refused,
)
from tests.datasets.pictures import encode, gradient, write, zip_folder


@pytest.fixture
def root(tmp_path):
    make_masks(tmp_path / "set")
    return tmp_path / "set"


def test_by_hand(root):
    data = opened(root)
    assert data.format == "masks"
    assert data.task == "semantic-segmentation"
    assert data.class_names == NAMES
    assert data.ids == list(FILES), "in natural order"
    assert data.warnings == ()
    assert data.sizes.tolist() == [[24, 32]] * 4
    for i in range(4):
        truth = data.targets[i]
        assert truth.class_ids.dtype == np.uint8
        assert truth.ignore_index == 255
        assert (truth.class_ids == labels_of(i)).all()
    # 24 x 31 pixels count; the car has 4 x (3 + i), half above row 12 and half below
    assert data.pixels.tolist() == [[12 * 31 - 2 * (3 + i), 12 * 31 - 2 * (3 + i), 4 * (3 + i)] for i in range(4)]
    assert data.used == [True, True, True]
    assert data[-1].id == FILES[-1]
    assert data[0].image.shape == (24, 32, 3)
    assert (data.targets[-1].class_ids == labels_of(3)).all()
    assert len(data.targets[1:3]) == 2
    with pytest.raises(IndexError):
        data.targets[4]


def test_targets_are_read_when_asked_for(root):
    data = opened(root)
    put(root, 1, np.full((24, 32), 7, np.uint8))
    with pytest.raises(InputError, match="has the number 7"):
        data.targets[1]
    put(root, 1, np.zeros((5, 5), np.uint8))
    with pytest.raises(InputError, match="has changed since"):
        data.targets[1]
    assert (data.targets[0].class_ids == labels_of(0)).all()


class TestWhatCounts:
    def test_without_names(self, root):
        (root / "classes.txt").unlink()
        assert opened(root).class_names == ("0", "1", "2")
        assert opened(root, ignore="1").class_names == ("0", "2")
        put(root, 0, np.where(labels_of(0) == 2, 7, labels_of(0)).astype(np.uint8))
        assert opened(root).class_names == tuple("01234567")
        assert opened(root, ignore="7").class_names == ("0", "1", "2")

    def test_ignored_classes_leave_the_list(self, root):
        data = opened(root, ignore="road")
        assert data.class_names == ("sky", "car")
        want = np.array([0, 255, 1], np.uint8)
        ids = labels_of(0)
        assert (data.targets[0].class_ids == np.where(ids == 255, 255, want[np.minimum(ids, 2)])).all()
        assert opened(root, ignore="1").fingerprint == data.fingerprint
        assert opened(root, ignore="1,255").fingerprint == data.fingerprint
        assert opened(root, ignore_index="1").fingerprint == data.fingerprint
        assert opened(root).fingerprint != data.fingerprint
        refused(root, r"column 0 has the number 255 \(and 3 other masks", ignore="none")
        refused(root, "'roat' is neither a number.* Did you mean 'road'", ignore="roat")

    def test_void_by_name(self, root):
        (root / "classes.txt").write_text("sky\nVoid\ncar\n")
        data = opened(root)
        assert data.class_names == ("sky", "car")
        assert data.warnings[0].startswith("Pixels of 'Void' (1) do not count, by the name")
        assert opened(root, ignore="255").class_names == ("sky", "Void", "car")

    def test_the_number_after_the_last_class(self, root):
        (root / "classes.txt").write_text("sky\nroad\n")
        data = opened(root)
        assert data.class_names == ("sky", "road")
        assert data.warnings[0].startswith(
            "The number 2, one past the 2 classes of classes.txt, is taken as void: 2.3%"
        )
        assert data.fingerprint == opened(root, ignore="2").fingerprint
        assert opened(root, ignore="2").warnings == ()
        for i in (0, 1, 2):
            put(root, i, np.minimum(labels_of(i), 1))
        refused(root, r"masks/10\.png: the pixel at row 10, column 5 has the number 2, .*classes\.txt \(0\.\.1\): add")

    def test_a_number_that_is_no_class(self, root):
        ids = labels_of(1)
        ids[7, 9] = 4
        put(root, 1, ids)
        text = refused(root, r"2\.png: the pixel at row 7, column 9 has the number 4, which is none of the classes of")
        assert "(0..2): add the class there, or leave such pixels out with the option ignore=4" in text
        assert opened(root, ignore="4").class_names == NAMES

    def test_reduce_zero_label(self, root):
        for i in range(4):
            ids = labels_of(i)
            put(root, i, np.where(ids == 255, 0, ids + 1).astype(np.uint8))
        data = opened(root, reduce_zero_label="true")
        assert data.class_names == NAMES
        assert (data.targets[2].class_ids == labels_of(2)).all()
        (root / "classes.txt").unlink()
        assert opened(root, reduce_zero_label="true").class_names == ("1", "2", "3")
        refused(root, "must be true or false", reduce_zero_label="maybe")

    def test_two_classes_as_black_and_white(self, root):
        for i in range(4):
            put(root, i, np.where(labels_of(i) == 2, 255, 0).astype(np.uint8))
        (root / "classes.txt").write_text("rest\ncar\n")
        data = opened(root)
        assert data.class_names == ("rest", "car")
        assert "255 is the class 'car'" in data.warnings[0]
        assert data.pixels.sum(axis=0).tolist() == [4 * 24 * 32 - 4 * 18, 4 * 18]
        (root / "classes.txt").unlink()
        assert opened(root).class_names == ("0", "1")
        assert opened(root, ignore="255").class_names == ("0",)

    def test_sixteen_bits(self, root):
        for i in range(4):
            put(root, i, np.where(labels_of(i) == 255, 65535, labels_of(i).astype(np.uint16)).astype(np.uint16))
        data = opened(root)
        assert data.targets[0].class_ids.dtype == np.uint8
        assert (data.targets[0].class_ids == labels_of(0)).all()
        big = labels_of(0).astype(np.uint16)
        big[3, 4] = 26001
        put(root, 0, big)
        refused(root, "row 3, column 4 has the number 26001.*number of an object")
        (root / "classes.txt").unlink()
        refused(root, r"a mask has the number 26001, and no classes\.txt")
        (root / "classes.txt").write_text("".join(f"c{i}\n" for i in range(300)))
        big[3, 4] = 299
        put(root, 0, big)
        data = opened(root)
        assert data.targets[0].class_ids.dtype == np.uint16
        assert data.targets[0].ignore_index == 65535
        assert data.targets[0].class_ids[0, 0] == 255, "a class of 300"
        assert data.targets[1].class_ids[0, 0] == 65535

    def test_all_ignored_and_unused(self, root):
        put(root, 2, np.full((24, 32), 255, np.uint8))
        (root / "classes.txt").write_text("sky\nroad\ncar\nboat\n")
        data = opened(root)
        assert data.warnings == (
            "Pictures without a pixel that counts: 1 of 4 ('3.jpg').",
            "1 of 4 classes do not occur: 'boat'.",
        )
        assert data.used == [True, True, True, False]
        for i in range(4):
            put(root, i, np.full((24, 32), 255, np.uint8))
        assert len(opened(root)) == 4
        (root / "classes.txt").unlink()
        refused(root, "no mask has a pixel that counts", ignore="255")


class TestColours:
    def test_by_a_palette_file(self, root):
        plain = opened(root)
        for i in range(4):
            put(root, i, coloured(labels_of(i)))
        refused(root, r"1\.png is an RGB mask and there is no palette")
        (root / "palette.txt").write_text("".join(f"{n},{','.join(map(str, c))}\n" for n, c in COLOURS.items()))
        data = opened(root)
        assert data.class_names == NAMES
        assert data.pixels.tolist() == plain.pixels.tolist()
        assert (data.targets[3].class_ids == labels_of(3)).all()
        assert data.warnings[0].startswith("Pixels of 'void' (3) do not count")
        (root / "classes.txt").unlink()
        assert opened(root).class_names == NAMES, "the palette names them"
        (root / "palette.txt").rename(root.parent / "mine.csv")
        assert opened(root, palette=str(root.parent / "mine.csv")).class_names == NAMES
        refused(root, "lies outside", palette=str(root.parent / "mine.csv"), confine="true")

    def test_the_list_gives_the_order(self, root):
        for i in range(4):
            put(root, i, coloured(labels_of(i)))
        text = "void 0 0 0\ncar 0 0 142\nroad 128 64 128\nSky 70 130 180\n"
        (root / "palette.txt").write_text(text)
        data = opened(root)
        assert data.class_names == NAMES
        assert (data.targets[0].class_ids == labels_of(0)).all()
        (root / "palette.txt").write_text(text + "bridge 1 1 1\n")
        refused(root, "a colour for 'bridge', which is none of the classes")
        assert opened(root, ignore="void,bridge").class_names == NAMES

    def test_colours_without_names(self, root):
        for i in range(4):
            put(root, i, coloured(np.minimum(labels_of(i), 2)))
        (root / "palette.txt").write_text("70 130 180\n128 64 128\n0 0 142\n")
        assert opened(root).class_names == NAMES
        (root / "classes.txt").unlink()
        assert opened(root).class_names == ("0", "1", "2")

    def test_a_colour_that_is_not_there(self, root):
        (root / "palette.txt").write_text("sky,70,130,180\nroad,128,64,128\ncar,0,0,142\n")
        put(root, 0, coloured(labels_of(0)))
        refused(root, r"1\.png: the pixel at row 0, column 0 has the colour 0,0,0.*\(24 pixels")

    def test_palette_png(self, root):
        for i in range(4):
            put(root, i, labels_of(i), palette=[v for c in COLOURS.values() for v in c])
        assert opened(root).pixels.tolist()[0] == [366, 366, 12]
        (root / "palette.txt").write_text("car,70,130,180\nroad,128,64,128\nsky,0,0,142\n")
        refused(root, "number 0 have the colour 70,130,180.* calls 2: .*palette_png=numbers or palette_png=colours")
        assert opened(root, palette_png="numbers").pixels.tolist()[0] == [366, 366, 12]
        refused(root, "must be numbers or colours", palette_png="x")
        refused(root, "has the colour 0,0,0", palette_png="colours")
        (root / "palette.txt").write_text("car,70,130,180\nroad,128,64,128\nsky,0,0,142\nvoid,0,0,0\n")
        data = opened(root, palette_png="colours")
        assert data.class_names == NAMES
        assert data.pixels.tolist()[0] == [12, 366, 366]

    def test_roboflows_list(self, root):
        (root / "classes.txt").rename(root / "_classes.csv")
        (root / "_classes.csv").write_text("Pixel Value, Class\n0, sky\n1, road\n2, car\n")
        assert opened(root).class_names == NAMES


class TestPanoptic:
    """COCO panoptic: two cars are two segments of one class."""

    @pytest.fixture
    def root(self, tmp_path):
        root = tmp_path / "coco"
        (root / "annotations" / "panoptic_val").mkdir(parents=True)
        annotations = []
        for i, name in enumerate(FILES):
            write(root / "val" / name, i)
            ids = labels_of(i)
            segment = np.select([ids == 0, ids == 1, ids == 2], [7, 300, 70_000], 0)
            segment[11, 5:8] = np.where(ids[11, 5:8] == 2, 70_001, segment[11, 5:8])
            rgb = np.dstack([segment % 256, segment // 256 % 256, segment // 65536]).astype(np.uint8)
            (root / "annotations" / "panoptic_val" / name.replace(".jpg", ".png")).write_bytes(png(rgb))
            info = [{"id": n, "category_id": c, "iscrowd": 0} for n, c in ((7, 21), (300, 9), (70_000, 4), (70_001, 4))]
            annotations.append({"image_id": i, "file_name": name.replace(".jpg", ".png"), "segments_info": info})
        categories = [{"id": c, "name": n, "isthing": 0} for c, n in ((21, "sky"), (9, "road"), (4, "car"))]
        self.content = {"images": [], "annotations": annotations, "categories": categories}
        self.file = root / "annotations" / "panoptic_val.json"
        self.file.write_text(json.dumps(self.content))
        return root

    def test_by_hand(self, root, tmp_path):
        data = opened(root)
        assert data.class_names == NAMES
        assert data.ids == list(FILES)
        assert data.warnings == ()
        for i in range(4):
            assert (data.targets[i].class_ids == labels_of(i)).all()
        assert data.fingerprint == opened(root, annotations="panoptic_val.json").fingerprint
        archive = zip_folder(root, tmp_path / "a.zip", inside="coco")
        packed = open_dataset(archive, task="semantic-segmentation", cache_dir=tmp_path / "cache")
        assert packed.fingerprint == data.fingerprint
        self.content["annotations"][1]["segments_info"][0]["category_id"] = 9
        self.file.write_text(json.dumps(self.content))
        assert opened(root).fingerprint != data.fingerprint
        assert (opened(root).targets[1].class_ids[0, 1:] == 1).all()
        assert opened(root, ignore="sky").class_names == ("road", "car")

    @pytest.mark.parametrize(
        ("change", "match"),
        [
            (
                lambda c: c["annotations"][1]["segments_info"].pop(),
                r"2\.png: the pixel at row 11, column 5 has the colour",
            ),
            (lambda c: c["annotations"].pop(), r"10\.png is not among the annotations"),
            (lambda c: c["categories"].pop(), "annotation 1: the segment 70000 of category 4 needs"),
            (
                lambda c: c["annotations"][0]["segments_info"][0].update(category_id=[4]),
                "annotation 1: the segment 7 of",
            ),
            (lambda c: c["categories"][0].pop("name"), "category 1: it needs a name"),
            (lambda c: c["categories"][0].update(id=9), "two categories have the same id or name"),
            (lambda c: c["annotations"][2].pop("segments_info"), "annotation 3: it needs file_name and segments_info"),
            (
                lambda c: c["annotations"][0]["segments_info"][0].update(id=300),
                "annotation 1: two segments have the same",
            ),
            (lambda c: c["annotations"][0]["segments_info"][0].update(id=1 << 24), r"needs an id in 1\.\."),
            (lambda c: c.update(categories=3), "is no panoptic JSON"),
        ],
    )
    def test_refused(self, root, change, match):
        change(self.content)
        self.file.write_text(json.dumps(self.content))
        refused(root, match)

    def test_several(self, root):
        (root / "panoptic_b.json").write_text(self.file.read_text())
        refused(root, r"several panoptic files, panoptic_b\.json, annotations/panoptic_val\.json: name one")
        assert len(opened(root, annotations="panoptic_val.json")) == 4
        refused(root, "lies outside", annotations=str(root.parent / "x.json"), confine="true")
        refused(root, r"gone\.json is not there", annotations="gone.json")


class TestLayouts:
    @pytest.mark.parametrize(
        ("images", "masks"), [("img", "labels"), ("JPEGImages", "SegmentationClass"), ("rgb", "GT")]
    )
    def test_other_names(self, root, images, masks):
        (root / "images").rename(root / images)
        (root / "masks").rename(root / masks)
        assert opened(root).ids == list(FILES)

    def test_named_by_options(self, root):
        (root / "images").rename(root / "a")
        (root / "masks").rename(root.parent / "b")
        refused(root, "no folder of masks .* its folders are a: name the one")
        far = str(root.parent / "b")
        refused(root, r"no folder of pictures .* its folders are a: name", masks=far)
        assert opened(root, images="a", masks=far).ids == list(FILES)
        refused(root, "lies outside", images="a", masks=far, confine="true")
        refused(root, r"c is not a folder \(option images\)", images="c", masks=far)

    def test_wrapped_and_split(self, tmp_path):
        for split in ("train", "val"):
            make_masks(tmp_path / "deep" / split)
        data = opened(tmp_path)
        assert data.ids == list(FILES)
        assert data.warnings == ("Of train, val only 'val' is read; the option split=NAME chooses another.",)
        assert opened(tmp_path, split="train").warnings == ()
        assert f"train{os.sep}images" in opened(tmp_path, split="train").files[0]

    def test_splits_within(self, tmp_path):
        for split, index in (("train", 0), ("val", 1), ("test", 2)):
            write(tmp_path / "images" / split / "town" / "x_leftImg8bit.png", index)
            folder = tmp_path / "gtFine" / split / "town"
            folder.mkdir(parents=True)
            for end in ("labelIds", "instanceIds", "color", "labelTrainIds"):
                ids = labels_of(index) if end == "labelTrainIds" else np.full((24, 32), 9, np.uint8)
                (folder / f"x_gtFine_{end}.png").write_bytes(png(ids))
        data = opened(tmp_path)
        assert data.ids == ["val/town/x_leftImg8bit.png"]
        assert "only 'val' is read" in data.warnings[0]
        assert (data.targets[0].class_ids == labels_of(1)).all(), "training ids come first"
        assert opened(tmp_path, split="test").ids == ["test/town/x_leftImg8bit.png"]
        assert opened(tmp_path, ending="_gtFine_labelIds").class_names == tuple(map(str, range(10)))
        refused(tmp_path, "no split 'vall'.* Did you mean 'val'", split="vall")
        refused(tmp_path, "no masks whose names end in _x", ending="_x")

    def test_voc(self, root):
        (root / "images").rename(root / "JPEGImages")
        (root / "masks").rename(root / "SegmentationClass")
        (root / "SegmentationClass" / "2.png").unlink()
        data = opened(root)
        assert data.ids == ["1.jpg", "3.jpg", "10.jpg"]
        assert data.warnings == ("1 of 4 pictures have no mask and are left out: '2.jpg'.",)
        lists = root / "ImageSets" / "Segmentation"
        lists.mkdir(parents=True)
        (lists / "val.txt").write_text("3\n10\n")
        assert opened(root, split="val").ids == ["3.jpg", "10.jpg"]
        (lists / "val.txt").write_text("3\n11\n")
        refused(root, r"val\.txt, line 2: there is no picture '11'", split="val")

    @pytest.mark.parametrize("end", ["_mask", "_L", "_labelIds", "_seg"])
    def test_endings_of_masks(self, root, end):
        for name in FILES:
            stem = name.removesuffix(".jpg")
            (root / "masks" / f"{stem}.png").rename(root / "masks" / f"{stem}{end}.png")
        assert opened(root).ids == list(FILES)

    def test_side_by_side(self, root):
        for name in FILES:
            stem = name.removesuffix(".jpg")
            (root / "images" / name).rename(root / f"{stem}_sat.jpg")
            (root / "masks" / f"{stem}.png").rename(root / f"{stem}_mask.png")
        data = opened(root)
        assert data.ids == ["1_sat.jpg", "2_sat.jpg", "3_sat.jpg", "10_sat.jpg"]
        assert (data.targets[3].class_ids == labels_of(3)).all()
        for name in FILES:
            stem = name.removesuffix(".jpg")
            (root / f"{stem}_sat.jpg").rename(root / f"{stem}.jpg")
            (root / f"{stem}_mask.png").rename(root / f"{stem}.truth.png")
        refused(root, "no folder of masks")
        assert opened(root, images=".", masks=".", ending=".truth").ids == list(FILES)

    def test_masks_in_one_folder_for_pictures_in_several(self, root):
        (root / "images" / "a").mkdir()
        (root / "images" / "1.jpg").rename(root / "images" / "a" / "1.jpg")
        assert opened(root).ids == ["2.jpg", "3.jpg", "10.jpg", "a/1.jpg"]

    def test_zip_and_labels_alone(self, root, tmp_path):
        archive = zip_folder(root, tmp_path / "a.zip", inside="set")
        data = open_dataset(archive, task="semantic-segmentation", cache_dir=tmp_path / "cache")
        assert data.fingerprint == opened(root).fingerprint
        put(root, 0, np.full((24, 32), 77, np.uint8))
        archive = zip_folder(root, tmp_path / "b.zip", inside="set")
        with pytest.raises(InputError, match=r"b\.zip/masks/1\.png: the pixel at row 0, column 0 has the number 77"):
            open_dataset(archive, task="semantic-segmentation", cache_dir=tmp_path / "cache")
        put(root, 0, labels_of(0))
        for name in FILES:
            (root / "images" / name).unlink()
        refused(root, "masks in masks, but no folder of pictures")
        bare = open_dataset(root, task="semantic-segmentation", labels_only=True)
        assert bare.ids == ["1", "2", "3", "10"]
        assert (bare.targets[1].class_ids == labels_of(1)).all()


class TestWhatDoesNotFit:
    def test_missing_masks(self, root):
        (root / "masks" / "2.png").unlink()
        (root / "masks" / "10.png").unlink()
        refused(root, r"masks: 2 of 4 pictures have no mask: '2\.jpg', '10\.jpg'; add them, .*without_mask=skip")
        data = opened(root, without_mask="skip")
        assert data.ids == ["1.jpg", "3.jpg"]
        assert data.warnings == ("2 of 4 pictures have no mask and are left out: '2.jpg', '10.jpg'.",)
        refused(root, "must be skip or error", without_mask="x")
        for name in ("1.png", "3.png"):
            (root / "masks" / name).rename(root / "masks" / f"other{name}")
        refused(root, "4 of 4 pictures have no mask", without_mask="skip")

    def test_masks_of_no_picture(self, root):
        (root / "images" / "2.jpg").unlink()
        assert opened(root).warnings == ("1 masks of no picture left out: '2.png'.",)

    def test_pictures_that_differ_in_extension_alone(self, root):
        write(root / "images" / "2.png")
        refused(root, r"'2\.jpg' and '2\.png' differ only in their extension or ending, so '2\.png'")

    def test_masks_that_differ_in_extension_alone(self, root):
        Image.fromarray(labels_of(0)).save(root / "masks" / "3.bmp")
        refused(root, r"'3\.bmp' and '3\.png' both are masks of '3\.jpg'")
        for name in FILES:
            (root / "images" / name).unlink()
        with pytest.raises(InputError, match="two masks are called '3'"):
            open_dataset(root, task="semantic-segmentation", labels_only=True)

    def test_another_size(self, root):
        put(root, 1, labels_of(1)[:, :30])
        refused(root, r"masks/2\.png is 30x24 pixels, but its picture 2\.jpg is 32x24: give masks of the size")
        put(root, 3, labels_of(3)[:20])
        refused(root, r"32x24 \(2 masks do not fit\)")

    def test_a_picture_turned_by_exif(self, root):
        exif = Image.Exif()
        exif[0x0112] = 6
        (root / "images" / "1.jpg").write_bytes(encode(gradient(), exif=exif))
        refused(root, "is 32x24 pixels, but its picture 1.jpg is 24x32.*EXIF mark: turn the mask")
        put(root, 0, np.rot90(labels_of(0)).copy())
        assert opened(root).sizes[0].tolist() == [32, 24]

    def test_damaged_and_odd_files(self, root):
        file = root / "masks" / "2.png"
        file.write_bytes(file.read_bytes()[:60])
        refused(root, r"2\.png (is truncated|is damaged|begins like)")
        file.write_bytes(b"")
        refused(root, r"2\.png is empty")
        file.unlink()
        file.symlink_to(root / "gone.png")
        refused(root, r"2\.png does not exist")
        file.unlink()
        (root / "masks" / "2.jpg").write_bytes(encode(labels_of(1)))
        refused(root, r"2\.jpg is a JPEG file, which does not keep class numbers")
        (root / "masks" / "2.jpg").unlink()
        (root / "images" / "notes.txt").write_text("x")
        put(root, 1, labels_of(1))
        assert opened(root).warnings == ("1 file that is not a picture passed over (.txt 1).",)

    @pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
    def test_pipes_are_passed_over(self, root):
        os.mkfifo(root / "masks" / "pipe.png")
        os.mkfifo(root / "images" / "pipe.png")
        assert opened(root).ids == list(FILES)

    def test_no_such_folders(self, tmp_path):
        (tmp_path / "empty").mkdir()
        refused(tmp_path / "empty", "is empty: give a folder or zip that holds images and masks")
        write(tmp_path / "photos" / "1.jpg")
        refused(tmp_path / "photos", "has no folder of masks .* its folders are none")
        refused(tmp_path / "photos" / "1.jpg", "single picture, not a dataset: give a folder or zip that holds images")

    def test_class_lists_that_are_none(self, root):
        (root / "classes.txt").write_text("sky\n\ncar\n")
        refused(root, r"classes\.txt, line 2: empty line")
        (root / "classes.txt").write_text("sky\nsky\ncar\n")
        refused(root, r"classes\.txt, lines 1 and 2: the class 'sky' occurs twice")
        (root / "mine.txt").write_text("a\nb\nc\n")
        assert opened(root, class_list="mine.txt").class_names == ("a", "b", "c")
        refused(root, r"gone\.txt cannot be read", class_list="gone.txt")


class TestScan:
    def test_is_kept_when_it_took_long(self, root, tmp_path, monkeypatch):
        masks = [str(root / "masks" / name.replace(".jpg", ".png")) for name in FILES]
        cache = tmp_path / "cache"
        scan(masks, [None] * 4, None, cache)
        assert not cache.exists(), "a short look is not worth a file"
        monkeypatch.setattr(mask_scan, "_WORTH_S", -1.0)
        first = scan(masks, [None] * 4, None, cache)
        (kept,) = cache.glob("*.npz")
        monkeypatch.setattr(mask_scan, "read_labels", lambda *_: pytest.fail("looked again"))
        again = scan(masks, [None] * 4, None, cache)
        for name in ("sizes", "mask", "labels", "pixels"):
            assert (getattr(first, name) == getattr(again, name)).all()
        monkeypatch.undo()
        monkeypatch.setattr(mask_scan, "_WORTH_S", -1.0)
        put(root, 1, np.zeros((24, 32), np.uint8))
        changed = scan(masks, [None] * 4, None, cache)
        assert changed.per_class(np.arange(1 << 16, dtype=np.uint16), 3)[1].tolist() == [24 * 32, 0, 0]
        kept.write_bytes(b"not a scan")
        put(root, 1, labels_of(1))
        assert (scan(masks, [None] * 4, None, cache).pixels == first.pixels).all()
        monkeypatch.setattr(mask_scan, "_KEPT", 1)
        scan(masks[:2], [None] * 2, None, cache)
        assert len(list(cache.glob("*"))) == 1

    def test_counts_what_numpy_counts(self, tmp_path, monkeypatch):
        monkeypatch.setattr(mask_scan, "_STRIP", 7)
        ids = np.random.default_rng(1).integers(0, 9, (13, 11)).astype(np.uint8)
        (tmp_path / "a.png").write_bytes(png(ids))
        found = scan([str(tmp_path / "a.png")] * 2, [None] * 2, None, None)
        assert found.labels.tolist() == list(range(9)) * 2
        assert found.pixels.tolist() == np.bincount(ids.reshape(-1)).tolist() * 2
        assert found.mask.tolist() == [0] * 9 + [1] * 9

    def test_holds_few_masks_at_a_time(self, root, monkeypatch):
        most = threading.Lock(), [0, 0]

        def counted(*args):
            with most[0]:
                most[1][0] += 1
                most[1][1] = max(most[1])
            try:
                return real(*args)
            finally:
                with most[0]:
                    most[1][0] -= 1

        real = mask_scan.read_labels
        monkeypatch.setattr(mask_scan, "read_labels", counted)
        scan([str(root / "masks" / "1.png")] * 200, [None] * 200, None, None)
        assert 1 <= most[1][1] <= 8


def test_pairs():
    assert pair(["a.jpg", "b.jpg"], ["b.png", "a.png", "c.png"]).mask == [1, 0]
    assert pair(["a.jpg"], ["b.png"]).mask == [-1]
    assert pair(["x/a.jpg", "y/a.jpg"], ["y/a.png", "x/a.png"]).mask == [1, 0]
    assert pair(["x/a.jpg", "y/b.jpg"], ["a.png", "b.png"]).mask == [0, 1]
    assert pair(["x/a.jpg", "y/a.jpg"], ["a.png"]).mask == [-1, -1], "one name, two pictures: nothing is decided"
    assert pair(["frame.0001"], ["frame.0001.png"]).mask == [0]
    assert pair(["a.jpg"], ["a.png", "a_mask.png", "b.png"]).unused == [2]
    assert pair(["a.jpg"], ["truth-7.png"], [("truth-7.png",)]).mask == [0]


def test_the_format_imports_no_torch():
    code = (
        "import sys, dashboard.datasets.masks_folder, dashboard.segmentation_import\n"
        "print([m for m in ('torch', 'gradio', 'plotly', 'duckdb', 'skimage') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
