"""What a request must never reach or do, whoever sends it: other names, code, paths, and a server that grows."""

from __future__ import annotations

import ast
import json
import random
import string
import tracemalloc
from pathlib import Path

import httpx
import psutil
import pytest

import labkit.server
from labkit import registry
from labkit.server.journal import Entry, Wire
from labkit.server.store import FolderStore
from labkit.server.tenants import MOST_TENANTS, Tenants

SERVER = Path(labkit.server.__file__).parent

# --- a web page must not reach the server ---


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "evil.example"},
        {"host": "evil.example:80"},
        {"host": ""},
        {"host": "127.0.0.1.evil.example"},
        {"host": "[::2]"},
        {"origin": "https://evil.example"},
        {"origin": "http://127.0.0.1.evil.example"},
        {"origin": "null"},
        {"origin": "http://localhost@evil.example"},
    ],
)
@pytest.mark.parametrize("path", ["/lab/v1/health", "/v1/models", "/lab/v1/tenant"])
def test_a_page_under_another_name_is_refused(tenant, headers, path):
    answer = tenant.http.get(path, headers={"authorization": f"Bearer {tenant.key}"} | headers)
    assert answer.status_code == 403
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("headers", [{"host": "localhost"}, {"host": "[::1]:80"}, {"origin": "http://localhost:8888"}])
def test_its_own_names_are_answered(tenant, headers):
    assert tenant.http.get("/lab/v1/health", headers=headers).status_code == 200


def test_no_answer_lets_a_page_of_another_origin_read_it(tenant):
    preflight = {"origin": "http://localhost:8888", "access-control-request-method": "POST"}
    answer = tenant.http.options("/v1/chat/completions", headers=preflight)
    assert answer.status_code >= 400 and not [name for name in answer.headers if name.startswith("access-control")]


# --- no code and no path from a request ---

NEVER_CALLED = {"eval", "exec", "compile", "__import__", "system", "popen", "Popen", "run_module", "run_path", "mktemp"}
NEVER_IMPORTED = {"pickle", "marshal", "shelve", "dill", "subprocess", "runpy", "code", "importlib", "imp", "yaml"}
MAY_TOUCH_FILES = {
    "store.py": "names of its own making",
    "main.py": "the operator's options",
    "limits.py": "tiers.toml",
}
FILES = {"open", "Path", "read_text", "read_bytes", "write_text", "write_bytes", "unlink", "rmtree", "mkdir"}


def calls(path: Path) -> set[str]:
    """Names of everything called in a module, whatever they are called on, but for patterns and the engine's `open`."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    functions = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
    named = {f.id for f in functions if isinstance(f, ast.Name)}
    return named | {
        f.attr
        for f in functions
        if isinstance(f, ast.Attribute) and not (isinstance(f.value, ast.Name) and f.value.id == "re")
    }


def imported(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add((node.module or "").split(".")[0])
    return found


@pytest.mark.parametrize("path", sorted(SERVER.rglob("*.py")), ids=lambda p: str(p.relative_to(SERVER)))
def test_no_code_is_made_of_data(path):
    assert not calls(path) & NEVER_CALLED
    assert not imported(path) & NEVER_IMPORTED


@pytest.mark.parametrize("path", sorted(SERVER.rglob("*.py")), ids=lambda p: str(p.relative_to(SERVER)))
def test_only_three_modules_touch_files(path):
    methods_named_open = {"open"}  # tenants, stores, listeners and the engine have one; the builtin is looked for below
    touched = calls(path) & (FILES - methods_named_open)
    touched |= {"open"} & {n.id for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.Name)}
    assert not touched or path.name in MAY_TOUCH_FILES


@pytest.mark.parametrize(
    "name", ["../x", "a/../../x.json", "/etc/passwd", "files/..json", "files/a/b.json", "a\\b.c", "", "files/a.json\n"]
)
def test_a_store_takes_no_name_but_its_own(tmp_path, name):
    store = FolderStore(tmp_path / "tenant")
    for attempt in (lambda: store.put(name, b""), lambda: store.get(name), lambda: store.append(name, b"")):
        with pytest.raises(ValueError):
            attempt()


@pytest.mark.parametrize("name", ["../../etc/passwd", "..%2f..%2fetc%2fpasswd", "%2e%2e/%2e%2e/etc/passwd", "file-%00"])
@pytest.mark.parametrize("path", ["/v1/files/{}", "/v1/files/{}/content", "/v1/batches/{}", "/lab/v1/journal/{}"])
def test_a_path_in_an_id_finds_nothing(tenant, path, name):
    answer = tenant.http.get(path.format(name), headers={"authorization": f"Bearer {tenant.key}"})
    assert answer.status_code == 404 and "root:" not in answer.text


def test_keys_stand_nowhere_in_what_is_kept(tenant, lab_server, tmp_path):
    tenant.chat()
    tenant.http.get(f"/v1beta/models?key={tenant.key}")
    shown = json.dumps([tenant.lab(f"journal/{e['id']}") for e in tenant.lab("journal")["entries"]])
    assert tenant.key not in shown and tenant.key not in json.dumps([tenant.lab("tenant"), tenant.lab("ledger")])


# --- nothing grows ---


def noise(rng: random.Random) -> dict[str, object]:
    """A request that no two times is the same, right in about a third of all cases."""
    words = "".join(rng.choices(string.printable, k=rng.randrange(300)))
    body: dict[str, object] = {
        "model": rng.choice([registry.model("openai", "sampling"), words[:20]]),
        "messages": [{"role": rng.choice(["user", "user", "assistant", words[:5]]), "content": words}],
        "temperature": rng.choice([0, 1, 2, 3]),
        "max_tokens": 20,
    }
    return body | ({words[:8]: words} if rng.random() < 0.2 else {})


def test_memory_is_flat_under_noise(lab_server):
    rng, process = random.Random(5), psutil.Process(lab_server.pid)
    with httpx.Client(base_url=lab_server.url, headers={"authorization": f"Bearer {lab_server.key()}"}) as client:

        def send(count: int) -> float:
            for _ in range(count):
                status = client.post("/v1/chat/completions", json=noise(rng)).status_code
                assert status in (200, 400, 404), status
            return process.memory_info().rss / 2**20

        before = send(1_200)  # fills the caches
        assert send(1_200) - before < 12


def test_five_thousand_tenants_fit(tmp_path):
    tenants = Tenants()
    tracemalloc.start()
    for n in range(500):
        tenant = tenants.open(f"lab-{n:06d}-tenant")
        for _ in range(3):
            entry = Entry(tenant.journal.next_id(), "req", "", 0.0, tenant.masked, "openai", "POST", "/v1/x")
            tenant.journal.add(entry)
        tenant.ledger.book("m", None, 0.0, failed=False, retry=False)
        tenant.meter(registry.model("openai", "sampling"))
    each = tracemalloc.get_traced_memory()[0] / 500
    tracemalloc.stop()
    assert each * MOST_TENANTS < 60 * 2**20


def test_the_least_used_tenant_is_closed_when_there_are_too_many(monkeypatch):
    monkeypatch.setattr("labkit.server.tenants.MOST_TENANTS", 3)
    tenants = Tenants()
    first, second = tenants.open("lab-1"), tenants.open("lab-2")
    second.active = 1  # somebody is waiting for an answer in it
    tenants.open("lab-3")
    assert tenants.open("lab-1") is first
    tenants.open("lab-4"), tenants.open("lab-5")
    assert len(tenants) == 3
    assert tenants.open("lab-2") is second, "busy ones stay"


def test_what_a_wire_keeps_is_bounded():
    from labkit.server.http import Request

    kept = Wire(Request("POST", "/v1/x", b"", [], b""))
    for _ in range(100):
        kept.add(b"x" * 10_000)
    assert len(kept.body) <= 64 * 1024 and kept.cut > 900_000
