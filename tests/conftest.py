"""Settings of the test run: Hypothesis profiles, and what may be absent on a laptop."""

import gc
import os
import shutil
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("dev", max_examples=16, deadline=None)
settings.register_profile("ci", max_examples=16, deadline=None, derandomize=True)
settings.register_profile(
    "thorough",
    max_examples=1000,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if "CI" in os.environ else "dev"))

# These take minutes.
collect_ignore = [] if settings.default.max_examples >= 1000 else ["demos/test_bars.py"]


def _absent(what: str, how: str) -> None:
    message = f"{what} is not installed: {how}"
    if "CI" in os.environ:
        pytest.fail(message)
    pytest.skip(message)


@pytest.fixture
def dot() -> str:
    """Path of graphviz's dot; a test that asks for it skips without it, and fails in CI."""
    path = shutil.which("dot")
    if path is None:
        _absent("dot", "apt install graphviz")
    return str(path)


@pytest.fixture
def graphviz_pure() -> str:
    """Path of the stand-in for dot, which pip puts beside Python."""
    path = shutil.which("graphviz-pure", path=sysconfig.get_path("scripts"))
    if path is None:
        _absent("graphviz-pure", "pip install -e '.[test]'")
    return str(path)


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Headless Chromium, one for all tests; they skip without it, and fail in CI."""
    paths = [shutil.which("chromium"), shutil.which("chromedriver")]
    if None in paths:
        _absent("Chromium with its driver", "apt install chromium chromium-driver")
    webdriver = pytest.importorskip("selenium.webdriver", reason="pip install -e '.[test]'")
    options = webdriver.ChromeOptions()
    options.binary_location = paths[0]
    for argument in ("headless=new", "no-sandbox", "disable-gpu", "window-size=1400,1000"):
        options.add_argument(f"--{argument}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options, webdriver.ChromeService(paths[1]))
    yield driver
    driver.quit()


@pytest.fixture
def fashion_mnist() -> Path:
    """Folder of Fashion-MNIST; a test that asks for it skips without it, and fails in CI."""
    folder = Path(os.environ.get("MINIGRAPH_DATA", "/usr/share/datasets/fashion-mnist"))
    if not (folder / "train-images-idx3-ubyte.gz").exists():
        _absent("Fashion-MNIST", "apt install dataset-fashion-mnist")
    return folder


@pytest.fixture
def without_collector() -> Iterator[None]:
    """Leave the garbage collector off: what it would have to free is a leak."""
    gc.collect()
    gc.freeze()  # so that only what is made here is looked through
    gc.disable()
    yield
    gc.enable()
    gc.unfreeze()
