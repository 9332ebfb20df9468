"""Lanes: transactions of one lane run one after the other; where a database allows it, the lanes go side by side."""

from __future__ import annotations

from enum import StrEnum


class Lane(StrEnum):
    """READ sees what is committed. WRITE is for decisions. DOOR is for what is short and cannot wait for those.

    What goes by the DOOR is one statement for a server, which commits it by itself. SQLite has one that writes: there
    DOOR waits for WRITE.
    """

    READ = "read"
    WRITE = "write"
    DOOR = "door"
