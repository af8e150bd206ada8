"""archcalc's own count: multiply-accumulates."""

from archcalc.counters.base import MACS, Counter

COUNTER = Counter("mac", MACS, "Nothing: one multiply and one add, archcalc's own.")
