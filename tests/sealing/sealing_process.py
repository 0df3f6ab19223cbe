"""`python -m tests.sealing.sealing_process`: seals one region in many small transactions, to be killed among them."""

from __future__ import annotations

import sys

from app.database import Database
from app.services.sealing.keys import LogKeys
from app.services.sealing.seal import seal
from app.settings import Settings


def main() -> None:
    settings = Settings()
    region_code, most = sys.argv[1], int(sys.argv[2])
    database = Database(settings.database_url, pool_size=1)
    keys = LogKeys.from_settings(settings)
    print("ready", flush=True)
    while database.transact(lambda tx: seal(tx, region_code=region_code, keys=keys, most=most)) is not None:
        pass
    database.dispose()


if __name__ == "__main__":
    main()
