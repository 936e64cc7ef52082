"""Parameters and operations of a torch network, layer by layer, while it looks at one picture.

The hand formulas stand in ``models.profiling_formulas``. What publishers call MACs (torchvision's ``_ops``) is the sum
over convolutions, linear layers and matrix products; biases, norms, activations and pooling are not in it. Products
outside any such layer (``q @ k`` in a transformer's own attention) are taken from torch's ``FlopCounterMode``, which
also checks the total.
"""

from __future__ import annotations

import contextlib
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from models.profiling_formulas import attention_flops, macs_of, rule_of, shape_of, small_flops, terms_of

if TYPE_CHECKING:
    from torch import nn

_SILENT = ("Identity", "Dropout", "Dropout2d", "DropPath", "StochasticDepth")  # do nothing once trained
_NO_PRODUCTS = ("Embedding", "Norm", "Pos")  # their weights scale, or are looked up
_ATTENTION = ("bmm", "baddbmm", "scaled_dot_product", "attention")


@dataclass
class LayerCount:
    """One layer; fields as in ``dashboard.profiling.shapes.Layer``."""

    path: str
    kind: str
    rule: str
    output: tuple[int, ...]
    params: int
    macs: int
    flops: int
    calls: int = 1
    ms: float | None = None
    terms: dict[str, int] = field(default_factory=dict)


@dataclass
class Counted:
    """A network's numbers.

    Attributes:
        params: values of all parameters, shared ones once.
        buffers: values of running means and other tensors that are kept with them.
        macs: of one forward.
        layers: in the order of their first call; those that were not called come last, with ``calls`` 0.
        notes: what is to be known of the numbers.
    """

    params: int
    buffers: int
    macs: int
    layers: list[LayerCount]
    notes: list[str]


def count(net: nn.Module, run: Callable[[], Any]) -> Counted:
    """Count parameters and operations.

    Args:
        net: the network, batch norms not folded.
        run: takes one picture through it, whatever is before and behind.

    Returns:
        The sum of ``layers``' parameters is ``params``, and that of their MACs ``macs``.
    """
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    on_cpu = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu  # unknown to the counter
    counter = FlopCounterMode(display=False, custom_mapping={on_cpu: attention_flops})
    walk = _Walk(net, counter)
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)  # one fused call of which the counter knows nothing
    try:
        with walk.listening(), counter:
            run()
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
    params = sum(parameter.numel() for parameter in net.parameters())
    layers = walk.finished()
    macs = sum(layer.macs for layer in layers)
    notes = []
    counted = counter.get_total_flops() // 2
    if counted != macs:
        where = f"in {', '.join(sorted(walk.differing))}" if walk.differing else "outside of the network's layers"
        notes.append(
            f"torch's FlopCounterMode counts {counted:,} MACs where the formulas count {macs:,}: they differ {where}."
        )
    if walk.unseen:
        notes.append(
            f"In {', '.join(sorted(walk.unseen))} there are weights, but no products are seen: its operations are not "
            "counted."
        )
    return Counted(params, sum(buffer.numel() for buffer in net.buffers()), macs, layers, notes)


def layer_times(net: nn.Module, run: Callable[[], Any], rounds: int = 5, budget_s: float = 3.0) -> dict[str, float]:
    """Median milliseconds of each layer in one forward, by path. Hooks cost time: never use the sum as a latency.

    Args:
        net: the network.
        run: takes one picture through it.
        rounds: forwards, after one that warms up.
        budget_s: fewer, at least one, if these seconds are over.
    """
    import torch

    cuda = any(parameter.is_cuda for parameter in net.parameters())
    now: dict[str, float] = {}
    began: dict[nn.Module, float] = {}

    def clock() -> float:
        if cuda:
            torch.cuda.synchronize()
        return time.perf_counter()

    def before(module: nn.Module, _: Any) -> None:
        began[module] = clock()

    names = {module: path for path, module in leaves(net)}

    def after(module: nn.Module, _: Any, __: Any) -> None:
        path = names[module]
        now[path] = now.get(path, 0.0) + 1e3 * (clock() - began[module])

    taken: list[dict[str, float]] = []
    handles = [module.register_forward_pre_hook(before) for module in names]
    handles += [module.register_forward_hook(after) for module in names]
    try:
        start = time.perf_counter()
        for turn in range(rounds + 1):
            now.clear()
            run()
            if turn:
                taken.append(dict(now))
                if time.perf_counter() - start > budget_s:
                    break
    finally:
        for handle in handles:
            handle.remove()
    return {path: statistics.median(one.get(path, 0.0) for one in taken) for path in taken[0]}


def leaves(net: nn.Module) -> list[tuple[str, nn.Module]]:
    """(path, module) of what is a layer: modules without children, and those that a formula counts as a whole."""
    found: list[tuple[str, nn.Module]] = []

    def visit(path: str, module: nn.Module) -> None:
        if module in seen:
            return
        seen.add(module)
        children = list(module.named_children())
        if not children or rule_of(module) in ("conv", "linear", "batch_norm", "attention"):
            found.append((path, module))
            return
        for name, child in children:
            visit(f"{path}.{name}" if path else name, child)

    seen: set[nn.Module] = set()
    visit("", net)
    return found


class _Walk:
    """Hooks on every module of a network: who ran, what it gave, and how many products were made in it alone."""

    def __init__(self, net: nn.Module, counter: Any) -> None:
        self._net, self._counter = net, counter
        self._leaves = {module: path for path, module in leaves(net)}
        self._inside = {  # of attention as a whole: neither counted nor listed by itself
            part for module in self._leaves for part in module.modules() if part is not module
        }
        self._paths = {m: p for p, m in net.named_modules() if m not in self._inside}
        self._rows: dict[nn.Module, LayerCount] = {}
        self._order: dict[nn.Module, int] = {}
        self._known: set[int] = set()  # parameters that have been counted
        self._open: list[tuple[int, int, dict[str, int]]] = []  # products before it, those of children, by kind
        self.differing: set[str] = set()  # kinds of layers of which torch's counter says something else
        self.unseen: set[str] = set()  # kinds of layers whose weights meet no product

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """With hooks on."""
        handles = [module.register_forward_pre_hook(self._before) for module in self._paths]
        handles += [module.register_forward_hook(self._after, with_kwargs=True) for module in self._paths]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def finished(self) -> list[LayerCount]:
        """All rows, those that never ran at the end."""
        ran = sorted(self._rows, key=lambda module: self._order[module])
        rows = [self._rows[module] for module in ran]
        self.unseen = {self._rows[m].kind for m in ran if not self._rows[m].macs and self._multiplies(m)}
        by_path = {row.path: row for row in rows}
        for module, path in self._paths.items():
            if module not in self._rows and (own := self._own_params(module)):
                user = by_path.get(path.rpartition(".")[0])
                if user is not None:  # its weights were used without calling it (Swin's own attention)
                    user.params += own
                    continue
                rows.append(LayerCount(path, type(module).__name__, rule_of(module), (), own, 0, 0, 0))
        return [row for row in rows if row.kind not in _SILENT or row.params]

    def _before(self, module: nn.Module, _: Any) -> None:
        self._order.setdefault(module, len(self._order))
        self._open.append((self._counter.get_total_flops(), 0, self._by_kind()))

    def _by_kind(self) -> dict[str, int]:
        return {str(kind): flops for kind, flops in self._counter.get_flop_counts().get("Global", {}).items()}

    def _multiplies(self, module: nn.Module) -> bool:
        """Whether its own weights look like a matrix or a kernel, and not like scales or a table to look up."""
        name = type(module).__name__
        if any(word in name for word in _NO_PRODUCTS):
            return False
        least = 2 if module in self._leaves else 4  # others hold embeddings of places, too
        shapes = [p.shape for p in module.parameters(recurse=False)]
        return any(len(shape) >= least and shape[0] > 1 and sum(n > 1 for n in shape) > 1 for shape in shapes)

    def _after(self, module: nn.Module, args: Any, named: Any, output: Any) -> None:
        start, of_children, kinds = self._open.pop()
        made = self._counter.get_total_flops() - start
        if self._open:
            above, others, before = self._open[-1]
            self._open[-1] = (above, others + made, before)
        alone = (made - of_children) // 2
        rule = rule_of(module)
        inputs = args or [named[name] for name in ("input", *named) if name in named]
        if module in self._leaves:
            known = macs_of(module, rule, inputs, output)
            macs = alone if known is None else known
            if macs != alone:
                self.differing.add(type(module).__name__)
        elif alone:
            now = self._by_kind()
            grown = [kind for kind in now if now[kind] > kinds.get(kind, 0)]
            rule = "attention" if any(word in kind for kind in grown for word in _ATTENTION) else "other"
            macs = alone
        elif self._own_params(module, look=True):
            macs = 0
        else:
            return
        flops = 2 * macs or small_flops(rule, inputs, output)
        if module in self._rows:
            row = self._rows[module]
            row.macs, row.flops, row.calls = row.macs + macs, row.flops + flops, row.calls + 1
            return
        self._rows[module] = LayerCount(
            self._paths[module],
            type(module).__name__,
            rule,
            shape_of(output),
            self._own_params(module),
            macs,
            flops,
            terms=terms_of(module, rule, inputs, output),
        )

    def _own_params(self, module: nn.Module, look: bool = False) -> int:
        """Values of its own parameters (a leaf's: all) that no row has had yet."""
        own = [p for p in module.parameters(recurse=module in self._leaves) if id(p) not in self._known]
        if not look:
            self._known.update(id(parameter) for parameter in own)
        return sum({id(parameter): parameter.numel() for parameter in own}.values())
