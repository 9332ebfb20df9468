"""Labels and annotations as templates see them: a name that is missing is "", as in Alertmanager (missingkey=zero)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

# Strangers choose how much they send; nobody listens to more.
MOST_PAIRS = 100
LONGEST_NAME = 200
LONGEST_VALUE = 2000


class Pair(NamedTuple):
    """One label or annotation; speaks itself as `name=value`."""

    name: str
    value: str

    def __str__(self) -> str:
        return f"{self.name}={self.value}"


class SortedPairs(tuple[Pair, ...]):
    """What `sorted_pairs` gives: `alertname` first, then by name; written `a=b, c=d`."""

    __slots__ = ()

    def __str__(self) -> str:
        return ", ".join(map(str, self))


class Pairs(Mapping[str, str]):
    """Labels or annotations, read-only and bounded; `pairs.name` and `pairs["name"]` are "" if there is none."""

    __slots__ = ("_pairs",)

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        bounded = zip(range(MOST_PAIRS), pairs, strict=False)
        self._pairs = {name[:LONGEST_NAME]: value[:LONGEST_VALUE] for _, (name, value) in bounded}

    def __getitem__(self, name: str) -> str:
        return self._pairs.get(name, "")

    def __contains__(self, name: object) -> bool:
        return name in self._pairs

    def __iter__(self) -> Iterator[str]:
        return iter(self._pairs)

    def __len__(self) -> int:
        return len(self._pairs)

    def __str__(self) -> str:
        return str(self.sorted())

    def __repr__(self) -> str:
        return f"Pairs({len(self)})"

    def sorted(self) -> SortedPairs:
        first = [Pair("alertname", self._pairs["alertname"])] if "alertname" in self._pairs else []
        rest = (Pair(name, self._pairs[name]) for name in sorted(self._pairs) if name != "alertname")
        return SortedPairs((*first, *rest))

    def without(self, names: Iterable[str]) -> Pairs:
        dropped = set(names)
        return Pairs((name, value) for name, value in self._pairs.items() if name not in dropped)
