"""Requests that are answered at once and followed as jobs: the same work, the same answer, done once."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import text, update
from sqlalchemy.exc import DBAPIError

from app.kernel.vocabulary import JobStatus
from app.models import Job
from app.services.jobs.jobs import LOST_AFTER, status_of
from tests.issuance.sheets import workbook
from tests.issuance.test_batches import firm_of, grant, vouchers_of
from tests.world import Actor, World, ok, problem

ASYNC = {"Prefer": "handling=strict, respond-async"}


def send(by: Actor, programme_id: str, data: bytes, *, key: str, rows: int = 1, fen: int = 100_000) -> httpx.Response:
    form = {"programme_id": programme_id, "declared_count": rows, "declared_total_fen": fen}
    return by.post("/v1/issuance-batches", key=key, data=form, files={"file": ("清单.xlsx", data)}, headers=dict(ASYNC))


def finished(by: Actor, response: httpx.Response) -> dict[str, Any]:
    """The job once it has ended, within seconds."""
    assert (response.status_code, response.headers["preference-applied"]) == (202, "respond-async")
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        job: dict[str, Any] = ok(by.get(response.headers["location"]))
        if job["status"] != "running":
            return job
        time.sleep(0.05)
    raise AssertionError("the job did not end")


def test_a_batch_is_submitted_and_issued_by_jobs_that_tell_how_far_they_are(world: World) -> None:
    city = world.city()
    programme_id = city.programme()
    data = workbook([grant(firm_of(world))])
    accepted = send(city.maker, programme_id, data, key="once")
    begun = ok(accepted)
    assert (begun["kind"], begun["subject"], begun["status"], begun["answer"]) == (
        "submit_batch",
        "清单.xlsx",
        "running",
        None,
    )
    job = finished(city.maker, accepted)
    assert (job["status"], job["answer_status"], job["stage"], job["total"]) == ("succeeded", 201, "writing", 1)
    again = finished(city.maker, send(city.maker, programme_id, data, key="once"))
    assert (again["id"] == job["id"], again["answer"]) == (False, job["answer"])

    path = f"/v1/approvals/{job['answer']['approval_id']}/approve"
    issued = finished(city.checker, city.checker.post(path, key="yes", headers=dict(ASYNC)))
    assert (issued["kind"], issued["stage"], issued["done"], issued["total"]) == ("approve", "issuing", 1, 1)
    assert ok(city.checker.post(path, key="yes")) == issued["answer"]
    assert len(vouchers_of(city, programme_id)) == 1
    problem(city.checker.get(f"/v1/jobs/{job['id']}"), 404, "not_found")


def test_what_is_refused_is_the_jobs_answer(world: World) -> None:
    city = world.city()
    programme_id = city.programme()
    job = finished(city.maker, send(city.maker, programme_id, workbook([grant(firm_of(world), 面值=0)]), key="bad"))
    assert (job["status"], job["answer_status"], job["answer"]["code"]) == ("refused", 422, "sheet_invalid")
    assert [error["row"] for error in job["answer"]["errors"]] == [2]
    job = finished(city.maker, send(city.maker, programme_id, b"%PDF", key="pdf"))
    assert (job["status"], job["answer"]["code"]) == ("refused", "file_unreadable")
    problem(send(city.checker, programme_id, b"", key="x"), 403, "forbidden")  # before there is a job


def test_a_job_that_nobody_hears_of_is_lost_and_one_that_ended_is_not() -> None:
    at = datetime(2026, 6, 1, tzinfo=UTC)
    silent = at - LOST_AFTER
    assert status_of(None, silent + timedelta(seconds=1), at=at) is JobStatus.RUNNING
    assert status_of(None, silent, at=at) is JobStatus.LOST
    assert status_of(201, silent, at=at) is JobStatus.SUCCEEDED
    assert status_of(409, silent, at=at) is JobStatus.REFUSED
    assert status_of(503, silent, at=at) is JobStatus.FAILED


def test_the_answer_of_a_job_is_final_and_whose_it_is_never_changes(world: World) -> None:
    city = world.city()
    job = finished(city.maker, send(city.maker, city.programme(), b"%PDF", key="pdf"))
    with pytest.raises(DBAPIError, match=r"append-only|refuse"):
        world.database.transact(lambda tx: tx.execute(update(Job).where(Job.id == job["id"]).values(done=9)))
    with pytest.raises(DBAPIError, match="permission denied"):
        world.database.transact(lambda tx: tx.execute(text("UPDATE jobs SET principal_id = 'usr_other'")))
