"""stub"""
def classify(prompt): return None
