"""Print the coefficient tables of src/fastbp/_kernels/vecmath.h, with their errors. Needs mpmath; takes a minute.

    python tools/fit_coefficients.py

A table is a minimax fit in 70 digits, rounded to the dtype at the end. Polynomials are found by Remez' exchange
(E. W. Cheney, Introduction to Approximation Theory, chapter 3), quotients by linearised least squares whose points are
weighted anew by their error in every round (C. L. Lawson's method). The errors are relative to the function that the
table serves, in units of u = 2**-24 (float32) or 2**-53 (float64), before rounding.
"""

import struct

from mpmath import mp, mpf

mp.dps = 70
TINY = mpf(10) ** -15


def fit_polynomial(f, weight, low, high, degree, n_points=1500):
    """Coefficients p that minimise max |weight * (p(x) - f(x))| on [low, high], and that maximum."""
    low, high = mpf(low), mpf(high)
    angles = [mp.pi * (i + mpf(1) / 2) / n_points for i in range(n_points)]
    points = [(low + high) / 2 - (high - low) / 2 * mp.cos(angle) for angle in angles]
    values, weights = [f(x) for x in points], [weight(x) for x in points]
    n_extrema = degree + 2
    extrema = [i * (n_points - 1) // (n_extrema - 1) for i in range(n_extrema)]
    for _ in range(25):
        rows = [
            [points[i] ** j for j in range(degree + 1)] + [(-1) ** (row + 1) / weights[i]]
            for row, i in enumerate(extrema)
        ]
        *coefficients, level = mp.lu_solve(mp.matrix(rows), mp.matrix([values[i] for i in extrema]))
        errors = [w * (mp.polyval(coefficients[::-1], x) - y) for x, y, w in zip(points, values, weights, strict=True)]
        extrema = []  # the largest error of every run of one sign
        for i, error in enumerate(errors):
            if not extrema or (error > 0) != (errors[extrema[-1]] > 0):
                extrema.append(i)
            elif abs(error) > abs(errors[extrema[-1]]):
                extrema[-1] = i
        while len(extrema) > n_extrema:
            extrema.pop(0 if abs(errors[extrema[0]]) < abs(errors[extrema[-1]]) else -1)
        largest = max(map(abs, errors))
        if largest <= abs(level) * mpf("1.001"):
            return coefficients, largest
    raise ArithmeticError("the exchange did not converge")


def fit_quotient(f, weight, high, degrees, n_points=160, n_rounds=40):
    """Coefficients p and q, q[0] = 1, that make max |weight * (p(x) / q(x) - f(x))| on [0, high] small; that maximum.

    The points lie densely near 0, half of them below 2.
    """
    n_p, n_q = degrees[0] + 1, degrees[1]
    ys = [-mp.cos(mp.pi * (i + mpf(1) / 2) / n_points) for i in range(n_points)]
    points = [2 * (1 + y) / (1 + 4 / mpf(high) - y) for y in ys]
    values, weights = [f(x) for x in points], [weight(x) for x in points]
    scale = max(points) / 8
    powers = [[(x / scale) ** j for j in range(max(n_p, n_q + 1))] for x in points]
    lawson, denominators, best = [mpf(1)] * n_points, [mpf(1)] * n_points, None
    for round_ in range(n_rounds):
        rows = mp.matrix([p[:n_p] + [-y * v for v in p[1 : n_q + 1]] for p, y in zip(powers, values, strict=True)])
        squares = [g * (w / q) ** 2 for g, w, q in zip(lawson, weights, denominators, strict=True)]
        weighted = mp.matrix([[s * rows[i, j] for j in range(rows.cols)] for i, s in enumerate(squares)])
        solution = list(mp.lu_solve(weighted.T * rows, weighted.T * mp.matrix(values)))
        p, q = solution[:n_p], [mpf(1), *solution[n_p:]]
        denominators = [mp.fdot(q, v[: n_q + 1]) for v in powers]
        quotients = [mp.fdot(p, v[:n_p]) / d for v, d in zip(powers, denominators, strict=True)]
        errors = [abs(w * (r - y)) for w, r, y in zip(weights, quotients, values, strict=True)]
        if best is None or max(errors) < best[2]:
            best = [c / scale**j for j, c in enumerate(p)], [c / scale**j for j, c in enumerate(q)], max(errors)
        if round_ >= 6:  # by then the denominators have settled
            lawson = [g * e for g, e in zip(lawson, errors, strict=True)]
            lawson = [max(g / max(lawson), mpf(10) ** -25) for g in lawson]
    return best


def show(name, float64, coefficients, error=None):
    """Print one table as C constants."""
    values = [float(c) for c in coefficients]
    if not float64:
        values = [struct.unpack("f", struct.pack("f", v))[0] for v in values]
    note = "" if error is None else f", error {mp.nstr(error * mpf(2) ** (53 if float64 else 24), 2)} u"
    print(f"{name}, float{64 if float64 else 32}{note}")
    print("    " + ", ".join(v.hex() + ("" if float64 else "f") for v in values))


def exp_term(r):
    """(exp(r) - 1 - r) / r**2"""
    return (mp.expm1(r) - r) / r**2 if abs(r) > TINY else mpf(1) / 2 + r / 6


def exp_weight(r):
    return abs(r**2 / mp.expm1(r) if abs(r) > TINY else r) + mpf(10) ** -6


def exp2_term(f):
    """(2**f - 1) / f"""
    return mp.expm1(f * mp.log(2)) / f if abs(f) > TINY else mp.log(2)


def exp2_weight(f):
    return 1 / exp2_term(f)


def log_term(t):
    """(2 atanh(s) / s - 2) / s**2 in t = s**2"""
    return (2 * mp.atanh(mp.sqrt(t)) / mp.sqrt(t) - 2) / t if t > TINY else mpf(2) / 3 + 2 * t / 5


def log_weight(t):
    return t * mp.sqrt(t) / (2 * mp.atanh(mp.sqrt(t))) + mpf(10) ** -6


def sin_term(t):
    """(sin(r) / r - 1) / r**2 in t = r**2"""
    return (mp.sin(mp.sqrt(t)) / mp.sqrt(t) - 1) / t if t > TINY else -mpf(1) / 6


def sin_weight(t):
    return t * mp.sqrt(t) / mp.sin(mp.sqrt(t)) + mpf(10) ** -6


def gelu_ratio(a):
    """Phi(-a) exp(a**2 / 2) (2 + 2 a)"""
    return mp.erfc(a / mp.sqrt(2)) * mp.exp(a**2 / 2) * (1 + a)


def main():
    half_ln2 = mp.log(2) / 2 * mpf("1.0005")
    half_pi_squared = (mp.pi / 2 * mpf("1.0005")) ** 2
    for float64 in (False, True):
        fits = [
            ("EXP_SERIES, after its 1", exp_term, exp_weight, -half_ln2, half_ln2, 9 if float64 else 4),
            ("EXP2_SERIES", exp2_term, exp2_weight, -mpf("0.6"), mpf("0.6"), 11 if float64 else 5),
            ("LOG_COEFFICIENTS", log_term, log_weight, 0, mpf(1) / 9, 9 if float64 else 3),
            ("SIN_3 and SIN_COEFFICIENTS", sin_term, sin_weight, 0, half_pi_squared, 8 if float64 else 3),
        ]
        for name, *problem in fits:
            show(name, float64, *fit_polynomial(*problem))
        p, q, error = fit_quotient(
            lambda a: (gelu_ratio(a) - 1) / a,
            lambda a: a / gelu_ratio(a),
            39 if float64 else 14.5,
            (9, 10) if float64 else (4, 5),
        )
        show("GELU_P", float64, p, error)
        show("GELU_Q", float64, q)


if __name__ == "__main__":
    main()
