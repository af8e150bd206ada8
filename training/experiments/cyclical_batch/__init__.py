"""Homework 2, problems 4.6 and 4.7: the batch in cycles, beside the rate in cycles."""
