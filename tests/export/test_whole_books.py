"""All that happens to money in a year and at its end, in one set of books: they are right, and so is their pack."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from app.database import Database
from app.embedded.databases import Urls
from app.embedded.server import Server
from app.kernel.vocabulary import EntryKind
from app.services.sealing.keys import LogKeys
from app.settings import Settings
from app.verifier.verify import Options, verify
from tests.budgets.closes import close, pool_ids
from tests.payments.paying import Paying
from tests.payments.test_expiry import WAN, expire, let_expire
from tests.tampering.books import Books, Copy
from tests.world import HANGZHOU, NINGBO, THIS_YEAR, Counter, World, bill_body, counter, ok

TWO_SOURCES = [{"source": "province", "share": 1}, {"source": "city", "share": 1}]


@pytest.fixture
def copy(world: World, server: Server, urls: Urls, database: Database, settings: Settings) -> Copy:
    """Books that a test writes itself, with the tools of an auditor and of somebody who tampers."""
    keys = LogKeys.from_settings(settings)
    vkeys = tuple(one.verifier.vkey for region in (HANGZHOU, NINGBO) for one in keys.signers(keys.origin(region)))
    return Copy(Books(server, settings, "", "", vkeys, ()), urls, database)


KINDS = frozenset(EntryKind) - {EntryKind.AUTHORISE, EntryKind.VOID, EntryKind.SURRENDER, EntryKind.ADJUST}
"""What happens in these books; vouchers and grants that are taken back are in `tests/tampering/books.py`."""

CHANGES = {
    "recoveries": "UPDATE recoveries SET amount_fen = amount_fen {} 1 WHERE status = 'received' AND treasury_fen = 0",
    "recovered": "UPDATE redemptions SET recovered_fen = recovered_fen {} 1 WHERE recovered_fen > 1",
    "payment_items": "UPDATE payment_items SET amount_fen = amount_fen {} 1 WHERE status = 'bounced'",
    "payment_orders": "UPDATE payment_orders SET total_fen = total_fen {} 1 WHERE item_count = 2",
    "allotments": "UPDATE allotments SET face_fen = face_fen {0} 1, redeemed_fen = redeemed_fen {0} 1"
    " WHERE pool_id = :carried_to AND redeemed_fen > 0",
}
"""A counter of each sort that payments, recoveries and the close brought along, by the table that a finding names."""


def test_a_year_with_payments_recoveries_reversals_and_its_close(world: World, copy: Copy, tmp_path: Path) -> None:
    """Of every thing one: whoever reads the pack must come to what is stored, and name what was changed."""
    desk = counter(world.city(), face_value_fen=50 * WAN, fund_sources=TWO_SOURCES)
    receipts = _a_year(world, desk)
    _a_year_that_leaves_nothing(world)
    copy.seal()
    assert world.differences() == []
    assert copy.one("SELECT array_agg(DISTINCT kind ORDER BY kind) FROM entries") == sorted(KINDS)
    states = copy.one("SELECT array_agg(DISTINCT status ORDER BY status) FROM recoveries")
    assert states == ["received", "refunded"]

    pack = tmp_path / "pack"
    copy.export(pack)
    file = tmp_path / "receipts.jsonl"
    file.write_text("".join(f"{json.dumps(one)}\n" for one in receipts))
    report = verify(pack, Options(copy.books.vkeys, (), file))
    assert report.is_right, report.to_text()
    assert report.receipts == {"kept": 3, "not_due": 0, "broken": 0, "not_judged": 0}
    for word in ("客户退单", "账号有误", "录入有误"):
        assert not [path for path in pack.rglob("*.*") if word.encode() in path.read_bytes()], word
    texts = b"".join(path.read_bytes() for path in pack.rglob("texts/*"))
    assert "财预〔2026〕99号".encode() in texts and b"SK-1" not in texts

    carried_to = pool_ids(world.database, desk.programme_id)[THIS_YEAR + 1, "city"]
    for table, change in CHANGES.items():
        bound = {"carried_to": carried_to} if ":carried_to" in change else {}
        copy.tamper(change.format("+"), **bound)
        report = copy.judge(tmp_path / table)
        assert report.findings.counts.keys() == {"counter"}, report.to_text()
        assert table in {one.subject.split()[0] for one in report.findings.kept}, report.to_text()
        copy.tamper(change.format("-"), **bound)

    # A closed year that is open again, and one that was closed before its money was spent.
    closed_at = copy.one("SELECT max(closed_at) FROM pools WHERE region_code = :region", region=HANGZHOU)
    change = "UPDATE pools SET closed_at = :closed_at WHERE closed_at IS NOT NULL AND region_code = :region"
    copy.tamper(change, closed_at=closed_at - timedelta(seconds=60), region=HANGZHOU)
    assert copy.judge(tmp_path / "earlier").findings.counts == {"counter": 2, "closed_year": 2}
    copy.tamper(change, closed_at=closed_at, region=HANGZHOU)

    # A move is an entry: who changes its posting breaks with the leaf.
    copy.tamper("UPDATE postings SET amount_fen = amount_fen + 1 WHERE pool_id = :pool", pool=carried_to)
    named = {difference.split()[1] for difference in world.differences()}
    assert {"columns:", "stored_counters:"} <= named
    assert copy.judge(tmp_path / "moved").is_right, "the pack tells the leaves, not the postings"


def _a_year(world: World, desk: Counter) -> list[dict[str, str]]:
    """The year of a programme of two sources, its close and what comes after; the receipts that were given."""
    city, paying = desk.city, Paying(desk)

    # Never paid: refunded, reversed, held and redeemed in parts.
    owed = ok(desk.redeem(10 * WAN))["id"]
    given_back = paying.refund(owed, 2 * WAN)["refund"]
    wrong = ok(desk.redeem(1 * WAN))
    _reverse(desk, wrong["entry_id"])
    open_hold, ended_hold = _hold(desk, 20 * WAN, "H1"), _hold(desk, 10 * WAN, "H2")
    ok(_from_hold(desk, open_hold, 5 * WAN, "H1-1"))
    ok(_from_hold(desk, ended_hold, 3 * WAN, "H2-1", final=True))

    # Paid: 3 of its 6 WAN bring a recovery that is received, one that is received after the close; one bounced.
    paid = ok(desk.redeem(20 * WAN))["id"]
    ok(paying.confirm(paying.order(paid)))
    at_once = paying.refund(paid, 5 * WAN)["refund"]
    late = paying.refund(paid, 5 * WAN)["refund"]
    ok(paying.receive(at_once["recovery"]["id"], "SK-1"))
    returned, returned_late = (ok(desk.redeem(fen))["id"] for fen in (7 * WAN, 8 * WAN))
    order = paying.order(returned, returned_late)
    paying.refund(returned, 3 * WAN)
    ok(paying.confirm(order, returned_late))
    paying.refund(returned_late, 4 * WAN)
    ok(paying.bounce(order, returned, returned_late))

    # Other vouchers: one issued by mistake, one that expires.
    _reverse(desk, _issue_of(desk.second_voucher(2 * WAN)))
    other = desk.second_voucher(3 * WAN)
    left = ok(other.redeem(1 * WAN))["id"]
    let_expire(world, other.voucher["id"])
    assert expire(world) == 1

    close(city, desk.programme_id)
    paying.refund(owed, 1 * WAN)
    paying.refund(left, 1 * WAN)
    ok(_from_hold(desk, open_hold, 4 * WAN, "H1-2"))
    ok(desk.machine.post(f"/v1/holds/{open_hold['id']}/release", {}))
    ok(paying.receive(late["recovery"]["id"]))
    ok(paying.confirm(paying.order(returned)))
    return [one["receipt"] for one in (given_back, at_once, late)]


def _a_year_that_leaves_nothing(world: World) -> None:
    """Closed without carrying: what comes back afterwards of a voucher that has ended lapses too."""
    desk = counter(world.city(NINGBO), face_value_fen=5 * WAN)
    drawn = ok(desk.redeem(10 * WAN))["id"]
    let_expire(world, desk.voucher["id"])
    assert expire(world) == 1
    close(desk.city, desk.programme_id, carries_promises=False)
    Paying(desk).refund(drawn, 10 * WAN)


def _hold(desk: Counter, total_fen: int, number: str) -> Any:
    body = {"voucher_code": desk.voucher["code"], "hold_no": number, "bill": bill_body(total_fen)}
    return ok(desk.machine.post("/v1/holds", body))


def _from_hold(desk: Counter, hold: Any, total_fen: int, number: str, **changes: Any) -> Any:
    body = {"hold_id": hold["id"], "order_no": number, "bill": bill_body(total_fen)} | changes
    return desk.machine.post("/v1/redemptions", body)


def _issue_of(desk: Counter) -> str:
    entries = ok(desk.city.finance.get("/v1/ledger/entries", voucher_id=desk.voucher["id"], kind="issue"))["data"]
    (entry,) = entries
    return str(entry["id"])


def _reverse(desk: Counter, entry_id: str) -> None:
    body = {"reason": "录入有误"}
    ok(desk.city.approve(desk.city.maker.post(f"/v1/ledger/entries/{entry_id}/reverse", body)))
