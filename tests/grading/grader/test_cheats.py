"""Nobody earns a point without doing the work: the checks are out of reach, and only JSON comes back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from labkit.grading.results import SubmissionResult

Graded = Callable[..., SubmissionResult]

WRONG = "def double(x):\n    return 0"
EQUAL = """
class Equal({base}):
    __hash__ = None
    def __eq__(self, other): return True
    def __ne__(self, other): return False
"""


def equal(base: str, made: str) -> dict[str, Any]:
    return {"helpers": [EQUAL.format(base=base)], "double": f"double = lambda x: {made}"}


CHEATS: dict[str, dict[str, Any]] = {
    "patches the checker": {
        "helpers": [
            "import labkit.grading.expectations as e, labkit.grading.run as r, labkit.grading.results as s\n"
            "e.expect = e.fail = lambda *a, **k: None\n"
            "r._run_check = lambda check, answer: s.CheckResult(check.title, check.points)"
        ],
        "double": WRONG,
    },
    "strips asserts": {
        "helpers": [
            "import ast\nclass Strip(ast.NodeTransformer):\n    def visit_Assert(self, node): return None\n"
            "get_ipython().ast_transformers.append(Strip())"
        ],
        "double": WRONG,
    },
    "an object that equals everything": equal("object", "Equal()"),
    "a number that equals everything": equal("int", "Equal(7)"),
    "a text that equals everything": equal("str", "Equal('7')"),
    "a list that equals everything": equal("list", "Equal([7])"),
    "patched builtins": {
        "helpers": [
            "import builtins\nbuiltins.isinstance = builtins.callable = lambda *a: True\nbuiltins.len = lambda x: 1"
        ],
        "double": WRONG,
    },
    "patched json": {
        "helpers": [
            "import json\njson.dumps = lambda *a, **k: '{\"id\": 1, \"value\": 0}'\njson.loads = lambda *a, **k: {}"
        ],
        "double": WRONG,
    },
    "raises the checker's own exceptions": {
        "helpers": ["from labkit.grading.expectations import Unmet"],
        "double": "def double(x):\n    raise Unmet('')",
    },
    "a value that would run where it is unpickled": {
        "helpers": ["class Evil:\n    def __reduce__(self):\n        return (exec, ('import os; os._exit(0)',))"],
        "double": "def double(x):\n    return Evil()",
    },
    "leaves the frame by SystemExit": {"double": "def double(x):\n    raise SystemExit(0)"},
    "writes its own points to disk": {
        "helpers": ["open('results.jsonl', 'w').write('{\"earned\": 99}')\nopen('gradebook.db', 'w').write('99')"],
        "double": WRONG,
    },
}


@pytest.mark.parametrize("name", CHEATS)
def test_a_cheat_earns_nothing_and_the_honest_rest_counts(graded: Graded, name: str) -> None:
    cheat = dict(CHEATS[name])
    result = graded(*cheat.pop("helpers", []), **cheat)
    assert result.tasks[0].earned == 0
    assert result.earned <= 2


def test_an_honest_submission_earns_everything(graded: Graded) -> None:
    result = graded()
    assert (result.earned, result.refusal, result.restarts) == (4, "", 0)


def test_a_patched_sdk_is_no_request(graded: Graded) -> None:
    listed = MODELS_WITHOUT_REQUEST
    assert graded(listed, models="def models():\n    return KNOWN").tasks[1].earned == 0


MODELS_WITHOUT_REQUEST = (
    'answer = httpx.get(URL + "/models", headers={"Authorization": f"Bearer {KEY}"}).json()\n'
    'KNOWN = sorted(model["id"] for model in answer["data"])\n'
    "httpx.get = lambda *a, **k: type('Response', (), {'json': lambda self: answer, 'status_code': 200})()"
)


def test_a_reply_written_before_the_question_is_no_answer(graded: Graded) -> None:
    forge = (
        "import json, os, struct, threading, time\n"
        "def forge():\n"
        "    for number in range(200):\n"
        "        body = json.dumps({'id': number, 'value': 0}).encode()\n"
        "        os.write(3, struct.pack('>I', len(body)) + body)\n"
        "threading.Thread(target=forge).start()\ntime.sleep(0.2)"
    )
    result = graded(forge)
    assert result.cells[1].outcome == "died"
    assert result.earned == 4


def test_the_tenant_cannot_be_changed_by_the_work_that_is_graded(reported: Callable[[str], Any]) -> None:
    body = (
        "control, key = URL.removesuffix('/v1') + '/lab/v1/', {'Authorization': f'Bearer {KEY}'}\n"
        "posts = [('tenant', {'limits': {'requests_per_minute': None}}), ('reset', {}), ('shutdown', {}),\n"
        "         ('faults', {'kind': 'timeout', 'next': 1}), ('tenant', {'locked': False})]\n"
        "return [httpx.post(control + path, json=json, headers=key).status_code for path, json in posts]"
    )
    assert reported(body) == [403] * 5


def test_no_journal_entry_can_be_written_changed_or_removed(reported: Callable[[str], Any]) -> None:
    body = (
        "place, key = URL.removesuffix('/v1') + '/lab/v1/journal', {'Authorization': f'Bearer {KEY}'}\n"
        "httpx.get(URL + '/models', headers=key)\n"
        "entry = {'method': 'GET', 'path': '/v1/models', 'status': 200}\n"
        "said = [httpx.request(how, place + path, json=entry, headers=key).status_code\n"
        "        for how in ('POST', 'PUT', 'PATCH', 'DELETE') for path in ('', '/1')]\n"
        "paths = {e['path'] for e in httpx.get(place, headers=key).json()['entries']}\n"
        "return [min(said), max(said), '/v1/models' in paths]"
    )
    lowest, highest, still_there = reported(body)
    assert 400 <= lowest <= highest < 500 and still_there


@pytest.mark.parametrize("key", ["lab-other", "lab-ada", "admin"])
def test_no_other_tenant_opens(reported: Callable[[str], Any], key: str) -> None:
    body = f"return httpx.get(URL + '/models', headers={{'Authorization': 'Bearer {key}'}}).status_code"
    assert reported(body) == 401


def test_requests_with_a_made_up_answer_are_no_evidence(graded: Graded) -> None:
    sends = 'httpx.get(URL + "/models", headers={"Authorization": "Bearer lab-x"})'
    assert graded(models=f"def models():\n    {sends}\n    return []").tasks[1].earned == 0
