"""`voucher replay FILE`: real usage records as bills, sent over HTTP as a compute centre would."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer

from app.cli import totals
from app.cli.lanes import Order, Place, Usage, make_orders, split_into_lanes
from app.cli.local import end_orderly_on_sigterm, state_dir
from app.cli.output import Failure, progress, say, step
from app.cli.preparing import founded, own_service
from app.cli.replay_programme import ensure_replay_programme, programme_like
from app.cli.sending import SIDE_BY_SIDE, Tally, send
from app.cli.serving import listen
from app.cli.state import load_state
from app.cli.usage import mapping_for, read_file
from app.kernel.codes import parse_code
from app.services.reconciliation.reconcile import check_invariants
from app.services.usage.mapping import PriceList

DEFAULT_SEED = 65
MAX_SEED = 10**9
DEFAULT_REGION = "330100"


def replay(
    file: Annotated[Path, typer.Argument(help="用量文件（CSV） / Usage records", exists=True, dir_okay=False)],
    mapping: Annotated[
        Path | None, typer.Option(help="列映射，缺省按表头识别 / Mapping of the columns; by the heading where missing")
    ] = None,
    seed: Annotated[
        int, typer.Option(help="种子：决定每行的企业与券 / Decides each row's firm and voucher", min=0, max=MAX_SEED)
    ] = DEFAULT_SEED,
    region: Annotated[
        str, typer.Option(help="演示省份中的发券地区 / Issuing region of the demo's province")
    ] = DEFAULT_REGION,
    url: Annotated[str | None, typer.Option(help="另一服务的地址 / Another service's address")] = None,
    client_id: Annotated[
        str | None, typer.Option(help="该服务上的机器账号 / Machine client there", envvar="VOUCHER_CLIENT_ID")
    ] = None,
    client_secret: Annotated[
        str | None, typer.Option(help="其密钥 / Its secret", envvar="VOUCHER_CLIENT_SECRET")
    ] = None,
    vouchers: Annotated[
        Path | None, typer.Option(help="券码清单（CSV，列 code） / Voucher codes, a CSV with the column code")
    ] = None,
    side_by_side: Annotated[int, typer.Option(help="并行券数 / Vouchers at a time", min=1, max=256)] = SIDE_BY_SIDE,
) -> None:
    """把用量记录作为账单逐笔核销 / Redeem usage records as bills, over HTTP.

    用量文件没有企业与价格：企业按种子分配，价格见映射文件。中断后重新运行即接续，合计与未中断时一致。
    不指定 --url 时，在本机内置数据库的演示省份中为该文件与种子新建足额项目。

    The records have no firms and no prices: firms are assigned by the seed, prices stand in the mapping. Interrupted
    and run again it continues, with the same totals. Without --url it runs on the embedded database, in a programme
    of the demonstration's province made for this file and seed.
    """
    end_orderly_on_sigterm()
    chosen = mapping_for(file, mapping)
    with step(f"读取 {file.name}", "reading the whole file before anything is sent"):
        usage = read_file(file, chosen)
    say(
        f"企业由种子 {seed} 分配，价格来自映射文件（{chosen.prices.category}）。",
        "firms by the seed, prices by the mapping",
    )
    try:
        if url is None:
            holds = _on_our_own(usage, chosen.prices, seed=seed, region=region, side_by_side=side_by_side)
        else:
            places, secrets = _there(vouchers, client_id, client_secret)
            orders = make_orders(usage, chosen.prices, places, seed=seed)
            tally = _send(url.rstrip("/"), secrets, orders, side_by_side, alive=lambda: True)
            totals.show_usage(usage, tally)
            holds = tally.is_final
    except KeyboardInterrupt:
        say("已中断；重新运行即接续，不会重复核销。", "interrupted; run again to continue, nothing is done twice")
        raise
    raise typer.Exit(0 if holds else 1)


def _on_our_own(usage: Usage, prices: PriceList, *, seed: int, region: str, side_by_side: int) -> bool:
    """Replay on a service of our own, then check its books; whether everything holds."""
    with own_service(listen("127.0.0.1", 0)) as own:
        with founded(own) as (province, state):
            programme = programme_like(province, region, prices)
            with step("回放项目：预算、发券、授权", "a programme for the replay: budget, vouchers, mandates"):
                places = ensure_replay_programme(own.database, province, state, programme, usage, prices, seed=seed)
        orders = make_orders(usage, prices, places, seed=seed, series=f"{region}-")
        tally = _send(own.service.url, state.secrets, orders, side_by_side, alive=lambda: own.service.ended() is None)
        with step("核对账目", "checking the books"):
            report = check_invariants(own.database)
        totals.show_budgets(own.database, province)
    totals.show_usage(usage, tally)
    totals.show_report(report)
    return tally.is_final and not report.difference_count


def _send(
    url: str, secrets: Mapping[str, str], orders: Sequence[Order], side_by_side: int, *, alive: Callable[[], bool]
) -> Tally:
    with progress("通过 HTTP 核销账单", "redeeming over HTTP", len(orders)) as advance:
        lanes = split_into_lanes(orders)
        return send(url, secrets, lanes, advance=advance, alive=alive, side_by_side=side_by_side)


def _there(
    vouchers: Path | None, client_id: str | None, client_secret: str | None
) -> tuple[list[Place], dict[str, str]]:
    """Vouchers and machines to use on a service elsewhere: as given, else those of the demonstration."""
    state = load_state(state_dir(), year=0)
    if client_id is None and vouchers is None and state.places:
        return state.places, state.secrets
    if not client_id or not client_secret or vouchers is None:
        raise Failure(
            "请提供 --vouchers、--client-id 与 --client-secret（演示服务除外）。",
            "give --vouchers, --client-id and --client-secret, unless it is the demonstration",
        )
    return [Place(code, (client_id,)) for code in _codes(vouchers)], {client_id: client_secret}


def _codes(path: Path) -> list[str]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return sorted({parse_code(row["code"]) for row in csv.DictReader(file)})
    except (OSError, KeyError, ValueError) as error:
        raise Failure(
            f"{path.name} 无法使用，须有 code 列。", f"it needs a column `code` of voucher codes: {error}"
        ) from error
