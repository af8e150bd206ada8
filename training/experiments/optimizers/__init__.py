"""Lab 3, problem 4: adaptive learning rates on CIFAR-10, each with a rate of its own.

Every method searches the same grid of rates on images that are held out; with the rate that it does
best with it then learns from all training images, with several seeds, without and with dropout.
Members with the same number are born with the same weights and read the images in the same order,
whatever their method, so that methods are compared in pairs.
"""
