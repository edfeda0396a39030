"""A small transformer trained on what the engine's texts can say, and how it compares with the lattices themselves.

    python -m bench.trained data FOLDER       conversations drawn from the engine, as token numbers
    python -m bench.trained train FOLDER      needs PyTorch and NumPy only, so any environment will do; 15 minutes
    python -m bench.trained measure FOLDER    held-out loss, tokens/s and fluency, run in NumPy

PyTorch is no dependency of labkit: `train` is run with an interpreter that has it. What came out is told in
labkit/engine/README.md. The network is GPT-2's (Radford et al. 2019) with tied embeddings.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import time
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # one core, as in the goals; read when NumPy is imported

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from labkit.engine.embedded import EmbeddedEngine

    Array = NDArray[np.float32]

LAYERS, WIDTH, HEAD, CONTEXT = 3, 128, 32, 224
MINUTES, BATCH, RATE = 15.0, 48, 3e-3
PATIENCE = 4
"""On a machine that does other things, training ends after so many times the minutes."""
SHOWN_EVERY = 50
SAMPLES, HELD_OUT = 160, 4
"""Conversations drawn for each intent."""
PAD, ASK, ANSWER, END = 0, 1, 2, 3
"""Numbers of the marks: before a prompt, between prompt and answer, behind the answer."""
UNKNOWN = 4
FIRST = 5
TOPICS = [
    *("the sea", "old trees", "a quiet street", "my garden", "rain", "the first snow", "a red bicycle", "black coffee"),
    *("two friends", "an open door", "late trains", "the night sky", "a small bakery", "warm bread", "music"),
    *("mountains", "a lost key", "paper boats", "chess", "the harbour"),
]
UNSEEN_TOPICS = ["a tin roof", "wild geese", "the empty theatre", "copper wire", "an old violin", "thunder"]
NO_TOPICS = ("manner-", "label-", "fallback", "story-sum")


# Conversations.


def conversations(
    engine: EmbeddedEngine, topics: list[str], each: int, rng: Random, only: frozenset[str] = frozenset()
) -> list[tuple[str, str]]:
    """(prompt, answer) pairs: examples of the texts with their slots filled, answered as the lattices would.

    Args:
        only: names of intents; all when empty.
    """
    from labkit.engine.base import Prompt, Turn
    from labkit.engine.template import sample

    found = []
    for intent in engine.library.intents.values():
        if intent.name.startswith(NO_TOPICS) or (only and intent.name not in only):
            continue
        for _ in range(each):
            said = rng.choice(intent.examples).text
            row = dict(zip(intent.table.columns, rng.choice(intent.table.rows), strict=True)) if intent.table else {}
            for slot in sorted(intent.slots, key=len, reverse=True):
                said = said.replace(f"${slot}", row.get(slot, rng.choice(topics)).split(" / ")[0])
            answer = engine.answer(Prompt((Turn("user", said),)))
            if answer.intent == intent.name:
                found.append((said, sample(answer.template, rng)))
    rng.shuffle(found)
    return found


def make_data(folder: Path, only: frozenset[str]) -> None:
    """Write train and held-out conversations, those with unseen topics, and the vocabulary that they need."""
    from labkit.engine.embedded import EmbeddedEngine

    engine, rng = EmbeddedEngine(), Random(0)
    parts = {
        "train": conversations(engine, TOPICS, SAMPLES, rng, only),
        "held_out": conversations(engine, TOPICS, HELD_OUT, rng, only),
    }
    foreign = conversations(engine, UNSEEN_TOPICS, HELD_OUT, rng, only)
    parts["unseen"] = [(p, a) for p, a in foreign if any(topic in p for topic in UNSEEN_TOPICS)]
    encoded = {name: [(engine.encode(p), engine.encode(a)) for p, a in pairs] for name, pairs in parts.items()}
    used = sorted({token for p, a in encoded["train"] for token in (*p, *a)})
    number = {token: n for n, token in enumerate(used, FIRST)}
    rows: dict[str, Any] = {"used": used}
    for name, pairs in encoded.items():
        lines = [
            [ASK, *(number.get(t, UNKNOWN) for t in p), ANSWER, *(number.get(t, UNKNOWN) for t in a), END]
            for p, a in pairs
        ]
        rows[name] = [line for line in lines if len(line) <= CONTEXT]
        print(f"{name}: {len(rows[name]):,} conversations, {sum(map(len, rows[name])):,} tokens")
    print(f"vocabulary: {len(used) + FIRST:,}")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "data.json").write_text(json.dumps(rows))


def padded(lines: list[list[int]]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Lines as one matrix, and which places are tokens of an answer or its end: those are learnt."""
    ids = np.full((len(lines), max(map(len, lines))), PAD, dtype=np.int64)
    counted = np.zeros(ids.shape, dtype=bool)
    for n, line in enumerate(lines):
        ids[n, : len(line)] = line
        counted[n, line.index(ANSWER) + 1 : len(line)] = True
    return ids, counted


# The same network twice: in PyTorch to be trained, in NumPy to be run.


def train(folder: Path, minutes: float) -> None:
    """Train for so many minutes of one core, and write `weights.npz`."""
    import torch
    from torch import nn
    from torch.nn import functional as F

    torch.set_num_threads(1)
    torch.manual_seed(0)
    rows = json.loads((folder / "data.json").read_text())
    size = len(rows["used"]) + FIRST
    lines = sorted(rows["train"], key=len)
    batches = [lines[n : n + BATCH] for n in range(0, len(lines), BATCH)]

    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one, self.two = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
            self.attention, self.out = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
            self.up, self.down = nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH)

        def forward(self, x: Any) -> Any:
            count, length, _ = x.shape
            parts = self.attention(self.one(x)).split(WIDTH, -1)
            q, k, v = (p.view(count, length, WIDTH // HEAD, HEAD).transpose(1, 2) for p in parts)
            mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
            x = x + self.out(mixed.transpose(1, 2).reshape(count, length, WIDTH))
            return x + self.down(F.relu(self.up(self.two(x))))

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.tokens, self.places = nn.Embedding(size, WIDTH), nn.Embedding(CONTEXT, WIDTH)
            self.blocks, self.last = nn.ModuleList(Block() for _ in range(LAYERS)), nn.LayerNorm(WIDTH)
            for weight in (self.tokens.weight, self.places.weight):
                nn.init.normal_(weight, std=0.02)

        def forward(self, ids: Any, wanted: Any) -> Any:
            x = self.tokens(ids) + self.places(torch.arange(ids.shape[1]))
            for block in self.blocks:
                x = block(x)
            return self.last(x)[wanted] @ self.tokens.weight.T  # only where a token is learnt

    net = Net()
    optimizer = torch.optim.AdamW(net.parameters(), lr=RATE, weight_decay=0.01, betas=(0.9, 0.98))
    rng, step, seen, losses = Random(0), 0, 0, list[float]()
    begun, limit = (time.process_time(), time.monotonic()), (60 * minutes, 60 * minutes * PATIENCE)
    while (done := max((time.process_time() - begun[0]) / limit[0], (time.monotonic() - begun[1]) / limit[1])) < 1:
        ids, counted = padded(rng.choice(batches))
        for group in optimizer.param_groups:
            group["lr"] = RATE * min(1.0, (step + 1) / 100) * (0.5 + 0.5 * math.cos(math.pi * done))
        source, target = torch.from_numpy(ids[:, :-1]), torch.from_numpy(ids[:, 1:])
        wanted = torch.from_numpy(counted[:, 1:])
        loss = F.cross_entropy(net(source, wanted), target[wanted])
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        losses.append(loss.item())
        seen += ids.size
        step += 1
        if step % SHOWN_EVERY == 0:
            mean = sum(losses[-SHOWN_EVERY:]) / SHOWN_EVERY
            print(f"{done:5.0%}  step {step:,}, {seen:,} tokens, loss {mean:.3f}", flush=True)
    np.savez(folder / "weights.npz", **{k: v.detach().numpy().astype(np.float16) for k, v in net.state_dict().items()})


class Net:
    """The trained network, one token at a time with keys and values kept."""

    def __init__(self, path: Path) -> None:
        self.w: dict[str, Array] = {k: v.astype(np.float32) for k, v in np.load(path).items()}
        self.past: list[list[Array]] = []

    def read(self, ids: list[int]) -> Array:
        """Logits behind each of the ids, which follow what was read before: (ids, vocabulary)."""
        w = self.w
        if not self.past:
            self.past = [[np.zeros((0, WIDTH), np.float32)] * 2 for _ in range(LAYERS)]
        begun = len(self.past[0][0])
        x = w["tokens.weight"][ids] + w["places.weight"][begun : begun + len(ids)]
        for n in range(LAYERS):
            x = self._block(f"blocks.{n}.", x, self.past[n])
        logits: Array = self._normal("last.", x) @ w["tokens.weight"].T
        return logits

    def _block(self, at: str, x: Array, past: list[Array]) -> Array:
        query, key, value = np.split(self._linear(at + "attention.", self._normal(at + "one.", x)), 3, axis=-1)
        past[:] = np.concatenate((past[0], key)), np.concatenate((past[1], value))
        q, k, v = (p.reshape(len(p), WIDTH // HEAD, HEAD).transpose(1, 0, 2) for p in (query, *past))
        scores = q @ k.transpose(0, 2, 1) / np.float32(math.sqrt(HEAD))
        new, whole = len(x), len(past[0])
        scores += np.triu(np.full((new, whole), -1e9, dtype=np.float32), whole - new + 1)
        scores = np.exp(scores - scores.max(-1, keepdims=True))
        mixed = (scores / scores.sum(-1, keepdims=True)) @ v
        x = x + self._linear(at + "out.", mixed.transpose(1, 0, 2).reshape(new, WIDTH))
        up = np.maximum(self._linear(at + "up.", self._normal(at + "two.", x)), 0)
        return np.asarray(x + self._linear(at + "down.", up), dtype=np.float32)

    def _linear(self, at: str, x: Array) -> Array:
        moved: Array = x @ self.w[at + "weight"].T + self.w[at + "bias"]
        return moved

    def _normal(self, at: str, x: Array) -> Array:
        centred = x - x.mean(-1, keepdims=True)
        spread = np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-5)
        return np.asarray(centred / spread * self.w[at + "weight"] + self.w[at + "bias"], dtype=np.float32)


def write(net: Net, prompt: list[int], temperature: float, rng: Random) -> list[int]:
    """Token numbers of an answer."""
    net.past, drawn = [], list[int]()
    logits = net.read([ASK, *prompt, ANSWER])[-1]
    while len(net.past[0][0]) < CONTEXT - 1:
        if temperature == 0:
            token = int(logits.argmax())
        else:
            shares = np.exp((logits - logits.max()) / temperature)
            token = rng.choices(range(len(shares)), shares.tolist())[0]
        if token == END:
            break
        drawn.append(token)
        logits = net.read([token])[-1]
    return drawn


def loss(net: Net, lines: list[list[int]]) -> float:
    """Mean negative log-probability of the tokens of the answers, in nats."""
    total = count = 0.0
    for line in lines:
        net.past = []
        logits = net.read(line[:-1])
        at = line.index(ANSWER)
        log = logits - logits.max(-1, keepdims=True)
        log -= np.log(np.exp(log).sum(-1, keepdims=True))
        total -= float(sum(log[n, line[n + 1]] for n in range(at, len(line) - 1)))
        count += len(line) - 1 - at
    return total / count


# How it compares.


def lattice_loss(engine: EmbeddedEngine, lines: list[list[int]], used: list[int]) -> float:
    """The same of the lattices: what the texts leave open cannot be known by anybody. Not a number without lines."""
    from labkit.engine.base import O200K, Prompt, Turn

    total = count = 0.0
    for line in lines:
        at = line.index(ANSWER)
        said = engine._encoding.decode([used[n - FIRST] for n in line[1:at] if n >= FIRST])
        decoder = engine.open(Prompt((Turn("user", said),)))
        for token in [*(used[n - FIRST] for n in line[at + 1 : -1] if n >= FIRST), O200K.end]:
            total -= decoder.distribution().logprob(token)
            if token != O200K.end:
                decoder.advance(token)
            count += 1
    return total / count if count else math.nan


def on_template(engine: EmbeddedEngine, said: str, tokens: list[int]) -> bool:
    """Whether an answer is, to its end, one that the texts have for this prompt."""
    from labkit.engine.base import O200K, Prompt, Turn

    decoder = engine.open_plain(Prompt((Turn("user", said),)))
    for token in tokens:
        decoder.advance(token)
        if decoder.state is None:
            return False
    return decoder.state is not None and decoder.state.branches().get(O200K.end, 0.0) > 0


def measure(folder: Path) -> None:
    """Print the comparison."""
    import tomllib

    from labkit.engine.embedded import EmbeddedEngine

    rows, net, engine = json.loads((folder / "data.json").read_text()), Net(folder / "weights.npz"), EmbeddedEngine()
    used, rng = rows["used"], Random(1)
    number = {token: n for n, token in enumerate(used, FIRST)}
    print(f"weights: {sum(v.size for v in net.w.values()) / 1e6:.2f} million")
    for name in ("held_out", "unseen"):
        lines = rng.sample(rows[name], min(200, len(rows[name])))
        ours = lattice_loss(engine, [line for line in lines if UNKNOWN not in line], used)
        print(f"{name}: loss {loss(net, lines):.3f} nats a token; the lattices {ours:.3f}")

    def answered(said: str, temperature: float) -> list[int]:
        drawn = write(net, [number.get(t, UNKNOWN) for t in engine.encode(said)], temperature, rng)
        return [used[n - FIRST] if n >= FIRST else 0 for n in drawn]

    def prompts(name: str, most: int) -> list[str]:
        lines = rng.sample(rows[name], min(most, len(rows[name])))
        heads = [[n for n in line[1 : line.index(ANSWER)] if n >= FIRST] for line in lines]
        return [engine._encoding.decode([used[n - FIRST] for n in head]) for head in heads]

    asked, copied = prompts("held_out", 100), prompts("unseen", 60)
    for temperature in (0.0, 0.7, 1.0):
        fluent = sum(on_template(engine, said, answered(said, temperature)) for said in asked)
        kept = sum(on_template(engine, said, answered(said, temperature)) for said in copied)
        shares = f"{fluent} of {len(asked)} on the template, {kept} of {len(copied)} with unseen topics"
        print(f"T = {temperature}: {shares}")
    listed = tomllib.loads((Path(__file__).parent.parent / "labkit/engine/paraphrases.toml").read_text("utf-8"))
    within = [(name, said) for name, several in listed["within"].items() for said in several]
    right = sum(
        on_template(engine, engine.library.intents[name].examples[0].text, answered(said, 0.0)) for name, said in within
    )
    print(f"paraphrases answered as meant: {right} of {len(within)}")
    begun, written = time.perf_counter(), 0
    while time.perf_counter() - begun < 5:
        written += len(answered(asked[written % len(asked)], 0.7))
    print(f"{written / (time.perf_counter() - begun):,.0f} tokens/s, prompts included")


def main() -> None:
    parser = argparse.ArgumentParser(description="Train a small transformer on the engine's texts, and compare.")
    parser.add_argument("verb", choices=("data", "train", "measure"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--minutes", type=float, default=MINUTES)
    parser.add_argument("--intents", default="", help="with data: names of intents, with commas; all by default")
    asked = parser.parse_args()
    if asked.verb == "data":
        make_data(asked.folder, frozenset(filter(None, asked.intents.split(","))))
    elif asked.verb == "train":
        train(asked.folder, asked.minutes)
    else:
        measure(asked.folder)


if __name__ == "__main__":
    main()
