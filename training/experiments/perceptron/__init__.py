"""Homework 2, problem 1: the perceptron criterion beside the hinge loss.

Twenty points of the unit square, labelled by x1 > x2, and a line through the origin, learnt point
by point. One draw of twenty points says little: a thousand sets are learnt from at once.
"""
