"""`labkit doctor, models, prices`: what is true on this machine."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from labkit.cli import tables
from labkit.errors import LabkitError

SAMPLING = {
    "yes": "they are",
    "effort-none": 'only while the reasoning effort is "none"',
    "2023-06-01": "only under that anthropic-version",
    "ignored": "accepted without effect",
    "no": "refused",
}
"""What the column "sampling" says of a model, as `labkit.registry.Model.sampling` has it."""


def doctor() -> None:
    """Check this machine; name the fix of each problem.

    Exit code 1 when something is broken.
    """
    from labkit.doctor import examine, report

    findings = examine()
    print(report(findings))
    raise typer.Exit(1 if any(finding.level == "broken" for finding in findings) else 0)


def models(
    provider: Annotated[str | None, typer.Argument(help="openai, anthropic, gemini, bedrock or self-hosted.")] = None,
    retired: Annotated[bool, typer.Option("--retired", help="With those that no longer answer.")] = False,
) -> None:
    """List the models, and what each one takes."""
    from labkit import registry

    if provider is not None and provider not in registry.PROVIDERS:
        raise LabkitError(f"There is no provider {provider!r}: use one of {', '.join(registry.PROVIDERS)}.")
    rows = []
    for m in registry.models(provider, include_retired=retired):
        output = f"{m.max_output:,}" if m.max_output else ""
        retires = f"{m.retires}, then {m.successor}" if m.retires else ""
        rows.append((m.id, m.provider, m.tier or m.kind, f"{m.context:,}", output, m.sampling, retires))
    columns = ("model", "provider", "tier", "context", "max output", "sampling", "retires")
    tables.show(columns, rows, right=("context", "max output"))
    print("\nsampling: whether temperature, top_p and top_k are taken")
    print("\n".join(f"  {value:12}{meaning}" for value, meaning in SAMPLING.items()))


def prices(
    model: Annotated[list[str] | None, typer.Argument(help="Model ids; by default all that have a price.")] = None,
) -> None:
    """List prices, in US dollars per million tokens."""
    from labkit import prices as price_table
    from labkit import registry

    ids = model or [m.id for m in registry.models() if m.price_key]
    rows = []
    for model_id in ids:
        try:
            price = price_table.price(model_id)
        except (registry.UnknownModel, price_table.UnknownPrice) as unknown:
            if model:
                raise LabkitError(str(unknown)) from None
            continue
        batch = price.batch
        rates = (price.input, price.output, price.cache_read, price.cache_write)
        rows.append((price.model, *map(_dollars, (*rates, batch and batch.input, batch and batch.output))))
    columns = ("input", "output", "cache read", "cache write", "batch in", "batch out")
    tables.show(("model", *columns), rows, right=columns)
    print(f"USD per million tokens. {price_table.source()}")


def _dollars(rate: Any) -> str:
    return "" if rate is None else f"{rate:.4g}"
