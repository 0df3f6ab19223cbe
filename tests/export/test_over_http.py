"""The pack as an auditor downloads it: the files of `voucher export`, streamed, written down, holding up nobody."""

from __future__ import annotations

import io
import json
import tarfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Event

import pytest

from app.database import Database
from app.kernel.problems import AppError, Code
from app.kernel.vocabulary import Role
from app.services.export.archive import Abandoned, PackStream, stream
from app.services.export.export import Request, export
from app.services.export.handing_out import AT_ONCE, hand_out
from app.services.identity.principals import Caller, Grant, Principal
from app.services.sealing.keys import LogKeys
from app.services.sealing.seal import seal
from app.settings import Settings
from app.verifier.verify import Options, verify
from tests.sealing.trees import rows
from tests.tampering.books import Books, Copy
from tests.world import CIXI, HANGZHOU, NINGBO, City, Counter, World, counter, ok, problem

PATH = "/v1/ledger/export"
ASKED = {"region_code": HANGZHOU, "purpose": "年度审计 2026"}


@dataclass
class Sealed:
    """A city with a redemption in its sealed log."""

    city: City
    till: Counter
    vkeys: tuple[str, ...]
    size: int


@pytest.fixture
def sealed(world: World, database: Database, sealing: Database, settings: Settings) -> Sealed:
    city = world.city()
    till = counter(city)
    ok(till.redeem(1_000))
    keys = LogKeys.from_settings(settings)
    while sealing.transact(lambda tx: seal(tx, region_code=HANGZHOU, keys=keys)):
        pass
    ((size,),) = rows(database, "SELECT size FROM logs")
    vkeys = tuple(one.verifier.vkey for one in keys.signers(keys.origin(HANGZHOU)))
    return Sealed(city, till, vkeys, size)


def unpacked(archive: bytes, folder: Path) -> Path:
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:") as tar:
        tar.extractall(folder, filter="data")
    (inside,) = folder.iterdir()
    return inside


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_what_is_downloaded_is_what_the_command_writes(
    sealed: Sealed, database: Database, settings: Settings, tmp_path: Path
) -> None:
    signers = LogKeys.from_settings(settings).signers
    own = Request(tmp_path / "own", HANGZHOU, vkeys=lambda origin: [one.verifier.vkey for one in signers(origin)])
    export(database, own)
    answer = sealed.city.auditor.get(PATH, **ASKED)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/x-tar")
    assert answer.headers["content-disposition"] == 'attachment; filename="voucher-pack-330100.tar"'
    assert answer.headers["tree-size"] == f"330100={sealed.size}"
    folder = unpacked(answer.content, tmp_path / "received")
    assert folder.name == "voucher-pack-330100"
    received, written = contents(folder), contents(tmp_path / "own")
    manifests = [json.loads(one.pop("manifest.json")) for one in (received, written)]
    assert received == written
    assert manifests[0] | {"taken_at": ""} == manifests[1] | {"taken_at": ""}
    (tmp_path / "pack.tar").write_bytes(answer.content)
    for place in (folder, tmp_path / "pack.tar"):
        report = verify(place, Options(sealed.vkeys))
        assert report.is_right, report.to_text()
        assert report.regions[0].leaves == sealed.size


def test_a_download_is_an_audit_event_with_its_purpose(sealed: Sealed, database: Database) -> None:
    assert sealed.city.auditor.get(PATH, **ASKED).status_code == 200
    (event,) = rows(database, "SELECT * FROM audit_events WHERE action = 'export'")
    assert (event.region_code, event.object_id, event.principal_id) == (HANGZHOU, HANGZHOU, sealed.city.auditor.id)
    assert json.loads(event.details) == {"purpose": "年度审计 2026", "sizes": [f"330100 {sealed.size}"]}


def test_a_pack_is_for_auditors_of_the_region_who_say_what_it_is_for(sealed: Sealed, world: World) -> None:
    city = sealed.city
    assert world.anonymous().get(PATH, params=ASKED).status_code == 401
    for actor in (city.finance, city.maker, sealed.till.machine):
        problem(actor.get(PATH, **ASKED), 403, "forbidden")
    problem(world.city(CIXI).auditor.get(PATH, **ASKED), 404, "not_found")
    problem(city.auditor.get(PATH, region_code=HANGZHOU), 422, "validation_failed")
    problem(city.auditor.get(PATH, region_code=HANGZHOU, purpose=" "), 422, "validation_failed")
    assert rows(world.database, "SELECT * FROM audit_events WHERE action = 'export'") == []


def test_the_log_must_be_as_long_as_the_head_that_the_auditor_holds(sealed: Sealed, world: World) -> None:
    told = problem(sealed.city.auditor.get(PATH, **ASKED, tree_size=sealed.size + 1), 422, "validation_failed")
    assert told["errors"] == [
        {
            "pointer": "/query/tree_size",
            "code": "beyond_the_log",
            "detail": f"there are {sealed.size} leaves",
            "limit": sealed.size,
            "actual": sealed.size + 1,
        }
    ]
    assert rows(world.database, "SELECT * FROM audit_events WHERE action = 'export'") == []
    assert sealed.city.auditor.get(PATH, **ASKED, tree_size=sealed.size).status_code == 200


# -- the stream by itself ---------------------------------------------------------------------------------------------


def begun(copy: Copy, place: Path, ended: Callable[[], None] = lambda: None, **changes: object) -> PackStream:
    (at,) = rows(copy.database, "SELECT now()")[0]
    request = Request(place, **({"leaves_per_file": 16} | changes))  # type: ignore[arg-type]
    return stream(copy.database, request, name="pack", at=at, ended=ended)


def wait(until: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not until():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_receiver_who_takes_nothing_holds_no_transaction_open(books: Books, tmp_path: Path) -> None:
    ended = Event()
    with books.copy() as copy:
        pack = begun(copy, tmp_path, ended.set)
        wait(lambda: any(tmp_path.rglob("manifest.json")))
        wait(lambda: copy.database.engine.pool.checkedout() == 0)  # type: ignore[attr-defined]
        copy.tamper("UPDATE pools SET available_fen = 0")
        archive = b"".join(pack)
    assert len(archive) % tarfile.RECORDSIZE == 0
    assert ended.wait(20)
    assert list(tmp_path.iterdir()) == [], "all that was written is removed"
    (tmp_path / "pack.tar").write_bytes(archive)
    report = verify(tmp_path / "pack.tar", Options(books.vkeys))
    assert report.is_right, report.to_text()
    assert pack.sizes == {HANGZHOU: report.regions[0].leaves, NINGBO: report.regions[1].leaves}


def test_a_pack_that_nobody_takes_any_more_is_removed(books: Books, tmp_path: Path) -> None:
    ended, dropped = Event(), Event()
    with books.copy() as copy:
        pack = begun(copy, tmp_path, dropped.set)
        del pack  # before its first byte was asked for
        taking = iter(begun(copy, tmp_path, ended.set))
        next(taking)
        del taking
        assert dropped.wait(20) and ended.wait(20)
    assert list(tmp_path.iterdir()) == []


def test_an_export_that_breaks_off_breaks_off_its_archive(books: Books, tmp_path: Path) -> None:
    """The connection is lost after the first files. Begun again it would be another snapshot, so it is not."""
    ended = Event()
    with books.copy() as copy:
        pids = rows(copy.database, "SELECT pg_backend_pid() AS pid")

        def kill(_sizes: Mapping[str, int]) -> None:
            copy.tamper("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = :pid", pid=pids[0].pid)

        received: list[bytes] = []
        pack = begun(copy, tmp_path, ended.set, begun=kill)
        with pytest.raises(Abandoned, match="began twice"):
            received.extend(pack)
        assert ended.wait(20)
    assert b"manifest.json" not in b"".join(received)


def test_what_ends_it_before_the_first_file_is_raised_at_once(books: Books, tmp_path: Path) -> None:
    def refuse(_sizes: Mapping[str, int]) -> None:
        raise AppError(Code.NOT_FOUND, what="log")

    ended = Event()
    with books.copy() as copy:
        with pytest.raises(AppError):
            begun(copy, tmp_path, ended.set, begun=refuse)
        assert ended.wait(20)
    assert list(tmp_path.iterdir()) == []


def test_no_more_packs_are_made_at_once_than_a_process_bears(books: Books) -> None:
    grants = (Grant(Role.AUDITOR, "330000", None),)
    caller = Caller(
        Principal("usr_00000000000000000000000001", "org_00000000000000000000000001", "330000", grants), "t"
    )
    keys = LogKeys.from_settings(books.settings)
    with books.copy() as copy:

        def take() -> PackStream:
            return hand_out(copy.database, keys, caller=caller, region_code=NINGBO, purpose="test")

        packs = [take() for _ in range(AT_ONCE)]
        with pytest.raises(AppError) as refused:
            take()
        assert refused.value.code is Code.BUSY
        sent = b"".join(packs.pop())
        assert b"manifest.json" in sent
        packs.append(_patiently(take))
        for pack in packs:
            assert len(b"".join(pack)) > 0


def _patiently(take: Callable[[], PackStream]) -> PackStream:
    """A place is free when the files of the pack before are removed."""
    deadline = time.monotonic() + 20
    while True:
        try:
            return take()
        except AppError:
            assert time.monotonic() < deadline
            time.sleep(0.01)
