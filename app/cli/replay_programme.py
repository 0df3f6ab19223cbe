"""A programme of its own for one replay: as large as the file needs, so that every billable row is billed.

What a voucher must hold follows from the rows that (seed, row) assign to it and from the rules, by the same assess()
that will judge the bills, rounded up to whole 万元.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from sqlalchemy import Connection

from app.cli.cast import caller
from app.cli.consents import grant_mandates, places, vouchers_of
from app.cli.founding import Funding, draft_of, find_programme, publish_and_fund
from app.cli.lanes import Order, Place, Usage, make_orders
from app.cli.output import Failure
from app.cli.province import Firm, Programme, Province
from app.cli.state import DemoState
from app.database import Database
from app.kernel.clock import utc_now
from app.kernel.vocabulary import Role, VoucherKind
from app.services.approvals.decisions import approve
from app.services.issuance.checks import Submission
from app.services.issuance.plans import parts_of
from app.services.issuance.rows import GrantRow, Layout
from app.services.issuance.submission import submit_batch
from app.services.rules.assess import assess
from app.services.rules.facts import Facts, Line
from app.services.usage.mapping import PriceList

ROUNDED_UP_TO_FEN = 1_000_000
VOUCHERS_PER_FIRM = 2
"""Bills on one voucher wait for each other. With a dozen firms, two each let the service gather twice as many."""


def programme_like(province: Province, region_code: str, prices: PriceList) -> Programme:
    """The region's compute programme, whose rules the replay takes. Raises Failure where there is none that fits."""
    known = {programme.region_code: programme for programme in province.programmes_of(VoucherKind.COMPUTE)}
    programme = known.get(region_code)
    if programme is None:
        raise Failure(f"演示省份中 {region_code} 没有AI算力券项目。", f"choose --region from {', '.join(known)}")
    if prices.category not in programme.rules.categories:
        raise Failure(
            f"{programme.title} 不补贴类别 {prices.category}。",
            f"the programme covers {', '.join(programme.rules.categories)}, the price list names {prices.category}",
        )
    return programme


def ensure_replay_programme(
    database: Database,
    province: Province,
    state: DemoState,
    programme: Programme,
    usage: Usage,
    prices: PriceList,
    *,
    seed: int,
) -> list[Place]:
    """The replay's vouchers, in the order of their firms; made in one transaction unless they are there."""
    document_no = f"回放示例〔{state.year}〕{usage.sha256[:12]}-{seed}号"
    compute_centre = programme.providers[:1]

    def ensure(tx: Connection) -> list[Place]:
        programme_id = find_programme(tx, programme.region_code, document_no)
        if programme_id is None:
            faces_fen = _face_values(province, programme, usage, prices, seed)
            title = f"用量回放 {usage.name[:80]}（种子 {seed}）"
            draft = draft_of(tx, province, programme, state.year, title=title, document_no=document_no)
            fundings = _fundings(programme, faces_fen, document_no)
            programme_id = publish_and_fund(tx, province, draft, fundings, compute_centre)
            _issue(tx, province, programme_id, programme.region_code, faces_fen)
            grant_mandates(tx, province, vouchers_of(tx, province, programme_id), compute_centre)
        return places(state, vouchers_of(tx, province, programme_id), compute_centre)

    return database.transact(ensure)


def _face_values(
    province: Province, programme: Programme, usage: Usage, prices: PriceList, seed: int
) -> list[tuple[Firm, int]]:
    """Firm and face value in fen of each voucher, in the order in which the replay will choose among them."""
    firms = [firm for firm in province.firms_of(programme.region_code) for _ in range(VOUCHERS_PER_FIRM)]
    stand_ins = [Place(str(number), ("-",)) for number, _ in enumerate(firms)]
    needed_fen: Counter[str] = Counter()
    for order in make_orders(usage, prices, stand_ins, seed=seed):
        needed_fen[order.voucher_code] += _subsidy_fen(programme, order)
    return [(firm, _rounded_up(needed_fen[place.voucher_code])) for firm, place in zip(firms, stand_ins, strict=True)]


def _rounded_up(needed_fen: int) -> int:
    return max(1, -(-needed_fen // ROUNDED_UP_TO_FEN)) * ROUNDED_UP_TO_FEN


def _subsidy_fen(programme: Programme, order: Order) -> int:
    """What one bill would draw by itself: the demonstration's rules are not cumulative."""
    line = Line(order.line.category, order.line.amount_fen)
    facts = Facts([line], at=utc_now(), provider_categories=programme.providers[0].categories)
    return assess(programme.rules, facts).amount_fen


def _fundings(programme: Programme, faces_fen: Sequence[tuple[Firm, int]], document_no: str) -> list[Funding]:
    needed_fen: Counter[str] = Counter()
    for _, face_fen in faces_fen:
        needed_fen.update(dict(parts_of(face_fen, programme.rules.fund_sources)))
    return [Funding(source, amount_fen, document_no) for source, amount_fen in needed_fen.items()]


def _issue(
    tx: Connection, province: Province, programme_id: str, region_code: str, faces_fen: Sequence[tuple[Firm, int]]
) -> None:
    rows = tuple(
        GrantRow(row_no=number, reference_no=f"R-{number:04d}", face_value_fen=face_fen, uscc=firm.uscc)
        for number, (firm, face_fen) in enumerate(faces_fen, start=1)
    )
    submission = Submission(programme_id, rows, Layout("zh"), len(rows), sum(face_fen for _, face_fen in faces_fen))
    maker = caller(tx, province.person_with(Role.MAKER, region_code).login)
    checker = caller(tx, province.person_with(Role.CHECKER, region_code).login)
    asked = submit_batch(tx, caller=maker, submission=submission, dry_run=False).approval_id
    assert asked is not None, "only a rehearsal has no approval"
    approve(tx, caller=checker, approval_id=asked)
