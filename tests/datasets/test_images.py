from __future__ import annotations

import io
import os
import tracemalloc
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageFile, ImageOps

from dashboard.datasets import images
from dashboard.datasets.images import read_image, read_image_bytes, thumbnail
from dashboard.errors import InputError
from tests.datasets.pictures import encode, gradient, png16, png_of_size


def reference(data: bytes) -> np.ndarray:
    """What timm and torchvision see, but upright."""
    return np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB"))


def with_orientation(code: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = code
    return encode(gradient(), quality=95, exif=exif.tobytes())


@pytest.fixture(params=["opencv", "pillow"])
def decoder(request, monkeypatch):
    """Both ways a JPEG can be read."""
    monkeypatch.setattr(images, "_opencv_equals_pillow", lambda: request.param == "opencv")
    return request.param


class TestReading:
    @pytest.mark.parametrize("subsampling", [0, 1, 2])
    @pytest.mark.parametrize("progressive", [False, True])
    @pytest.mark.parametrize("size", [(1, 1), (8, 8), (17, 33), (120, 90)])
    def test_jpeg_pixels_equal_pillow(self, decoder, subsampling, progressive, size):
        data = encode(gradient(*size), quality=80, subsampling=subsampling, progressive=progressive)
        np.testing.assert_array_equal(read_image_bytes(data), reference(data))

    def test_grey_jpeg(self, decoder):
        data = encode(gradient()[..., 0])
        assert read_image_bytes(data).shape == (24, 32, 3)
        np.testing.assert_array_equal(read_image_bytes(data), reference(data))

    @pytest.mark.parametrize("code", range(1, 9))
    def test_exif_orientation_is_honoured(self, decoder, code):
        data = with_orientation(code)
        np.testing.assert_array_equal(read_image_bytes(data), reference(data))
        assert read_image_bytes(data).shape == ((32, 24, 3) if code >= 5 else (24, 32, 3))

    def test_orientation_in_png_and_tiff(self):
        exif = Image.Exif()
        exif[0x0112] = 6
        for kind in ("PNG", "TIFF"):
            data = encode(gradient(), kind, exif=exif)
            np.testing.assert_array_equal(read_image_bytes(data), np.rot90(gradient(), -1), err_msg=kind)

    @pytest.mark.filterwarnings("ignore:Corrupt EXIF")
    def test_damaged_exif_does_not_hide_a_good_picture(self):
        data = encode(gradient(), exif=b"Exif\0\0MM\0*" + b"\xff" * 40)
        assert read_image_bytes(data).shape == (24, 32, 3)

    @pytest.mark.parametrize("kind", ["PNG", "WEBP", "BMP", "TIFF", "GIF", "PPM"])
    def test_other_formats(self, kind):
        data = encode(gradient(), kind, **({"lossless": True} if kind == "WEBP" else {}))
        pixels = read_image_bytes(data)
        np.testing.assert_array_equal(pixels, reference(data))
        assert pixels.flags.writeable
        assert pixels.flags.c_contiguous

    def test_result_is_writable_rgb(self, decoder):
        pixels = read_image_bytes(encode(gradient()))
        assert pixels.dtype == np.uint8
        assert pixels.flags.writeable
        assert pixels[0, -1, 0] > 200  # red grows to the right, so this is RGB and not BGR
        assert pixels[-1, 0, 1] > 200

    def test_alpha_is_dropped_as_the_reference_tools_do(self):
        rgba = np.dstack([gradient(), np.zeros((24, 32), np.uint8)])  # wholly transparent
        np.testing.assert_array_equal(read_image_bytes(encode(rgba, "PNG")), gradient())

    def test_grey_with_alpha_and_one_bit(self):
        grey = gradient()[..., 0]
        la = np.dstack([grey, np.full_like(grey, 7)])
        np.testing.assert_array_equal(read_image_bytes(encode(la, "PNG"))[..., 2], grey)
        buffer = io.BytesIO()
        Image.fromarray(grey > 99).save(buffer, "PNG")
        assert set(np.unique(read_image_bytes(buffer.getvalue()))) == {0, 255}

    def test_palette_with_transparency(self, recwarn):
        image = Image.fromarray(gradient()).quantize(16)
        buffer = io.BytesIO()
        image.save(buffer, "PNG", transparency=bytes([0, 128] + [255] * 14))
        np.testing.assert_array_equal(read_image_bytes(buffer.getvalue()), np.asarray(image.convert("RGB")))
        assert not recwarn.list

    def test_cmyk(self):
        buffer = io.BytesIO()
        Image.fromarray(gradient()).convert("CMYK").save(buffer, "JPEG", quality=98)
        assert np.abs(read_image_bytes(buffer.getvalue()).astype(int) - gradient()).mean() < 4

    def test_16_bit_grey_is_scaled_and_not_clipped(self):
        values = np.array([[0, 257, 32768, 65535]], np.uint16)
        for data in (png16(values), cv2.imencode(".tiff", values)[1].tobytes()):
            assert read_image_bytes(data)[0, :, 0].tolist() == [0, 1, 128, 255]

    def test_every_16_bit_grey_is_rounded_to_the_nearest(self):
        values = np.arange(65536, dtype=np.uint16).reshape(256, 256)
        assert np.array_equal(read_image_bytes(png16(values))[..., 1], np.rint(values / 257.0))

    def test_16_bit_grey_takes_little_more_memory_than_the_picture(self):
        data = png16(np.zeros((3000, 3000), np.uint16))
        tracemalloc.start()
        try:
            read_image_bytes(data)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak < 3000 * 3000 * 8  # 3 for the result, 2 for what was read, and blocks

    def test_16_bit_colour(self):
        values = gradient().astype(np.uint16) * 257
        assert np.abs(read_image_bytes(png16(values)).astype(int) - gradient()).max() <= 1

    def test_float_tiff(self):
        buffer = io.BytesIO()
        Image.fromarray(np.linspace(0, 1, 12, dtype=np.float32).reshape(3, 4)).save(buffer, "TIFF")
        assert read_image_bytes(buffer.getvalue())[-1, -1].tolist() == [255, 255, 255]
        buffer = io.BytesIO()
        Image.fromarray(np.full((3, 4), -5e9, np.float32)).save(buffer, "TIFF")
        with pytest.raises(InputError, match=r"depth\.tif has values from -5e\+09"):
            read_image_bytes(buffer.getvalue(), "depth.tif")

    @pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
    def test_animation_gives_its_first_frame(self, kind):
        frames = [Image.new("RGB", (8, 6), colour) for colour in ("red", "blue")]
        buffer = io.BytesIO()
        options = {"lossless": True} if kind == "WEBP" else {}
        frames[0].save(buffer, kind, save_all=True, append_images=frames[1:], **options)
        assert read_image_bytes(buffer.getvalue())[3, 3].tolist() == [255, 0, 0]

    def test_another_library_replacing_pillows_open_changes_nothing(self, monkeypatch):
        monkeypatch.setattr(Image, "open", lambda *_: pytest.fail("PIL.Image.open was used"))
        assert read_image_bytes(encode(gradient(), "PNG")).shape == (24, 32, 3)

    def test_the_self_check_agrees_here(self):
        assert images._opencv_equals_pillow()


class TestBadInput:
    """Each is one sentence that names the file."""

    def refuse(self, tmp_path: Path, data: bytes, match: str, name: str = "photo.jpg") -> str:
        path = tmp_path / name
        path.write_bytes(data)
        messages = []
        for read in (read_image, thumbnail):
            with pytest.raises(InputError, match=match) as info:
                read(path)
            messages.append(str(info.value))
            assert str(path) in messages[-1]
            assert "\n" not in messages[-1]
        assert messages[0] == messages[1]
        return messages[0]

    def test_text_named_jpg(self, tmp_path):
        self.refuse(tmp_path, b"hello, I am a text\n" * 9, "is not an image .* remove it, or replace")

    def test_empty_file(self, tmp_path):
        self.refuse(tmp_path, b"", r"is empty \(0 bytes\)")

    @pytest.mark.parametrize("keep", [0.9, 0.5, 0.3])
    @pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP"])
    def test_truncated(self, tmp_path, decoder, kind, keep):
        noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
        data = encode(noise, kind)
        self.refuse(tmp_path, data[: int(len(data) * keep)], r"photo\.jpg is truncated \(the file ends before")

    def test_truncated_progressive_jpeg(self, tmp_path, decoder):
        data = encode(gradient(200, 200), progressive=True)
        self.refuse(tmp_path, data[:-200], "is truncated")

    def test_truncated_in_its_header(self, tmp_path):
        self.refuse(tmp_path, encode(gradient())[:40], "is truncated or damaged")

    def test_truncated_and_filled_up_with_zeros(self, tmp_path):
        data = encode(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8))
        self.refuse(tmp_path, data[: len(data) // 2] + bytes(len(data) // 2), "is truncated")

    def test_truncated_even_if_another_library_tolerates_it(self, tmp_path, monkeypatch):
        monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
        data = encode(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8))
        self.refuse(tmp_path, data[: len(data) // 2], "is truncated")

    def test_huge_png_is_refused_from_its_header(self, tmp_path):
        tracemalloc.start()
        message = self.refuse(tmp_path, png_of_size(60_000, 60_000), "60,000 x 60,000 pixels", "bomb.png")
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
        tracemalloc.stop()
        assert "128,000,000" in message

    def test_the_limit_can_be_chosen(self):
        data = encode(gradient(10, 10))
        assert read_image_bytes(data, max_pixels=100).shape == (10, 10, 3)
        with pytest.raises(InputError, match="10 x 10 pixels, more than the limit of 99"):
            read_image_bytes(data, max_pixels=99)

    def test_damaged_pixels(self, tmp_path):
        data = bytearray(encode(gradient(), "PNG"))
        data[60:70] = b"\xff" * 10
        self.refuse(tmp_path, bytes(data), "is damaged and cannot be decoded")

    def test_heic(self, tmp_path):
        self.refuse(tmp_path, b"\0\0\0\x18ftypheic" + bytes(99), "HEIC.* export it as JPEG")

    def test_folder_and_missing(self, tmp_path):
        for read in (read_image, thumbnail):
            with pytest.raises(InputError, match=r"is a folder, not a picture"):
                read(tmp_path)
            with pytest.raises(InputError, match=r"no\.jpg does not exist"):
                read(tmp_path / "no.jpg")

    @pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
    def test_a_pipe_does_not_hang(self, tmp_path):
        os.mkfifo(tmp_path / "pipe.jpg")
        with pytest.raises(InputError, match="is not a file"):
            read_image(tmp_path / "pipe.jpg")


class TestThumbnail:
    @pytest.mark.parametrize("kind", ["JPEG", "PNG"])
    @pytest.mark.parametrize("size", [(900, 1300), (1300, 900), (170, 170)])
    def test_longer_side(self, tmp_path, kind, size):
        path = tmp_path / "a.img"
        path.write_bytes(encode(gradient(*size), kind))
        small = read_image_bytes(thumbnail(path, 160))
        assert max(small.shape) == 160
        assert abs(small.shape[0] / small.shape[1] - size[0] / size[1]) < 0.02
        whole = cv2.resize(gradient(*size)[..., :2], small.shape[1::-1], interpolation=cv2.INTER_AREA)
        assert np.abs(small[..., :2].astype(int) - whole).mean() < 3  # the same picture, however it was reduced

    def test_digits_stay_crisp(self):
        digit = np.random.default_rng(0).integers(0, 2, (8, 8, 1), np.uint8).repeat(3, axis=2) * 255
        large = read_image_bytes(thumbnail(digit, 160))
        assert large.shape == (160, 160, 3)
        squares = large.reshape(8, 20, 8, 20, 3)
        assert np.abs(squares.astype(int) - digit[:, None, :, None]).max() < 12

    def test_pictures_of_about_the_size_are_left(self):
        assert read_image_bytes(thumbnail(gradient(100, 90), 160)).shape == (100, 90, 3)

    def test_grey_array_and_very_long_picture(self):
        assert read_image_bytes(thumbnail(gradient()[..., 0])).shape == (120, 160, 3)
        assert read_image_bytes(thumbnail(np.zeros((2, 5000, 3), np.uint8), 100)).shape == (1, 100, 3)

    def test_upright_after_reduced_decoding(self, tmp_path):
        exif = Image.Exif()
        exif[0x0112] = 6
        path = tmp_path / "a.jpg"
        path.write_bytes(encode(gradient(600, 900), exif=exif.tobytes()))
        assert read_image_bytes(thumbnail(path, 90)).shape == (90, 60, 3)
