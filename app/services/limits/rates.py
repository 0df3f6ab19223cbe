"""The three limits of the service, as its settings have them."""

from __future__ import annotations

from app.database import Database
from app.kernel.vocabulary import RateScope
from app.services.limits.limiter import Limiter
from app.services.limits.policies import Policy, Standing
from app.settings import Settings

LOCK_TIMEOUT_MS = 1_000


class Rates:
    """Who has how much of which quota left. A limit that is not set is never reached."""

    def __init__(self, settings: Settings) -> None:
        self._client = Policy.read(RateScope.CLIENT, settings.limit_client)
        self._source = Policy.read(RateScope.SOURCE, settings.limit_source)
        self._voucher = Policy.read(RateScope.VOUCHER, settings.limit_voucher)
        self._database = Database(settings.database_url, pool_size=1, lock_timeout_ms=LOCK_TIMEOUT_MS)
        self._limiter = Limiter(self._database)

    def close(self) -> None:
        """Let go of the connection."""
        self._limiter.close()
        self._database.dispose()

    async def of_client(self, principal_id: str, cost: int = 1) -> Standing | None:
        """Count requests of a client or a person; None where there is no limit."""
        return await self._take(self._client, principal_id, cost)

    async def of_source(self, network: str) -> Standing | None:
        """Count a request of nobody who is known, by the network it comes from."""
        return await self._take(self._source, network, 1)

    async def of_voucher(self, named: str, cost: int = 1) -> Standing | None:
        """Count requests that name a voucher."""
        return await self._take(self._voucher, named, cost)

    async def _take(self, policy: Policy | None, subject: str, cost: int) -> Standing | None:
        if policy is None:
            return None
        return await self._limiter.take(policy, subject, min(cost, policy.quota))
