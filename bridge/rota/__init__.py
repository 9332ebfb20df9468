"""Keeps the rosters current: the file's schedules with their calendars and with the overrides that people made.

sources     a calendar's bytes, from a file or a URL        calendars   what is made of them, and kept
keeper      Rota: reads, refreshes, swaps the roster        doubts      gaps and names, for who checks a config
asked       an override as somebody wants it
"""

from __future__ import annotations

from bridge.rota.asked import WrongOverride, asked_override, there_is_none
from bridge.rota.calendars import AHEAD, BEHIND, not_read, place, with_file_calendars
from bridge.rota.doubts import called_by_policies, doubts
from bridge.rota.keeper import Rota

__all__ = [
    "AHEAD",
    "BEHIND",
    "Rota",
    "WrongOverride",
    "asked_override",
    "called_by_policies",
    "doubts",
    "not_read",
    "place",
    "there_is_none",
    "with_file_calendars",
]
