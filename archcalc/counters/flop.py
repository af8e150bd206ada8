"""Two floating-point operations for every multiply-accumulate."""

from archcalc.counters.base import Counter

COUNTER = Counter("flop", "FLOPs", "Nothing: two for every MAC.", scale=2)
