"""Batches: many requests in one job, answered within a day at the batch price. One interface over three APIs.

    batch = client.batch(["What is an API?", ...])   # built and checked; nothing is sent
    batch.most_usd, batch.most_usd_live              # what it can cost at most, and what the same calls would
    batch.submit()
    batch.wait()                                     # a progress bar, then one row a request, in your order
    batch.resubmit_failed().submit().wait()
    lk.Batch.load("batch-...")                       # after a restart; `lk.Batch.jobs()` lists what there is

    lines.py      the requests: built from what you have, checked before anything is uploaded
    jobfile.py    a batch on disk, so that a kill loses nothing
    results.py    what became of each line, and the table
    books.py      the money: held, and booked once
    wire.py       what a provider's batch API is; openai.py, anthropic.py, gemini.py are the three
    waiting.py    how long to wait between looks, on which clock
    life.py       what a batch does, as flows
    job.py        `Batch`: the same for people
"""

from labkit.batching.job import Batch
from labkit.batching.lines import InvalidBatch
from labkit.batching.wire import BatchGone

__all__ = ["Batch", "BatchGone", "InvalidBatch"]
