"""A call that was let in, as its endpoint finds it."""

from dataclasses import dataclass, replace
from datetime import datetime

from tollway.admission.core import Snapshot
from tollway.admission.entities import Cost
from tollway.admission.gatehouse import Gatehouse, Origin
from tollway.admission.recording import RecordedReply
from tollway.customers.callers import Caller
from tollway.kit.db import Transaction


@dataclass(frozen=True, slots=True)
class Admitted:
    """A call with an API key that was let in, as its endpoint finds it in the request's state."""

    gatehouse: Gatehouse
    snapshot: Snapshot
    cost: Cost
    origin: Origin
    reply: RecordedReply

    @property
    def caller(self) -> Caller:
        """Who calls, from where."""
        return replace(self.snapshot.recognised.caller, address=self.origin.address)

    async def assert_current(self, tx: Transaction, now: datetime) -> None:
        """Raise what refuses it by now, in the transaction of its effect."""
        await self.gatehouse.assert_current(tx, self.snapshot, self.cost, self.origin.address, now)
