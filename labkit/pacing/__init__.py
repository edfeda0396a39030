"""Pacing: send as fast as the provider allows, and not faster.

    pacer = Pacer()                              limits are learnt from the response headers, before a 429 comes
    pacer = Pacer(500, 100_000)                  or given: requests and tokens per minute
    client = LLMClient("openai", pacer=pacer)    one pacer may serve many clients, threads and event loops

What is where, from the accounting up to the waiting:

    load.py       what a call weighs, before it is sent and after
    buckets.py    one limit, mirrored: how much is left, when there is room
    signals.py    what providers say of their limits: headers, and the bodies of refusals
    window.py     how many calls at once (additive increase, multiplicative decrease)
    lane.py       all of that for one key and model
    waiting.py    who is next
    pool.py       the lanes and the queue of one model
    permit.py     one call's permission to be sent
    pacer.py      the face, and the thread that wakes whoever waits
    breaker.py    stop asking whoever does not answer (circuit breaker)
"""

from labkit.pacing.breaker import Breaker
from labkit.pacing.pacer import Pacer

__all__ = ["Breaker", "Pacer"]
