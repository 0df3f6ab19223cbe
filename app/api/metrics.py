"""`GET /metrics`: how sealing and the desk are doing, in the text format that Prometheus reads.

A dozen lines, so they are written here and need no library. What is read from the database is the same in whichever
process answers; the desk's figures are this process's own and say so.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

from fastapi import APIRouter, Response

from app.api.context import ServiceDep
from app.reach import EVERYWHERE
from app.services.sealing.lag import Lag, read_lags

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

router = APIRouter(tags=["health"])


@router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
def read_metrics(service: ServiceDep) -> Response:
    """Sealing lag, queue and log size by region; commands waiting at this process's desk and answered by it."""
    lags = service.database.reaching(EVERYWHERE).transact(read_lags)
    process = f'{{process="{os.getpid()}"}}'
    lines = [*_by_region(lags)]
    lines += _metric("voucher_desk_waiting", "gauge", "Commands that wait at the desk.")
    lines.append(f"voucher_desk_waiting{process} {service.desk.waiting}")
    lines += _metric("voucher_desk_answered_total", "counter", "Redemptions and holds decided since the start.")
    lines.append(f"voucher_desk_answered_total{process} {service.desk.answered}")
    return Response("".join(f"{line}\n" for line in lines), media_type=CONTENT_TYPE)


def _by_region(lags: Sequence[Lag]) -> Iterator[str]:
    described = (
        ("voucher_seal_lag_seconds", "gauge", "Age of the oldest entry that waits to be sealed.", "lag_s"),
        ("voucher_seal_queue", "gauge", "Entries and audit events that wait to be sealed.", "waiting"),
        ("voucher_log_size", "counter", "Leaves of the region's log.", "size"),
    )
    for name, kind, told, attribute in described:
        yield from _metric(name, kind, told)
        for lag in lags:
            yield f'{name}{{region="{lag.region_code}"}} {getattr(lag, attribute):.10g}'


def _metric(name: str, kind: str, told: str) -> list[str]:
    return [f"# HELP {name} {told}", f"# TYPE {name} {kind}"]
