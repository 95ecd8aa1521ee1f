"""Answer the homework, question by question, in one page: formulas, checks, tables, figures.

    python demos/report.py [--out out] [--small]

Runs the other demos, each in a folder of its own under --out, and writes out/report.html: one file
that needs no network. With --small everything is shortened, to try it out. Where Fashion-MNIST is
not found, the page says how to get it.
"""

import argparse
import base64
import html
import re
import subprocess
import sys
import time
from pathlib import Path

from homework import answers
from homework.answers import MISTAKES, THEORY

HERE = Path(__file__).parent
PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy"
      content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>The homework, answered</title>
<style>
body {{ max-width: 70rem; margin: 0 auto; padding: 1rem; font: 16px/1.5 Arial, sans-serif; }}
h2 {{ margin-top: 2.5rem; border-bottom: 2px solid #444444; }}
nav a {{ margin-right: .7rem; }}
table {{ border-collapse: collapse; }}
td p {{ margin: .2rem 0; }}
td, th {{ padding: .3rem .6rem; border-top: 1px solid #b0b0b0; text-align: left;
          vertical-align: top; }}
pre {{ overflow-x: auto; padding: .6rem; background: #f4f4f4; font-size: 13px; line-height: 1.35; }}
figure {{ margin: 1rem 0; overflow-x: auto; }}
figcaption {{ color: #4d4d4d; }}
img {{ max-width: 100%; }}
.mistake {{ border-left: 4px solid #962C00; padding-left: .7rem; }}
.mistake b {{ color: #962C00; }}
</style>
</head>
<body>
<h1>The homework, answered</h1>
<p>A perceptron with one hidden layer, derived by hand, checked, trained and drawn. Every number on
this page was computed when it was made, by {versions}.</p>
<nav>{contents}</nav>
{sections}
</body>
</html>
"""


# Pieces of a page


def text(words: str) -> str:
    return html.escape(words)


def mistake(words: str, proof: str = "") -> str:
    shown = f" ({text(proof)}.)" if proof else ""
    return f'<p class="mistake"><b>In the original:</b> {text(words)}{shown}</p>'


def printed(output: str) -> str:
    return f"<pre>{text(output.strip())}</pre>" if output.strip() else ""


def figure(path: Path) -> str:
    kind = {".svg": "svg+xml", ".png": "png"}[path.suffix]
    data = base64.b64encode(path.read_bytes()).decode()
    caption = path.stem.replace("_", " ")
    image = f'<img alt="{text(caption)}" src="data:image/{kind};base64,{data}">'
    return f"<figure>{image}<figcaption>{text(caption)}</figcaption></figure>"


def figures(folder: Path) -> str:
    paths = sorted(path for path in folder.iterdir() if path.suffix in (".svg", ".png"))
    return "".join(map(figure, paths))


def section(id: str, title: str, *parts: str) -> tuple[str, str, str]:
    return id, title, "\n".join(parts)


# The theory


def theory() -> str:
    rows = []
    for answer in THEORY:
        said = [f"<p>{text(answer.answer)}</p>", f"<p>Checked: {text(answer.check())}.</p>"]
        if answer.mistake:
            said.append(mistake(answer.mistake, answer.proof() if answer.proof else ""))
        question = f"<th>{text(answer.item)}</th><td>{text(answer.question)}</td>"
        rows.append(f"<tr>{question}<td>{''.join(said)}</td></tr>")
    return f"<table>{''.join(rows)}</table>"


def mistakes(question: str) -> str:
    return "".join(
        mistake(words, proof() if proof else "") for words, proof in MISTAKES.get(question, ())
    )


# The practice: what the other demos print and draw


def run(script: str, out: Path, *options: object) -> str:
    """Run a demo; give what it printed, or why it could not run."""
    out.mkdir(parents=True, exist_ok=True)
    start = time.perf_counter()
    print(f"{script} ...", end=" ", flush=True)
    command = [sys.executable, HERE / script, *map(str, options)]
    done = subprocess.run(command, capture_output=True, encoding="utf-8")
    print(f"{time.perf_counter() - start:.0f} s")
    said = done.stdout if done.returncode == 0 else f"{done.stdout}\n{done.stderr}".strip()
    return "\n".join(line for line in said.splitlines() if str(out) not in line)


def questions_of(output: str) -> dict[str, str]:
    """Cut what homework_gradients.py prints at its titles, P1: ..., P2: ..."""
    found: dict[str, str] = {}
    for part in re.split(r"^(?=P\d+: )", output, flags=re.MULTILINE)[1:]:
        name = part[: part.index(":")]
        found[name] = found.get(name, "") + part
    return found


TITLES = {
    "P1": "P1. Gradients of one example, and a check",
    "P2": "P2. The same with the homework's weights",
    "P4": "P4. A minibatch of ten, by a loop",
    "P6": "P6. From one example to a minibatch: expressions and shapes",
    "P7": "P7. Loop and matrices, one example and ten",
}


def practice(out: Path, small: bool, seed: int) -> list[tuple[str, str, str]]:
    gradients = questions_of(run("homework_gradients.py", out / "gradients"))
    found = []
    for name, title in TITLES.items():
        extra = mistakes("P3") if name == "P4" else ""
        found.append(section(name, title, mistakes(name), extra, printed(gradients.get(name, ""))))

    def demo(script: str, folder: str, *few: object) -> tuple[str, str]:
        options = ["--out", out / folder, "--seed", seed, *(few if small else ())]
        return printed(run(script, out / folder, *options)), figures(out / folder)

    circles = demo("two_circles.py", "circles", *SMALL["two_circles.py"])
    found.insert(3, section("P5", "P5. Two circles: decision regions", mistakes("P5"), *circles))
    loop = demo("loop_vs_matrix.py", "loop", *SMALL["loop_vs_matrix.py"])
    found.append(section("P8", "P8. An epoch by loop, by matrices, by the graph", mistakes("P8"),
                         *loop))  # fmt: skip
    fashion = demo("fashion_mnist.py", "fashion", *SMALL["fashion_mnist.py"])
    title = "P9 and P10. Fashion-MNIST: curves, choice by validation, test error"
    found.append(section("P9", title, mistakes("P9"), mistakes("P10"), *fashion))
    return found


SMALL = {
    "two_circles.py": ["--hidden", 2, 8, "--penalty", 0, "--epochs", 2, "--noisy-epochs", 3],
    "loop_vs_matrix.py": ["--limit", 300],
    "fashion_mnist.py": ["--limit", 500, "--epochs", 1, "--hidden", 5],
}


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument(
        "--out", type=Path, default=Path("out"), help="folder for all that is made"
    )
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--small", action="store_true", help="shorten everything, to try it out")
    args = options.parse_args()

    sections = [section("theory", "Theory", theory())]
    sections += practice(args.out, args.small, args.seed)
    network = run("draw_mlp.py", args.out / "network", "--out", args.out / "network")
    listing = network.split("\n\n")[0]
    sections.append(section("network", "The network, drawn", printed(listing),
                            figures(args.out / "network")))  # fmt: skip
    contents = "".join(f'<a href="#{id}">{text(title)}</a> ' for id, title, _ in sections)
    body = "\n".join(
        f'<section id="{id}"><h2>{text(title)}</h2>{content}</section>'
        for id, title, content in sections
    )
    path = args.out / "report.html"
    page = PAGE.format(versions=text(answers.versions()), contents=contents, sections=body)
    path.write_text(page, encoding="utf-8")
    print(f"the report: {path}")


if __name__ == "__main__":
    main()
