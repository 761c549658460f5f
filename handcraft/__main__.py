"""`python -m handcraft`: the command line."""

from handcraft.cli import main

main()
