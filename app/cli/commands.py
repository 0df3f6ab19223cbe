"""Which commands there are, and how one ends that cannot do what was asked."""

from __future__ import annotations

import sys

import typer
from sqlalchemy.exc import OperationalError

from app.cli import (
    demo,
    export,
    login,
    officials,
    people,
    reconcile,
    replay,
    replay_assessment,
    rules,
    run,
    seal,
    simulate,
    verify,
    witness,
)
from app.cli.output import Failure
from app.embedded.home import StartFailed
from app.kernel.catalogue import detail, title
from app.kernel.problems import AppError

app = typer.Typer(
    name="voucher",
    help="AI算力券与智评券：发放、核销、对账 / Vouchers for AI compute and assessment.",
    no_args_is_help=True,
    add_completion=False,
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
    login.whoami,
    officials.issue,
    officials.approvals,
    officials.approve,
    officials.api,
    run.openapi,
    witness.witness,
):
    app.command()(command)
app.add_typer(people.app, name="user")
app.add_typer(rules.app, name="rules")


def main() -> None:
    """Run the command line; what cannot be done is one line on standard error, and status 1."""
    try:
        app()
    except (Failure, StartFailed) as failure:
        _end(str(failure))
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
