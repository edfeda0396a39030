"""A sweep needs a tenant without limits."""

from __future__ import annotations

import pytest

import labkit as lk
from labkit.session import Session


@pytest.fixture
def session(session: Session) -> Session:
    lk.lab.limits(requests_per_minute=None, tokens_per_minute=None)
    return session
