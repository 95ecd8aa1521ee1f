"""Every kind of optimizer, as a test may make it."""

import minigraph as mg
from minigraph import optim


def parameter(x=(1.0, -2.0), **options):
    return mg.Tensor(x, requires_grad=True, **options)


MAKERS = {
    "SGD": optim.SGD,
    "momentum": lambda p, lr: optim.SGD(p, lr, momentum=0.9),
    "nesterov": lambda p, lr: optim.SGD(p, lr, momentum=0.9, nesterov=True),
    "Adam": lambda p, lr: optim.Adam(p, lr, eps=1e-6),  # not 0 in float16 either
    "AdamW": lambda p, lr: optim.AdamW(p, lr, eps=1e-6, weight_decay=0.1),
}
