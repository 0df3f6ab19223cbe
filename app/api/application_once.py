"""An act on applications, done once under its key: what the routes of firms and of officials share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Request, Response
from sqlalchemy import Connection

from app.api.application_bodies import ApplicationJudged, shown_judged
from app.api.authentication import CallerDep
from app.api.context import Service, ServiceDep
from app.api.fields import Wire
from app.api.keys import IdempotencyKey, R, created, do_once
from app.kernel.ids import require_region
from app.services.applications.judging import Judged
from app.services.applications.reads import show
from app.services.applications.records import ApplicationRecord
from app.services.idempotency import Answer
from app.services.identity.principals import Caller

Filled = tuple[ApplicationRecord, Judged | None]
"""An application after an act, and how the rules judged it where they did."""


@dataclass(frozen=True, slots=True)
class Once:
    """A request with an Idempotency-Key: whose it is, and what does it once."""

    caller: Caller
    key: str
    service: Service
    request: Request

    def act(self, act: str, application_id: str, body: Wire | None, work: Callable[[Connection], Filled]) -> Response:
        """Do an act on one application and answer with what it is then."""
        asked = {"application_id": application_id, **(body.model_dump(mode="json") if body else {})}
        return self.judged(f"POST /v1/applications/{{id}}/{act}", application_id, asked, work, status=200)

    def judged(
        self,
        route: str,
        regional_id: str,
        command: Mapping[str, Any],
        work: Callable[[Connection], Filled],
        *,
        status: int,
    ) -> Response:
        """Do the work and answer with the application that it leaves."""

        def shown(tx: Connection) -> ApplicationJudged:
            application, judged = work(tx)
            return shown_judged(show(tx, application), judged)

        return self.do(route, regional_id, command, shown, render=lambda read: created(read, read.id, status=status))

    def do(
        self,
        route: str,
        regional_id: str,
        command: Mapping[str, Any],
        work: Callable[[Connection], R],
        render: Callable[[R], Answer],
    ) -> Response:
        """Do the work in the region of an id, and answer as `render` says. Raises `not_found` where it has none."""
        region_code = require_region(regional_id, what="programme" if regional_id.startswith("prg") else "application")
        return do_once(
            self.service,
            self.request,
            caller=self.caller,
            region_code=region_code,
            route=route,
            key=self.key,
            command=command,
            work=work,
            render=render,
        )


async def _once(caller: CallerDep, key: IdempotencyKey, service: ServiceDep, request: Request) -> Once:
    return Once(caller, key, service, request)


OnceDep = Annotated[Once, Depends(_once)]
