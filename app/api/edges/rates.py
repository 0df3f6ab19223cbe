"""Rate limits at the door: who calls is counted, and told in `RateLimit` and `RateLimit-Policy` how it stands.

A request with a token that was verified a moment ago counts for its client or person, every other for the address that
it comes from: so whoever floods the service without a token, or with wrong ones, spends his own address's quota and no
client's. What names a voucher counts for the voucher too: by its code (redeeming, holding, looking) for all callers
together, for that is what weighs on its row; by its id in an address for this caller alone, since nobody is known yet
to have anything to do with it, and a stranger must not use up what its firm has. Probes of the service's health are
not counted.
"""

from __future__ import annotations

from anyio import from_thread
from fastapi import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.authentication import UNKNOWN_SOURCE
from app.api.context import Service
from app.api.edges.refusing import refuse
from app.kernel.problems import AppError, Code
from app.kernel.vocabulary import RateScope
from app.services.limits.policies import Standing, limit_header, network_of, policy_header
from app.services.limits.rates import Rates

UNCOUNTED = frozenset({"/healthz", "/readyz", "/metrics"})
VOUCHERS = ("/v1/vouchers/vch_", "/portal/vouchers/vch_")
WHOSE = {RateScope.CLIENT: "caller", RateScope.SOURCE: "network address", RateScope.VOUCHER: "voucher"}
STATE = "rate_standings"


class RateLimits:
    """Counts requests, refuses those over a quota with 429, and writes the headers."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Count the request before anything is done for it."""
        if scope["type"] != "http" or scope["path"] in UNCOUNTED:
            await self._app(scope, receive, send)
            return
        service: Service = scope["app"].state.service
        standings: list[Standing] = []
        scope.setdefault("state", {})[STATE] = standings

        async def send_with_standings(message: Message) -> None:
            if message["type"] == "http.response.start" and standings:
                message["headers"] = [
                    *message.get("headers", []),
                    (b"ratelimit-policy", policy_header(standings).encode()),
                    (b"ratelimit", limit_header(standings).encode()),
                ]
            await send(message)

        try:
            caller = await _count_caller(scope, service)
            voucher_id = _voucher_of(scope["path"])
            if voucher_id is not None:
                await count_voucher(scope, service.rates, f"{voucher_id} {caller}")
        except AppError as error:
            await refuse(scope, receive, send_with_standings, error)
            return
        await self._app(scope, receive, send_with_standings)


async def _count_caller(scope: Scope, service: Service) -> str:
    """Count the request for its client or person, or for its network, and say which."""
    token = next((value for name, value in scope["headers"] if name == b"authorization"), b"").partition(b" ")[2]
    principal = service.principal_cache.get(token.strip().decode("latin-1")) if token else None
    if principal is not None:
        _note(scope, await service.rates.of_client(principal.id))
        return principal.id
    network = network_of(scope["client"][0] if scope["client"] else UNKNOWN_SOURCE)
    _note(scope, await service.rates.of_source(network))
    return network


async def count_voucher(scope: Scope, rates: Rates, named: str | None, cost: int = 1) -> None:
    """Count requests about a voucher, as it is named: by its code, by its id or by a hold's. Raises `rate_limited`."""
    if named is not None:
        _note(scope, await rates.of_voucher(named, cost))


def count_voucher_from_thread(request: Request, rates: Rates, named: str | None) -> None:
    """The same for a route that runs in a thread."""
    from_thread.run(count_voucher, request.scope, rates, named)


async def count_rows(scope: Scope, rates: Rates, client_id: str, rows: int) -> None:
    """Count a batch's rows as so many requests of its client, of which the batch is one. Raises `rate_limited`."""
    if rows > 1:
        _note(scope, await rates.of_client(client_id, rows - 1))


def _note(scope: Scope, standing: Standing | None) -> None:
    if standing is None:
        return
    standings: list[Standing] = scope["state"].setdefault(STATE, [])
    standings[:] = [one for one in standings if one.policy != standing.policy]
    standings.append(standing)
    if not standing.allowed:
        raise too_many(standing)


def too_many(standing: Standing) -> AppError:
    """The refusal of who is over a quota."""
    policy = standing.policy
    return AppError(
        Code.RATE_LIMITED,
        whose=WHOSE[policy.scope],
        limit=policy.quota,
        window_s=policy.window_s,
        wait_s=standing.reset_s,
        retry_after_s=standing.reset_s,
    )


def _voucher_of(path: str) -> str | None:
    if not path.startswith(VOUCHERS):
        return None
    return path.split("/", 4)[3]
