"""The YAML file → one frozen Config, or everything that is wrong and where."""

from __future__ import annotations

from bridge.config.settings import (
    Acknowledgement,
    AlertmanagerSettings,
    Config,
    GatewaySettings,
    Limits,
    Rate,
    Secret,
    Storage,
    Watchdog,
    Webhooks,
)

__all__ = [
    "Acknowledgement",
    "AlertmanagerSettings",
    "Config",
    "GatewaySettings",
    "Limits",
    "Rate",
    "Secret",
    "Storage",
    "Watchdog",
    "Webhooks",
]
