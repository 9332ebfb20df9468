"""The API by its own description: whatever fits it, and whatever does not, asked of the server as it is started."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis.checks import CHECKS, load_all_checks

from tests.guarding import hash_of
from tests.serving import BEARER, Served, quiet, served, write_files

EXAMPLES = 8
FITTING, WRONG = schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE
# Whom there is, and which years are taken, no schema can say: what fits it may be refused.
KNOWN_ELSEWHERE = ("/api/v1/oncall", "/api/v1/schedules/{name}/shifts", "/api/v1/overrides")
ONCALL = """
schedules:
  primary:
    timezone: Europe/Berlin
    rotations: [{name: week, people: [alice, bob], every: 1w, start: "2026-01-05 09:00"}]
"""
LOGIN = ("me", "correct horse")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One with some incidents, behind a password."""
    folder = tmp_path_factory.mktemp("api")
    web = folder / "web.yml"
    web.write_text(f"basic_auth_users: {{{LOGIN[0]}: '{hash_of(LOGIN[1])}'}}\n")
    with served(write_files(folder, extra=ONCALL), f"--web.config.file={web}") as one:
        for number in range(3):
            sent = json.dumps(quiet(f"Disk{number}", group=str(number))).encode()
            urllib.request.urlopen(urllib.request.Request(f"{one.url}/webhook/alertmanager", sent, BEARER))
        yield one
        assert "Traceback" not in one.said()


def described(server: Served) -> Any:
    """The description, fetched from it."""
    return schemathesis.openapi.from_url(f"{server.url}/api/v1/openapi.json", auth=LOGIN)


def asked(operation: Any, mode: Any, **how: Any) -> None:
    """Ask an operation EXAMPLES times, by a seed that stays; every check of schemathesis holds."""

    @settings(
        max_examples=EXAMPLES, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def ask(case: Any) -> None:
        case.call_and_validate(**how)

    try:
        ask()
    except Unsatisfiable:
        # Any text is an id, and some operations take nothing at all: then nothing can be wrong.
        assert mode is WRONG


@pytest.mark.parametrize("mode", [FITTING, WRONG], ids=["fitting", "wrong"])
def test_every_operation_is_as_described(server: Served, mode: Any) -> None:
    """No 5xx, no status, header or body but those that are described; what fits is taken, and what does not is not."""
    load_all_checks()
    accepts = CHECKS.get_one("positive_data_acceptance")
    operations = [result.ok() for result in described(server).get_all_operations()]
    assert len(operations) >= 12
    for operation in operations:
        asked(operation, mode, auth=LOGIN, excluded_checks=[accepts] if operation.path in KNOWN_ELSEWHERE else [])


def test_without_credentials_nothing_is_told(server: Served) -> None:
    """Whatever is asked without a password, or with a wrong one, is 401 and nothing else."""
    for result in described(server).get_all_operations():

        @settings(max_examples=3, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
        @given(case=result.ok().as_strategy(generation_mode=FITTING))
        def ask(case: Any) -> None:
            for headers in ({}, {"Authorization": "Basic bWU6d3Jvbmc="}):
                response = case.call(headers=headers)
                assert response.status_code == 401
                assert "alertname" not in response.text

        ask()


def test_the_description_asks_for_a_password_too(server: Served) -> None:
    """Without one not even the shape of the API is told."""
    with pytest.raises(Exception, match="401"):
        urllib.request.urlopen(f"{server.url}/api/v1/openapi.json")
