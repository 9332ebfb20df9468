"""What goes into speech and what comes out of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from bridge.alert import Alert, AlertStatus, common, severity_rank

# Under these no sentence that helps anybody fits.
FEWEST_CHARACTERS = 160
FEWEST_SECONDS = 5.0

# Where it is, the most telling label first: with kube-state-metrics `instance` names the exporter and not the patient.
PLACES = (
    "hostname", "host", "node", "nodename", "pod", "deployment", "statefulset", "daemonset", "instance", "service",
    "job",
)  # fmt: skip
SUMMARIES = ("summary", "title", "message", "description")


# From and until, in seconds from being answered.
Window = tuple[float, float]


class Kind(StrEnum):
    """How the gateway is to read it: plain text, TwiML (`xml=1`), or SSML."""

    TEXT = "text"
    XML = "xml"
    SSML = "ssml"


@dataclass(frozen=True, slots=True)
class Limits:
    """What one call may carry: characters (and as many bytes of UTF-8, the gateway's rule), seconds of speech.

    `parts`: it is no call but an SMS of so many parts at most, and time does not matter.
    """

    characters: int = 10_000
    seconds: float = 60.0
    parts: int | None = None

    def __post_init__(self) -> None:
        if self.characters < FEWEST_CHARACTERS or self.seconds < FEWEST_SECONDS:
            raise ValueError(f"speech needs at least {FEWEST_CHARACTERS} characters and {FEWEST_SECONDS:.0f} seconds")


@dataclass(frozen=True, slots=True)
class Speech:
    """What the phone says.

    `seconds` is an estimate (bridge.speech.estimate); `template` is the file that was used, "" if there was none;
    `fallback` says that the plain sentence had to stand in, and `problem` why, with file and line. A `problem` without
    `fallback` means that the template's own text was cut to fit. `told` of `total` incidents are told in words.
    `window`: between which seconds of being answered hanging up takes the call (bridge.speech.window); None: never.
    """

    text: str
    kind: Kind
    language: str
    seconds: float
    template: str
    fallback: bool
    problem: str
    told: int
    total: int
    window: Window | None = None


@dataclass(frozen=True, slots=True)
class Subject:
    """One incident as the phone tells it; `truncated` alerts were cut off by the sender and are not listed."""

    incident: str
    policy: str
    opened_at: datetime
    receiver: str
    external_url: str
    group_labels: Mapping[str, str]
    alerts: tuple[Alert, ...]
    truncated: int = 0
    status: str = "firing"

    @property
    def firing(self) -> tuple[Alert, ...]:
        return tuple(alert for alert in self.alerts if alert.firing)

    @property
    def resolved(self) -> tuple[Alert, ...]:
        return tuple(alert for alert in self.alerts if alert.status is AlertStatus.RESOLVED)

    @property
    def telling(self) -> tuple[Alert, ...]:
        """The alerts that are news: those that fire, or all of them where none does."""
        return self.firing or self.alerts

    @property
    def common_labels(self) -> dict[str, str]:
        return common(alert.labels for alert in self.alerts)

    @property
    def common_annotations(self) -> dict[str, str]:
        return common(alert.annotations for alert in self.alerts)

    @property
    def worst(self) -> Alert | None:
        """The most severe alert that is news, the oldest of these; None of an incident without alerts."""
        return min(self.telling, key=_badness, default=None)

    @property
    def rank(self) -> int:
        """How bad it is, 0 the worst (bridge.alert.severity_rank)."""
        return severity_rank(self.worst.labels if self.worst else self.group_labels)

    @property
    def severity(self) -> str:
        """The `severity` label of the worst alert, as it was written; "" if it has none."""
        return self.worst.labels.get("severity", "") if self.worst else ""

    @property
    def summary(self) -> str:
        """What its author wrote for people: of all alerts alike, else of the worst; "" if there is nothing."""
        shared = common(alert.annotations for alert in self.telling)
        return written(shared, self.worst.annotations if self.worst else {})


def written(*annotations: Mapping[str, str]) -> str:
    """The first of summary, title, message and description that says something, of the first that has it."""
    texts = (pairs.get(name, "") for name in SUMMARIES for pairs in annotations)
    return next((text for text in texts if text.strip()), "")


def worst_first(subjects: Sequence[Subject]) -> list[Subject]:
    """The order in which a phone tells them: by severity, then the oldest first."""
    return sorted(subjects, key=lambda subject: (subject.rank, subject.opened_at))


def _badness(alert: Alert) -> tuple[int, datetime]:
    return severity_rank(alert.labels), alert.starts_at
