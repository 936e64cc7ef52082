"""One mask file to numbers, palette files in every layout, and the classes the numbers are."""

from __future__ import annotations

import io
import json
import struct
import zlib

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from dashboard.datasets.mask_classes import Numbering, asked_ignored, default_ignored
from dashboard.datasets.mask_files import read_labels
from dashboard.datasets.mask_names import Named, numbering
from dashboard.datasets.mask_scan import Scan
from dashboard.datasets.palette import UNKNOWN, read_palette
from dashboard.errors import InputError
from tests.datasets.masks_on_disk import coloured, labels_of, png
from tests.datasets.pictures import png16, png_of_size

PALETTE = "sky,70,130,180\nroad,128,64,128\ncar,0,0,142\nvoid,0,0,0\n"


def few_bits(rows: list[list[int]], bits: int, colour_type: int = 0) -> bytes:
    """A PNG of 1, 2 or 4 bits a sample, written by hand."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    packed = b""
    for row in rows:
        text = "".join(f"{v:0{bits}b}" for v in row)
        text += "0" * (-len(text) % 8)
        packed += b"\0" + int(text, 2).to_bytes(len(text) // 8, "big")
    head = struct.pack(">IIBBBBB", len(rows[0]), len(rows), bits, colour_type, 0, 0, 0)
    table = chunk(b"PLTE", bytes(range(3 << bits))) if colour_type == 3 else b""
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + table
        + chunk(b"IDAT", zlib.compress(packed))
        + chunk(b"IEND", b"")
    )


def read(tmp_path, data: bytes, palette: str | None = None, by_colour: bool | None = None, name: str = "m.png"):
    file = tmp_path / name
    file.write_bytes(data)
    if palette is None:
        return read_labels(file)
    (tmp_path / "palette.txt").write_text(palette)
    return read_labels(file, read_palette(tmp_path / "palette.txt"), by_colour)


def refused(tmp_path, match: str, *args, **options) -> None:
    with pytest.raises(InputError, match=match) as info:
        read(tmp_path, *args, **options)
    text = str(info.value)
    assert "m." in text
    assert "\n" not in text
    assert len(text) < 600


class TestNumbersOfAFile:
    @pytest.mark.parametrize("bits", [1, 2, 4])
    @pytest.mark.parametrize("colour_type", [0, 3])
    def test_few_bits_are_not_stretched(self, tmp_path, bits, colour_type):
        rows = [[v % (1 << bits) for v in (0, 1, 2, 3, 5)], [v % (1 << bits) for v in (7, 9, 15, 0, 1)]]
        got = read(tmp_path, few_bits(rows, bits, colour_type))
        assert got.dtype == np.uint8
        assert got.tolist() == rows

    @settings(max_examples=25, deadline=None)
    @given(st.data())
    def test_eight_and_sixteen_bits(self, tmp_path_factory, data):
        shape = data.draw(st.tuples(st.integers(1, 9), st.integers(1, 9)))
        wide = data.draw(st.booleans())
        seed = data.draw(st.integers(0, 2**32 - 1))
        ids = np.random.default_rng(seed).integers(0, 65536 if wide else 256, shape)
        ids = ids.astype(np.uint16 if wide else np.uint8)
        got = read(tmp_path_factory.mktemp("m"), png16(ids) if wide else png(ids))
        assert got.dtype == ids.dtype
        assert (got == ids).all()

    def test_palette_png_has_its_indices(self, tmp_path):
        ids = labels_of(0)
        assert (read(tmp_path, png(ids, palette=[7, 9, 11] * 256)) == ids).all()

    @pytest.mark.parametrize("kind", ["BMP", "PPM", "TIFF"])
    def test_other_lossless_files(self, tmp_path, kind):
        stream = io.BytesIO()
        Image.fromarray(labels_of(1)).save(stream, kind)
        assert (read(tmp_path, stream.getvalue()) == labels_of(1)).all()

    def test_colours(self, tmp_path):
        got = read(tmp_path, png(coloured(labels_of(2))), PALETTE)
        want = np.where(labels_of(2) == 255, 3, labels_of(2))
        assert got.dtype == np.uint8
        assert (got == want).all()
        alpha = np.dstack([coloured(labels_of(2)), np.full((24, 32), 255, np.uint8)])
        assert (read(tmp_path, png(alpha), PALETTE) == want).all()

    def test_palette_png_beside_a_palette_file(self, tmp_path):
        ids = np.array([[0, 1], [2, 1]], np.uint8)
        same = [70, 130, 180, 128, 64, 128, 0, 0, 142]
        turned = [0, 0, 142, 128, 64, 128, 70, 130, 180]
        assert read(tmp_path, png(ids, palette=same), PALETTE).tolist() == ids.tolist()
        refused(tmp_path, "number 0 have the colour 0,0,142.*calls 2.*palette_png", png(ids, palette=turned), PALETTE)
        assert read(tmp_path, png(ids, palette=turned), PALETTE, False).tolist() == ids.tolist()
        assert read(tmp_path, png(ids, palette=turned), PALETTE, True).tolist() == [[2, 1], [0, 1]]
        foreign = [1, 1, 1, *turned[3:]]
        assert read(tmp_path, png(np.ones((2, 2), np.uint8), palette=foreign), PALETTE).tolist() == [[1, 1], [1, 1]]
        refused(tmp_path, "row 0, column 0 has the colour 1,1,1", png(ids, palette=foreign), PALETTE, True)

    def test_refused(self, tmp_path):
        rgb = coloured(labels_of(0))
        odd = rgb.copy()
        odd[3, 7] = 1, 2, 3
        ghost = np.dstack([rgb, np.full((24, 32), 255, np.uint8)])
        ghost[5, 6, 3] = 0
        jpeg = io.BytesIO()
        Image.fromarray(labels_of(0)).save(jpeg, "JPEG")
        refused(tmp_path, "JPEG file, which does not keep class numbers", jpeg.getvalue(), name="m.jpg")
        refused(tmp_path, "RGB mask and there is no palette", png(rgb))
        refused(tmp_path, "three channels are the same", png(np.dstack([labels_of(0)] * 3)))
        refused(
            tmp_path, r"row 3, column 7 has the colour 1,2,3.*palette\.txt does not have \(1 pixels", png(odd), PALETTE
        )
        refused(tmp_path, "transparent at row 5, column 6", png(ghost), PALETTE)
        refused(tmp_path, "16 bits a channel", png16(rgb.astype(np.uint16) * 257), PALETTE)
        refused(tmp_path, "empty", b"")
        refused(tmp_path, "not an image", b"class numbers")
        refused(tmp_path, "truncated|damaged", png(labels_of(0))[:-40])
        refused(tmp_path, "more than the limit", png_of_size(20_000, 20_000))
        with pytest.raises(InputError, match="does not exist"):
            read_labels(tmp_path / "gone.png")

    def test_cmyk(self, tmp_path):
        stream = io.BytesIO()
        Image.new("CMYK", (4, 4)).save(stream, "TIFF")
        refused(tmp_path, "kind CMYK", stream.getvalue(), name="m.tif")


def palette_of(tmp_path, text: str, name: str = "palette.txt"):
    (tmp_path / name).write_text(text)
    return read_palette(tmp_path / name)


THREE = [(0, "sky", (70, 130, 180)), (1, "traffic sign", (128, 64, 128)), (2, "car", (0, 0, 142))]
LAYOUTS = {
    "name first": "sky,70,130,180\ntraffic sign,128,64,128\ncar,0,0,142\n",
    "header and spaces": "name, r, g, b\nsky, 70, 130, 180\ntraffic sign, 128, 64, 128\ncar, 0, 0, 142\n",
    "quoted": '"name","r","g","b"\n"sky","70","130","180"\n"traffic sign","128","64","128"\n"car","0","0","142"\n',
    "colour first, tabs": "70 130 180\tsky\n128 64 128\t\ttraffic sign\n0 0 142\tcar\n",
    "spaces": "# comment\nsky 70 130 180\n\ntraffic sign 128 64 128\ncar 0 0 142\n",
    "numbered": "id;name;red;green;blue\n0;sky;70;130;180\n1;traffic sign;128;64;128\n2;car;0;0;142\n",
    "numbered, name last": "0 70 130 180 sky\n1 128 64 128 traffic sign\n2 0 0 142 car\n",
    "number after the name": "sky,0,70,130,180\ntraffic sign,1,128,64,128\ncar,2,0,0,142\n",
    "hex": "sky #4682b4\ntraffic sign #804080\ncar #00008E\n",
    "CVAT": "# label:color_rgb:parts:actions\nsky:70,130,180::\ntraffic sign:128,64,128:a,b:\ncar:0,0,142::\n",
    "object": json.dumps({n: list(c) for _, n, c in THREE}),
    "list of objects": json.dumps([{"name": n, "color": c} for _, n, c in THREE]),
    "labels": json.dumps(
        {"version": 1, "labels": [{"readable": n, "name": "x--" + n, "color": c} for _, n, c in THREE]}
    ),
    "r, g, b": json.dumps([{"name": n, "id": i, "r": c[0], "g": c[1], "b": c[2]} for i, n, c in THREE]),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_palette_layouts(tmp_path, layout):
    palette = palette_of(tmp_path, LAYOUTS[layout])
    assert palette.listed() == [(i, n) for i, n, _ in THREE]
    rgb = np.array([[c for _, _, c in THREE] + [(1, 1, 1)]], np.uint8)
    assert palette.lookup(rgb).tolist() == [[0, 1, 2, UNKNOWN]]


def test_palettes_of_colours_or_numbers_alone(tmp_path):
    bare = palette_of(tmp_path, "0 0 0\n255 0 0\n")
    assert bare.names == (None, None)
    assert bare.lookup(np.array([[255, 0, 0]], np.uint8)).tolist() == [1]
    roboflow = palette_of(tmp_path, "Pixel Value, Class\n0, background\n1, cell wall\n", "_classes.csv")
    assert roboflow.listed() == [(0, "background"), (1, "cell wall")]
    assert not roboflow.coloured
    gaps = palette_of(tmp_path, "7,road,128,64,128\n26,car,0,0,142\n")
    assert gaps.lookup(np.array([[0, 0, 142]], np.uint8)).tolist() == [26]
    merged = palette_of(tmp_path, "void,0,0,0\nroad,9,9,9\nvoid,1,1,1\n")
    assert merged.labels.tolist() == [0, 1, 0]


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("", "no colours"),
        ("name,r,g,b\n", "no colours"),
        ("sky,70,130\n", "line 1: 'sky,70,130' is no class with its colour"),
        ("sky,70,130,180\nroad,128,64,300\n", "line 2: the colour 128,64,300 is past 255"),
        ("sky,1,2,3\nroad,1,2,3\n", "line 2: the colour 1,2,3 is also that of line 1"),
        ("1,sky,1,2,3\n1,road,1,2,4\n", "line 2: 'road' has the number 1, as 'sky'"),
        ("1,sky,1,2,3\nroad,1,2,4\n", "line 2: no number"),
        ("65535,sky,1,2,3\n", "65535 is not in 0..65534"),
        ("{", "not valid JSON"),
        ('{"sky": [1, 2]}', "entry 1: .* has no colour"),
        ('{"sky": [1, 2, true]}', "entry 1: .* has no colour"),
        ('{"sky": [1, 2, -3]}', "entry 1: .* has no colour"),
        ("[1]", "entry 1: '1' has no colour"),
    ],
)
def test_palettes_that_are_none(tmp_path, text, match):
    with pytest.raises(InputError, match=match) as info:
        palette_of(tmp_path, text)
    assert "palette.txt" in str(info.value)


def listed(*names: str) -> list[tuple[int, str]]:
    return list(enumerate(names))


class TestNumbering:
    def test_by_hand(self):
        made = Numbering.of([(0, "void"), (1, "a"), (4, "b")], {0, 255}, "list")
        assert made.names == ("a", "b")
        ids = np.array([[0, 1], [4, 255]], np.uint8)
        assert made.classes_of(ids, "m.png").tolist() == [[255, 0], [1, 255]]
        assert made.classes_of(ids, "m.png", answer=True).tolist() == [[2, 0], [1, 2]]
        with pytest.raises(InputError, match=r"m\.png: .*row 1, column 0 has the number 3, .*classes of list \(1, 4\)"):
            made.classes_of(np.array([[1, 4], [3, 1]], np.uint8), "m.png")
        with pytest.raises(InputError, match=r"row 0, column 1 has the number 26001.*number of an object"):
            made.classes_of(np.array([[1, 26001]], np.uint16), "m.png")
        with pytest.raises(InputError, match="0 classes count"):
            Numbering.of([(0, "a")], {0}, "list")

    def test_more_classes_than_bytes(self):
        made = Numbering.of(listed(*map(str, range(300))), default_ignored(listed(*map(str, range(300))))[0], "list")
        ids = np.array([[0, 255, 299, 65535]], np.uint16)
        got = made.classes_of(ids, "m")
        assert got.dtype == np.uint16
        assert got.tolist() == ids.tolist(), "255 is a class among 300"
        assert made.classes_of(ids, "m", answer=True).tolist() == [[0, 255, 299, 300]]
        assert made.classes_of(np.array([[255]], np.uint8), "m").dtype == np.uint16

    @pytest.mark.parametrize("count", [1, 253, 254, 255, 256])
    def test_at_the_edge_of_bytes(self, count):
        names = listed(*map(str, range(count)))
        made = Numbering.of(names, default_ignored(names)[0], "list")
        top = made.classes_of(np.array([[count - 1]], np.uint16), "m", answer=True)
        assert top.tolist() == [[count - 1]]
        assert (255 in made.ignored) == (count <= 255)
        assert 65535 in made.ignored

    def test_what_does_not_count(self):
        names = listed("Unlabelled", "road", "void")
        ignored, notes = default_ignored(names)
        assert ignored == {0, 2, 255, 65535}
        assert notes == [
            "Pixels of 'Unlabelled' (0) and 'void' (2) do not count, by the name; the option ignore=none makes them a "
            "class like others."
        ]
        assert default_ignored(listed("void"))[0] == {255, 65535}, "the only class there is"
        assert asked_ignored("none", names) == set()
        assert asked_ignored("1, VOID", names) == {1, 2, 255, 65535}
        with pytest.raises(InputError, match=r"'rod' is neither.* Did you mean 'road'"):
            asked_ignored("rod", names)
        for text in ("-1", "65536", "1.5"):
            with pytest.raises(InputError, match=r"is neither a number in 0\.\.65535 nor a class"):
                asked_ignored(text, names)

    @settings(max_examples=30, deadline=None)
    @given(st.integers(1, 40), st.sets(st.integers(0, 45)), st.integers(0, 2**32 - 1))
    def test_any_numbering(self, count, ignored, seed):
        left = [i for i in range(count) if i not in ignored]
        if not left:
            return
        made = Numbering.of(listed(*map(str, range(count))), ignored, "list")
        ids = np.random.default_rng(seed).choice([*left, *ignored], (5, 7)).astype(np.uint8)
        got = made.classes_of(ids, "m")
        for value, number in zip(ids.reshape(-1).tolist(), got.reshape(-1).tolist(), strict=True):
            assert number == (255 if value in ignored else left.index(value))
        assert [made.names[i] for i in range(len(left))] == [str(v) for v in left]


def test_opencv_agrees_on_grey(tmp_path):
    file = tmp_path / "m.png"
    cv2.imwrite(str(file), labels_of(3))
    assert (read_labels(file) == labels_of(3)).all()


@pytest.mark.parametrize(("having", "void"), [(1, False), (4, False), (5, True), (10, True)])
def test_void_after_the_last_class_is_in_most_masks(having, void):
    rows = [(i, label) for i in range(10) for label in ([0, 1, 2] if i < having else [0, 1])]
    mask, labels = np.array(rows, np.int64).T
    found = Scan(np.full((10, 2), 4), mask, labels, np.ones(len(rows), np.int64))
    made, notes = numbering(Named(listed("a", "b"), (), None, "classes.txt"), found, {})
    assert (2 in made.ignored) == void
    assert bool(notes) == void


def test_a_number_may_be_the_name_of_a_colour(tmp_path):
    """Digits are classes here; beside a line with a name and no number, "1,200,0,0" is the class called 1."""
    (tmp_path / "palette.txt").write_text("background,0,0,0\n1,200,0,0\n2,0,200,0\n")
    assert read_palette(tmp_path / "palette.txt").names == ("background", "1", "2")
    (tmp_path / "palette.txt").write_text("0,0,0,0\n1,200,0,0\n")  # all alike: these are numbers
    assert read_palette(tmp_path / "palette.txt").names == (None, None)
