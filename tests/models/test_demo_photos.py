"""The project's enhancers of photos: they load from safe files alone and beat the classics on photos they never saw."""

from __future__ import annotations

import dataclasses
import json
import pickle
import shutil
import socket

import numpy as np
import PIL.Image
import pytest

from dashboard.datasets.degrade import is_grey, parse
from dashboard.datasets.photo_split import photo_paths
from dashboard.datasets.resize import imresize
from dashboard.errors import InputError
from models.base import LoadOptions, Weights
from models.demo.photos import HERE, DemoPhotos

SCALES = {"photos_sr_x2": 2, "photos_sr_x4": 4, "photos_denoise": 1}
CPU = LoadOptions(device="cpu", threads=1)


def spec_of(name: str):
    return next(spec for spec in DemoPhotos().specs() if spec.name == name)


@pytest.fixture(scope="module")
def models():
    return {name: DemoPhotos().load(spec_of(name), CPU) for name in SCALES}


def crop_of(file: str, side: int = 160) -> np.ndarray:
    """The middle of a held-out photo."""
    path = next(path for path in photo_paths("test") if path.name == file)
    photo = np.asarray(PIL.Image.open(path).convert("RGB"))
    top, left = ((length - side) // 2 for length in photo.shape[:2])
    return np.ascontiguousarray(photo[top : top + side, left : left + side])


def psnr(a: np.ndarray, b: np.ndarray, border: int = 0) -> float:
    """By scikit-image."""
    from skimage.metrics import peak_signal_noise_ratio

    inner = slice(border, -border or None)
    return peak_signal_noise_ratio(a[inner, inner], b[inner, inner], data_range=255)


def test_specs(models):
    specs = list(DemoPhotos().specs())
    assert [spec.name for spec in specs] == list(SCALES)
    for spec in specs:
        assert spec.task == "enhancement"
        assert spec.class_names == ()
        assert spec.license == "AGPL-3.0-or-later"
        assert spec.paper.startswith("https://arxiv.org/abs/")
        assert spec.weights.size_bytes == (HERE / f"{spec.name}.safetensors").stat().st_size
        assert DemoPhotos().is_here(spec)
        assert models[spec.name].scale == SCALES[spec.name]
        loaded = models[spec.name].spec
        assert loaded == dataclasses.replace(spec, preprocessing=loaded.preprocessing)
        assert loaded.preprocessing.startswith(spec.preprocessing + "; tiles: ")  # which depend on the device


def test_they_are_small():
    files = [HERE / f"{name}.safetensors" for name in SCALES]
    assert sum(file.stat().st_size for file in files) < 3e6
    for file in files:
        data = file.read_bytes()
        header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
        assert {entry["dtype"] for key, entry in header.items() if key != "__metadata__"} == {"F16"}


@pytest.mark.parametrize("name", SCALES)
def test_loading_unpickles_nothing_and_asks_no_one(name, monkeypatch):
    import torch

    def forbidden(*args, **kwargs):
        raise AssertionError("pickle or network used")

    for module, attribute in ((torch, "load"), (pickle, "load"), (pickle, "loads"), (pickle, "Unpickler")):
        monkeypatch.setattr(module, attribute, forbidden)
    monkeypatch.setattr(socket, "socket", forbidden)
    model = DemoPhotos().load(spec_of(name), CPU)
    assert len(model.predict([np.full((64, 64, 3), 90, np.uint8)])) == 1


@pytest.mark.parametrize(
    ("name", "file", "gain"),
    [
        ("photos_sr_x2", "chelsea.png", 0.4),
        ("photos_sr_x2", "china.jpg", 0.08),
        ("photos_sr_x2", "coins.png", 1.8),
        ("photos_sr_x4", "chelsea.png", 0.2),
        ("photos_sr_x4", "china.jpg", 0.2),
        ("photos_sr_x4", "coins.png", 1.8),
    ],
)
def test_enlarging_beats_bicubic_and_lanczos(name, file, gain, models):
    """By so many dB on a photo that was not learnt from; a border of ``scale`` pixels is left out."""
    scale, clean = SCALES[name], crop_of(file)
    small = parse(f"bicubic:{scale}").apply(clean, 0, file)
    found = models[name].predict([small])[0].rgb
    lanczos = PIL.Image.fromarray(small).resize(clean.shape[1::-1], PIL.Image.Resampling.LANCZOS)
    best = max(psnr(clean, imresize(small, scale), scale), psnr(clean, np.asarray(lanczos), scale))
    assert psnr(clean, found, scale) > best + gain


@pytest.mark.parametrize(
    ("file", "sigma", "gain"),
    [
        ("chelsea.png", 15, 1.2),
        ("chelsea.png", 25, 1.2),
        ("chelsea.png", 50, 1.8),
        ("china.jpg", 15, 0.8),
        ("china.jpg", 25, 0.8),
        ("china.jpg", 50, 1.8),
        ("coins.png", 25, 0.15),  # alike coins are what non-local means are made for
        ("coins.png", 50, 0.6),
    ],
)
def test_denoising_beats_non_local_means(file, sigma, gain, models):
    """By so many dB on a photo that was not learnt from, though only non-local means are told sigma."""
    from skimage.restoration import denoise_nl_means

    clean = crop_of(file)
    noisy = parse(f"noise:{sigma}").apply(clean, 0, file)
    found = models["photos_denoise"].predict([noisy])[0].rgb
    axis = None if is_grey(noisy) else -1  # three equal channels would count as three measurements
    share, noise = (noisy if axis else noisy[..., 0]) / 255, sigma / 255
    tries = [denoise_nl_means(share, 5, 6, h * noise, True, noise, channel_axis=axis) for h in (0.5, 0.65, 0.8, 1.0)]
    best = max(
        psnr(clean, np.rint(255 * (each if axis else np.repeat(each[..., None], 3, axis=2))).astype(np.uint8))
        for each in tries
    )
    assert psnr(clean, found) > best + gain


def test_a_clean_picture_stays_nearly_as_it_is(models):
    clean = crop_of("chelsea.png")
    assert psnr(clean, models["photos_denoise"].predict([clean])[0].rgb) > 38


@pytest.mark.parametrize("name", SCALES)
def test_grey_stays_grey(name, models):
    """In one channel, near what each of the network's three says."""
    import torch

    picture = parse("noise:25").apply(crop_of("coins.png", 64), 0, "coins")
    assert is_grey(picture)
    answer = models[name].predict([picture])[0]
    side = 64 * SCALES[name]
    assert answer.pixels.shape == (side, side)
    assert answer.scale == SCALES[name]
    with torch.inference_mode():
        batch = torch.from_numpy(picture).permute(2, 0, 1)[None].float() / 255
        channels = models[name].network(batch)[0].clamp(0, 1).mul(255).round().numpy()
    np.testing.assert_allclose(answer.pixels, channels.mean(0), atol=0.5)


@pytest.mark.parametrize("name", SCALES)
@pytest.mark.parametrize("size", [(1, 1), (2, 7), (33, 50), (97, 64)])
def test_any_size_goes_in_and_comes_out(name, size, models):
    picture = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    answer = models[name].predict([picture])[0]
    assert answer.size == (size[0] * SCALES[name], size[1] * SCALES[name])
    assert answer.pixels.dtype == np.uint8


@pytest.mark.parametrize("name", SCALES)
def test_a_batch_gives_what_single_pictures_give(name, models):
    pictures = [crop_of("chelsea.png", 48), crop_of("china.jpg", 48), crop_of("coins.png", 40)]
    for picture, together in zip(pictures, models[name].predict(pictures), strict=True):
        alone = models[name].predict([picture])[0]
        assert np.abs(alone.pixels.astype(int) - together.pixels).max() <= 1  # rounding


@pytest.mark.parametrize("name", SCALES)
def test_tiles_show_no_seam(name, models):
    """As far as the networks see, tiles overlap by default: the answer is that of the whole picture."""
    picture = np.tile(crop_of("china.jpg", 160), (2, 2, 1))[:290, :310]
    tiled = DemoPhotos().load(spec_of(name), dataclasses.replace(CPU, settings={"tile": "160"}))
    whole = models[name].predict([picture])[0].pixels
    difference = np.abs(tiled.predict([picture])[0].pixels.astype(int) - whole)
    assert difference.max() <= 1
    assert (difference > 0).mean() < 1e-3  # rounding
    assert tiled.fingerprint != models[name].fingerprint


def test_alpha_comes_back(models):
    picture = np.dstack([crop_of("chelsea.png", 32), np.full((32, 32), 200, np.uint8)])
    for name, scale in SCALES.items():
        answer = models[name].predict([picture])[0]
        assert answer.alpha.shape == (32 * scale, 32 * scale)
        assert (answer.alpha == 200).all()


@pytest.mark.parametrize("broken", ["missing", "cut", "another"])
def test_damaged_files_are_named(broken, tmp_path):
    file = tmp_path / "photos_sr_x2.safetensors"
    shutil.copy(HERE / f"{'photos_sr_x4' if broken == 'another' else 'photos_sr_x2'}.safetensors", file)
    if broken == "missing":
        file.unlink()
    elif broken == "cut":
        file.write_bytes(file.read_bytes()[:5000])
    spec = dataclasses.replace(spec_of("photos_sr_x2"), weights=Weights("bundled", str(file)))
    with pytest.raises(InputError, match=r"photos_sr_x2\.safetensors is missing or damaged: .*photos --model sr_x2"):
        DemoPhotos().load(spec, CPU)


def test_no_photo_is_learnt_from_and_judged():
    """Neither a file nor its pixels under another name."""
    train, test = ({path.read_bytes() for path in photo_paths(split)} for split in ("train", "test"))
    assert len(train) + len(test) == len(train | test) == len(photo_paths("train")) + len(photo_paths("test"))


@pytest.mark.parametrize("scale", [1, 2, 4])
def test_patches_leave_the_corner_out(scale, monkeypatch):
    """Photos that are black but for the corner where validation looks, which is white."""
    from models.demo import train_photos

    shapes = [(300, 420), (513, 290), (260, 260)]
    photos = []
    for shape in shapes:
        photo = np.zeros((*shape, 3), np.uint8)
        photo[int(shape[0] * 0.7) + 8 :, int(shape[1] * 0.7) + 8 :] = 255  # 8: what a smaller picture mixes
        photos.append(photo)
    monkeypatch.setattr(train_photos, "photos", lambda split: photos)
    monkeypatch.setattr(train_photos, "photo_paths", lambda split: photo_paths(split)[: len(photos)])
    patches = train_photos.Patches(scale, seed=0)
    monkeypatch.setattr(patches, "_tones", lambda: np.arange(256, dtype=np.float32))
    if scale == 1:
        monkeypatch.setattr(train_photos, "noisy", lambda image, *given, **more: image.astype(np.uint8))
    seen = [patches.batch(16, 8) for _ in range(20)]
    assert max(float(wanted.max()) for _, wanted in seen) == 0
    assert max(float(found.max()) for found, _ in seen) == 0
    monkeypatch.setattr(train_photos, "CORNER", 0.0)
    assert max(float(patches.batch(16, 8)[1].max()) for _ in range(20)) == 1


@pytest.mark.parametrize("scale", [2, 4])
def test_patches_are_pairs(scale):
    """The input is what the dataset makes of the output, away from the border."""
    from models.demo.train_photos import Patches

    found, wanted = Patches(scale, seed=1).batch(24, 6)
    assert wanted.shape == (6, 3, 24 * scale, 24 * scale)
    for small, large in zip(found.numpy(), wanted.numpy(), strict=True):
        made = imresize(np.ascontiguousarray(255 * large.transpose(1, 2, 0), np.float64), 1 / scale)
        inner = np.abs(made - 255 * small.transpose(1, 2, 0))[3:-3, 3:-3]
        assert np.median(inner) < 1.1  # rounded twice, and once more where tones are changed or grey
        assert inner.max() < 20  # peaks beyond white are cut before tones are changed, not after


def test_noise_of_patches():
    from models.demo.train_photos import noisy

    flat = np.full((200, 200, 3), 128, np.float32)
    for alike in (False, True):
        found = noisy(flat, 20, np.random.default_rng(0), alike)
        assert is_grey(found) == alike
        assert found.astype(float).std() == pytest.approx(20, rel=0.02)


def test_training_repeats_itself(tmp_path, monkeypatch):
    """A few steps only; it goes on, and begins another scale, with what it has learnt."""
    import torch
    from safetensors.torch import load_file

    from models.demo import train_photos

    few = [np.random.default_rng(k).integers(0, 256, (170, 180, 3), np.uint8) for k in range(2)]
    monkeypatch.setattr(train_photos, "photos", lambda split: few)
    monkeypatch.setattr(train_photos, "photo_paths", lambda split: photo_paths(split)[: len(few)])
    monkeypatch.setattr(train_photos, "PATCHES", {"sr_x2": (12, 2), "sr_x4": (8, 2), "denoise": (16, 2)})
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    files = [tmp_path / f"{i}.safetensors" for i in range(4)]
    try:
        for file in files[:2]:
            train_photos.train("sr_x2", None, 3, file)
        assert files[0].read_bytes() == files[1].read_bytes()
        train_photos.train("sr_x2", None, 2, files[1], begin=0.5)
        assert files[0].read_bytes() != files[1].read_bytes()
        train_photos.train("sr_x4", None, 1, files[2], origin=files[0])
        train_photos.train("denoise", None, 2, files[3])
    finally:
        torch.set_num_threads(threads)
    begun, went_on = load_file(files[0]), load_file(files[2])
    change = (begun["head.weight"].float() - went_on["head.weight"].float()).abs().max()
    assert change < 0.01
    assert begun["tail.weight"].shape != went_on["tail.weight"].shape
    assert not list(tmp_path.glob("*.part"))


def test_scores_by_hand():
    from models.demo.train_photos import luma, psnr, score

    white, black, red = (np.full((6, 6, 3), colour, np.uint8) for colour in (255, 0, (255, 0, 0)))
    np.testing.assert_allclose(luma(white), 235)  # BT.601, of limited range
    np.testing.assert_allclose(luma(black), 16)
    np.testing.assert_allclose(luma(red), 16 + 65.481)
    assert psnr(white, black) == pytest.approx(0)
    other = white.copy()
    other[0] -= 255
    assert psnr(white, other) == pytest.approx(10 * np.log10(6))
    assert score(white, white - 10, 1) == pytest.approx(10 * np.log10(255**2 / 100))
    off = white - 10
    off[:2] = off[-2:] = off[:, :2] = off[:, -2:] = 0
    assert score(white, off, 2) == pytest.approx(10 * np.log10((255 / (219 * 10 / 255)) ** 2))
