"""Checkpoint, tiles, bundles and proofs over HTTP, read as an outsider reads them."""

from __future__ import annotations

import base64
from dataclasses import dataclass

import pytest

from app.database import Database
from app.embedded.databases import Urls
from app.services.sealing.keys import LogKeys
from app.services.sealing.seal import seal
from app.settings import Settings
from app.tlog.checkpoints import open_checkpoint
from app.tlog.keys import verifier
from tests.sealing.filling import fill
from tests.sealing.trees import consistency_of, hashes_of, leaf_hash, path_of, root_of, rows, tiles_of
from tests.world import CIXI, HANGZHOU, NINGBO, City, Counter, World, counter, ok, problem


@dataclass
class Log:
    """A city's log of some 700 leaves in three batches."""

    city: City
    till: Counter
    keys: LogKeys
    database: Database
    sealing: Database

    def seal(self, most: int = 5_000) -> None:
        while self.sealing.transact(lambda tx: seal(tx, region_code=HANGZHOU, keys=self.keys, most=most)):
            pass


@pytest.fixture
def log(world: World, database: Database, sealing: Database, urls: Urls, settings: Settings) -> Log:
    city = world.city()
    till = counter(city)
    log = Log(city, till, LogKeys.from_settings(settings), database, sealing)
    fill(urls.owner_url, ok(till.redeem(1_000))["entry_id"], 680)
    log.seal(most=300)
    return log


def decoded(bundle: bytes) -> list[bytes]:
    entries = []
    while bundle:
        length = int.from_bytes(bundle[:2], "big")
        entries.append(bundle[2 : 2 + length])
        bundle = bundle[2 + length :]
    return entries


def test_checkpoint_tiles_and_bundles_are_the_layout_of_tlog_tiles(log: Log, world: World) -> None:
    hashes = hashes_of(log.database, HANGZHOU)
    size = len(hashes)
    assert 512 < size < 768
    outsider = world.anonymous()
    note = outsider.get(f"/v1/logs/{HANGZHOU}/checkpoint")
    assert note.headers["content-type"] == "text/plain; charset=utf-8"
    keys = outsider.get(f"/v1/logs/{HANGZHOU}/keys").text.splitlines()
    checkpoint, _ = open_checkpoint(note.content, [verifier(key) for key in keys])
    assert (checkpoint.size, checkpoint.root) == (size, root_of(hashes))
    auditor = log.city.auditor
    for (level, number), content in tiles_of(hashes).items():
        width = len(content) // 32
        path = f"{number:03}" + ("" if width == 256 else f".p/{width}")
        tile = auditor.get(f"/v1/logs/{HANGZHOU}/tile/{level}/{path}")
        assert (tile.status_code, tile.content) == (200, content)
        assert tile.headers["content-type"] == "application/octet-stream"
        if level == 0:
            entries = decoded(auditor.get(f"/v1/logs/{HANGZHOU}/tile/entries/{path}").content)
            assert b"".join(leaf_hash(entry) for entry in entries) == content
    narrower = auditor.get(f"/v1/logs/{HANGZHOU}/tile/0/002.p/3")
    assert narrower.content == b"".join(hashes[512:515])


def test_a_tile_that_is_not_there_is_not_found(log: Log) -> None:
    for path in ["0/002", "0/999", "0/2", "0/000.p/0", "0/000.p/257", "5/000", "entries/003", "0/x"]:
        problem(log.city.auditor.get(f"/v1/logs/{HANGZHOU}/tile/{path}"), 404, "not_found")


def test_every_head_that_was_signed_can_be_asked_for(log: Log, world: World) -> None:
    outsider = world.anonymous()
    for batch in rows(log.database, "SELECT * FROM log_batches"):
        assert outsider.get(f"/v1/logs/{HANGZHOU}/checkpoint?size={batch.size}").text == batch.checkpoint
    problem(outsider.get(f"/v1/logs/{HANGZHOU}/checkpoint?size=299"), 404, "not_found")
    problem(outsider.get(f"/v1/logs/{NINGBO}/checkpoint"), 404, "not_found")
    problem(outsider.get("/v1/logs/000000/checkpoint"), 422, "validation_failed")


def test_a_cosignature_is_shown_with_the_checkpoint_of_its_size(log: Log, world: World) -> None:
    size = rows(log.database, "SELECT size FROM logs")[0].size
    line = "— audit.example AAAA"
    insert = "INSERT INTO log_cosignatures VALUES (:region, :size, 'audit.example', :line, now()) RETURNING size"
    rows(log.sealing, insert, region=HANGZHOU, size=size, line=line)
    assert world.anonymous().get(f"/v1/logs/{HANGZHOU}/checkpoint").text.endswith(f"\n{line}\n")


def test_tiles_are_for_the_regions_finance_and_auditors(log: Log, world: World) -> None:
    path = f"/v1/logs/{HANGZHOU}/tile/0/000"
    assert world.anonymous().get(path).status_code == 401
    ok_codes = [actor.get(path).status_code for actor in (log.city.auditor, log.city.finance)]
    assert ok_codes == [200, 200]
    problem(log.till.machine.get(path), 403, "forbidden")
    other = world.city(CIXI)
    for actor in (other.auditor, other.finance):
        problem(actor.get(path), 404, "not_found")
        problem(actor.get(f"/v1/logs/{HANGZHOU}/tile/entries/000"), 404, "not_found")


def test_inclusion_is_proved_in_every_tree_that_has_the_leaf(log: Log) -> None:
    hashes = hashes_of(log.database, HANGZHOU)
    leaves = rows(log.database, "SELECT leaf_index, leaf_id FROM log_leaves WHERE length(leaf_id) = 37")
    for leaf in [leaves[0], leaves[1], leaves[300], leaves[-1]]:
        for size in {leaf.leaf_index + 1, 640, len(hashes)}:
            if leaf.leaf_index >= size:
                continue
            body = ok(log.city.auditor.get("/v1/ledger/proofs/inclusion", entry_id=leaf.leaf_id, size=size))
            assert (body["leaf_index"], body["size"]) == (leaf.leaf_index, size)
            assert body["leaf_sha256"] == hashes[leaf.leaf_index].hex()
            assert [base64.b64decode(value) for value in body["proof"]] == path_of(leaf.leaf_index, hashes[:size])
            signed = size in {300, 600, len(hashes)}
            assert (body["checkpoint"] is not None) == signed


def test_consistency_is_proved_between_any_two_sizes(log: Log) -> None:
    hashes = hashes_of(log.database, HANGZHOU)
    for first, second in [(0, 5), (1, 2), (256, 300), (300, 600), (511, 513), (600, len(hashes)), (513, 513)]:
        body = ok(
            log.city.auditor.http.get(
                "/v1/ledger/proofs/consistency", params={"region_code": HANGZHOU, "from": first, "to": second}
            )
        )
        expected = consistency_of(first, hashes[:second]) if first else []
        assert [base64.b64decode(value) for value in body["proof"]] == expected
    newest = ok(log.city.auditor.http.get(f"/v1/ledger/proofs/consistency?region_code={HANGZHOU}&from=600"))
    assert newest["to_size"] == len(hashes)


def test_a_provider_asks_for_the_proof_of_its_own_entries_only(log: Log, world: World) -> None:
    mine = ok(log.till.redeem(1_000))["entry_id"]
    theirs = rows(log.database, "SELECT id FROM entries WHERE kind = 'appropriate'")[0].id
    path = "/v1/ledger/proofs/inclusion"
    waiting = problem(log.till.machine.get(path, entry_id=mine), 409, "not_yet_sealed")
    assert "a second or two" in waiting["detail"]
    assert log.till.machine.get(path, entry_id=mine).headers["Retry-After"] == "2"
    log.seal()
    assert ok(log.till.machine.get(path, entry_id=mine))["entry_id"] == mine
    problem(log.till.machine.get(path, entry_id=theirs), 404, "not_found")
    problem(world.city(CIXI).auditor.get(path, entry_id=mine), 404, "not_found")
    problem(log.till.manager.get(path, entry_id=mine), 403, "forbidden")


def test_what_no_log_has_is_refused_by_its_place(log: Log) -> None:
    auditor = log.city.auditor
    size = rows(log.database, "SELECT size FROM logs")[0].size
    entry_id = rows(log.database, "SELECT leaf_id FROM log_leaves WHERE leaf_index = 400")[0].leaf_id
    inclusion, consistency = "/v1/ledger/proofs/inclusion", f"/v1/ledger/proofs/consistency?region_code={HANGZHOU}"
    cases = [
        (f"{inclusion}?entry_id={entry_id}&size={size + 1}", "/query/size", "beyond_the_log", size),
        (f"{inclusion}?entry_id={entry_id}&size=400", "/query/size", "before_the_leaf", 401),
        (f"{consistency}&from=1&to={size + 1}", "/query/to", "beyond_the_log", size),
        (f"{consistency}&from=301&to=300", "/query/from", "beyond_the_log", 300),
    ]
    for url, pointer, code, limit in cases:
        (place,) = problem(auditor.http.get(url), 422, "validation_failed")["errors"]
        assert (place["pointer"], place["code"], place["limit"]) == (pointer, code, limit)
    unknown = f"ent_{HANGZHOU}_{'7' * 26}"
    problem(auditor.get(inclusion, entry_id=unknown), 404, "not_found")
