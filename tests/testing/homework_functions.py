"""The homework's own functions, as they must have run, mistakes and all; and the pairs they make.

Two kinds of repair, and no other:

- the print: lost underscores (``grad oa``), 1 read as l (``wl``, ``bl``), a stray ``</pre>``, the
  indentation of `L_theta`;
- today's NumPy: ``int(y)`` of a 1 x 1 matrix raises since NumPy 2.4, so ``y.item()`` is taken;
  nothing is computed otherwise.

Names, comments that compute nothing left out, and globals are the homework's. Below are the pairs
``fprop(params, x, y, lam)`` and ``bprop(params, x, y, lam)``, which do no more than set the globals
of the notebook and turn arrays into matrices and back.
"""

# Not to be tidied:
# ruff: noqa: F841, RET504, RUF059, SIM108, SIM300

import time

import numpy as np

n = 1100  # of the notebook: all rows of the two circles
d = dh = m = 2
XM_train = np.broadcast_to(0.0, (60000, 784))  # the shape of Fashion-MNIST's is all that is read


# P1


def onehot(m, y):  # y can not be a number
    result = []
    y = y.T
    for i in range(len(y)):
        result.append(np.eye(m)[int(y[i].item())])
    result = np.matrix(result).T
    return result


def rect(x):  # x must be a matrix
    result = []
    for i in range(np.shape(x)[1]):
        temp = []
        for j in range(np.shape(x)[0]):
            temp.append(max(0, x[j, i]))
        result.append(temp)
    result = np.matrix(result).T
    return result


def softmax(x):  # x must be a matrix
    result = []
    m, n = np.shape(x)
    for i in range(n):
        temp = []
        sum = np.sum(np.exp(x[:, i]))
        print(sum)
        for j in range(m):
            temp.append(np.exp(x[j, i]) / sum)
        result.append(temp)
    result = np.matrix(result).T
    return result


def fprop(x, y, w1, b1, w2, b2):
    ha = w1 * x + b1
    hs = rect(ha)
    oa = w2 * hs + b2
    os = softmax(oa)
    L = -np.log(os[int(y.item())])
    return (ha, hs, oa, os, L)


def bprop(m, x, y, w1, b1, w2, b2):
    ha = fprop(x, y, w1, b1, w2, b2)[0]
    hs = fprop(x, y, w1, b1, w2, b2)[1]
    os = fprop(x, y, w1, b1, w2, b2)[3]
    grad_oa = os - onehot(m, y)
    grad_w2 = grad_oa * hs.T
    grad_b2 = grad_oa
    grad_hs = w2.T * grad_oa
    grad_ha = []
    for i in range(dh):
        if ha[i, 0] <= 0:
            grad_ha.append(0)
        else:
            grad_ha.append(grad_hs[i, 0])
    grad_ha = np.matrix(grad_ha).T
    grad_w1 = grad_ha * x.T
    grad_b1 = grad_ha
    return (grad_oa, grad_w2, grad_b2, grad_hs, grad_ha, grad_w1, grad_b1)


# P3


def fprop_k_loop(x, y, w1, b1, w2, b2, k):
    sum_L = 0
    for i in k:
        sum_L += fprop(x[:, i], y[0, i], w1, b1, w2, b2)[-1]
    return np.linalg.det(sum_L / len(k))


def bprop_k_loop(m, x, y, w1, b1, w2, b2, k, dh):
    grad_oa = np.zeros([m, 1])
    grad_w2 = np.zeros([m, dh])
    grad_b2 = np.zeros([m, 1])
    grad_hs = np.zeros([dh, 1])
    grad_ha = np.zeros([dh, 1])
    grad_w1 = np.zeros([dh, d])
    grad_b1 = np.zeros([dh, 1])
    for i in k:
        [grad_oai, grad_w2i, grad_b2i, grad_hsi, grad_hai, grad_w1i, grad_b1i] = bprop(
            m, x[:, i], np.matrix(y[0, i]), w1, b1, w2, b2
        )
        grad_oa += grad_oai
        grad_w2 += grad_w2i
        grad_b2 += grad_b2i
        grad_hs += grad_hsi
        grad_ha += grad_hai
        grad_w1 += grad_w1i
        grad_b1 += grad_b1i
    grad_oa /= len(k)
    grad_w2 /= len(k)
    grad_b2 /= len(k)
    grad_hs /= len(k)
    grad_ha /= len(k)
    grad_w1 /= len(k)
    grad_b1 /= len(k)
    return (grad_oa, grad_w2, grad_b2, grad_hs, grad_ha, grad_w1, grad_b1)


# P5


def L_theta(lamda, w1, w2, dh, m, d):
    if len(lamda) != 4:
        return "Lamda is error!"
    w1 = w1.reshape(1, dh * d)
    w11 = np.sum(abs(w1))
    w12 = np.linalg.det(w1 * w1.T)
    w2 = w2.reshape(1, dh * m)
    w21 = np.sum(abs(w2))
    w22 = np.linalg.det(w2 * w2.T)
    W = [w11, w12, w21, w22]
    return np.linalg.det(lamda * np.matrix(W).T)


def train(x, y, w1, b1, w2, b2, num, lamda, dh, d, m, eta):
    m, n = np.shape(x)
    sum_loss = 0
    Rmin = 10000
    R = 0
    itera = 0
    while itera < 100:
        for i in range(int(n / num)):
            k = np.arange(i * num, (i + 1) * num)
            sum_loss = fprop_k_loop(x, y, w1, b1, w2, b2, k)
        R = (1 / (n / num)) * sum_loss + L_theta(lamda, w1, w2, dh, m, d)
        if R < Rmin:
            Rmin = R
            w1min = w1
            w2min = w2
            b1min = b1
            b2min = b2
            grad_oa, grad_w2, grad_b2, grad_hs, grad_ha, grad_w1, grad_b1 = bprop_k_loop(
                m, x, y, w1, b1, w2, b2, k, dh
            )
            w1 -= eta * grad_w1
            b1 -= eta * grad_b1
            w2 -= eta * grad_w2
            b2 -= eta * grad_b2
            itera += 1
        else:
            break
    if itera == 10000:
        print(" not finish yet...")
    return (Rmin, w1min, w2min, b1min, b2min)


# P6


def prol_k(x, k):  # x is a matrix of 1 row, then prolong x to a matrix of k row
    result = []
    for _ in range(k):
        temp = []
        for j in range(np.shape(x)[1]):
            temp.append(x[0, j])
        result.append(temp)
    result = np.matrix(result)
    return result


def fprop_k_m(x, y, w1, b1, w2, b2, k, i):
    b1_m = prol_k(b1.T, k).T
    ha = w1 * x[:, i : i + k] + b1
    hs = rect(ha)
    b2 = prol_k(b2.T, k).T
    oa = w2 * hs + b2
    os = softmax(oa)
    lable = []
    temp = []
    for j in range(k):
        lable.append(int(y[0, i + j]))
        temp.append(j)
        L = -np.log(os[lable, temp])
        L_sum = np.sum(L) / n
    return (ha, hs, oa, os, L, L_sum)


def bprop_k_m(m, x, y, w1, b1, w2, b2, k, i):
    ha = fprop_k_m(x, y, w1, b1, w2, b2, k, i)[0]
    hs = fprop_k_m(x, y, w1, b1, w2, b2, k, i)[1]
    os = fprop_k_m(x, y, w1, b1, w2, b2, k, i)[3]
    grad_oa = os - onehot(m, y[0, i : i + k])
    grad_w2 = grad_oa * hs.T
    grad_b2 = grad_oa
    grad_hs = w2.T * grad_oa
    grad_ha = []
    for j in range(k):
        temp = []
        for m in range(dh):
            if ha[m, j] <= 0:
                temp.append(0)
            else:
                temp.append(grad_hs[m, j])
        grad_ha.append(temp)
    grad_ha = np.matrix(grad_ha).T
    grad_w1 = grad_ha * x[:, i : i + k].T
    grad_b1 = grad_ha
    return (
        np.sum(grad_oa, axis=1) / k,
        grad_w2,
        np.sum(grad_b2, axis=1) / k,
        np.sum(grad_hs, axis=1) / k,
        np.sum(grad_ha, axis=1) / k,
        grad_w1,
        np.sum(grad_b1, axis=1) / k,
    )


# P8


def mnist_loop_all(x, y, w1, b1, w2, b2, dh, m):
    start = time.time()
    num = int(np.shape(XM_train)[1] / 100)
    for i in range(num):
        k = np.arange(i * 100, (i + 1) * 100)
        fprop_k_loop(x, y, w1, b1, w2, b2, k)
        goa_m, gw2_m, gb2_m, ghs_m, gha_m, gw1_m, gb1_m = bprop_k_loop(
            m, x, y, w1, b1, w2, b2, k, dh
        )
    end = time.time()
    running_time = end - start
    return running_time


def mnist_matrix_all(x, y, w1, b1, w2, b2, dh, m):
    start = time.time()
    num = int(np.shape(XM_train)[1] / 100)
    for i in range(num):
        fprop_k_m(x, y, w1, b1, w2, b2, 100, i * 100)
        bprop_k_m(m, x, y, w1, b1, w2, b2, 100, i * 100)
    end = time.time()
    running_time = end - start
    return running_time


# P9


def fprop_error(x, y, w1, b1, w2, b2, k, i):
    b1_m = prol_k(b1.T, k).T
    ha = w1 * x[:, i : i + k] + b1
    hs = rect(ha)
    b2 = prol_k(b2.T, k).T
    oa = w2 * hs + b2
    os = softmax(oa)
    err = 0
    for j in range(k):
        if os[0, j] >= os[1, j]:
            pre_y = 0
        else:
            pre_y = 1
        if pre_y != y[0, i + j]:
            err += 1
    lable = []
    temp = []
    for j in range(k):
        lable.append(int(y[0, i + j]))
        temp.append(j)
    L = -np.log(os[lable, temp])
    L_sum = np.sum(L) / k
    return (ha, hs, oa, os, L, L_sum, err)


def train_9(x, y, w1, b1, w2, b2, k, lamda, dh, d, m, eta, epsilon):
    """Train as in P9, where its name is ``train`` again."""
    m, n = np.shape(x)
    sum_loss = 0
    err_sum = 0
    Rmin = 10000
    R = 0
    itera = 0
    grad_b2 = 1
    num = int(n / k)
    while (itera < 1000) & (np.sum(grad_b2) > epsilon):
        for i in range(num):
            ha, hs, oa, os, L, loss, err = fprop_error(x, y, w1, b1, w2, b2, k, i * k)
            sum_loss += loss * k
            err_sum += err
        R = (1 / n) * sum_loss + L_theta(lamda, w1, w2, dh, m, d)
        if R < Rmin:
            Rmin = R
            w1min = w1
            w2min = w2
            b1min = b1
            b2min = b2
            sum_loss_result = sum_loss
            err_result = err_sum
            for i in range(num):
                grad_oa, grad_w2, grad_b2, grad_hs, grad_ha, grad_w1, grad_b1 = bprop_k_m(
                    m, x, y, w1, b1, w2, b2, k, i * k
                )
                w1 -= eta * grad_w1
                b1 -= eta * grad_b1
                w2 -= eta * grad_w2
                b2 -= eta * grad_b2
            itera += 1
        else:
            break
    if itera == 1000:
        print(" not finish yet...")
    return (Rmin, w1min, w2min, b1min, b2min, sum_loss_result / n, err_result / n)


# The pairs


def cell(params, x, y):
    """Run the cells that set the globals; give what the functions take."""
    global d, dh, m
    dh, d = params["W1"].shape
    m = len(params["W2"])
    return [np.matrix(array) for array in (x, y, *(params[n] for n in ("W1", "b1", "W2", "b2")))]


def named(gradients):
    """Turn the seven results of a bprop into arrays by name."""
    grad_oa, grad_w2, grad_b2, _, _, grad_w1, grad_b1 = map(np.asarray, gradients)
    return {"W1": grad_w1, "b1": grad_b1, "W2": grad_w2, "b2": grad_b2, "oa": grad_oa}


def loop_fprop(params, x, y, lam):
    """P3: the mean over K examples, by a loop."""
    return fprop_k_loop(*cell(params, x, y), np.arange(x.shape[1]))


def loop_bprop(params, x, y, lam):
    """P3."""
    return named(bprop_k_loop(m_of(params), *cell(params, x, y), np.arange(x.shape[1]), dh))


def risk_fprop(params, x, y, lam):
    """P5: R of a set that is a single minibatch, with the penalties."""
    xm, ym, w1, b1, w2, b2 = cell(params, x, y)
    sum_loss = fprop_k_loop(xm, ym, w1, b1, w2, b2, np.arange(x.shape[1]))
    return sum_loss + L_theta(lam, w1, w2, dh, m, d)


def matrix_fprop(params, x, y, lam):
    """P6: the loss of a minibatch, by matrices."""
    return fprop_k_m(*cell(params, x, y), x.shape[1], 0)[-1]


def matrix_bprop(params, x, y, lam):
    """P6, and P9."""
    return named(bprop_k_m(m_of(params), *cell(params, x, y), x.shape[1], 0))


def error_fprop(params, x, y, lam):
    """P9: the loss of a minibatch."""
    return fprop_error(*cell(params, x, y), x.shape[1], 0)[-2]


def error_risk_fprop(params, x, y, lam):
    """P9: R of a set that is a single minibatch, with the penalties."""
    xm, ym, w1, b1, w2, b2 = cell(params, x, y)
    loss = fprop_error(xm, ym, w1, b1, w2, b2, x.shape[1], 0)[-2]
    return loss + L_theta(lam, w1, w2, dh, m, d)


def m_of(params):
    """Count the classes: the first argument is evaluated before the cells have run."""
    return len(params["W2"])
