"""`python -m deploy.prometheus.reference`: writes docs/metrics.md, every family with its labels and what uses it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml
from prometheus_client import CollectorRegistry
from prometheus_client.metrics import MetricWrapperBase

from bridge.metrics import Metrics

ROOT = Path(__file__).parents[2]
TARGET = ROOT / "docs" / "metrics.md"
RULES = Path(__file__).parent / "callbridge.rules.yml"
HEAD = """# Every metric

Written by `make dashboards` from the families that the program itself registers: do not edit it here.

Every series is there from the start, counters at 0, so that `rate()` sees the first event too. No number, name of a
person, alert name or group key is ever a label. The values of a label are those below, or names of your own file.
`promtool check metrics` finds nothing to say. Beside these there are those of the process and of Python
(`process_*`, `python_*`).

| metric | type | labels | what | rules |
|---|---|---|---|---|
"""
# Labels whose values are names of the operator's own file, and where they stand there.
NAMES = {"schedule": "schedules", "watchdog": "watchdogs", "policy": "policies", "gateway": "gateways"}


@dataclass(frozen=True, slots=True)
class Family:
    """One family as it is exported: `labels` with their values, `bounds` the buckets of a histogram."""

    name: str
    kind: str
    what: str
    labels: Mapping[str, Sequence[str]]
    bounds: Sequence[str] = ()


def families() -> Iterator[Family]:
    """Every family, in the order in which the program registers them."""
    metrics = Metrics(CollectorRegistry())
    for one in vars(metrics).values():
        if isinstance(one, MetricWrapperBase):
            yield _family(one)


def _family(one: MetricWrapperBase) -> Family:
    (collected,) = one.collect()
    # Where no series is there yet, only the wrapper itself knows the names of its labels.
    names: Iterable[str] = one._labelnames
    if collected.type == "info":
        names = sorted(collected.samples[0].labels)
    values = {
        name: list(dict.fromkeys(sample.labels[name] for sample in collected.samples if collected.type != "info"))
        for name in names
    }
    bounds = dict.fromkeys(sample.labels["le"] for sample in collected.samples if "le" in sample.labels)
    name = collected.name + {"counter": "_total", "info": "_info"}.get(collected.type, "")
    return Family(name, collected.type, collected.documentation, values, list(bounds)[:-1])


def reference() -> str:
    """docs/metrics.md."""
    rules = [rule for group in yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"] for rule in group["rules"]]
    return HEAD + "".join(_line(family, rules) for family in families())


def _line(family: Family, rules: Iterable[Mapping[str, str]]) -> str:
    users = [rule["alert"] for rule in rules if f"{family.name}{{" in rule["expr"] or _bare(family.name, rule["expr"])]
    links = ", ".join(f"[{alert.removeprefix('Callbridge')}](runbooks/{alert}.md)" for alert in users)
    what = (
        f"{family.what} Buckets: {_number(family.bounds[0])} to {_number(family.bounds[-1])} s."
        if family.bounds
        else family.what
    )
    labels = "; ".join(_label(name, values) for name, values in family.labels.items())
    return f"| `{family.name}` | {family.kind} | {labels} | {what} | {links} |\n"


def _bare(name: str, expr: str) -> bool:
    """Whether a rule names it without any matcher."""
    return any(f"{name}{end}" in f"{expr} " for end in (" ", ")", "["))


def _number(bound: str) -> str:
    return bound.removesuffix(".0")


def _label(name: str, values: Sequence[str]) -> str:
    if not values:
        return f"`{name}`: names of `{NAMES[name]}`" if name in NAMES else f"`{name}`"
    if values == [f"{hour:02}" for hour in range(24)]:
        return f"`{name}`: `00` to `23`"
    return f"`{name}`: " + ", ".join(f"`{value}`" for value in values)


if __name__ == "__main__":
    TARGET.write_text(reference(), encoding="utf-8")
