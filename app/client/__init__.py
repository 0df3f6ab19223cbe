"""A typed Python client of the voucher API, for scripts and for the command line. It needs nothing of the service.

    from app.client import ClientCredentials, VoucherClient, models

What it may raise: `app.client.problems`. What goes in and comes out: `app.client.models`.
"""

from app.client import models
from app.client.client import VoucherClient
from app.client.problems import (
    ClientError,
    Conflict,
    Forbidden,
    Invalid,
    JobLost,
    NotAPath,
    NotFound,
    NotSignedIn,
    Problem,
    TooMany,
    Unauthenticated,
    Unavailable,
    Undecided,
    Unreachable,
    Unreadable,
)
from app.client.proving import ProofKey
from app.client.resources.allocation import ListForm
from app.client.resources.vouchers import BatchForm
from app.client.signing_in import ClientCredentials
from app.client.wire import Patience, Upload

__all__ = [
    "BatchForm",
    "ClientCredentials",
    "ClientError",
    "Conflict",
    "Forbidden",
    "Invalid",
    "JobLost",
    "ListForm",
    "NotAPath",
    "NotFound",
    "NotSignedIn",
    "Patience",
    "Problem",
    "ProofKey",
    "TooMany",
    "Unauthenticated",
    "Unavailable",
    "Undecided",
    "Unreachable",
    "Unreadable",
    "Upload",
    "VoucherClient",
    "models",
]
