"""Text files from outside: ordinary files of a sane size, in the encodings that spreadsheets write."""

from __future__ import annotations

from pathlib import Path

from dashboard.errors import InputError

_MOST_TEXT = 2_000_000_000  # bytes; a table of ten million pictures has a few hundred million


def read_text(path: str | Path, most: int = _MOST_TEXT) -> str:
    """A text file of at most so many bytes in UTF-8 (with or without byte order mark) or UTF-16, as Excel writes them.

    Raises:
        InputError: naming the file, if it is missing, unreadable or not text.
    """
    try:
        file = Path(path)
        if file.exists() and not file.is_file():  # a pipe or a device may never end
            what = "a folder" if file.is_dir() else "no ordinary file"
            raise InputError(f"{path} is {what}: give a text file")
        if file.stat().st_size > most:
            size = f"{most / 1e9:g} GB" if most >= 1e9 else f"{most / 1e6:g} MB"
            raise InputError(f"{path} is larger than {size}, too large for a text file: split it")
        data = file.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror or error}): check the path") from error
    try:
        text = data.decode("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 text (byte {error.start}): save it as UTF-8") from error
    if "\0" in text:
        raise InputError(f"{path} is not a text file: give one saved as UTF-8 text")
    return text
