import time, random, textwrap

def patient(send, attempts=5):
    last_error = None
    waits = [2 ** n * random.uniform(0.5, 1.5) for n in range(attempts - 1)]
    for wait in [0] + waits:
        if wait:
            time.sleep(wait)
        try:
            return send()
        except ConnectionError as e:
            last_error = e
    raise last_error

def chunks(text, limit):
    return textwrap.wrap(text, width=limit, break_long_words=False, break_on_hyphens=False)

def bill(calls, prices):
    models = {}
    for c in calls:
        name = c["model"]
        p_in, p_out = prices[name]["input"], prices[name]["output"]
        models.setdefault(name, []).append(p_in * c["input"] + p_out * c["output"])
    models = {name: sum(costs) for name, costs in models.items()}
    return dict(total=round(sum(models.values()), 6), models=models)
