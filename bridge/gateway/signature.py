"""Whether a report really comes from the gateway: the signature of the account's signing key over the whole request.

Source: the vendor's signing page. Signed is timestamp, nonce, method, address and the MD5 of the raw body, one per
line.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from urllib.parse import urlsplit

WINDOW = timedelta(seconds=300)

_TIMESTAMP = re.compile(r"[0-9]{1,12}")


def verify_signature(
    *,
    key: str,
    headers: Mapping[str, str],
    method: str,
    url: str,
    body: bytes,
    now: datetime,
    window: timedelta = WINDOW,
) -> str | None:
    """The request's nonce if it was signed with `key` within `window` of `now`, else None.

    `url` is the full public address as the gateway knows it, with its query; sources disagree whether that or only the
    path is signed, so both are taken. A nonce that was seen before is a replay: to remember them is up to the caller.
    """
    given = {name.lower(): value.strip() for name, value in headers.items()}
    signature, timestamp, nonce = (given.get(name, "") for name in ("x-signature", "x-timestamp", "x-nonce"))
    if not (key and signature and nonce) or not _TIMESTAMP.fullmatch(timestamp):
        return None
    if abs(now.timestamp() - int(timestamp)) > window.total_seconds():
        return None
    parts = urlsplit(url)
    short = parts.path + (f"?{parts.query}" if parts.query else "")
    expected = [_signature(key, timestamp, nonce, method, target, body) for target in (url, short)]
    # Both are compared, so that the time taken tells nothing of which was the right one.
    matches = [hmac.compare_digest(one, signature.lower().encode("utf-8", "replace")) for one in expected]
    return nonce if any(matches) else None


def _signature(key: str, timestamp: str, nonce: str, method: str, target: str, body: bytes) -> bytes:
    digest = hashlib.md5(body, usedforsecurity=False).hexdigest()
    signed = "\n".join((timestamp, nonce, method.upper(), target, digest))
    return hmac.new(key.encode(), signed.encode("utf-8", "replace"), hashlib.sha256).hexdigest().encode()
