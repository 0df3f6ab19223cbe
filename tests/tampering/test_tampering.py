"""Sixteen things that a database's superuser can do to sealed books, and who finds each, naming the place.

No trigger fires for him (`session_replication_role = replica`), and he knows how the log is made. What he has not is
the log's key, what auditors have put away, and what providers were given. Everywhere the pack is exported by the
service that he tampered with.
"""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from app.services.reconciliation.reconcile import check_invariants
from app.tlog.checkpoints import read_checkpoint
from app.verifier.report import Report
from app.witness.submissions import Head, Reason, Refused, judge, read_submission
from tests.sealing.trees import root_of
from tests.tampering.books import BACKUP, Books, Copy, forge
from tests.world import HANGZHOU, NINGBO

_PLACED = (
    "SELECT l.leaf_index FROM log_leaves l JOIN entries e ON e.region_code = l.region_code AND e.id = l.leaf_id"
    " WHERE l.region_code = '330100' AND e.kind = :kind ORDER BY l.leaf_index LIMIT 1"
)
_ENTRY = "SELECT leaf_id FROM log_leaves WHERE region_code = '330100' AND leaf_index = :index"
_LEAF = "SELECT convert_from(leaf, 'UTF8') FROM entries WHERE id = :entry"


def sha(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


class Victim:
    """The first entry of a kind in Hangzhou's log."""

    def __init__(self, copy: Copy, kind: str) -> None:
        self.copy = copy
        self.index: int = copy.one(_PLACED, kind=kind)
        self.entry: str = copy.one(_ENTRY, index=self.index)
        self.leaf: dict[str, Any] = json.loads(copy.one(_LEAF, entry=self.entry))

    def rewrite(self, **changes: Any) -> bytes:
        """Alter the stored leaf; its new bytes."""
        written = json.dumps(self.leaf | changes, sort_keys=True, separators=(",", ":")).encode()
        self.copy.tamper("UPDATE entries SET leaf = :leaf WHERE id = :entry", leaf=written, entry=self.entry)
        return written


def first(report: Report) -> tuple[str, str | None, int | None]:
    found = report.first_wrong_leaf
    assert found is not None, report.to_text()
    return found.check, found.region, found.index


def allow_renumbering(copy: Copy) -> None:
    """Places change by way of negative ones: a unique key is asked row by row."""
    copy.tamper("ALTER TABLE log_leaves DROP CONSTRAINT ck_log_leaves_index_not_negative")


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    return tmp_path / "pack"


def test_the_books_are_right_before(books: Books, pack: Path) -> None:
    with books.copy() as copy:
        report = copy.judge(pack, checkpoints=(books.half_head, books.whole_head))
        assert report.is_right, report.to_text()
        assert check_invariants(copy.database).difference_count == 0


def test_1_an_amount_in_the_posting_alone_is_found_by_reconciliation(books: Books) -> None:
    with books.copy() as copy:
        entry = Victim(copy, "redeem").entry
        copy.tamper("UPDATE postings SET amount_fen = amount_fen + 1 WHERE entry_id = :entry AND line = 1", entry=entry)
        report = check_invariants(copy.database)
        redemption = copy.one("SELECT id FROM redemptions WHERE entry_id = :entry", entry=entry)
    named = {(found.name, one.subject) for found in report.findings for one in found.differences}
    assert {("columns", entry), ("stored_counters", f"redemption {redemption}")} <= named


def test_1_an_amount_in_the_leaf_is_found_by_the_verifier(books: Books, pack: Path) -> None:
    with books.copy() as copy:
        victim = Victim(copy, "redeem")
        postings = [one | {"fen": one["fen"] + 1} if one["line"] == 1 else one for one in victim.leaf["postings"]]
        victim.rewrite(postings=postings)
        assert first(copy.judge(pack)) == ("leaf_hash", HANGZHOU, victim.index)


def test_2_an_actor_is_found_by_the_verifier(books: Books, pack: Path) -> None:
    with books.copy() as copy:
        victim = Victim(copy, "issue")
        copy.tamper("UPDATE entries SET checker_id = 'usr_other' WHERE id = :entry", entry=victim.entry)
        victim.rewrite(checker="usr_other")
        assert first(copy.judge(pack)) == ("leaf_hash", HANGZHOU, victim.index)


def test_3_an_instant_is_found_by_the_verifier(books: Books, pack: Path) -> None:
    with books.copy() as copy:
        victim = Victim(copy, "refund")
        copy.tamper("UPDATE entries SET at = at - interval '1 day' WHERE id = :entry", entry=victim.entry)
        victim.rewrite(at="2026-01-01T00:00:00.000000Z")
        assert first(copy.judge(pack)) == ("leaf_hash", HANGZHOU, victim.index)


def test_4_an_entry_deleted_from_the_middle_is_found_by_the_verifier(books: Books, pack: Path) -> None:
    with books.copy() as copy:
        victim = Victim(copy, "hold")
        allow_renumbering(copy)
        copy.tamper(
            "DELETE FROM postings WHERE entry_id = :entry",
            "DELETE FROM entries WHERE id = :entry",
            "DELETE FROM log_leaves WHERE leaf_id = :entry",
            "UPDATE log_leaves SET leaf_index = -leaf_index WHERE region_code = '330100' AND leaf_index > :index",
            "UPDATE log_leaves SET leaf_index = -leaf_index - 1 WHERE region_code = '330100' AND leaf_index < 0",
            "UPDATE logs SET size = size - 1 WHERE region_code = '330100'",
            entry=victim.entry,
            index=victim.index,
        )
        report = copy.judge(pack)
    assert first(report) == ("tile", HANGZHOU, victim.index)
    assert "log_size" in report.findings.counts


def test_5_a_deleted_tail_is_found_by_the_verifier(books: Books, pack: Path) -> None:
    with books.copy() as copy:
        size = copy.one("SELECT size FROM logs WHERE region_code = '330100'")
        gone = "SELECT leaf_id FROM log_leaves WHERE region_code = '330100' AND leaf_index >= :from"
        copy.tamper(
            f"DELETE FROM postings WHERE entry_id IN ({gone})",
            f"DELETE FROM entries WHERE id IN ({gone})",
            "DELETE FROM log_leaves WHERE region_code = '330100' AND leaf_index >= :from",
            "UPDATE logs SET size = :from WHERE region_code = '330100'",
            **{"from": size - 2},
        )
        report = copy.judge(pack)
    assert first(report) == ("log_size", HANGZHOU, size - 2)


def test_6_a_swapped_order_is_found_by_the_verifier(books: Books, pack: Path) -> None:
    with books.copy() as copy:
        index = Victim(copy, "redeem").index
        allow_renumbering(copy)
        copy.tamper(
            "UPDATE log_leaves SET leaf_index = -1 WHERE region_code = '330100' AND leaf_index = :one",
            "UPDATE log_leaves SET leaf_index = :one WHERE region_code = '330100' AND leaf_index = :two",
            "UPDATE log_leaves SET leaf_index = :two WHERE region_code = '330100' AND leaf_index = -1",
            one=index,
            two=index + 1,
        )
        report = copy.judge(pack)
    assert first(report) == ("tile", HANGZHOU, index)


def test_7_a_replayed_entry_is_found_by_the_verifier(books: Books, pack: Path) -> None:
    with books.copy() as copy:
        victim = Victim(copy, "refund")
        size = copy.one("SELECT size FROM logs WHERE region_code = '330100'")
        forge(copy, victim.entry, victim.leaf)
        report = copy.judge(pack)
    assert first(report) == ("leaf_twice", HANGZHOU, size), "sealed and signed, and in the log for the second time"
    assert f"#{victim.index}" in {one.expected for one in report.findings.kept}


def hashed_anew(victim: Victim, written: bytes, *, tiles: bool) -> None:
    """Let the stored hashes fit a leaf that was altered."""
    bound = {"new": sha(b"\x00" + written), "index": victim.index, "at": victim.index * 32 + 1}
    statements = ["UPDATE log_leaves SET leaf_hash = :new WHERE region_code = '330100' AND leaf_index = :index"]
    if tiles:
        statements.append(
            "UPDATE log_tiles SET hashes = overlay(hashes PLACING :new FROM :at FOR 32)"
            " WHERE region_code = '330100' AND level = 0 AND tile_no = 0"
        )
    for statement in statements:
        victim.copy.tamper(statement, **{name: value for name, value in bound.items() if f":{name}" in statement})


def test_8_a_leaf_edited_with_its_hash_is_found_by_the_verifier(books: Books, tmp_path: Path) -> None:
    with books.copy() as copy:
        victim = Victim(copy, "release")
        written = victim.rewrite(request="another")
        hashed_anew(victim, written, tiles=False)
        assert first(copy.judge(tmp_path / "leaf")) == ("tile", HANGZHOU, victim.index)
        hashed_anew(victim, written, tiles=True)
        report = copy.judge(tmp_path / "tile")
        half = copy.one("SELECT min(size) FROM log_batches WHERE region_code = '330100'")
        whole = copy.one("SELECT max(size) FROM log_batches WHERE region_code = '330100'")
    found = report.first_wrong_leaf
    assert found is not None
    assert (found.check, found.index, found.until) == ("root", half, whole), "between the two heads"
    assert half <= victim.index < whole


def refusal(copy: Copy, books: Books) -> Reason:
    """What a witness says that has cosigned the head of before, when the sealer brings it the head of now."""
    seen = read_checkpoint(books.whole_head.partition("\n\n")[0] + "\n")
    logs = {seen.origin: [copy.signer(HANGZHOU).verifier]}
    note = copy.one("SELECT checkpoint FROM logs WHERE region_code = '330100'")
    with pytest.raises(Refused) as refused:
        judge(
            read_submission(f"old {seen.size}\n\n{note}".encode(), logs), Head(seen.size, seen.root, books.whole_head)
        )
    return refused.value.reason


def test_9_a_forked_tree_is_found_by_an_earlier_head_and_by_a_witness(books: Books, tmp_path: Path) -> None:
    """Sealed anew by the service itself, with its own key: in the pack alone nothing is wrong."""
    with books.copy() as copy:
        Victim(copy, "appropriate").rewrite(request="another")
        copy.unseal(HANGZHOU)
        copy.seal()
        alone = copy.judge(tmp_path / "alone")
        assert alone.is_right, alone.to_text()
        assert ("not_cosigned", HANGZHOU) in alone.warnings
        report = copy.judge(tmp_path / "held_against", checkpoints=(books.half_head,))
        size = copy.one("SELECT size FROM logs WHERE region_code = '330100'")
        assert refusal(copy, books) is Reason.FORKED
    found = report.first_wrong_leaf
    assert found is not None
    assert (found.check, found.region, found.index) == ("forked", HANGZHOU, 0)
    assert found.until is not None
    assert found.until < size, "the altered leaf lies below the head that was put away"


def test_10_a_rollback_to_a_backup_is_found_by_an_earlier_head_and_by_a_witness(books: Books, tmp_path: Path) -> None:
    with books.copy(BACKUP) as copy:
        alone = copy.judge(tmp_path / "alone")
        assert alone.is_right, alone.to_text()
        report = copy.judge(tmp_path / "held_against", checkpoints=(books.whole_head,))
        size = copy.one("SELECT size FROM logs WHERE region_code = '330100'")
        assert refusal(copy, books) is Reason.SMALLER_THAN_OLD
    assert first(report) == ("shortened", HANGZHOU, size)


def receipt(copy: Copy, books: Books, entry: str, folder: Path) -> Path:
    """What the provider was given for an entry, by the documented format."""
    leaf = copy.one("SELECT leaf FROM entries WHERE id = :entry", entry=entry)
    signer = copy.signer(NINGBO)
    body = {
        "log": signer.name,
        "entry_id": entry,
        "leaf_sha256": sha(b"\x00" + bytes(leaf)).hex(),
        "at": "2026-01-01T00:00:00.000000Z",
        "promised_by": "2026-01-02T00:00:00.000000Z",
        "key_id": signer.key_id.hex(),
    }
    signed = signer.sign(json.dumps(body, sort_keys=True, separators=(",", ":")).encode())
    path = folder / "receipts.jsonl"
    path.write_text(json.dumps({"receipt": body | {"signature": base64.b64encode(signed).decode()}}) + "\n")
    return path


def test_11_a_dropped_queue_row_is_found_by_all_three(books: Books, tmp_path: Path) -> None:
    """By the verifier, from the counters; by the provider, from his receipt; by reconciliation."""
    with books.copy() as copy:
        entry = copy.one("SELECT entry_id FROM redemptions WHERE region_code = '330200'")
        redemption = copy.one("SELECT id FROM redemptions WHERE region_code = '330200'")
        copy.unseal(NINGBO)
        copy.tamper("DELETE FROM seal_queue WHERE leaf_id = :entry", entry=entry)
        copy.seal()
        report = copy.judge(tmp_path / "pack", receipts=receipt(copy, books, entry, tmp_path))
        differences = [one for found in check_invariants(copy.database).findings for one in found.differences]
    told = {(one.check, one.subject): (one.expected, one.actual) for one in report.findings.kept}
    assert told["counter", f"redemptions {redemption}"] == ("0", "3000")
    assert report.receipts["broken"] == 1
    assert ("receipt_omitted", entry) in told
    assert {one.region for one in report.findings.kept} == {NINGBO}
    assert (entry, "neither in the log nor in the queue") in {(one.subject, one.actual) for one in differences}


def test_12_an_edited_counter_is_found_by_the_verifier_and_by_reconciliation(books: Books, pack: Path) -> None:
    with books.copy() as copy:
        voucher = copy.one("SELECT id FROM vouchers WHERE region_code = '330200'")
        copy.tamper(
            "UPDATE vouchers SET face_fen = face_fen + 100, balance_fen = balance_fen + 100 WHERE id = :id", id=voucher
        )
        report = copy.judge(pack)
        assert [(one.check, one.subject) for one in report.findings.kept] == [("counter", f"vouchers {voucher}")]
        differences = [one for found in check_invariants(copy.database).findings for one in found.differences]
    assert f"voucher {voucher}" in {one.subject for one in differences}


def test_13_a_forged_checkpoint_is_found_by_keys_from_elsewhere(books: Books, pack: Path) -> None:
    """He alters a leaf, all hashes above it, and signs the head, under the log's name, with a key of his own."""
    with books.copy() as copy:
        victim = Victim(copy, "void")
        hashed_anew(victim, victim.rewrite(request="another"), tiles=True)
        hashes = copy.one("SELECT hashes FROM log_tiles WHERE region_code = '330100' AND level = 0")
        leaves = [bytes(hashes)[place : place + 32] for place in range(0, len(hashes), 32)]
        origin = copy.one("SELECT origin FROM logs WHERE region_code = '330100'")
        body = f"{origin}\n{len(leaves)}\n{base64.b64encode(root_of(leaves)).decode()}\n"
        key = Ed25519PrivateKey.generate()
        key_id = sha(origin.encode() + b"\n\x01" + key.public_key().public_bytes_raw())[:4]
        line = base64.b64encode(key_id + key.sign(body.encode())).decode()
        for table in ("logs", "log_batches"):
            copy.tamper(
                f"UPDATE {table} SET root = :root, checkpoint = :note WHERE region_code = '330100' AND size = :size",
                root=root_of(leaves),
                note=f"{body}\n— {origin} {line}\n",
                size=len(leaves),
            )
        report = copy.judge(pack)
    assert report.findings.counts == {"head_unknown_key": 1}
    assert report.findings.kept[0].subject == str(len(leaves))
    assert key_id.hex() in report.findings.kept[0].actual


def test_14_an_entry_moved_to_another_city_is_found_by_the_verifier(books: Books, pack: Path) -> None:
    with books.copy() as copy:
        victim = Victim(copy, "redeem")
        size = copy.one("SELECT size FROM logs WHERE region_code = '330200'")
        forge(copy, victim.entry, victim.leaf, region=NINGBO)
        report = copy.judge(pack)
    assert first(report) == ("region", NINGBO, size)


def test_15_a_forged_reversal_is_found_by_the_verifier(books: Books, pack: Path) -> None:
    """Sealed and signed like any entry: it takes back twice what was drawn."""
    with books.copy() as copy:
        victim = Victim(copy, "redeem")
        size = copy.one("SELECT size FROM logs WHERE region_code = '330100'")
        seq = copy.one("SELECT posting_count FROM vouchers WHERE id = :id", id=victim.leaf["voucher"])
        postings = [
            one | {"from": one["to"], "to": one["from"], "fen": one["fen"] * 2, "seq": seq + one["line"]}
            for one in victim.leaf["postings"]
        ]
        two = {"maker": "usr_one", "checker": "usr_two", "approval": "apv_330100_one"}
        undone = {"kind": "reverse", "reverses": victim.entry, "id": "ent_330100_forgedreverse"}
        silent = {"facts": None, "trace": None, "details": sha(b"{}").hex()}
        forge(copy, victim.entry, victim.leaf | two | undone | silent | {"postings": postings})
        report = copy.judge(pack)
    assert {("reversal", size)} <= {(one.check, one.index) for one in report.findings.kept}
    assert first(report)[1:] == (HANGZHOU, size)


def test_16_rules_edited_with_their_hash_are_found_by_the_verifier(books: Books, tmp_path: Path) -> None:
    """And with the command that published them: its hash stands in a sealed event."""
    rules = "replace(rules, '\"rate\"', '\"rote\"')"
    hashed = "encode(sha256(convert_to({}, 'UTF8')), 'hex')"
    edited = f"UPDATE rule_versions SET rules = {rules}, rules_sha256 = {hashed.format(rules)} WHERE id = :version"
    command = "replace(command, :before, :after)"
    with books.copy() as copy:
        version = copy.one("SELECT min(id) FROM rule_versions WHERE region_code = '330100'")
        place = copy.one(
            "SELECT leaf_index FROM log_leaves JOIN audit_events a ON a.id = leaf_id AND a.region_code = '330100'"
            " JOIN rule_versions v ON v.programme_id = a.object_id AND v.id = :version"
            " WHERE a.action = 'publish_programme.approved'",
            version=version,
        )
        published = "SELECT rules_sha256 FROM rule_versions WHERE id = :version"
        before = copy.one(published, version=version)
        copy.tamper(edited.replace(":", r"\:").replace(r"\:version", ":version"), version=version)
        report = copy.judge(tmp_path / "rules")
        assert first(report) == ("rules_publication", HANGZHOU, place)
        assert report.findings.counts == {"rules_publication": 1}
        copy.tamper(
            f"UPDATE approvals SET command = {command}, command_sha256 = {hashed.format(command)}"
            " WHERE command LIKE '%' || :before || '%'",
            before=before,
            after=copy.one(published, version=version),
        )
        report = copy.judge(tmp_path / "command")
        assert first(report) == ("rules_publication", HANGZHOU, place)
        copy.tamper("UPDATE approvals SET command = '{' WHERE kind = 'publish_programme'")
        assert first(copy.judge(tmp_path / "unreadable"))[:2] == ("rules_publication", HANGZHOU)


def test_a_right_pack_binds_all_its_rules(books: Books, pack: Path) -> None:
    with books.copy() as copy:
        report = copy.judge(pack)
    versions = [(one.rule_versions, one.rules_bound) for one in report.regions]
    assert versions == [(1, 1), (1, 1)]
    assert "rules_unbound" not in {name for name, _ in report.warnings}
