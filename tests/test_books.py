"""A state machine drives vouchers, pools and the ledger, and holds them against plain dicts."""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from hypothesis.stateful import run_state_machine_as_test as run_machine
from sqlalchemy import Connection, func, insert, select, update

from app.database import Database
from app.embedded import databases
from app.embedded.server import Server
from app.kernel.ids import new_id
from app.kernel.problems import AppError, Code
from app.kernel.vocabulary import IdentifierType, OrganisationKind, Role, VoucherKind
from app.models import Hold, Organisation, Pool, Voucher
from app.reach import EVERYWHERE
from app.services.approvals.decisions import approve
from app.services.budgets.appropriations import request_appropriation
from app.services.budgets.year_close import CloseRequest, request_year_close
from app.services.idempotency import Answer
from app.services.identity.principals import Caller, Grant, Principal
from app.services.issuance.checks import Submission
from app.services.issuance.rows import GrantRow, Layout
from app.services.issuance.submission import submit_batch
from app.services.programmes.admissions import propose_admission
from app.services.programmes.programmes import ProgrammeDraft, create_programme, submit_programme
from app.services.reconciliation.reconcile import check_invariants
from app.services.redemption.batch import decide_batch
from app.services.redemption.bills import Bill, BillLine
from app.services.redemption.commands import PlaceHold, Redeem
from app.services.redemption.decisions import Asked
from app.services.redemption.holds.ending import sweep
from app.services.redemption.holds.running import release
from app.services.redemption.refunds import refund
from app.services.rules.model import Rules
from app.services.vouchers.mandates import grant_mandate
from app.services.vouchers.official_acts import Act, OfficialAct, request_act
from tests.world import HANGZHOU, LONG_AGO, THIS_YEAR, uscc_of

CAP_FEN = 5_000
RATE_PERCENT = 30
SHARES = {"province": 1, "city": 2}
_numbers = count(500_000)


def caller(role: Role, organisation_id: str) -> Caller:
    prefix = "cli" if role is Role.PROVIDER else "usr"
    authority = organisation_id if role in {Role.MAKER, Role.CHECKER} else None
    grants = (Grant(role, HANGZHOU, authority),)
    return Caller(Principal(new_id(prefix), organisation_id, HANGZHOU, grants), "state-machine")


class Books(RuleBasedStateMachine):
    """Funds, issues, holds, redeems, releases, refunds, freezes, voids and closes the year at random."""

    server: Server
    template: str

    def __init__(self) -> None:
        super().__init__()
        self.name = f"books_{next(_numbers)}"
        urls = databases.clone(self.server, template=self.template, database=self.name)
        self.database = Database(urls.app_url, pool_size=3, reach=EVERYWHERE)
        self.steps = 0
        self.pools = dict.fromkeys(SHARES, 0)
        self.closed = False
        self.left_behind = False
        """Whether what is promised stayed in the closed year: then nothing is drawn, and what comes free lapses."""
        self.vouchers: dict[str, dict[str, Any]] = {}
        self.redemptions: dict[str, dict[str, Any]] = {}
        """What one redemption, or all of a hold, have drawn; `hold` is the hold's id or None."""
        self.holds: dict[str, dict[str, Any]] = {}

    def teardown(self) -> None:
        try:
            assert check_invariants(self.database).difference_count == 0
        finally:
            self.database.dispose()
            databases.drop(self.server, database=self.name)

    # -- what the service does ----------------------------------------------------------------------------------------

    @initialize()
    def a_programme(self) -> None:
        self.authority = self._organisation(OrganisationKind.AUTHORITY)
        bureau = self._organisation(OrganisationKind.FINANCE)
        self.provider = caller(Role.PROVIDER, self._organisation(OrganisationKind.PROVIDER))
        self.firm = caller(Role.FIRM, self._organisation(OrganisationKind.FIRM))
        self.maker, self.checker = caller(Role.MAKER, self.authority), caller(Role.CHECKER, self.authority)
        self.payer, self.second_payer = caller(Role.FINANCE, bureau), caller(Role.FINANCE, bureau)
        rules = Rules.model_validate(
            {
                "categories": ["training"],
                "rate": {"kind": "flat", "rate": f"0.{RATE_PERCENT}"},
                "cap": {"kind": "bill", "limit_fen": CAP_FEN},
                "fund_sources": [{"source": source, "share": share} for source, share in SHARES.items()],
            }
        )
        draft = ProgrammeDraft(
            HANGZHOU,
            self.authority,
            "AI算力券",
            VoucherKind.COMPUTE,
            THIS_YEAR,
            LONG_AGO,
            LONG_AGO.replace(year=2126),
            "1号",
            rules,
        )
        self.programme = self._do(lambda tx: create_programme(tx, caller=self.maker, draft=draft)).id
        approval = self._do(lambda tx: submit_programme(tx, caller=self.maker, programme_id=self.programme))[1]
        self._approve(self.checker, approval)
        approval = self._do(
            lambda tx: propose_admission(
                tx,
                caller=self.maker,
                programme_id=self.programme,
                provider_id=self.provider.organisation_id,
                categories=["training"],
            )
        )[1]
        self._approve(self.checker, approval)

    @rule(source=st.sampled_from(sorted(SHARES)), amount_fen=st.integers(-30_000, 60_000).filter(bool))
    def appropriate(self, source: str, amount_fen: int) -> None:
        def work(tx: Connection) -> str:
            return request_appropriation(
                tx,
                caller=self.payer,
                programme_id=self.programme,
                document_no="财字1号",
                amount_fen=amount_fen,
                fund_source=source,
            )

        if self.closed:
            assert self._refused(work) is Code.YEAR_CLOSED
        elif self.pools[source] + amount_fen < 0:
            assert self._refused(work) is Code.APPROPRIATION_BELOW_PROMISED
        else:
            self._approve(self.second_payer, self._do(work))
            self.pools[source] += amount_fen

    @precondition(lambda self: len(self.redemptions) + len(self.holds) >= 3)
    @rule(carries_promises=st.booleans())
    def close_the_year(self, *, carries_promises: bool) -> None:
        """What is available lapses. A second close may carry what the first left behind."""
        request = CloseRequest(self.programme, 2026, "财预1号", carries_promises, {}, None, None)

        def work(tx: Connection) -> str:
            approval_id = request_year_close(tx, caller=self.payer, request=request, dry_run=False).approval_id
            assert approval_id is not None
            return approval_id

        promised = any(
            any(voucher["balance"].values()) or any(voucher["redeemed"].values()) for voucher in self.vouchers.values()
        ) or any(any(hold["held"].values()) for hold in self.holds.values())
        if self.closed and not (carries_promises and promised and self.left_behind):
            assert self._refused(work) is Code.YEAR_CLOSED
        else:
            self._approve(self.second_payer, self._do(work))
            if not self.closed:
                self.pools = dict.fromkeys(SHARES, 0)
            self.closed, self.left_behind = True, not carries_promises

    def _freed(self, source: str, fen: int) -> None:
        """What leaves an ended voucher: available again, or gone where the year is closed."""
        if not self.left_behind:
            self.pools[source] += fen

    @rule(face_fen=st.integers(1, 40_000))
    def issue(self, face_fen: int) -> None:
        row = GrantRow(row_no=1, reference_no=f"R{next(_numbers)}", face_value_fen=face_fen, firm_id=self.firm_id)
        submission = Submission(
            programme_id=self.programme,
            rows=(row,),
            layout=Layout("en"),
            declared_count=1,
            declared_total_fen=face_fen,
        )

        def work(tx: Connection) -> str:
            approval_id = submit_batch(tx, caller=self.maker, submission=submission, dry_run=False).approval_id
            assert approval_id is not None
            return approval_id

        parts = self._split(face_fen, SHARES)
        if self.closed:
            assert self._refused(work) is Code.YEAR_CLOSED
            return
        if any(self.pools[source] < part for source, part in parts.items()):
            assert self._refused(work) is Code.BUDGET_EXHAUSTED
            return
        self._approve(self.checker, self._do(work))
        newest = self._do(
            lambda tx: tx.execute(select(Voucher.id, Voucher.code).order_by(Voucher.id.desc()).limit(1)).one()
        )
        self._do(
            lambda tx: grant_mandate(
                tx,
                caller=self.firm,
                voucher_id=newest.id,
                provider_id=self.provider.organisation_id,
                limit_fen=face_fen,
                valid_until=None,
            )
        )
        for source, part in parts.items():
            self.pools[source] -= part
        self.vouchers[newest.id] = {
            "code": newest.code,
            "face": face_fen,
            "balance": parts,
            "redeemed": dict.fromkeys(SHARES, 0),
            "voided": 0,
            "frozen": False,
            "ended": False,
        }

    @property
    def firm_id(self) -> str:
        return self.firm.organisation_id

    @precondition(lambda self: self.vouchers)
    @rule(data=st.data(), bills=st.lists(st.integers(1, 30_000), min_size=1, max_size=4))
    def redeem(self, data: st.DataObject, bills: list[int]) -> None:
        """Several bills at once, so that one batch decides on an evolving state."""
        chosen = [data.draw(st.sampled_from(sorted(self.vouchers))) for _ in bills]
        commands = [self._command(voucher_id, fen) for voucher_id, fen in zip(chosen, bills, strict=True)]
        outcomes = self._do(lambda tx: decide_batch(tx, commands, wait=True))
        for voucher_id, bill_fen, outcome in zip(chosen, bills, outcomes, strict=True):
            voucher = self.vouchers[voucher_id]
            drawn = min(_earned(bill_fen), sum(voucher["balance"].values()))
            assert isinstance(outcome, Answer)
            if voucher["ended"]:
                assert outcome.body == b"voucher_voided"
            elif voucher["frozen"]:
                assert outcome.body == b"voucher_frozen"
            elif not any(voucher["balance"].values()):
                assert outcome.body == b"insufficient_balance"
            elif self.left_behind:
                assert outcome.body == b"year_closed"
            elif _earned(bill_fen) == 0:
                assert outcome.body == b"below_minimum"
            else:
                assert outcome.body == str(drawn).encode()
                parts = self._split(drawn, voucher["balance"])
                for source, part in parts.items():
                    voucher["balance"][source] -= part
                    voucher["redeemed"][source] += part
                assert outcome.resource_id is not None
                self.redemptions[outcome.resource_id] = {
                    "voucher": voucher_id,
                    "bill": bill_fen,
                    "drawn": parts,
                    "hold": None,
                }

    @precondition(lambda self: self.vouchers)
    @rule(data=st.data(), bills=st.lists(st.integers(1, 60_000), min_size=1, max_size=3))
    def hold(self, data: st.DataObject, bills: list[int]) -> None:
        chosen = [data.draw(st.sampled_from(sorted(self.vouchers))) for _ in bills]
        commands = [self._holding(voucher_id, fen) for voucher_id, fen in zip(chosen, bills, strict=True)]
        outcomes = self._do(lambda tx: decide_batch(tx, commands, wait=True))
        for voucher_id, bill_fen, outcome in zip(chosen, bills, outcomes, strict=True):
            voucher = self.vouchers[voucher_id]
            amount = min(_earned(bill_fen), sum(voucher["balance"].values()))
            assert isinstance(outcome, Answer)
            if outcome.resource_id is None:
                assert voucher["ended"] or voucher["frozen"] or amount == 0 or self.left_behind
                continue
            assert outcome.body == str(amount).encode()
            parts = self._split(amount, voucher["balance"])
            for source, part in parts.items():
                voucher["balance"][source] -= part
            self.holds[outcome.resource_id] = {"voucher": voucher_id, "held": parts, "open": True, "expired": False}

    @precondition(lambda self: self.holds)
    @rule(data=st.data(), bills=st.lists(st.tuples(st.integers(1, 30_000), st.booleans()), min_size=1, max_size=3))
    def redeem_from_holds(self, data: st.DataObject, bills: list[tuple[int, bool]]) -> None:
        chosen = [data.draw(st.sampled_from(sorted(self.holds))) for _ in bills]
        commands = [
            self._command(self.holds[hold_id]["voucher"], fen, hold_id=hold_id, final=final)
            for hold_id, (fen, final) in zip(chosen, bills, strict=True)
        ]
        outcomes = self._do(lambda tx: decide_batch(tx, commands, wait=True))
        for hold_id, (bill_fen, final), outcome in zip(chosen, bills, outcomes, strict=True):
            hold = self.holds[hold_id]
            voucher = self.vouchers[hold["voucher"]]
            assert isinstance(outcome, Answer)
            if not hold["open"]:
                assert outcome.body == (b"hold_expired" if hold["expired"] else b"hold_already_resolved")
                continue
            if voucher["frozen"]:
                assert outcome.body == b"voucher_frozen"
                continue
            if self.left_behind:
                assert outcome.body == b"year_closed"
                continue
            earlier = self._of_hold(hold_id)
            due = _earned(bill_fen + sum(one["bill"] for one in earlier)) - sum(map(_drawn, earlier))
            drawn = min(max(due, 0), sum(hold["held"].values()))
            assert outcome.body == str(drawn).encode()
            parts = self._split(drawn, hold["held"])
            for source, part in parts.items():
                hold["held"][source] -= part
                voucher["redeemed"][source] += part
            assert outcome.resource_id is not None
            self.redemptions[outcome.resource_id] = {
                "voucher": hold["voucher"],
                "bill": bill_fen,
                "drawn": parts,
                "hold": hold_id,
            }
            if final or not any(hold["held"].values()):
                self._free(hold, voucher["balance"])

    @precondition(lambda self: self.holds)
    @rule(data=st.data(), how=st.sampled_from(["release", "expire"]))
    def end_a_hold(self, data: st.DataObject, how: str) -> None:
        hold_id = data.draw(st.sampled_from(sorted(self.holds)))
        hold = self.holds[hold_id]
        if how == "release":
            if hold["open"]:
                self._do(lambda tx: release(tx, caller=self.provider, hold_id=hold_id))
            else:
                ended = Code.HOLD_EXPIRED if hold["expired"] else Code.HOLD_ALREADY_RESOLVED
                assert self._refused(lambda tx: release(tx, caller=self.provider, hold_id=hold_id)) is ended
                return
        else:
            if not hold["open"] or self.vouchers[hold["voucher"]]["frozen"]:
                return
            past = update(Hold).where(Hold.id == hold_id).values(expires_at=func.clock_timestamp())
            self._do(lambda tx: tx.execute(past))
            assert self._do(lambda tx: sweep(tx, most=10)) == 1
            hold["expired"] = True
        self._free(hold, self.vouchers[hold["voucher"]]["balance"])

    @staticmethod
    def _free(hold: dict[str, Any], balance: dict[str, int]) -> None:
        hold["open"] = False
        for source, fen in hold["held"].items():
            balance[source] += fen
            hold["held"][source] = 0

    def _of_hold(self, hold_id: str) -> list[dict[str, Any]]:
        """The redemptions of a hold, oldest first: their ids sort by their making."""
        return [one for _, one in sorted(self.redemptions.items()) if one["hold"] == hold_id]

    @precondition(lambda self: self.redemptions)
    @rule(data=st.data(), amount_fen=st.integers(1, 30_000))
    def refund(self, data: st.DataObject, amount_fen: int) -> None:
        redemption_id = data.draw(st.sampled_from(sorted(self.redemptions)))
        redemption = self.redemptions[redemption_id]

        def work(tx: Connection) -> int:
            done, _ = refund(
                tx, caller=self.provider, redemption_id=redemption_id, amount_fen=amount_fen, lines=(), reason="退单"
            )
            return sum(one.subsidy_refund_fen for one in done)

        if amount_fen > redemption["bill"]:
            assert self._refused(work) is Code.REFUND_EXCEEDS_REDEMPTION
            return
        redemption["bill"] -= amount_fen
        whole = [redemption] if redemption["hold"] is None else self._of_hold(redemption["hold"])
        returned = max(0, sum(map(_drawn, whole)) - _earned(sum(one["bill"] for one in whole)))
        assert self._do(work) == returned
        for one in [redemption, *(other for other in reversed(whole) if other is not redemption)]:
            piece = min(returned, _drawn(one))
            returned -= piece
            self._give_back(one, piece)

    def _give_back(self, redemption: dict[str, Any], piece_fen: int) -> None:
        voucher = self.vouchers[redemption["voucher"]]
        for source, part in self._split(piece_fen, redemption["drawn"]).items():
            redemption["drawn"][source] -= part
            voucher["redeemed"][source] -= part
            if voucher["ended"]:
                self._freed(source, part)
                voucher["voided"] += part
            else:
                voucher["balance"][source] += part

    @precondition(lambda self: self.vouchers)
    @rule(data=st.data(), act=st.sampled_from(["freeze", "unfreeze", "void"]))
    def act(self, data: st.DataObject, act: str) -> None:
        voucher_id = data.draw(st.sampled_from(sorted(self.vouchers)))
        voucher = self.vouchers[voucher_id]

        def work(tx: Connection) -> str:
            return request_act(tx, caller=self.maker, voucher_id=voucher_id, asked=OfficialAct(Act(act), "核查"))

        possible = (
            not voucher["ended"]
            and {
                "freeze": not voucher["frozen"],
                "unfreeze": voucher["frozen"],
                "void": True,
            }[act]
        )
        if not possible:
            assert self._refused(work) is Code.WRONG_STATE
            return
        self._approve(self.checker, self._do(work))
        if act == "void":
            voucher["ended"] = True
            for hold in self.holds.values():
                if hold["voucher"] == voucher_id and hold["open"]:
                    self._free(hold, voucher["balance"])
            for source, fen in voucher["balance"].items():
                self._freed(source, fen)
                voucher["voided"] += fen
                voucher["balance"][source] = 0
        else:
            voucher["frozen"] = act == "freeze"

    # -- what must hold ------------------------------------------------------------------------------

    @invariant()
    def the_service_agrees_with_the_dicts(self) -> None:
        stored = self._do(lambda tx: tx.execute(select(Voucher)).all())
        assert {
            row.id: (row.face_fen, row.balance_fen, row.held_fen, row.redeemed_fen, row.voided_fen) for row in stored
        } == {
            voucher_id: (
                voucher["face"],
                sum(voucher["balance"].values()),
                sum(sum(one["held"].values()) for one in self.holds.values() if one["voucher"] == voucher_id),
                sum(voucher["redeemed"].values()),
                voucher["voided"],
            )
            for voucher_id, voucher in self.vouchers.items()
        }
        available = self._do(lambda tx: tx.execute(select(Pool.fund_source, Pool.available_fen)).all())
        assert {row.fund_source: row.available_fen for row in available if row.available_fen} == {
            source: fen for source, fen in self.pools.items() if fen
        }

    @invariant()
    def the_books_are_right(self) -> None:
        """Now and then, and at the end: what is wrong in a journal stays wrong, and the plain dicts say it at once."""
        self.steps += 1
        assert self.steps % 8 or check_invariants(self.database).difference_count == 0

    # -- means ---------------------------------------------------------------------------------------

    def _do(self, work: Any) -> Any:
        return self.database.transact(work)

    def _refused(self, work: Any) -> Code:
        with pytest.raises(AppError) as refused:
            self._do(work)
        return refused.value.code

    def _approve(self, by: Caller, approval_id: str) -> None:
        self._do(lambda tx: approve(tx, caller=by, approval_id=approval_id))

    def _organisation(self, kind: OrganisationKind) -> str:
        organisation_id = new_id("org")
        number = next(_numbers)
        self._do(
            lambda tx: tx.execute(
                insert(Organisation).values(
                    id=organisation_id,
                    kind=kind,
                    identifier_type=IdentifierType.USCC,
                    identifier_value=uscc_of(number),
                    name=f"机构{number}",
                    region_code=HANGZHOU,
                    profile={},
                    created_at=LONG_AGO,
                    created_by="test",
                )
            )
        )
        return organisation_id

    def _command(self, voucher_id: str, bill_fen: int, *, hold_id: str | None = None, final: bool = False) -> Redeem:
        return Redeem(
            **self._asking(bill_fen),
            voucher_code=None if hold_id else self.vouchers[voucher_id]["code"],
            hold_id=hold_id,
            final=final,
            order_no=f"O{next(_numbers)}",
            render=lambda record: Answer(201, str(record.subsidy_fen).encode(), record.id),
        )

    def _holding(self, voucher_id: str, bill_fen: int) -> PlaceHold:
        return PlaceHold(
            **self._asking(bill_fen),
            voucher_code=self.vouchers[voucher_id]["code"],
            hold_no=f"H{next(_numbers)}",
            render=lambda record: Answer(201, str(record.amount_fen).encode(), record.id),
        )

    def _asking(self, bill_fen: int) -> dict[str, Any]:
        line = BillLine("training", str(bill_fen), "card_hour", "0.01", bill_fen)
        return {
            "caller": self.provider,
            "provider_id": self.provider.organisation_id,
            "region_code": HANGZHOU,
            "asked": Asked(Bill(bill_fen, (line,))),
            "key": f"K{next(_numbers)}",
            "render_refusal": lambda refusal: Answer(409, str(refusal.code).encode()),
        }

    @staticmethod
    def _split(amount_fen: int, shares: dict[str, int]) -> dict[str, int]:
        """Peeling as the design words it: the first part rounded up, then the rest among the rest."""
        parts = {}
        rest, total = amount_fen, sum(shares.values())
        for source, share in shares.items():
            parts[source] = -(-rest * share // total) if total else 0
            rest, total = rest - parts[source], total - share
        return parts


def _earned(bill_fen: int) -> int:
    return min((bill_fen * RATE_PERCENT + 50) // 100, CAP_FEN)


def _drawn(redemption: dict[str, Any]) -> int:
    drawn: int = sum(redemption["drawn"].values())
    return drawn


@pytest.fixture
def machine(server: Server, template: str) -> type[Books]:
    Books.server, Books.template = server, template
    return Books


def test_the_books_agree_with_plain_dicts_whatever_happens(machine: type[Books]) -> None:
    run_machine(
        machine,
        settings=settings(
            max_examples=25,
            stateful_step_count=25,
            deadline=None,
            phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink],
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        ),
    )
