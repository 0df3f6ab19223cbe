"""`voucher demo`: a small province on the embedded PostgreSQL, from the first registrar to the reconciled books."""

from __future__ import annotations

import hashlib
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from app.cli import totals
from app.cli.consents import grant_mandates, places, vouchers_of
from app.cli.founding import programme_id_of
from app.cli.lanes import Order, Place, make_orders, split_into_lanes
from app.cli.local import EXAMPLES, end_orderly_on_sigterm, state_dir
from app.cli.login import sign_in
from app.cli.output import progress, say, step
from app.cli.preparing import LOG, Own, founded, own_service
from app.cli.province import Price, Programme, Province
from app.cli.run import DEFAULT_PORT
from app.cli.sending import Tally, send
from app.cli.serving import PortTaken, listen
from app.cli.signins import Signins, say_where_signins_went
from app.cli.state import DemoState
from app.cli.usage import mapping_for, read_file
from app.client import BatchForm, Upload, VoucherClient
from app.kernel.money import parse_yuan
from app.kernel.vocabulary import Role, VoucherKind
from app.services.issuance.sheet import read_sheet
from app.services.reconciliation.reconcile import check_invariants
from app.services.redemption.bills import BillLine
from app.services.vouchers.reads import VoucherRecord

SEED = 65
USAGE = EXAMPLES / "usage.csv"
ASSESSMENTS = 6


def demo(
    *,
    exit_: Annotated[
        bool, typer.Option("--exit", help="汇总后结束，状态可供脚本使用 / End after the summary, with a status")
    ] = False,
    port: Annotated[
        int | None, typer.Option(help=f"端口，缺省 {DEFAULT_PORT} / Port", min=0, max=65535, show_default=False)
    ] = None,
    new_passwords: Annotated[
        bool, typer.Option("--new-passwords", help="重置并显示登录账号 / Set and show new passwords")
    ] = False,
) -> None:
    """一键演示：建省、拨款、发券、核销、对账 / A small province from its founding to its reconciled books.

    再次运行会接续上次的进度，不会重复任何一步。
    Run again, it continues where it was and does nothing twice.
    """
    end_orderly_on_sigterm()
    with own_service(_listening(port)) as own:
        holds = _perform(own, new_passwords=new_passwords)
        if exit_:
            raise typer.Exit(0 if holds else 1)
        _say_addresses(own.service.url)
        try:
            raise typer.Exit(own.service.wait())
        except KeyboardInterrupt:
            say("正在结束；数据保留，再次运行即接续。", "stopping; the data stays, run again to continue")


def _listening(port: int | None) -> socket.socket:
    host = "127.0.0.1"
    if port is not None:
        return listen(host, port)
    try:
        return listen(host, DEFAULT_PORT)
    except PortTaken:
        listening = listen(host, 0)
        say(
            f"端口 {DEFAULT_PORT} 已被占用，改用 {listening.getsockname()[1]}。",
            f"port {DEFAULT_PORT} is taken, another is used",
        )
        return listening


def _perform(own: Own, *, new_passwords: bool) -> bool:
    """Everything up to the sign-ins; whether all bills have their answer and all books are right."""
    with founded(own) as (province, state):
        signins = Signins(own.database, province)
        vouchers = {}
        for programme in province.programmes:
            vouchers[programme.key] = _issued(own, province, programme, state, signins)
        compute = [
            place
            for programme in province.programmes_of(VoucherKind.COMPUTE)
            for place in places(state, vouchers[programme.key], programme.providers)
        ]
        state.places = compute
        state.save()
        tally = _redeem(own, province, state, compute, vouchers)
    with step("核对账目", "checking the books"):
        report = check_invariants(own.database)
    totals.show_budgets(own.database, province)
    totals.show_tally(tally)
    totals.show_report(report)
    if new_passwords or not state.signins_shown:
        signins.show(state)
    else:
        say_where_signins_went()
    return tally.is_final and not report.difference_count


def _issued(
    own: Own, province: Province, programme: Programme, state: DemoState, signins: Signins
) -> list[VoucherRecord]:
    """The programme's vouchers: issued over HTTP from its sheet, and the firms' mandates, unless they are there."""
    programme_id = own.database.transact(lambda tx: programme_id_of(tx, programme, state.year))
    sheet = EXAMPLES / programme.issuance_file
    file_sha256 = hashlib.sha256(sheet.read_bytes()).hexdigest()

    def look() -> list[VoucherRecord]:
        return own.database.transact(lambda tx: vouchers_of(tx, province, programme_id, file_sha256=file_sha256))

    if not look():
        _issue(own.service.url, sheet, province, programme, programme_id, signins)
    vouchers = look()
    with step(f"{programme.title}：企业授权", f"{len(vouchers)} vouchers, mandates of the firms"):
        own.database.transact(lambda tx: grant_mandates(tx, province, vouchers, programme.providers))
    return vouchers


def _issue(
    url: str, sheet: Path, province: Province, programme: Programme, programme_id: str, signins: Signins
) -> None:
    """As the city does it: the maker signs in and sends the sheet, the checker signs in and approves."""
    rows = read_sheet(sheet.read_bytes(), language="zh").rows
    maker = province.person_with(Role.MAKER, programme.region_code).login
    checker = province.person_with(Role.CHECKER, programme.region_code).login
    with step(
        f"{programme.title}：发放 {len(rows)} 张券（{sheet.name}）", "issued from the sheet over HTTP, by two persons"
    ):
        passwords = signins.passwords_of([maker, checker])
        declared = BatchForm(
            programme_id=programme_id,
            declared_count=len(rows),
            declared_total_fen=sum(row.face_value_fen for row in rows),
        )
        with VoucherClient(url, token=sign_in(url, maker, passwords[maker]).token) as client:
            submitted = client.issuance_batches.submit(Upload.read(sheet), declared, key=f"demo-{programme_id}")
        assert submitted.approval_id is not None, "it was no dry run"
        with VoucherClient(url, token=sign_in(url, checker, passwords[checker]).token) as client:
            client.approvals.approve(submitted.approval_id)


def _redeem(
    own: Own,
    province: Province,
    state: DemoState,
    compute: Sequence[Place],
    vouchers: dict[str, list[VoucherRecord]],
) -> Tally:
    """The bills of usage.csv by the compute centres, and a few of the assessment provider."""
    mapping = mapping_for(USAGE, None)
    orders = make_orders(read_file(USAGE, mapping), mapping.prices, compute, seed=SEED)
    for programme in province.programmes_of(VoucherKind.ASSESSMENT):
        assessed = places(state, vouchers[programme.key], programme.providers)
        orders += _assessments(state.year, assessed, province.price_lists[programme.price_list])
    with progress("通过 HTTP 核销账单", "redeeming over HTTP", len(orders)) as advance:
        return send(
            own.service.url,
            state.secrets,
            split_into_lanes(orders),
            advance=advance,
            alive=lambda: own.service.ended() is None,
        )


def _assessments(year: int, assessed: Sequence[Place], prices: Sequence[Price]) -> list[Order]:
    """One report for each of the first firms, the price list's positions in turn."""
    orders = []
    for number, place in enumerate(assessed[:ASSESSMENTS], start=1):
        price = prices[number % len(prices)]
        order_no = f"assessment-{year}-{number}"
        line = BillLine(price.category, "1", price.unit, price.unit_price, parse_yuan(price.unit_price))
        orders.append(Order(number, place.client_ids[0], f"demo-{order_no}", place.voucher_code, order_no, line))
    return orders


def _say_addresses(url: str) -> None:
    say(f"接口文档 {url}/docs", "API documentation")
    say(f"企业门户 {url}/portal", "portal of the firms")
    say(
        "演示中工作人员可不启用二次验证；正式运行时必须启用。",
        "here officials need no second factor; in service they do",
    )
    say(f"服务日志 {state_dir() / LOG}", "log of the service")
    say(f"登录命令行：.venv/bin/voucher login --url {url}", "signs in on the command line")
    say("按 Ctrl-C 结束。", "Ctrl-C ends all of it")
