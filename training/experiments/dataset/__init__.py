"""Homework 2, problem 4.1: how large a data set is, how its classes share it, what is in it.

Nothing is trained: what the data are like is the result.
"""
