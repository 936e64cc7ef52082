"""Masks, palettes and options that mean something else than they seem to: refused by name, or read as written."""

from __future__ import annotations

import io
import json
import os
import struct
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from PIL import Image

from dashboard.datasets import images, mask_scan
from dashboard.datasets.mask_classes import asked_ignored
from dashboard.datasets.mask_files import read_labels
from dashboard.datasets.mask_names import Named, numbering
from dashboard.datasets.mask_scan import Scan, scan
from dashboard.datasets.opening import open_dataset
from dashboard.datasets.palette import read_palette
from dashboard.errors import InputError
from tests.datasets.masks_on_disk import FILES, labels_of, make_masks, opened, png, put, refused
from tests.datasets.pictures import png_of_size, write

TASK = "semantic-segmentation"
pipes = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")


@pytest.fixture
def root(tmp_path):
    make_masks(tmp_path / "set")
    return tmp_path / "set"


class TestNamesThatDifferInPunctuation:
    @pytest.fixture
    def root(self, root):
        (root / "classes.txt").write_text("CD4+\nCD4-\nrest\n")
        colours = np.zeros((256, 3), np.uint8)
        colours[:3] = (255, 0, 0), (0, 255, 0), (0, 0, 255)
        for i in range(4):
            put(root, i, colours[labels_of(i)])
        return root

    def palette(self, root, text: str) -> None:
        (root / "palette.txt").write_text(f"void,0,0,0\n{text}")

    def test_each_has_its_colour(self, root):
        self.palette(root, "CD4-,0,255,0\nCD4+,255,0,0\nRest,0,0,255\n")
        data = opened(root)
        assert data.class_names == ("CD4+", "CD4-", "rest")
        assert (data.targets[1].class_ids == labels_of(1)).all()

    @pytest.mark.parametrize(
        "text",
        [
            "cd4,255,0,0\nCD4-,0,255,0\nrest,0,0,255\n",  # one like two
            "CD4+,255,0,0\nCD4-,0,255,0\nRest,0,0,255\nREST,9,9,9\n",  # two like one
        ],
    )
    def test_what_could_be_several_is_refused(self, root, text):
        self.palette(root, text)
        refused(root, r"palette\.txt has a colour for '(cd4|Rest)', which is none of the classes of .*classes\.txt")

    def test_ignore(self):
        listed = list(enumerate(("CD4+", "CD4-", "rest")))
        assert asked_ignored("CD4+", listed) == {0, 255, 65535}
        assert asked_ignored("REST", listed) == {2, 255, 65535}
        with pytest.raises(InputError, match=r"'cd4' could be 'CD4\+' or 'CD4-'"):
            asked_ignored("cd4", listed)


class TestIgnore:
    @pytest.mark.parametrize("text", ["-1", "+2", "1.", "1_", "²", "9" * 5000, "#", "0 1"])
    @pytest.mark.parametrize("named", [False, True])
    def test_what_is_no_number(self, root, text, named):
        if not named:
            (root / "classes.txt").unlink()
        refused(root, r"is neither a number in 0\.\.65535 nor a class", ignore=text)

    def test_of_very_many_names(self):
        """Looked up at once, not one name after the other."""
        names = [(i, f"c{i}") for i in range(60_000)]
        assert 5 in asked_ignored("c5", names)
        found = Scan(np.array([[1, 1]]), np.zeros(1, np.int64), np.zeros(1, np.int64), np.ones(1, np.int64))
        extra = tuple(name for _, name in names[30_000:])
        with pytest.raises(InputError, match="60,000 classes count"):
            numbering(Named(names, extra, None, "x"), found, {})


def tiff(ids: np.ndarray, bits: int, white_is_zero: bool = False) -> bytes:
    """A grey TIFF of few bits, written by hand."""
    rows = [int("".join(f"{v:0{bits}b}" for v in row), 2).to_bytes(ids.shape[1] * bits // 8, "big") for row in ids]
    data, photometric = b"".join(rows), int(not white_is_zero)
    tags = {256: ids.shape[1], 257: ids.shape[0], 258: bits, 259: 1, 262: photometric, 273: 110, 278: ids.shape[0]}
    entries = b"".join(struct.pack("<HHIHH", tag, 3, 1, value, 0) for tag, value in [*tags.items(), (279, len(data))])
    return b"II*\0" + struct.pack("<IH", 8, 8) + entries + bytes(4) + data


class TestNumbersAsWritten:
    @pytest.mark.parametrize("bits", [2, 4, 8])
    def test_tiff(self, tmp_path, bits):
        ids = np.arange(16).reshape(2, 8) % (1 << bits)
        (tmp_path / "m.tif").write_bytes(tiff(ids, bits))
        assert (read_labels(tmp_path / "m.tif") == ids).all()
        (tmp_path / "m.tif").write_bytes(tiff(ids, bits, white_is_zero=True))
        with pytest.raises(InputError, match=r"m\.tif .*white as 0.*PNG"):
            read_labels(tmp_path / "m.tif")

    @pytest.mark.parametrize(
        ("head", "count"),
        [("P5 4 2 255\n", 8), ("P5 4 2 65535\n", 16), ("P2 4 2 255\n", 0), ("P2 4 2 65535\n", 0)],
    )
    def test_pgm(self, tmp_path, head, count):
        ids = np.arange(8).reshape(2, 4)
        binary = ids.astype(">u2" if count == 16 else "u1").tobytes()
        (tmp_path / "m.pgm").write_bytes(head.encode() + (binary if count else b"0 1 2 3 4 5 6 7"))
        assert (read_labels(tmp_path / "m.pgm") == ids).all()

    @pytest.mark.parametrize("head", ["P5 4 2 20\n", "P5 4 2 1000\n", "P2 4 2 20\n", "P6 4 2 20\n", "P6 4 2 65535\n"])
    def test_pgm_that_readers_rescale(self, tmp_path, head):
        (tmp_path / "m.pgm").write_bytes(head.encode() + b"1 " * 40)
        with pytest.raises(InputError, match=r"m\.pgm .*highest value is (20|1000|65535).*PNG"):
            read_labels(tmp_path / "m.pgm")

    def test_a_truncated_tiff_is_one_sentence(self, tmp_path):
        (tmp_path / "m.tif").write_bytes(tiff(np.zeros((2, 8), int), 8)[:60])
        code = (
            "import sys; from dashboard.datasets.sizes import read_size\n"
            "from dashboard.datasets.mask_files import read_labels\n"
            "for read in (read_labels, read_size):\n"
            "    try: read(sys.argv[1])\n"
            "    except ValueError as error: print(type(error).__name__, error)\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", code, str(tmp_path / "m.tif")], capture_output=True, text=True, check=True
        )
        assert done.stderr == ""
        assert done.stdout.count("InputError") == 2


class TestPanoptic:
    @pytest.fixture
    def root(self, tmp_path):
        self.content = {"annotations": [], "categories": [{"id": 1, "name": "sky"}, {"id": 5, "name": "road"}]}
        for i, name in enumerate(("1.png", "2.png")):
            write(tmp_path / "images" / name, i)
            self.put(tmp_path, f"panoptic_val/{name}", np.dstack([np.full((24, 32), 7), np.zeros((24, 32, 2))]))
            self.content["annotations"].append({"file_name": name, "segments_info": [{"id": 7, "category_id": 5}]})
        self.save(tmp_path)
        return tmp_path

    def put(self, root, name, pixels, **options):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(png(pixels.astype(np.uint8), **options))

    def save(self, root):
        (root / "panoptic_val.json").write_text(json.dumps(self.content))

    def test_by_hand(self, root):
        data = opened(root)
        assert data.class_names == ("sky", "road")
        assert (data.targets[1].class_ids == 1).all()

    @pytest.mark.parametrize("options", [{}, {"palette": [7, 0, 0] * 256}])
    def test_png_of_numbers(self, root, options):
        """Of grey PNG the values are no segments: they would pass for categories."""
        self.put(root, "panoptic_val/2.png", np.full((24, 32), 5), **options)
        for palette_png in ("", "numbers", "colours"):
            asked = {"palette_png": palette_png} if palette_png else {}
            refused(root, r"2\.png .*panoptic.*8-bit RGB", **asked)

    @pytest.mark.parametrize("kind", ["1", "LA", "I;16"])
    def test_other_kinds(self, root, kind):
        Image.new(kind, (32, 24)).save(root / "panoptic_val" / "2.png")
        refused(root, r"2\.png .*panoptic.*8-bit RGB")

    def test_two_annotations_of_one_png(self, root):
        self.content["annotations"].append({"file_name": "deep/1.png", "segments_info": []})
        self.save(root)
        refused(root, r"panoptic_val\.json, annotations 1 and 3: both are of '1\.png'")

    def test_two_png_of_one_annotation(self, root):
        for folder in "ab":
            write(root / "images" / folder / "2.png")
            (root / "panoptic_val" / folder).mkdir()
            (root / "panoptic_val" / folder / "2.png").write_bytes((root / "panoptic_val" / "2.png").read_bytes())
        for folder in ("images", "panoptic_val"):
            (root / folder / "2.png").unlink()
        refused(root, r"a/2\.png and .*b/2\.png have one name.*panoptic_val\.json")


class TestPathsInOptions:
    @pytest.mark.parametrize("option", ["images", "masks", "palette", "class_list", "annotations"])
    @pytest.mark.parametrize("value", ["~nosuchuser/x", "a" * 300, "a\0b"])
    def test_that_cannot_be(self, root, option, value):
        text = refused(root, r"nosuchuser|aaaa|a.*b", **{option: value})
        assert "option" in text or "cannot be read" in text or "not there" in text

    def test_split(self, root):
        text = refused(root, "no split 'aaa", split="a" * 300)
        assert len(text) < 500

    def test_home(self, root, monkeypatch):
        monkeypatch.setenv("HOME", str(root.parent))
        (root.parent / "mine.txt").write_text("a\nb\nc\n")
        assert opened(root, class_list="~/mine.txt").class_names == ("a", "b", "c")


class TestPalettes:
    @pytest.mark.parametrize("line", [f"a:{'9' * 5000},0,0::", "a:٢٥٥,0,0::"])
    def test_numbers(self, tmp_path, line):
        (tmp_path / "palette.txt").write_text(f"{line}\nb:0,255,0::\n")
        with pytest.raises(InputError, match=r"palette\.txt, line 1: .*no class with its colour") as info:
            read_palette(tmp_path / "palette.txt")
        assert len(str(info.value)) < 400

    @pytest.mark.parametrize("name", ["\ud800", {"a": 1}, ["a"], "", " ", "a\0", "a\nb", True, 1.5])
    def test_names(self, tmp_path, name):
        for content in ([{"name": "b", "color": [1, 2, 3]}, {"name": name, "color": [0, 0, 0]}],):
            (tmp_path / "palette.json").write_text(json.dumps(content))
            with pytest.raises(InputError, match=r"palette\.json, entry 2: .* is no name of a class"):
                read_palette(tmp_path / "palette.json")
        if isinstance(name, str):
            (tmp_path / "palette.json").write_text(json.dumps({name: [0, 0, 0]}))
            with pytest.raises(InputError, match=r"palette\.json, entry 1: .* is no name of a class"):
                read_palette(tmp_path / "palette.json")

    @pytest.mark.parametrize("label", [True, "3", 1.5])
    def test_ids(self, tmp_path, label):
        (tmp_path / "palette.json").write_text(json.dumps([{"name": "a", "id": label, "color": [0, 0, 0]}]))
        with pytest.raises(InputError, match=r"palette\.json, entry 1: the number .* is no whole number"):
            read_palette(tmp_path / "palette.json")

    def test_a_number_may_be_a_name(self, tmp_path):
        (tmp_path / "palette.json").write_text(
            '[{"name": 3, "id": 0, "color": [0, 0, 0]}, {"color": [1, 1, 1], "id": 2}]'
        )
        assert read_palette(tmp_path / "palette.json").names == ("3", None)


class TestBigOnes:
    def test_are_read_one_at_a_time(self, root, monkeypatch):
        """Eight RGB masks of 127 megapixels at once took 9 GB."""
        monkeypatch.setattr(images, "BIG_PIXELS", 100)
        lock, here, most = threading.Lock(), [0], [0]

        def counted(labels):
            with lock:
                here[0] += 1
                most[0] = max(most[0], here[0])
            time.sleep(0.01)
            with lock:
                here[0] -= 1
            return real(labels)

        real = mask_scan._count
        monkeypatch.setattr(mask_scan, "_count", counted)
        files = [str(root / "masks" / name.replace(".jpg", ".png")) for name in FILES] * 3
        assert len(scan(files, [None] * 12, None, None).sizes) == 12
        assert most == [1]

    def test_a_picture_over_the_limit(self, root):
        (root / "images" / "2.jpg").write_bytes(png_of_size(60_000, 60_000))
        refused(root, r"images/2\.jpg says it has 60,000 x 60,000 pixels, more than the limit of 128,000,000")


class TestWhatIsNoFile:
    def test_a_folder(self, root):
        (root / "masks" / "2.png").unlink()
        (root / "masks" / "2.png").mkdir()
        refused(root, r"1 of 4 pictures have no mask: '2\.jpg' \('2\.png' is there, but is no ordinary file\)")

    @pipes
    def test_a_pipe(self, root):
        (root / "masks" / "10.png").unlink()
        os.mkfifo(root / "masks" / "10.png")
        refused(root, r"'10\.png' is there, but is no ordinary file")

    def test_a_folder_that_has_nothing_to_do_with_it(self, root):
        (root / "masks" / "2.png").unlink()
        (root / "masks" / "notes.png").mkdir()
        assert "ordinary" not in refused(root, r"1 of 4 pictures have no mask: '2\.jpg'; add")

    def test_pictures_in_a_folder_without_any(self, root, tmp_path):
        (tmp_path / "other").mkdir()
        (tmp_path / "other" / "x.txt").write_text("")
        with pytest.raises(InputError, match=r"other has no pictures \(option images\)"):
            open_dataset(root, task=TASK, options={"images": str(tmp_path / "other")}, labels_only=True)


def test_white_alone_does_not_count(root):
    """255 is a class only where black and white masks have both."""
    (root / "classes.txt").write_text("rest\ncar\n")
    for i in range(4):
        put(root, i, np.full((24, 32), 255, np.uint8))
    data = opened(root)
    assert not data.pixels.any()
    (root / "classes.txt").unlink()
    refused(root, "no mask has a pixel that counts")


def test_rgb_tiff_of_sixteen_bits(tmp_path):
    """Pillow keeps the high bytes of it."""
    stream = io.BytesIO()
    Image.new("RGB", (4, 4)).save(stream, "TIFF")
    data = stream.getvalue().replace(struct.pack("<3H", 8, 8, 8), struct.pack("<3H", 16, 16, 16)) + bytes(200)
    (tmp_path / "m.tif").write_bytes(data)
    with pytest.raises(InputError, match="16 bits a channel"):
        read_labels(tmp_path / "m.tif")


def test_too_many_classes(root):
    (root / "classes.txt").write_text("".join(f"c{i}\n" for i in range(5000)))
    refused(root, r"classes\.txt: 5,000 classes count.* 1 to 4,096.*not objects")
