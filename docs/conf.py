"""Sphinx settings: MyST pages, docstrings in numpydoc form, a table of ops made at build time.

Build with ``python -m sphinx -W docs docs/_build/html``. Nothing is fetched from a network, and
nothing is written outside the output folder.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(1, str(Path(__file__).parents[1]))  # for the demos, as a package
sys.path.insert(2, str(Path(__file__).parents[1] / "demos"))  # and as scripts

import answers_table
import mistakes_table
import numpy_table
import ops_table
import pictures

import minigraph

project = "minigraph"
author = "the minigraph authors"
copyright = author
release = version = minigraph.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.viewcode", "numpydoc"]
exclude_patterns = ["_build"]
myst_enable_extensions = ["deflist"]
myst_heading_anchors = 3
suppress_warnings = ["config.cache"]

html_theme = "furo"
html_title = f"minigraph {release}"
html_copy_source = False

autodoc_member_order = "bysource"
autodoc_typehints = "none"
numpydoc_show_class_members = False


def _complete(app: object, name: str, source: list[str]) -> None:
    if name == "ops":
        source[0] = ops_table.filled(source[0])
    if name == "numpy-functions":
        source[0] = numpy_table.filled(source[0])
    if name == "what-is-wrong-with-my-backprop":
        source[0] = mistakes_table.filled(source[0])
    if name == "homework-answered":
        source[0] = answers_table.filled(source[0])
    if name in ("from-graph-to-formula", "from-formula-to-loops", "gallery", "see-your-graph"):
        source[0] = pictures.with_pictures(source[0], name)


def setup(app: object) -> None:
    app.connect("source-read", _complete)
