"""The pictures of a page, made from the code above them while the documentation is built."""

import base64
import contextlib
import html
import io
import re
import tempfile
from pathlib import Path

BLOCK = re.compile(r"^```python\n(.*?)^```\n", re.MULTILINE | re.DOTALL)


def with_pictures(page: str, name: str) -> str:
    """Run the Python blocks of a page in a folder of their own; show below what each writes."""
    namespace = {"__name__": "__main__"}
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):

        def shown(block: re.Match[str]) -> str:
            before = set(Path().iterdir())
            with contextlib.redirect_stdout(io.StringIO()):
                exec(compile(block[1], name, "exec"), namespace)
            return block[0] + "".join(map(_raw, sorted(set(Path().iterdir()) - before)))

        return BLOCK.sub(shown, page)


def _raw(path: Path) -> str:
    """Embed a picture, or a page in a frame, so that no two pictures share their ids."""
    if path.suffix == ".svg":
        data = base64.b64encode(path.read_bytes()).decode()
        source = f"data:image/svg+xml;base64,{data}"
        image = f'<img alt="{path.stem}" style="max-width: none" src="{source}">'
        element = f'<p style="overflow-x: auto">{image}</p>'
    elif path.suffix == ".html":
        page = html.escape(path.read_text(encoding="utf-8"))
        style = "width: 100%; height: 48em; border: 1px solid #b0b0b0"
        element = f'<iframe sandbox="allow-scripts" style="{style}" srcdoc="{page}"></iframe>'
    else:
        return ""
    return f"\n````{{raw}} html\n{element}\n````\n"
