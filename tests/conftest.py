"""What holds for all tests: pages as wide as they have to be, one thread, whatever runs pytest."""

import os

os.environ.pop("COLUMNS", None)
# Work so small waits for more than it gains. Torch reads this when it is imported, which is later,
# and so do the processes that tests start.
os.environ["OMP_NUM_THREADS"] = "1"
