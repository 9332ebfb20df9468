"""What is read of an Alertmanager's own config: how long it waits, when it is muted, which receivers lead here."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from bridge.inquiry.ways import Ways, read_ways

CONFIG = """
route:
  receiver: chat
  group_wait: 45s
  routes:
    - matchers: ['severity="critical"']
      receiver: pager
      continue: true
      group_wait: 10s
      group_interval: 2m
      mute_time_intervals: [nights]
    - matchers: ['severity="critical"', 'slow="yes"']
      receiver: pager
      group_wait: 1h
    - matchers: ['severity="warning"']
      receiver: pager
      active_time_intervals: [nights]
receivers:
  - {name: chat, webhook_configs: [{url: 'http://chat.example/hook'}]}
  - {name: pager, webhook_configs: [{url: 'http://callbridge:10077/webhook/alertmanager/'}, {url: <secret>}]}
time_intervals:
  - {name: nights, time_intervals: [{times: [{start_time: '22:00', end_time: '24:00'}]}]}
  - {name: broken, time_intervals: [{times: [{start_time: '9', end_time: '24:00'}]}]}
  - {time_intervals: []}
"""
NIGHT = datetime(2026, 11, 23, 23, 0, tzinfo=UTC)
DAY = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
CRITICAL = {"severity": "critical"}
SLOW = {"severity": "critical", "slow": "yes"}
WARNING = {"severity": "warning"}


def test_waits_and_receivers() -> None:
    """The wait of an alert is that of its way to the receiver, the longest of several; unknown ones have defaults."""
    ways = read_ways(CONFIG)
    assert ways.ours == {"pager"}
    assert ways.first_wait("pager", CRITICAL) == timedelta(seconds=10)
    assert ways.first_wait("pager", SLOW) == timedelta(hours=1)
    assert ways.first_wait("chat", {}) == timedelta(seconds=45)
    assert ways.first_wait("pager", {}) == timedelta(seconds=30)
    assert ways.next_wait("pager", CRITICAL) == timedelta(minutes=2)
    assert ways.next_wait("pager", {}) is None


def test_muted() -> None:
    """Muted is what has no way left: inside a mute interval, outside all active ones."""
    ways = read_ways(CONFIG)
    assert ways.muted("pager", CRITICAL, NIGHT)
    assert not ways.muted("pager", CRITICAL, DAY)
    assert not ways.muted("pager", SLOW, NIGHT)
    assert ways.muted("pager", WARNING, DAY)
    assert not ways.muted("pager", WARNING, NIGHT)
    assert not ways.muted("chat", {}, NIGHT)


def test_without_a_config() -> None:
    """Of an Alertmanager that tells no config, or none that can be read, its defaults are taken for granted."""
    for text in ("", "  ", "route: [", "just text", "receivers: []", "a: b"):
        assert read_ways(text) == Ways()
    assert Ways().first_wait("pager", {}) == timedelta(seconds=30)
    assert not Ways().muted("pager", {}, NIGHT)


@given(text=st.text(max_size=80))
def test_any_text_is_no_trouble(text: str) -> None:
    """Whatever stands where a config should, reading it raises nothing."""
    read_ways(text)
