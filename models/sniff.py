"""What a weight file is, from its first bytes and its table of contents. Nothing inside it is run."""

from __future__ import annotations

import pickletools
import struct
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

from dashboard.errors import InputError

# Real checkpoints keep their tensors beside the pickle, which stays below a megabyte and a hundred thousand steps.
MOST_PICKLE = 64 << 20  # bytes of pickle looked through
MOST_STEPS = 1_000_000
MOST_GROWTH = 8  # times its size that a torch zip may unpack to; torch itself does not compress


@dataclass(frozen=True)
class Kind:
    """What a file is.

    Attributes:
        name: "onnx", "safetensors", "torch" (zip), "torchscript", "pickle" (also torch's format before 1.6), "other".
        words: the same for a sentence that begins "FILE is ...".
    """

    name: Literal["onnx", "safetensors", "torch", "torchscript", "pickle", "other"]
    words: str

    @property
    def weights(self) -> bool:
        """Whether some family may be able to load it."""
        return self.name != "other"


_OTHER = (
    (0, b"\x89HDF", "a Keras (HDF5) file, which is not supported"),
    (4, b"TFL3", "a TensorFlow Lite file, which is not supported"),
    (0, b"GGUF", "a GGUF file, which is not supported"),
    (0, b"version https://git-lfs", "a Git LFS pointer, not the weights themselves (run: git lfs pull)"),
    (0, b"\x89PNG", "a picture"),
    (0, b"\xff\xd8\xff", "a picture"),
    (0, b"\x1f\x8b", "a gzip archive (unpack it first)"),
    (0, b"%PDF", "a PDF"),
)


def sniff(path: Path) -> Kind:
    """Recognise ``path``. Raises InputError if it cannot be read or is empty."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(4096)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}.") from error
    if not head:
        raise InputError(f"{path} is empty: it may have been cut off; copy or download it again.")
    for offset, magic, words in _OTHER:
        if head[offset:].startswith(magic):
            return Kind("other", words)
    if head.startswith(b"PK"):
        return _zip_kind(path)
    if len(head) > 8 and head[8:9] == b"{":
        (length,) = struct.unpack("<Q", head[:8])
        if 2 <= length <= min(size - 8, 100_000_000):
            return Kind("safetensors", "a safetensors file")
        if length < 1 << 32:
            return Kind("other", "a safetensors file that is cut off or damaged")
    if head[0] == 0x80 and len(head) > 1 and head[1] <= 5:
        return Kind("pickle", "a Python pickle")
    if _looks_like_onnx(head):
        return Kind("onnx", "an ONNX file")
    if head[:200].lstrip()[:1] in (b"<",):
        return Kind("other", "a web page or XML, perhaps a failed download")
    if all(32 <= byte < 127 or byte in b"\t\r\n" for byte in head):
        return Kind("pickle", "a Python pickle") if _is_text_pickle(head) else Kind("other", "a text file")
    return Kind("other", "of a kind that is not recognised, or damaged")


def _zip_kind(path: Path) -> Kind:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return Kind("other", "a torch file or zip that is cut off or damaged")
    tails = {name.partition("/")[2] for name in names}
    if "data.pkl" not in tails:
        return Kind("other", "a zip that holds no PyTorch weights")
    if "constants.pkl" in tails or any(tail.startswith("code/") for tail in tails):
        return Kind("torchscript", "a TorchScript archive, which is a program")
    return Kind("torch", "a PyTorch file")


def _looks_like_onnx(head: bytes) -> bool:
    """A ModelProto: field 1 (ir_version, a small varint) first, then another of its fields."""
    if len(head) < 4 or head[0] != 0x08 or not 1 <= head[1] <= 0x40:
        return False
    return head[2] in (0x12, 0x1A, 0x22, 0x28, 0x32, 0x3A, 0x42, 0x72)


def _is_text_pickle(head: bytes) -> bool:
    """Protocol 0: ``cos\\nsystem\\n`` and the like. Only named, never run."""
    return head[:1] in (b"c", b"(", b"]", b"}") and (b"\n(" in head or b"\ntR" in head or head.rstrip().endswith(b"."))


def check_pickle(path: Path) -> None:
    """Refuse a torch file or pickle that takes far more time or memory to read than weights do.

    Raises:
        InputError: it unpacks to many times its size, or holds a pickle of too many bytes or steps.
    """
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(info.file_size for info in archive.infolist())
        if unpacked > max(MOST_GROWTH * path.stat().st_size, MOST_PICKLE):
            raise InputError(f"{path} unpacks to {unpacked / 1e9:.3g} GB, many times its size: save it uncompressed.")
    if not _scan(path)[1]:
        raise InputError(f"{path} holds more pickled objects than any weights need: save the tensors alone.")


def pickle_globals(path: Path) -> set[str]:
    """Names ("module.attribute") that the pickle inside a torch file refers to, found by reading its opcodes.

    For routing and for explaining; what keeps code from running is torch's ``weights_only``. An unreadable pickle, or
    one that is too long, gives what was found up to there.
    """
    return _scan(path)[0]


def _scan(path: Path) -> tuple[set[str], bool]:
    """(names referred to, whether the limits sufficed)."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            member = next((n for n in archive.namelist() if n.partition("/")[2] == "data.pkl"), None)
            if member is None:
                return set(), True
            try:
                with archive.open(member) as file:
                    return _globals(_Bounded(file))
            except (zipfile.BadZipFile, OSError, ValueError, RuntimeError, NotImplementedError):  # damaged, encrypted
                return set(), True
    with path.open("rb") as file:
        found: set[str] = set()
        for _ in range(5):  # torch before 1.6 wrote several pickles one after another
            more, whole = _globals(_Bounded(file))
            found |= more
            if not whole:
                return found, False
            if file.read(1) == b"":
                break
            file.seek(-1, 1)
        return found, True


class _TooLong(Exception):
    """More pickle than any weights need."""


class _Bounded:
    """A file that gives ``MOST_PICKLE`` bytes and no more, whatever length an opcode claims."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self._left = file, MOST_PICKLE

    def read(self, size: int) -> bytes:
        """``size`` bytes, fewer at the end. Raises _TooLong."""
        data = self._file.read(min(size, self._left + 1)) if size >= 0 else b""
        return self._spend(data)

    def readline(self) -> bytes:
        """Up to and with the next line feed. Raises _TooLong."""
        return self._spend(self._file.readline(self._left + 1))

    def _spend(self, data: bytes) -> bytes:
        self._left -= len(data)
        if self._left < 0:
            raise _TooLong
        return data


def _globals(file: _Bounded) -> tuple[set[str], bool]:
    found: set[str] = set()
    strings: list[str] = []
    memo: dict[int, str] = {}
    try:
        for step, (code, argument, _) in enumerate(pickletools.genops(file)):  # type: ignore[arg-type]
            if step > MOST_STEPS:
                return found, False
            if code.name == "GLOBAL":
                found.add(str(argument).replace(" ", "."))
            elif code.name == "STACK_GLOBAL" and len(strings) >= 2:
                found.add(".".join(strings[-2:]))
            elif code.name == "MEMOIZE":
                memo[len(memo)] = strings[-1] if strings else ""
            elif code.name in ("BINGET", "LONG_BINGET") and memo.get(int(argument or 0)):
                strings.append(memo[int(argument or 0)])
            elif isinstance(argument, str):
                strings.append(argument)
    except _TooLong:
        return found, False
    except Exception:  # cut off, or not a pickle after all
        return found, True
    return found, True
