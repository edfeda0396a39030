from collections import defaultdict
from random import uniform
from time import sleep


def patient(send, attempts=5):
    tries = 0
    while True:
        tries += 1
        try:
            answer = send()
        except ConnectionError as problem:
            if tries >= attempts:
                raise problem
        else:
            return answer
        sleep(uniform(0, min(30, 2**tries)))


def chunks(text, limit):
    lines, line, used = [], [], 0
    for word in text.split():
        need = len(word) + bool(line)
        if used + need > limit and line:
            lines.append(" ".join(line))
            line, used, need = [], 0, len(word)
        line.append(word)
        used += need
    return lines + [" ".join(line)] if line else lines


def cost(call, table):
    return sum(call[kind] * table[call["model"]][kind] for kind in ("input", "output"))


def bill(calls, prices):
    models = defaultdict(float)
    for call in calls:
        models[call["model"]] += cost(call, prices)
    return {"total": round(sum(models.values()), 6), "models": dict(models)}
