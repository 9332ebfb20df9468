"""Which webhooks go to callbridge, and whether their URL gets there.

A URL is never printed: it may carry credentials, and a mistaken path may be one that is a secret itself.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from bridge.config.spot import Spot
from bridge.doctor.finding import Findings
from bridge.doctor.reading import Webhook

DOOR = "/webhook/alertmanager"
PORTS = {"http": 80, "https": 443}
REDACTED = "<secret>"
LOST = "the page is lost: Alertmanager tries again only at the next group_interval, and only if the alert still fires"


@dataclass(frozen=True, slots=True)
class Where:
    """Where callbridge is: its external URL ("": not told), its default port, and receivers named by hand."""

    external_url: str = ""
    port: int = 0
    receivers: tuple[str, ...] = ()

    @property
    def prefix(self) -> str:
        """What precedes every path: empty, or with a slash before and none behind."""
        path = urlsplit(self.external_url).path.strip("/")
        return f"/{path}" if path else ""


def split(url: str) -> SplitResult | None:
    """The parts of a URL; None where it is none."""
    try:
        parts = urlsplit(url)
        return parts if parts.hostname and (parts.port is None or parts.port) else None
    except ValueError:
        return None


def port(parts: SplitResult) -> int | None:
    """The port in force."""
    return parts.port or PORTS.get(parts.scheme)


def unseen(webhook: Webhook) -> bool:
    """Whether the URL cannot be read here: in a file of its own, blanked out, or a template without a plain host."""
    if webhook.url is None:
        return webhook.spot.at("url_file") is not None
    return webhook.url == REDACTED or ("{{" in webhook.url and not _tidy(webhook.url).endswith(DOOR))


def is_callbridge(webhook: Webhook, where: Where) -> bool:
    """Whether a webhook goes to callbridge: by its path, its host or its port."""
    if webhook.url is None:
        return False
    parts = split(webhook.url)
    if parts is None:
        return _tidy(webhook.url).endswith(DOOR)
    path = _tidy(parts.path)
    return path.endswith(DOOR) or parts.port == where.port or _under_external(parts, where)


def _tidy(path: str) -> str:
    return re.sub("/+", "/", path).rstrip("/")


def _same_host(parts: SplitResult, where: Where) -> bool:
    external = split(where.external_url) if where.external_url else None
    if external is None or parts.hostname != external.hostname:
        return False
    usual = all(one.port in (None, PORTS.get(one.scheme)) for one in (parts, external))
    return usual or port(parts) == port(external)


def _under_external(parts: SplitResult, where: Where) -> bool:
    prefix = where.prefix
    return _same_host(parts, where) and (not prefix or f"{_tidy(parts.path)}/".startswith(f"{prefix}/"))


def check_address(webhook: Webhook, where: Where, findings: Findings) -> None:
    """Tell what keeps a notification from coming in by its URL."""
    spot = webhook.spot.at("url")
    if spot is None or unseen(webhook) or "{{" in (webhook.url or ""):
        return
    parts = split(webhook.url or "")
    if parts is None or parts.scheme not in PORTS:
        findings.error(
            spot,
            "is not a URL that Alertmanager can post to: it refuses the file, or every notification fails",
            f"write http(s)://host[:port]{DOOR}",
        )
        return
    _check_scheme(spot, parts, where, findings)
    _check_path(spot, parts, where, findings)
    if parts.query:
        findings.hint(
            spot,
            "has a query, which callbridge does not read; older Alertmanagers also log it",
            "send the secret as http_config.authorization.credentials_file, and leave the query out",
        )


def _check_scheme(spot: Spot, parts: SplitResult, where: Where, findings: Findings) -> None:
    if not _same_host(parts, where):
        return
    wanted = urlsplit(where.external_url).scheme
    if parts.scheme == wanted:
        return
    if wanted == "https" and port(parts) == port(urlsplit(where.external_url)):
        what = f"is http to the port where callbridge speaks https: it answers 400 and {LOST}"
    elif wanted == "https":
        what = (
            "is http while callbridge is https there: a redirect turns the POST into a GET without a body,"
            " Alertmanager takes a 200 on that for success and the page is lost (with follow_redirects: false it fails)"
        )
    else:
        what = "is https while callbridge is http there: no connection comes about, and no page comes in"
    findings.error(spot, what, f"write {wanted}:// as in --web.external-url")


def _check_path(spot: Spot, parts: SplitResult, where: Where, findings: Findings) -> None:
    prefix = where.prefix
    right = f"{prefix if _same_host(parts, where) else ''}{DOOR}"
    known = {right, f"{prefix}{DOOR}"}
    path = parts.path.removesuffix("/")
    if path in known or (not where.external_url and path.endswith(DOOR) and "//" not in path):
        return
    if not path.strip("/"):
        what = f"has no path, and callbridge takes notifications only at {DOOR}: {LOST}"
    elif "//" in parts.path:
        what = (
            "has a doubled slash in its path: callbridge answers 404, and a proxy that tidies it up redirects, which"
            " turns"
            f" the POST into a GET; either way {LOST}"
        )
    elif path.endswith(DOOR) and not _same_host(parts, where):
        _unclear_prefix(spot, prefix, findings)
        return
    elif path.endswith(DOOR):
        what = f"leaves out what precedes every path by --web.external-url: callbridge answers 404 and {LOST}"
    else:
        what = f"has another path than that of callbridge's door for Alertmanager: it is turned away and {LOST}"
    findings.error(spot, what, f"end it with {right}")


def _unclear_prefix(spot: Spot, prefix: str, findings: Findings) -> None:
    findings.warning(
        spot,
        f"has something before {DOOR} that --web.external-url does not have: unless a proxy takes it away,"
        " callbridge answers 404",
        f"end the host with {prefix}{DOOR}",
    )
