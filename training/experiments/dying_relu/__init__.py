"""Lab 3, problems 1.2 and 1.3: deep, narrow ReLU networks are often constant functions.

After Lu, Shin, Su, Karniadakis, Dying ReLU and Initialization, arXiv 1903.06733 (Communications in
Computational Physics 28(5), 2020).
"""
