"""What the settings of one webhook_config make of a page."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from bridge.config.spot import Spot
from bridge.doctor.address import split
from bridge.doctor.finding import Findings
from bridge.doctor.reading import Receiver, Webhook, is_false

# Go's time.Duration, which `timeout` is written in, and not Prometheus' durations.
SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h)")
SHORTEST_TIMEOUT = 1.0


def check_webhook(webhook: Webhook, findings: Findings) -> None:
    """Tell what of its settings loses a page."""
    _check_resolved(webhook.spot.at("send_resolved"), findings)
    _check_most(webhook.spot.at("max_alerts"), findings)
    _check_timeout(webhook.spot.at("timeout"), findings)
    payload = webhook.spot.at("payload")
    if payload is not None:
        findings.error(
            payload,
            "replaces the body: callbridge cannot read it, answers 400, and no page ever comes of it",
            "leave payload out; what the phone says is decided by callbridge's templates",
        )


def _check_resolved(spot: Spot | None, findings: Findings) -> None:
    if is_false(spot) and spot is not None:
        findings.error(
            spot,
            "callbridge never learns that an alert is over: it goes on calling for what has passed, and an alert"
            " that comes"
            " back within 24h of one that somebody took counts as taken, and rings nobody",
            "write true, or leave it out",
        )


def _check_most(spot: Spot | None, findings: Findings) -> None:
    if spot is None or not re.fullmatch("[0-9]{1,20}", spot.text or "") or not int(spot.text or "0"):
        return
    findings.error(
        spot,
        f"cuts off every alert behind the first {int(spot.text or '0')} of a group: callbridge never hears of those,"
        " and whoever they should wake sleeps on",
        "write 0 or leave it out; callbridge takes bodies of up to 10 MiB",
    )


def _check_timeout(spot: Spot | None, findings: Findings) -> None:
    seconds = go_seconds(spot.text or "") if spot is not None else None
    if spot is not None and seconds is not None and 0 < seconds < SHORTEST_TIMEOUT:
        findings.warning(
            spot,
            f"{spot.text} is less than a busy disk may need: Alertmanager hangs up and sends it all again, and with"
            " every try"
            " too short nothing comes in",
            "write 10s, or leave it out",
        )


def go_seconds(text: str) -> float | None:
    """A duration as Go reads it (`1.5s`, `1m30s`, `0`), in seconds; None where it is none."""
    if text == "0":
        return 0.0
    parts = _PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        return None
    return sum(float(number) * SECONDS[unit] for number, unit in parts)


def check_generated(receivers: Iterable[Receiver], findings: Findings) -> None:
    """Tell, once, that the Prometheus Operator wrote this file: it names receivers with slashes."""
    first = next((receiver for receiver in receivers if "/" in receiver.name), None)
    if first is not None:
        findings.hint(
            first.spot.at("name") or first.spot,
            "the name has a slash, as the Prometheus Operator makes them: this file is written anew from"
            " AlertmanagerConfigs,"
            " whose routes by default take only alerts of their own namespace",
            "edit the AlertmanagerConfig, and set alertmanagerConfigMatcherStrategy: {type: None} where it should"
            " take all",
        )


def check_twins(ours: Sequence[Webhook], findings: Findings) -> None:
    """Tell what comes of several webhooks to callbridge in one receiver."""
    seen: dict[tuple[str | None, int | None], int] = {}
    for webhook in ours:
        parts = split(webhook.url or "")
        address = (parts.hostname, parts.port) if parts else (webhook.url, None)
        if address in seen:
            findings.warning(
                webhook.spot,
                f"sends to the callbridge of line {seen[address]} again: every notification comes twice under one"
                " groupKey,"
                " and callbridge has to tell the second from a repeat",
                "leave only one of them",
            )
        elif seen:
            findings.warning(
                webhook.spot,
                f"sends to another address than the callbridge of line {min(seen.values())}: two that do not know of"
                " each"
                " other both ring the same people for the same alert",
                "leave only one of them",
            )
        seen.setdefault(address, webhook.spot.line)
