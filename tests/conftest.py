"""What holds for all tests: pages are as wide as they have to be, whatever terminal runs pytest."""

import os

os.environ.pop("COLUMNS", None)
