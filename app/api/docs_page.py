"""The page of the API's documentation: Swagger UI from our own address, without a script in the page itself."""

from __future__ import annotations

from pathlib import Path

import fastapi_offline
from fastapi import FastAPI
from fastapi.responses import FileResponse, HTMLResponse
from starlette.staticfiles import StaticFiles

FILES = "/static-offline-docs"
START = Path(__file__).with_name("docs_page.js")

PAGE = f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Compute vouchers · 算力券</title>
<link rel="icon" href="{FILES}/favicon.png">
<link rel="stylesheet" href="{FILES}/swagger-ui.css">
</head>
<body>
<div id="swagger-ui"></div>
<script src="{FILES}/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</body>
</html>
"""


def mount(app: FastAPI) -> None:
    """Add the page and its files."""
    app.mount(
        FILES, StaticFiles(directory=Path(fastapi_offline.__file__).with_name("static")), name="static-offline-docs"
    )
    app.add_api_route("/docs", _page, include_in_schema=False, response_class=HTMLResponse)
    app.add_api_route("/docs/start.js", _start, include_in_schema=False)


async def _page() -> HTMLResponse:
    return HTMLResponse(PAGE)


async def _start() -> FileResponse:
    return FileResponse(START, media_type="text/javascript")
