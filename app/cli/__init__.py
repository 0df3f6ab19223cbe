"""The `voucher` command."""

import sys


def main() -> None:
    """Run the command line."""
    try:
        from app.cli.commands import main as run_command  # noqa: PLC0415 - a worker lies in this package and needs none
    except KeyboardInterrupt:
        sys.exit(130)
    run_command()
