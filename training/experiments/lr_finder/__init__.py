"""Lab 3, problem 3.1 (homework 2, problem 4.2): from which rate to which does the network learn?"""
