"""Names to things, imported only when asked for: listing what exists loads nothing heavy."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import Any, Generic, TypeVar

from dashboard.errors import InputError, did_you_mean

T = TypeVar("T")


class Registry(Generic[T]):
    """An ordered mapping from a name to an object given as ``"module:attribute"``.

    Adding a thing is one line, ``REGISTRY.register("name", "package.module:attribute")``; the module is imported at the
    first ``get``. ``facts`` are cheap properties (a task, say) that can be asked for without the import.
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._targets: dict[str, str | T] = {}
        self._facts: dict[str, dict[str, Any]] = {}

    def register(self, name: str, target: str | T, **facts: Any) -> None:
        """Add ``name``. Raises ValueError if the name is taken."""
        if name in self._targets:
            raise ValueError(f"{self.kind} {name!r} is registered twice")
        self._targets[name] = target
        self._facts[name] = facts

    def get(self, name: str) -> T:
        """Return the object behind ``name``. Raises InputError with close names if there is none."""
        if name not in self._targets:
            raise InputError(f"No {self.kind} is called {name!r}.{did_you_mean(name, self._targets)}")
        target = self._targets[name]
        if isinstance(target, str):
            module, _, attribute = target.partition(":")
            target = getattr(importlib.import_module(module), attribute)
            self._targets[name] = target
        return target

    def facts(self, name: str) -> dict[str, Any]:
        """What was said of ``name`` when it was registered."""
        return self._facts[name]

    def names(self, **facts: Any) -> list[str]:
        """Registered names, in order, whose facts equal those given; a fact that is a tuple holds any of its values."""

        def fits(own: Any, wanted: Any) -> bool:
            return wanted in own if isinstance(own, tuple) else own == wanted

        return [n for n in self._targets if all(fits(self._facts[n].get(k), v) for k, v in facts.items())]

    def items(self, **facts: Any) -> Iterator[tuple[str, T]]:
        """Pairs of name and object, importing each."""
        for name in self.names(**facts):
            yield name, self.get(name)

    def __contains__(self, name: object) -> bool:
        return name in self._targets

    def __len__(self) -> int:
        return len(self._targets)
