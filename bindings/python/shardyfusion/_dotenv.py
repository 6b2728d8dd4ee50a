"""Environment files: lines of NAME=VALUE."""

from __future__ import annotations


def parse_dotenv(text: str) -> dict[str, str]:
    """Returns the variables of a file; of a name that stands there twice, the last.

    Blank lines, lines that begin with # and lines without a name or = are passed over, `export ` before a name too; one
    pair of quotes around a value is taken off. Nothing is expanded, and no value goes over several lines.
    """
    variables: dict[str, str] = {}
    for line in text.splitlines():
        line = line.strip()
        if line.startswith("#"):
            continue
        name, equals, value = line.removeprefix("export ").partition("=")
        name, value = name.strip(), value.strip()
        if not equals or not name:
            continue
        if len(value) > 1 and value[0] in "'\"" and value[-1] == value[0]:
            value = value[1:-1]
        variables[name] = value
    return variables
