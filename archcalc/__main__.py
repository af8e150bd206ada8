"""``python -m archcalc`` is the command ``archcalc``."""

from archcalc.main import main

main()
