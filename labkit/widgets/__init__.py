"""What a reader moves: playground, lens, stream viewer, gauge, calculator, quiz. ipywidgets loads on first use.

Each widget is glue between a plain object that can be used and tested without a browser (`play_state.Side`,
`lens_state.Lens`, `stream_record.StreamRecord`, `cost_plan.Plan`, `questions.Question`) and ipywidgets. Saved in a
notebook, each leaves something to read where no kernel runs.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from labkit.widgets.cost_sliders import cost_calculator
    from labkit.widgets.gauge import limits_gauge
    from labkit.widgets.lens import sampling_lens
    from labkit.widgets.play import playground
    from labkit.widgets.questions import Option, Question
    from labkit.widgets.self_check import quiz
    from labkit.widgets.stream_view import stream_viewer

__all__ = [
    "Option",
    "Question",
    "cost_calculator",
    "limits_gauge",
    "playground",
    "quiz",
    "sampling_lens",
    "stream_viewer",
]

_HOME = {
    "Option": "questions",
    "Question": "questions",
    "cost_calculator": "cost_sliders",
    "limits_gauge": "gauge",
    "playground": "play",
    "quiz": "self_check",
    "sampling_lens": "lens",
    "stream_viewer": "stream_view",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
