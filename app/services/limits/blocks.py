"""Taking blocks of quotas from the database: one statement for all subjects that wait."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, text

from app.services.limits.policies import Policy

SHARE = 8
"""A block is at most this part of what is left, so that little lies idle with one process when another has none."""
SWEPT = 5_000


@dataclass(frozen=True, slots=True)
class Asked:
    """A process needs `need` of a subject's quota now; some of it may have been spent already."""

    policy: Policy
    subject: str
    need: int


@dataclass(frozen=True, slots=True)
class Block:
    """What it was given (0 where nothing is left), what is left for all, and for how long both count."""

    given: int
    left: int
    ends_in_s: float


_LOCK = text(
    "INSERT INTO rate_uses AS r (scope, subject_sha256, window_no, given, ends_at)"
    " SELECT scope, subject, 0, 0, clock_timestamp()"
    " FROM unnest(CAST(:scopes AS text[]), CAST(:subjects AS bytea[])) AS u (scope, subject)"
    " ORDER BY scope, subject"  # everybody locks in this order
    " ON CONFLICT (scope, subject_sha256) DO UPDATE SET given = r.given"
    " RETURNING scope, subject_sha256, window_no, given"
)
_NOW = text("SELECT extract(epoch FROM clock_timestamp())::float8")
_WRITE = text(
    "UPDATE rate_uses r SET window_no = u.window_no, given = u.given, ends_at = to_timestamp(u.ends_at)"
    " FROM unnest(CAST(:scopes AS text[]), CAST(:subjects AS bytea[]), CAST(:windows AS bigint[]),"
    " CAST(:given AS bigint[]), CAST(:ends AS float8[])) AS u (scope, subject, window_no, given, ends_at)"
    " WHERE r.scope = u.scope AND r.subject_sha256 = u.subject"
)
_SWEEP = text(
    "DELETE FROM rate_uses WHERE (scope, subject_sha256) IN (SELECT scope, subject_sha256 FROM rate_uses"
    f" WHERE ends_at < clock_timestamp() - interval '1 minute' LIMIT {SWEPT} FOR UPDATE SKIP LOCKED)"
)


def granted(policy: Policy, used: int, need: int) -> int:
    """How much of a quota a process gets of which `used` is given already: what it needs, or a block. Pure."""
    left = max(policy.quota - used, 0)
    return min(left, max(need, min(policy.block, left // SHARE)))


def take_blocks(tx: Connection, asked: Sequence[Asked]) -> list[Block]:
    """Give each of these what it gets, by the database's clock. Each subject is asked for once."""
    keys = [(str(one.policy.scope), hashlib.sha256(one.subject.encode()).digest()) for one in asked]
    scopes, subjects = [scope for scope, _ in keys], [subject for _, subject in keys]
    found = {
        (row.scope, bytes(row.subject_sha256)): (row.window_no, row.given)
        for row in tx.execute(_LOCK, {"scopes": scopes, "subjects": subjects})
    }
    now_s: float = tx.execute(_NOW).scalar_one()
    blocks, windows, given, ends = [], [], [], []
    for one, key in zip(asked, keys, strict=True):
        window_no = int(now_s // one.policy.window_s)
        of_window, used = found[key]
        used = used if of_window >= window_no else 0  # another process may be a moment ahead
        window_no = max(window_no, of_window if of_window - window_no == 1 else 0)
        block = granted(one.policy, used, one.need)
        ends_at_s = float((window_no + 1) * one.policy.window_s)
        blocks.append(Block(block, max(one.policy.quota - used - block, 0), ends_at_s - now_s))
        windows.append(window_no)
        given.append(used + block)
        ends.append(ends_at_s)
    tx.execute(_WRITE, {"scopes": scopes, "subjects": subjects, "windows": windows, "given": given, "ends": ends})
    return blocks


def sweep(tx: Connection) -> None:
    """Delete what was counted in windows that are over."""
    tx.execute(_SWEEP)
