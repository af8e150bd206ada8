"""Homework 2, problems 4.4 and 4.5: the loss over the batch, and the range that is read off it."""
