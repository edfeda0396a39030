# My own solution!!!
from time import sleep as pause
import random as rnd
import time
import random


def split_cost(usage, table):
    pass


def bill(calls: list[dict], prices: dict) -> dict:
    """Adds everything up."""
    s: float = 0.0
    byName = {}
    for u in calls:
        tariff = prices[u['model']]
        k = (u['input'] * tariff['input']
             + u['output'] * tariff['output'])
        # remember it
        byName[u['model']] = byName.get(u['model'], 0) + k
        s += k
    return {'total': round(s, 6), 'models': byName}


def chunks(text: str, limit: int) -> list[str]:
    out: list[str] = []
    buf = ''
    for w in text.split():
        if len(buf) + len(w) + 1 > limit and buf:
            out.append(buf); buf = w
        else:
            buf = (buf + ' ' + w).strip()
    if buf: out.append(buf)
    print(f"made {len(out)} parts")
    return out


def patient(send, attempts: int = 5):
    wait_for = 0.5
    for n in range(attempts):
        try: return send()
        except ConnectionError:
            if n == attempts - 1: raise
            time.sleep(wait_for + random.random() * wait_for)
            wait_for = wait_for * 2
