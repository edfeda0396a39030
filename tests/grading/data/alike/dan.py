import itertools
import random
import time


class Patience:
    def __init__(self, attempts):
        self.left = attempts
        self.pause = 1

    def again(self):
        self.left -= 1
        if self.left <= 0:
            return False
        time.sleep(self.pause * random.random())
        self.pause *= 2
        return True


def patient(send, attempts=5):
    patience = Patience(attempts)
    while True:
        try:
            return send()
        except ConnectionError:
            if not patience.again():
                raise


def chunks(text, limit):
    words = text.split()
    parts = []
    while words:
        sizes = itertools.accumulate(len(w) + 1 for w in words)
        fit = max(1, sum(1 for size in sizes if size - 1 <= limit))
        parts.append(" ".join(words[:fit]))
        words = words[fit:]
    return parts


def bill(calls, prices):
    def one(call):
        price = prices[call["model"]]
        return call["input"] * price["input"] + call["output"] * price["output"]

    names = {call["model"] for call in calls}
    models = {name: sum(one(call) for call in calls if call["model"] == name) for name in names}
    return {"models": models, "total": round(sum(map(one, calls)), 6)}
