"""A line of a statement or of the bank's list that a superuser edits afterwards, so that nothing differs any more."""

from __future__ import annotations

from sqlalchemy import create_engine, text

from app.services.reconciliation.invariants import INVARIANTS
from tests.bank_lists.files import line, send
from tests.past import superuser_url
from tests.payments.paying import Paying
from tests.statements.books import HEADINGS, row_of, upload
from tests.statements.files import as_xlsx
from tests.world import World, counter, ok

CHANGES = {
    "UPDATE statement_lines SET subsidy_fen = subsidy_fen - 1 WHERE row_no = 2": "lines of stm_",
    "UPDATE statement_lines SET order_no = 'B-1' WHERE row_no = 3": "lines of stm_",
    "UPDATE statements SET file_sha256 = repeat('0', 64)": "lines of stm_",
    "UPDATE bank_list_lines SET amount_fen = amount_fen + 1": "lines of bkl_",
    "UPDATE bank_list_lines SET settled_on = settled_on - 1": "lines of bkl_",
    "DELETE FROM bank_list_lines": "lines of bkl_",
}


def test_a_line_that_was_edited_is_not_compared_as_if_it_were_theirs(world: World) -> None:
    paying = Paying(counter(world.city()))
    desk = paying.desk
    redeemed = [ok(desk.redeem(10_000, order_no=number)) for number in ("A-1", "A-2")]
    ok(upload(desk.machine, as_xlsx([HEADINGS, *(row_of(desk, one) for one in redeemed)])))
    order = paying.order(redeemed[0]["id"])
    ok(paying.confirm(order, reference="HD-0"))
    send(desk.city.finance, line(order, 3_000, "已支付", "HD-0"))
    assert world.differences() == []
    (invariant,) = (of for of in INVARIANTS if of.name == "uploaded_lines")
    engine = create_engine(superuser_url(str(world.database.engine.url.database)))
    with engine.connect() as superuser:
        for change, subject in CHANGES.items():
            with superuser.begin_nested() as savepoint:
                superuser.execute(text("SET LOCAL session_replication_role = replica"))
                assert superuser.execute(text(change)).rowcount > 0, change
                (found,) = superuser.execute(text(invariant.query))
                assert found.subject.startswith(subject), change
                savepoint.rollback()
    engine.dispose()
