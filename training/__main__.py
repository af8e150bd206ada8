"""``python -m training`` is ``archcalc training``."""

from training.cli import main

main()
