"""Fold batch norms into the convolutions before them, and prove that the network still says the same.

Pairs are found by running the network once and noting whose output goes straight into which batch norm, so no tracing
is needed and any control flow is allowed. What hooks cannot see (an output that is also used elsewhere) is caught by
the check: if the outputs move by more than 1e-4, everything is put back.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from torch import nn

TOLERANCE = 1e-4  # of the largest output
_log = logging.getLogger(__name__)


def fold_batch_norms(net: nn.Module, probe: torch.Tensor) -> tuple[Any, dict[str, nn.Module]]:
    """Fold in place.

    Args:
        net: in eval mode, on the CPU.
        probe: (1, C, H, W) an input to find the pairs and to check the result with.

    Returns:
        The network's outputs on ``probe`` before folding, and the batch norms taken out, by name (empty if none could
        be folded without changing the outputs).
    """
    import torch
    from torch.nn.utils.fusion import fuse_conv_bn_eval

    with torch.inference_mode():
        before, pairs = _pairs(net, probe)
    names = {module: name for name, module in net.named_modules(remove_duplicate=True)}
    originals: dict[str, nn.Module] = {}
    for conv, norm in pairs:
        for module in (conv, norm):
            originals[names[module]] = module
        net.set_submodule(names[conv], fuse_conv_bn_eval(conv, norm))  # type: ignore[type-var]
        net.set_submodule(names[norm], _rest(norm))
    if not pairs:
        return before, {}
    with torch.inference_mode():
        after = net(probe)
    if not _same(before, after):
        _log.info("folding batch norms changed the outputs; they are left as they are")
        for name, module in originals.items():
            net.set_submodule(name, module)
        return before, {}
    return before, {names[norm]: norm for _, norm in pairs}


def _pairs(net: nn.Module, probe: torch.Tensor) -> tuple[Any, list[tuple[Any, Any]]]:
    """(outputs, [(conv, norm), ...]) where norm's only input is conv's output, and both run once."""
    from torch import nn

    made_by: dict[int, nn.Module] = {}
    alive: list[Any] = []  # keeps ids unique while the network runs
    calls: dict[nn.Module, int] = {}
    found: list[tuple[nn.Module, nn.Module]] = []

    def after_conv(module: nn.Module, _: Any, output: Any) -> None:
        calls[module] = calls.get(module, 0) + 1
        alive.append(output)
        made_by[id(output)] = module

    def before_norm(module: nn.Module, inputs: Any) -> None:
        calls[module] = calls.get(module, 0) + 1
        if inputs and id(inputs[0]) in made_by:
            found.append((made_by[id(inputs[0])], module))

    handles = []
    for module in net.modules():
        # exact types: a weight-standardised convolution computes its weight in forward and cannot be folded
        if type(module) is nn.Conv2d or type(module).__name__ == "Conv2dSame":
            handles.append(module.register_forward_hook(after_conv))
        elif type(module) is nn.BatchNorm2d or type(module).__name__ == "BatchNormAct2d":
            handles.append(module.register_forward_pre_hook(before_norm))
    try:
        outputs = net(probe)
    finally:
        for handle in handles:
            handle.remove()
    convs = [conv for conv, _ in found]
    once = [
        (conv, norm)
        for conv, norm in found
        if calls[conv] == calls[norm] == 1 and convs.count(conv) == 1 and norm.running_mean is not None
    ]
    return outputs, once


def _rest(norm: Any) -> nn.Module:
    """What is left of a norm that was folded: nothing, or timm's activation behind it."""
    from torch import nn

    return norm.act if type(norm).__name__ == "BatchNormAct2d" else nn.Identity()


def _same(before: Any, after: Any) -> bool:
    while isinstance(before, (tuple, list)):
        before, after = before[0], after[0]
    bound = TOLERANCE * max(1.0, float(before.abs().max()))
    return before.shape == after.shape and bool((before - after).abs().max() <= bound)
