"""What is carried over from another system, and what is not."""

from __future__ import annotations

from dataclasses import dataclass, field

from bridge.config.faults import Faults
from bridge.config.spot import Spot, root_of
from bridge.config.tree import compose
from bridge.errors import ConfigError, Fault

MOST_BYTES = 4 << 20


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody to call. `phone` in E.164, "" where the other system does not tell it."""

    name: str
    phone: str = ""
    email: str = ""


@dataclass(frozen=True, slots=True)
class Rotation:
    """People who take turns; `every` like `1w`, `start` like `2026-01-05 09:00`, `intervals` by name."""

    name: str
    people: tuple[str, ...]
    every: str
    start: str
    intervals: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Override:
    """One person for a time, in the schedule's time zone."""

    person: str
    start: str
    until: str


@dataclass(frozen=True, slots=True)
class Schedule:
    """Who is on call when: layers, or a calendar elsewhere."""

    timezone: str = ""
    rotations: tuple[Rotation, ...] = ()
    overrides: tuple[Override, ...] = ()
    calendar: str = ""


@dataclass(frozen=True, slots=True)
class Hours:
    """Some hours (`HH:MM` to `HH:MM`) of some weekdays (none: every day) in a time zone."""

    weekdays: tuple[str, ...]
    start: str
    end: str
    location: str


@dataclass(frozen=True, slots=True)
class Step:
    """Who is called side by side, and who gets an SMS; `wait` in seconds, None: as the config's default."""

    call: tuple[str, ...] = ()
    wait: int | None = None
    sms: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Policy:
    """Who is called, in which order."""

    steps: tuple[Step, ...]
    rounds: int = 1


@dataclass(frozen=True, slots=True)
class Route:
    """Where some alerts go. Without `matchers` it is written as a comment, and `was` says what it matched there."""

    policy: str
    matchers: tuple[str, ...] = ()
    was: str = ""


@dataclass(slots=True)
class Draft:
    """A config to be. `told` is what was found in the other system's file `file` and is not carried over."""

    file: str
    system: str
    people: dict[str, Person] = field(default_factory=dict)
    schedules: dict[str, Schedule] = field(default_factory=dict)
    intervals: dict[str, tuple[Hours, ...]] = field(default_factory=dict)
    policies: dict[str, Policy] = field(default_factory=dict)
    routes: list[Route] = field(default_factory=list)
    root: str = ""
    sender: str = ""
    told: Faults = field(init=False)

    def __post_init__(self) -> None:
        self.told = Faults(self.file)

    def lost(self, spot: Spot, what: str) -> None:
        """Say that what stands at `spot` is not carried over, or not as it was; and what to do instead."""
        self.told.tell(spot.line, spot.column, spot.where or "file", what, warning=True)

    @property
    def notes(self) -> tuple[Fault, ...]:
        """All that was not carried over, in the order of the other system's file."""
        return self.told.in_order()


def read(text: str, file: str, expected: str) -> Spot:
    """The file's tree. Raises ConfigError with everything that keeps it from being read as `expected`."""
    faults = Faults(file)
    if not text.strip():
        raise ConfigError([Fault(file, 1, 1, "file", f"is empty; name {expected}")])
    root = compose(text, faults.tell)
    if root is not None and root.entries is None:
        faults.tell(root.line, root.column, "file", f"{root.kind} stands here; name {expected}")
    if root is None or faults.fatal:
        raise ConfigError(faults.in_order())
    return root_of(root)


def text_at(spot: Spot, key: str) -> str:
    """The scalar under `key`; "" where there is none."""
    found = spot.at(key)
    return (found.text if found else None) or ""
