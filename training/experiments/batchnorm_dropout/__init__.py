"""Lab 3, problem 2 (homework 2, problem 3): batch normalization, dropout, both: LeNet-5.

Every network is LeNet-5 as :mod:`archcalc.zoo.lenet5` writes it, with normalizations and dropout
between its layers. Members with the same number are born with the same weights and read the same
batches in every group, so that groups can be compared in pairs.
"""
