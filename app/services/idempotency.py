"""Doing a thing once: the key is claimed, the effect written and the answer stored in one transaction."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import Connection, Row, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import DBAPIError, IntegrityError

from app.database import CommitUnknown, Database, known_problem, timed_out_on_lock
from app.kernel.canonical import canonical
from app.kernel.problems import AppError, Code
from app.models import IdempotencyKey
from app.reach import enter
from app.services.identity.principals import Caller
from app.services.ledger.fences import try_fences
from app.sql import now

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back to the client: the status and the very bytes, which a replay repeats."""

    status: int
    body: bytes
    resource_id: str | None = None
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class Scope:
    """Where a key is unique: principal, route, and the region the command lands in."""

    region_code: str
    principal_id: str
    route: str
    key: str


def fingerprint(route: str, command: Mapping[str, Any]) -> bytes:
    """SHA-256 of the parsed command (not of the request's bytes: boundaries and spaces change between retries)."""
    return hashlib.sha256(canonical({"route": route, "command": dict(command)})).digest()


def replay_of(row: Row[Any], given: bytes) -> Answer:
    """The stored answer of a key. Raises AppError where the key stands for something else or the body is gone."""
    if bytes(row.fingerprint) != given:
        raise AppError(Code.IDEMPOTENCY_KEY_REUSED)
    if row.status is None:
        raise AppError(Code.REQUEST_IN_PROGRESS, retry_after_s=1)
    if row.body is None:
        raise replay_expired(row.status, row.resource_id)
    return Answer(row.status, bytes(row.body), row.resource_id, replayed=True)


def replay_expired(status: int, resource_id: str | None) -> AppError:
    """What is left of an answer whose body is gone: how it was answered, and the resource where something was done."""
    extra: dict[str, Any] = {"answered_with": status}
    if resource_id is not None:
        extra["resource_id"] = resource_id
    return AppError(Code.REPLAY_EXPIRED, answered_with=status, resource_id=resource_id or "-", extra=extra)


def run_once(
    database: Database,
    *,
    caller: Caller,
    region_code: str,
    route: str,
    key: str,
    command: Mapping[str, Any],
    work: Callable[[Connection], R],
    render: Callable[[R], Answer],
    render_refusal: Callable[[AppError], Answer | None],
) -> Answer:
    """Do `work` once for this key and return its answer; a repetition returns the stored bytes.

    The locks of the desk in the desk's order: the region's fence, the key, then whatever the work takes.
    A twin that arrives meanwhile waits at the key's row for the first to commit (lock_timeout: then
    `request_in_progress`). A refusal that `render_refusal` renders is stored, and everything the work had
    written is undone; one for which it returns None leaves no trace, and is raised. What a known constraint refuses
    (`CONSTRAINT_PROBLEMS`) is a refusal as any other.
    """
    scope = Scope(region_code, caller.principal_id, route, key)
    given = fingerprint(route, command)

    def once(tx: Connection) -> Answer:
        enter(tx, {region_code})
        try_fences(tx, {region_code}, wait=True)
        if not _claim(tx, scope, given):
            return replay_of(_stored(tx, scope), given)
        savepoint = tx.begin_nested()
        try:
            answer = render(work(tx))
        except (AppError, IntegrityError) as failure:
            savepoint.rollback()
            refusal = failure if isinstance(failure, AppError) else known_problem(failure)
            refused = render_refusal(refusal) if isinstance(refusal, AppError) else None
            if refused is None:
                raise
            answer = refused
        else:
            savepoint.commit()
        _store(tx, scope, answer)
        return answer

    try:
        return database.transact(once)
    except CommitUnknown:
        return database.transact(once)  # the key tells whether it happened


def _claim(tx: Connection, scope: Scope, given: bytes) -> bool:
    statement = (
        insert(IdempotencyKey)
        .values(
            region_code=scope.region_code,
            principal_id=scope.principal_id,
            route=scope.route,
            key=scope.key,
            fingerprint=given,
            created_at=now(tx),
        )
        .on_conflict_do_nothing()
        .returning(IdempotencyKey.key)
    )
    try:
        return tx.execute(statement).first() is not None
    except DBAPIError as error:
        if timed_out_on_lock(error):
            raise AppError(Code.REQUEST_IN_PROGRESS, retry_after_s=1) from error
        raise


def _stored(tx: Connection, scope: Scope) -> Any:
    return tx.execute(select(IdempotencyKey).where(*_matches(scope))).one()


def _store(tx: Connection, scope: Scope, answer: Answer) -> None:
    tx.execute(
        update(IdempotencyKey)
        .where(*_matches(scope))
        .values(status=answer.status, body=answer.body, resource_id=answer.resource_id)
    )


def _matches(scope: Scope) -> tuple[Any, ...]:
    return (
        IdempotencyKey.region_code == scope.region_code,
        IdempotencyKey.principal_id == scope.principal_id,
        IdempotencyKey.route == scope.route,
        IdempotencyKey.key == scope.key,
    )
