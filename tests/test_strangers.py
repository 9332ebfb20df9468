"""What strangers send, by the thousand: mutated webhooks and reports against the server as its operator starts it."""

from __future__ import annotations

import os
from itertools import islice
from pathlib import Path

from tests.flooding import flooded
from tests.mutating import reports, webhooks

# All of it is `python -m benchmarks.strangers`; here a part, the same each time.
MANY = int(os.environ.get("STRANGERS", "800"))
ANSWERS = {200, 400, 401, 404, 405, 413}


async def test_mutated_webhooks_and_reports_break_nothing(tmp_path: Path) -> None:
    """No 5xx, no cut connection, no fault in the log, nothing that cannot be digested, no memory that is kept."""
    found = await flooded(tmp_path, MANY, seed=1)

    assert set(found.webhooks) <= ANSWERS
    assert set(found.reports) <= ANSWERS
    # They are no noise only: some are still what they were, and some can never be it.
    for answered in (found.webhooks, found.reports):
        assert min(answered[200], answered[400]) > MANY // 20
    assert "Traceback" not in found.log
    assert "\nlevel=error msg=forged" not in found.log
    assert found.undigested == 0
    assert found.growth < 0.2
    assert found.told


def test_the_same_seed_sends_the_same() -> None:
    """What broke it can be sent again."""
    assert list(islice(webhooks(3), 50)) == list(islice(webhooks(3), 50))
    assert list(islice(reports(3, "token"), 50)) == list(islice(reports(3, "token"), 50))
