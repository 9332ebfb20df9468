"""The tables. Instants are whole microseconds since 1970 in UTC; ids are time-ordered text; what is final is never due.

Indexes are few, for every one costs on the way in: what waits, what is due, and what is looked up by a stranger's key.
`version` counts changes of a row (compare-and-set), `lease` says until when a claimed row is somebody's.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import sqlalchemy
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Dialect,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    TypeDecorator,
    literal_column,
)

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


def microseconds(instant: datetime | None) -> int | None:
    """An aware datetime as an `Instant` column keeps it; None stays None."""
    return None if instant is None else (instant - EPOCH) // MICROSECOND


class Instant(TypeDecorator[datetime]):
    """An aware datetime, kept as whole microseconds since 1970: exact, compact, the same on every database."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        return microseconds(value)

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:
        return None if value is None else EPOCH + timedelta(microseconds=value)


# Compared byte by byte, whatever the database's locale: ids are in order of time, and pages lie by their incident.
Text = sqlalchemy.Text().with_variant(sqlalchemy.Text(collation="C"), "postgresql")

# SQLite numbers rows by itself only for a column that is exactly INTEGER.
Serial = BigInteger().with_variant(Integer, "sqlite")

metadata = MetaData()

inbox = Table(
    "inbox",
    metadata,
    Column("seq", Serial, primary_key=True, autoincrement=True),
    Column("door", Text, nullable=False),
    Column("received_at", Instant, nullable=False),
    Column("meta", Text, nullable=False),
    Column("packed", Boolean, nullable=False),
    Column("digested_at", Instant),
    Column("failures", Integer, nullable=False, default=0),
    Column("error", Text),
    Column("retry_at", Instant),
    # The last: what stands behind a large value can only be read by going through all of it.
    Column("body", LargeBinary, nullable=False),
    sqlite_autoincrement=True,
)
Index(
    "inbox_waiting",
    inbox.c.seq,
    sqlite_where=inbox.c.digested_at.is_(None),
    postgresql_where=inbox.c.digested_at.is_(None),
)

policies = Table(
    "policies",
    metadata,
    Column("hash", Text, primary_key=True),
    Column("body", Text, nullable=False),
)

incidents = Table(
    "incidents",
    metadata,
    Column("id", Text, primary_key=True),
    Column("stream", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("receiver", Text, nullable=False),
    Column("group_key", Text, nullable=False),
    Column("policy", Text, nullable=False),
    Column("policy_hash", Text, nullable=False),
    Column("opened_at", Instant, nullable=False),
    # From here on: what changes.
    Column("state", Text, nullable=False),
    Column("rank", SmallInteger, nullable=False),
    Column("round", Integer, nullable=False),
    Column("step", Integer, nullable=False),
    Column("targets", Text, nullable=False),
    Column("news_at", Instant, nullable=False),
    Column("step_ends_at", Instant),
    Column("due_at", Instant),
    Column("acknowledged_by", Text),
    Column("acknowledged_at", Instant),
    Column("closed_at", Instant),
    Column("group_labels", Text, nullable=False),
    Column("external_url", Text, nullable=False),
    Column("truncated", Integer, nullable=False),
    Column("serial", Integer, nullable=False),
    Column("version", Integer, nullable=False),
    Column("lease", Instant),
)
_open = incidents.c.closed_at.is_(None)
Index("incidents_open", incidents.c.stream, incidents.c.policy, unique=True, sqlite_where=_open, postgresql_where=_open)
Index(
    "incidents_due",
    incidents.c.due_at,
    sqlite_where=incidents.c.due_at.is_not(None),
    postgresql_where=incidents.c.due_at.is_not(None),
)
Index(
    "incidents_closed",
    incidents.c.closed_at,
    sqlite_where=incidents.c.closed_at.is_not(None),
    postgresql_where=incidents.c.closed_at.is_not(None),
)

alerts = Table(
    "alerts",
    metadata,
    Column("incident", Text, primary_key=True),
    Column("fingerprint", Text, primary_key=True),
    Column("firing", Boolean, nullable=False),
    Column("rank", SmallInteger, nullable=False),
    Column("labels", Text, nullable=False),
    Column("annotations", Text, nullable=False),
    Column("starts_at", Instant, nullable=False),
    Column("ends_at", Instant),
    Column("generator_url", Text, nullable=False),
    Column("seq", BigInteger, nullable=False),
)

pages = Table(
    "pages",
    metadata,
    Column("id", Text, primary_key=True),
    Column("incident", Text, nullable=False),
    Column("person", Text, nullable=False),
    Column("round", Integer, nullable=False),
    Column("step", Integer, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("queued_at", Instant, nullable=False),
    Column("urgent", Boolean, nullable=False),
    Column("state", Text, nullable=False),
    # Whether its story says already that a limit holds it back.
    Column("held", Boolean, nullable=False),
    Column("call", Text),
    Column("outcome", Text),
    Column("ended_at", Instant),
    # voice or sms; the carrier's id stands in `call` for both.
    Column("channel", Text, nullable=False, server_default="voice"),
    sqlite_with_rowid=False,
)
# A literal, for queries too: with a parameter in its place SQLite plans a statement anew each time it is run.
QUEUED = pages.c.state == literal_column("'queued'")
Index(
    "pages_waiting",
    pages.c.channel,
    pages.c.person,
    pages.c.urgent,
    pages.c.held,
    pages.c.id,
    sqlite_where=QUEUED,
    postgresql_where=QUEUED,
)
# Kept back because Alertmanager keeps its alerts quiet; it is asked of them again and again.
SUPPRESSED = pages.c.state == literal_column("'suppressed'")
Index("pages_suppressed", pages.c.incident, sqlite_where=SUPPRESSED, postgresql_where=SUPPRESSED)
_called = pages.c.call.is_not(None)
Index("pages_call", pages.c.call, sqlite_where=_called, postgresql_where=_called)

calls = Table(
    "calls",
    metadata,
    Column("id", Text, primary_key=True),
    Column("gateway_id", Text),
    Column("person", Text, nullable=False),
    Column("number", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("outcome", Text),
    Column("reason", Text, nullable=False),
    Column("language", Text, nullable=False),
    Column("template", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("speech_seconds", Float, nullable=False),
    Column("window_from", Float),
    Column("window_until", Float),
    Column("created_at", Instant, nullable=False),
    Column("requested_at", Instant),
    Column("placed_at", Instant),
    Column("ringing_at", Instant),
    Column("answered_at", Instant),
    Column("ended_at", Instant),
    Column("due_at", Instant),
    Column("duration", Float),
    Column("cost", Float),
    Column("tries", Integer, nullable=False),
    Column("asked_again", Boolean, nullable=False),
    Column("acknowledged", Boolean, nullable=False),
    Column("version", Integer, nullable=False),
    Column("lease", Instant),
    Column("account", Text, nullable=False, server_default=""),
)
Index(
    "calls_due", calls.c.due_at, sqlite_where=calls.c.due_at.is_not(None), postgresql_where=calls.c.due_at.is_not(None)
)
_live = calls.c.ended_at.is_(None)
Index("calls_live", calls.c.person, sqlite_where=_live, postgresql_where=_live)
_known = calls.c.gateway_id.is_not(None)
Index("calls_gateway", calls.c.gateway_id, sqlite_where=_known, postgresql_where=_known)
# How often is too often: of one number, and of all.
Index("calls_number", calls.c.number, calls.c.requested_at)
Index("calls_requested", calls.c.requested_at)

texts = Table(
    "texts",
    metadata,
    Column("id", Text, primary_key=True),
    Column("gateway_id", Text),
    Column("person", Text, nullable=False),
    Column("number", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("outcome", Text),
    Column("reason", Text, nullable=False),
    Column("language", Text, nullable=False),
    Column("template", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("parts", Integer, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("requested_at", Instant),
    Column("sent_at", Instant),
    Column("ended_at", Instant),
    Column("due_at", Instant),
    Column("cost", Float),
    Column("tries", Integer, nullable=False),
    Column("asked_again", Boolean, nullable=False),
    Column("acknowledged", Boolean, nullable=False),
    Column("account", Text, nullable=False),
    Column("version", Integer, nullable=False),
)
Index(
    "texts_due", texts.c.due_at, sqlite_where=texts.c.due_at.is_not(None), postgresql_where=texts.c.due_at.is_not(None)
)
_sent = texts.c.gateway_id.is_not(None)
Index("texts_gateway", texts.c.gateway_id, sqlite_where=_sent, postgresql_where=_sent)
Index("texts_number", texts.c.number, texts.c.created_at)
Index("texts_requested", texts.c.requested_at)

strays = Table(
    "strays",
    metadata,
    Column("seq", Serial, primary_key=True, autoincrement=True),
    Column("gateway_id", Text),
    Column("foreign_id", Text),
    Column("received_at", Instant, nullable=False),
    Column("report", Text, nullable=False),
)
Index("strays_gateway", strays.c.gateway_id)

journal = Table(
    "journal",
    metadata,
    Column("seq", Serial, primary_key=True, autoincrement=True),
    Column("incident", Text),
    Column("call", Text),
    Column("at", Instant, nullable=False),
    Column("word", Text, nullable=False),
    Column("who", Text, nullable=False),
    Column("round", Integer, nullable=False),
    Column("step", Integer, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("note", Text, nullable=False),
)
# Without the lines that are only a call's: a story that asks for those would go through them all by this index.
_of_incident = journal.c.incident.is_not(None)
Index("journal_incident", journal.c.incident, sqlite_where=_of_incident, postgresql_where=_of_incident)
_of_call = journal.c.call.is_not(None)
Index("journal_call", journal.c.call, sqlite_where=_of_call, postgresql_where=_of_call)

overrides = Table(
    "overrides",
    metadata,
    Column("id", Text, primary_key=True),
    Column("schedule", Text, nullable=False),
    Column("person", Text, nullable=False),
    Column("starts_at", Instant, nullable=False),
    Column("ends_at", Instant, nullable=False),
    Column("author", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("deleted_at", Instant),
)

calendars = Table(
    "calendars",
    metadata,
    Column("schedule", Text, primary_key=True),
    Column("fetched_at", Instant, nullable=False),
    Column("body", LargeBinary, nullable=False),
)

watchdogs = Table(
    "watchdogs",
    metadata,
    Column("name", Text, primary_key=True),
    # From here its silence counts: when it was seen last, or when it was first configured.
    Column("since", Instant, nullable=False),
    Column("seen", Boolean, nullable=False),
    # When its silence was told last; nothing as long as it comes.
    Column("told_at", Instant),
)

silences = Table(
    "silences",
    metadata,
    Column("incident", Text, primary_key=True),
    Column("fingerprint", Text, primary_key=True),
    # What Alertmanager calls it; nothing as long as it is only wanted, or its answer was lost.
    Column("silence", Text),
    # Set by callbridge, or by a human whose silence acknowledged the incident.
    Column("ours", Boolean, nullable=False),
    Column("ends_at", Instant),
    # When something must be done about it, and who claims it moves that ahead; nothing where nothing is to be done.
    Column("due_at", Instant),
)

probe = Table(
    "probe",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("filler", LargeBinary, nullable=False),
)
