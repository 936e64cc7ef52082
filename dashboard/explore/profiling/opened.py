"""A stored profile, opened for looking around."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dashboard.profiling.kept import headline, read_profile
from dashboard.profiling.shapes import Profile, Variant
from dashboard.store import Run


@dataclass(frozen=True, eq=False)
class Opened:
    """A run of the task "profile" and what it holds.

    Attributes:
        run: the run.
        profile: its numbers.
    """

    run: Run
    profile: Profile

    @property
    def label(self) -> str:
        """The model's name."""
        return self.profile.model

    @property
    def ran(self) -> list[Variant]:
        """The ways that could be run, the plain one first."""
        return [v for v in self.profile.variants if not v.why_not]

    @property
    def plain(self) -> Variant | None:
        """The plain fp32 that the others are compared with; None if even that could not be run."""
        return next((v for v in self.ran if v.name == self.profile.variants[0].name), None)

    @property
    def usual(self) -> Variant | None:
        """The way whose figures are the key figures."""
        return headline(self.profile)


def opened(run: Run) -> Opened:
    """A run with its profile. Raises InputError if it is damaged."""
    return Opened(run, read_profile(run))


def names_of(views: Sequence[Opened]) -> list[str]:
    """A name for each profile: the model's, with the input size, device or time where that alone does not tell."""
    said = [v.label for v in views]
    for more in (
        [f" {v.profile.input_size[0]}×{v.profile.input_size[1]}" for v in views],
        [f" {v.profile.device}" for v in views],
        [f" {v.run.created_at[5:19].replace('T', ' ')}" for v in views],
    ):
        twins = [said.count(name) > 1 for name in said]
        if any(len({m for m, s in zip(more, said, strict=True) if s == name}) > 1 for name in said):
            said = [s + m if twin else s for s, m, twin in zip(said, more, twins, strict=True)]
    return said
