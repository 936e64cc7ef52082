"""Archives made to do harm, each built here; afterwards nothing may be left behind."""

from __future__ import annotations

import errno
import os
import stat
import struct
import zipfile
import zlib
from pathlib import Path

import pytest

from dashboard.datasets import archive
from dashboard.datasets.archive import Limits, extract, extract_cached
from dashboard.errors import InputError
from tests.datasets.pictures import encode, gradient, write, zip_folder, zipped

PHOTO = encode(gradient())


def refused(zip_path: Path, match: str, limits: Limits | None = None) -> str:
    """Extraction is refused in one sentence that names the archive, and leaves nothing on the disk."""
    target = zip_path.parent / "cache" / "out"
    with pytest.raises(InputError, match=match) as info:
        extract(zip_path, target, limits)
    assert str(zip_path) in str(info.value)
    assert "\n" not in str(info.value)
    assert list((zip_path.parent / "cache").glob("*")) == []
    assert list((zip_path.parent / "cache").glob(".*")) == []
    return str(info.value)


class TestPaths:
    @pytest.mark.parametrize(
        "name",
        [
            "../evil.jpg",
            "a/../../evil.jpg",
            "..\\evil.jpg",
            "/etc/evil.jpg",
            "\\\\host\\evil.jpg",
            "C:\\evil.jpg",
            "c:evil.jpg",
        ],
    )
    def test_outside(self, tmp_path, name):
        message = refused(zipped(tmp_path / "a.zip", {"ok/1.jpg": PHOTO, name: PHOTO}), "leads outside the archive")
        assert repr(name) in message
        assert not (tmp_path / "evil.jpg").exists()

    def test_also_among_what_would_be_passed_over(self, tmp_path):
        refused(zipped(tmp_path / "a.zip", {"ok/1.jpg": PHOTO, "../evil.sh": b"x"}), "leads outside")

    @pytest.mark.parametrize(("kind", "word"), [(stat.S_IFLNK, "is a link"), (stat.S_IFIFO, "not an ordinary file")])
    def test_links_and_devices(self, tmp_path, kind, word):
        info = zipfile.ZipInfo("cat/link.jpg")
        info.external_attr = (kind | 0o777) << 16
        with zipfile.ZipFile(tmp_path / "a.zip", "w") as z:
            z.writestr("cat/1.jpg", PHOTO)
            z.writestr(info, "/etc/passwd")
        assert "cat/link.jpg" in refused(tmp_path / "a.zip", word)

    def test_backslashes_of_windows_archives_are_folders(self, tmp_path):
        zipped(tmp_path / "a.zip", {"cat\\1.jpg": PHOTO, "dog\\2.jpg": PHOTO})
        found = extract(tmp_path / "a.zip", tmp_path / "out")
        assert (found.root / "cat" / "1.jpg").is_file()

    @pytest.mark.filterwarnings("ignore:Duplicate name")
    def test_same_name_twice(self, tmp_path):
        with zipfile.ZipFile(tmp_path / "a.zip", "w") as z:
            z.writestr("1.jpg", PHOTO)
            z.writestr("1.jpg", PHOTO)
        refused(tmp_path / "a.zip", r"'1\.jpg' occurs twice")

    def test_file_that_is_also_a_folder(self, tmp_path):
        refused(zipped(tmp_path / "a.zip", {"a.jpg": PHOTO, "a.jpg/b.jpg": PHOTO}), "also a file")

    def test_encrypted(self, tmp_path):
        path = zipped(tmp_path / "a.zip", {"1.jpg": PHOTO})
        data = bytearray(path.read_bytes())
        for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
            data[data.index(signature) + offset] |= 1
        path.write_bytes(data)
        refused(path, "is encrypted")

    @pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
    def test_other_compression(self, tmp_path, method):
        refused(zipped(tmp_path / "a.zip", {"1.jpg": PHOTO}, method), "compressed by .* not by deflate")


def zeros_zip(path: Path, size: int, declared: int | None = None, name: str = "zeros.txt") -> Path:
    """A zip of ``size`` zero bytes, quickly: one deflated megabyte, repeated. Its header may lie."""
    block = bytes(1 << 20)
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    piece = packer.compress(block) + packer.flush(zlib.Z_FULL_FLUSH)
    count = size >> 20
    data = piece * count + zlib.compressobj(9, zlib.DEFLATED, -15).flush()
    declared = size if declared is None else declared
    crc = zlib.crc32(bytes(min(declared, 1 << 20)))  # right for a small lie, so only the length gives it away
    raw = name.encode()
    large = declared > 0xFFFFFFFE
    extra = struct.pack("<HHQQ", 1, 16, declared, len(data)) if large else b""
    sizes = (0xFFFFFFFF, 0xFFFFFFFF) if large else (len(data), declared)
    local = (
        struct.pack("<4sHHHHHIIIHH", b"PK\x03\x04", 45, 0, 8, 0, 33, crc, *sizes, len(raw), len(extra)) + raw + extra
    )
    central = (
        struct.pack(
            "<4sHHHHHHIIIHHHHHII", b"PK\x01\x02", 45, 45, 0, 8, 0, 33, crc, *sizes, len(raw), len(extra), 0, 0, 0, 0, 0
        )
        + raw
        + extra
    )
    end = struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, 1, 1, len(central), len(local) + len(data), 0)
    path.write_bytes(local + data + central + end)
    return path


class TestBombs:
    def test_ten_gigabytes_of_zeros(self, tmp_path):
        path = zeros_zip(tmp_path / "zeros.zip", 10 << 30)
        assert path.stat().st_size < 20_000_000
        refused(path, "decompression bomb")

    def test_even_where_the_kind_of_file_would_be_passed_over(self, tmp_path):
        refused(zeros_zip(tmp_path / "zeros.zip", 10 << 30, name="zeros.bin"), "decompression bomb")

    def test_header_that_lies_grossly(self, tmp_path):
        """It says 1 KB and holds 256 MB."""
        refused(zeros_zip(tmp_path / "liar.zip", 256 << 20, declared=1024), "holds more than the archive declares")

    def test_header_that_lies(self, tmp_path):
        """It says 1 MB and holds 256 MB, and has the checksum of 1 MB: no more than that is ever written."""
        found = extract(zeros_zip(tmp_path / "liar.zip", 256 << 20, declared=1 << 20), tmp_path / "out")
        assert [f.stat().st_size for f in found.folder.rglob("*.txt")] == [1 << 20]

    def test_header_that_lies_about_its_checksum_too(self, tmp_path):
        path = zeros_zip(tmp_path / "liar.zip", 64 << 20, declared=2 << 20)  # the checksum of 1 MB
        refused(path, "is not a zip archive or is damaged")

    def test_stream_longer_than_declared(self, tmp_path, monkeypatch):
        """Should zipfile ever hand out more than is declared, writing stops."""
        path = zipped(tmp_path / "a.zip", {"1.txt": b"1234"})
        real = zipfile.ZipExtFile.read
        monkeypatch.setattr(zipfile.ZipExtFile, "read", lambda self, n=-1: real(self, n) and bytes(99))
        refused(path, "larger than the archive declares")

    def test_total_and_entries(self, tmp_path):
        path = zipped(tmp_path / "a.zip", {f"{i}.jpg": os.urandom(1000) for i in range(5)})
        refused(path, r"unpacks to 0\.0 GB, more than the limit", Limits(total_bytes=4000))
        refused(path, r"has 5 entries, more than the limit of 4", Limits(entries=4))

    def test_one_bad_entry_in_a_large_honest_archive(self, tmp_path):
        path = zipped(tmp_path / "a.zip", {"1.jpg": os.urandom(100_000), "2.txt": bytes(1_000_000)})
        refused(path, r"bomb \(entry '2\.txt'", Limits(free_bytes=500_000))

    def test_well_compressed_labels_are_no_bomb(self, tmp_path):
        text = "".join(f"image_{i}.jpg,cat\n" for i in range(300_000)).encode()
        assert extract(zipped(tmp_path / "a.zip", {"labels.csv": text}), tmp_path / "out").files == 1


class TestDamage:
    def test_no_zip_at_all(self, tmp_path):
        (tmp_path / "a.zip").write_bytes(b"I am a text" * 99)
        refused(tmp_path / "a.zip", "is not a zip archive or is damaged")

    @pytest.mark.parametrize("keep", [0.2, 0.7, 0.99])
    def test_cut_short(self, tmp_path, keep):
        path = zipped(tmp_path / "a.zip", {f"{i}.jpg": PHOTO for i in range(9)})
        path.write_bytes(path.read_bytes()[: int(path.stat().st_size * keep)])
        refused(path, "is not a zip archive or is damaged")

    def test_damaged_in_the_middle(self, tmp_path):
        path = zipped(tmp_path / "a.zip", {f"{i}.jpg": PHOTO for i in range(3)})
        data = bytearray(path.read_bytes())
        data[len(data) // 2 : len(data) // 2 + 20] = b"\xff" * 20
        path.write_bytes(data)
        refused(path, "is not a zip archive or is damaged")

    def test_disk_full_while_writing(self, tmp_path, monkeypatch):
        path = zipped(tmp_path / "a.zip", {"1.jpg": PHOTO, "2.jpg": PHOTO})
        real = zipfile.ZipExtFile.read

        def read(self, n=-1):
            if self.name == "2.jpg":
                raise OSError(errno.ENOSPC, "No space left on device")
            return real(self, n)

        monkeypatch.setattr(zipfile.ZipExtFile, "read", read)
        refused(path, "does not fit on the disk .* free space")

    def test_disk_too_small_is_noticed_before_writing(self, tmp_path, monkeypatch):
        path = zipped(tmp_path / "a.zip", {"1.jpg": PHOTO})
        monkeypatch.setattr(archive.shutil, "disk_usage", lambda _: archive.shutil._ntuple_diskusage(1, 1, 0))
        refused(path, "does not fit on the disk")

    def test_missing(self, tmp_path):
        with pytest.raises(InputError, match=r"no\.zip cannot be read"):
            extract_cached(tmp_path / "no.zip", tmp_path / "cache")

    def test_nothing_of_use(self, tmp_path):
        refused(zipped(tmp_path / "a.zip", {}), "has no files")
        refused(zipped(tmp_path / "b.zip", {"run.sh": b"rm", "run.exe": b"MZ"}), r"other kinds \(\.sh, \.exe\)")


class TestUse:
    def test_kinds_and_clutter(self, tmp_path):
        entries = {"top/cat/1.jpg": PHOTO, "top/run.sh": b"", "__MACOSX/top/._1.jpg": b"x", "top/.DS_Store": b"x"}
        found = extract(zipped(tmp_path / "a.zip", entries), tmp_path / "out")
        assert (found.files, dict(found.skipped)) == (1, {".sh": 1})
        assert found.root == tmp_path / "out" / "top"  # and not the only class
        assert [p.name for p in found.folder.rglob("*") if p.is_file() and not p.name.startswith(".")] == ["1.jpg"]

    def test_second_use_does_not_unpack_again(self, tmp_path, monkeypatch):
        for i in range(3):
            write(tmp_path / "data" / "cat" / f"{i}.jpg", i)
        path = zip_folder(tmp_path / "data", tmp_path / "a.zip")
        first = extract_cached(path, tmp_path / "cache")
        monkeypatch.setattr(archive, "extract", lambda *_: pytest.fail("unpacked again"))
        assert extract_cached(path, tmp_path / "cache") == first
        copy = tmp_path / "elsewhere" / "a.zip"
        copy.parent.mkdir()
        copy.write_bytes(path.read_bytes())
        assert extract_cached(copy, tmp_path / "cache") == first

    def test_other_contents_of_the_same_name_are_unpacked(self, tmp_path):
        first = extract_cached(zipped(tmp_path / "a.zip", {"1.txt": b"1"}), tmp_path / "cache")
        second = extract_cached(zipped(tmp_path / "a.zip", {"1.txt": b"2"}), tmp_path / "cache")
        assert first.folder != second.folder
        assert (second.folder / "1.txt").read_bytes() == b"2"

    def test_another_process_was_quicker(self, tmp_path, monkeypatch):
        path = zipped(tmp_path / "a.zip", {"1.txt": b"1"})
        extract(path, tmp_path / "cache" / "out")
        assert extract(path, tmp_path / "cache" / "out").files == 1
        assert [p.name for p in (tmp_path / "cache").iterdir()] == ["out"]

    def test_leftovers_of_a_killed_process_go(self, tmp_path):
        old = tmp_path / "cache" / ".unpacking-old"
        old.mkdir(parents=True)
        os.utime(old, (0, 0))
        extract_cached(zipped(tmp_path / "a.zip", {"1.txt": b"1"}), tmp_path / "cache")
        assert not old.exists()
