"""Weights that come over the network: where they lie once here, and one clear sentence when they cannot come."""

from __future__ import annotations

import logging
import os
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from dashboard.errors import InputError
from models.base import ModelSpec

T = TypeVar("T")
_log = logging.getLogger(__name__)
CONNECT_SECONDS = 4.0


def cache_home() -> Path:
    """Where downloads are kept: ``$XDG_CACHE_HOME``, else ``~/.cache``."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")


def torch_file(url: str) -> Path:
    """Where torch keeps a file downloaded from ``url`` (``torch.hub``'s folder, without importing torch)."""
    home = Path(os.environ.get("TORCH_HOME") or cache_home() / "torch")
    return home.expanduser() / "hub" / "checkpoints" / url.rpartition("/")[2]


def hub_folder(repository: str) -> Path:
    """Where the Hugging Face cache keeps ``owner/name`` (without importing huggingface_hub)."""
    home = Path(os.environ.get("HF_HOME") or cache_home() / "huggingface")
    root = os.environ.get("HF_HUB_CACHE") or os.environ.get("HUGGINGFACE_HUB_CACHE") or home / "hub"
    return Path(root).expanduser() / f"models--{repository.partition('@')[0].replace('/', '--')}"


def hub_file(repository: str, names: Sequence[str]) -> Path | None:
    """The newest cached copy of the first of ``names`` that is in the Hugging Face cache, or None."""
    snapshots = hub_folder(repository) / "snapshots"
    if not snapshots.is_dir():
        return None
    for name in names:
        found = [path for path in snapshots.glob(f"*/{name}") if path.is_file()]
        if found:
            return max(found, key=lambda path: path.stat().st_mtime)
    return None


def reachable(url: str) -> bool:
    """Whether the server of ``url`` answers at all within a few seconds (an error page is an answer)."""
    if os.environ.get("HF_HUB_OFFLINE", "0").upper() in ("1", "TRUE", "YES", "ON"):
        return False
    try:
        request = urllib.request.Request(url, method="HEAD", headers={"User-Agent": "loupe"})
        with urllib.request.urlopen(request, timeout=CONNECT_SECONDS):
            return True
    except urllib.error.HTTPError:
        return True
    except (OSError, ValueError):
        return False


def require(spec: ModelSpec, server: str) -> None:
    """Raises InputError, at once, if ``server`` cannot be reached."""
    if not reachable(server):
        raise InputError(not_here(spec, "there is no connection to it now"))


def download(spec: ModelSpec, server: str, get: Callable[[], T]) -> T:
    """Run ``get``, which downloads; at once an InputError if ``server`` cannot be reached, one if it fails."""
    require(spec, server)
    size = spec.weights.size_bytes
    _log.info("downloading %s (%s) from %s", spec.name, f"{size / 1e6:.0f} MB" if size else "size unknown", server)
    try:
        return get()
    except InputError:
        raise
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(not_here(spec, f"the download failed ({type(error).__name__}: {reason})")) from error


OFFLINE = {
    "classification": "efficientnet_lite0",
    "detection": "scenes_small",
    "instance-segmentation": "scenes_small",
    "semantic-segmentation": "scenes_sem_small",
    "enhancement": "photos_denoise",
}


def not_here(spec: ModelSpec, why: str) -> str:
    """The sentence for weights that are neither here nor to be had."""
    size = spec.weights.size_bytes
    about = f" (about {size / 1e6:.0f} MB)" if size else ""
    return (
        f"The weights of {spec.name} are not on this machine and would come from {spec.weights.location}{about}, but "
        f"{why}: connect and try again, give a weight file instead, or use {OFFLINE[spec.task]}, which works offline."
    )


def fetch_file(spec: ModelSpec, url: str, check_hash: bool = False) -> Path:
    """The file behind ``url``, from torch's folder or downloaded into it (whole or not at all)."""
    path = torch_file(url)
    if path.is_file():
        return path

    def get() -> Path:
        import re

        import torch

        path.parent.mkdir(parents=True, exist_ok=True)
        found = re.search(r"-([a-f0-9]{8,})\.", path.name) if check_hash else None
        torch.hub.download_url_to_file(url, str(path), found.group(1) if found else None, progress=True)
        return path

    return download(spec, url, get)
