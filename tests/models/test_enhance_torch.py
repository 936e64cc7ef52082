"""Enhancers in torch: sizes, tiles, grey pictures, alpha, batches, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from dashboard.datasets.resize import imresize
from dashboard.errors import InputError
from dashboard.types import EnhancedImage
from models.base import LoadOptions, OutOfMemory
from models.enhancement import TorchEnhancer
from models.pictures import from_ycc, to_ycc
from models.tiling import Sizes
from tests.models.enhancers import SPEC, network, options, pictures


def adapter(net=None, chosen=None, **how):
    return TorchEnhancer(net or network(), SPEC, chosen or options(), **how)


def by_hand(net, planes):
    """(C, H, W) uint8 through the network alone."""
    with torch.inference_mode():
        found = net(torch.from_numpy(np.ascontiguousarray(planes)).float()[None] / 255)[0]
    return (found.clamp(0, 1) * 255).round().byte().numpy()


def near(found, expected, levels=1):
    assert found.dtype == np.uint8
    assert found.shape == expected.shape
    assert np.abs(found.astype(int) - expected).max() <= levels


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
def test_rgb(scale):
    shown = pictures()
    made = adapter(network(3, scale))
    assert made.scale == scale
    colour, grey, alpha = made.predict(list(shown.values()))
    assert all(isinstance(one, EnhancedImage) and one.scale == scale for one in (colour, grey, alpha))
    expected = by_hand(network(3, scale), shown["colour"].transpose(2, 0, 1)).transpose(1, 2, 0)
    near(colour.pixels, expected)
    assert colour.alpha is grey.alpha is None
    assert grey.pixels.shape == (40 * scale, 31 * scale, 3)  # as the network answers
    near(alpha.pixels, expected)
    np.testing.assert_array_equal(alpha.alpha, imresize(shown["alpha"][..., 3].copy(), scale))
    if scale == 1:
        np.testing.assert_array_equal(alpha.alpha, shown["alpha"][..., 3])


def test_grey_network_that_keeps_the_size():
    shown = pictures()
    made = adapter(network(1), channels=1)
    colour, grey, alpha = made.predict(list(shown.values()))
    near(grey.pixels, by_hand(network(1), shown["grey"][..., 0][None])[0])
    assert grey.pixels.ndim == 2
    planes = [by_hand(network(1), shown["colour"][..., c][None])[0] for c in range(3)]
    near(colour.pixels, np.stack(planes, axis=2))
    assert alpha.pixels.shape == (37, 52, 3)
    np.testing.assert_array_equal(alpha.alpha, shown["alpha"][..., 3])


def test_grey_network_that_enlarges():
    shown = pictures()
    made = adapter(network(1, 2), channels=1)
    colour, grey, _ = made.predict(list(shown.values()))
    near(grey.pixels, by_hand(network(1, 2), shown["grey"][..., 0][None])[0])
    ycc = to_ycc(shown["colour"])
    with torch.inference_mode():
        luma = network(1, 2)(torch.from_numpy(ycc[..., 0].copy())[None, None] / 255)[0, 0].clamp(0, 1).numpy() * 255
    chroma = [imresize(ycc[..., c].astype(np.float64), 2) for c in (1, 2)]
    near(colour.pixels, from_ycc(np.dstack([luma, *chroma])))
    tiled = adapter(network(1, 2), options(tile="32", overlap="16"), channels=1).predict([shown["colour"]])[0]
    near(tiled.pixels, colour.pixels)


def test_colouring_network():
    colour, grey, _ = adapter(network(1, 1, 3), channels=1).predict(list(pictures().values()))
    assert colour.pixels.shape == (37, 52, 3)
    assert grey.pixels.shape == (40, 31, 3)
    near(grey.pixels, by_hand(network(1, 1, 3), pictures()["grey"][..., 0][None]).transpose(1, 2, 0))


def test_network_of_four_channels():
    shown = pictures()
    made = adapter(network(4, 2), channels=4)
    colour, _, alpha = made.predict(list(shown.values()))
    expected = by_hand(network(4, 2), shown["alpha"].transpose(2, 0, 1)).transpose(1, 2, 0)
    near(alpha.pixels, expected[..., :3])
    near(alpha.alpha, expected[..., 3])
    assert colour.alpha is None
    opaque = np.dstack([shown["colour"], np.full((37, 52), 255, np.uint8)])
    near(colour.pixels, by_hand(network(4, 2), opaque.transpose(2, 0, 1)).transpose(1, 2, 0)[..., :3])
    without = adapter(network(4, 2, 3), channels=4).predict([shown["alpha"]])[0]
    np.testing.assert_array_equal(without.alpha, imresize(shown["alpha"][..., 3].copy(), 2))


@pytest.mark.parametrize("scale", [1, 3])
@pytest.mark.parametrize("chosen", [{"tile": "16", "overlap": "7"}, {"tile": "24"}, {"tile": "40", "overlap": "20"}])
def test_no_seams(scale, chosen):
    """The network sees 3 pixels around each, half of the narrowest overlap."""
    picture = np.random.default_rng(1).integers(0, 256, (101, 78, 4), dtype=np.uint8)
    whole = adapter(network(3, scale), options(tile="0")).predict([picture])[0]
    tiled = adapter(network(3, scale), options(**chosen)).predict([picture])[0]
    near(tiled.pixels, whole.pixels)
    np.testing.assert_array_equal(tiled.alpha, whole.alpha)


def test_too_narrow_an_overlap_shows():
    """What the test above is able to see."""
    picture = np.random.default_rng(1).integers(0, 256, (101, 78, 3), dtype=np.uint8)
    whole = adapter(chosen=options(tile="0")).predict([picture])[0]
    tiled = adapter(chosen=options(tile="16", overlap="0")).predict([picture])[0]
    assert np.abs(tiled.pixels.astype(int) - whole.pixels).max() > 1


class Halves(nn.Module):
    """Wants sides that are multiples of 8, 40 pixels at least; takes one picture at a time."""

    def __init__(self):
        super().__init__()
        self.net = network()

    def forward(self, x):
        assert x.shape[0] == 1
        assert x.shape[2] % 8 == x.shape[3] % 8 == 0
        assert min(x.shape[2:]) >= 40
        return {"out": (self.net(x), None)}


def test_sides_are_mirrored_up_and_cut_off():
    shown = [*pictures().values(), *pictures().values()]
    made = adapter(Halves(), sizes=Sizes(8, 40), batched=False)
    for picture, one in zip(shown, made.predict(shown), strict=True):
        height, width = picture.shape[:2]
        outer = np.pad(picture[..., :3], ((0, 40 - height), (0, (40 if width < 40 else 56) - width), (0, 0)), "reflect")
        expected = by_hand(network(), outer.transpose(2, 0, 1)).transpose(1, 2, 0)[:height, :width]
        near(one.pixels, expected)
    assert made.predict([shown[0][:1, :1]])[0].size == (1, 1)


def test_batches_are_singles():
    shown = [*pictures().values(), pictures()["colour"][::-1], pictures()["grey"][:, ::-1]]
    for channels in (1, 3):
        made = adapter(network(channels, 2), channels=channels)
        for one, picture in zip(made.predict(shown), shown, strict=True):
            near(one.pixels, made.predict([picture])[0].pixels, 0 if channels == 3 else 1)


def test_folding_and_layout_change_little():
    shown = list(pictures().values())
    plain = adapter(network(norm=True), LoadOptions(device="cpu", fuse=False))
    folded = adapter(network(norm=True))
    assert folded.notes["batch norms folded"] == 1
    assert "batch norms folded" not in plain.notes
    assert folded.fingerprint != plain.fingerprint
    for one, other in zip(plain.predict(shown), folded.predict(shown), strict=True):
        near(one.pixels, other.pixels)


def test_bf16_is_near():
    shown = [pictures()["colour"]]
    exact = adapter().predict(shown)[0]
    rough = adapter(chosen=LoadOptions(device="cpu", precision="bf16")).predict(shown)[0]
    near(rough.pixels, exact.pixels, 6)
    assert (rough.pixels != exact.pixels).any()


def test_fingerprint_covers_weights_and_tiles():
    first = adapter()
    assert adapter().fingerprint == first.fingerprint
    others = [
        adapter(network(seed=1)),
        adapter(chosen=options(tile="64")),
        adapter(chosen=options(tile="64", overlap="8")),
        adapter(sizes=Sizes(4)),
        adapter(chosen=LoadOptions(device="cpu", precision="bf16")),
    ]
    assert len({one.fingerprint for one in [first, *others]}) == 6


def broken(net, value):
    with torch.no_grad():
        net.body[-2].bias[0] = value
    return net


class Fails(nn.Module):
    def __init__(self, answer):
        super().__init__()
        self.layer = nn.Conv2d(3, 3, 1)
        self.answer = answer

    def forward(self, x):
        return self.answer(x)


def raising(text):
    def answer(_):
        raise RuntimeError(text)

    return answer


@pytest.mark.parametrize(
    ("net", "match"),
    [
        (lambda: broken(network(), float("nan")), "small gives outputs that are not numbers"),
        (lambda: Fails(lambda x: x.mean((2, 3))), "small is no enhancer: a picture of the same size or of a whole"),
        (lambda: Fails(lambda x: x[..., ::2, ::2]), r"small is no enhancer: .*48x48, got \(1, 3, 24, 24\)"),
        (lambda: Fails(lambda x: x.repeat(1, 1, 2, 1)), "small is no enhancer"),
        (lambda: Fails(lambda x: torch.cat([x, x], 1)), r"small is no enhancer: .*\(1, 6, 48, 48\)"),
        (lambda: Fails(lambda x: [None]), "small is no enhancer: .*NoneType"),
        (lambda: Fails(raising("size mismatch")), r"cannot enhance even a small picture: .*\(size mismatch\)"),
        (lambda: Fails(raising("out of memory")), "small needs more memory than there is"),
    ],
)
def test_networks_that_are_none(net, match):
    with pytest.raises(InputError, match=match):
        adapter(net())


def test_channels_that_no_picture_has():
    with pytest.raises(InputError, match="takes 2 channels: an enhancer of grey, RGB or RGBA was expected"):
        adapter(network(2, gives=1), channels=2)


def test_values_that_are_no_numbers_are_seen_when_they_come():
    made = adapter(Fails(lambda x: x * (x.amax() / x.amax())))  # 0 / 0 where a picture is black
    with pytest.raises(InputError, match="not numbers"):
        made.predict([np.zeros((8, 8, 3), np.uint8)])


def test_out_of_memory():
    made = adapter()
    made._net = Fails(raising("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"))
    with pytest.raises(OutOfMemory):
        made.predict([pictures()["colour"]])


def test_what_goes_in_is_checked_and_left_alone():
    made = adapter()
    for wrong in (
        np.zeros((8, 8), np.uint8),
        np.zeros((8, 8, 2), np.uint8),
        np.zeros((8, 8, 3)),
        np.zeros((0, 8, 3), np.uint8),
    ):
        with pytest.raises(ValueError, match="image must be"):
            made.predict([wrong])
    picture = pictures()["alpha"]
    before = picture.copy()
    picture.setflags(write=False)
    made.predict([picture])
    np.testing.assert_array_equal(picture, before)
    made.close()
    with pytest.raises(ValueError, match="closed"):
        made.predict([picture])
