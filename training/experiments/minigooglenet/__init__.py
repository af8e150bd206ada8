"""What the experiments on learning rate and batch size share: MiniGoogLeNet on Fashion-MNIST.

Lab 3, problem 3 (homework 2, problem 4). An experiment is some plans, each a population whose
members read batches of the same sizes; members with the same number are born with the same weights
and read the examples in the same order in every plan, so that ways to train are compared in pairs.
"""
