"""A gradient through a simulation: aim a spacecraft at Mars, by Newton's method.

    python demos/physics.py

The spacecraft leaves the Earth's circle around the sun, and shall be at the place opposite on the
circle of Mars after the time of a transfer by half an ellipse. The simulation is a loop of NumPy;
the Jacobian of where it ends, by the velocity at the start, is taken through all its steps, and
tells how to correct the aim. The velocity found is that of Hohmann's transfer. Lengths are in
astronomical units, and 2π units of time are a year. A figure goes into the folder out/ (or --out).
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

import minigraph as mg

MARS = 1.524  # radius of its orbit, were it a circle
KM_PER_S = 29.785  # the Earth's velocity, which is 1 here


def acceleration(r: Any) -> Any:
    return -r / np.sum(r * r) ** 1.5


def fly(velocity: Any, time: float, steps: int) -> list[Any]:
    """Give the places on the way (Störmer and Verlet's method, called leapfrog)."""
    r, v, h = np.array([1.0, 0.0]), velocity, time / steps
    places = [r]
    for _ in range(steps):
        v = v + acceleration(r) * (h / 2)
        r = r + v * h
        v = v + acceleration(r) * (h / 2)
        places.append(r)
    return places


def aim(target: np.ndarray, time: float, steps: int, corrections: int) -> list[np.ndarray]:
    """Correct the velocity until the flight ends at the target; give all velocities tried."""

    def end(velocity: Any) -> Any:
        return fly(velocity, time, steps)[-1]

    tried = [np.array([0.2, 1.05])]  # a poor one
    for _ in range(corrections):
        miss = end(tried[-1]) - target
        tried.append(tried[-1] - np.linalg.solve(mg.jacobian(end)(tried[-1]), miss))
    return tried


def draw(flights: list[np.ndarray], misses: list[float], target: np.ndarray) -> Figure:
    figure = Figure(figsize=(11, 5.4), layout="constrained")
    plane, beside = figure.subplots(1, 2, width_ratios=(1.2, 1))
    angle = np.linspace(0, 2 * np.pi, 200)
    for radius, name, style in ((1, "Earth", ":"), (MARS, "Mars", "-.")):
        circle = radius * np.cos(angle), radius * np.sin(angle)
        plane.plot(*circle, style, color="grey", label=f"orbit of {name}")
    for i, flight in enumerate(flights):
        last = i == len(flights) - 1
        style = {"color": "#d55e00", "linewidth": 2.5} if last else {"color": "#0072b2"}
        name = "arrives" if last else f"aim {i}"
        plane.plot(*flight.T, **style, alpha=1 if last else 0.3 + 0.1 * i, label=name)
    plane.plot(0, 0, "o", color="#e69f00", markersize=12)
    plane.plot(*target, "x", color="black", markersize=10, label="target")
    plane.set(aspect="equal", xlabel="astronomical units")
    plane.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
    beside.semilogy(misses, "o-", color="#d55e00")
    beside.set(xlabel="correction", ylabel="distance from the target", title="Newton's method")
    beside.yaxis.set_major_formatter("{x:g}")
    beside.xaxis.get_major_locator().set_params(integer=True)
    return figure


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--out", type=Path, default=Path("out"), help="folder for the figure")
    options.add_argument("--steps", type=int, default=300, help="of the simulation")
    options.add_argument("--corrections", type=int, default=6)
    args = options.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)

    axis = (1 + MARS) / 2  # of the ellipse that touches both circles
    time, target = np.pi * axis**1.5, np.array([-MARS, 0.0])
    tried = aim(target, time, args.steps, args.corrections)
    flights = [np.stack(fly(velocity, time, args.steps)) for velocity in tried]
    misses = [float(np.linalg.norm(flight[-1] - target)) for flight in flights]
    for i, (velocity, miss) in enumerate(zip(tried, misses)):
        print(f"aim {i}: velocity ({velocity[0]: .6f}, {velocity[1]:.6f}), misses by {miss:.1e}")

    def end(velocity: Any) -> Any:
        return fly(velocity, time, args.steps)[-1]

    found, h = mg.jacobian(end)(tried[-1]), 1e-5
    columns = [(end(tried[-1] + d) - end(tried[-1] - d)) / (2 * h) for d in h * np.eye(2)]
    difference = np.abs(found - np.stack(columns, axis=1)).max()
    print(f"Jacobian through {args.steps} steps: within {difference:.1e} of differences")

    hohmann = np.sqrt(2 * MARS / (1 + MARS))
    print(
        f"a push of {(tried[-1][1] - 1) * KM_PER_S:.3f} km/s; by Hohmann's formula "
        f"{(hohmann - 1) * KM_PER_S:.3f} km/s"
    )
    path = args.out / "physics.png"
    draw(flights, misses, target).savefig(path, dpi=100)
    print(f"figure: {path}")


if __name__ == "__main__":
    main()
