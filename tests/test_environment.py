from __future__ import annotations

import os

import pytest

from labkit.environment import LOOPBACK, SESSION_URL, Environment, proxy_variables
from labkit.providers import PROVIDERS
from labkit.secret import Secret, mask

NAMES = ("OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_ORG_ID")


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*NAMES, SESSION_URL, "NO_PROXY", "no_proxy", "HTTP_PROXY", "http_proxy"):
        monkeypatch.setenv(name, "")  # so that monkeypatch puts it back whatever the test does
        monkeypatch.delenv(name)


def test_restore_brings_back_values_and_absences() -> None:
    os.environ["OPENAI_ORG_ID"] = "org-mine"
    environment = Environment()
    environment.apply({"OPENAI_API_KEY": "lab-1", "OPENAI_ORG_ID": None})
    assert os.environ["OPENAI_API_KEY"] == "lab-1"
    assert "OPENAI_ORG_ID" not in os.environ
    environment.restore()
    assert "OPENAI_API_KEY" not in os.environ
    assert os.environ["OPENAI_ORG_ID"] == "org-mine"


def test_applying_twice_still_restores_the_users_value() -> None:
    os.environ["OPENAI_API_KEY"] = "sk-mine"
    environment = Environment()
    environment.apply({"OPENAI_API_KEY": "lab-1"})
    environment.apply({"OPENAI_API_KEY": "lab-2"})
    assert environment.original("OPENAI_API_KEY") == "sk-mine"
    environment.restore()
    assert os.environ["OPENAI_API_KEY"] == "sk-mine"


def test_value_that_the_user_sets_meanwhile_is_the_users() -> None:
    environment = Environment()
    environment.apply({"OPENAI_API_KEY": "lab-1"})
    os.environ["OPENAI_API_KEY"] = "sk-new"
    assert environment.original("OPENAI_API_KEY") == "sk-new"
    environment.restore()
    assert os.environ["OPENAI_API_KEY"] == "sk-new"


def test_values_inherited_from_a_parents_session_are_nobodys() -> None:
    os.environ |= {
        "OPENAI_API_KEY": "lab-1",
        "OPENAI_BASE_URL": "http://127.0.0.1:9/v1",
        SESSION_URL: "http://127.0.0.1:9",
    }
    environment = Environment()
    assert [environment.original(name) for name in NAMES[:2]] == [None, None]
    environment.apply({"OPENAI_BASE_URL": "http://127.0.0.1:10/v1"})
    environment.restore()
    assert "OPENAI_BASE_URL" not in os.environ


def test_proxy_exception_is_added_to_the_users_own_list(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "intra.example.org")
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.example.org:3128")
    assert proxy_variables() == {"NO_PROXY": ",".join(("intra.example.org", *LOOPBACK))}


@pytest.mark.skipif(os.name == "nt", reason="variables have no case there")
def test_lower_case_proxy_list_wins_in_the_sdks_so_it_is_extended_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "a.example.org")
    monkeypatch.setenv("NO_PROXY", "b.example.org")
    wanted = ",".join(("a.example.org", *LOOPBACK))
    assert proxy_variables() == {"NO_PROXY": wanted, "no_proxy": wanted}


@pytest.mark.parametrize("provider", PROVIDERS.values(), ids=list(PROVIDERS))
def test_every_key_and_base_url_of_a_provider_is_replaced_while_local(provider: object) -> None:
    assert {*provider.keys, provider.base_url} <= provider.local.keys()


@pytest.mark.parametrize("key", ["lab-0123456789ab3f2a", "sk-proj-0123456789ab9XyZ", "AKIAEXAMPLE1234", "pw"])
def test_secret_shows_four_characters_at_most(key: str) -> None:
    shown = f"{Secret(key)} {Secret(key)!r} {[Secret(key)]}"
    assert key not in shown
    assert mask(key)[-4:].lstrip("…") in key
    assert len(mask(key)) <= len("sk-") + 5 or key.startswith("lab-")
