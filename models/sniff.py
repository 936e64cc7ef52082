"""What a weight file is, from its first bytes and its table of contents. Nothing inside it is run."""

from __future__ import annotations

import pickletools
import struct
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

from dashboard.errors import InputError

MOST_PICKLE = 256 << 20  # bytes of pickle looked through; real checkpoints keep tensors beside it


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


def pickle_globals(path: Path) -> set[str]:
    """Names ("module.attribute") that the pickle inside a torch file refers to, found by reading its opcodes.

    For routing and for explaining; what keeps code from running is torch's ``weights_only``. An unreadable pickle gives
    what was found up to there.
    """
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            member = next((n for n in archive.namelist() if n.partition("/")[2] == "data.pkl"), None)
            if member is None or archive.getinfo(member).file_size > MOST_PICKLE:
                return set()
            with archive.open(member) as file:
                return _globals(file)
    with path.open("rb") as file:
        found: set[str] = set()
        for _ in range(5):  # torch before 1.6 wrote several pickles one after another
            more = _globals(file)
            found |= more
            if file.read(1) == b"":
                break
            file.seek(-1, 1)
        return found


def _globals(file: IO[bytes]) -> set[str]:
    found: set[str] = set()
    strings: list[str] = []
    memo: dict[int, str] = {}
    try:
        for code, argument, _ in pickletools.genops(file):
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
    except Exception:  # cut off, or not a pickle after all
        return found
    return found
