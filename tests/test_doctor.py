"""What `callbridge doctor` finds in an Alertmanager config, what it leaves alone, and what it never prints."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge import config
from bridge.cli.serving import DEFAULT_ADDRESS
from bridge.config.scalars import brief
from bridge.doctor import Finding, Level, Surroundings, Where, examine, surroundings
from bridge.doctor.address import DOOR
from bridge.doctor.timing import longest
from bridge.doctor.webhooks import go_seconds
from bridge.doctor.witness import alternatives, contradiction, example
from bridge.escalation import Policy, Step
from bridge.route import parse_matchers
from bridge.server.doors import door_routes

FILES = Path(__file__).parent / "data" / "alertmanager"
GOOD = (FILES / "good.yml").read_text()
BAD = (FILES / "bad.yml").read_text()
PORT = 10077
URL = "http://callbridge:10077/webhook/alertmanager"
AUTHORIZATION = """        http_config:
          authorization:
            credentials_file: /etc/alertmanager/callbridge_token
"""
CALLBRIDGE = """
gateway: {api_key_file: key}
webhooks: {alertmanager: {credentials_file: token}}
people: {alice: {phone: +49 171 1234567}, bob: {phone: +49 171 7654321}}
policies:
  default: {steps: [{call: [alice], wait: 5m}, {call: [bob], wait: 5m}], rounds: 2}
  slow: {steps: [{call: [alice], wait: 4h}]}
  nobody: {steps: []}
route:
  policy: default
  routes:
    - {matchers: ['severity="none"'], policy: nobody}
    - {matchers: ['team="slow"'], policy: slow}
"""
SECRET = "a-secret-of-one-line"


def around(
    folder: Path | None = None, *, text: str = CALLBRIDGE, url: str = "", receivers: Sequence[str] = ()
) -> Surroundings:
    """What is known: with `folder`, also the callbridge config `text`."""
    where = Where(url, PORT, tuple(receivers))
    if folder is None:
        return surroundings(where, None)
    (folder / "key").write_text("an-api-key")
    (folder / "token").write_text(SECRET)
    path = folder / "callbridge.yaml"
    path.write_text(text)
    return surroundings(where, config.load(path), SECRET)


def look(text: str, known: Surroundings | None = None) -> tuple[Finding, ...]:
    return examine(text, "am.yml", known or around())


def told(found: Sequence[Finding], level: Level, where: str, words: str) -> list[Finding]:
    """The findings of one level and place that say `words`."""
    return [one for one in found if one.level is level and one.where == where and words in one.what]


def changed(old: str, new: str) -> str:
    """The good config with the one thing that reads `old` changed."""
    assert GOOD.count(old) == 1, f"{GOOD.count(old)} times: {old}"
    return GOOD.replace(old, new)


@dataclass(frozen=True)
class Case:
    """The good config with `old` made `new` must bring this finding."""

    name: str
    old: str
    new: str
    level: Level
    where: str
    words: str
    url: str = ""
    callbridge: bool = True


HOOK = "receivers[3].webhook_configs[0]"
PHONE = "route.routes[2]"
E, W, H = Level.ERROR, Level.WARNING, Level.HINT
SETTING = "        http_config:\n"
DEADMAN = "https://deadman.example.com/ping"

ADDRESS = [
    Case("doubled slash", "10077/webhook", "10077//webhook", E, f"{HOOK}.url", "doubled slash"),
    Case("two slashes behind", "/alertmanager\n", "/alertmanager//\n", E, f"{HOOK}.url", "doubled slash"),
    Case("no path", "10077/webhook/alertmanager", "10077", E, f"{HOOK}.url", "has no path"),
    Case("only a slash", "10077/webhook/alertmanager", "10077/", E, f"{HOOK}.url", "has no path"),
    Case("another door", "/webhook/alertmanager", "/webhook/grafana", E, f"{HOOK}.url", "another path"),
    Case("no URL", URL, "callbridge/webhook/alertmanager", E, f"{HOOK}.url", "is not a URL"),
    Case("ftp", URL, "ftp://callbridge/webhook/alertmanager", E, f"{HOOK}.url", "is not a URL"),
    Case("query", URL, f"{URL}?token=hunter2", H, f"{HOOK}.url", "has a query"),
    Case(
        "http where it is https",
        URL,
        "http://pager.example.com/webhook/alertmanager",
        E,
        f"{HOOK}.url",
        "a redirect",
        "https://pager.example.com",
    ),
    Case(
        "http to the https port",
        URL,
        "http://pager.example.com:10077/webhook/alertmanager",
        E,
        f"{HOOK}.url",
        "it answers 400",
        "https://pager.example.com:10077",
    ),
    Case(
        "https where it is http",
        URL,
        "https://pager.example.com:10077/webhook/alertmanager",
        E,
        f"{HOOK}.url",
        "no connection",
        "http://pager.example.com:10077",
    ),
    Case(
        "prefix left out",
        URL,
        "https://ops.example.com/webhook/alertmanager",
        E,
        f"{HOOK}.url",
        "leaves out",
        "https://ops.example.com/pager",
    ),
    Case(
        "prefix of nobody",
        URL,
        "http://callbridge:10077/other/webhook/alertmanager",
        W,
        f"{HOOK}.url",
        "unless a proxy",
        "https://ops.example.com/pager",
    ),
    Case(
        "wrong path below the prefix",
        URL,
        "https://ops.example.com/pager/alert",
        E,
        f"{HOOK}.url",
        "another path",
        "https://ops.example.com/pager",
    ),
]

CREDENTIALS = [
    Case("none", AUTHORIZATION, "", E, HOOK, "sends no credentials, and callbridge asks"),
    Case("none, not compared", AUTHORIZATION, "", W, HOOK, "sends no credentials", callbridge=False),
    Case(
        "none on loopback",
        f"{URL}\n{AUTHORIZATION}",
        "http://127.0.0.1:10077/webhook/alertmanager\n",
        H,
        HOOK,
        "sends no credentials",
        callbridge=False,
    ),
    Case(
        "basic",
        AUTHORIZATION,
        "        http_config: {basic_auth: {username: am, password: hunter2}}\n",
        E,
        f"{HOOK}.http_config.basic_auth",
        "user name and a password",
    ),
    Case(
        "basic, not compared",
        AUTHORIZATION,
        "        http_config: {basic_auth: {username: am}}\n",
        W,
        f"{HOOK}.http_config.basic_auth",
        "takes only Authorization: Bearer",
        callbridge=False,
    ),
    Case(
        "in the URL",
        f"{URL}\n{AUTHORIZATION}",
        "http://am:hunter2@callbridge:10077/webhook/alertmanager\n",
        E,
        f"{HOOK}.url",
        "of its URL",
    ),
    Case(
        "identity provider",
        AUTHORIZATION,
        "        http_config: {oauth2: {client_id: x, client_secret: hunter2}}\n",
        E,
        f"{HOOK}.http_config.oauth2",
        "identity provider",
    ),
    Case(
        "another type",
        "            credentials_file",
        "            type: Token\n            credentials_file",
        E,
        f"{HOOK}.http_config.authorization.type",
        "another kind",
    ),
    Case(
        "no credentials in it",
        "            credentials_file: /etc/alertmanager/callbridge_token",
        "            type: Bearer",
        E,
        HOOK,
        "sends no credentials",
    ),
    Case(
        "another secret",
        "credentials_file: /etc/alertmanager/callbridge_token",
        "credentials: hunter2",
        E,
        f"{HOOK}.http_config.authorization.credentials",
        "is not the secret",
    ),
    Case(
        "in the file",
        "credentials_file: /etc/alertmanager/callbridge_token",
        f"credentials: {SECRET}",
        H,
        f"{HOOK}.http_config.authorization.credentials",
        "stands in the file itself",
    ),
    Case(
        "the old way",
        AUTHORIZATION,
        "        http_config: {bearer_token: hunter2}\n",
        E,
        f"{HOOK}.http_config.bearer_token",
        "is not the secret",
    ),
]

WEBHOOK = [
    Case("send_resolved", SETTING, f"        send_resolved: false\n{SETTING}", E, f"{HOOK}.send_resolved", "is over"),
    Case("send_resolved: no", SETTING, f"        send_resolved: no\n{SETTING}", E, f"{HOOK}.send_resolved", "is over"),
    Case("max_alerts", SETTING, f"        max_alerts: 10\n{SETTING}", E, f"{HOOK}.max_alerts", "behind the first 10"),
    Case("timeout", SETTING, f"        timeout: 500ms\n{SETTING}", W, f"{HOOK}.timeout", "500ms is less"),
    Case("payload", SETTING, f"        payload: {{a: b}}\n{SETTING}", E, f"{HOOK}.payload", "replaces the body"),
    Case(
        "twice",
        "  - name: phone\n    webhook_configs:\n",
        f"  - name: phone\n    webhook_configs:\n      - url: {URL}\n",
        W,
        "receivers[3].webhook_configs[1]",
        "comes twice",
    ),
    Case(
        "two of them",
        "  - name: phone\n    webhook_configs:\n",
        "  - name: phone\n    webhook_configs:\n      - url: http://other:10077/webhook/alertmanager\n",
        W,
        "receivers[3].webhook_configs[1]",
        "both ring",
    ),
]

TIMING = [
    Case(
        "group_wait",
        "repeat_interval: 20m",
        "repeat_interval: 20m\n      group_wait: 6m",
        W,
        f"{PHONE}.group_wait",
        "6m",
    ),
    Case(
        "group_interval",
        "repeat_interval: 20m",
        "repeat_interval: 20m\n      group_interval: 16m",
        W,
        f"{PHONE}.group_interval",
        "waits up to 16m",
    ),
    Case(
        "inherited group_wait",
        "  group_by: [alertname, cluster]",
        "  group_by: [a]\n  group_wait: 10m",
        W,
        "route.group_wait",
        "for another 10m",
    ),
    Case(
        "repeat below group",
        "repeat_interval: 20m",
        "repeat_interval: 2m",
        W,
        f"{PHONE}.repeat_interval",
        "is shorter than group_interval",
    ),
    Case("repeat of a day", "repeat_interval: 20m", "repeat_interval: 24h", W, f"{PHONE}.repeat_interval", "for over"),
    Case(
        "repeat after the chain",
        "repeat_interval: 20m",
        "repeat_interval: 4h",
        W,
        f"{PHONE}.repeat_interval",
        "policy default is gone through after at most 20m",
    ),
    Case("silence of hours", "repeat_interval: 20m", "repeat_interval: 4h", W, f"{PHONE}.repeat_interval", "for 3h40m"),
    Case(
        "silence of minutes", "repeat_interval: 20m", "repeat_interval: 50m", H, f"{PHONE}.repeat_interval", "for 30m"
    ),
    Case("repeat by default", "      repeat_interval: 20m\n", "", W, "route", "for 3h40m nobody is called"),
    Case(
        "repeat, not compared",
        "repeat_interval: 20m",
        "repeat_interval: 2h",
        H,
        f"{PHONE}.repeat_interval",
        "only after 2h",
        callbridge=False,
    ),
    Case("each alert", "[alertname, cluster]\n  routes", "['...']\n  routes", H, "route.group_by", "of its own"),
    Case(
        "nothing to group by",
        "repeat_interval: 20m",
        "repeat_interval: 20m\n      group_by: []",
        W,
        f"{PHONE}.group_by",
        "since Alertmanager 0.31",
    ),
]

ROUTE = "    - matchers: ['severity=\"critical\"']\n"
EVERY_INTERVAL = "      repeat_interval: 20m\n"


def before(more: str) -> tuple[str, str]:
    return ROUTE, more + ROUTE


def behind(more: str) -> tuple[str, str]:
    return EVERY_INTERVAL, EVERY_INTERVAL + more


REACH = [
    Case("receiver of no route", "      receiver: phone\n", "", E, "route", "no alert comes to callbridge"),
    Case("hidden", *before("    - {receiver: chat}\n"), E, "route.routes[3]", "ring no phone"),
    Case(
        "hidden by one that rings",
        *behind("    - {matchers: ['severity=\"critical\"', 'a=\"b\"'], receiver: phone}\n"),
        W,
        "route.routes[3]",
        "takes all that it would",
    ),
    Case(
        "hidden, and rings",
        *behind("    - {matchers: ['severity=\"critical\"', 'a=\"b\"'], receiver: chat}\n"),
        W,
        "route.routes[3]",
        "what is meant for chat rings the phone",
    ),
    Case(
        "contradiction",
        *behind(
            "    - {matchers: ['t=\"a\"'], routes: [{matchers: ['t=\"b\"'], receiver: phone, repeat_interval: 20m}]}\n"
        ),
        E,
        "route.routes[3].routes[0]",
        't="a" and t="b"',
    ),
    Case(
        "contradiction below one that rings",
        *behind("    - {matchers: ['t=\"a\"'], receiver: phone, routes: [{matchers: ['t!~\"a|c\"']}]}\n"),
        W,
        "route.routes[3].routes[0]",
        "never reached",
    ),
    Case(
        "twice by continue",
        *before("    - {matchers: ['team=~\"db|web\"'], receiver: phone, continue: true, repeat_interval: 20m}\n"),
        W,
        "route.routes[3]",
        'an alert with {team="db", severity="critical"} comes to callbridge by this route and by',
    ),
    Case(
        "twice, deep down",
        *before(
            "    - {continue: true, routes: [{matchers: ['team=\"db\"'], receiver: phone, repeat_interval: 20m}]}\n"
        ),
        W,
        "route.routes[3]",
        "two streams",
    ),
    Case(
        "one groupKey",
        *before("    - {matchers: ['severity=\"critical\"'], receiver: phone, continue: true, repeat_interval: 20m}\n"),
        W,
        "route.routes[3]",
        "under one groupKey",
    ),
    Case(
        "muted",
        "repeat_interval: 20m",
        "repeat_interval: 20m\n      mute_time_intervals: [nights]",
        H,
        f"{PHONE}.mute_time_intervals",
        "drops notifications",
    ),
    Case(
        "active",
        "repeat_interval: 20m",
        "repeat_interval: 20m\n      active_time_intervals: [days]",
        H,
        f"{PHONE}.active_time_intervals",
        "while none of them is (days)",
    ),
]

ALIVE = [
    Case(
        "Watchdog rings",
        "receiver: outside",
        "receiver: phone",
        W,
        "route.routes[0]",
        "Watchdog comes",
        callbridge=False,
    ),
    Case(
        "Inhibitor rings",
        "      receiver: nobody",
        "      receiver: phone",
        W,
        "route.routes[1]",
        "InfoInhibitor",
        callbridge=False,
    ),
    Case("Watchdog to nobody", "receiver: outside", "receiver: nobody", H, "route.routes[0]", "nobody notices"),
    Case("no Watchdog route", "Watchdog", "Other", H, "route", "nobody notices"),
    Case("Watchdog that nobody awaits", "receiver: outside", "receiver: phone", H, "route.routes[0]", "nobody notices"),
]

INHIBITION = [
    Case(
        "Watchdog inhibits",
        "  - source_matchers: ['severity=\"critical\"']",
        "  - source_matchers: ['alertname=~\".+\"']\n    target_matchers: ['severity=\"critical\"']\n"
        "  - source_matchers: ['severity=\"critical\"']",
        W,
        "inhibit_rules[0]",
        "Watchdog is a source",
    ),
    Case(
        "no source",
        "  - source_matchers: ['severity=\"critical\"']",
        "  - target_match: {severity: critical}\n  - source_matchers: ['severity=\"critical\"']",
        W,
        "inhibit_rules[0]",
        "Watchdog is a source",
    ),
    Case("nothing equal", "    equal: [alertname, cluster]\n", "", H, "inhibit_rules[0]", "wherever it fires"),
    Case("equal empty", "equal: [alertname, cluster]\n", "equal: []\n", H, "inhibit_rules[0]", "wherever it fires"),
]

REFUSED = [
    Case(
        "unknown receiver", "receiver: phone", "receiver: fone", E, f"{PHONE}.receiver", 'no receiver is called "fone"'
    ),
    Case("unknown root receiver", "  receiver: chat\n  g", "  receiver: tchat\n  g", E, "route.receiver", "tchat"),
    Case("no root receiver", "  receiver: chat\n  g", "  g", E, "route", "names no receiver"),
    Case(
        "undefined interval",
        *behind("      mute_time_intervals: [x]\n"),
        E,
        f"{PHONE}.mute_time_intervals[0]",
        "no time interval",
    ),
    Case(
        "slip in a route", "repeat_interval: 20m", "repeat_intervall: 20m", E, f"{PHONE}.repeat_intervall", "not known"
    ),
    Case(
        "slip in a webhook", SETTING, f"        send_resolve: true\n{SETTING}", E, f"{HOOK}.send_resolve", "not known"
    ),
    Case("slip at the top", "inhibit_rules:", "inhibit_rule:", E, "inhibit_rule", "not known"),
    Case("two receivers", "name: nobody", "name: phone", E, "receivers[3].name", "is the name of the receiver on line"),
    Case(
        "root with matchers",
        "  group_by: [a",
        "  matchers: [a=b]\n  group_by: [a",
        E,
        "route.matchers",
        "takes everything",
    ),
    Case(
        "root that continues",
        "  group_by: [a",
        "  continue: true\n  group_by: [a",
        E,
        "route.continue",
        "nothing to continue",
    ),
    Case("no duration", "repeat_interval: 20m", "repeat_interval: 20", E, f"{PHONE}.repeat_interval", "not a duration"),
    Case("zero", "repeat_interval: 20m", "repeat_interval: 0s", E, f"{PHONE}.repeat_interval", "cannot be zero"),
    Case(
        "one label twice", "[alertname, cluster]\n  routes", "[a, a]\n  routes", E, "route.group_by", 'names "a" twice'
    ),
    Case(
        "all and some", "[alertname, cluster]\n  routes", "['...', a]\n  routes", E, "route.group_by", "beside labels"
    ),
    Case(
        "two kinds of credentials",
        SETTING,
        f"{SETTING}          basic_auth: {{}}\n",
        E,
        f"{HOOK}.http_config",
        "basic_auth and",
    ),
    Case(
        "matcher",
        "'severity=\"critical\"']\n      r",
        "'severity critical']\n      r",
        E,
        f"{PHONE}.matchers[0]",
        "refuses",
    ),
    Case(
        "matcher read twice",
        "'severity=\"critical\"']\n      r",
        "'a=\"x\\d\"']\n      r",
        W,
        f"{PHONE}.matchers[0]",
        "classic",
    ),
    Case(
        "regex",
        "matchers: ['severity=\"critical\"']\n      r",
        "match_re: {a: '('}\n      r",
        E,
        f"{PHONE}.match_re.a",
        "refuses",
    ),
    Case(
        "old matchers",
        "matchers: ['severity=\"critical\"']\n      r",
        "match: {severity: critical}\n      r",
        H,
        f"{PHONE}.match",
        "old way",
    ),
    Case(
        "same key twice",
        "  receiver: chat\n  g",
        "  receiver: chat\n  receiver: chat\n  g",
        E,
        "route.receiver",
        "already given",
    ),
]

CASES = ADDRESS + CREDENTIALS + WEBHOOK + TIMING + REACH + ALIVE + INHIBITION + REFUSED


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_finds(case: Case, tmp_path: Path) -> None:
    """What is wrong is found at its place, in the words of an operator, with a remedy and without a secret."""
    known = around(tmp_path if case.callbridge else None, url=case.url)

    found = look(changed(case.old, case.new), known)

    assert len(told(found, case.level, case.where, case.words)) == 1
    assert all(one.remedy and one.line > 0 and one.column > 0 for one in found)
    assert "hunter2" not in repr(found)
    assert SECRET not in repr(found)


@pytest.mark.parametrize(
    "url", ["", "https://pager.example.com", "http://callbridge:10077", "http://callbridge:10077/"], ids=str
)
def test_good_is_left_alone(url: str, tmp_path: Path) -> None:
    """A config in which nothing is wrong has no finding at all, with callbridge's config and without."""
    assert look(GOOD, around(tmp_path, url=url)) == ()
    assert look(GOOD, around(url=url)) == ()


FINE = [
    ("with a slash behind", URL, f"{URL}/"),
    ("other host, by the path", URL, "https://pager.example.com/webhook/alertmanager"),
    ("below a prefix", URL, "https://pager.example.com/callbridge/webhook/alertmanager"),
    ("send_resolved: true", SETTING, f"        send_resolved: true\n{SETTING}"),
    ("max_alerts: 0", SETTING, f"        max_alerts: 0\n{SETTING}"),
    ("timeout of a second", SETTING, f"        timeout: 1s\n{SETTING}"),
    ("no timeout", SETTING, f"        timeout: 0\n{SETTING}"),
    ("newer keys", SETTING, f"        something_new: 1\n{SETTING}"),
    ("type in other letters", "            credentials_file", "            type: BEARER\n            credentials_file"),
    ("group_wait of 5m", *behind("      group_wait: 5m\n")),
    ("group_interval of 15m", "repeat_interval: 20m", "repeat_interval: 15m\n      group_interval: 15m"),
    ("continue to another receiver", *behind("      continue: true\n    - {matchers: ['a=\"b\"'], receiver: chat}\n")),
    (
        "continue between what excludes each other",
        *behind(
            "      continue: true\n    - {matchers: ['severity=\"page\"'], receiver: phone, repeat_interval: 20m}\n"
        ),
    ),
    (
        "continue with a stop in between",
        *behind(
            "      continue: true\n    - {receiver: chat}\n"
            "    - {matchers: ['a=\"b\"', 'severity!=\"critical\"'], receiver: outside}\n"
        ),
    ),
    (
        "InfoInhibitor to callbridge, which calls nobody",
        "receiver: nobody\n    - matchers",
        "receiver: phone\n      repeat_interval: 20m\n    - matchers",
    ),
    (
        "a chain of hours",
        "'severity=\"critical\"']\n      receiver: phone\n      repeat_interval: 20m",
        "'severity=\"critical\"', 'team=\"slow\"']\n      receiver: phone\n      repeat_interval: 4h",
    ),
    (
        "an inhibition of InfoInhibitor",
        "inhibit_rules:\n",
        "inhibit_rules:\n  - target_matchers: [alertname=InfoInhibitor]\n",
    ),
    (
        "an inhibition of itself",
        "inhibit_rules:\n",
        "inhibit_rules:\n  - {source_matchers: [], target_matchers: [], equal: [a]}\n",
    ),
]


@pytest.mark.parametrize(("old", "new"), [(old, new) for _, old, new in FINE], ids=[name for name, _, _ in FINE])
def test_what_is_fine_is_left_alone(old: str, new: str, tmp_path: Path) -> None:
    """What loses nothing brings no finding, however near it is to something that does."""
    assert look(changed(old, new), around(tmp_path)) == ()


def test_global_http_config_is_inherited_as_a_whole(tmp_path: Path) -> None:
    """A webhook without an http_config uses the global one; one with its own uses nothing of the global one."""
    inherited = GOOD.replace(AUTHORIZATION, "").replace(
        "  resolve_timeout: 5m\n", "  http_config: {basic_auth: {username: am, password: hunter2}}\n"
    )
    own = GOOD.replace("  resolve_timeout: 5m\n", "  http_config: {basic_auth: {username: am, password: hunter2}}\n")
    bare = inherited.replace(URL, f"{URL}\n        http_config: {{follow_redirects: true}}")

    assert told(look(inherited, around(tmp_path)), E, "global.http_config.basic_auth", "user name and a password")
    assert look(own, around(tmp_path)) == ()
    assert told(look(bare, around(tmp_path)), E, HOOK, "sends no credentials")


def test_credentials_that_nobody_asks_for(tmp_path: Path) -> None:
    """Where callbridge lets everybody in, credentials are needless: worth a hint."""
    open_ = CALLBRIDGE.replace("webhooks: {alertmanager: {credentials_file: token}}\n", "")

    found = look(GOOD, around(tmp_path, text=open_))

    assert [(one.level, "asks for none" in one.what) for one in found] == [(H, True)]
    assert look(GOOD.replace(AUTHORIZATION, ""), around(tmp_path, text=open_)) == ()


def test_critical_alert_that_goes_nowhere(tmp_path: Path) -> None:
    """A critical alert that ends at a receiver without anything in it is told; one that ends in a chat is not."""
    elsewhere = GOOD.replace("['severity=\"critical\"']\n      receiver", "['team=\"db\"']\n      receiver")
    nowhere = elsewhere.replace("  receiver: chat\n", "  receiver: nobody\n", 1)

    assert look(elsewhere, around(tmp_path)) == ()
    assert told(look(nowhere, around(tmp_path)), W, "route", 'an alert with {severity="critical"}')


def test_watchdog_is_routed_by_callbridge_too(tmp_path: Path) -> None:
    """Watchdog at callbridge is a fault only where callbridge's own tree calls somebody for it."""
    ringing = CALLBRIDGE.replace("""    - {matchers: ['severity="none"'], policy: nobody}\n""", "")
    text = changed("receiver: outside", "receiver: phone")

    assert told(look(text, around(tmp_path, text=ringing)), W, "route.routes[0]", "rings the phone by policy default")
    assert not [one for one in look(text, around(tmp_path)) if one.level is not H]


def test_watchdog_that_callbridge_misses(tmp_path: Path) -> None:
    """A watchdog of callbridge needs its alert, and more often than it waits for it."""
    text = f"""{CALLBRIDGE}
watchdogs: [{{name: alive, matchers: ['alertname="Watchdog"'], every: 10m, policy: default}}]
"""
    known = around(tmp_path, text=text)
    here = changed("receiver: outside", "receiver: phone")
    seldom = here.replace("repeat_interval: 1m\n", "repeat_interval: 10m\n")

    assert told(look(GOOD, known), W, "route.routes[0]", "never ends")
    assert look(here, known) == ()
    assert told(look(seldom, known), W, "route.routes[0].repeat_interval", "after up to 11m, and callbridge misses it")


def test_no_receiver_reaches_callbridge() -> None:
    """Where nothing points at callbridge that is an error; where a URL cannot be seen, a doubt."""
    nowhere = changed(URL, "https://other.example.com/hook")
    in_a_file = changed(f"url: {URL}", "url_file: /etc/url")

    assert told(look(nowhere), E, "receivers", "no receiver reaches callbridge")
    for hidden in (in_a_file, changed(URL, "<secret>"), changed(URL, "'{{ .CommonLabels.url }}'")):
        assert told(look(hidden), W, "receivers", "does not stand in this file")
        assert not told(look(hidden), E, "receivers", "no receiver")
        assert look(hidden, around(receivers=["phone"])) == ()
    assert told(look(GOOD, around(receivers=["fone"])), E, "receivers", 'no receiver is called "fone"')


@pytest.mark.parametrize(
    ("url", "external", "found"),
    [
        ("http://anything:10077/x", "", True),
        ("http://pager.example.com/x", "http://pager.example.com", True),
        ("http://pager.example.com:80/x", "https://pager.example.com", True),
        ("http://pager.example.com/pager/x", "http://pager.example.com/pager", True),
        ("http://pager.example.com/pagers/x", "http://pager.example.com/pager", False),
        ("http://pager.example.com:9000/x", "http://pager.example.com", False),
        ("http://h/some//webhook/alertmanager", "", True),
        ("http://h/webhook/alertmanager/more", "", False),
        ("http://h:99999/webhook/alertmanager", "", True),
        ("http://h/{{ .x }}/webhook/alertmanager", "", True),
    ],
)
def test_what_points_at_callbridge(url: str, external: str, found: bool) -> None:
    """callbridge is known by the path of its door, by its external URL or by its port."""
    told_ = told(
        look(changed(f"url: {URL}", f"url: '{url}'"), around(url=external)), E, "receivers", "no receiver reaches"
    )

    assert bool(told_) is not found


def test_the_door_and_the_port_are_those_of_the_server() -> None:
    """The path and port that the doctor looks for are those that the server opens."""
    assert {DOOR, f"{DOOR}/"} <= {route.path for route in door_routes()}
    assert DEFAULT_ADDRESS.endswith(f":{PORT}")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty"),
        ("  \n", "is empty"),
        ("route: [", "not YAML"),
        ("kind: Secret\ndata: {}", "but kind, data"),
        ("just text", "has no route"),
        ("[]", "has no route"),
        ("route: phone", "has no route"),
        ("route:\n\treceiver: x", "a tab"),
        ("a: &x [*x]", "inside"),
    ],
)
def test_what_is_no_config(text: str, words: str) -> None:
    """What is no Alertmanager config is one error that says so."""
    (finding,) = look(text)

    assert (finding.level, words in finding.what) == (E, True)


@pytest.mark.parametrize(
    ("name", "told_"),
    [
        ("kube-prometheus-stack", {("route.routes[0]", H), ("route.repeat_interval", H)}),
        ("operator", {("receivers[4].name", H), ("route.routes[0].routes[0].match", H)}),
        (
            "old",
            {
                ("route.repeat_interval", H),
                ("route.routes[0].match_re", H),
                ("route.routes[0].routes[0].mute_time_intervals", H),
                ("receivers[2].webhook_configs[0]", H),
            },
        ),
    ],
)
def test_real_configs(name: str, told_: set[tuple[str, Level]]) -> None:
    """Configs as people have them bring what is true of them, and nothing else."""
    found = look((FILES / f"{name}.yml").read_text())

    assert {(one.where, one.level) for one in found} == told_


def test_chart_default_against_a_policy(tmp_path: Path) -> None:
    """The chart's 12 h of repeat_interval leave nobody called for most of half a day once a chain is gone through."""
    found = look((FILES / "kube-prometheus-stack.yml").read_text(), around(tmp_path))

    assert told(found, W, "route.repeat_interval", "for 11h40m nobody is called")


def test_bad_config_shows_no_secret() -> None:
    """All that is wrong in one file is told at once, in the order of the file, and no credential with it."""
    found = look(BAD, around(url="https://pager.example.com"))
    text = "\n".join(map(str, found))

    assert [one.line for one in found] == sorted(one.line for one in found)
    assert sum(one.level is E for one in found) >= 8
    assert "hunter" not in text
    assert "pager.example.com" not in text


def test_many_routes_end() -> None:
    """A tree of hundreds of continuing routes is gone through, or said to be too large, and never takes for ever."""
    routes = "".join(
        f"  - {{receiver: p, matchers: ['a!=\"{index}\"', 'b=\"{index}\"'], continue: true}}\n" for index in range(700)
    )
    wide = "".join(f"  - {{receiver: p, matchers: ['a{index}=~\"(x+)+y\"'], continue: true}}\n" for index in range(80))
    receivers = f"receivers: [{{name: p, webhook_configs: [{{url: '{URL}'}}]}}, {{name: x}}]\n"
    frame = f"{receivers}route:\n  receiver: x\n  routes:\n"

    assert told(look(frame + routes), H, "route", "not every pair")
    assert told(look(frame + wide), H, "route", "not every pair")


# --- the pieces


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("10s", 10.0), ("500ms", 0.5), ("1m1.5s", 61.5), ("0", 0.0), ("5", None), ("1d", None), ("", None)],
)
def test_go_durations(text: str, seconds: float | None) -> None:
    """A webhook's timeout is read as Go reads it, not as Prometheus reads durations."""
    assert go_seconds(text) == seconds


@pytest.mark.parametrize(
    ("span", "text"),
    [
        (timedelta(0), "0s"),
        (timedelta(hours=3, minutes=38), "3h38m"),
        (timedelta(days=2), "2d"),
        (timedelta(microseconds=1500), "1ms"),
    ],
)
def test_durations_are_short(span: timedelta, text: str) -> None:
    """Durations are told as Prometheus writes them."""
    assert brief(span) == text


def test_longest_chain() -> None:
    """A chain is over when every step's wait is, in every round: retries never reach beyond it."""
    steps = (Step(("a",), wait=timedelta(minutes=5), attempts=9), Step(("b",), wait=timedelta(minutes=2)))

    assert longest(Policy("p", steps, rounds=3)) == timedelta(minutes=21)


@pytest.mark.parametrize(
    ("matchers", "labels"),
    [
        ('a="b"', {"a": "b"}),
        ('a=~"db|web"', {"a": "db"}),
        ('a=~"db|web",a!="db"', {"a": "web"}),
        ('a=~"prod-.+"', {"a": "prod-x"}),
        ('a=~".*"', {}),
        ('a!=""', {"a": "example"}),
        ('a!="b"', {}),
        ('a="b",a!="b"', None),
        ('a=~"[^a-z]{3}"', None),
    ],
)
def test_examples(matchers: str, labels: dict[str, str] | None) -> None:
    """An example of labels satisfies every matcher; where none is found there is none to show."""
    assert example(parse_matchers(matchers).matchers) == labels


VALUES = st.sampled_from(["", "a", "b", "a|b", "a.*", ".+", "x"])
MATCHERS = st.lists(st.tuples(st.sampled_from("mn"), st.sampled_from(["=", "!=", "=~", "!~"]), VALUES), max_size=5)


@given(MATCHERS)
def test_contradictions_are_certain(rows: list[tuple[str, str, str]]) -> None:
    """Where matchers contradict each other there is no example; an example satisfies all of them."""
    matchers = tuple(one for name, op, value in rows for one in parse_matchers(f'{name}{op}"{value}"').matchers)
    labels = example(matchers)

    assert labels is None or all(one.matches(labels) for one in matchers)
    assert contradiction(matchers) is None or labels is None


@given(st.text(max_size=30))
def test_alternatives_never_fail(pattern: str) -> None:
    """Any regular expression, broken ones too, only brings guesses."""
    assert all(isinstance(one, str) for one in alternatives(pattern))


@given(
    st.sampled_from(["good", "bad", "operator", "old", "kube-prometheus-stack"]),
    st.lists(
        st.tuples(st.integers(0, 99), st.sampled_from(["", "x", "[]", "{}", "-", "~", "9", "url", "routes: 1"])),
        max_size=4,
    ),
)
def test_never_raises(name: str, edits: list[tuple[int, str]]) -> None:
    """Whatever a file has become by a slip of the hand, there are findings and no exception."""
    lines = (FILES / f"{name}.yml").read_text().splitlines()
    for number, text in edits:
        line = lines[number % len(lines)]
        lines[number % len(lines)] = line.partition(":")[0] + (f": {text}" if text else "")

    assert isinstance(look("\n".join(lines)), tuple)


# --- the command


def doctor(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "bridge", "doctor", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def test_command_text() -> None:
    """One finding per line with its place, level, what and remedy; then the verdict; 1 where a page is lost."""
    path = FILES / "bad.yml"

    done = doctor(path)
    *lines, verdict = done.stdout.splitlines()

    assert done.returncode == 1
    assert lines[0].startswith(f"{path}:4:5: warning: global.http_config.basic_auth: ")
    assert verdict.startswith(f"{path}: FAILED: ")
    assert "hunter" not in done.stdout + done.stderr


def test_command_json(tmp_path: Path) -> None:
    """The same as JSON; hints and warnings leave with 0, and warnings with 1 under --strict."""
    around(tmp_path)
    arguments = (FILES / "kube-prometheus-stack.yml", f"--config.file={tmp_path / 'callbridge.yaml'}", "--output=json")

    done, strict = doctor(*arguments), doctor(*arguments, "--strict")
    read = msgspec.json.decode(done.stdout)

    assert (done.returncode, strict.returncode) == (0, 1)
    assert (read["failed"], read["counts"]) == (False, {"error": 0, "warning": 1, "hint": 1})
    assert set(read["findings"][0]) == {"file", "line", "column", "level", "where", "what", "remedy"}


@pytest.mark.parametrize(
    ("content", "words"),
    [(None, "No such file"), (b"\x1f\x8b\x08", "gunzip"), (b"#" * (16 * 2**20 + 1), "longer than 16 MiB")],
    ids=["missing", "packed", "long"],
)
def test_command_unreadable(content: bytes | None, words: str, tmp_path: Path) -> None:
    """A file that cannot be read is one line on stderr and 1."""
    path = tmp_path / "am.yml"
    if content is not None:
        path.write_bytes(content)

    done = doctor(path)

    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert words in done.stderr
