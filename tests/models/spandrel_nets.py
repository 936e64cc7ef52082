"""Small networks of architectures that spandrel reads, with seeded random numbers, made with its own classes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple


class Small(NamedTuple):
    """How to make one, and what is to be found out about it."""

    make: Callable
    name: str
    scale: int
    channels: int
    purpose: str = "restoration"


def _of(family: str, name: str = "", **how):
    def make():
        import importlib

        return getattr(importlib.import_module(f"spandrel.architectures.{family}"), name or family)(**how)

    return make


SWIN = {"embed_dim": 12, "depths": [1, 1], "num_heads": [2, 2], "window_size": 8, "mlp_ratio": 2, "img_size": 16}
SR = "super-resolution"
SMALL = {
    "dncnn": Small(_of("DnCNN", nc=8, nb=9, act_mode="R"), "DnCNN", 1, 1),
    "dncnn-bn": Small(_of("DnCNN", nc=8, nb=9, in_nc=3, out_nc=3), "DnCNN", 1, 3),
    "fdncnn": Small(_of("DnCNN", nc=8, nb=9, in_nc=2, out_nc=1, act_mode="R", mode="FDnCNN"), "DnCNN", 1, 1),
    "drunet": Small(_of("DRUNet", in_nc=4, out_nc=3, nc=[4, 8, 8, 8], nb=2), "DRUNet", 1, 3),
    "esrgan": Small(_of("ESRGAN", num_filters=8, num_blocks=2), "ESRGAN", 4, 3, SR),
    "compact": Small(_of("Compact", num_feat=8, num_conv=2, upscale=2), "RealESRGAN Compact", 2, 3, SR),
    "swinir": Small(_of("SwinIR", upscale=2, upsampler="pixelshuffle", **SWIN), "SwinIR", 2, 3, SR),
    "swinir-grey": Small(_of("SwinIR", in_chans=1, **SWIN), "SwinIR", 1, 1),
    "nafnet": Small(_of("NAFNet", width=4, enc_blk_nums=[1, 1], dec_blk_nums=[1, 1]), "NAFNet", 1, 3),
    "scunet": Small(_of("SCUNet", dim=64, config=[1] * 7), "SCUNet", 1, 3),
    "safmn": Small(_of("SAFMN", dim=8, n_blocks=2, upscaling_factor=4), "SAFMN", 4, 3, SR),
    "rcan": Small(_of("RCAN", scale=3, n_resgroups=1, n_resblocks=1, n_feats=8, reduction=4), "RCAN", 3, 3, SR),
    "plksr": Small(_of("PLKSR", dim=8, n_blocks=1, upscaling_factor=2), "PLKSR", 2, 3, SR),
}


def network(key: str, seed: int = 0):
    import torch

    torch.manual_seed(seed)
    net = SMALL[key].make().eval()
    if key in ("fdncnn", "drunet"):  # they add nothing to their input, and would answer with black
        for name, tensor in net.named_parameters():
            if tensor.ndim == 4:
                torch.nn.init.kaiming_normal_(tensor)
                tensor.data *= 0.1 if "tail" in name or "model.16" in name else 1
                tensor.data += 0.01
            elif name == "model.16.bias":
                tensor.data += 0.4
    return net


def saved(path: Path, key: str, seed: int = 0) -> Path:
    from safetensors.torch import save_file

    save_file({name: tensor.contiguous().clone() for name, tensor in network(key, seed).state_dict().items()}, path)
    return path
