"""Populations of networks: what they read, how they learn, what is watched and kept of them."""
