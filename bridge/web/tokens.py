"""That a form was filled in on our own page: no other site knows the token in it.

Nothing is kept for it, so that several callbridges behind one address know each other's. It holds today and tomorrow.
"""

from __future__ import annotations

import hashlib
import hmac
from datetime import datetime, timedelta

DAY = timedelta(days=1)


def token_of(secret: str, login: str, now: datetime) -> str:
    """The token for the forms of `login` at `now`."""
    text = f"page:{now.date().isoformat()}:{login}"
    return hmac.new(secret.encode(), text.encode("utf-8", "replace"), hashlib.sha256).hexdigest()[:40]


def token_fits(given: str, secret: str, login: str, now: datetime) -> bool:
    """Whether it was made for `login` today or yesterday; in constant time."""
    known = [token_of(secret, login, at) for at in (now, now - DAY)]
    fits = [hmac.compare_digest(given.encode("utf-8", "replace"), one.encode()) for one in known]
    return any(fits)
