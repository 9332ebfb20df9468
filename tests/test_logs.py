"""A log line says what happened on one line, and neither a secret nor a whole phone number."""

from __future__ import annotations

import io
import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge import logs
from bridge.call import Outcome
from bridge.logs import fields

log = logging.getLogger("bridge.store.inbox")

NUMBER = "+491711234567"


@pytest.fixture
def _restored() -> Iterator[None]:
    """Give the loggers of the test run back as they were."""
    root = logging.getLogger()
    named = [root, logging.getLogger("bridge"), logging.getLogger("aiohttp.access")]
    before = [one.level for one in named]
    handlers = root.handlers[:]
    yield
    root.handlers[:] = handlers
    for one, level in zip(named, before, strict=True):
        one.setLevel(level)
    logging.captureWarnings(False)


@pytest.fixture
def logfmt(_restored: None) -> io.StringIO:
    stream = io.StringIO()
    logs.set_up("debug", "logfmt", stream)
    return stream


@pytest.fixture
def lines(_restored: None) -> io.StringIO:
    stream = io.StringIO()
    logs.set_up("debug", "json", stream)
    return stream


def first(stream: io.StringIO) -> dict[str, object]:
    """The one line that was written in JSON."""
    line, rest = stream.getvalue().split("\n", 1)
    assert rest == ""
    parsed: dict[str, object] = json.loads(line)
    return parsed


def test_logfmt_line(logfmt: io.StringIO) -> None:
    """A logfmt line has time, level, component, message and fields, quoted only where it must be."""
    log.warning("The call was placed", extra=fields(person="alice", text='say "hi"', empty="", ratio=0.5, urgent=True))

    time, rest = logfmt.getvalue().split(" ", 1)
    said = datetime.fromisoformat(time.removeprefix("ts="))

    assert said.tzinfo is not None
    assert time.endswith("Z")
    assert len(time) == len("ts=2026-11-23T06:11:27.197Z")
    assert rest == (
        'level=warn component=inbox msg="The call was placed" '
        'person=alice text="say \\"hi\\"" empty="" ratio=0.5 urgent=true\n'
    )


def test_json_line(lines: io.StringIO) -> None:
    """A JSON line is one object in which numbers stay numbers, and what is None is left out."""
    log.error(
        "Over",
        extra=fields(
            tries=2,
            cost=None,
            outcome=Outcome.NO_ANSWER,
            wait=timedelta(minutes=1, milliseconds=500),
            due=datetime(2026, 11, 23, 6, 11, 27, 197_400, UTC),
            ratio=float("nan"),
        ),
    )

    line = first(lines)
    assert datetime.fromisoformat(str(line.pop("ts"))).tzinfo is not None
    assert line == {
        "level": "error",
        "component": "inbox",
        "msg": "Over",
        "tries": 2,
        "outcome": "no_answer",
        "wait": 60.5,
        "due": "2026-11-23T06:11:27.197Z",
        "ratio": "nan",
    }


@pytest.mark.parametrize(
    ("level", "told"),
    [
        ("debug", ["debug", "info", "warn", "error", "error"]),
        ("info", ["info", "warn", "error", "error"]),
        ("warn", ["warn", "error", "error"]),
        ("error", ["error", "error"]),
    ],
)
@pytest.mark.usefixtures("_restored")
def test_levels(level: str, told: list[str]) -> None:
    """A level is the least that is told."""
    stream = io.StringIO()
    logs.set_up(level, "json", stream)

    for number in (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR, logging.CRITICAL):
        log.log(number, "x")

    assert [json.loads(line)["level"] for line in stream.getvalue().splitlines()] == told


def test_set_up_twice(logfmt: io.StringIO) -> None:
    """A second set-up replaces the first: no line comes twice."""
    second = io.StringIO()
    logs.set_up("info", "logfmt", second)

    log.info("once")

    assert logfmt.getvalue() == ""
    assert second.getvalue().count("msg=once") == 1


def test_other_libraries(logfmt: io.StringIO) -> None:
    """Even at debug, libraries do not tell what they were given, and no request has a line of its own."""
    logging.getLogger("sqlalchemy.engine").info("INSERT INTO calls ... +491711234567")
    logging.getLogger("aiohttp.access").error("GET /webhook/sms77/token")
    logging.getLogger("aiohttp.server").error("Error handling request")

    assert [line.split(" ", 1)[1] for line in logfmt.getvalue().splitlines()] == [
        'level=error component=server msg="Error handling request"'
    ]


@pytest.mark.parametrize(("level", "log_format"), [("loud", "json"), ("info", "xml"), ("", "")])
def test_unknown_level_or_format(level: str, log_format: str) -> None:
    """A level or format that does not exist is refused with those that do."""
    with pytest.raises(ValueError, match=r"debug, info, warn, error.*logfmt, json"):
        logs.set_up(level, log_format)


@pytest.mark.parametrize(
    ("number", "masked"),
    [
        ("+491711234567", "+4917*****67"),
        ("+49 171 1234567", "+4917*****67"),
        ("01711234567", "01711*****67"),
        ("1234567", "12*****7"),
        ("0301234567", "03*****7"),
        ("12345", "*****"),
        ("", "*****"),
        ("Anonymous caller", "Anony*****er"),
    ],
)
def test_mask(number: str, masked: str) -> None:
    """A masked number can be told from others and cannot be dialled; a short one shows less."""
    assert logs.mask(number) == masked


@pytest.mark.parametrize(
    ("said", "written"),
    [
        ("calling +491711234567 now", "calling +4917*****67 now"),
        ("calling +49 171 1234567", "calling +4917*****67"),
        ("calling +49 (0) 171 / 123-45-67.", "calling +4901*****67."),
        ("to=%2B491711234567&text=x", "to=+4917*****67&text=x"),
        ("to:491711234567", "to:49171*****67"),
        ('{"to": "491711234567"}', '{"to": "49171*****67"}'),
        ("call_491711234567", "call_49171*****67"),
        ("00491711234567", "00491*****67"),
        ("number 0171 1234567", "number 01711*****67"),
        ("number:0171/123 45 67,", "number:01711*****67,"),
        ("(0171) 1234567", "(01711*****67"),
        ("4917112-3456789", "49*****2-34*****9"),
        ("two: +491711234567, +491711234568", "two: +4917*****67, +4917*****68"),
        ("tel:+491711234567.", "tel:+4917*****67."),
    ],
)
def test_numbers_in_a_sentence(said: str, written: str) -> None:
    """Phone numbers are masked in every spelling, whatever stands before and behind."""
    assert logs.redact(said) == written


@pytest.mark.parametrize(
    "said",
    [
        "2026-11-23T06:11:27.197123Z",
        "2026-01-05 09:00:00+01:00",
        "listening on 192.168.100.200:10077 and [::1]:10077",
        "fingerprint 1234567890abcdef, a1234567",
        "0193571c-1234-7890-8123-012345678901",
        "ratio 0.12345678 at 1795443357.74",
        "9 calls in 123456 s, 12345678901234567890 ns",
        "HTTP 503 after 15.0 s, code 900",
    ],
)
def test_what_is_no_number(said: str) -> None:
    """Times, addresses, fingerprints, ids and measurements stay readable."""
    assert logs.redact(said) == said


def test_numbers_in_fields(lines: io.StringIO) -> None:
    """In fields too a number is masked, as text or as integer, except where the name says that it is none."""
    whole = f"Page(to='{NUMBER}')"
    ids = fields(to=NUMBER, recipient=491711234567, gateway_id="1384013", call="12345678", bytes=10485760, page=whole)

    log.info("x", extra=ids)
    line = first(lines)

    assert line["to"] == "+4917*****67"
    assert line["recipient"] == "49171*****67"
    assert line["page"] == "Page(to='+4917*****67')"
    assert (line["gateway_id"], line["call"], line["bytes"]) == ("1384013", "12345678", 10485760)


@given(
    digits=st.from_regex(r"[1-9][0-9]{7,14}", fullmatch=True),
    before=st.sampled_from(["", "to ", "to=", '"', "(", ":", "'", "/", "%20", "\n", "é", "_"]),
    after=st.sampled_from(["", " ", ".", ",", '"', ")", "&x=1", "\n", "é"]),
)
def test_no_international_number_survives(digits: str, before: str, after: str) -> None:
    """Whatever stands around it, no number with a plus is found in what is written."""
    assert digits not in logs.redact(f"{before}+{digits}{after}")


@pytest.mark.parametrize("log_format", logs.FORMATS)
@pytest.mark.parametrize(
    "secret", ["s3cr3t-token", 'quo"te\\d pass', "two words+plus/slash", "Straße%20&=", "zeile\neins"]
)
@pytest.mark.usefixtures("_restored")
def test_secrets(secret: str, log_format: str) -> None:
    """A concealed secret is nowhere: not in message, field or traceback, nor as a URL or a repr writes it."""
    stream = io.StringIO()
    logs.set_up("info", log_format, stream)
    logs.conceal(secret)

    def refuse() -> None:
        raise ValueError(f"bad key {secret!r} or {secret}")

    try:
        refuse()
    except ValueError:
        log.exception(
            "GET %s with %s failed",
            f"/webhook/sms77/{quote(secret, safe='')}",
            secret,
            extra=fields(key=secret, key_id=secret, headers={"X-Api-Key": secret}),
        )

    written = stream.getvalue()
    assert written.count("<secret>") >= 7
    for part in secret.replace("\\", " ").replace('"', " ").replace("\n", " ").replace("%20", " ").split():
        if len(part) > 3:
            assert part not in written


def test_longest_secret_first() -> None:
    """Where one secret begins with another, nothing of the longer one is left."""
    logs.conceal("hunter")
    logs.conceal("hunter-and-more")

    assert logs.redact("it is hunter-and-more or hunter") == "it is <secret> or <secret>"


def test_nothing_is_no_secret() -> None:
    """An empty or tiny secret is not looked for, for it would be found everywhere."""
    logs.conceal("")
    logs.conceal("a")

    assert logs.redact("an alert") == "an alert"


@pytest.mark.parametrize("log_format", logs.FORMATS)
@pytest.mark.usefixtures("_restored")
def test_strangers_cannot_write_lines(log_format: str) -> None:
    """Line ends, escape sequences, right-to-left marks and broken text in a label are not written as they are."""
    stream = io.StringIO()
    logs.set_up("info", log_format, stream)
    evil = "x\nlevel=error msg=fake\r\x1b[2J\x85\u2028\u202e\x00\ud800 end"

    log.info("label %s", evil, extra=fields(label=evil))

    written = stream.getvalue()
    assert written.count("\n") == 1
    assert written.endswith("\n")
    assert all(character.isprintable() for character in written[:-1])
    assert written.count("\\u202e") == 2
    written.encode()


@given(text=st.text(max_size=80), name=st.sampled_from(["label", "who_id"]))
def test_any_text_is_one_line_that_can_be_read_back(text: str, name: str) -> None:
    """Whatever text comes, JSON can be parsed and says the text, as far as it is no number."""
    record = logging.LogRecord("bridge.x", logging.INFO, "", 0, "%s", (text,), None)
    record.fields = {name: text}
    stream = io.StringIO()
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    logs.set_up("info", "json", stream)
    try:
        logging.getLogger("bridge").handle(record)
    finally:
        root.handlers[:] = before
        root.setLevel(level)
        logging.captureWarnings(False)

    line = first(stream)

    assert line["msg"] == logs.redact(text)


def test_exception(lines: io.StringIO) -> None:
    """An exception is one field with its sentence and one with its traceback, and numbers in both are masked."""
    try:
        raise RuntimeError(f"no route to {NUMBER}")
    except RuntimeError:
        log.exception("Failed")

    line = first(lines)

    assert line["err"] == "RuntimeError: no route to +4917*****67"
    assert str(line["traceback"]).startswith("Traceback (most recent call last):\n")
    assert "test_logs.py" in str(line["traceback"])
    assert NUMBER not in lines.getvalue()


def test_stack(lines: io.StringIO) -> None:
    """A stack that was asked for is a field."""
    log.info("Here", stack_info=True)

    assert "test_stack" in str(first(lines)["stack"])


def test_exc_info_without_exception(lines: io.StringIO) -> None:
    """`exc_info=True` outside of an exception adds nothing."""
    log.info("Calm", exc_info=True)

    assert "err" not in first(lines)


def test_arguments_that_do_not_fit(lines: io.StringIO) -> None:
    """A wrong format string loses its arguments, not the line."""
    record = logging.LogRecord("bridge.x", logging.INFO, "", 0, "%d calls", ("many",), None)
    # Not through the logger: the test run's own handlers raise what this one bears.
    (ours,) = (one for one in logging.getLogger().handlers if getattr(one, "stream", None) is lines)

    ours.handle(record)

    assert first(lines)["msg"] == "%d calls (its arguments do not fit)"


def test_very_long_text(lines: io.StringIO) -> None:
    """Text of megabytes is cut, and the cut leaves no half of a secret."""
    logs.conceal("a-long-secret-of-many-letters")
    text = "x" * (logs.LONGEST_VALUE + logs.BEYOND - 10) + "a-long-secret-of-many-letters" + "y" * 3_000_000

    log.info(text)

    message = str(first(lines)["msg"])
    assert len(message) == logs.LONGEST_VALUE + 1
    assert "secret" not in message


@pytest.mark.usefixtures("_restored")
def test_stream_that_is_gone(capsys: pytest.CaptureFixture[str]) -> None:
    """Where the line cannot be written it is lost; the program goes on and nothing unmasked is printed."""
    stream = io.StringIO()
    logs.set_up("info", "logfmt", stream)
    stream.close()

    log.info("calling %s", NUMBER)

    assert capsys.readouterr().err == ""


def test_default_is_stderr() -> None:
    """Without a stream the log goes to stderr, warnings of Python too, and stdout stays the command's own."""
    program = (
        "import logging, warnings; from bridge import logs; logs.set_up();"
        "logging.getLogger('bridge.app').info('Listening', extra=logs.fields(port=10077));"
        "warnings.warn('old thing')"
    )

    run = subprocess.run(
        [sys.executable, "-W", "always", "-c", program], capture_output=True, text=True, check=True, timeout=30
    )

    listening, warning = run.stderr.splitlines()
    assert run.stdout == ""
    assert listening.endswith("level=info component=app msg=Listening port=10077")
    assert "level=warn component=warnings" in warning
    assert "old thing" in warning
