#!/usr/bin/env python3
"""Turns build/bench.json into what docs/ shows: plots, and the tables of benchmarks.md. What was not measured stays.

    report.py BENCH_JSON DOCS_FOLDER
"""

import json
import os
import sys
from xml.sax.saxutils import escape

# Prefix of the names, and the marks around the table.
BUILDING, COMPOSITE, PYTHON = ("build_",), ("slatedb_", "lance_"), ("py_",)
SHARDING = ("cel_", "kmeans_")
READING_TABLE, BUILDING_TABLE, COMPOSITE_TABLE = "table", "table of building", "table of SlateDB and LanceDB"
PYTHON_TABLE, SHARDING_TABLE = "table of Python", "table of sharding"
WIDTH, LEFT, RIGHT, ROW, BAR = 860, 250, 150, 58, 17
STYLE = """
  text { font: 13px system-ui, sans-serif; fill: #24292f }
  .title { font-size: 17px; font-weight: 600 }
  .quiet { fill: #6e7781 }
  .number { font-size: 12px }
  .ratio { font-weight: 600; text-anchor: end }
  .ours { fill: #1f78b4 }
  .peer { fill: #b8bec5 }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 }
    .quiet { fill: #8d96a0 }
    .ours { fill: #58a6ff }
    .peer { fill: #484f58 }
  }
"""


def format_number(value):
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def bar(y, kind, value, most, unit):
    length = max(2, value / most * (WIDTH - LEFT - RIGHT - 70))
    text = f"{format_number(value)} {escape(unit)}"
    return (f'<rect class="{kind}" x="{LEFT}" y="{y}" width="{length:.1f}" height="{BAR}" rx="3"/>'
            f'<text class="number" x="{LEFT + length + 6:.1f}" y="{y + 13}">{text}</text>')


def plot(title, results):
    """Two bars a benchmark; shorter is better."""
    most = max(max(result["ours"], result["peer"]) for result in results)
    height = 84 + ROW * len(results)
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}">',
             f"<style>{STYLE}</style>",
             f'<text class="title" x="16" y="30">{escape(title)}</text>',
             '<rect class="ours" x="16" y="44" width="12" height="12" rx="2"/><text x="34" y="55">ours</text>',
             '<rect class="peer" x="84" y="44" width="12" height="12" rx="2"/><text x="102" y="55">peer</text>',
             '<text class="quiet" x="152" y="55">shorter is better; at the right, how many times better ours is</text>']
    for index, result in enumerate(results):
        y = 74 + ROW * index
        parts.append(f'<text x="16" y="{y + 22}">{escape(result["name"])}</text>')
        parts.append(bar(y, "ours", result["ours"], most, result["unit"]))
        parts.append(bar(y + BAR + 2, "peer", result["peer"], most, result["unit"]))
        parts.append(f'<text class="ratio" x="{WIDTH - 16}" y="{y + 22}">{format_ratio(result["ratio"])}</text>')
    parts.append("</svg>")
    return "\n".join(parts) + "\n"


def format_ratio(ratio):
    return f"{ratio:.0f}×" if ratio >= 20 else f"{ratio:.2f}×"


def table(results):
    lines = ["", "", "| benchmark | ratio | compared |", "| --- | ---: | --- |"]
    for result in results:
        lines.append(f"| `{result['name']}` | {format_ratio(result['ratio'])} | {result['note'].replace('|', '/')} |")
    return "\n".join(lines + ["", ""])


def replace_table(path, name, results):
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    with open(path, encoding="utf-8") as file:
        text = file.read()
    before, rest = text.split(begin, 1)
    after = rest.split(end, 1)[1]
    with open(path, "w", encoding="utf-8") as file:
        file.write(before + begin + table(results) + end + after)


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    with open(sys.argv[1], encoding="utf-8") as file:
        results = json.load(file)
    docs = sys.argv[2]
    plots = (("lookups", "Lookups in 1,000,000 rows", ("get_", "multi_get_")),
             ("search", "Exact search, 100,000 × 384", ("search_", "batch_search_")),
             ("build", "Building snapshots", ("build_vs_", "build_kv")))
    for name, title, starts in plots:
        chosen = [result for result in results if result["name"].startswith(starts) and result["unit"] != "MiB"]
        if chosen:
            with open(os.path.join(docs, f"benchmarks-{name}.svg"), "w", encoding="utf-8") as file:
                file.write(plot(title, chosen))
    parts = ((COMPOSITE_TABLE, COMPOSITE), (BUILDING_TABLE, BUILDING), (PYTHON_TABLE, PYTHON), (SHARDING_TABLE, SHARDING))
    tables = [(name, [result for result in results if result["name"].startswith(starts)]) for name, starts in parts]
    elsewhere = tuple(start for _, starts in parts for start in starts)
    tables.append((READING_TABLE, [result for result in results if not result["name"].startswith(elsewhere)]))
    for name, chosen in tables:
        if chosen:
            replace_table(os.path.join(docs, "benchmarks.md"), name, chosen)


if __name__ == "__main__":
    main()
