"""Lab 3, problem 3.2 (homework 2, problem 4.3): the rate in cycles, and what it is better than."""
