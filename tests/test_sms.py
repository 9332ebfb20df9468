"""SMS: parts as the network counts them, receipts in any order, and which replies say yes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.sms import Delivery, Sms, SmsOutcome, SmsState, end, expected_cost, gsm, parts, says_yes, settle

NOW = datetime(2026, 1, 5, 3, 0, tzinfo=UTC)
LATER = NOW + timedelta(hours=9)


def sms(state: SmsState = SmsState.SENT, outcome: SmsOutcome | None = None) -> Sms:
    due_at = None if state is SmsState.ENDED else NOW
    ended_at = NOW if state is SmsState.ENDED else None
    return Sms("s1", "alice", "+491711234567", NOW, state, outcome=outcome, due_at=due_at, ended_at=ended_at)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 1),
        ("x" * 160, 1),
        ("x" * 161, 2),
        ("x" * 306, 2),
        ("x" * 307, 3),
        ("ä" * 160, 1),
        ("€" * 80, 1),
        ("€" * 81, 2),
        ("x" * 152 + "€" * 76 + "x", 2),  # a joined part has an odd number of places, and € is not torn in two
        ("x" * 152 + "€" * 76 + "xx", 3),
        ("ж" * 70, 1),
        ("ж" * 71, 2),
        ("ж" * 134, 2),
        ("😀" * 35, 1),
        ("😀" * 66, 2),
        ("😀" * 67, 3),
    ],
)
def test_parts_are_counted_as_the_network_does(text: str, count: int) -> None:
    """160 places of the GSM alphabet or 70 of Unicode in one part, 153 or 67 in each of several; € takes two."""
    assert parts(text) == count


@given(st.text(max_size=400), st.text(max_size=40))
def test_a_longer_text_never_has_fewer_parts(text: str, more: str) -> None:
    """What is cut off can only make it cheaper, so a text that is too long can be shortened."""
    assert 1 <= parts(text) <= parts(text + more)


@pytest.mark.parametrize(
    ("text", "plain"), [("Platte voll: 95 % auf db1 [€]", True), ("Č", False), ("“quoted”", False)]
)
def test_the_alphabet_of_gsm(text: str, plain: bool) -> None:
    """German fits into the cheap alphabet; Czech and typographic quotation marks do not."""
    assert gsm(text) is plain


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (Delivery.DELIVERED, SmsOutcome.DELIVERED),
        (Delivery.NOT_DELIVERED, SmsOutcome.FAILED),
        (Delivery.EXPIRED, SmsOutcome.FAILED),
        (Delivery.REJECTED, SmsOutcome.FAILED),
        (Delivery.FAILED, SmsOutcome.FAILED),
        (Delivery.BUFFERED, None),
        (Delivery.TRANSMITTED, None),
        (Delivery.ACCEPTED, None),
        (Delivery.UNKNOWN, None),
    ],
)
def test_a_receipt_says_what_became_of_it(status: Delivery, outcome: SmsOutcome | None) -> None:
    """Only the words for an end end it; whatever else comes changes nothing."""
    after = settle(sms(), status, LATER)

    assert after.outcome is outcome
    assert after.live is (outcome is None)
    assert (after.ended_at, after.due_at) == ((LATER, None) if outcome else (None, NOW))


@pytest.mark.parametrize("outcome", [SmsOutcome.SENT, SmsOutcome.UNCONFIRMED])
def test_a_late_receipt_corrects_what_was_not_known(outcome: SmsOutcome) -> None:
    """Whatever counted as sent or unconfirmed is delivered when its receipt comes at last; it ended when it ended."""
    after = settle(sms(SmsState.ENDED, outcome), Delivery.DELIVERED, LATER)

    assert (after.outcome, after.ended_at) == (SmsOutcome.DELIVERED, NOW)


@given(st.lists(st.sampled_from(Delivery), max_size=6), st.sampled_from(Delivery))
def test_a_final_word_stays(before: list[Delivery], again: Delivery) -> None:
    """In any order and any number of times: the first final receipt is the one that counts."""
    one = sms()
    for status in before:
        one = settle(one, status, NOW)
    known = one.outcome

    assert settle(one, again, LATER).outcome in ({known} if known else {None, *SmsOutcome})


def test_it_ends_once() -> None:
    """Ended by other means it keeps its first end."""
    ended = end(sms(), SmsOutcome.REFUSED, NOW, "no such number")

    assert (ended.outcome, ended.reason, ended.live) == (SmsOutcome.REFUSED, "no such number", False)
    assert end(ended, SmsOutcome.SENT, LATER) is ended


@pytest.mark.parametrize(
    "reply", ["OK", "ok!", "Okay, bin dran", "o.k.", "Ja", "yes", "ACK 17", "1", "übernehme", "Got it"]
)
def test_who_says_yes_takes_it(reply: str) -> None:
    """The words that people answer with, in any case and with whatever behind them."""
    assert says_yes(reply)


@pytest.mark.parametrize(
    "reply",
    [
        "",
        "...",
        "No",
        "nein, ruf Bob an",
        "STOP",
        "who is this?",
        "I'm driving with Focus turned on. I'll see your message when I get where I'm going.",
        "Ich kann gerade nicht sprechen",
    ],
)
def test_a_phone_that_answers_by_itself_takes_nothing(reply: str) -> None:
    """An automatic answer, a no and a question leave the incident to whoever is next."""
    assert not says_yes(reply)


def test_what_it_may_cost() -> None:
    """Each part is charged; as long as no price is known a usual one is assumed."""
    assert expected_cost(3) == pytest.approx(0.24)
