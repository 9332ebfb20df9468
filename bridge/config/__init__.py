"""The YAML file → one frozen Config, or everything that is wrong and where.

tree      YAML text → nodes with line and column      reading   load() and check(): all of it in order
spot      a node with its path, for who reads a file of others
schema    what may stand where (pydantic), with outward and section
words     the kinds of scalar   scalars  how each is read
checks    what hangs together    files, numbers
wording   findings in an operator's words             build     shape → settings, the frozen Config
reference what the schema says, for editors and readers
"""

from __future__ import annotations

from bridge.call import Rate
from bridge.config.reading import check, load
from bridge.config.reference import json_schema, reference
from bridge.config.settings import (
    Acknowledgement,
    AlertmanagerSettings,
    Config,
    GatewaySettings,
    HeartbeatSettings,
    Limits,
    Secret,
    Storage,
    Watchdog,
    Webhooks,
    redacted,
)

__all__ = [
    "Acknowledgement",
    "AlertmanagerSettings",
    "Config",
    "GatewaySettings",
    "HeartbeatSettings",
    "Limits",
    "Rate",
    "Secret",
    "Storage",
    "Watchdog",
    "Webhooks",
    "check",
    "json_schema",
    "load",
    "redacted",
    "reference",
]
