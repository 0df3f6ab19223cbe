"""create_app(): routers, middleware, lifespan. Nothing else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute
from fastapi.telemetry import TelemetryConfig

from app import logs
from app.api import (
    accelerators,
    allocation_lists,
    allocation_rounds,
    application_acts,
    application_queue,
    application_reviews,
    applications,
    approval_bands,
    approvals,
    audit_events,
    bank_lists,
    calendars,
    client_keys,
    clients,
    debarments,
    delegations,
    disclosure,
    docs_page,
    events,
    health,
    holds,
    issuance_batches,
    jobs,
    ledger,
    log_tiles,
    metrics,
    movements,
    notices,
    oauth,
    organisations,
    outside_identities,
    packs,
    payee_accounts,
    payment_codes,
    payment_orders,
    personal_tokens,
    portal,
    problems,
    programmes,
    proofs,
    public_notices,
    quotas,
    quotes,
    reconciliation_cases,
    reconciliations,
    recoveries,
    red_letters,
    redemption_batches,
    redemptions,
    refunds,
    registry_lists,
    related_parties,
    relations,
    reports,
    retention,
    rule_versions,
    rules,
    second_factors,
    simulations,
    statements,
    system,
    uploads,
    users,
    voucher_acts,
    vouchers,
    waitlist,
    year_closes,
)
from app.api.context import Service
from app.api.documentation import describe
from app.api.edges.installing import guard
from app.api.portal.openid import callback_uri
from app.api.principal_cache import PrincipalCache
from app.api.single_flight import SingleFlight
from app.database import Database
from app.openid import Provider, load_providers
from app.outbound import networks
from app.reach import EVERYWHERE
from app.services.auditing.erasing import eraser
from app.services.auditing.refusals import Refusals
from app.services.desk.gatherer import Desk
from app.services.disclosure import Disclosure
from app.services.encrypted_fields.keys import FieldKeys
from app.services.identity.passwords import Passwords
from app.services.identity.proving import Proving
from app.services.identity.tokens import Tokens
from app.services.limits.rates import Rates
from app.services.notices.pace import Pace
from app.services.old_answers import body_dropper
from app.services.reconciliation.nightly import nightly_check
from app.services.redemption.batch import decide_batch
from app.services.sealing.keys import LogKeys
from app.services.sealing.receipts import Receipts
from app.services.sweeper import sweeper
from app.services.vouchers.payment_secrets import PaymentSecrets
from app.settings import Settings

ROUTERS = (
    oauth.router,
    organisations.router,
    registry_lists.router,
    relations.router,
    debarments.router,
    users.router,
    outside_identities.router,
    clients.router,
    client_keys.router,
    personal_tokens.router,
    second_factors.router,
    programmes.router,
    quotas.router,
    rule_versions.router,
    rules.router,
    simulations.router,
    quotes.router,
    accelerators.router,
    approvals.router,
    calendars.router,
    public_notices.router,
    notices.router,
    approval_bands.router,
    delegations.router,
    issuance_batches.router,
    allocation_lists.router,
    allocation_rounds.router,
    waitlist.router,
    application_acts.router,
    application_queue.router,
    applications.router,
    application_reviews.router,
    uploads.router,
    jobs.router,
    vouchers.router,
    voucher_acts.router,
    related_parties.router,
    payment_codes.router,
    redemptions.router,
    refunds.router,
    red_letters.router,
    holds.router,
    events.router,
    redemption_batches.router,
    payee_accounts.router,
    payment_orders.router,
    recoveries.router,
    ledger.router,
    packs.router,
    movements.router,
    proofs.router,
    log_tiles.router,
    audit_events.router,
    retention.router,
    system.router,
    statements.router,
    bank_lists.router,
    reconciliations.router,
    reconciliation_cases.router,
    reports.router,
    disclosure.router,
    year_closes.router,
    health.router,
    metrics.router,
)


NO_TELEMETRY: TelemetryConfig = {"tracing": False, "metrics": False, "logs": False}
"""Nobody listens. Finding that out anew for each request, in the environment, took 5% of a redemption's time."""

DESK_LOCK_TIMEOUT_MS = 250
"""The writer has a connection of its own, which nobody can starve, and waits for no lock for long."""

DESK_SETTINGS = {
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "jit": "off",
}
"""Each statement of the desk looks up a few keys, so there is one right plan: an index, key by key. Kept for a while.

Left to itself PostgreSQL plans a statement for one key anew every time, because its general plan, reckoned for ten
keys, seems dearer; that was a quarter of its work for a lone redemption.
"""


def create_app(settings: Settings) -> FastAPI:
    """The service as an ASGI application. It connects and starts its desk when it is started, not before."""
    database = Database(settings.database_url, pool_size=settings.pool_size)
    writers = Database(settings.database_url, pool_size=1, lock_timeout_ms=DESK_LOCK_TIMEOUT_MS, settings=DESK_SETTINGS)
    desk = Desk(
        writers,
        decide_batch,
        batch_limit=settings.desk_batch_limit,
        queue_limit=settings.desk_queue_limit,
    )

    everywhere = database.reaching(EVERYWHERE)
    providers = load_providers(settings.openid_file) if settings.openid_file else ()
    refusals = Refusals(everywhere)
    beside = [
        sweeper(everywhere, every_s=settings.sweep_every_s),
        *([nightly_check(everywhere, settings.reconcile_at)] if settings.reconcile_at is not None else []),
        body_dropper(everywhere, keep=timedelta(days=settings.keep_answers_days)),
        eraser(everywhere, keep_sessions=timedelta(days=settings.keep_sessions_days)),
    ]

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        rates = Rates(settings)
        log_keys = LogKeys.from_settings(settings)
        tokens = Tokens.from_settings(settings)
        inside = networks(settings.outbound_networks)
        openid = {
            one.id: Provider(one, redirect_uri=callback_uri(settings, one.id), networks=inside) for one in providers
        }
        app.state.service = Service(
            settings=settings,
            database=database,
            desk=desk,
            tokens=tokens,
            payment_secrets=PaymentSecrets.from_settings(settings),
            log_keys=log_keys,
            receipts=Receipts.from_settings(settings, log_keys),
            field_keys=FieldKeys.from_settings(settings),
            passwords=Passwords(),
            proving=Proving(database, tokens.keys, issuer=tokens.issuer, wants_nonce=settings.dpop_nonce),
            principal_cache=PrincipalCache(settings.principal_cache_s),
            verifying=SingleFlight(),
            objections=Pace(),
            disclosure=Disclosure(everywhere),
            rates=rates,
            refusals=refusals,
            openid=openid,
        )
        desk.start()
        refusals.start()
        for thread in beside:
            thread.start()
        yield
        for thread in reversed(beside):
            thread.stop()
        refusals.stop()
        for provider in openid.values():
            await provider.close()
        desk.stop()
        rates.close()
        writers.dispose()
        database.dispose()

    app = FastAPI(
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
        generate_unique_id_function=_operation_id,
        telemetry=NO_TELEMETRY,
    )
    problems.install(app)
    guard(app, settings)
    for router in ROUTERS:
        app.include_router(router)
    portal.mount(app)
    docs_page.mount(app)
    describe(app)
    return app


def create_app_from_environment() -> FastAPI:
    """What uvicorn calls in each worker."""
    logs.configure()
    return create_app(Settings())


def openapi_document() -> dict[str, Any]:
    """The published contract, without a database."""
    return create_app(Settings(database_url="postgresql+psycopg://nobody@localhost/none")).openapi()


def _operation_id(route: APIRoute) -> str:
    return route.name
