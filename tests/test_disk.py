"""What an operating system says when a file cannot be written, in one sentence."""

from __future__ import annotations

import errno
import os

import pytest

from dashboard.disk import friendly_os_errors
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
