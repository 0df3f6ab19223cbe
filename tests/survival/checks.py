"""What must hold after any fault: nothing acknowledged is lost, nothing is done twice, money is in one place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, text

from tests.survival.clients import Answered, Client
from tests.survival.histories import assert_linearizable, history_of
from tests.world import Counter, World

_REDEMPTIONS = text(
    "SELECT r.order_no, r.id, r.subsidy_fen, r.refunded_fen, r.redeemed_at FROM redemptions r WHERE r.voucher_id = :id"
)
_POSTED = text(
    "SELECT coalesce(sum(CASE WHEN p.source = 'committed' AND p.destination = 'obligated' THEN p.amount_fen"
    " WHEN p.source = 'obligated' AND p.destination = 'committed' THEN -p.amount_fen END), 0)"
    " FROM postings p WHERE p.voucher_id = :id AND p.source <> 'available'"
)
_UNANSWERED = text("SELECT count(*) FROM idempotency_keys WHERE status IS NULL")
_ORDERS = text("SELECT o.order_no, o.redemption_id FROM order_numbers o ORDER BY o.order_no")


def assert_survived(world: World, desk: Counter, answered: Sequence[Answered]) -> None:
    """Fail unless the books show exactly what the clients of this voucher were told, and the history has an order.

    `answered` is all that was ever asked of the voucher.
    """
    assert world.differences() == []
    drawn = [one for one in answered if one.request.kind == "redeem" and one.response.status == 201]
    given_back = {one.request.key: one for one in answered if one.request.kind == "refund"}.values()
    face_fen, balance_fen, rows, posted_fen = world.database.transact(lambda tx: _books(tx, desk.voucher["id"]))
    told = {one.response.json["id"]: one.response.json for one in drawn}
    assert {row.id: (row.order_no, row.subsidy_fen) for row in rows} == {
        id_: (body["order_no"], body["subsidy_fen"]) for id_, body in told.items()
    }
    assert len({row.order_no for row in rows}) == len(rows)
    returned_fen = sum(one.response.json["refund"]["subsidy_refund_fen"] for one in given_back)
    assert sum(row.refunded_fen for row in rows) == returned_fen
    drawn_fen = sum(row.subsidy_fen for row in rows) - returned_fen
    assert (balance_fen, posted_fen) == (face_fen - drawn_fen, drawn_fen)
    assert_linearizable(history_of(answered), face_fen)


def assert_whole(world: World) -> None:
    """Whatever was done was done wholly: the books are right, no key is without answer, no order without redemption."""

    def claims(tx: Connection) -> tuple[int, list[Any], set[str]]:
        unanswered: int = tx.execute(_UNANSWERED).scalar_one()
        ids = set(tx.execute(text("SELECT id FROM redemptions")).scalars())
        return unanswered, list(tx.execute(_ORDERS)), ids

    assert world.differences() == []
    unanswered, orders, ids = world.database.transact(claims)
    assert unanswered == 0
    assert [order.order_no for order in orders if order.redemption_id not in ids] == []
    assert len(orders) == len(ids)


async def assert_replays(client: Client, answered: Sequence[Answered]) -> None:
    """Every answer comes back byte for byte, as a repetition."""
    for one in answered:
        again = await client.until_answered(one.request)
        assert (again.response.status, again.response.body) == (one.response.status, one.response.body)
        assert again.response.replayed
    client.close()


def _books(tx: Connection, voucher_id: str) -> tuple[int, int, list[Any], int]:
    voucher = tx.execute(text("SELECT face_fen, balance_fen FROM vouchers WHERE id = :id"), {"id": voucher_id}).one()
    rows = list(tx.execute(_REDEMPTIONS, {"id": voucher_id}))
    posted_fen = int(tx.execute(_POSTED, {"id": voucher_id}).scalar_one())
    return voucher.face_fen, voucher.balance_fen, rows, posted_fen
