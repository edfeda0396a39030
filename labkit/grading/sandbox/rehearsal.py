"""What the warm process does once so that no submission has to: imports, and first calls, which load half an SDK.

A first `chat.completions.create` costs a process some 150 ms, later ones a few. The calls go to the grader's lab server
with a key of their own. One that fails is passed over: the first submission that makes it then pays for it.
"""

from __future__ import annotations

import asyncio
import importlib
import importlib.metadata
import os
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

VERSIONS_OF = ("openai", "anthropic", "google-genai", "litellm", "boto3", "httpx", "pandas", "ipython")
MESSAGES = [{"role": "user", "content": "Hi"}]


def warm_up(modules: list[str]) -> dict[str, str]:
    """Import what there is of these modules. Returns the versions of what a grade depends on."""
    sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]  # two seconds of parsers for URI formats
    for name in modules:
        with suppress(ImportError):
            importlib.import_module(name)
    found = {"python": sys.version.split()[0]}
    for name in VERSIONS_OF:
        with suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    return found


def rehearse(environment: Mapping[str, str]) -> None:
    """Make the first calls of what is imported, with this environment, and leave nothing of it behind."""
    before = dict(os.environ)
    calls = {"labkit.session": (_session,), "httpx": (_httpx,), "openai": (_openai, _openai_async),
             "anthropic": (_anthropic,), "google.genai": (_gemini,)}  # fmt: skip
    for call in (call for module, of_it in calls.items() if module in sys.modules for call in of_it):
        os.environ.update(environment)  # anew each time: a session that ends takes its values away
        with suppress(Exception):
            call()
    os.environ.clear()
    os.environ.update(before)
    left = [thread.name for thread in threading.enumerate() if thread is not threading.main_thread()]
    if left:  # a fork takes along their locks and not them
        raise RuntimeError(f"threads are left: {', '.join(left)}")


def one_certificate(path: Path) -> Mapping[str, str]:
    """The environment that makes HTTP clients read a file with one certificate.

    Every new client reads all certificates of the world otherwise, which takes 20 ms; none is needed where there is
    nothing to reach but a lab server on plain HTTP.
    """
    with suppress(ImportError, OSError, ValueError):
        import certifi

        pem = Path(certifi.where()).read_text(encoding="utf-8")
        end = "-----END CERTIFICATE-----"
        path.write_text(pem[pem.index("-----BEGIN") : pem.index(end) + len(end)] + "\n", encoding="utf-8")
        path.chmod(0o644)
        return {"SSL_CERT_FILE": str(path)}
    return {}


def _session() -> None:
    import labkit

    with labkit.start(seed=1, quiet=True) as session:
        str(session.status)


def _httpx() -> None:
    import httpx

    headers = {"Authorization": f"Bearer {os.environ['OPENAI_API_KEY']}"}
    httpx.get(f"{os.environ['OPENAI_BASE_URL']}/models", headers=headers).json()


def _openai() -> None:
    from openai import OpenAI

    from labkit import registry

    with OpenAI() as client:
        chat: Callable[..., object] = client.chat.completions.create
        model = registry.model("openai", "small")
        chat(model=model, messages=MESSAGES, max_completion_tokens=8)
        list(chat(model=model, messages=MESSAGES, max_completion_tokens=8, stream=True))  # type: ignore[call-overload]


def _openai_async() -> None:
    from openai import AsyncOpenAI

    async def ask() -> None:
        async with AsyncOpenAI() as client:
            await client.models.list()

    asyncio.run(ask())


def _anthropic() -> None:
    from anthropic import Anthropic

    from labkit import registry

    with Anthropic() as client:
        send: Callable[..., object] = client.messages.create
        send(model=registry.model("anthropic", "small"), messages=MESSAGES, max_tokens=8)


def _gemini() -> None:
    from google import genai

    from labkit import registry

    client = genai.Client()
    client.models.generate_content(model=registry.model("gemini", "small"), contents="Hi")
    client.close()
