"""What has to be closed, closed at the end of a `with`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Self


class Closing(ABC):
    """Holds processes or folders until `close()`."""

    @abstractmethod
    def close(self) -> None:
        """Give back everything."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *problem: object) -> None:
        self.close()
