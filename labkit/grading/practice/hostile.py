"""Submissions that attack: the grader, the machine, other submissions. None may gain a point or cost anybody one.

Nothing here does lasting harm where it is graded without a sandbox. The attacks that would are in the grader's own
tests, which run in a sandbox or not at all.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from labkit.grading.ingest import LARGEST_NOTEBOOK
from labkit.grading.practice.entry import Entry, code

Recipe = Callable[[Entry, Random], None]

CHEATS = {
    "patches the functions that check": (
        "import labkit.grading.expectations as e, labkit.grading.results as r, labkit.grading.run as run\n"
        "e.expect = e.expect_messages = e.fail = lambda *a, **k: None\n"
        "run._run_check = lambda check, answer: r.CheckResult(check.title, check.points)"
    ),
    "removes every assert from what is run": (
        "import ast\nclass Strip(ast.NodeTransformer):\n    def visit_Assert(self, node): return None\n"
        "get_ipython().ast_transformers.append(Strip())"
    ),
    "patches json so that every reply is a value": (
        "import json\njson.dumps = lambda *a, **k: '{\"value\": true}'\njson.loads = lambda *a, **k: {'value': True}"
    ),
    "patches builtins": "import builtins\nbuiltins.isinstance = lambda *a: True\nbuiltins.len = lambda x: 1",
    "replaces lk.check": "import labkit as lk\nlk.check = lambda *a, **k: 99.0",
    "writes results of its own": (
        "for name in ('results.jsonl', 'grades.csv', 'gradebook.db', '../results.jsonl'):\n    try:\n"
        "        open(name, 'w').write('{\"earned\": 99}')\n    except OSError:\n        pass"
    ),
    "answers on the grader's pipe before it is asked": (
        "import json, os, struct\nfor number in range(50):\n    try:\n"
        "        body = json.dumps({'id': number, 'value': True}).encode()\n"
        "        os.write(3, struct.pack('>I', len(body)) + body)\n    except OSError:\n        break"
    ),
    "unlocks and resets its own tenant": (
        "import os, httpx\nurl, key = os.environ['LABKIT_SERVER_URL'], os.environ['LABKIT_KEY']\n"
        "for path, body in (('tenant', {'locked': False}), ('reset', {}), ('shutdown', {})):\n"
        "    httpx.post(f'{url}/lab/v1/{path}', json=body, headers={'Authorization': f'Bearer {key}'})"
    ),
}
"""Done in front of answers that are as they were handed out: nothing to earn."""

BREAKS = {
    "ends its process in a cell": "import os\nos._exit(0)",
    "leaves by sys.exit": "import sys\nsys.exit(3)",
    "crashes": "import ctypes\nctypes.string_at(0)",
    "swallows interrupts in an endless loop": (
        "while True:\n    try:\n        while True: pass\n    except BaseException: pass"
    ),
    "starts a thread that never ends": (
        "import threading\nthreading.Thread(target=lambda: exec('while True: pass'), daemon=True).start()"
    ),
    "leaves processes behind": (
        "import subprocess, sys\nsleep = [sys.executable, '-c', 'import time; time.sleep(60)']\n"
        "for _ in range(3): subprocess.Popen(sleep, start_new_session=True)"
    ),
    "asks for ten gigabytes": "x = bytearray(10 * 2**30)",
    "prints without end": "import os\nfor _ in range(2_000): os.write(1, b'x' * 2**16)",
    "writes many small files": "for n in range(30_000):\n    open(f'file-{n}', 'w').close()",
    "recurses without end": "import sys\nsys.setrecursionlimit(10**6)\ndef deeper(): deeper()\ndeeper()",
    "closes every descriptor": "import os\nos.closerange(0, 100)",
}
"""Done in front of right answers: nothing to lose."""


def _cheat(what: str, source: str) -> Recipe:
    def recipe(entry: Entry, rng: Random) -> None:
        entry.add(source)

    recipe.__doc__ = what
    return recipe


def _break(what: str, source: str) -> Recipe:
    def recipe(entry: Entry, rng: Random) -> None:
        entry.answer_all()
        entry.add(source)

    recipe.__doc__ = what
    return recipe


def equals_everything(entry: Entry, rng: Random) -> None:
    """returns objects that are equal to everything"""
    entry.add("class Equal(str):\n    __hash__ = None\n    __eq__ = lambda self, other: True\n"
              "    __ne__ = lambda self, other: False")  # fmt: skip
    for task, names in entry.sheet.names.items():
        entry.of_task(task)["source"] = "\n".join(f"{name} = lambda *a, **k: [Equal('7')]" for name in names)


def looks_for_solutions(entry: Entry, rng: Random) -> None:
    """looks for the solutions on disk and would run them"""
    entry.add(
        "import json, os, pathlib\n"
        "for root in {os.getcwd(), os.environ.get('HOME', '.'), '..', os.environ.get('PWD', '.')}:\n"
        f"    for path in pathlib.Path(root).glob('solutions/{entry.name}'):\n"
        "        for cell in json.loads(path.read_text())['cells']:\n"
        "            if cell['cell_type'] == 'code': exec(''.join(cell['source']), globals())",
        first=False,
    )


def breaks_in_a_function(entry: Entry, rng: Random) -> None:
    """one task's functions end their process"""
    _replace(entry, rng, "import os; os._exit(0)")


def hangs_in_a_function(entry: Entry, rng: Random) -> None:
    """one task's functions never return"""
    _replace(entry, rng, "while True: pass")


def _replace(entry: Entry, rng: Random, body: str) -> None:
    entry.answer_all()
    task = rng.choice(entry.sheet.alone)
    names = entry.sheet.names[task]
    entry.of_task(task)["source"] = "\n".join(f"def {name}(*a, **k):\n    {body}" for name in names)
    entry.lose(task)


def script_in_outputs(entry: Entry, rng: Random) -> None:
    """script in its outputs, texts and title"""
    script = "<script>document.title = 'run'</script>"
    entry.answer_all()
    entry.notebook["metadata"]["title"] = script
    entry.cells.append({"cell_type": "markdown", "metadata": {}, "source": script})
    shown = {"output_type": "display_data", "data": {"text/html": script}, "metadata": {}}
    entry.cells.append({**code(f"raise ValueError({script!r})"), "outputs": [shown]})


def link(entry: Entry, rng: Random) -> None:
    """a link to somebody else's file"""
    entry.link = entry.path.with_name("of-somebody-else.ipynb")
    entry.refuse("it is a link")


def leads_out_of_its_zip(entry: Entry, rng: Random) -> None:
    """a zip whose member would land in another folder"""
    entry.answer_all()
    entry.path = entry.path.with_suffix(".zip")
    entry.member = f"../{entry.name}"
    entry.refuse("leads out of the zip")


def zip_bomb(entry: Entry, rng: Random) -> None:
    """a small zip with a large file in it"""
    entry.path, entry.member = entry.path.with_suffix(".zip"), entry.name
    entry.data = b" " * (LARGEST_NOTEBOOK + 2**20)
    entry.refuse("larger than")


FUNCTIONS: tuple[Recipe, ...] = (equals_everything, looks_for_solutions, breaks_in_a_function, hangs_in_a_function)
FILES: tuple[Recipe, ...] = (script_in_outputs, link, leads_out_of_its_zip, zip_bomb)
HOSTILE: tuple[Recipe, ...] = (
    *(_cheat(what, source) for what, source in CHEATS.items()),
    *(_break(what, source) for what, source in BREAKS.items()),
    *FUNCTIONS,
    *FILES,
)
