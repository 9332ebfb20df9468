"""What the account's webhook brings: every shape of every event, and the signature over it."""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.call import CallStatus, Report
from bridge.errors import NotAWebhook
from bridge.gateway import Ignored, Keypress, Reply, Told, read_reports, verify_signature
from bridge.sms import Delivery, Receipt

FORM = "application/x-www-form-urlencoded"
JSON = "application/json"

# As the vendor's clients show it, numbers replaced.
STATUS: dict[str, object] = {
    "callerId": "491999999001",
    "duration": "4",
    "id": "284195",
    "pricePerMinute": 0.075,
    "recipient": "491999999002",
    "status": "completed",
    "timestamp": 1629786769,
}
DTMF: dict[str, object] = {
    "callerId": "491999999003",
    "dtmf_digit": 9,
    "duration": 2.76,
    "id": 0,
    "pricePerMinute": 0.045,
    "recipient": "491999999003",
    "status": "completed",
    "system": "491999999004",
    "timestamp": 1722576539,
    "total_price": 0.045,
}
SMS: dict[str, object] = {
    "id": "681590",
    "sender": "491999999005",
    "system": "491999999006",
    "text": "hi2u",
    "time": "1605878104",
}
DLR: dict[str, object] = {"msg_id": "77149843739", "status": "TRANSMITTED", "timestamp": "2021-08-24 08:08:00.000000"}
CALL: dict[str, object] = {"caller": "491999999007", "id": 2, "system": "491999999008", "time": 1614961009}

COMPLETED = Report(CallStatus.COMPLETED, "284195", None, "491999999002", 4.0, 0.075, None)
PRESSED = Keypress("491999999003", None, None, "9")
REPLIED = Reply("491999999005", "hi2u")

EVENTS: list[tuple[str, dict[str, object], Told]] = [
    ("voice_status", STATUS, COMPLETED),
    ("voice_dtmf", DTMF, PRESSED),
    ("sms_mo", SMS, REPLIED),
    ("dlr", DLR, Receipt(Delivery.TRANSMITTED, "77149843739")),
    ("voice_call", CALL, Ignored("voice_call")),
]

STAMP: dict[str, object] = {"webhook_timestamp": "2021-08-24T08:32:50+02:00"}


def read(content_type: str = "", query: str = "", body: str = "") -> tuple[Told, ...]:
    return read_reports(content_type=content_type, query=query, body=body.encode())


def bracketed(data: dict[str, object]) -> dict[str, object]:
    return {f"data[{key}]": value for key, value in data.items()}


@pytest.mark.parametrize("named", [True, False], ids=["named", "nameless"])
@pytest.mark.parametrize(("event", "data", "told"), EVENTS, ids=[event for event, _, _ in EVENTS])
def test_every_event_in_every_shape(event: str, data: dict[str, object], told: Told, *, named: bool) -> None:
    """An event reads the same nested or flat, as JSON, form or query, and without its name by its fields."""
    around: dict[str, object] = STAMP | ({"webhook_event": event} if named else {})
    text: dict[str, object] = {"data": json.dumps(data)}
    shapes = {
        "JSON nested": read(JSON, body=json.dumps(around | {"data": data})),
        "JSON flat": read(JSON, body=json.dumps(around | data)),
        "JSON with data as text": read(JSON, body=json.dumps(around | text)),
        "JSON called something else": read("text/html", body="\ufeff\r\n" + json.dumps(around | {"data": data})),
        "JSON called a form": read(FORM, body=json.dumps(around | data)),
        "form flat": read(FORM, body=urlencode(around | data)),
        "form data[]": read(FORM, body=urlencode(around | bracketed(data))),
        "form data as JSON": read(FORM, body=urlencode(around | text)),
        "form without a type": read("", body=urlencode(around | data)),
        "query flat": read("", query=urlencode(around | data)),
        "query data[]": read("", query=urlencode(around | bracketed(data))),
        "query and form": read(FORM, query=urlencode(around), body=urlencode(data)),
    }
    assert shapes == dict.fromkeys(shapes, (told,))


def test_the_original_page_sends_a_form_of_six_fields() -> None:
    """id, callerId, recipient, status, duration and pricePerMinute alone are a report."""
    body = "id=284195&callerId=491999999001&recipient=%2B491999999002&status=no-answer&duration=&pricePerMinute=0.075"
    assert read(FORM, body=body) == (Report(CallStatus.NO_ANSWER, "284195", None, "491999999002", None, 0.075),)


@pytest.mark.parametrize("data", ["{broken", "7", '"text"', "", "null"])
def test_data_that_is_none_leaves_the_fields_around_it(data: str) -> None:
    """Where `data` cannot be read, what stands beside it still counts."""
    assert read(FORM, body=urlencode(STATUS | {"data": data})) == (COMPLETED,)


def test_several_reports_in_one_delivery() -> None:
    """A list, or data that is a list, brings each of its reports; what is none among them is passed over."""
    several = (COMPLETED, REPLIED)
    assert read(JSON, body=json.dumps([STATUS, 7, SMS])) == several
    assert read(JSON, body=json.dumps({"data": [STATUS, None, SMS]})) == several
    assert read(JSON, body=json.dumps({"webhook_event": "voice_status", "data": []})) == (Report(CallStatus.UNKNOWN),)


@pytest.mark.parametrize(
    ("field", "value", "attribute", "read_as"),
    [
        ("status", "COMPLETED", "status", CallStatus.COMPLETED),
        ("status", "In_Progress", "status", CallStatus.IN_PROGRESS),
        ("status", "no answer", "status", CallStatus.NO_ANSWER),
        ("status", "initiated", "status", CallStatus.INITIATED),
        ("status", "ringing", "status", CallStatus.RINGING),
        ("status", "busy", "status", CallStatus.NO_ANSWER),
        ("status", "canceled", "status", CallStatus.FAILED),
        ("status", "teleported", "status", CallStatus.UNKNOWN),
        ("status", "", "status", CallStatus.UNKNOWN),
        ("status", None, "status", CallStatus.UNKNOWN),
        ("status", ["completed"], "status", CallStatus.UNKNOWN),
        ("duration", 4, "duration", 4.0),
        ("duration", 2.76, "duration", 2.76),
        ("duration", "2.76", "duration", 2.76),
        ("duration", "0", "duration", 0.0),
        ("duration", "", "duration", None),
        ("duration", None, "duration", None),
        ("duration", True, "duration", None),
        ("duration", "-3", "duration", None),
        ("duration", "NaN", "duration", None),
        ("duration", "1e300", "duration", None),
        ("duration", {}, "duration", None),
        ("id", 284195, "gateway_id", "284195"),
        ("id", 284195.0, "gateway_id", "284195"),
        ("id", 0, "gateway_id", None),
        ("id", "0", "gateway_id", None),
        ("id", "", "gateway_id", None),
        ("id", None, "gateway_id", None),
        ("id", "x" * 500, "gateway_id", None),
        ("id", "a\x00b", "gateway_id", None),
        ("id", "\ud800", "gateway_id", None),
        ("foreign_id", "01J-CALL", "foreign_id", "01J-CALL"),
        ("recipient", "+49 (199) 999-9002", "recipient", "491999999002"),
        ("recipient", "00491999999002", "recipient", "491999999002"),
        ("recipient", 491999999002, "recipient", "491999999002"),
        ("recipient", "Peter", "recipient", None),
        ("recipient", "\u0664\u0669\u0661\u0667\u0661", "recipient", None),
        ("pricePerMinute", "0.045", "price", 0.045),
        ("pricePerMinute", "1e9", "price", None),
        ("total_price", 0.09, "cost", 0.09),
    ],
)
def test_fields_of_a_report(field: str, value: object, attribute: str, read_as: object) -> None:
    """Each field is read from every type that it comes in, and what is none of them is as if it were not there."""
    (report,) = read(JSON, body=json.dumps({"webhook_event": "voice_status", "data": STATUS | {field: value}}))
    assert getattr(report, attribute) == read_as


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"dtmf_digit": 0}, Keypress("491999999003", None, None, "0")),
        ({"dtmf_digit": "*"}, Keypress("491999999003", None, None, "*")),
        ({"dtmf_digit": "12#"}, Keypress("491999999003", None, None, "12#")),
        ({"dtmf_digit": ""}, Ignored("voice_dtmf")),
        ({"dtmf_digit": None}, Ignored("voice_dtmf")),
        ({"dtmf_digit": "<script>"}, Ignored("voice_dtmf")),
        ({"id": 77, "foreign_id": "01J"}, Keypress("491999999003", "77", "01J", "9")),
        ({"callerId": "491999999001"}, Keypress("491999999003", None, None, "9")),
        ({"recipient": "491999999004"}, Keypress("491999999003", None, None, "9")),
        ({"recipient": None, "callerId": None}, Keypress(None, None, None, "9")),
    ],
)
def test_pressed_keys(changes: dict[str, object], told: Told) -> None:
    """A key is read in every form, with the person at the other end; an event without a key tells nothing."""
    assert read(JSON, body=json.dumps({"webhook_event": "voice_dtmf", "data": DTMF | changes})) == (told,)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"text": "  yes,\n I\u0000 take\ud800 it "}, Reply("491999999005", "yes, I take it")),
        ({"text": 5}, Reply("491999999005", "5")),
        ({"text": None}, Reply("491999999005", "")),
        ({"sender": "+491999999005"}, Reply("491999999005", "hi2u")),
        ({"sender": "SMS"}, Ignored("sms_mo")),
        ({"sender": None}, Ignored("sms_mo")),
    ],
)
def test_replies(changes: dict[str, object], told: Told) -> None:
    """A reply has its sender's digits and its text on one line; a sender with a name is none of our people."""
    assert read(JSON, body=json.dumps({"webhook_event": "sms_mo", "data": SMS | changes})) == (told,)


@pytest.mark.parametrize(
    ("event", "told"),
    [
        ("tracking", "tracking"),
        ("RCS", "rcs"),
        ("something_of_2031", "something_of_2031"),
        ("<script>", "unknown"),
        ("x" * 100, "unknown"),
        (5, "unknown"),
    ],
)
def test_unknown_events_are_ignored(event: object, told: str) -> None:
    """An event of an `all` hook that is not about our calls is named, in harmless characters, and no error."""
    assert read(JSON, body=json.dumps({"webhook_event": event, "data": {"any": "thing"}})) == (Ignored(told),)


def test_an_event_name_counts_in_any_case() -> None:
    """VOICE_STATUS is voice_status."""
    assert read(JSON, body=json.dumps({"webhook_event": "VOICE_STATUS", "data": STATUS})) == (COMPLETED,)


@pytest.mark.parametrize(
    ("content_type", "query", "body"),
    [
        ("", "", ""),
        (JSON, "", "{}"),
        (JSON, "", "[]"),
        (JSON, "", "[1, 2]"),
        (JSON, "", '{"data": {"status": "comp'),
        (JSON, "", '{"hello": "world"}'),
        (JSON, "", "null"),
        (JSON, "", '{"status": "firing", "alerts": []}'),
        (JSON, "", '{"a":' * 100_000),
        (JSON, "", '{"webhook_event": "voice_status", "id": ' + "9" * 5000 + "}"),
        (FORM, "", "hello=world"),
        (FORM, "", "%%%&&&==="),
        (FORM, "", "{broken"),
        (FORM, "", "&".join(f"a{index}=1" for index in range(2000))),
        ("", "utm_source=x", ""),
        ("", "data[status]=completed", ""),
    ],
)
def test_what_can_never_be_one(content_type: str, query: str, body: str) -> None:
    """A body that has nothing of any event is no webhook."""
    with pytest.raises(NotAWebhook):
        read(content_type, query, body)


def test_reprs_tell_no_number() -> None:
    """Who pressed or replied stays out of logs."""
    assert "491999999003" not in repr(PRESSED)
    assert "491999999005" not in repr(REPLIED)
    assert "hi2u" not in repr(REPLIED)


@given(st.text(max_size=20) | st.sampled_from([JSON, FORM]), st.text(max_size=60), st.binary(max_size=200))
def test_arbitrary_bytes_are_read_or_no_webhook(content_type: str, query: str, body: bytes) -> None:
    """Whatever a stranger sends, it is read or it is NotAWebhook."""
    for sent in (body, b"{" + body, b'[{"webhook_event":"voice_status","data":' + body + b"}]"):
        try:
            read_reports(content_type=content_type, query=query, body=sent)
        except NotAWebhook:
            continue


KEYS = st.sampled_from(["webhook_event", "data", "data[id]", "data[status]", *STATUS, *DTMF, *SMS, "foreign_id"])


@given(
    st.dictionaries(
        KEYS,
        st.recursive(
            st.none()
            | st.booleans()
            | st.integers()
            | st.floats()
            | st.text(max_size=8)
            | st.sampled_from(["voice_status", "voice_dtmf", "sms_mo", "completed", '{"id": 1}', "[[]]"]),
            lambda inner: st.lists(inner, max_size=2) | st.dictionaries(KEYS, inner, max_size=3),
            max_leaves=6,
        ),
        max_size=6,
    )
)
def test_known_keys_with_any_values(body: dict[str, object]) -> None:
    """Known keys with values of any type are read into values fit for a database, or are NotAWebhook."""
    try:
        told = read(JSON, body=json.dumps(body))
    except NotAWebhook:
        return
    for one in told:
        texts = [getattr(one, name) for name in type(one).__slots__ if isinstance(getattr(one, name), str)]
        assert all(text.encode() and "\x00" not in text for text in texts if text)


SIGNING_KEY = "signing-key"
NOW = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
URL = "https://bridge.example.org/webhook/sms77/token?x=1"
BODY = b'{"data":{}}'


def signed(target: str = URL, method: str = "POST", body: bytes = BODY, at: datetime = NOW) -> dict[str, str]:
    """The headers that the gateway sends, made by the recipe of the vendor's signing page."""
    stamp, nonce = str(int(at.timestamp())), "n" * 32
    text = f"{stamp}\n{nonce}\n{method}\n{target}\n{hashlib.md5(body).hexdigest()}"
    signature = hmac.new(SIGNING_KEY.encode(), text.encode(), hashlib.sha256).hexdigest()
    return {"X-Signature": signature, "X-Timestamp": stamp, "X-Nonce": nonce}


def test_a_signature_made_by_hand() -> None:
    """A signature that openssl made of the same five lines is genuine."""
    headers = {
        "X-Signature": "666ca26d902d00146e5c3a93030c3358f3d1682a6866b9ecab32621731f17f21",
        "X-Timestamp": "1767614400",
        "X-Nonce": "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn",
    }
    assert verify(headers) == "n" * 32


def verify(headers: dict[str, str], **changes: object) -> str | None:
    asked: dict[str, object] = {"key": SIGNING_KEY, "method": "POST", "url": URL, "body": BODY, "now": NOW}
    return verify_signature(headers=headers, **(asked | changes))  # type: ignore[arg-type]  # arguments of several types


GENUINE = signed()


@pytest.mark.parametrize(
    "headers",
    [
        GENUINE,
        {name.lower(): value for name, value in GENUINE.items()},
        GENUINE | {"X-Signature": GENUINE["X-Signature"].upper()},
        signed("/webhook/sms77/token?x=1"),
        signed(at=NOW - timedelta(seconds=300)),
        signed(at=NOW + timedelta(seconds=300)),
    ],
)
def test_genuine_signatures(headers: dict[str, str]) -> None:
    """The full address or the path, any case, and a clock that is off by up to five minutes are genuine."""
    assert verify(headers) == "n" * 32


def test_a_get_is_signed_over_an_empty_body() -> None:
    """A report in a query is signed as well."""
    assert verify(signed(method="GET", body=b""), method="get", body=b"") == "n" * 32


@pytest.mark.parametrize(
    ("headers", "changes"),
    [
        ({}, {}),
        (GENUINE, {"key": "other"}),
        (GENUINE, {"key": ""}),
        (GENUINE, {"body": BODY + b" "}),
        (GENUINE, {"method": "GET"}),
        (GENUINE, {"url": URL + "2"}),
        (GENUINE, {"url": "https://bridge.example.org/"}),
        (GENUINE | {"X-Nonce": "m" * 32}, {}),
        (GENUINE | {"X-Nonce": ""}, {}),
        (GENUINE | {"X-Timestamp": "1767614401"}, {}),
        (GENUINE | {"X-Timestamp": "soon"}, {}),
        (GENUINE | {"X-Timestamp": "9" * 400}, {}),
        (GENUINE | {"X-Signature": ""}, {}),
        (GENUINE | {"X-Signature": "ä\ud800"}, {}),
        (GENUINE | {"X-Signature": GENUINE["X-Signature"][:-1]}, {}),
        (signed(at=NOW - timedelta(seconds=301)), {}),
        (signed(at=NOW + timedelta(seconds=301)), {}),
        (signed(at=NOW - timedelta(seconds=31)), {"window": timedelta(seconds=30)}),
    ],
)
def test_forged_signatures(headers: dict[str, str], changes: dict[str, object]) -> None:
    """Anything else changed, missing or too old is not from the gateway."""
    assert verify(headers, **changes) is None
