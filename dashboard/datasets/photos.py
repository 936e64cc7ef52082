"""``demo:photos``: the held-out photos of scikit-image and scikit-learn, always here; made worse as one chooses.

The project's demo enhancers learn from other photos (``photo_split``). Of a photo with a side of more than 512 pixels
the middle is used, so that everything is quick and no pixel is resampled. Inputs are made by ``bicubic:2`` unless
another degradation is given.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from dashboard.datasets.boxes import flag
from dashboard.datasets.clean_images import CleanDataset, degradation_of, seed_of
from dashboard.datasets.enhancing import Header
from dashboard.datasets.photo_split import photo_paths
from dashboard.types import Image

SIDE = 512  # pixels that are used of a side, at most
DEGRADE = "bicubic:2"


class Photos(CleanDataset):
    """Seven photos of scikit-image and scikit-learn that no demo model was trained on; bicubic:2 unless said otherwise.

    Args:
        options: those of the class: the degradation, the seed, whether in grey.

    Raises:
        InputError: an unknown degradation, seed or flag.
    """

    kind = "photos-1"
    options: Mapping[str, str] = MappingProxyType(
        {
            "degrade": "how inputs are made: bicubic:4, noise:25, jpeg:10, blur:1.6, chains with +, or none",
            "seed": "of what is drawn at random, 0 or more (default 0)",
            "grey": "true turns pictures into grey (BT.601 luma, as Pillow's L) before anything else",
        }
    )

    def __init__(self, options: Mapping[str, str] | None = None) -> None:
        given = dict(options or {})
        files = photo_paths("test")
        super().__init__(
            name="photos",
            source="demo:photos",
            ids=[file.name for file in files],
            files=[str(file) for file in files],
            how=degradation_of({"degrade": given.get("degrade") or DEGRADE}, "demo:photos"),
            seed=seed_of(given),
            grey=flag(given, "grey", False),
        )
        self.options = given
        self.warnings = tuple(self.remarks())

    def shown(self, header: Header) -> tuple[int, int]:
        """Height and width of the middle that is used."""
        return min(header.height, SIDE), min(header.width, SIDE)

    def clean(self, index: int) -> Image:
        """The middle of a photo, (H, W, 3) uint8 RGB, H and W at most 512."""
        image = super().clean(index)
        top, left = ((side - min(side, SIDE)) // 2 for side in image.shape[:2])
        return np.ascontiguousarray(image[top : top + SIDE, left : left + SIDE])
