"""How things look: the templates, times in the operator's zone, and words.

Everything that a template writes is escaped, and without secrets; for who has no credentials it has no telephone
number either, wherever it comes from: that is done to each value on its way out, so that no template can forget it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from markupsafe import Markup

from bridge import __version__
from bridge.logs import redact, without_secrets
from bridge.web.static import address_of

TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True, slots=True)
class Times:
    """Instants as they are written at `now`, in `zone`."""

    zone: ZoneInfo
    now: datetime

    def iso(self, at: datetime) -> str:
        """For programs."""
        return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def short(self, at: datetime) -> str:
        """The time of day; of another day with that day."""
        local, today = at.astimezone(self.zone), self.now.astimezone(self.zone).date()
        if local.date() == today:
            return f"{local:%H:%M:%S}"
        year = "" if local.year == today.year else f" {local.year}"
        return f"{local:%a} {local.day} {local:%b}{year}, {local:%H:%M}"

    def full(self, at: datetime) -> str:
        """Everything, with the zone."""
        local = at.astimezone(self.zone)
        return f"{local:%A} {local.day} {local:%B} {local.year}, {local:%H:%M:%S %Z}"

    def ago(self, at: datetime) -> str:
        """How long ago, or in how long."""
        length = self.now - at
        if abs(length) < timedelta(seconds=1):
            return "now"
        return f"{span(length)} ago" if length > timedelta(0) else f"in {span(-length)}"


def span(length: timedelta) -> str:
    """A length of time in its two largest units."""
    seconds = round(abs(length).total_seconds())
    units = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))
    parts = []
    for name, size in units:
        if seconds >= size:
            parts.append(f"{seconds // size} {name}")
            seconds %= size
        elif parts:
            break
    return " ".join(parts[:2]) or "0 s"


def linkable(text: str) -> bool:
    """Whether a stranger's text is an address to go to: of the web, and nothing else (`javascript:` is none)."""
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.netloc) and not any(one.isspace() for one in text)


def euro(amount: float | None) -> str:
    """An amount of money; nothing where it is not known."""
    if amount is None:
        return ""
    return f"{amount:.2f} €" if round(amount, 2) == round(amount, 4) else f"{amount:.4f}".rstrip("0") + " €"


def render(template: str, zone: ZoneInfo, now: datetime, shown: Mapping[str, object]) -> str:
    """The page of a template."""
    return _environment().get_template(template).render(shown, at=Times(zone, now), now=now, zone=zone.key)


@cache
def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_private,
    )
    made.globals |= {"static": address_of, "version": __version__}
    made.filters |= {"span": span, "euro": euro}
    made.tests |= {"linkable": linkable}
    return made


@pass_context
def _private(context: Context, value: object) -> object:
    """A value as this visitor may see it."""
    if value is None:
        return ""
    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    return without_secrets(value) if context["visitor"].may_act else redact(value)
