"""Pascal VOC: its pixel convention, and files that are not what they should be."""

from __future__ import annotations

import pytest

from dashboard.datasets.opening import open_dataset
from dashboard.errors import InputError
from tests.datasets.pictures import write, zip_folder
from tests.datasets.scenes_on_disk import OBJECTS, make_voc, voc_object, voc_xml


def opened(path, **options):
    return open_dataset(path, task="detection", options=options)


def refused(path, match: str, **options) -> str:
    with pytest.raises(InputError, match=match) as info:
        opened(path, **options)
    text = str(info.value)
    assert "\n" not in text
    assert len(text) < 600
    return text


def test_by_hand(tmp_path):
    make_voc(tmp_path)
    (tmp_path / "Annotations" / "1.xml").write_text(
        voc_xml("1.jpg", voc_object("dog", 2, 3, 10, 12) + voc_object("cat", 0, 0, 1, 1, "<difficult>1</difficult>"))
    )
    data = opened(tmp_path, difficult="ignore")
    assert data.format == "voc"
    assert data.ids == [f"JPEGImages/{name}" for name in OBJECTS]
    assert data.class_names == ("cat", "dog")
    assert (
        "<xmin>2</xmin><ymin>3</ymin><xmax>10</xmax><ymax>12</ymax>" in (tmp_path / "Annotations" / "1.xml").read_text()
    )
    first = data.targets[0]
    assert first.xyxy.tolist() == [[2, 3, 10, 12], [0, 0, 1, 1]]
    assert first.class_ids.tolist() == [1, 0]
    assert first.ignore.tolist() == [False, True]
    assert first.size == (24, 32)
    assert data[0].image.shape == (24, 32, 3)
    assert data.warnings == ()
    plain = opened(tmp_path)
    assert plain.targets[0].ignore.tolist() == [False, False]
    assert plain.warnings[0].startswith("1 objects marked difficult count like others")
    assert plain.fingerprint != data.fingerprint
    refused(tmp_path, "it must be count or ignore", difficult="yes")
    devkit = opened(tmp_path, corners="pixels")
    assert devkit.targets[0].xyxy[0].tolist() == [1, 2, 10, 12], "xmin 2 to xmax 10 are nine pixels in VOC's own count"
    assert devkit.fingerprint != plain.fingerprint
    refused(tmp_path, "it must be edges or pixels", corners="yes")


def test_layouts(tmp_path):
    make_voc(tmp_path / "VOCdevkit" / "VOC2007")
    root = tmp_path / "VOCdevkit" / "VOC2007"
    for path in (tmp_path / "VOCdevkit", root, root / "Annotations"):
        assert len(opened(path).objects) == 5
    (root / "JPEGImages").rename(tmp_path / "VOCdevkit" / "images")
    assert len(opened(root)) == 4
    (tmp_path / "VOCdevkit" / "images").rename(tmp_path / "far")
    refused(root, r"4 of 4 pictures are missing: 'JPEGImages/1\.jpg'")
    assert opened(root, images=str(tmp_path / "far")).ids == list(OBJECTS)
    refused(root, "lies outside", images=str(tmp_path / "far"), confine="true")
    without = open_dataset(root, task="detection", labels_only=True)
    assert without.sizes.tolist() == [[24, 32]] * 4


def test_beside_the_pictures_and_without_sizes(tmp_path):
    for i, name in enumerate(OBJECTS):
        write(tmp_path / name, i)
        (tmp_path / name.replace(".jpg", ".xml")).write_text(voc_xml("", voc_object("cat", 0, 0, 4, 4), size=False))
    write(tmp_path / "77.jpg")
    data = opened(tmp_path)
    assert data.ids == list(OBJECTS)
    assert data.sizes.tolist() == [[24, 32]] * 4
    assert data.warnings == ("1 pictures without an XML file left out: '77.jpg'.",)


def test_splits_and_classes(tmp_path):
    make_voc(tmp_path)
    lists = tmp_path / "ImageSets" / "Main"
    lists.mkdir(parents=True)
    (lists / "val.txt").write_text("2\n10 -1\n")
    assert opened(tmp_path, split="val").ids == ["JPEGImages/2.jpg", "JPEGImages/10.jpg"]
    refused(tmp_path, "no list 'vall'.* Did you mean 'val'", split="vall")
    (lists / "val.txt").write_text("2\n11\n")
    refused(tmp_path, r"val\.txt, line 2: '11' has no XML file", split="val")
    (tmp_path / "names.txt").write_text("dog\nbird\ncat\n")
    assert opened(tmp_path, classes=str(tmp_path / "names.txt")).targets[0].class_ids.tolist() == [2, 0]
    (tmp_path / "names.txt").write_text("dog\ncats\n")
    refused(
        tmp_path,
        r"1\.xml, object 1: 'cat' is not among the 2 classes.* Did you mean 'cats'",
        classes=str(tmp_path / "names.txt"),
    )


BOX = "<bndbox><xmin>1</xmin><ymin>1</ymin><xmax>{}</xmax><ymax>4</ymax></bndbox>"


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("<object><name>cat</name></object>", "object 1 .*no <bndbox>"),
        ("<object>" + BOX.format(4) + "</object>", "object 1 has no <name>"),
        (
            voc_object("cat", 0, 0, 2, 2) + "<object><name>cat</name>" + BOX.format("x") + "</object>",
            "object 2 .*xmax is 'x'",
        ),
        ("<object><name>cat</name>" + BOX.format("nan") + "</object>", "xmax is 'nan'"),
        ("<object><name>cat</name>" + BOX.format("") + "</object>", "xmax is missing"),
        ("<object><name>cat</name>" + BOX.format("-4") + "</object>", "xmax is '-4'"),
        ("<object><name>cat</name>" + BOX.format("0.5") + "</object>", "ends before it begins"),
        ("<size><width>a</width></size>", "width 'a' is not a number of pixels"),
        ("<object>", "line 1: not valid XML"),
    ],
)
def test_bad_objects(tmp_path, text, match):
    make_voc(tmp_path)
    (tmp_path / "Annotations" / "2.xml").write_text(voc_xml("2.jpg", text, size=False))
    assert "2.xml" in refused(tmp_path, match)


LAUGHS = '<!DOCTYPE a [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]><annotation><filename>&b;</filename></annotation>'
OUTSIDE = '<!DOCTYPE a [<!ENTITY a SYSTEM "file:///etc/passwd">]><annotation><filename>&a;</filename></annotation>'


@pytest.mark.parametrize(
    ("data", "match"),
    [
        (LAUGHS.encode(), "document type"),
        (OUTSIDE.encode(), "document type"),
        (LAUGHS.encode("utf-16"), "document type"),
        (b'<!DOCTYPE a SYSTEM "http://example.org/a.dtd"><annotation/>', "document type"),
        (b"", "not valid XML"),
        (b"<html/>", "not VOC's <annotation>"),
        (b"\xff\xfe\x00", "not valid XML"),
        (b'<?xml version="1.0" encoding="klingon"?><annotation/>', "XML|encoding"),
        (b"<annotation>" * 2000, "not valid XML"),
    ],
)
def test_hostile_xml(tmp_path, data, match):
    make_voc(tmp_path)
    (tmp_path / "Annotations" / "2.xml").write_bytes(data)
    assert "2.xml" in refused(tmp_path, match)


def test_two_files_of_one_picture(tmp_path):
    make_voc(tmp_path)
    (tmp_path / "Annotations" / "77.xml").write_text(voc_xml("2.jpg", ""))
    refused(tmp_path, r"77\.xml: its picture 'JPEGImages/2\.jpg' is also that of 2\.xml")


def test_a_picture_twice(tmp_path):
    make_voc(tmp_path)
    (tmp_path / "Annotations" / "2.xml").write_text(voc_xml("", ""))
    write(tmp_path / "JPEGImages" / "2.png")
    refused(tmp_path, r"2\.xml: it could belong to 2\.jpg or 2\.png")


def test_a_zip_is_confined(tmp_path):
    make_voc(tmp_path / "set")
    (tmp_path / "set" / "JPEGImages").rename(tmp_path / "JPEGImages")
    (tmp_path / "set" / "Annotations" / "1.xml").write_text(voc_xml("../../JPEGImages/1.jpg", ""))
    archive = zip_folder(tmp_path / "set", tmp_path / "a.zip")
    with pytest.raises(InputError, match="4 of 4 pictures are missing"):
        open_dataset(archive, task="detection", cache_dir=tmp_path / "cache")
