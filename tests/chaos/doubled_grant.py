"""`prefloop` with a bug planted: the queue grants every task to one person more than it may."""

from services.cli import main
from services.queue.entries import Entry

_taken = Entry._taken
Entry._taken = lambda self, role: _taken(self, role) - 1  # type: ignore[method-assign]

if __name__ == "__main__":
    main()
