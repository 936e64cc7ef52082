"""YOLO's layouts: data.yaml and Darknet, and a sentence naming file and line for what is wrong."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dashboard import masks
from dashboard.datasets.opening import open_dataset
from dashboard.datasets.sizes import read_size, read_sizes
from dashboard.errors import InputError
from tests.datasets.pictures import encode, gradient, write, zip_folder
from tests.datasets.scenes_on_disk import OBJECTS, make_darknet, make_yolo, write_pictures, yolo_line


def opened(path, task="detection", **options):
    return open_dataset(path, task=task, options=options)


def refused(path, match: str, task="detection", **options) -> str:
    with pytest.raises(InputError, match=match) as info:
        opened(path, task, **options)
    text = str(info.value)
    assert "\n" not in text
    assert len(text) < 600
    return text


def rewrite(root: Path, text: str) -> None:
    """data.yaml with other lines behind the names."""
    (root / "data.yaml").write_text(f"names: [cat, dog]\n{text}\n")


def boxes_of(data) -> list[list[list[float]]]:
    return [target.xyxy.round(9).tolist() for target in data.targets]


def test_by_hand(tmp_path):
    make_yolo(tmp_path)
    data = opened(tmp_path, "instance-segmentation")
    assert data.format == "yolo"
    assert data.ids == ["images/val/1.jpg", "images/val/2.jpg", "images/val/3.jpg", "images/val/10.jpg"]
    assert data.class_names == ("cat", "dog")
    assert data.targets[0].xyxy.tolist() == [[2, 3, 10, 12], [8, 6, 24, 18]]
    assert data.targets[0].class_ids.tolist() == [0, 1]
    assert data.targets[0].areas.tolist() == [72, 192]
    assert masks.areas(data.targets[0].masks, (24, 32)).tolist() == [72, 192]
    assert data.warnings == ("1 of 4 pictures have no label file and count as without objects: '3.jpg'.",)
    boxes = opened(tmp_path)
    assert boxes.targets[0].masks is None
    assert boxes_of(boxes) == boxes_of(data)


def test_all_layouts_say_the_same(tmp_path):
    wanted = [[list(box) for _, *box in objects] for objects in OBJECTS.values()]
    make_yolo(tmp_path / "polygons")
    make_yolo(tmp_path / "boxes", polygons=False)
    make_darknet(tmp_path / "darknet")
    for name in ("polygons", "boxes", "darknet"):
        data = opened(tmp_path / name)
        assert boxes_of(data) == wanted
        assert [Path(i).name for i in data.ids] == list(OBJECTS)
    refused(tmp_path / "boxes", r"1\.txt, line 1 has a box and no polygon", "instance-segmentation")


class TestYaml:
    @pytest.mark.parametrize(
        "text",
        [
            "val: images/val",
            "val: ./images/val",
            "val: [images/val]",
            "val: images",
            "train: nowhere\nval: images/val",
            "validation: images/val",
            "test: images/val",
            "train: images/val",
            "path: .\nval: images/val",
            "path: ../datasets/pets\nval: images/val",
            "val: ../images/val",
            "val: images/val\nnc: 2",
        ],
    )
    def test_ways_to_say_it(self, tmp_path, text):
        make_yolo(tmp_path)
        rewrite(tmp_path, text)
        for path in (tmp_path, tmp_path / "data.yaml"):
            assert len(opened(path).objects) == 5

    def test_lists_of_pictures(self, tmp_path):
        make_yolo(tmp_path)
        (tmp_path / "val.txt").write_text("./images/val/2.jpg\n\nimages/val/10.jpg\n")
        rewrite(tmp_path, "val: val.txt")
        assert opened(tmp_path).ids == ["images/val/2.jpg", "images/val/10.jpg"]
        (tmp_path / "val.txt").write_text("images/val/2.jpg\nimages/val/99.jpg\n")
        refused(tmp_path, r"val\.txt, line 2: the picture 'images/val/99\.jpg' is not there")
        (tmp_path / "val.txt").write_text("images/val/2.jpg\n/etc/passwd\n")
        refused(tmp_path, r"val\.txt, line 2: '/etc/passwd' is not the name of a picture")

    def test_splits(self, tmp_path):
        make_yolo(tmp_path)
        write(tmp_path / "images" / "train" / "7.jpg")
        (tmp_path / "labels" / "train").mkdir()
        (tmp_path / "labels" / "train" / "7.txt").write_text("1 0.5 0.5 0.5 0.5\n")
        assert opened(tmp_path, split="train").ids == ["images/train/7.jpg"]
        refused(tmp_path, "no split 'test': it has train, val", split="test")

    def test_names_by_number(self, tmp_path):
        make_yolo(tmp_path)
        (tmp_path / "data.yaml").write_text("names:\n  1: dog\n  0: cat\nval: images/val\n")
        assert opened(tmp_path).class_names == ("cat", "dog")

    def test_download_is_never_run(self, tmp_path):
        make_yolo(tmp_path)
        mark = tmp_path / "mark"
        rewrite(tmp_path, f"val: images/val\ndownload: |\n  open({str(mark)!r}, 'w').close()")
        assert any("'download' is ignored" in w for w in opened(tmp_path).warnings)
        assert not mark.exists()

    def test_labels_cache_is_never_read(self, tmp_path):
        make_yolo(tmp_path)
        for folder in ("labels", "labels/val"):
            (tmp_path / folder).with_suffix(".cache").write_bytes(b"\x80\x04cos\nsystem\n")
            (tmp_path / folder / "labels.cache").write_bytes(b"\x80\x04cos\nsystem\n")
        assert len(opened(tmp_path).objects) == 5

    @pytest.mark.parametrize(
        ("text", "match"),
        [
            ("names: !!python/object/apply:os.system ['true']\nval: images/val", "not valid YAML"),
            ("names: [cat, dog\nval: images/val", r"data\.yaml, line \d+: not valid YAML"),
            ("names: {0: cat, 2: dog}\nval: images/val", "without gaps"),
            ("names: [cat, dog]\nkpt_shape: [17, 3]\nval: images/val", "pose dataset"),
            ("a: &a [x, x]\nnames: [*a, *a]\nval: images/val", "aliases"),
            ("names: [cat, 2020-99-99]\nval: images/val", "not valid YAML"),
            ("names: 7\nval: images/val", "must be a list"),
            ("names: []\nval: images/val", "must be a list"),
            ("names: [cat, no]\nval: images/val", "name 1 is 'False'"),
            ("names: [cat, ~]\nval: images/val", "name 1 is 'None'"),
            ("names: [cat, dog]\nnc: 3\nval: images/val", "nc says 3 classes, but 2 names"),
            ("names: [cat, dog]\nval: {a: 1}", "val must be a folder"),
            ("names: [cat, dog]\nval:", "names no pictures"),
            ("names: [cat, dog]\nval: nowhere", "'nowhere' is neither a folder nor a .txt list"),
            ("names: [cat, dog]\nval: labels", "there are no pictures in labels"),
            ("names: [cat, dog]\npath: /no/such/place\nval: images/val", "path '/no/such/place' is not there"),
            ("names: [cat, dog]\npath: 5\nval: images/val", "path must be a folder"),
            ("names: " + "[" * 300_000 + "\nval: images/val", "nested 20 deep|nesting depth"),
        ],
    )
    def test_bad_yaml(self, tmp_path, text, match):
        make_yolo(tmp_path)
        (tmp_path / "data.yaml").write_text(text)
        assert "data.yaml" in refused(tmp_path / "data.yaml", match)

    @pytest.mark.parametrize(
        "text", ["path: {out}\nval: images/val", "val: {out}/images/val", "val: ../out/images/val", "val: list.txt"]
    )
    def test_a_zip_is_confined(self, tmp_path, text):
        make_yolo(tmp_path / "out")
        make_yolo(tmp_path / "set")
        out = tmp_path / "out"
        rewrite(tmp_path / "set", text.format(out=out))
        (tmp_path / "set" / "list.txt").write_text(f"{out}/images/val/1.jpg\n")
        if "../" not in text:
            assert len(opened(tmp_path / "set")) in (1, 4)  # at home it may
        archive = zip_folder(tmp_path / "set", tmp_path / "a.zip")
        with pytest.raises(InputError, match=r"a\.zip.* (outside the dataset|neither a folder)"):
            open_dataset(archive, task="detection", cache_dir=tmp_path / "cache")


class TestDarknet:
    def test_images_and_labels_folders(self, tmp_path):
        make_darknet(tmp_path)
        (tmp_path / "images").mkdir()
        (tmp_path / "labels").mkdir()
        for file in (tmp_path / "obj_train_data").iterdir():
            shutil.move(file, tmp_path / ("images" if file.suffix == ".jpg" else "labels"))
        (tmp_path / "obj_train_data").rmdir()
        (tmp_path / "obj.names").rename(tmp_path / "labels" / "classes.txt")
        assert opened(tmp_path).ids == [f"images/{name}" for name in OBJECTS]

    def test_pictures_elsewhere(self, tmp_path):
        make_darknet(tmp_path / "gts" / "yolo")
        (tmp_path / "images").mkdir()
        for file in (tmp_path / "gts" / "yolo" / "obj_train_data").glob("*.jpg"):
            shutil.move(file, tmp_path / "images")
        data = opened(tmp_path / "gts" / "yolo")
        assert data.ids == list(OBJECTS)
        assert len(data.objects) == 5
        assert "The pictures are those in" in data.warnings[0]
        (tmp_path / "images").rename(tmp_path / "other")
        refused(tmp_path / "gts" / "yolo", "4 label files but no pictures: .*images=FOLDER")
        assert opened(tmp_path / "gts" / "yolo", images=str(tmp_path / "other")).ids == list(OBJECTS)
        refused(tmp_path / "gts" / "yolo", "lies outside", images=str(tmp_path / "other"), confine="true")

    def test_lists_of_obj_data(self, tmp_path):
        make_darknet(tmp_path)
        (tmp_path / "obj.data").write_text(
            "classes = 2\ntrain = data/train.txt\nvalid=data/v.txt\nnames = data/obj.names\n"
        )
        (tmp_path / "v.txt").write_text("data/obj_train_data/2.jpg\n")
        (tmp_path / "train.txt").write_text("data/obj_train_data/1.jpg\ndata/obj_train_data/10.jpg\n")
        for path in (tmp_path, tmp_path / "obj.data"):
            assert opened(path).ids == ["obj_train_data/2.jpg"]
        assert opened(tmp_path, split="train").ids == ["obj_train_data/1.jpg", "obj_train_data/10.jpg"]
        (tmp_path / "obj.data").write_text("classes = 3\nnames = data/obj.names\n")
        refused(tmp_path, r"classes = 3, but obj\.names has 2 names")

    def test_class_names(self, tmp_path):
        make_darknet(tmp_path)
        (tmp_path / "obj.names").rename(tmp_path / "far.list")
        with pytest.raises(InputError, match=r"no class names: add obj\.names or classes\.txt"):
            open_dataset(tmp_path, format="yolo", task="detection")
        data = open_dataset(tmp_path, "yolo", "detection", {"classes": str(tmp_path / "far.list")})
        assert data.class_names == ("cat", "dog")


@pytest.mark.parametrize(
    ("line", "match"),
    [
        ("0 0.5 0.5 0.5", "line 2 has 4 columns"),
        ("0 0.5 0.5 0.5 0.5 0.9", "line 2 has 6 columns.*a score makes it a prediction"),
        ("0 0.1 0.1 0.2 0.1 0.2 0.2 0.3", "line 2 has 8 columns"),
        ("2 0.5 0.5 0.5 0.5", "line 2: class number 2 is past the list of 2 names"),
        ("-1 0.5 0.5 0.5 0.5", "line 2: the class '-1' is not a whole number"),
        ("0.5 0.5 0.5 0.5 0.5", "line 2: the class '0.5' is not a whole number"),
        ("cat 0.5 0.5 0.5 0.5", "line 2: 'cat' is not a finite number"),
        ("0 nan 0.5 0.5 0.5", "line 2: 'nan' is not a finite number"),
        ("0 inf 0.5 0.5 0.5", "line 2: 'inf' is not a finite number"),
        ("0 0_1 0.5 0.5 0.5", "line 2: '0_1' is not a finite number"),
        ("0 16 12 8 8", "line 2: '16' is outside 0..1"),
        ("0 1.02 0.5 0.5 0.5", "line 2: '1.02' is outside 0..1"),
        ("0 0.5 0.5 -0.5 0.5", "line 2: width and height -0.5 0.5 are negative"),
        ("0 0.5 0.5", "line 2 has 3 columns"),
    ],
)
def test_bad_lines(tmp_path, line, match):
    make_darknet(tmp_path)
    (tmp_path / "obj_train_data" / "2.txt").write_text(f"0 0.5 0.5 0.5 0.5\n{line}\n")
    assert "2.txt, line 2" in refused(tmp_path, match)


def test_what_ultralytics_lets_pass(tmp_path):
    """Class numbers as floats, values a hundredth past the edge, empty lines."""
    make_darknet(tmp_path)
    (tmp_path / "obj_train_data" / "2.txt").write_text("\n1.0 1.009 0.5 0.5 0.5\n\n")
    assert opened(tmp_path).targets[1].class_ids.tolist() == [1]


def test_pictures_and_labels_that_lack_each_other(tmp_path):
    make_darknet(tmp_path)
    (tmp_path / "obj_train_data" / "1.txt").unlink()
    (tmp_path / "obj_train_data" / "77.txt").write_text("0 0.5 0.5 0.1 0.1\n")
    warnings = opened(tmp_path).warnings
    assert warnings[0] == "1 of 4 pictures have no label file and count as without objects: '1.jpg'."
    assert warnings[1] == "1 label files without a picture passed over: '77.txt'."
    for file in (tmp_path / "obj_train_data").glob("*.txt"):
        file.rename(file.with_name("x" + file.name))
    refused(tmp_path, "none of the 4 pictures has a label file")


def test_two_pictures_of_one_label(tmp_path):
    make_darknet(tmp_path)
    write(tmp_path / "obj_train_data" / "2.png")
    text = refused(tmp_path, "would share one label file")
    assert "2.jpg" in text
    assert "2.png" in text


def test_relative_coordinates_are_of_the_upright_picture(tmp_path):
    write_pictures(tmp_path / "a")
    exif = Image.Exif()
    exif[0x0112] = 6
    (tmp_path / "a" / "1.jpg").write_bytes(encode(gradient(), exif=exif))
    (tmp_path / "a" / "1.txt").write_text(yolo_line(0, 16, 6, 32, 12))
    (tmp_path / "obj.names").write_text("cat\n")
    data = opened(tmp_path)
    assert data.sizes[0].tolist() == [32, 24]
    assert data[0].image.shape == (32, 24, 3)
    np.testing.assert_allclose(data.targets[0].xyxy, [[12, 8, 24, 16]])


def test_sizes(tmp_path):
    files = [str(write(tmp_path / f"{i}.png")) for i in range(3)]
    assert read_sizes(files).tolist() == [[24, 32]] * 3
    assert read_sizes([]).shape == (0, 2)
    (tmp_path / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    for name, match in (("bad.png", "truncated or damaged"), ("none.png", "not there")):
        with pytest.raises(InputError, match=rf"{name} .*{match}"):
            read_size(tmp_path / name)
