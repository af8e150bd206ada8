"""Lab 3, problem 3.3: a batch that grows beside a rate that falls."""
