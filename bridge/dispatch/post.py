"""The writer's side of dispatch: which SMS are to be sent, and what came of each, every change in a transaction."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TypeVar

from sqlalchemy import Connection

from bridge.database import Database
from bridge.dispatch import Dispatch, HeldBack, texting
from bridge.dispatch.ledger import Ledger
from bridge.errors import GatewayError, GatewayRefused, GatewayUnavailable
from bridge.escalation import Channel
from bridge.gateway import OutboundRow
from bridge.sms import Sms, SmsOutcome, SmsState
from bridge.store import pages, texts

T = TypeVar("T")

MOST_DUE = 500


class Post:
    """All that a `Writer` asks and tells."""

    def __init__(self, dispatch: Dispatch, database: Database) -> None:
        self._dispatch = dispatch
        self._database = database
        self.writing = dispatch.writing

    async def people_waiting(self) -> list[str]:
        """Everybody for whom a page waits that is to be told by SMS."""
        return await self._database.read(lambda connection: pages.people_waiting(connection, Channel.SMS))

    async def due(self, now: datetime) -> list[Sms]:
        """The SMS about which something must be done now."""
        return await self._database.read(lambda connection: texts.due(connection, now, MOST_DUE))

    async def next_due(self) -> datetime | None:
        """When something must be done about an SMS next."""
        return await self._database.read(texts.next_due)

    async def others_to(self, sms: Sms) -> list[str]:
        """The gateway's ids of other SMS to the same number by the same account at about that time."""
        since = (sms.requested_at or sms.created_at) - timedelta(hours=1)

        def look(connection: Connection) -> list[str]:
            return texts.gateway_ids_to(connection, sms.number, since, sms.account)

        return await self._database.read(look)

    async def begin(self, person: str, account: str) -> Sms | HeldBack | None:
        """Write down an SMS to `person` with all that waits for them, to be requested by that account."""
        return await self._dispatch.transact(
            lambda ledger: texting.begin(ledger, person, self._dispatch.snapshots, account)
        )

    async def begin_again(self, id_: str, account: str) -> Sms | None:
        """Request an SMS again that the gateway could not take; None: nothing is left to tell, or it is under way."""

        def again(ledger: Ledger, sms: Sms) -> Sms | None:
            if sms.state is not SmsState.QUEUED:
                return None
            return texting.begin_again(ledger, sms, self._dispatch.snapshots, account)

        return await self._with(id_, again)

    async def sent(self, id_: str, gateway_id: str | None, cost: float | None, note: str = "") -> None:
        """The gateway took the SMS."""
        await self._with(id_, lambda ledger, sms: texting.sent(ledger, sms, gateway_id, cost, note))

    async def found(self, id_: str, row: OutboundRow) -> None:
        """The gateway's journal has the SMS."""

        def tell(ledger: Ledger, sms: Sms) -> None:
            texting.sent(ledger, sms, row.gateway_id, row.cost, "found in the gateway's journal")
            present = texts.get(ledger.connection, sms.id)
            assert present is not None
            texting.apply_receipt(ledger, present, row.delivery)

        await self._with(id_, tell)

    async def failed(self, id_: str, error: GatewayError) -> None:
        """The gateway did not take the SMS, or nobody knows whether it did."""

        def tell(ledger: Ledger, sms: Sms) -> None:
            if isinstance(error, GatewayRefused):
                texting.finish(ledger, sms, SmsOutcome.REFUSED, str(error))
            elif isinstance(error, GatewayUnavailable):
                texting.unavailable(ledger, sms, error)
            else:
                texting.failed(ledger, sms, error)

        await self._with(id_, tell)

    async def not_taken(self, id_: str, error: GatewayError) -> None:
        """This account did not take the SMS, and another one may."""
        await self._with(id_, lambda ledger, sms: texting.unavailable(ledger, sms, error))

    async def not_found(self, asked: Sms, *, sure: bool) -> None:
        """The gateway knows nothing of an SMS that was looked up (`sure`), or it could not be asked."""

        def tell(ledger: Ledger, sms: Sms) -> None:
            # Another process may have looked it up too, and requested it again.
            if sms.version == asked.version:
                texting.not_found(ledger, sms, sure)

        await self._with(asked.id, tell)

    async def give_up(self, id_: str) -> None:
        """No receipt came in time, and the gateway's journal has none either."""
        await self._with(id_, texting.give_up)

    async def _with(self, id_: str, change: Callable[[Ledger, Sms], T]) -> T | None:
        def find(ledger: Ledger) -> T | None:
            sms = texts.get(ledger.connection, id_)
            return None if sms is None else change(ledger, sms)

        return await self._dispatch.transact(find)
