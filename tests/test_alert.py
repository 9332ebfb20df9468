"""Alerts and groups: what Alertmanager and Grafana really send, and everything that is not that."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.alert import (
    EARLIEST,
    LATEST,
    MOST_TRUNCATED,
    SEVERITIES,
    UNKNOWN_SEVERITY,
    Alert,
    AlertStatus,
    Group,
    Source,
    Stream,
    check_body,
    common,
    fingerprint,
    parse_group,
    parse_time,
    quote_receiver,
    severity_rank,
    unquote_receiver,
)
from bridge.errors import NotAWebhook

PAYLOADS = Path(__file__).parent / "data" / "payloads"
FILES = sorted(path.name for path in PAYLOADS.glob("*.json"))
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)

# Body: its receiver as written in Alertmanager's config, the statuses of its alerts in order, how many were cut off.
REAL = {
    "am025-empty-generatorurl": ("gball", "F", 0),
    "am025-firing-group": ("firing-group", "FFF", 0),
    "am025-firing-single": ("firing-single", "F", 0),
    "am025-groupby-all": ("gball", "F", 0),
    "am025-ha-replica-a": ("haslow", "F", 0),
    "am025-ha-replica-b": ("haslow", "F", 0),
    "am025-mixed-firing-resolved": ("mixed", "FRF", 0),
    "am025-nested-groupkey": ("nested-child2", "F", 0),
    "am025-receiver-regex-quoted": ("team.x+pager (eu)", "F", 0),
    "am025-refire-new-startsAt": ("refire", "F", 0),
    "am025-repeat-1": ("rep", "F", 0),
    "am025-repeat-2": ("rep", "F", 0),
    "am025-resolved-by-timeout": ("rt", "R", 0),
    "am025-resolved-group": ("firing-group", "RRR", 0),
    "am025-resolved-group-different-endsAt": ("mixed", "RR", 0),
    "am025-resolved-single": ("firing-single", "R", 0),
    "am025-send-resolved-false": ("nores", "FF", 0),
    "am025-truncated": ("truncated", "FF", 5),
    "am025-truncated-status-trap": ("truncated", "RR", 2),
    "am025-unicode": ("unicode", "F", 0),
    "prom242-am025-firing": ("m", "F", 0),
}


def real(name: str) -> Group:
    return parse_group((PAYLOADS / f"{name}.json").read_bytes(), Source.ALERTMANAGER)


def an_alert(**changed: Any) -> dict[str, Any]:
    alert = {
        "status": "firing",
        "labels": {"alertname": "DiskFull"},
        "annotations": {"summary": "full"},
        "startsAt": "2026-03-01T12:00:00Z",
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "http://prom.example.test/graph",
        "fingerprint": "0123456789abcdef",
    }
    return _changed(alert, changed)


def a_body(**changed: Any) -> bytes:
    """A good body with some keys changed; MISSING takes one away."""
    body = {
        "receiver": "pager",
        "status": "firing",
        "alerts": [an_alert()],
        "groupLabels": {"alertname": "DiskFull"},
        "commonLabels": {},
        "commonAnnotations": {},
        "externalURL": "http://am.example.test",
        "version": "4",
        "groupKey": "{}:{}",
        "truncatedAlerts": 0,
    }
    return json.dumps(_changed(body, changed)).encode()


MISSING = object()


def _changed(row: dict[str, Any], changed: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in {**row, **changed}.items() if value is not MISSING}


def refusal(body: bytes, source: Source = Source.ALERTMANAGER) -> str:
    with pytest.raises(NotAWebhook) as refused:
        parse_group(body, source)
    return str(refused.value)


def parse(**changed: Any) -> Group:
    return parse_group(a_body(**changed), Source.ALERTMANAGER)


def only(group: Group) -> Alert:
    (alert,) = group.alerts
    return alert


# --- what is really sent


def test_every_real_body_is_in_the_table() -> None:
    """All 21 captured bodies are tested."""
    assert sorted(f"{name}.json" for name in REAL) == FILES
    assert len(FILES) == 21


@pytest.mark.parametrize(("name", "expected"), REAL.items(), ids=list(REAL))
def test_real_bodies_are_read(name: str, expected: tuple[str, str, int]) -> None:
    """Each captured body is read in full: receiver, alerts in their order, labels, times and what was cut off."""
    group = real(name)
    wire = json.loads((PAYLOADS / f"{name}.json").read_bytes())
    statuses = "".join("F" if alert.firing else "R" for alert in group.alerts)
    assert (group.stream.receiver, statuses, group.truncated) == expected
    assert group.stream == Stream(Source.ALERTMANAGER, expected[0], wire["groupKey"])
    assert (group.group_labels, group.external_url) == (wire["groupLabels"], wire["externalURL"])
    assert group.notification_reason == ""
    for alert, row in zip(group.alerts, wire["alerts"], strict=True):
        assert (alert.labels, alert.annotations) == (row["labels"], row["annotations"])
        assert (alert.fingerprint, alert.generator_url) == (row["fingerprint"], row["generatorURL"])
        assert alert.name == row["labels"]["alertname"]
        assert alert.status.value == row["status"]
        assert alert.starts_at.isoformat()[:19] == row["startsAt"][:19]
        assert (alert.ends_at is None) is alert.firing
        assert alert.ends_at is None or alert.ends_at.isoformat()[:19] == row["endsAt"][:19]


@pytest.mark.parametrize("name", REAL)
def test_fingerprints_of_real_alerts_are_reproduced(name: str) -> None:
    """Our fingerprint of the labels is the one that Alertmanager sent, for every captured alert."""
    for alert in real(name).alerts:
        assert fingerprint(alert.labels) == alert.fingerprint


@pytest.mark.parametrize("name", REAL)
def test_check_body_takes_real_bodies(name: str) -> None:
    """The door's check lets every captured body in."""
    check_body((PAYLOADS / f"{name}.json").read_bytes())


def test_top_level_status_is_not_believed() -> None:
    """A body whose top level says resolved keeps its firing alerts, and one cut off says how many are not listed."""
    assert [alert.firing for alert in parse(status="resolved").alerts] == [True]
    trap = real("am025-truncated-status-trap")
    assert trap.truncated == 2
    assert not any(alert.firing for alert in trap.alerts)


def test_ha_replicas_tell_of_the_same_stream_and_alert() -> None:
    """Both replicas' copies differ in bytes, and yet name the same stream and the same alert."""
    a, b = real("am025-ha-replica-a"), real("am025-ha-replica-b")
    assert a != b
    assert a.stream == b.stream
    assert only(a).fingerprint == only(b).fingerprint


def test_unicode_survives() -> None:
    """Quotes, line breaks, emoji, control characters and escaped HTML come through as they were written."""
    alert = only(real("am025-unicode"))
    assert alert.name == 'Überlast „Zürich" \\ back\nline'
    assert alert.labels["emoji"] == "🔥<b>&"
    assert alert.annotations["ctrl"] == "tab\tnul\x01bell\x07\u2028sep"
    assert alert.annotations["zero"] == ""


# --- what may be missing, added or odd


def test_defaults_of_what_older_senders_leave_out() -> None:
    """Keys that older versions do not send are done without; a missing fingerprint is computed."""
    bare = an_alert(annotations=MISSING, endsAt=MISSING, generatorURL=MISSING, fingerprint=MISSING)
    group = parse_group(json.dumps({"alerts": [bare], "groupKey": "k"}).encode(), Source.ALERTMANAGER)
    assert group == Group(
        stream=Stream(Source.ALERTMANAGER, "", "k"),
        alerts=(Alert("744e61ca074bea90", AlertStatus.FIRING, {"alertname": "DiskFull"}, {}, NOON, None),),
        group_labels={},
        external_url="",
    )
    assert only(group).fingerprint == fingerprint({"alertname": "DiskFull"})


def test_newer_keys() -> None:
    """The reason of the notification is kept, and keys that nobody knows yet are ignored at every level."""
    group = parse(
        notification_reason="repeat interval elapsed",
        routeLabels={"a": "b"},
        future=[{"x": None}],
        alerts=[an_alert(values={"A": 1.5}, silenceURL="http://x", imageURL=None)],
    )
    assert group.notification_reason == "repeat interval elapsed"
    assert only(group) == only(parse())


@pytest.mark.parametrize("key", ["groupLabels", "externalURL", "notification_reason"])
def test_null_in_a_group_is_nothing(key: str) -> None:
    """A null map or text of the group means the same as none."""
    assert parse(**{key: None}) == parse(**{key: MISSING})


@pytest.mark.parametrize("key", ["annotations", "generatorURL"])
def test_null_in_an_alert_is_nothing(key: str) -> None:
    """A null map or text of an alert means the same as none."""
    assert parse(alerts=[an_alert(**{key: None})]) == parse(alerts=[an_alert(**{key: MISSING})])


def test_an_alert_without_a_name() -> None:
    """An alert may have no labels, and then its name is empty and its fingerprint that of nothing."""
    alert = only(parse(alerts=[an_alert(labels={}, fingerprint="")]))
    assert (alert.name, alert.fingerprint) == ("", "cbf29ce484222325")


def test_label_names_are_opaque() -> None:
    """Any UTF-8 is a label's name."""
    labels = {"my.label": "a", "Προμηθεύς": "b", "": "c"}
    assert only(parse(alerts=[an_alert(labels=labels)])).labels == labels


@pytest.mark.parametrize("count", [0, 1, 200])
def test_any_number_of_alerts(count: int) -> None:
    """A group has as many alerts as it lists, also none."""
    assert len(parse(alerts=[an_alert()] * count).alerts) == count


@pytest.mark.parametrize(
    ("sent", "read"), [(0, 0), (5, 5), (-3, 0), (MOST_TRUNCATED, MOST_TRUNCATED), (10**30, MOST_TRUNCATED)]
)
def test_truncated_is_a_count_that_can_be_kept(sent: int, read: int) -> None:
    """What was cut off is a count that every database takes."""
    assert parse(truncatedAlerts=sent).truncated == read


@pytest.mark.parametrize(
    ("status", "ends", "read"),
    [
        ("firing", "0001-01-01T00:00:00Z", None),
        ("firing", "2026-03-01T13:00:00Z", None),
        ("firing", "no time at all", None),
        ("resolved", "2026-03-01T13:00:00Z", NOON + timedelta(hours=1)),
        ("resolved", "2026-03-01T15:00:00.25+02:00", NOON + timedelta(hours=1, milliseconds=250)),
        ("resolved", "", None),
        ("resolved", MISSING, None),
        ("resolved", "0001-01-01T00:00:00Z", EARLIEST),
    ],
)
def test_the_status_decides_about_the_end(status: str, ends: Any, read: datetime | None) -> None:
    """An alert that fires has no end, whatever `endsAt` says; a resolved one has the end that it tells."""
    assert only(parse(alerts=[an_alert(status=status, endsAt=ends)])).ends_at == read


@pytest.mark.parametrize("version", ["4", "", MISSING])
def test_versions_that_alertmanager_sends(version: Any) -> None:
    """Version 4, or none at all, is taken at Alertmanager's door."""
    assert parse(version=version) == parse()


@pytest.mark.parametrize("version", ["1", "4", "2", MISSING])
def test_grafana_may_count_as_it_likes(version: Any) -> None:
    """Grafana's door takes any version, and says in the stream whence the alert came."""
    body = a_body(version=version, orgId=1, title="[FIRING:1]", state="alerting")
    group = parse_group(body, Source.GRAFANA)
    assert group.stream == Stream(Source.GRAFANA, "pager", "{}:{}")
    check_body(body, Source.GRAFANA)


# --- what can never be a webhook

NOT_ONE = "not an Alertmanager webhook: "


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"", "Input data was truncated"),
        (b"\x00", "JSON is malformed: invalid character (byte 0)"),
        (b"<html>", "JSON is malformed: invalid character (byte 0)"),
        (b"\xef\xbb\xbf{}", "JSON is malformed: invalid character (byte 0)"),
        (a_body() + b"x", f"JSON is malformed: trailing characters (byte {len(a_body()) + 1})"),
        (a_body()[:-1], "Input data was truncated"),
        (b"null", "Expected `object`, got `null`"),
        (b"[]", "Expected `object`, got `array`"),
        (b"{}", "Object missing required field `alerts`"),
        (b'{"x":' * 100_000, "the JSON is nested too deeply"),
        (a_body(groupKey=MISSING), "Object missing required field `groupKey`"),
        (a_body(groupKey=None), "Expected `str`, got `null` - at `$.groupKey`"),
        (a_body(alerts=MISSING), "Object missing required field `alerts`"),
        (a_body(alerts=None), "Expected `array`, got `null` - at `$.alerts`"),
        (a_body(alerts=[None]), "Expected `object`, got `null` - at `$.alerts[0]`"),
        (a_body(alerts=[an_alert(), an_alert(labels=None)]), "Expected `object`, got `null` - at `$.alerts[1].labels`"),
        (a_body(alerts=[an_alert(labels=MISSING)]), "Object missing required field `labels` - at `$.alerts[0]`"),
        (a_body(alerts=[an_alert(labels={"a": 1})]), "Expected `str`, got `int` - at `$.alerts[0].labels[...]`"),
        (a_body(alerts=[an_alert(labels={"a": "S"})]).replace(b'"S"', b'"\xff"'), "'utf-8' codec can't decode byte"),
        (a_body(alerts=[an_alert(labels={"a": "S"})]).replace(b'"S"', rb'"\ud800"'), "JSON is malformed: unexpected"),
        (a_body(truncatedAlerts="5"), "Expected `int`, got `str` - at `$.truncatedAlerts`"),
        (a_body(version="5"), 'version is "5", this door takes "4"'),
        (a_body(version="1"), 'version is "1", this door takes "4"'),
        (a_body(version="4\n" + "x" * 99), f'version is "4\\n{"x" * 38}", this door takes "4"'),
        (a_body(version=4), "Expected `str`, got `int` - at `$.version`"),
        (a_body(alerts=[an_alert(status="")]), 'alerts[0]: status is "", neither "firing" nor "resolved"'),
        (a_body(alerts=[an_alert(), an_alert(status="Firing\n" * 99)]), 'alerts[1]: status is "Firing\\n'),
        (a_body(alerts=[an_alert(status=MISSING)]), 'alerts[0]: status is "", neither "firing" nor "resolved"'),
        (a_body(alerts=[an_alert(startsAt=MISSING)]), 'alerts[0]: "" is not an RFC 3339 time'),
        (a_body(alerts=[an_alert(startsAt="2026-03-01")]), 'alerts[0]: "2026-03-01" has no time zone'),
        (a_body(alerts=[an_alert(startsAt="soon\r\n")]), 'alerts[0]: "soon\\r\\n" is not an RFC 3339 time'),
        (
            a_body(alerts=[an_alert(), an_alert(status="resolved", endsAt="x" * 9999)]),
            f'alerts[1]: "{"x" * 40}" is not an RFC 3339 time',
        ),
    ],
)
def test_what_can_never_be_a_webhook(body: bytes, text: str) -> None:
    """A body that can never be one is refused with the place and the fault, in one short line."""
    said = refusal(body)
    assert said.startswith(NOT_ONE + text)
    assert len(said) < 200
    assert said.isprintable()
    with pytest.raises(NotAWebhook, match=re.escape(said)):
        check_body(body)


@pytest.mark.parametrize("body", [b"", a_body(alerts=[an_alert(status="")]), b"[" * 9])
def test_grafana_door_speaks_of_grafana(body: bytes) -> None:
    """The refusal names the sender whose door it was."""
    assert refusal(body, Source.GRAFANA).startswith("not a Grafana webhook: ")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
times = st.text(max_size=30) | st.datetimes(timezones=st.timezones()).map(datetime.isoformat)
wire_alerts = st.fixed_dictionaries(
    {"labels": st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=3) | json_values},
    optional={
        "status": st.sampled_from(["firing", "resolved"]) | st.text(max_size=5),
        "startsAt": times,
        "endsAt": times,
        "annotations": json_values,
        "fingerprint": json_values,
    },
)
wire_groups = st.fixed_dictionaries(
    {"alerts": st.lists(wire_alerts, max_size=3) | json_values, "groupKey": st.text(max_size=9)},
    optional={
        "version": st.sampled_from(["4", ""]) | json_values,
        "receiver": st.text(max_size=9),
        "groupLabels": json_values,
        "truncatedAlerts": st.integers() | json_values,
    },
)
bodies = st.binary(max_size=200) | (json_values | wire_groups).map(lambda value: json.dumps(value).encode())


@settings(deadline=None)
@given(body=bodies, source=st.sampled_from(Source))
def test_nothing_raises_but_not_a_webhook(body: bytes, source: Source) -> None:
    """Whatever arrives is either a group or refused in one printable line."""
    try:
        group = parse_group(body, source)
    except NotAWebhook as refused:
        assert str(refused).isprintable()
        return
    for alert in group.alerts:
        assert EARLIEST <= alert.starts_at <= LATEST
        assert alert.fingerprint


@settings(deadline=None)
@given(cut=st.integers(0, 2000), junk=st.binary(max_size=3), name=st.sampled_from(sorted(REAL)))
def test_a_damaged_body_is_refused_or_read(cut: int, junk: bytes, name: str) -> None:
    """A real body with some bytes overwritten never raises anything else either."""
    whole = (PAYLOADS / f"{name}.json").read_bytes()
    try:
        group = parse_group(whole[:cut] + junk + whole[cut + len(junk) :], Source.ALERTMANAGER)
    except NotAWebhook:
        return
    assert len(group.alerts) <= 3


# --- times


@pytest.mark.parametrize(
    ("text", "microsecond"),
    [
        ("", 0),
        (".6", 600_000),
        (".61", 610_000),
        (".619", 619_000),
        (".6190", 619_000),
        (".50447", 504_470),
        (".901629", 901_629),
        (".9016294", 901_629),
        (".90162949", 901_629),
        (".999999999", 999_999),
    ],
)
@pytest.mark.parametrize(("zone", "hours"), [("Z", 0), ("+00:00", 0), ("-00:00", 0), ("+02:00", 2), ("-11:30", -11.5)])
def test_times_have_any_fraction_and_offset(text: str, microsecond: int, zone: str, hours: float) -> None:
    """0 to 9 digits of fraction are cut to microseconds, never rounded, and offsets are brought to UTC."""
    expected = NOON.replace(microsecond=microsecond) - timedelta(hours=hours)
    read = parse_time(f"2026-03-01T12:00:00{text}{zone}")
    assert read == expected
    assert read.tzinfo is UTC


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("0001-01-01T00:00:00Z", EARLIEST),
        ("0001-01-01T00:00:00+14:00", EARLIEST),
        ("0001-12-31T23:59:59-14:00", EARLIEST),
        ("0002-01-01T00:00:00+23:59", EARLIEST),
        ("0002-01-02T00:00:00Z", EARLIEST + timedelta(days=1)),
        ("9998-12-30T00:00:00Z", LATEST - timedelta(days=1)),
        ("9998-12-31T23:59:59-23:59", LATEST),
        ("9999-12-31T23:59:59Z", LATEST),
        ("9999-12-31T23:59:59-23:59", LATEST),
    ],
)
def test_times_at_the_ends_of_the_calendar(text: str, read: datetime) -> None:
    """The zero time of Go and everything at either end is brought to where every zone can still be computed."""
    assert parse_time(text) == read
    for zone in ("America/Los_Angeles", "Pacific/Kiritimati"):
        assert read.astimezone(ZoneInfo(zone)).astimezone(UTC) == read


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "1772366400",
        "2026-13-01T00:00:00Z",
        "2026-02-30T00:00:00Z",
        "2026-03-01T12:00:61Z",
        "2026-03-01T12:00:00+25:00",
        "2026-03-01T12:00:00",
        "2026-03-01",
    ],
)
def test_what_is_no_time(text: str) -> None:
    """What is no RFC 3339 time is refused in a sentence that quotes it."""
    with pytest.raises(ValueError, match=r'^".*" (is not an RFC 3339 time|has no time zone)$') as refused:
        parse_time(text)
    assert json.dumps(text) in str(refused.value)


@settings(deadline=None)
@given(text=st.text())
def test_no_text_breaks_the_reading_of_times(text: str) -> None:
    """Any text is a time within the calendar's safe span or a ValueError in one line."""
    try:
        read = parse_time(text)
    except ValueError as refused:
        assert str(refused).isprintable()
        return
    assert EARLIEST <= read <= LATEST


@settings(deadline=None)
@given(
    moment=st.datetimes(datetime(3, 1, 1), datetime(9998, 1, 1)),  # noqa: DTZ001 - the zone is drawn beside it
    minutes=st.integers(-24 * 60 + 1, 24 * 60 - 1),
)
def test_times_are_read_as_they_were_written(moment: datetime, minutes: int) -> None:
    """A time written with any offset is the same instant when it is read."""
    aware = moment.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    assert parse_time(aware.isoformat()) == aware


# --- receivers, fingerprints, what alerts have in common, severity


@pytest.mark.parametrize(
    ("sent", "written"),
    [
        (r"team\.x\+pager \(eu\)", "team.x+pager (eu)"),
        ("plain-name/with_all", "plain-name/with_all"),
        (r"a\\b", r"a\b"),
        (r"a\\\.b", r"a\.b"),
        (r"\[x\]\{y\}\^\$\|\*\?", "[x]{y}^$|*?"),
        ("not.quoted", "not.quoted"),
        (r"\d", r"\d"),
        ("", ""),
        ("\\", "\\"),
        ("monitoring/team/pager", "monitoring/team/pager"),
    ],
)
def test_receivers_are_unquoted(sent: str, written: str) -> None:
    """The receiver is compared as it stands in Alertmanager's config, not as a regular expression."""
    assert unquote_receiver(sent) == written
    assert parse(receiver=sent).stream.receiver == written


@settings(deadline=None)
@given(name=st.text())
def test_unquoting_undoes_quoting(name: str) -> None:
    """Whatever a receiver is called, its quoted form (as Go's regexp.QuoteMeta makes it) leads back to it."""
    quoted = "".join(f"\\{char}" if char in r"\.+*?()|[]{}^$" else char for char in name)
    assert unquote_receiver(quoted) == name
    assert quote_receiver(name) == quoted


labels_of_strangers = st.dictionaries(st.text(max_size=8), st.text(max_size=8), max_size=5)


@settings(deadline=None)
@given(labels=labels_of_strangers)
def test_fingerprints_know_no_order(labels: dict[str, str]) -> None:
    """The fingerprint is 16 hex digits and does not depend on the order of the labels."""
    digits = fingerprint(labels)
    assert re.fullmatch("[0-9a-f]{16}", digits)
    assert fingerprint(dict(reversed(labels.items()))) == digits


def test_fingerprints_keep_names_and_values_apart() -> None:
    """Labels that only look alike when run together have fingerprints of their own."""
    rows = [{"ab": "c"}, {"a": "bc"}, {"abc": ""}, {"a": "b", "c": ""}, {"a": "", "b": "c"}, {}]
    assert len({fingerprint(row) for row in rows}) == len(rows)


@pytest.mark.parametrize(
    ("rows", "shared"),
    [
        ([], {}),
        ([{}], {}),
        ([{"a": "1", "b": "2"}], {"a": "1", "b": "2"}),
        ([{"a": "1", "b": "2"}, {"a": "1", "b": "3"}], {"a": "1"}),
        ([{"a": "1"}, {}], {}),
        ([{}, {"a": "1"}], {}),
        ([{"a": ""}, {}], {}),
        ([{"a": "1"}, {"a": "2"}, {"a": "1"}], {}),
    ],
)
def test_common(rows: list[dict[str, str]], shared: dict[str, str]) -> None:
    """Common is what every row has with the same value; an empty value is not the same as none."""
    assert common(rows) == shared
    assert common(iter(rows)) == shared


def test_common_leaves_the_rows_alone() -> None:
    """The first row is not the result: changing the one does not change the other."""
    row = {"a": "1"}
    common([row]).clear()
    assert row == {"a": "1"}


@pytest.mark.parametrize("name", [name for name, (_, _, cut) in REAL.items() if not cut])
def test_common_agrees_with_alertmanager(name: str) -> None:
    """What we find common is what Alertmanager found, as long as it listed all alerts."""
    wire, group = json.loads((PAYLOADS / f"{name}.json").read_bytes()), real(name)
    assert common(alert.labels for alert in group.alerts) == wire["commonLabels"]
    assert common(alert.annotations for alert in group.alerts) == wire["commonAnnotations"]


@pytest.mark.parametrize("severity", [name for names in SEVERITIES for name in names])
def test_severities_are_ranked_in_any_case(severity: str) -> None:
    """A known severity has the rank of its row, however it is written."""
    (rank,) = [rank for rank, names in enumerate(SEVERITIES) if severity in names]
    for written in (severity, severity.upper(), severity.title()):
        assert severity_rank({"severity": written}) == rank


@pytest.mark.parametrize("labels", [{}, {"severity": ""}, {"severity": "purple"}, {"Severity": "critical"}])
def test_unknown_severities_are_taken_seriously(labels: dict[str, str]) -> None:
    """An unknown or missing severity stands before `warning`."""
    assert severity_rank(labels) == UNKNOWN_SEVERITY
    assert severity_rank({"severity": "warning"}) > UNKNOWN_SEVERITY


def test_the_worse_comes_first() -> None:
    """The order of the words is the order in which a phone should tell them."""
    ordered = ["emergency", "critical", "error", "warning", "info"]
    assert all(severity_rank({"severity": a}) < severity_rank({"severity": b}) for a, b in pairwise(ordered))
