"""Waiting until a message is digested, by us or by another process that has taken it."""

from __future__ import annotations

import asyncio

from bridge.database import Database
from bridge.store import inbox


class Progress:
    """`made` wakes all who wait; each looks for itself whether it was its own message."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._next = asyncio.Event()

    def made(self) -> None:
        """Something was digested, here or elsewhere."""
        made, self._next = self._next, asyncio.Event()
        made.set()

    async def until_digested(self, seq: int) -> None:
        """Return once message `seq` is digested. Raises StoreUnavailable."""
        while True:
            following = self._next
            if await self._database.read(lambda connection: inbox.is_digested(connection, seq)):
                return
            await following.wait()
