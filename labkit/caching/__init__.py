"""Caches of answers: by the exact call, and by what it means.

    lk.LLMClient("openai", cache=True)                        the same call again costs nothing
    lk.ResponseCache("memory", ttl=3600).statistics           hits, misses, what they saved
    lk.LLMClient("openai", cache=lk.SemanticCache("memory"))  a similar question is enough
"""
