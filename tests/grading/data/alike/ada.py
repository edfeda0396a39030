import random
import time


def patient(send, attempts=5):
    """Call send() until it works; wait longer after each failure."""
    delay = 0.5
    for attempt in range(attempts):
        try:
            return send()
        except ConnectionError:
            if attempt == attempts - 1:
                raise
            time.sleep(delay + random.random() * delay)
            delay = delay * 2


def chunks(text, limit):
    # words are never cut
    result = []
    current = ""
    for word in text.split():
        if len(current) + len(word) + 1 > limit and current:
            result.append(current)
            current = word
        else:
            current = (current + " " + word).strip()
    if current:
        result.append(current)
    return result


def bill(calls, prices):
    total = 0.0
    per_model = {}
    for call in calls:
        price = prices[call["model"]]
        cost = call["input"] * price["input"] + call["output"] * price["output"]
        per_model[call["model"]] = per_model.get(call["model"], 0) + cost
        total += cost
    return {"total": round(total, 6), "models": per_model}
