"""Which commands there are, and how one ends that cannot do what was asked."""

from __future__ import annotations

import sys
from io import TextIOWrapper

import typer
from sqlalchemy.exc import OperationalError

from app.cli import (
    after_restore,
    backup,
    bank_lists,
    calendars,
    debarments,
    demo,
    export,
    keys,
    login,
    officials,
    organisations,
    people,
    reconcile,
    replay,
    replay_assessment,
    restore,
    rules,
    run,
    seal,
    simulate,
    statements,
    uploads,
    verify,
    witness,
)
from app.cli.endings import status_of, tell
from app.cli.groups import Group
from app.cli.office import (
    allocation,
    applications,
    approvals,
    auditing,
    budgets,
    issuing,
    notices,
    programmes,
    vouchers,
)
from app.cli.output import Failure
from app.client import ClientError
from app.embedded.archive import BackupFailed
from app.embedded.home import StartFailed
from app.kernel.problems import AppError
from app.kernel.wording import detail, title
from migrations import NewerDatabase

app = typer.Typer(
    cls=Group,
    name="voucher",
    help="AI算力券与智评券：发放、核销、对账 / Vouchers for AI compute and assessment.",
    no_args_is_help=True,
    add_completion=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
for command in (
    demo.demo,
    replay.replay,
    simulate.simulate,
    run.run,
    run.migrate,
    seal.seal,
    reconcile.reconcile,
    export.export,
    verify.verify,
    replay_assessment.replay_assessment,
    login.login,
    login.logout,
    login.step_up,
    login.whoami,
    login.tokens,
    login.revoke_token,
    officials.api,
    backup.backup,
    restore.restore,
    after_restore.after_restore,
    run.openapi,
    witness.witness,
):
    app.command()(command)
app.command(hidden=True)(officials.approve)
app.add_typer(programmes.app, name="programme")
app.add_typer(budgets.app, name="budget")
app.add_typer(issuing.app, name="issue")
app.add_typer(vouchers.app, name="voucher")
app.add_typer(approvals.app, name="approvals")
app.add_typer(allocation.app, name="allocation")
app.add_typer(applications.app, name="application")
app.add_typer(notices.app, name="notice")
app.add_typer(people.app, name="user")
app.add_typer(keys.app, name="keys")
app.add_typer(auditing.app, name="audit")
app.add_typer(rules.app, name="rules")
app.add_typer(statements.app, name="statements")
app.add_typer(bank_lists.app, name="bank-lists")
app.add_typer(calendars.app, name="calendar")
app.add_typer(uploads.app, name="uploads")
app.add_typer(organisations.app, name="organisations")
app.add_typer(debarments.app, name="debarments")


def main() -> None:
    """Run the command line; what cannot be done is told on standard error, with a status of `app.cli.endings`."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal that knows no Chinese gets escapes, not a crash
    try:
        app()
    except (Failure, ClientError) as failure:
        tell(failure)
        sys.exit(status_of(failure))
    except (StartFailed, BackupFailed) as failure:
        _end(str(failure))
    except NewerDatabase as newer:
        _end(
            f"数据库结构（{newer.found}）比本版本（{newer.newest}）新：请使用升级后的服务，或恢复升级前的备份。"
            f" / the database is at migration {newer.found} and this older version of the service ends at"
            f" {newer.newest}: run the newer version, or restore the backup from before the upgrade"
        )
    except AppError as refusal:
        places = [f"  {place.pointer}: {place.detail or place.code}" for place in refusal.errors]
        sentences = (
            f"{title(refusal.code, tag)}：{detail(refusal.code, tag, refusal.context)}" for tag in ("zh", "en")
        )
        _end("\n".join([" / ".join(sentences), *places]))
    except OperationalError as error:
        _end(f"无法连接数据库。 / cannot reach the database: {error.orig}")


def _end(message: str) -> None:
    print(message, file=sys.stderr)
    sys.exit(1)
