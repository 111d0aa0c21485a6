"""``python -m warehouse`` is the ``scrobble`` command."""

from warehouse.cli import main

main()
