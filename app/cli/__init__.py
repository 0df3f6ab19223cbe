"""The `voucher` command."""


def main() -> None:
    """Run the command line."""
    from app.cli.commands import main as run_command  # noqa: PLC0415 - a worker lies in this package and needs no command

    run_command()
