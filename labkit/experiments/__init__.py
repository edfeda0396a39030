"""Experiments: the same question many times, to a table that outlives the process.

    grid.py      what is asked: cells, their keys, their seeds
    models.py    whom: models as they are written
    money.py     what it may cost, and whether the user agrees
    runner.py    asking: workers, budget, Ctrl-C
    store.py     finished cells on disk
    table.py     the table
    progress.py  the bar meanwhile, and Ctrl-C
    sweeping.py  `lk.sweep` and `Sweep`, which put these together
    spec.py      a sweep written down in TOML, for `labkit sweep`
"""

from labkit.experiments.money import Estimate, NotConfirmed
from labkit.experiments.store import StoreWarning
from labkit.experiments.sweeping import Sweep, SweepStopped, sweep

__all__ = ["Estimate", "NotConfirmed", "StoreWarning", "Sweep", "SweepStopped", "sweep"]
