"""Token counts: exact, without a network, and the same as tiktoken's own."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit import registry, tokens

# Known ids: OpenAI's published rank files as tiktoken 0.14 encodes with them.
O200K = {
    "": [],
    "hello world": [24912, 2375],
    "안녕하세요": [14307, 171731],
    "🙂": [37459],
    "def f(x):\n    return x**2": [1314, 285, 4061, 1883, 271, 622, 1215, 410, 17],
}
CL100K = {
    "hello world": [15339, 1917],
    "안녕하세요": [31495, 230, 75265, 243, 92245],
    "🙂": [9468, 19044],
}


@pytest.mark.parametrize("text", O200K)
def test_ids_of_o200k_base(text: str) -> None:
    assert tokens.encode(text) == O200K[text]
    assert tokens.count(text) == len(O200K[text])


@pytest.mark.parametrize("text", CL100K)
def test_ids_of_cl100k_base(text: str) -> None:
    assert tokens.encode(text, "gpt-4") == tokens.encode(text, "text-embedding-3-small") == CL100K[text]


def test_a_model_that_tiktoken_does_not_know_counts_all_the_same() -> None:
    import tiktoken

    with pytest.raises(KeyError):
        tiktoken.encoding_for_model("gpt-6-luna")
    assert tokens.encode("hello world", "gpt-6-luna") == O200K["hello world"]


def test_an_estimated_count_is_marked_in_the_registry() -> None:
    claude = registry.model("anthropic")
    assert tokens.count("hello world", claude) == 2 and not registry.find(claude).exact_tokens


def test_a_special_token_in_a_text_is_only_text() -> None:
    assert tokens.count("<|endoftext|>") > 1


def test_an_unknown_model_is_named() -> None:
    with pytest.raises(registry.UnknownModel, match="gpt-6-luna"):
        tokens.count("hi", "gpt-6-lunar")


@given(st.text(max_size=200))
def test_any_text_survives_encoding(text: str) -> None:
    ids = tokens.encode(text)
    assert tokens.encoding().decode(ids) == text and tokens.count(text) == len(ids)


# --- Messages ---


def test_a_conversation_counts_its_framing() -> None:
    hello = tokens.count_messages([("user", "hello world")])
    assert hello == 3 + 1 + 2 + 3
    assert tokens.count_messages([("system", "hello world"), ("user", "hello world")]) == hello + 3 + 1 + 2


def test_a_name_costs_one_token_and_itself() -> None:
    plain = tokens.count_messages([("user", "hello world")])
    assert tokens.count_messages([("user", "hello world", "hello world")]) == plain + 1 + 2


def test_no_messages_still_prime_the_answer() -> None:
    assert tokens.count_messages([]) == 3


def test_messages_may_come_from_a_generator() -> None:
    assert tokens.count_messages(("user", "hello world") for _ in range(2)) == 3 + 2 * 6


def test_messages_are_counted_in_the_models_own_encoding() -> None:
    modern, old = (tokens.count_messages([("user", "안녕하세요")], m) for m in ("gpt-6-luna", "gpt-4"))
    assert old - modern == 5 - 2


# --- Without a network ---

NO_NETWORK = textwrap.dedent("""
    import socket, sys
    def refuse(*args, **kwargs):
        raise AssertionError("a socket was opened")
    socket.socket = socket.create_connection = socket.getaddrinfo = refuse
    from labkit import tokens
    print(tokens.encode("hello world"), tokens.encode("hello world", "gpt-4"))
    print("litellm" in sys.modules, "requests" in sys.modules)
""")


def _run(code: str, **environment: str) -> list[str]:
    dead = {"HTTP_PROXY": "http://127.0.0.1:9", "HTTPS_PROXY": "http://127.0.0.1:9", "ALL_PROXY": "http://127.0.0.1:9"}
    clean = {k: v for k, v in os.environ.items() if k not in ("TIKTOKEN_CACHE_DIR", "DATA_GYM_CACHE_DIR")}
    env = clean | dead | environment
    run = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    return run.stdout.split("\n")


def test_counting_opens_no_socket_and_imports_no_litellm(tmp_path: Path) -> None:
    ids, imported = _run(NO_NETWORK, TMPDIR=str(tmp_path), HOME=str(tmp_path))[:2]
    assert ids == "[24912, 2375] [15339, 1917]" and imported == "False False"
    assert list(tmp_path.iterdir()) == []


def test_a_cache_of_the_users_own_is_left_alone(tmp_path: Path) -> None:
    code = "import os; from labkit import tokens; tokens.use_shipped_ranks(); print(os.environ['TIKTOKEN_CACHE_DIR'])"
    assert _run(code, TIKTOKEN_CACHE_DIR=str(tmp_path))[0] == str(tmp_path)


def test_importing_the_module_loads_nothing() -> None:
    code = "import sys; import labkit.tokens; print('tiktoken' in sys.modules)"
    assert _run(code)[0] == "False"
