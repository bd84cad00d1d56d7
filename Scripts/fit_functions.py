#!/usr/bin/env python3
"""Fits the polynomials of Sources/CKernels/vector_functions.h and lanes.h.

Weighted least squares, reweighted towards minimax (Lawson).

Prints each fit's coefficients, lowest power first, and its largest weighted error. Needs numpy and scipy.
"""
from math import factorial, log

import numpy as np
from scipy.special import erf, erfc


def fit(f, low, high, degree, weight, rounds=60):
    x = low + (high - low) * (1 - np.cos(np.pi * (np.arange(4000) + 0.5) / 4000)) / 2
    y, w, lawson = f(x), weight(x, f(x)), np.ones_like(x)
    powers = np.vander(x, degree + 1, increasing=True)
    for _ in range(rounds):
        s = w * np.sqrt(lawson)
        c = np.linalg.lstsq(powers * s[:, None], y * s, rcond=None)[0]
        error = np.abs((powers @ c - y) * w)
        lawson = lawson * (error + 1e-30)
        lawson /= lawson.max()
    return [float(v) for v in c], float(error.max())


def relative(x, y):
    return 1 / np.abs(y)


def root(f):
    return lambda s: f(np.sqrt(s)) / np.sqrt(s)


half = log(2) / 2 * 1.001
print("exp   P(r): e^r = 1 + r + r^2 P", fit(
    lambda r: sum(r**k / factorial(k + 2) for k in range(14)), -half, half, 4, lambda x, y: np.full_like(x, half**2)))
print("erf   P(a^2): erf a = a P, a <= 1", fit(root(erf), 1e-9, 1.0, 6, relative))
print("erfc  Q(a): erfc a = e^(a Q), 1 <= a <= 4", fit(
    lambda a: np.log(erfc(a)) / a, 0.95, 4.0, 6, lambda a, y: a * erfc(a)))
print("tanh  P(u^2): tanh u = u P, u <= 0.6", fit(root(np.tanh), 1e-9, 0.4, 5, relative))
