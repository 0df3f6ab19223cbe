"""Spreadsheets as answers."""

from __future__ import annotations

from fastapi import Response

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def xlsx_response(content: bytes, file_name: str) -> Response:
    """An .xlsx that a browser saves under this (ASCII) name."""
    return Response(content, media_type=XLSX, headers={"Content-Disposition": f'attachment; filename="{file_name}"'})
