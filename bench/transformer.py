"""What a small transformer would cost per token in NumPy: `python bench/transformer.py`.

The network has the shape of GPT-2 (Radford et al. 2019), untrained: its speed does not depend on the weights. The
output layer covers only the tokens that the engine's texts use. Compare with `bench/engine.py`.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from random import Random

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # one core, as in the goals; read when NumPy is imported

import numpy as np
from numpy.typing import NDArray

from labkit.engine.embedded import EmbeddedEngine
from labkit.engine.template import sample

Array = NDArray[np.float32]
SHAPES = ((2, 64), (4, 128), (6, 256))
"""(layers, width)."""
HEAD = 32
PROMPT, ANSWER = 400, 100
"""Tokens read, and tokens written behind them."""


@dataclass(frozen=True)
class Layer:
    attention: Array
    """(width, 3 width)"""
    out: Array
    """(width, width)"""
    up: Array
    down: Array


def forward(layers: list[Layer], x: Array, past: list[tuple[Array, Array]]) -> Array:
    """(new tokens, width) -> the same, with keys and values appended to `past`."""
    new, width = x.shape
    for n, layer in enumerate(layers):
        query, key, value = np.split((x - x.mean(-1, keepdims=True)) @ layer.attention, 3, axis=-1)
        key, value = np.concatenate((past[n][0], key)), np.concatenate((past[n][1], value))
        past[n] = key, value
        q, k, v = (part.reshape(len(part), width // HEAD, HEAD).transpose(1, 0, 2) for part in (query, key, value))
        scores = q @ k.transpose(0, 2, 1) / np.sqrt(HEAD)
        scores += np.triu(np.full((new, len(key)), -1e9, dtype=np.float32), len(key) - new + 1)
        scores = np.exp(scores - scores.max(-1, keepdims=True))
        mixed = (scores / scores.sum(-1, keepdims=True)) @ v
        x = x + mixed.transpose(1, 0, 2).reshape(new, width) @ layer.out
        x = x + np.maximum(x @ layer.up, 0) @ layer.down
    return x


def seconds(layers: int, width: int, vocabulary: int) -> tuple[float, float]:
    """Of reading the prompt, and of one token of the answer."""
    rng = np.random.default_rng(0)

    def weights(*shape: int) -> Array:
        return rng.standard_normal(shape, dtype=np.float32) * np.float32(0.02)

    net = [
        Layer(weights(width, 3 * width), weights(width, width), weights(width, 4 * width), weights(4 * width, width))
        for _ in range(layers)
    ]
    output, empty = weights(width, vocabulary), np.zeros((0, width), dtype=np.float32)
    past = [(empty, empty)] * layers
    begun = time.perf_counter()
    forward(net, weights(PROMPT, width), past)
    read = time.perf_counter() - begun
    begun = time.perf_counter()
    for _ in range(ANSWER):
        logits = forward(net, weights(1, width), past) @ output
        np.exp(logits - logits.max())
    return read, (time.perf_counter() - begun) / ANSWER


def main() -> None:
    engine, rng = EmbeddedEngine(), Random(0)
    used = {token for t in engine.library.templates() for _ in range(6) for token in engine.encode(sample(t, rng))}
    print(f"tokens that the texts use: {len(used):,}")
    for layers, width in SHAPES:
        seconds(layers, width, len(used))  # warm
        read, one = min(seconds(layers, width, len(used)) for _ in range(3))
        size = (layers * 12 * width * width + len(used) * width) * 4 / 1e6
        speed = f"prompt of {PROMPT} tokens {read * 1e3:6.1f} ms, {1 / one:7,.0f} tokens/s"
        print(f"{layers} layers of {width}: {size:5.1f} MB, {speed}")


if __name__ == "__main__":
    main()
