"""Who signed a request: the gateway its reports, Grafana its alerts; and that nothing which was signed counts twice.

What is outside the window is not judged here: who knocks with a right signature is who they say, only perhaps not now.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from bridge.errors import StoreUnavailable
from bridge.gateway import verify_signature

WINDOW = timedelta(minutes=5)
# The highest rate of reports that can be believed, over both halves of the window, and some megabytes at most.
MOST_NONCES = 20_000
ANY_TIME = timedelta.max

GRAFANA_SIGNATURE = "X-Grafana-Alerting-Signature"
GRAFANA_TIMESTAMP = "X-Grafana-Alerting-Timestamp"
_TIMESTAMP = re.compile(r"[0-9]{1,12}")


@dataclass(frozen=True, slots=True)
class Signed:
    """A right signature: its nonce, and by how many seconds it is older than our clock (negative: ahead of it)."""

    nonce: str
    age: float

    @property
    def fresh(self) -> bool:
        return abs(self.age) <= WINDOW.total_seconds()

    @property
    def mark(self) -> str:
        """The nonce in a short form: it may be of any length and of any bytes."""
        return hashlib.sha256(self.nonce.encode("utf-8", "replace")).hexdigest()


def signed_report(
    key: str, headers: Mapping[str, str], method: str, url: str, body: bytes, now: datetime
) -> Signed | None:
    """What the gateway's signature of a report says, at whatever time it was made; None where it is not right.

    `url` is the public address with its query; the signature of its path and query alone is right too.
    """
    try:
        nonce = verify_signature(key=key, headers=headers, method=method, url=url, body=body, now=now, window=ANY_TIME)
    except ValueError:
        # An address that is none (the sender chose its Host): nobody has signed that.
        return None
    if nonce is None:
        return None
    stamp = next(value for name, value in headers.items() if name.lower() == "x-timestamp")
    return Signed(nonce, now.timestamp() - int(stamp))


def signed_by_grafana(secret: str, headers: Mapping[str, str], body: bytes, now: datetime) -> Signed | None:
    """What Grafana's signature says; one without a timestamp is of now. None where it is not right.

    Source: grafana/alerting, http/hmac.go: hex of HMAC-SHA256 over the body, or over `<unix seconds>:` and the body
    where the contact point names a timestamp header.
    """
    signature, stamp = headers.get(GRAFANA_SIGNATURE, ""), headers.get(GRAFANA_TIMESTAMP)
    if stamp is not None and not _TIMESTAMP.fullmatch(stamp):
        return None
    before = b"" if stamp is None else f"{stamp}:".encode()
    expected = hmac.new(secret.encode(), before + body, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(expected.encode(), signature.strip().lower().encode("utf-8", "replace")):
        return None
    return Signed("", 0.0 if stamp is None else now.timestamp() - int(stamp))


class Nonces:
    """The nonces of what was kept, for as long as they can come again within the window; the newest `most` of them.

    One that is being kept is not among them yet: were it refused, and the keeping failed, a report would be lost.
    """

    def __init__(self, most: int = MOST_NONCES) -> None:
        self._most = most
        self._kept: dict[str, datetime] = {}
        self._under_way: set[str] = set()

    def __len__(self) -> int:
        return len(self._kept)

    def seen(self, nonce: str, now: datetime) -> bool:
        """Whether what came with `nonce` was kept before."""
        self._forget(now)
        return nonce in self._kept

    @contextmanager
    def keeping(self, nonce: str, now: datetime) -> Iterator[None]:
        """Around the keeping: the nonce counts once that has ended well. Raises StoreUnavailable for a twin of now."""
        if nonce in self._under_way:
            raise StoreUnavailable("the same report is being stored at this moment")
        self._under_way.add(nonce)
        try:
            yield
            # It may be signed a window ahead of our clock, and is right until a window after that.
            self._kept[nonce] = now + 2 * WINDOW
        finally:
            self._under_way.discard(nonce)

    def _forget(self, now: datetime) -> None:
        """Kept in the order of time, so that the oldest stand first."""
        while self._kept:
            oldest = next(iter(self._kept))
            if len(self._kept) <= self._most and now < self._kept[oldest]:
                return
            del self._kept[oldest]
