"""The list behind ``models.classical``: what each method is, who wrote it, and what a person may set."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dashboard.errors import InputError
from models import classical_methods as methods

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Setting:
    """A number that a person may choose.

    Attributes:
        key: as in ``--set key=value``.
        default: NaN if it is found from the picture.
        low, high: the range, both ends allowed.
        whole: whether it is a whole number.
        odd: whether it is an odd one.
    """

    key: str
    default: float
    low: float
    high: float
    whole: bool = False
    odd: bool = False

    def read(self, method: str, settings: Mapping[str, str]) -> float:
        """The value asked for, or the default. Raises InputError for what is no number in the range."""
        text = settings.get(self.key)
        if text is None:
            return self.default
        try:
            value = float(text) if text.isascii() and "_" not in text else math.nan
        except ValueError:
            value = math.nan
        fits = self.low <= value <= self.high
        if not fits or (self.whole and value != int(value)) or (self.odd and value % 2 != 1):
            kind = "an odd number" if self.odd else "a whole number" if self.whole else "a number"
            raise InputError(
                f"{self.key} must be {kind} in {self.low:g}..{self.high:g} for {method}, got {text[:40]!r}."
            )
        return value


@dataclass(frozen=True)
class Method:
    """One baseline.

    Attributes:
        run: a picture, (H, W) or (H, W, 3) uint8, and settings by key (or the scale) to a picture.
        package: that does the work, as pip calls it.
        source: whose code it is, in words.
        paper: where the method is described.
        words: how it is used, for the spec.
        settings: what a person may choose.
        enlarges: whether it makes a picture larger, by any whole factor.
    """

    run: Callable[..., Pixels]
    package: str
    source: str
    paper: str
    words: str
    settings: tuple[Setting, ...] = ()
    enlarges: bool = False


SIGMA = Setting("sigma", math.nan, 0, 255)
_BLUR = Setting("sigma", 1.0, 0.1, 20)
_OPENCV, _SKIMAGE, _PILLOW = "opencv-python", "scikit-image", "pillow"
_LICENSES = {_OPENCV: "Apache-2.0", _SKIMAGE: "BSD-3-Clause", _PILLOW: "MIT-CMU", "numpy": "BSD-3-Clause"}
_ESTIMATED = "noise as told by sigma (levels of 255), else estimated from the picture"
METHODS: dict[str, Method] = {
    "identity": Method(methods.identity, "numpy", "what was given", "", "as it is"),
    "nearest": Method(methods.nearest, "numpy", "pixels repeated", "", "as it is", enlarges=True),
    "bilinear": Method(methods.bilinear, _OPENCV, "OpenCV, INTER_LINEAR in floats", "", "as it is", enlarges=True),
    "bicubic": Method(
        methods.bicubic,
        "numpy",
        "MATLAB's imresize, rewritten (a = -0.5)",
        "Keys, Cubic convolution interpolation for digital image processing, 1981",
        "as it is",
        enlarges=True,
    ),
    "lanczos": Method(
        methods.lanczos,
        _PILLOW,
        "Pillow, LANCZOS (a = 3)",
        "Duchon, Lanczos filtering in one and two dimensions, 1979",
        "as it is",
        enlarges=True,
    ),
    "nl_means": Method(
        methods.nl_means,
        _SKIMAGE,
        "scikit-image, denoise_nl_means",
        "Buades, Coll and Morel, A non-local algorithm for image denoising, CVPR 2005",
        f"{_ESTIMATED}; h times it (0.6 in colour, 0.7 grey)",
        (
            SIGMA,
            Setting("h", math.nan, 0.01, 10),
            Setting("patch_size", 5, 1, 15, True),
            Setting("patch_distance", 6, 1, 30, True),
        ),
    ),
    "tv_chambolle": Method(
        methods.tv_chambolle,
        _SKIMAGE,
        "scikit-image, denoise_tv_chambolle",
        "Chambolle, An algorithm for total variation minimization and applications, 2004",
        f"{_ESTIMATED}; weight 0.8 times it (of 1)",
        (SIGMA, Setting("weight", math.nan, 0, 10)),
    ),
    "wavelet": Method(
        methods.wavelet,
        _SKIMAGE,
        "scikit-image, denoise_wavelet: BayesShrink, soft, YCbCr, averaged over shifts of 0..2",
        "Chang, Yu and Vetterli, Adaptive wavelet thresholding for image denoising and compression, 2000",
        _ESTIMATED,
        (SIGMA,),
    ),
    "bilateral": Method(
        methods.bilateral,
        _OPENCV,
        "OpenCV, bilateralFilter",
        "Tomasi and Manduchi, Bilateral filtering for gray and color images, ICCV 1998",
        f"{_ESTIMATED}; sigma_color 4 times it in colour, 3 times grey",
        (SIGMA, Setting("sigma_color", math.nan, 0, 1000), Setting("sigma_space", 2.5, 0.1, 20)),
    ),
    "median": Method(
        methods.median,
        _OPENCV,
        "OpenCV, medianBlur",
        "Tukey, Exploratory data analysis, 1977",
        "square of size pixels",
        (Setting("size", 3, 3, 51, True, True),),
    ),
    "gaussian": Method(
        methods.gaussian, _OPENCV, "OpenCV, GaussianBlur", "", "sigma in pixels, to 4 sigma, mirrored", (_BLUR,)
    ),
    "unsharp": Method(
        methods.unsharp,
        _OPENCV,
        "unsharp masking by OpenCV's GaussianBlur",
        "",
        "sigma in pixels, amount times the difference",
        (_BLUR, Setting("amount", 1.0, 0, 20)),
    ),
    "wiener": Method(
        methods.wiener,
        _SKIMAGE,
        "scikit-image, restoration.wiener of a gaussian blur, luma of colour pictures",
        "Wiener, Extrapolation, interpolation and smoothing of stationary time series, 1949",
        "blur of sigma pixels taken back, balance against noise",
        (_BLUR, Setting("balance", 0.01, 1e-6, 1e3)),
    ),
    "richardson_lucy": Method(
        methods.richardson_lucy,
        _SKIMAGE,
        "scikit-image, restoration.richardson_lucy of a gaussian blur, luma of colour pictures",
        "Richardson, Bayesian-based iterative method of image restoration, 1972",
        "blur of sigma pixels taken back in some iterations",
        (_BLUR, Setting("iterations", 10, 1, 1000, True)),
    ),
    "clahe": Method(
        methods.clahe,
        _OPENCV,
        "OpenCV, CLAHE, lightness of colour pictures",
        "Zuiderveld, Contrast limited adaptive histogram equalization, Graphics gems IV, 1994",
        "clip limit, tiles a side",
        (Setting("clip", 2.0, 0, 100), Setting("tiles", 8, 1, 64, True)),
    ),
    "gamma": Method(
        methods.gamma,
        "numpy",
        "a power of every value",
        "",
        "above 1 darker, below lighter",
        (Setting("gamma", 0.7, 0.01, 100),),
    ),
    "inpaint": Method(
        methods.inpaint,
        _OPENCV,
        "OpenCV, inpaint (Telea)",
        "Telea, An image inpainting technique based on the fast marching method, 2004",
        "holes: transparent pixels, else exactly black or white ones that stand out; without any, as it is",
        (Setting("radius", 3, 1, 50),),
    ),
    "bm3d": Method(
        methods.bm3d,
        "bm3d",
        "the package bm3d, of the method's authors",
        "Dabov, Foi, Katkovnik and Egiazarian, Image denoising by sparse 3-D collaborative filtering, 2007",
        _ESTIMATED,
        (SIGMA,),
    ),
}
SCALE = Setting("scale", math.nan, 1, 16, True)


def license_of(method: Method) -> str:
    """SPDX identifier of the code that does the work."""
    return _LICENSES.get(method.package, "unknown")
