"""Jobs: requests with `Prefer: respond-async` are answered at once, and followed at `/v1/jobs/{id}`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import orjson
import structlog
from fastapi import APIRouter, Header, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BeforeValidator
from starlette.background import BackgroundTask

from app.api.authentication import CallerDep
from app.api.context import Service, ServiceDep
from app.api.fields import AnyId, Read, ShownInstant
from app.api.problems import commit_unknown, problem_response, validation_response
from app.database import CommitUnknown
from app.kernel.problems import AppError, Code
from app.kernel.vocabulary import JobKind, JobStage, JobStatus
from app.services.identity.principals import Caller
from app.services.jobs.jobs import JobRecord, begin_job, finish_job, heard_of, read_job
from app.services.jobs.progress import Progress, listening

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])

RESPOND_ASYNC = "respond-async"

log = structlog.get_logger(__name__)

Prefer = Annotated[
    str | None,
    Header(
        alias="Prefer",
        description="`respond-async`: answer 202 at once with a job, to be followed at `/v1/jobs/{id}` (RFC 7240)",
    ),
]


def _document(body: object) -> object:
    return orjson.loads(body) if isinstance(body, bytes) else body


class JobRead(Read):
    """How far a job has come. `answer` is what the request would have been answered, with its status, once finished.

    `lost`: the process that did it ended. Send the same request with the same Idempotency-Key again; it is done once.
    """

    id: str
    kind: JobKind
    subject: str
    status: JobStatus
    stage: JobStage | None
    done: int
    total: int | None
    started_at: ShownInstant
    finished_at: ShownInstant | None
    answer_status: int | None
    answer: Annotated[dict[str, Any] | None, BeforeValidator(_document)]


ACCEPTED: dict[int | str, dict[str, Any]] = {
    202: {"model": JobRead, "description": "With `Prefer: respond-async`: the job that does it"}
}


@router.get("/{job_id}")
def read_one_job(job_id: AnyId, caller: CallerDep, service: ServiceDep) -> JobRead:
    """Your own job: stage, pieces done of all, and in the end the request's answer."""
    return JobRead.model_validate(service.database.transact(lambda tx: read_job(tx, caller=caller, job_id=job_id)))


def is_asynchronous(prefer: str | None) -> bool:
    """Whether the client would rather not wait (RFC 7240)."""
    return RESPOND_ASYNC in (part.partition(";")[0].strip().lower() for part in (prefer or "").split(","))


def as_job(
    service: Service,
    request: Request,
    caller: Caller,
    *,
    region_code: str,
    kind: JobKind,
    subject: str,
    work: Callable[[], Response],
) -> Response:
    """Answer 202 with a job, and do the work when that is sent; on SIGTERM it is waited for like a request."""
    job = service.database.transact(
        lambda tx: begin_job(tx, caller=caller, region_code=region_code, kind=kind, subject=subject)
    )
    headers = {"Location": f"/v1/jobs/{job.id}", "Preference-Applied": RESPOND_ASYNC, "Retry-After": "1"}
    return Response(
        JobRead.model_validate(job).model_dump_json(),
        status_code=202,
        media_type="application/json",
        headers=headers,
        background=BackgroundTask(_do, service, request, job, work),
    )


def _do(service: Service, request: Request, job: JobRecord, work: Callable[[], Response]) -> None:
    progress = Progress()
    with heard_of(service.database, job, progress), listening(progress):
        answer = _answered(request, work)
    service.database.transact(
        lambda tx: finish_job(tx, job=job, progress=progress, status=answer.status_code, answer=bytes(answer.body))
    )


def _answered(request: Request, work: Callable[[], Response]) -> Response:
    """The answer that the request itself would have had, whatever happens."""
    try:
        return work()
    except AppError as refusal:
        return problem_response(request, refusal)
    except RequestValidationError as error:
        return validation_response(request, error)
    except CommitUnknown:
        return commit_unknown(request)
    except Exception as error:
        log.error("job.failed", path=request.url.path, request_id=request.state.request_id, exc_info=error)
        return problem_response(request, AppError(Code.INTERNAL_ERROR))
