"""The tables of ``predictions_import``, as they lie in a file: CSV, Parquet or npz (never pickles)."""

from __future__ import annotations

import csv
import re
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
from numpy.typing import NDArray

from dashboard.datasets.csv_labels import LABEL_COLUMNS, PATH_COLUMNS
from dashboard.errors import InputError
from dashboard.textfiles import read_text

_ID_COLUMNS = ("id", *(name for name in PATH_COLUMNS if name != "id"))
_PREDICTED_COLUMNS = ("predicted", "prediction", "pred")
_CONFIDENCE_COLUMNS = ("score", "confidence", "probability")
_LAYOUT = "expected the columns id,label,score_0,score_1,... or id,label,predicted[,score] (label may be left out)"


@dataclass(frozen=True, eq=False)
class PredictionsFile:
    """A predictions file, not yet compared with a truth.

    Attributes:
        path: of the file.
        ids: N, as written.
        scores: (N, C) float32 or float64, or None.
        predicted: N class names or numbers as text, or None; one of the two is there.
        confidence: (N,) or None.
        labels: N, what the file says the truth is, or None.
        class_names: (C,) if the file names its score columns, or None.
    """

    path: Path
    ids: list[str]
    scores: NDArray[np.floating] | None
    predicted: list[str] | None
    confidence: NDArray[np.floating] | None
    labels: list[str] | None
    class_names: tuple[str, ...] | None = None

    def where(self, *rows: int) -> str:
        """The file and the line (of text) or row (of the others, from 0) of one or two rows."""
        return _where(self.path, *rows)


def read_predictions_file(path: Path) -> PredictionsFile:
    """Read one.

    Raises:
        InputError: naming the file: not there, of another kind, damaged, columns missing, cells that are no numbers.
    """
    suffix = path.suffix.lower()
    if not path.is_file():
        raise InputError(
            f"{path} {'is a folder' if path.is_dir() else 'does not exist'}: give a CSV, Parquet or npz file"
        )
    if path.stat().st_size == 0:
        raise InputError(f"{path} is empty: {_LAYOUT}")
    try:
        if suffix in (".csv", ".tsv"):
            file = _from_table(path, _read_csv(path))
        elif suffix in (".parquet", ".pq"):
            file = _from_table(path, pyarrow.parquet.read_table(path))
        elif suffix == ".npz":
            file = _read_npz(path)
        else:
            raise InputError(f"{path} is not of a known kind: give predictions as .csv, .tsv, .parquet or .npz")
    except pa.ArrowInvalid as error:
        raise InputError(
            f"{path} cannot be read as {suffix[1:]} ({_short(error)}): correct it or save it again"
        ) from error
    except MemoryError as error:
        raise InputError(f"{path} does not fit in memory: save the scores as float32, or split the data") from error
    except OSError as error:
        raise InputError(f"{path} cannot be read ({_short(error)}): check that it is whole and readable") from error
    if not file.ids:
        raise InputError(f"{path} has no predictions: write one line per sample")
    return file


def _where(path: Path, *rows: int) -> str:
    text = path.suffix.lower() in (".csv", ".tsv")
    unit = ("line" if text else "row") + ("s" if len(rows) > 1 else "")
    return f"{path}, {unit} {' and '.join(str(row + 2 if text else row) for row in rows)}"


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:200]


def _read_csv(path: Path) -> pa.Table:
    with open(path, "rb") as stream:
        head = stream.readline(1 << 20)
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        read_text(path)  # is text, but not of the kind that is read at speed
        raise InputError(f"{path} is UTF-16: save it as UTF-8")
    header = head.decode("utf-8-sig", "replace").strip()
    delimiter = max((",", "\t", ";"), key=header.count)
    names = [name.strip().strip('"') for name in header.split(delimiter)]
    kinds = {n: pa.string() for n in names if n.lower() in (*_ID_COLUMNS, *LABEL_COLUMNS, *_PREDICTED_COLUMNS)}
    fast = kinds | {n: pa.float64() for n in names if n.lower().startswith("score")}
    try:
        try:
            return _arrow_csv(path, delimiter, names, fast)
        except pa.ArrowInvalid as error:
            if "conversion error" not in str(error):
                raise
            return _arrow_csv(path, delimiter, names, kinds)  # the cell that is no number is looked for later
    except pa.ArrowInvalid as error:
        if " columns, got " in str(error):
            _refuse_ragged(path, delimiter)
        raise


def _arrow_csv(path: Path, delimiter: str, names: list[str], kinds: dict[str, pa.DataType]) -> pa.Table:
    return pyarrow.csv.read_csv(
        path,
        read_options=pyarrow.csv.ReadOptions(column_names=names, skip_rows=1, block_size=16 << 20),
        parse_options=pyarrow.csv.ParseOptions(delimiter=delimiter, newlines_in_values=False),
        convert_options=pyarrow.csv.ConvertOptions(column_types=kinds, strings_can_be_null=False),
    )


def _refuse_ragged(path: Path, delimiter: str) -> None:
    """Name the first line with too many or too few cells; only called when Arrow has found one."""
    with open(path, encoding="utf-8-sig", errors="replace", newline="") as stream:
        reader = csv.reader(stream, delimiter=delimiter)
        wanted = len(next(reader))
        for row in reader:
            if row and len(row) != wanted:
                raise InputError(
                    f"{path}, line {reader.line_num}: {len(row)} cells where the header has {wanted}: "
                    "put text that contains the delimiter in double quotes"
                )


def _from_table(path: Path, table: pa.Table) -> PredictionsFile:
    names = [name.strip().lower() for name in table.column_names]
    twice = next((n for n in names if names.count(n) > 1), None) if len(set(names)) < len(names) else None
    if twice is not None:
        raise InputError(f"{path} has the column {twice!r} twice: remove one")

    def column(known: Sequence[str]) -> pa.ChunkedArray | None:
        return next((table.column(names.index(n)) for n in known if n in names), None)

    ids, predicted, confidence = column(_ID_COLUMNS), column(_PREDICTED_COLUMNS), column(_CONFIDENCE_COLUMNS)
    labels = column(LABEL_COLUMNS)
    huge = next((n for n in names if re.fullmatch(r"score_\d{9,}", n)), None)
    if huge is not None:  # int() refuses thousands of digits
        raise InputError(f"{path}: the column {huge:.30} has too large a number: columns are numbered from score_0")
    numbered = {int(n[6:]): i for i, n in enumerate(names) if re.fullmatch(r"score_\d+", n)}
    packed = column(["scores"])
    shown = ", ".join(table.column_names[:6]) + (", ..." if len(names) > 6 else "")
    if ids is None or (predicted is None and not numbered and packed is None):
        raise InputError(f"{path}: {_LAYOUT}, but the columns are {shown}")
    gap = next((i for i in range(len(numbered)) if i not in numbered), None)
    if gap is not None:
        raise InputError(
            f"{path}: column score_{gap} is missing ({len(numbered)} score columns up to score_{max(numbered)}): "
            "every class needs one, numbered from 0"
        )
    scores = None
    if numbered:
        scores = _stack(path, [table.column(numbered[i]) for i in range(len(numbered))])
    elif packed is not None:
        scores = _unpack(path, packed)
    return PredictionsFile(
        path=path,
        ids=_texts(path, ids, "id"),
        scores=scores,
        predicted=None if predicted is None else _texts(path, predicted, "predicted"),
        confidence=None if confidence is None else _floats(path, confidence, "score"),
        labels=None if labels is None else _texts(path, labels, "label"),
    )


def _stack(path: Path, columns: list[pa.ChunkedArray]) -> NDArray[np.floating]:
    """(N, C), float32 if every column is (half or) single precision, else float64."""
    single = all(pa.types.is_float32(c.type) or pa.types.is_float16(c.type) for c in columns)
    out = np.empty((len(columns[0]), len(columns)), np.float32 if single else np.float64)
    for start in range(0, len(columns), 32):  # in blocks: writing single columns would touch every cache line
        block = [_floats(path, c, f"score_{start + i}") for i, c in enumerate(columns[start : start + 32])]
        out[:, start : start + 32] = np.stack(block).T
    return out


def _unpack(path: Path, column: pa.ChunkedArray) -> NDArray[np.floating]:
    """(N, C) from a column of lists of one length."""
    flat = column.combine_chunks()
    if not (pa.types.is_list(flat.type) or pa.types.is_large_list(flat.type) or pa.types.is_fixed_size_list(flat.type)):
        raise InputError(f"{path}: the column scores must hold lists of numbers, it holds {flat.type}")
    values = flat.flatten()
    if len(flat) == 0 or len(values) == 0 or len(values) % len(flat) or len(set(flat.value_lengths().to_pylist())) > 1:
        raise InputError(f"{path}: the lists in the column scores must all have one number per class")
    array = _floats(path, pa.chunked_array([values]), "scores")
    return array.reshape(len(flat), -1)


def _floats(path: Path, column: pa.ChunkedArray, name: str) -> NDArray[np.floating]:
    """A column of numbers; empty cells become NaN (and are refused where they are looked at)."""
    if pa.types.is_floating(column.type):
        array = column.to_numpy()
        return array.astype(np.float32) if array.dtype == np.float16 else array
    if pa.types.is_integer(column.type) or pa.types.is_boolean(column.type) or pa.types.is_null(column.type):
        return column.cast(pa.float64()).to_numpy()
    cells = column.to_pylist()
    try:
        return np.array([float(cell) for cell in cells])
    except (TypeError, ValueError):
        row = next(row for row, cell in enumerate(cells) if not _is_number(cell))
        raise InputError(f"{_where(path, row)}: {name} is {cells[row]!r}, not a number") from None


def _is_number(cell: object) -> bool:
    try:
        float(cell)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return False
    return True


def _texts(path: Path, column: pa.ChunkedArray, name: str) -> list[str]:
    """A column as text; whole numbers without their decimal point."""
    if column.null_count:
        raise InputError(f"{path}: {column.null_count} cells of the column {name} are empty: fill them in")
    if pa.types.is_floating(column.type):
        return [str(int(v)) if float(v).is_integer() else str(v) for v in column.to_pylist()]
    if pa.types.is_list(column.type):
        return [";".join(map(str, v)) for v in column.to_pylist()]
    return [(v.decode("utf-8", "replace") if isinstance(v, bytes) else str(v)).strip() for v in column.to_pylist()]


def _read_npz(path: Path) -> PredictionsFile:
    arrays: dict[str, Any] = {}
    try:
        with np.load(path, allow_pickle=False) as archive:
            for name in ("ids", "scores", "labels", "predicted", "confidence", "class_names"):
                if name in archive.files:
                    arrays[name] = archive[name]
                    if not isinstance(arrays[name], np.ndarray):  # an entry that is no array comes as its bytes
                        raise ValueError(f"{name} is not an array")
            found = ", ".join(archive.files)
    except (ValueError, zipfile.BadZipFile, EOFError, AttributeError, TypeError) as error:
        if "allow_pickle" in str(error) or "pickle" in str(error):
            raise InputError(
                f"{path} holds pickled objects, which could run code: "
                "save ids as text (ids.astype(str)) and scores as floats"
            ) from error
        raise InputError(f"{path} is not a npz file or is damaged ({_short(error)}): save it again") from error
    if "ids" not in arrays or ("scores" not in arrays and "predicted" not in arrays):
        raise InputError(f"{path} must hold ids and scores (or ids and predicted), but holds {found or 'nothing'}")
    ids = arrays["ids"]
    for name, array in arrays.items():
        wanted = 2 if name == "scores" else 1
        if array.ndim != wanted or (name != "class_names" and len(array) != len(ids)) or ids.ndim != 1:
            raise InputError(
                f"{path}: {name} has the shape {array.shape}: ids must be (N,) and scores (N, C), with the same N"
            )
        numeric = name in ("scores", "confidence")
        if array.dtype.kind not in ("fiub" if numeric else "fiubUS"):
            kind = "not numbers" if numeric else "not text or numbers"
            raise InputError(f"{path}: {name} is of the type {array.dtype}, {kind}: save it as such")
    scores = arrays.get("scores")
    if scores is not None and scores.dtype not in (np.float32, np.float64):
        scores = scores.astype(np.float32 if scores.dtype == np.float16 else np.float64)
    if scores is not None and scores.shape[1] == 0:
        raise InputError(f"{path}: scores have no columns: save one per class")
    confidence = arrays.get("confidence")
    return PredictionsFile(
        path=path,
        ids=_plain(ids),
        scores=scores,
        predicted=_plain(arrays["predicted"]) if "predicted" in arrays else None,
        confidence=None if confidence is None else np.asarray(confidence, np.float64),
        labels=_plain(arrays["labels"]) if "labels" in arrays else None,
        class_names=tuple(_plain(arrays["class_names"])) if "class_names" in arrays else None,
    )


def _plain(array: NDArray) -> list[str]:
    """Text of an array of text, bytes or numbers."""
    if array.dtype.kind == "S":
        return [v.decode("utf-8", "replace") for v in array.tolist()]
    return [str(v) for v in array.tolist()]
