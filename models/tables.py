"""Lists of what timm and torchvision offer, so that listing 1,500 models imports neither (nor torch).

``python -m models.tables`` rewrites the two TSV files from the installed versions; a model that is newer than them is
still found by its full name.
"""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
TIMM, TORCHVISION = HERE / "timm_models.tsv", HERE / "torchvision_models.tsv"
SPDX = {
    "apache-2.0": "Apache-2.0",
    "mit": "MIT",
    "bsd-3-clause": "BSD-3-Clause",
    "cc-by-nc-4.0": "CC-BY-NC-4.0",
    "cc-by-4.0": "CC-BY-4.0",
}


@cache
def read(path: Path) -> tuple[dict[str, str], ...]:
    """The rows of one of the two tables."""
    with path.open(encoding="utf-8", newline="") as file:
        return tuple(csv.DictReader(file, delimiter="\t"))


def spdx(license: str | None) -> str:
    """timm's licence word as an SPDX identifier where there is one."""
    return SPDX.get(license or "", license or "unknown")


def timm_rows(sizes: bool = True) -> list[dict[str, Any]]:
    """A row for each pretrained timm classifier whose classes are known (feature extractors are left out)."""
    import timm
    import torch
    from timm.models import get_pretrained_cfg

    from models.imagenet import classes

    bytes_of: dict[str, int | str] = {}
    rows = []
    for name in timm.list_pretrained():
        cfg = get_pretrained_cfg(name)
        if cfg is None or not classes(cfg.num_classes)[0] or not (cfg.hf_hub_id or cfg.url):
            continue
        architecture = name.partition(".")[0]
        if sizes and name not in bytes_of:
            try:  # on the meta device: shapes without memory
                with torch.device("meta"):
                    net = timm.create_model(architecture, num_classes=cfg.num_classes)
                bytes_of[name] = 4 * sum(t.numel() for t in [*net.parameters(), *net.buffers()])
            except Exception:
                bytes_of[name] = ""
        default = get_pretrained_cfg(architecture)
        size = cfg.test_input_size or cfg.input_size
        rows.append(
            {
                "name": name,
                "default": int(default is not None and default.tag == cfg.tag),
                "classes": cfg.num_classes,
                "height": size[1],
                "width": size[2],
                "bytes": bytes_of.get(name, ""),
                "license": spdx(cfg.license),
                "hub": cfg.hf_hub_id or "",
                "url": "" if cfg.hf_hub_id else cfg.url,
                "paper": (cfg.paper_ids if isinstance(cfg.paper_ids, str) else "") or cfg.origin_url or "",
            }
        )
    return rows


def torchvision_rows() -> list[dict[str, Any]]:
    """A row for each torchvision classifier and each of its weights."""
    import torchvision
    from torchvision.transforms._presets import ImageClassification

    rows = []
    for name in torchvision.models.list_models(module=torchvision.models):
        enum = torchvision.models.get_model_weights(name)
        for weights in enum:
            preset = weights.transforms()
            if not isinstance(preset, ImageClassification) or len(weights.meta["categories"] or ()) != 1000:
                continue
            swag = "SWAG" in weights.name
            rows.append(
                {
                    "name": name,
                    "weights": weights.name,
                    "default": int(weights == enum.DEFAULT),
                    "crop": preset.crop_size[0],
                    "resize": preset.resize_size[0],
                    "interpolation": preset.interpolation.value,
                    "bytes": round(weights.meta["_file_size"] * 2**20),
                    "license": "CC-BY-NC-4.0" if swag else "BSD-3-Clause",
                    "url": weights.url,
                    "paper": weights.meta.get("recipe") or "",
                }
            )
    return rows


def write(path: Path, rows: list[dict[str, Any]]) -> None:
    """Rows to a tab-separated file with a header."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), delimiter="\t", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    write(TORCHVISION, torchvision_rows())
    write(TIMM, timm_rows())
