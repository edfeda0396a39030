"""The lab server's knobs and its journal, from a notebook: `lk.lab.journal()`, `lk.lab.limits(...)`.

Everything here is about the current session's tenant: other notebooks on the same server notice nothing.

    lab.journal()                            what the server saw, one row a request
    lab.last()                               the latest request with its exchange on the wire
    lab.ledger()                             what the server billed, by model and by day of lab time
    lab.limits(requests_per_minute=5)        rate limits of this tenant; also requests at once, and a budget
    lab.levels()                             what is left of them at this moment
    lab.tier("1")                            the limits of a provider's usage tier
    lab.pace(1.0)                            answers take as long as a real model's would
    lab.clock(minute=1.0)                    a lab minute passes in one second; `clock(advance=3600)` jumps an hour
    lab.sleep(30)                            wait 30 lab seconds; `await lab.asleep(30)`
    lab.seed(7)                              answers repeat from here on
    lab.distribution("The capital of ...")   the model's distribution over the next token
    lab.faults("rate_limit", next=2)         the next two requests are refused; as `with lab.faults(...):` until its end
    lab.self_hosted()                        where the lab's vLLM, Ollama and TGI answer
    lab.reset()                              forget the journal and refill the limits
"""

from labkit.lab.chances import NextToken, TokenChance, distribution
from labkit.lab.evidence import COLUMNS, entries, entry, journal, last, ledger, mark
from labkit.lab.hosts import SelfHosted, self_hosted
from labkit.lab.knobs import UNCHANGED, levels, limits, pace, reset, seed, tier
from labkit.lab.labtime import asleep, clock, sleep
from labkit.lab.trouble import Script, clear_faults, fault_kinds, faults

__all__ = [
    "COLUMNS",
    "UNCHANGED",
    "NextToken",
    "Script",
    "SelfHosted",
    "TokenChance",
    "asleep",
    "clear_faults",
    "clock",
    "distribution",
    "entries",
    "entry",
    "fault_kinds",
    "faults",
    "journal",
    "last",
    "ledger",
    "levels",
    "limits",
    "mark",
    "pace",
    "reset",
    "seed",
    "self_hosted",
    "sleep",
    "tier",
]
