"""Numbers that textbooks and papers print, reproduced to the last printed digit."""

import numpy as np
import pytest

import minigraph as mg


def nth(f, order):
    for _ in range(order):
        f = mg.gradient(f)
    return f


def test_rosenbrock_at_the_start_and_at_the_minimum():
    """Moré, Garbow, Hillstrom, "Testing unconstrained optimization software", 1981, problem 1.

    The Hessian at the minimum: Nocedal and Wright, "Numerical optimization", 2006, exercise 2.1.
    """

    def f(p):
        return (10 * (p[1] - p[0] ** 2)) ** 2 + (1 - p[0]) ** 2

    value, slopes = mg.value_and_grad(f)(np.array([-1.2, 1.0]))
    assert value == pytest.approx(24.2, rel=1e-14)
    np.testing.assert_allclose(slopes, [-215.6, -88], rtol=1e-13)
    H = mg.hessian(f)(np.ones(2))
    np.testing.assert_array_equal(H, [[802, -400], [-400, 200]])
    assert np.linalg.cond(H).round(0) == 2508


def test_series_of_tanh_and_of_1_over_cosh():
    """Abramowitz and Stegun, 1964, 4.5.64 and 4.5.66: numbers of Bernoulli and Euler."""
    tanh = [1, -2, 16, -272]  # 1, -1/3, 2/15, -17/315, times factorials
    assert [nth(np.tanh, 2 * k + 1)(0.0).round(8) for k in range(4)] == tanh
    euler = [1, -1, 5, -61]

    def sech(x):
        return 2 / (np.exp(x) + np.exp(-x))

    assert [nth(sech, 2 * k)(np.array(0.0)).round(8) for k in range(4)] == euler


def test_bell_numbers():
    """Comtet, "Advanced combinatorics", 1974: exp(exp(x) - 1) generates them."""
    bell = [1, 1, 2, 5, 15, 52, 203, 877]
    found = [nth(lambda x: np.exp(np.exp(x) - 1), n)(np.array(0.0)) for n in range(8)]
    np.testing.assert_allclose(found, bell, rtol=1e-12)


def test_period_of_the_pendulum():
    """Landau and Lifshitz, "Mechanics", §11: T / T0 = 1 + φ²/16 + 11 φ⁴/3072 + ...

    The exact period is 1 over the arithmetic-geometric mean of 1 and cos(φ/2).
    """

    def period(amplitude):
        a, b = 1.0, np.cos(amplitude / 2)
        for _ in range(4):
            a, b = (a + b) / 2, np.sqrt(a * b)
        return 1 / a

    assert nth(period, 2)(0.0) == pytest.approx(2 / 16, rel=1e-13)
    assert nth(period, 4)(0.0) == pytest.approx(24 * 11 / 3072, rel=1e-12)


def test_van_der_waals_at_the_critical_point():
    """Landau and Lifshitz, "Statistical physics", part 1, §152: p = 1 + 4t - 6tη - (3/2)η³."""

    def pressure(V, T):
        return 8 * T / (3 * V - 1) - 3 / V**2

    by_v, by_t = mg.gradient(pressure, (0, 1))(1.0, 1.0)
    assert (by_v, by_t) == (0, 4)
    (vv, vt), (tv, tt) = mg.hessian(pressure, (0, 1))(1.0, 1.0)
    np.testing.assert_allclose([vv, vt, tv, tt], [0, -6, -6, 0], atol=1e-14)
    assert nth(pressure, 3)(1.0, 1.0) == pytest.approx(-9, rel=1e-14)


def test_kepler_s_equation():
    """Meeus, "Astronomical algorithms", 1991, example 29.a: e = 0.1, M = 5° give E = 5°.554589.

    Newton's method with the slope by mg; differentiated through, it gives the sensitivities
    dE/dM = 1 / (1 - e cos E) and dE/de = sin E / (1 - e cos E).
    """

    def anomaly(M, e):
        E = M
        for _ in range(6):
            value, slope = mg.value_and_grad(lambda E: E - e * np.sin(E) - M)(E)
            E = E - value / slope
        return E

    M, e = np.deg2rad(5.0), 0.1
    E = anomaly(M, e)
    assert np.rad2deg(E).round(6) == 5.554589
    by_mean, by_eccentricity = mg.gradient(anomaly, (0, 1))(M, e)
    assert by_mean == pytest.approx(1 / (1 - e * np.cos(E)), rel=1e-12)
    assert by_eccentricity == pytest.approx(np.sin(E) / (1 - e * np.cos(E)), rel=1e-12)


def test_a_push_on_a_circular_orbit():
    """Clohessy and Wiltshire, 1960: a push along the path falls back by 3 T δv in a round.

    Round the circle of radius 1, T is 2π, and across the path everything comes back.
    """

    def acceleration(r):
        return -r / np.sum(r * r) ** 1.5

    def after_a_round(velocity, steps=150):
        r, v, h = np.array([1.0, 0.0]), velocity, 2 * np.pi / steps
        for _ in range(steps):  # Runge and Kutta
            a1 = acceleration(r)
            v2 = v + a1 * (h / 2)
            a2 = acceleration(r + v * (h / 2))
            v3 = v + a2 * (h / 2)
            a3 = acceleration(r + v2 * (h / 2))
            v4 = v + a3 * h
            a4 = acceleration(r + v3 * h)
            r = r + (v + 2 * v2 + 2 * v3 + v4) * (h / 6)
            v = v + (a1 + 2 * a2 + 2 * a3 + a4) * (h / 6)
        return r

    sensitivity = mg.jacobian(after_a_round)(np.array([0.0, 1.0]))
    np.testing.assert_allclose(sensitivity, [[0, 0], [0, -6 * np.pi]], atol=1e-4)


def newton(f, p, steps=30):
    for _ in range(steps):
        p = p - np.linalg.solve(mg.hessian(f)(p), mg.gradient(f)(p))
    return p


def test_logistic_regression_of_the_challenger_data():
    """Robert and Casella, "Monte Carlo statistical methods", 2004, examples 1.13 and 7.3.

    The data are those of Dalal, Fowlkes and Hoadley, 1989; errors by the inverse of the Hessian.
    """
    temperature = np.array([66, 70, 69, 68, 67, 72, 73, 70, 57, 63, 70, 78, 67, 53, 67, 75, 70, 81,
                            76, 79, 75, 76, 58.0])  # fmt: skip
    damaged = np.array([0, 1, 0, 0, 0, 0, 0, 0, 1, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 0, 1.0])

    def nll(p):
        z = p[0] + p[1] * temperature
        return np.sum(mg.softplus(z) - damaged * z)

    p = newton(nll, np.array([0.0, 0.0]), 10)
    assert p.round(4).tolist() == [15.0429, -0.2322]
    errors = np.sqrt(np.diagonal(np.linalg.inv(mg.hessian(nll)(p))))
    assert errors.round(4).tolist() == [7.3786, 0.1082]


def test_michaelis_and_menten():
    """Bates and Watts, "Nonlinear regression analysis", 1988, the data on puromycin (treated)."""
    c = np.array([0.02, 0.02, 0.06, 0.06, 0.11, 0.11, 0.22, 0.22, 0.56, 0.56, 1.10, 1.10])
    rate = np.array([76, 47, 97, 107, 123, 139, 159, 152, 191, 201, 207, 200.0])
    p = gauss_newton(lambda p: p[0] * c / (p[1] + c) - rate, np.array([205.0, 0.08]))
    assert p[0].round(1) == 212.7
    assert p[1].round(5) == 0.06412


def gauss_newton(residuals, p, steps=20):
    for _ in range(steps):
        J = mg.jacobian(residuals)(p)
        p = p - np.linalg.lstsq(J, residuals(p), rcond=None)[0]
    return p


def test_misra_s_adsorption_of_dental_monomers():
    """NIST's Statistical Reference Datasets, Misra1a: eleven certified digits."""
    y = np.array([10.07, 14.73, 17.94, 23.93, 29.61, 35.18, 40.02, 44.82, 50.76, 55.05, 61.01,
                  66.40, 75.47, 81.78])  # fmt: skip
    x = np.array([77.6, 114.9, 141.1, 190.8, 239.9, 289.0, 332.8, 378.4, 434.8, 477.3, 536.8,
                  593.1, 689.1, 760.0])  # fmt: skip

    def residuals(p):
        return y - p[0] * (1 - np.exp(-p[1] * x))

    p = gauss_newton(residuals, np.array([250.0, 5e-4]))
    J, rest = mg.jacobian(residuals)(p), np.sum(residuals(p) ** 2)
    errors = np.sqrt(np.diagonal(np.linalg.inv(J.T @ J)) * rest / 12)
    printed = [f"{number:.10E}" for number in (*p, *errors, rest)]
    assert printed == [
        "2.3894212918E+02", "5.5015643181E-04", "2.7070075241E+00", "7.2668688436E-06",
        "1.2455138894E-01",
    ]  # fmt: skip


def test_marginal_likelihood_of_a_gaussian_process():
    """Rasmussen and Williams, "Gaussian processes for machine learning", 2006, (2.30) and (5.9).

    ∂ ln p / ∂θ = tr((α αᵀ - K⁻¹) ∂K/∂θ) / 2 with α = K⁻¹ y, where ln p goes by the Cholesky
    factor (algorithm 2.1), or by solve and slogdet.
    """
    x = np.array([-4.0, -3.0, -1.0, 0.0, 2.0])
    y = np.array([-2.0, 0.0, 1.0, 2.0, -1.0])
    d2, eye = (x[:, None] - x) ** 2, np.eye(5)

    def covariance(length, signal, noise):  # (2.31)
        return signal**2 * np.exp(-d2 / (2 * length**2)) + noise**2 * eye

    def by_cholesky(*theta):
        factor = np.linalg.cholesky(covariance(*theta))
        z = np.linalg.solve(factor, y)
        return -z @ z / 2 - np.sum(np.log(np.diagonal(factor))) - 2.5 * np.log(2 * np.pi)

    def by_solve(*theta):
        K = covariance(*theta)
        fit = y @ np.linalg.solve(K, y)
        return -fit / 2 - np.linalg.slogdet(K)[1] / 2 - 2.5 * np.log(2 * np.pi)

    length, signal, noise = theta = (1.3, 1.1, 0.4)
    K, rbf = covariance(*theta), np.exp(-d2 / (2 * length**2))
    slopes = (signal**2 * rbf * d2 / length**3, 2 * signal * rbf, 2 * noise * eye)
    inverse = np.linalg.inv(K)
    alpha = inverse @ y
    closed = [np.trace((np.outer(alpha, alpha) - inverse) @ slope) / 2 for slope in slopes]
    for likelihood in (by_cholesky, by_solve):
        value, found = mg.value_and_grad(likelihood, (0, 1, 2))(*theta)
        assert value == pytest.approx(by_cholesky(*theta), rel=1e-13)
        np.testing.assert_allclose(found, closed, rtol=1e-11)


def test_penalty_of_ridge_regression():
    """Hoerl and Kennard, "Ridge regression", 1970: w = (XᵀX + λ)⁻¹ Xᵀy, dw/dλ = -(XᵀX + λ)⁻¹ w."""
    rng = np.random.default_rng(4)
    X, y, X_new, y_new = (rng.normal(size=shape) for shape in ((20, 4), 20, (10, 4), 10))

    def weights(penalty):
        return np.linalg.solve(X.T @ X + penalty * np.eye(4), X.T @ y)

    def error(penalty):
        rest = y_new - X_new @ weights(penalty)
        return rest @ rest / 2

    penalty = 0.7
    w, A = weights(penalty), X.T @ X + penalty * np.eye(4)
    closed = (y_new - X_new @ w) @ X_new @ np.linalg.solve(A, w)
    assert mg.gradient(error)(penalty) == pytest.approx(closed, rel=1e-12)
    curved = 2 * np.linalg.solve(A, np.linalg.solve(A, w))  # d²w/dλ²
    np.testing.assert_allclose(mg.jacobian(mg.jacobian(weights))(penalty), curved, rtol=1e-11)
