"""What `voucher verify` says of packs that were written by hand: of a right one nothing, of a wrong one where."""

from __future__ import annotations

import base64
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.verifier import verify as verifying
from app.verifier.__main__ import main
from app.verifier.report import Report
from app.verifier.verify import Options, UnreadableOption, UnreadablePack, verify
from tests.verifier.packs import (
    HOLD,
    ORIGIN,
    OTHER_VOUCHER,
    POOL,
    PROVIDER,
    REGION,
    NoteKey,
    PackMaker,
    Story,
    compact,
    head_text,
    list_again,
    note,
    posting,
    rfc6962,
    sha,
    small_stored,
    small_story,
)

OLD = ("rules_unbound", REGION)
"""These packs do not tell how their rules were published; those that do stand in `test_rules.py`."""


def judged(maker: PackMaker, folder: Path, **options: Any) -> Report:
    keys = (maker.key.vkey, maker.witness.vkey)
    return verify(maker.write(folder), Options(**{"vkeys": keys} | options))


def found(report: Report) -> set[str]:
    return set(report.findings.counts)


def first(report: Report) -> tuple[str, str | None, int | None, str | None]:
    """Check, region, place and entry of the first wrong leaf."""
    leaf = report.first_wrong_leaf
    assert leaf is not None, report.to_text()
    return leaf.check, leaf.region, leaf.index, leaf.entry


def entry_id(number: int) -> str:
    return f"ent_330100_{number:026d}"


def test_a_right_pack_is_right(tmp_path: Path) -> None:
    maker = PackMaker()
    report = judged(maker, tmp_path / "pack")
    assert report.is_right, report.to_text()
    assert report.warnings == [OLD]
    (region,) = report.regions
    assert region.root == rfc6962(maker.written()).hex()
    assert (region.leaves, region.entries, region.heads_signed) == (7, 7, 2)
    assert region.cosigned == {"witness.example.org": 7}
    assert region.texts == 9
    assert sum(region.rows.values()) == 9


def test_an_archive_is_read_as_its_folder_is(tmp_path: Path) -> None:
    folder = PackMaker().write(tmp_path / "pack")
    with tarfile.open(tmp_path / "pack.tar", "w") as tar:
        tar.add(folder, "pack")
    report = verify(tmp_path / "pack.tar", Options())
    assert report.is_right, report.to_text()


def test_keys_of_the_pack_itself_are_used_with_a_warning(tmp_path: Path) -> None:
    report = judged(PackMaker(), tmp_path / "pack", vkeys=())
    assert report.is_right
    assert report.warnings == [("keys_from_pack", ""), OLD]


def test_a_stranger_who_signs_the_heads_is_told(tmp_path: Path) -> None:
    report = judged(PackMaker(), tmp_path / "pack", vkeys=(NoteKey(ORIGIN).vkey,))
    assert report.findings.counts == {"head_unknown_key": 2}
    assert report.warnings == [OLD, ("not_cosigned", REGION)]


def reversal(story: Story, number: int, *postings: dict[str, Any]) -> None:
    story.entry("reverse", *postings, reverses=entry_id(number))


WRONG: dict[str, tuple[Callable[[Story], object], str, int]] = {
    "more issued than granted": (
        lambda s: s.entry("issue", posting("available", "committed", 50_001, 7)),
        "pool_below_zero",
        7,
    ),
    "more drawn than is free": (
        lambda s: s.entry("redeem", posting("committed", "obligated", 31_001, 7), facts=None, trace=None, rules=None),
        "pool_below_zero",
        7,
    ),
    "more released than held": (lambda s: s.entry("release", posting("held", "committed", 1, 7)), "hold_end", 7),
    "a number of the voucher is left out": (
        lambda s: s.entry("expire", posting("committed", "available", 5, 8), voucher_end="expired"),
        "voucher_seq",
        7,
    ),
    "a number of the voucher is used twice": (
        lambda s: s.entry("expire", posting("committed", "available", 5, 6), voucher_end="expired"),
        "voucher_seq",
        7,
    ),
    "an entry repeated": (lambda s: s.leaves.append(s.leaves[0]), "leaf_twice", 7),
    "an entry of another city": (
        lambda s: s.entry("lapse", posting("available", "lapsed", 5), region="330200"),
        "region",
        7,
    ),
    "a pool of another city": (
        lambda s: s.entry("appropriate", posting("appropriation", "available", 5, pool=POOL.replace("3301", "3302"))),
        "region",
        7,
    ),
    "one person for two": (
        lambda s: s.entry("adjust", posting("available", "appropriation", 5), checker="usr_maker"),
        "two_persons",
        7,
    ),
    "nobody's approval": (
        lambda s: s.entry("adjust", posting("available", "appropriation", 5), approval=None),
        "two_persons",
        7,
    ),
    "a payment that moves what is free": (
        lambda s: s.entry("confirm_payment", posting("available", "disbursed", 5)),
        "moves",
        7,
    ),
    "a kind that nobody knows": (lambda s: s.entry("gift", posting("available", "obligated", 5)), "kind", 7),
    "an amount of nothing": (lambda s: s.entry("lapse", posting("available", "lapsed", 0)), "leaf_format", 7),
    "a later format": (lambda s: s.entry("lapse", posting("available", "lapsed", 5), v=2), "leaf_format", 7),
    "more paid to a payee than owed": (
        lambda s: s.entry(
            "order_payment", posting("obligated", "in_payment", 5, payee="org_another"), facts=None, trace=None
        ),
        "payee_below_zero",
        7,
    ),
    "a reversal of nothing": (
        lambda s: reversal(s, 99, posting("available", "appropriation", 5)),
        "reversal",
        7,
    ),
    "a reversal that is no mirror": (
        lambda s: reversal(s, 1, posting("available", "appropriation", 5)),
        "reversal",
        7,
    ),
    "money that leaves a living voucher": (
        lambda s: s.entry("expire", posting("committed", "available", 5, 7)),
        "voucher_end",
        7,
    ),
    "a redemption posted twice": (
        lambda s: s.entry("redeem", posting("committed", "obligated", 5, 7), subject="rdm_330100_two"),
        "subject_twice",
        7,
    ),
    "a hold made by a redemption": (
        lambda s: s.entry("redeem", posting("committed", "held", 5, 7, hold=HOLD.replace("hld1", "hld2"))),
        "moves",
        7,
    ),
}


def other_voucher(story: Story) -> None:
    """What the first voucher has not, the second has: the pool's accounts stay above zero."""
    issued = posting("available", "committed", 40_000, 1, voucher=OTHER_VOUCHER)
    story.entry("issue", issued, voucher=OTHER_VOUCHER)
    story.entry("redeem", posting("committed", "obligated", 31_001, 7))


def hold_more(story: Story, *released_fen: int) -> None:
    for number, fen in enumerate((100, 100), start=2):
        hold = HOLD.replace("hld1", f"hld{number}")
        story.entry("hold", posting("committed", "held", fen, 5 + number, hold=hold), subject=hold)
    hold = HOLD.replace("hld1", "hld2")
    for seq, fen in enumerate(released_fen, start=9):
        story.entry("release", posting("held", "committed", fen, seq, hold=hold), subject=hold)


WRONG |= {
    "more drawn on a voucher than it has": (other_voucher, "voucher_below_zero", 8),
    "more released than its hold has": (lambda s: hold_more(s, 150), "hold_below_zero", 9),
    "a release that leaves something held": (lambda s: hold_more(s, 60), "hold_end", 9),
    "a second release": (lambda s: hold_more(s, 100, 1), "hold_below_zero", 10),
    "money moved onto a hold that has ended": (
        lambda s: s.entry("move", posting("appropriation", "available", 5), posting("available", "held", 5, 7)),
        "hold_end",
        7,
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_breaks_the_books_is_named_with_its_leaf(name: str, tmp_path: Path) -> None:
    change, check, index = WRONG[name]
    maker = PackMaker()
    change(maker.story)
    report = judged(maker, tmp_path / "pack")
    assert check in found(report), report.to_text()
    assert check in {one.check for one in report.findings.kept if one.index == index}
    leaf = report.first_wrong_leaf
    assert leaf is not None
    assert (leaf.region, leaf.index) == (REGION, index)


def test_money_that_leaves_the_stages_breaks_the_pools_equation(tmp_path: Path) -> None:
    maker = PackMaker()
    maker.story.entry("gift", posting("available", "recovery_due", 5))
    maker.stored["pools"][0]["available_fen"] -= 5
    assert found(judged(maker, tmp_path / "pack")) == {"kind", "pool_equation"}


def test_a_leaf_that_can_be_read_in_two_ways_is_none(tmp_path: Path) -> None:
    maker = PackMaker()
    written = maker.written()[6]
    maker.raw[6] = written.replace(b'"fen":3000,', b'"fen":9,"fen":3000,')
    assert maker.raw[6] != written
    assert first(judged(maker, tmp_path / "pack")) == ("leaf_format", REGION, 6, None)


def test_files_that_were_not_needed_are_compared_with_the_manifest_too(tmp_path: Path) -> None:
    maker = PackMaker()
    folder = maker.write(tmp_path / "pack")
    for name in ("keys.txt", f"{REGION}/stored/mandates.jsonl"):
        written = (folder / name).read_bytes()
        (folder / name).write_bytes(written.replace(b"50000", b"60000").replace(b"vouchers", b"vouchees"))
    report = verify(folder, Options((maker.key.vkey,)))
    assert {(one.check, one.subject) for one in report.findings.kept} == {
        ("file_differs", "keys.txt"),
        ("file_differs", f"{REGION}/stored/mandates.jsonl"),
    }


def test_a_reversal_that_mirrors_is_right_and_a_second_one_is_not(tmp_path: Path) -> None:
    maker = PackMaker()
    maker.story.leaves.pop()
    reversal(maker.story, 5, posting("obligated", "committed", 10_000, 6))
    # without the refund 28,000 were free and 22,000 redeemed; 10,000 of them are free again
    for table in ("vouchers", "allotments"):
        maker.stored[table][0] |= {"balance_fen": 38_000, "redeemed_fen": 12_000}
    subject = maker.story.leaves[6]["subject"]
    maker.stored["refunds"][0] |= {"id": subject, "subsidy_refund_fen": 10_000, "entry_id": entry_id(8)}
    maker.stored["redemptions"][1]["refunded_fen"] = 10_000
    maker.stored["mandates"][0]["used_fen"] = 12_000
    report = judged(maker, tmp_path / "once")
    assert report.is_right, report.to_text()
    reversal(maker.story, 5, posting("obligated", "committed", 9_000, 7))
    assert first(judged(maker, tmp_path / "twice")) == ("reversed_twice", REGION, 7, entry_id(9))


NEXT_YEAR = POOL.replace("pool", "next")


CLOSED_AT = "2026-11-26T00:00:00.000000Z"
"""After everything that a small story spends."""


def paid_and_closed() -> PackMaker:
    """12,000 of the 19,000 owed are paid, 2,000 of them recovered; then the year is closed.

    What is free on the voucher goes to the next year's pool, the 52,000 that are available lapse.
    """
    maker = PackMaker()
    story, two = maker.story, {"maker": "usr_maker", "checker": "usr_checker", "approval": "apv_330100_one"}
    one: dict[str, Any] = {"subject": "rdm_330100_one"}
    story.entry("order_payment", posting("obligated", "in_payment", 12_000, 7, payee=PROVIDER), **one, **two)
    story.entry("confirm_payment", posting("in_payment", "disbursed", 12_000, 8, payee=PROVIDER), **one)
    recovery = {"subject": "rcv_330100_one"}
    story.entry("recover", posting("recovery_claimed", "recovery_due", 2_000, payee=PROVIDER), **recovery)
    story.entry(
        "recover",
        posting("disbursed", "available", 2_000, 9, payee=PROVIDER),
        posting("recovery_due", "recovery_claimed", 2_000, payee=PROVIDER),
        **recovery,
    )
    story.entry("lapse", posting("available", "lapsed", 52_000), at=CLOSED_AT)
    story.entry(
        "move",
        posting("committed", "available", 31_000, 10),
        posting("available", "appropriation", 31_000),
        pair="ent_330100_pair",
        at=CLOSED_AT,
    )
    into = (
        posting("appropriation", "available", 31_000, pool=NEXT_YEAR),
        posting("available", "committed", 31_000, 11, pool=NEXT_YEAR),
    )
    story.entry("move", *into, pair="ent_330100_pair", at=CLOSED_AT)
    maker.stored["pools"][0] |= {"available_fen": 0, "closed_at": CLOSED_AT}
    maker.stored["pools"].append({"id": NEXT_YEAR, "available_fen": 0, "closed_at": None})
    maker.stored["vouchers"][0] |= {"redeemed_fen": 17_000, "recovered_fen": 2_000, "posting_count": 11}
    old, zero = maker.stored["allotments"][0], dict.fromkeys(maker.stored["allotments"][0], 0)
    maker.stored["allotments"].append(zero | {"voucher_id": old["voucher_id"], "pool_id": NEXT_YEAR})
    maker.stored["allotments"][1] |= {"face_fen": 31_000, "balance_fen": 31_000}
    old |= {"face_fen": 19_000, "balance_fen": 0, "redeemed_fen": 17_000, "recovered_fen": 2_000}
    maker.stored["redemptions"][0] |= {"status": "paid", "recovered_fen": 2_000}
    amounts = {"amount_fen": 2_000, "treasury_fen": 0, "status": "received", "claim_entry_id": entry_id(10)}
    maker.stored["recoveries"] = [{"id": recovery["subject"], "redemption_id": one["subject"], **amounts}]
    steps = {"order_entry_id": entry_id(8), "confirm_entry_id": entry_id(9), "bounce_entry_id": None}
    item = {"order_id": "pyo_330100_one", "redemption_id": one["subject"], "amount_fen": 12_000, "status": "confirmed"}
    maker.stored["payment_items"] = [item | steps]
    order = {"id": "pyo_330100_one", "payee_id": PROVIDER, "item_count": 1, "total_fen": 12_000, "status": "ordered"}
    maker.stored["payment_orders"] = [order]
    return maker


def test_payment_recovery_and_carrying_forward_are_followed(tmp_path: Path) -> None:
    maker = paid_and_closed()
    report = judged(maker, tmp_path / "pack")
    assert report.is_right, report.to_text()
    maker.story.leaves[-1]["pair"] = None
    assert found(judged(maker, tmp_path / "unpaired")) == {"pair"}


PAID: dict[str, tuple[str, dict[str, Any], str]] = {
    "an item's amount": ("payment_items", {"amount_fen": 11_999}, "payment_items"),
    "an item's entry": ("payment_items", {"confirm_entry_id": entry_id(8)}, "payment_items"),
    "an item's redemption": ("payment_items", {"redemption_id": "rdm_330100_two"}, "payment_items"),
    "an item's state": ("payment_items", {"status": "in_payment"}, "payment_items"),
    "an order's total": ("payment_orders", {"total_fen": 11_999}, "payment_orders"),
    "an order's items": ("payment_orders", {"item_count": 2}, "payment_orders"),
    "an order's state": ("payment_orders", {"status": "rejected"}, "payment_orders"),
    "an order's payee": ("payment_orders", {"payee_id": "org_another"}, "payment_orders"),
    "a recovery's amount": ("recoveries", {"amount_fen": 1_999}, "recoveries"),
    "a recovery's state": ("recoveries", {"status": "due"}, "recoveries"),
    "what the treasury got": ("recoveries", {"treasury_fen": 1}, "recoveries"),
    "what is recovered": ("redemptions", {"recovered_fen": 1_999}, "recovered"),
    "how far a redemption is": ("redemptions", {"status": "in_settlement"}, "paid"),
    "when a year was closed": ("pools", {"closed_at": None}, "pools"),
}


@pytest.mark.parametrize("name", PAID)
def test_what_is_stored_of_payments_is_compared_with_the_leaves(name: str, tmp_path: Path) -> None:
    table, change, told = PAID[name]
    maker = paid_and_closed()
    maker.stored[table][0] |= change
    report = judged(maker, tmp_path / "pack")
    assert "counter" in found(report), report.to_text()
    assert told in {one.subject.split()[0] for one in report.findings.kept}, report.to_text()


@pytest.mark.parametrize("table", ["payment_items", "payment_orders", "recoveries"])
def test_a_payment_or_recovery_that_is_not_stored_is_missed(table: str, tmp_path: Path) -> None:
    maker = paid_and_closed()
    maker.stored[table] = []
    report = judged(maker, tmp_path / "pack")
    missed = {one.subject.split()[0] for one in report.findings.kept if one.check == "row_missing"}
    assert missed == {table}, report.to_text()


def test_an_entry_of_a_payment_belongs_to_one_item(tmp_path: Path) -> None:
    maker = paid_and_closed()
    (item,), (order,) = maker.stored["payment_items"], maker.stored["payment_orders"]
    maker.stored["payment_items"].append(item | {"order_id": "pyo_330100_two"})
    maker.stored["payment_orders"].append(order | {"id": "pyo_330100_two"})
    assert found(judged(maker, tmp_path / "pack")) == {"counter"}


def test_what_was_spent_from_a_closed_year_is_named(tmp_path: Path) -> None:
    """The last spending is that of the fourth leaf, and at that very instant the year is over."""
    maker = paid_and_closed()
    maker.story.leaves[-3]["at"] = maker.stored["pools"][0]["closed_at"] = maker.story.leaves[3]["at"]
    assert found(judged(maker, tmp_path / "pack")) == {"closed_year"}


def test_a_reversed_issue_counts_as_voided(tmp_path: Path) -> None:
    story = Story()
    story.entry("appropriate", posting("appropriation", "available", 100))
    story.entry("issue", posting("available", "committed", 100, 1))
    story.entry("reverse", posting("committed", "available", 100, 2), reverses=entry_id(2), voucher_end="voided")
    maker = PackMaker(story, {name: [] for name in small_stored()})
    parts = small_stored()["vouchers"][0] | {"face_fen": 100, "balance_fen": 0, "redeemed_fen": 0, "voided_fen": 100}
    maker.stored |= {
        "pools": [{"id": POOL, "available_fen": 100, "closed_at": None}],
        "vouchers": [parts | {"posting_count": 2}],
        "allotments": [parts | {"voucher_id": parts["id"], "pool_id": POOL}],
    }
    report = judged(maker, tmp_path / "pack")
    assert report.is_right, report.to_text()


COUNTERS = {
    "pools": "available_fen",
    "vouchers": "balance_fen",
    "allotments": "redeemed_fen",
    "holds": "released_fen",
    "hold_shares": "redeemed_fen",
    "redemptions": "subsidy_fen",
    "refunds": "subsidy_refund_fen",
    "mandates": "used_fen",
}


@pytest.mark.parametrize("table", COUNTERS)
def test_each_stored_counter_is_compared_with_the_leaves(table: str, tmp_path: Path) -> None:
    maker = PackMaker()
    maker.stored[table][0][COUNTERS[table]] += 1
    report = judged(maker, tmp_path / "pack")
    assert found(report) == {"counter"}
    assert any(one.subject.startswith(table) for one in report.findings.kept), report.to_text()


@pytest.mark.parametrize("table", sorted(COUNTERS))
def test_a_stored_row_that_is_not_there_is_missed(table: str, tmp_path: Path) -> None:
    maker = PackMaker()
    gone = maker.stored[table].pop(0)
    report = judged(maker, tmp_path / "pack")
    subject = gone.get("id") or " ".join(gone[name] for name in ("voucher_id", "hold_id", "pool_id") if name in gone)
    assert ("row_missing", f"{table} {subject}") in {(one.check, one.subject) for one in report.findings.kept}


def test_what_was_drawn_outside_the_validity_is_named(tmp_path: Path) -> None:
    maker = PackMaker()
    maker.stored["vouchers"][0]["valid_until"] = "2026-11-20T00:00:00.000000Z"
    assert found(judged(maker, tmp_path / "pack")) == {"validity", "validity_stored"}


def test_a_leaf_altered_after_it_was_sealed_is_named(tmp_path: Path) -> None:
    maker = PackMaker()
    sealed = maker.written()
    maker.story.leaves[4]["principal"] = "cli_somebody_else"
    report = judged_with(maker, tmp_path / "pack", sealed)
    assert first(report) == ("leaf_hash", REGION, 4, None)
    assert found(report) == {"leaf_hash", "tile", "root"}


def judged_with(maker: PackMaker, folder: Path, hashed: list[bytes]) -> Report:
    maker.write(folder, hashed=hashed)
    return verify(folder, Options((maker.key.vkey, maker.witness.vkey)))


def test_a_leaf_altered_with_its_hashes_lies_between_two_heads(tmp_path: Path) -> None:
    maker = PackMaker()
    folder = maker.write(tmp_path / "pack")
    old, new = (maker.written()[5], maker.written()[5].replace(b'"request-6"', b'"request-9"'))
    part, name = folder / REGION / "leaves", "000000000004.bin"
    (part / name).write_bytes((part / name).read_bytes().replace(old, new))
    for kind in ("hashes", "tiles"):
        place = folder / REGION / kind / name
        place.write_bytes(place.read_bytes().replace(sha(b"\x00" + old), sha(b"\x00" + new)))
    list_again(folder)
    report = verify(folder, Options((maker.key.vkey,)))
    assert found(report) == {"root"}
    leaf = report.first_wrong_leaf
    assert leaf is not None
    assert (leaf.index, leaf.until) == (3, 7), "the head over three leaves fits, that over seven does not"


def test_files_that_are_not_as_listed_are_named(tmp_path: Path) -> None:
    maker = PackMaker()
    folder = maker.write(tmp_path / "pack")
    second = folder / REGION / "leaves" / "000000000004.bin"
    second.write_bytes(second.read_bytes()[:-10])
    (folder / REGION / "rules.jsonl").unlink()
    (folder / "note.txt").write_text("?")
    report = verify(folder, Options((maker.key.vkey,)))
    named = {(one.check, one.subject) for one in report.findings.kept}
    assert ("file_differs", f"{REGION}/leaves/000000000004.bin") in named
    assert ("file_missing", f"{REGION}/rules.jsonl") in named
    assert ("file_unlisted", "note.txt") in named
    assert first(report) == ("leaves_count", REGION, 6, None), "the third leaf of the second file is cut off"


def test_leaves_in_another_order_are_named(tmp_path: Path) -> None:
    maker = PackMaker()
    folder = maker.write(tmp_path / "pack")
    part = folder / REGION / "leaves" / "000000000004.bin"
    leaves = maker.written()[4:]
    leaves[0], leaves[1] = leaves[1], leaves[0]
    part.write_bytes(b"".join(len(leaf).to_bytes(2, "big") + leaf for leaf in leaves))
    list_again(folder)
    report = verify(folder, Options((maker.key.vkey,)))
    assert first(report)[1:3] == (REGION, 4)
    assert {"leaf_hash", "root", "voucher_seq"} <= found(report)


def test_a_tail_cut_off_with_all_its_traces_is_told_by_the_newest_head(tmp_path: Path) -> None:
    maker = PackMaker()
    folder = maker.write(tmp_path / "pack")
    manifest = json.loads((folder / "manifest.json").read_bytes())
    manifest["regions"][0]["size"] = 4
    (folder / "manifest.json").write_bytes(compact(manifest))
    report = verify(folder, Options((maker.key.vkey,)))
    assert ("log_size", REGION, 4) in {(one.check, one.region, one.index) for one in report.findings.kept}


def test_a_head_taken_earlier_tells_a_rollback_and_another_history(tmp_path: Path) -> None:
    long, short = PackMaker(), PackMaker()
    short.key, short.witness = long.key, long.witness
    kept = note(head_text(long.written()), long.key)
    short.story.leaves.pop()
    rolled = judged(short, tmp_path / "short", checkpoints=(kept,))
    assert ("shortened", 6, 7) in {(one.check, one.index, one.until) for one in rolled.findings.kept}
    long.story.leaves[6]["request"] = "another"
    forked = judged(long, tmp_path / "forked", checkpoints=(kept,))
    assert found(forked) == {"forked"}
    assert judged(PackMaker(key=long.key), tmp_path / "fits", checkpoints=(kept,)).regions[0].earlier_heads == 1


def test_a_signature_or_cosignature_that_does_not_hold_is_told(tmp_path: Path) -> None:
    maker = PackMaker()
    forged = NoteKey(maker.key.name)
    folder = maker.write(tmp_path / "pack")
    text = head_text(maker.written())
    line = f"— {maker.key.name} " + base64.b64encode(maker.key.key_id + forged.private.sign(text.encode())).decode()
    (folder / REGION / "checkpoints.jsonl").write_bytes(compact({"size": 7, "note": f"{text}\n{line}\n"}) + b"\n")
    cosigned = {"size": 7, "witness": "w", "line": maker.witness.cosign(head_text(maker.written()[:6]), 1)}
    (folder / REGION / "cosignatures.jsonl").write_bytes(compact(cosigned) + b"\n")
    list_again(folder)
    report = verify(folder, Options((maker.key.vkey, maker.witness.vkey)))
    assert report.findings.counts == {"head_signature": 1, "cosignature": 1}


def test_two_heads_of_one_size_are_a_fork(tmp_path: Path) -> None:
    maker = PackMaker()
    folder = maker.write(tmp_path / "pack")
    other = small_story()
    other.leaves[6]["request"] = "another"
    heads = folder / REGION / "checkpoints.jsonl"
    text = head_text([compact(leaf) for leaf in other.leaves])
    heads.write_bytes(heads.read_bytes() + compact({"size": 7, "note": note(text, maker.key)}) + b"\n")
    list_again(folder)
    assert found(verify(folder, Options((maker.key.vkey,)))) == {"fork"}


def test_texts_rules_and_journal_are_what_the_leaves_name(tmp_path: Path) -> None:
    maker = PackMaker()
    folder = maker.write(tmp_path / "pack")
    for name, old, new in (
        (f"{REGION}/texts/000000000000.jsonl", b'\\"trace\\":4', b'\\"trace\\":5'),
        (f"{REGION}/rules.jsonl", b"0.30", b"0.50"),
        (f"{REGION}/journal/000000000004.beancount", b"100.00 CNY", b"101.00 CNY"),
    ):
        written = (folder / name).read_bytes()
        assert old in written
        (folder / name).write_bytes(written.replace(old, new))
    list_again(folder)
    report = verify(folder, Options((maker.key.vkey,)))
    assert report.findings.counts == {"text_hash": 1, "rules_hash": 1, "journal": 1}
    assert first(report) == ("text_hash", REGION, 3, entry_id(4))
    maker.story.texts.pop(1)
    assert first(judged(maker, tmp_path / "less")) == ("text_missing", REGION, 2, entry_id(3))


def test_unsealed_leaves_count_in_the_books_and_are_told(tmp_path: Path) -> None:
    maker = PackMaker(unsealed=2)
    report = judged(maker, tmp_path / "pack")
    assert report.is_right, report.to_text()
    assert report.warnings == [OLD, ("unsealed", f"{REGION} 2")]
    assert (report.regions[0].leaves, report.regions[0].unsealed) == (5, 2)


# -- receipts ---------------------------------------------------------------------------------------------------------


def receipt(maker: PackMaker, entry: str, leaf: bytes, promised_by: str) -> dict[str, Any]:
    body = {
        "log": ORIGIN,
        "entry_id": entry,
        "leaf_sha256": sha(b"\x00" + leaf).hex(),
        "at": "2026-11-24T03:08:29.000000Z",
        "promised_by": promised_by,
        "key_id": maker.key.key_id.hex(),
    }
    return body | {"signature": base64.b64encode(maker.key.private.sign(compact(body))).decode()}


def receipts_file(folder: Path, *receipts: dict[str, Any]) -> Path:
    path = folder / "receipts.jsonl"
    path.write_bytes(b"".join(compact(one) + b"\n" for one in receipts))
    return path


def test_receipts_are_held_against_the_log(tmp_path: Path) -> None:
    maker = PackMaker(unsealed=1)
    leaves = maker.written()
    past, future = "2026-11-24T12:00:00.000000Z", "2026-11-26T12:00:00.000000Z"
    forged = receipt(maker, entry_id(4), leaves[3], past) | {"at": "2026-11-24T03:08:30.000000Z"}
    path = receipts_file(
        tmp_path,
        {"redemption": "rdm_330100_one", "receipt": receipt(maker, entry_id(4), leaves[3], past)},
        receipt(maker, entry_id(5), b"another leaf", past),
        receipt(maker, entry_id(7), leaves[6], past),
        receipt(maker, entry_id(7), leaves[6], future),
        receipt(maker, entry_id(98), b"never written", past),
        forged,
    )
    report = judged(maker, tmp_path / "pack", receipts=path)
    assert report.receipts == {"kept": 1, "not_due": 1, "broken": 3, "not_judged": 1}
    assert report.findings.counts == {"receipt_leaf": 1, "receipt_omitted": 2, "receipt_signature": 1}
    assert {one.entry for one in report.findings.kept if one.check == "receipt_omitted"} == {entry_id(7), entry_id(98)}
    assert first(report) == ("receipt_leaf", REGION, 4, entry_id(5))


# -- going on after an interruption -----------------------------------------------------------------------------------


class Interrupted(Exception):
    pass


def test_an_interrupted_verification_goes_on_and_finds_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verifying, "SAVE_EVERY_S", 0)
    maker = paid_and_closed()
    maker.per_file = 2
    maker.story.leaves[1]["maker"] = maker.story.leaves[1]["checker"]
    folder = maker.write(tmp_path / "pack")
    path = receipts_file(tmp_path, receipt(maker, entry_id(1), maker.written()[0], "2026-11-24T12:00:00.000000Z"))
    options = Options((maker.key.vkey,), receipts=path, state=tmp_path / "state.json")
    whole = verify(folder, Options((maker.key.vkey,), receipts=path))

    def stop(done: int, _total: int) -> None:
        if done >= 14:
            raise Interrupted

    with pytest.raises(Interrupted):
        verify(folder, options, progress=stop)
    seen: list[int] = []
    resumed = verify(folder, options, progress=lambda done, _total: seen.append(done))
    assert resumed.resumed_at == (REGION, 12), "the file with leaves 12 and 13 was read when it stopped, and not saved"
    assert seen == [14]
    assert resumed.leaves == 2
    told = {"leaves", "seconds", "leaves_per_s", "resumed_at"}
    assert {k: v for k, v in resumed.to_json().items() if k not in told} == {
        k: v for k, v in whole.to_json().items() if k not in told
    }
    assert not (tmp_path / "state.json").exists()


def test_progress_of_another_pack_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verifying, "SAVE_EVERY_S", 0)
    state = tmp_path / "state.json"
    state.write_text('{"of": "another"}')
    report = judged(PackMaker(), tmp_path / "pack", state=state)
    assert report.is_right
    assert report.resumed_at is None
    assert report.warnings == [("started_anew", "state.json"), OLD]


# -- what cannot be read ----------------------------------------------------------------------------------------------


def test_exit_statuses(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    maker = PackMaker()
    folder = str(maker.write(tmp_path / "right"))
    assert main([folder, "--vkey", maker.key.vkey, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["result"] == "right"
    maker.story.leaves[1]["maker"] = None
    assert main([str(maker.write(tmp_path / "wrong")), "--vkey", maker.key.vkey]) == 1
    assert f"{REGION} #1 {entry_id(2)} [two_persons]" in capsys.readouterr().out
    assert main([str(tmp_path / "nothing")]) == 2
    assert "cannot read" in capsys.readouterr().err


def test_what_is_no_pack_or_no_key_is_said(tmp_path: Path) -> None:
    folder = PackMaker().write(tmp_path / "pack")
    maker = PackMaker()
    forged = note(head_text(maker.written()), maker.key).replace(ORIGIN + "\n7", ORIGIN + "\n6", 1)
    with pytest.raises(UnreadableOption, match="not signed so"):
        judged(maker, tmp_path / "forged", checkpoints=(forged,))
    with pytest.raises(UnreadableOption, match="not a key"):
        verify(folder, Options(("vouchers.example+00+AA==",)))
    manifest = json.loads((folder / "manifest.json").read_bytes())
    (folder / "manifest.json").write_bytes(compact(manifest | {"version": 2}))
    with pytest.raises(UnreadablePack, match="version"):
        verify(folder, Options())
    (folder / "manifest.json").write_bytes(b"{")
    with pytest.raises(UnreadablePack):
        verify(folder, Options())
