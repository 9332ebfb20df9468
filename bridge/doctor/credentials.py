"""Whether callbridge would let a webhook in: what its http_config sends, against what callbridge asks for."""

from __future__ import annotations

import hmac
import ipaddress
from dataclasses import dataclass

from bridge.config.spot import Spot
from bridge.doctor.address import REDACTED, split
from bridge.doctor.finding import Findings
from bridge.doctor.reading import Webhook, text_at

ANSWER = "callbridge answers 401 and the page is lost"
REMEDY = (
    "write http_config: {authorization: {credentials_file: …}} with the content of"
    " webhooks.alertmanager.credentials_file"
)
OTHERS = {
    "basic_auth": "sends a user name and a password, and callbridge takes only Authorization: Bearer",
    "oauth2": "sends a token of an identity provider, and callbridge takes only the one secret that it knows",
}


@dataclass(frozen=True, slots=True)
class Asked:
    """What callbridge asks of Alertmanager. `known`: its config was read; `secret`: what must be sent, if known."""

    known: bool = False
    bearer: bool = False
    secret: str | None = None


def check_credentials(webhook: Webhook, asked: Asked, findings: Findings) -> None:
    """Tell whether a webhook is let in. No credential is ever printed."""
    if asked.known and not asked.bearer:
        _check_needless(webhook, findings)
        return
    told = findings.error if asked.known else findings.warning
    other = _other(webhook)
    bearer = _bearer(webhook.http)
    if other is not None:
        spot, what = other
        told(spot, f"{what}: {ANSWER}", REMEDY)
    elif bearer is None:
        _check_without(webhook, asked, findings)
    else:
        _check_bearer(bearer, asked, findings)


def _check_needless(webhook: Webhook, findings: Findings) -> None:
    given = _bearer(webhook.http)
    other = _other(webhook)
    spot = given if given is not None else other[0] if other is not None else None
    if spot is not None:
        findings.hint(
            spot,
            "sends credentials, and callbridge asks for none: whoever reaches its port can ring the phone",
            "set webhooks.alertmanager.credentials_file in callbridge's config",
        )


def _check_without(webhook: Webhook, asked: Asked, findings: Findings) -> None:
    spot = webhook.http or webhook.spot
    if asked.known:
        findings.error(webhook.spot, f"sends no credentials, and callbridge asks for them: {ANSWER}", REMEDY)
    elif _on_loopback(webhook.url or ""):
        findings.hint(
            spot,
            "sends no credentials: right where callbridge's config has no webhooks.alertmanager, else it answers 401",
            "give --config.file to have that compared",
        )
    else:
        findings.warning(
            spot,
            "sends no credentials, and off loopback callbridge starts without asking for them only with"
            f" --web.allow-unauthenticated; otherwise {ANSWER}",
            f"give --config.file to have that compared, or {REMEDY}",
        )


def _other(webhook: Webhook) -> tuple[Spot, str] | None:
    """What is sent that is no bearer token, and where it is written."""
    for key, what in OTHERS.items():
        spot = webhook.http.at(key) if webhook.http else None
        if spot is not None:
            return spot, what
    authorization = webhook.http.at("authorization") if webhook.http else None
    if authorization is not None and text_at(authorization, "type").strip().lower() not in ("", "bearer"):
        return authorization.at("type") or authorization, "sends another kind of Authorization than Bearer"
    url = webhook.spot.at("url")
    parts = split(webhook.url or "")
    if url is not None and parts is not None and parts.username is not None and _bearer(webhook.http) is None:
        return url, "sends the user name and password of its URL, and callbridge takes only Authorization: Bearer"
    return None


def _bearer(http: Spot | None) -> Spot | None:
    """Where a bearer token is written, or the file of one."""
    if http is None:
        return None
    authorization = http.at("authorization")
    within = [authorization.at(key) for key in ("credentials", "credentials_file")] if authorization else []
    older = [http.at(key) for key in ("bearer_token", "bearer_token_file")]
    return next((spot for spot in (*within, *older) if spot is not None), None)


def _check_bearer(spot: Spot, asked: Asked, findings: Findings) -> None:
    if spot.where.endswith("_file"):
        return
    given = (spot.text or "").strip()
    if asked.secret is not None and given != REDACTED and not _same(given, asked.secret):
        findings.error(
            spot, f"is not the secret that callbridge asks for: {ANSWER}", "write the content of its credentials_file"
        )
    findings.hint(
        spot,
        "a secret stands in the file itself, for everybody who reads it",
        "put it into a file of its own and name that as credentials_file",
    )


def _same(given: str, secret: str) -> bool:
    return hmac.compare_digest(given.encode(errors="replace"), secret.encode(errors="replace"))


def _on_loopback(url: str) -> bool:
    parts = split(url)
    host = (parts.hostname if parts else None) or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
