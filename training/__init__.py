"""The optimization experiments of a deep-learning-systems course."""
