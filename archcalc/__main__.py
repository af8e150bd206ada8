"""``python -m archcalc`` is the command ``archcalc``."""

from archcalc.cli import main

main()
