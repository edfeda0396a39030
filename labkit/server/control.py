"""The control API under `/lab/v1/`: a tenant reads its own journal and turns its own knobs.

A lab key sees and changes its own tenant only. The admin key, which stands in the state file of the user who started
the server, may name any tenant with `?tenant=KEY`.
"""

from __future__ import annotations

import os
import secrets
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from labkit import __version__, registry, tokens
from labkit.engine.base import O200K, Prompt, Role, Turn
from labkit.server.errors import ApiError
from labkit.server.exchange import Exchange
from labkit.server.faults import KINDS, Fault, Faults
from labkit.server.http import Answer, Headers, Request, Response, Route, Routes
from labkit.server.journal import FILTERS
from labkit.server.limits import tiers
from labkit.server.listeners import USUAL_PORTS
from labkit.server.protocols.base import header
from labkit.server.shapes import Field, Violation, check, check_value
from labkit.server.tenants import Tenant

if TYPE_CHECKING:
    from labkit.server.app import Lab

SETTINGS = {
    "seed": Field("integer"),
    "pace": Field("number", low=0, high=100, nullable=False),
    "clock": Field("object", nullable=False),
    "tier": Field("string", choices=tuple(tiers())),
    "limits": Field("object", nullable=False),
    "batches": Field("object", nullable=False),
    "locked": Field("boolean", nullable=False),
}
CLOCK = {
    "rate": Field("number", low=0.001, high=1e6, nullable=False),
    "advance_s": Field("number", low=0, high=1e9, nullable=False),
}
LIMITS = {
    "model": Field("string"),
    "requests_per_minute": Field("integer", low=1),
    "tokens_per_minute": Field("integer", low=1),
    "requests_per_day": Field("integer", low=1),
    "tokens_per_day": Field("integer", low=1),
    "concurrent": Field("integer", low=1),
    "budget_usd": Field("number", low=0),
}
BATCHES = {
    "validating_s": Field("number", low=0, high=1e6, nullable=False),
    "queue_s": Field("number", low=0, high=1e6, nullable=False),
    "lines_per_s": Field("number", low=1e-6, high=1e6, nullable=False),
    "finalizing_s": Field("number", low=0, high=1e6, nullable=False),
}
DISTRIBUTION = {
    "provider": Field("string"),
    "model": Field("string", required=True),
    "messages": Field("array", required=True, low=1),
    "generated": Field("string"),
    "top": Field("integer", low=1, high=2_000),
}
FAULT = {
    "kind": Field("string", required=True, choices=KINDS),
    "next": Field("integer", low=1),
    "every": Field("integer", low=1),
    "rate": Field("number", low=0, high=1),
    "start_s": Field("number", low=0),
    "end_s": Field("number", low=0),
    "seed": Field("integer", nullable=False),
    "provider": Field("string"),
    "model": Field("string"),
    "path": Field("string"),
    "after": Field("integer", low=0, high=100_000, nullable=False),
    "seconds": Field("number", low=0, high=1e6, nullable=False),
}
MESSAGE = {
    "role": Field("string", required=True, choices=("system", "user", "assistant", "tool")),
    "content": Field("string", required=True),
}
LISTENERS = dict.fromkeys(USUAL_PORTS, Field("any", nullable=False))


class Control:
    """The lab's own protocol; its error body is `{"error": {"message", "param"}}`."""

    name = "lab"

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self.routes = Routes(
            [
                Route("GET", "/lab/v1/health", self.health),
                Route("GET", "/lab/v1/tenant", self.tenant),
                Route("POST", "/lab/v1/tenant", self.change_tenant),
                Route("POST", "/lab/v1/reset", self.reset),
                Route("GET", "/lab/v1/journal", self.journal),
                Route("GET", "/lab/v1/journal/{entry}", self.journal_entry),
                Route("GET", "/lab/v1/ledger", self.ledger),
                Route("GET", "/lab/v1/faults", self.faults),
                Route("POST", "/lab/v1/faults", self.script_fault),
                Route("DELETE", "/lab/v1/faults", self.clear_faults),
                Route("POST", "/lab/v1/distribution", self.distribution),
                Route("GET", "/lab/v1/listeners", self.listeners),
                Route("POST", "/lab/v1/listeners", self.change_listeners),
                Route("POST", "/lab/v1/shutdown", self.shutdown),
            ]
        )

    def claims(self, request: Request) -> bool:
        return request.path.startswith("/lab/")

    def key(self, request: Request) -> str:
        if request.bearer is None:
            raise ApiError("authentication", "Send `Authorization: Bearer` with a lab key (or the admin key).")
        return request.bearer

    def refuse_key(self, key: str) -> ApiError:
        return ApiError("authentication", "This key opens no tenant: a lab key begins with 'lab-'.")

    def phrase(self, violation: Violation) -> ApiError:
        wanted = {"type": f"must be a {violation.kind}", "missing": "is required", "unknown": "is not a setting"}
        bound = f"must not be {violation.rule} {violation.limit}"
        wanted["choice"] = f"must be one of {', '.join(violation.choices)}"
        sentence = wanted.get(violation.rule, bound if violation.limit is not None else f"is {violation.rule}")
        return ApiError(
            "invalid_request", f"{violation.path} {sentence}, got {violation.got!r:.80}.", param=violation.path
        )

    def malformed(self, detail: str) -> ApiError:
        return ApiError("invalid_request", f"The body is not valid JSON: {detail}.")

    def render_error(self, error: ApiError, request_id: str) -> Response:
        body = {"error": {"message": error.message, "param": error.param}}
        return Response.json(body, status=error.status, headers=[header("x-request-id", request_id)])

    def headers(self, exchange: Exchange) -> Headers:
        return []

    def is_admin(self, key: str) -> bool:
        return secrets.compare_digest(key.encode(), self._lab.admin_key.encode())

    def subject(self, request: Request) -> Tenant:
        """The tenant that a control request is about."""
        key = self.key(request)
        if self.is_admin(key):
            key = request.query.get("tenant", "")
            if not key:
                raise ApiError("invalid_request", "With the admin key, name the tenant: ?tenant=KEY.", param="tenant")
        tenant = self._lab.tenants.open(key)
        if tenant is None:
            raise self.refuse_key(key)
        return tenant

    def changeable(self, request: Request) -> Tenant:
        """The same for a request that changes it."""
        tenant = self.subject(request)
        if tenant.locked and not self.is_admin(self.key(request)):
            raise ApiError("permission", "This tenant is locked while work is graded: nothing can be changed.")
        return tenant

    # --- handlers ----------------------------------------------------------------------------------------------------

    async def health(self, request: Request) -> Answer:
        lab = self._lab
        uptime = round(time.monotonic() - lab.started, 3)
        idle = round(time.monotonic() - lab.last_active, 3)
        counts = {"idle_s": idle, "tenants": len(lab.tenants), "requests": lab.requests}
        known = {"version": __version__, "engine": lab.engine_name, "pid": os.getpid(), "uptime_s": uptime}
        return Response.json({"ok": True, **known, **counts})

    async def tenant(self, request: Request) -> Answer:
        return Response.json(self.subject(request).described())

    async def change_tenant(self, request: Request) -> Answer:
        tenant, body = self.changeable(request), request.json()
        check(body, SETTINGS)
        if "locked" in body:
            if not self.is_admin(self.key(request)):
                raise ApiError("permission", "Only the admin key may lock or unlock a tenant.", param="locked")
            tenant.locked = body["locked"]
        clock, limits = body.get("clock", {}), body.get("limits", {})
        check(clock, CLOCK, at="clock.")
        check(limits, LIMITS, at="limits.")
        check(batches := body.get("batches", {}), BATCHES, at="batches.")
        model = _model(limits["model"]) if limits.get("model") else None
        if "seed" in body:
            tenant.reseed(body["seed"])
        if "pace" in body:
            tenant.pace = float(body["pace"])
        tenant.batch_pace = replace(tenant.batch_pace, **{name: float(value) for name, value in batches.items()})
        if "rate" in clock:
            tenant.clock.rate = float(clock["rate"])
        tenant.clock.advance(float(clock.get("advance_s", 0)))
        if "tier" in body:
            tenant.set_tier(body["tier"])
        if changes := {name: value for name, value in limits.items() if name != "model"}:
            tenant.set_limits(changes, model)
        return Response.json(tenant.described())

    async def reset(self, request: Request) -> Answer:
        """Forget what happened; with `{"settings": true}` also what was set."""
        tenant = self.changeable(request)
        body = request.json() if request.body else {}
        check(body, {"settings": Field("boolean")})
        if body.get("settings"):
            tenant.begin_again()
        else:
            tenant.reset()
        return Response.json(tenant.described())

    async def journal(self, request: Request) -> Answer:
        tenant, query = self.subject(request), request.query
        equal = {name: query[name] for name in FILTERS if name in query}
        entries = tenant.journal.select(after=_number(query, "after", 0), limit=_number(query, "limit", 1_000), **equal)
        if query.get("wire") == "true":  # what went over the wire too, as the journal's single entries have it
            entries = [tenant.journal.find(entry["id"]) or entry for entry in entries]
        return Response.json({"entries": entries, "last": tenant.journal.last_id})

    async def journal_entry(self, request: Request, entry: str) -> Answer:
        found = self.subject(request).journal.find(int(entry)) if entry.isascii() and entry.isdigit() else None
        if found is None:
            raise ApiError("not_found", f"The journal holds no entry {entry[:40]!r}.")
        return Response.json(found)

    async def ledger(self, request: Request) -> Answer:
        """What was spent: totals, by model, by day of lab time."""
        return Response.json(self.subject(request).ledger.shown())

    async def faults(self, request: Request) -> Answer:
        scripted = self.subject(request).part(Faults).scripted
        return Response.json({"faults": [fault.described() for fault in scripted], "kinds": KINDS})

    async def script_fault(self, request: Request) -> Answer:
        tenant, body = self.changeable(request), request.json()
        check(body, FAULT)
        triggers = [name for name in ("next", "every", "rate", "start_s") if body.get(name) is not None]
        if len(triggers) != 1:
            raise ApiError(
                "invalid_request", f"Give one of next, every, rate or start_s, got {triggers}.", param="next"
            )
        fault = Fault(**{name: value for name, value in body.items() if value is not None})
        tenant.part(Faults).add(fault)
        return Response.json(fault.described())

    async def clear_faults(self, request: Request) -> Answer:
        """All of them, or with `?id=` one."""
        faults = self.changeable(request).part(Faults)
        if "id" in request.query:
            faults.take_back(_number(request.query, "id", 0))
        else:
            faults.scripted.clear()
        return await self.faults(request)

    async def distribution(self, request: Request) -> Answer:
        """The model's exact distribution over the next token, before any sampling parameter: the tokens that stand
        out, and the probability `floor` of each of the `tail` others."""
        self.subject(request)
        body = request.json()
        check(body, DISTRIBUTION)
        model = _model(body["model"])
        decoder = self._lab.engine.open(Prompt(_turns(body["messages"]), tier=model.tier or "standard"))
        encoding = tokens.encoding(self._lab.engine.vocabulary.encoding)
        for token in encoding.encode_ordinary(body.get("generated") or ""):
            decoder.advance(token)
        d = decoder.distribution()
        listed = list(zip(d.ids, d.probs, strict=True))[: body.get("top") or 50]
        rows = [_token(encoding, token, p) for token, p in listed]
        counts = {"floor": d.floor, "tail": d.tail, "vocab": d.vocab, "end": self._lab.engine.vocabulary.end}
        return Response.json({"tokens": rows, **counts, "model": model.id})

    async def listeners(self, request: Request) -> Answer:
        self._known(request)
        return Response.json(self._lab.listeners.described())

    async def change_listeners(self, request: Request) -> Answer:
        """true opens a self-hosted server's usual port, a number that port, false (admin only) closes it."""
        admin, body = self._known(request), request.json()
        check(body, LISTENERS)
        for name, wanted in body.items():
            if wanted is False and not admin:
                raise ApiError(
                    "permission", "Only the admin key may close a port that others may be using.", param=name
                )
            if not isinstance(wanted, bool):
                check_value(wanted, Field("integer", low=0, high=65_535), name)
        await self._lab.listeners.close(name for name, wanted in body.items() if wanted is False)
        for name, wanted in body.items():
            if wanted is not False:
                self._lab.listeners.open(name, None if wanted is True else int(wanted))
        return Response.json(self._lab.listeners.described())

    def _known(self, request: Request) -> bool:
        """Whether the key is the admin's; refuses one that opens nothing."""
        key = self.key(request)
        if self.is_admin(key):
            return True
        self.subject(request)
        return False

    async def shutdown(self, request: Request) -> Answer:
        if not self.is_admin(self.key(request)):
            raise ApiError("permission", "Only the admin key may stop the server.")
        self._lab.stop()
        return Response.json({"ok": True})


def _model(model_id: str) -> registry.Model:
    try:
        return registry.find(model_id)
    except registry.UnknownModel as unknown:
        raise ApiError("not_found", str(unknown), param="model") from None


def _turns(messages: list[Any]) -> tuple[Turn, ...]:
    turns = []
    for n, message in enumerate(messages):
        check_value(message, Field("object"), f"messages[{n}]")
        check(message, MESSAGE, at=f"messages[{n}].")
        role: Role = message["role"]
        turns.append(Turn(role, message["content"]))
    return tuple(turns)


def _token(encoding: Any, token: int, p: float) -> dict[str, Any]:
    raw = encoding.decode_single_token_bytes(token) if token < O200K.size else b""  # the end of text has no text
    return {"id": token, "text": raw.decode("utf-8", "replace"), "bytes": list(raw), "p": p}


def _number(query: dict[str, str], name: str, default: int) -> int:
    text = query.get(name, str(default))
    if not (text.isascii() and text.isdigit() and len(text) < 12):
        raise ApiError("invalid_request", f"{name} must be a whole number, got {text[:40]!r}.", param=name)
    return int(text)
