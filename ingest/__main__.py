"""`python -m ingest` is `perflog`."""

from ingest.cli.main import main

main()
