"""What an operating system says when a file cannot be written, in one sentence."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from dashboard.disk import digest_of, friendly_os_errors
from dashboard.errors import InputError
from dashboard.store import Store


def test_a_limit_on_the_size_of_files(tmp_path):
    with pytest.raises(InputError, match=r"larger than .* allows.*ulimit -f"), friendly_os_errors(tmp_path):
        raise OSError(errno.EFBIG, "File too large", str(tmp_path / "x"))


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="no /proc here")
@pytest.mark.parametrize("place", ["/proc/x", "/proc/1/x/y"])
def test_a_place_where_no_folder_can_be_made(place):
    with pytest.raises(InputError, match=r"cannot be written .*--store") as info, Store(place).draft("a"):
        pass
    assert "/proc/" in str(info.value)


def test_a_file_that_is_missing_elsewhere_is_not_the_stores_fault(tmp_path):
    with pytest.raises(FileNotFoundError), friendly_os_errors(tmp_path):
        (tmp_path / "absent" / "weights.bin").read_bytes()


def test_a_folders_hash_follows_links(tmp_path):
    """What lies behind a linked folder is read as predictions, so its change must be seen; a loop ends."""
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "1.png").write_bytes(b"one")
    (tmp_path / "given").mkdir()
    (tmp_path / "given" / "part").symlink_to(tmp_path / "real", target_is_directory=True)
    (tmp_path / "real" / "again").symlink_to(tmp_path / "given", target_is_directory=True)
    before = digest_of(tmp_path / "given")
    assert before == digest_of(tmp_path / "given")
    (tmp_path / "real" / "1.png").write_bytes(b"two")
    assert digest_of(tmp_path / "given") != before


@pytest.mark.skipif(os.name == "nt", reason="no pipes in folders there")
def test_what_never_ends_is_not_hashed(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(InputError, match="no ordinary file"):
            digest_of(path)
    assert digest_of(tmp_path) == digest_of(tmp_path)  # passed over in a folder
