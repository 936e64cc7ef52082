"""The counting rule of each kind of layer, with a layer's own numbers filled in.

The rules are the usual ones for convolutional networks: a multiply-accumulate is two operations, biases' additions are
not counted, batch norm takes four operations a value and pooling one a value of its output.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dashboard.profiling.shapes import Layer


@dataclass(frozen=True)
class Line:
    """One count of a layer.

    Attributes:
        what: "params", "macs" or "flops".
        rule: the formula in its symbols; "" where there is none.
        numbers: the same with this layer's numbers; "" where they are not known.
        value: what it comes to, as it was counted.
    """

    what: str
    rule: str
    numbers: str
    value: int


Product = Sequence[str | int]
"""Names of terms and plain numbers, to be multiplied; "/groups" divides."""
KERNEL: Product = ("kh", "kw", "cin", "/groups", "cout")
SYMBOLS: Mapping[str, str] = {
    "kh": "Kh", "kw": "Kw", "cin": "Cin", "cout": "Cout", "hout": "Hout", "wout": "Wout", "hin": "Hin", "win": "Win",
    "nin": "Nin", "nout": "Nout", "rows": "rows", "n": "N", "c": "C", "h": "H", "w": "W", "/groups": "/groups",
}  # fmt: skip
PARAMS: Mapping[str, tuple[Product, str]] = {
    "conv": (KERNEL, "cout"),
    "linear": (("nin", "nout"), "nout"),
    "batch_norm": ((2, "c"), ""),
    "pool": ((0,), ""),
}
"""What is multiplied, and what a bias adds."""
MACS: Mapping[str, Product] = {"conv": (*KERNEL, "hout", "wout"), "linear": ("rows", "nin", "nout")}
FLOPS: Mapping[str, Product] = {
    **{rule: (2, *product) for rule, product in MACS.items()},
    "batch_norm": (4, "n", "c", "h", "w"),
    "pool": ("hout", "wout", "c"),
}


def lines(layer: Layer) -> list[Line]:
    """A layer's parameters, MACs and FLOPs with their formulas, and its numbers in them where they give the count."""
    found = []
    own, added = PARAMS.get(layer.rule, ((), ""))
    found.append(_line("params", layer, own, added, layer.params))
    if layer.rule in MACS or layer.macs:
        found.append(_line("macs", layer, _of_inputs(layer, MACS.get(layer.rule, ())), "", layer.macs))
    found.append(_line("flops", layer, _of_inputs(layer, FLOPS.get(layer.rule, ())), "", layer.flops))
    return found


def _of_inputs(layer: Layer, product: Product) -> Product:
    """A transposed convolution works once for each place of its input."""
    if "hin" not in layer.terms:
        return product
    return [{"hout": "hin", "wout": "win"}.get(str(p), p) for p in product]


def _line(what: str, layer: Layer, product: Product, added: str, value: int) -> Line:
    """One count; numbers are shown only if they come to what was counted."""
    if not product:
        return Line(what, "", "", value)
    rule = _joined([SYMBOLS.get(str(p), str(p)) for p in product])
    if added:
        rule += f" + {SYMBOLS[added]}"
    if what == "params" and not value:
        return Line(what, "" if layer.rule == "pool" else rule, "", 0)
    terms, calls = layer.terms, layer.calls if what != "params" else 1
    factors = [f for f in product if f != "/groups"]
    if all(isinstance(f, int) or f in terms for f in factors):
        numbers, total = _filled(product, terms)
        if added and terms.get("bias", 0):
            numbers, total = f"{numbers} + {terms[added]}", total + terms[added]
        elif added:
            rule = rule.rpartition(" + ")[0]
        if total * calls == value:
            return Line(what, rule, f"{calls}·{numbers}" if calls > 1 else numbers, value)
    return Line(what, rule, _from_output(what, layer, value) if layer.rule == "conv" else "", value)


def _filled(product: Product, terms: Mapping[str, int]) -> tuple[str, int]:
    """A product in numbers, and what it comes to."""
    groups = terms.get("groups", 1) if "/groups" in product else 1
    said: list[str] = []
    for factor in product:
        if factor == "/groups":
            said += [f"/{groups}"] if groups > 1 else []
        else:
            said.append(str(factor if isinstance(factor, int) else terms[factor]))
    total = math.prod(f if isinstance(f, int) else terms[f] for f in product if f != "/groups")
    return _joined(said), total // groups


def _from_output(what: str, layer: Layer, value: int) -> str:
    """Of a convolution whose kernel is not known: what each value of its output takes, by its output's shape."""
    places = math.prod(layer.output) * layer.calls
    if what == "params" or not places or value % places:
        return ""
    shape = "·".join(str(n) for n in [layer.calls, *layer.output] if n != 1)
    each = value // places
    return f"{each}·{shape}" if what == "macs" else f"2·{each // 2}·{shape}"


def _joined(parts: Sequence[str]) -> str:
    """Factors with dots between; a division follows what it divides."""
    return "·".join(parts).replace("·/", "/")
