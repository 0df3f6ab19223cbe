"""A process that enters and leaves a server four times: `visitor.py FOLDER STAY_S`. It fails if ever there is none."""

import sys
import time
from pathlib import Path

import psycopg

from app.embedded.server import running

folder, stay_s = sys.argv[1:]
for _ in range(4):
    with running(Path(folder)) as server:
        for _ in range(3):
            psycopg.connect(server.superuser_url.replace("+psycopg", "")).close()
            time.sleep(float(stay_s))
