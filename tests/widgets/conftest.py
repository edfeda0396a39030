"""Widgets are watched while they write: lab time is real time here."""

from __future__ import annotations

import pytest

import labkit as lk
from labkit.session import Session


@pytest.fixture
def session(session: Session) -> Session:
    lk.lab.clock(minute=60)
    return session
