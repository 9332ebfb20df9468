"""What is known besides the Alertmanager config: where callbridge is, and what its own config decides."""

from __future__ import annotations

from dataclasses import dataclass, field

from bridge.config import Config
from bridge.doctor.address import Where
from bridge.doctor.alive import Listener
from bridge.doctor.credentials import Asked
from bridge.doctor.timing import Chains


@dataclass(frozen=True, slots=True)
class Surroundings:
    """None: callbridge's own config was not read, and what it decides stays open."""

    where: Where = field(default_factory=Where)
    asked: Asked = field(default_factory=Asked)
    chains: Chains | None = None
    listener: Listener | None = None


def surroundings(where: Where, config: Config | None, secret: str | None = None) -> Surroundings:
    """What there is to know; `secret`: what webhooks.alertmanager.credentials_file holds, where it could be read."""
    if config is None:
        return Surroundings(where)
    return Surroundings(
        where,
        Asked(known=True, bearer=config.webhooks.alertmanager is not None, secret=secret),
        Chains(config.route, dict(config.policies)),
        Listener(
            route=config.route,
            nobody=frozenset(name for name, policy in config.policies.items() if not policy.steps),
            missed=tuple((one.matchers, one.every) for one in config.watchdogs),
        ),
    )
