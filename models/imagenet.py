"""ImageNet's class names and WordNet ids, read from timm's label files without importing timm (or torch)."""

from __future__ import annotations

import csv
import importlib.util
from functools import cache
from pathlib import Path

# Number of outputs -> timm's list of WordNet ids in output order (timm.data.imagenet_info has the same table).
_LISTS = {
    1000: "imagenet_synsets.txt",
    11221: "imagenet21k_miil_synsets.txt",
    11821: "imagenet12k_synsets.txt",
    21841: "imagenet22k_synsets.txt",
    21842: "imagenet22k_ms_synsets.txt",
    21843: "imagenet21k_goog_synsets.txt",
}


def _folder() -> Path:
    """timm's folder of label files, found without running timm's code."""
    found = importlib.util.find_spec("timm")
    if found is None or not found.submodule_search_locations:
        raise ModuleNotFoundError("timm is not installed; it carries ImageNet's label files")
    return Path(next(iter(found.submodule_search_locations))) / "data" / "_info"


@cache
def _lemmas() -> dict[str, str]:
    with (_folder() / "imagenet_synset_to_lemma.txt").open(encoding="utf-8", newline="") as file:
        return dict(csv.reader(file, delimiter="\t"))


@cache
def classes(count: int = 1000) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names and WordNet ids of an ImageNet label set, in the order of a network's outputs.

    Args:
        count: how many outputs: 1000 (ILSVRC), 11221, 11821, 21841, 21842 or 21843.

    Returns:
        (names, ids), each (count,); two empty tuples if no ImageNet label set has ``count`` classes. A name is the
        first of a synset's words; where two synsets share it ("crane"), the following words are added.
    """
    if count not in _LISTS:
        return (), ()
    ids = (_folder() / _LISTS[count]).read_text(encoding="utf-8").split()
    lemmas = _lemmas()
    words = [[w.strip() for w in lemmas.get(i, i).split(",")] for i in ids]
    names = [w[0] for w in words]
    seen: dict[str, int] = {}
    for name in names:
        seen[name] = seen.get(name, 0) + 1
    names = [", ".join(w) if seen[n] > 1 else n for n, w in zip(names, words, strict=True)]
    used: set[str] = set()
    for i, name in enumerate(names):  # a few synsets share every word: the id tells them apart
        names[i] = f"{name} ({ids[i]})" if name in used else name
        used.add(names[i])
    return tuple(names), tuple(ids)
