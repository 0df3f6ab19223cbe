"""Failed sign-ins, counted in the database: all workers see them, and a restart forgets none.

What is refused is refused by reading alone, before any password is hashed; so is what finds no place in the line for
hashing (`passwords.py`). What is tried adds four rows at most and takes twice as many forgotten ones away; hashing
bounds how many can be tried a second, and so how many rows there are.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert

from app.kernel.problems import AppError, Code
from app.models import KnownPlace, SignInFailures, User
from app.services.identity.opaque import digest
from app.services.identity.throttling import LOCK_AT, Count, Key, Scope, counted, key, network, rest_left
from app.sql import now

PLACES_KEPT = 40
PLACE_GOOD_FOR = timedelta(days=180)
SWEPT_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Place:
    """Where an attempt comes from: its network address, and what a browser or program was given when it got in."""

    source: str
    device: str | None = None


@dataclass(frozen=True, slots=True)
class Reserved:
    """An attempt that was let through and counts as failed until it is given back."""

    own: Key
    shared: tuple[Key, ...]
    """Of what strangers share; none where the place is known."""
    code: Key | None
    is_lock: bool
    """Whether this failure, if it is one, locks."""

    @property
    def keys(self) -> tuple[Key, ...]:
        """All that counts already."""
        return (self.own, *self.shared)


def look(tx: Connection, *, login: str, place: Place) -> bool:
    """Whether this login got in from this place before; reads alone. Raises `too_many_attempts`."""
    own, shared, _ = _keys(tx, login, place)
    _refuse_resting(_counts(tx, (own, *shared)), at=now(tx))
    return not shared


def reserve(tx: Connection, *, login: str, place: Place) -> Reserved:
    """Count an attempt on this login before it is judged. Raises `too_many_attempts`; then nothing is counted.

    A login that nobody has is treated like one that somebody has who was never here.
    """
    own, shared, code = _keys(tx, login, place)
    keys = (own, *shared)
    _refuse_resting(_counts(tx, keys), at=now(tx))  # without a lock: this is the way of all that is refused
    counts, at = _locked(tx, keys)
    _refuse_resting(counts, at=at)
    after = {one: counted(one.scope, counts.get(one), at=at) for one in keys}
    _write(tx, after)
    _sweep(tx, at=at)
    is_lock = after[own].failures >= LOCK_AT or any(after[one].rests_until is not None for one in shared)
    return Reserved(own, shared, code, is_lock)


def reserve_code(tx: Connection, reserved: Reserved) -> None:
    """Count an attempt at a code too, in the transaction that judges it. Raises `too_many_attempts`."""
    if reserved.code is None:
        return
    counts, at = _locked(tx, [reserved.code])
    _refuse_resting(counts, at=at)
    _write(tx, {reserved.code: counted(Scope.CODE, counts.get(reserved.code), at=at)})


def give_back(tx: Connection, reserved: Reserved, *, with_code: bool = False) -> None:
    """The attempt was none: what it counted is taken off again, and a rest that it began."""
    keys = [*reserved.keys, *([reserved.code] if with_code and reserved.code else [])]
    _locked(tx, keys)
    tx.execute(
        update(SignInFailures)
        .where(SignInFailures.key_sha256.in_([one.sha256 for one in keys]))
        .values(failures=func.greatest(SignInFailures.failures - 1, 0), rests_until=None)
    )


def got_in(tx: Connection, reserved: Reserved, *, user_id: str, place: Place, with_code: bool, at: datetime) -> None:
    """The person got in: forget the failures of this place, and know it from now on."""
    give_back(tx, reserved, with_code=with_code)
    tx.execute(delete(SignInFailures).where(SignInFailures.key_sha256 == reserved.own.sha256))
    known = [_address(place), *([_device(place.device)] if place.device else [])]
    tx.execute(
        insert(KnownPlace)
        .values([{"user_id": user_id, "place_sha256": one, "seen_at": at} for one in sorted(known)])
        .on_conflict_do_update(index_elements=["user_id", "place_sha256"], set_={"seen_at": at})
    )
    newest = (
        select(KnownPlace.place_sha256)
        .where(KnownPlace.user_id == user_id, KnownPlace.seen_at > at - PLACE_GOOD_FOR)
        .order_by(KnownPlace.seen_at.desc())
        .limit(PLACES_KEPT)
    )
    tx.execute(delete(KnownPlace).where(KnownPlace.user_id == user_id, KnownPlace.place_sha256.not_in(newest)))


def forgive(tx: Connection, *, login: str, source: str) -> None:
    """Whoever has just set a new password begins anew here."""
    keys = [key(Scope.OWN, login, network(source)), key(Scope.ACCOUNT, login)]
    tx.execute(delete(SignInFailures).where(SignInFailures.key_sha256.in_([one.sha256 for one in keys])))


def forget_places(tx: Connection, *, user_id: str) -> None:
    """No place is known any more: who signs out everywhere trusts none."""
    tx.execute(delete(KnownPlace).where(KnownPlace.user_id == user_id))


def _keys(tx: Connection, login: str, place: Place) -> tuple[Key, tuple[Key, ...], Key | None]:
    """Under what an attempt counts: known browsers and addresses for themselves, strangers together."""
    source = network(place.source)
    wanted = [_address(place), *([_device(place.device)] if place.device else [])]
    known = set(
        tx.execute(
            select(KnownPlace.place_sha256)
            .join(User, User.id == KnownPlace.user_id)
            .where(
                User.login == login,
                KnownPlace.place_sha256.in_(wanted),
                KnownPlace.seen_at > func.clock_timestamp() - PLACE_GOOD_FOR,
            )
        ).scalars()
    )
    if place.device and _device(place.device) in known:
        return key(Scope.OWN, login, "device", _device(place.device).hex()), (), None
    own = key(Scope.OWN, login, source)
    if _address(place) in known:
        return own, (), None
    return own, (key(Scope.ACCOUNT, login), key(Scope.SOURCE, source)), key(Scope.CODE, login)


def _counts(tx: Connection, keys: Iterable[Key], *, locked: bool = False) -> dict[Key, Count]:
    by_hash = {one.sha256: one for one in keys}
    query = select(SignInFailures).where(SignInFailures.key_sha256.in_(list(by_hash)))
    query = query.order_by(SignInFailures.key_sha256)
    rows = tx.execute(query.with_for_update() if locked else query)
    return {by_hash[bytes(row.key_sha256)]: Count(row.failures, row.rests_until, row.forgotten_at) for row in rows}


def _locked(tx: Connection, keys: Sequence[Key]) -> tuple[dict[Key, Count], datetime]:
    """The counts, with a row for each, locked in the order of the keys; and the instant after that."""
    fresh = [
        {"key_sha256": one, "failures": 0, "forgotten_at": func.clock_timestamp()}
        for one in sorted(one.sha256 for one in keys)
    ]
    tx.execute(insert(SignInFailures).values(fresh).on_conflict_do_nothing())
    return _counts(tx, keys, locked=True), now(tx)


def _write(tx: Connection, counts: dict[Key, Count]) -> None:
    rows = [
        {
            "key_sha256": one.sha256,
            "failures": count.failures,
            "rests_until": count.rests_until,
            "forgotten_at": count.forgotten_at,
        }
        for one, count in counts.items()
    ]
    written = insert(SignInFailures).values(rows)
    changed = {name: written.excluded[name] for name in ("failures", "rests_until", "forgotten_at")}
    tx.execute(written.on_conflict_do_update(index_elements=["key_sha256"], set_=changed))


def _sweep(tx: Connection, *, at: datetime) -> None:
    """Take forgotten rows away, more than one attempt adds, and none that somebody holds."""
    over = (
        select(SignInFailures.key_sha256)
        .where(SignInFailures.forgotten_at < at)
        .order_by(SignInFailures.forgotten_at)
        .limit(SWEPT_AT_ONCE)
        .with_for_update(skip_locked=True)
    )
    tx.execute(delete(SignInFailures).where(SignInFailures.key_sha256.in_(over)))


def _refuse_resting(counts: dict[Key, Count], *, at: datetime) -> None:
    left = max((rest_left(count, at=at) for count in counts.values()), default=timedelta(0))
    if left:
        seconds = math.ceil(left.total_seconds())
        raise AppError(Code.TOO_MANY_ATTEMPTS, seconds=seconds, retry_after_s=seconds)


def _address(place: Place) -> bytes:
    return digest(f"address\0{network(place.source)}")


def _device(device: str) -> bytes:
    return digest(f"device\0{device}")
