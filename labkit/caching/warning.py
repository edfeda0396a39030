"""The one warning of the package, in a module of its own since stores and caches both give it."""


class CacheWarning(UserWarning):
    """The cache cannot be read or written as it should be. Work goes on; what it cannot hold is asked for again."""
