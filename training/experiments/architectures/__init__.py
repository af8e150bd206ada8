"""Lab 3, problem 5: what archcalc computes of AlexNet, VGG19, stacks and Inception modules."""
