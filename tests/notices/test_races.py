"""An objection that came in time is seen by whoever takes the next step at the end of the period."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

from sqlalchemy import text

from tests.notices.showing import showing
from tests.world import World, ok


def test_issuing_waits_for_an_objection_that_is_being_taken_in(world: World) -> None:
    desk = showing(world)
    batch_id, approval_id = desk.submitted_batch(100_00, 200_00)
    notice_id = desk.publish({"kind": "batch", "batch_id": batch_id})
    named = {"id": notice_id}
    with ThreadPoolExecutor(1) as pool:

        def object_while_the_period_ends(tx: object) -> object:
            run = tx.execute  # type: ignore[attr-defined]
            run(text("SELECT FROM public_notices WHERE id = :id FOR NO KEY UPDATE"), named)
            run(text("UPDATE notice_items SET status = 'frozen' WHERE notice_id = :id AND item_no = 1"), named)
            run(
                text(
                    "UPDATE public_notices SET published_at = published_at - interval '9 days',"
                    " ends_at = clock_timestamp(), shown_until = clock_timestamp() WHERE id = :id"
                ),
                named,
            )
            asked = pool.submit(desk.city.checker.post, f"/v1/approvals/{approval_id}/approve")
            time.sleep(0.5)
            assert not asked.done(), "issuing has not waited"
            return asked

        approved = desk.world.database.transact(object_while_the_period_ends)
        ok(approved.result(timeout=30))  # type: ignore[attr-defined]
    rows = ok(desk.city.maker.get(f"/v1/issuance-batches/{batch_id}/rows"))["data"]
    assert [bool(row["voucher_id"]) for row in rows] == [False, True]
    assert desk.world.differences() == []
