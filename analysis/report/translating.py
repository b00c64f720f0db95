"""The catalogues of the report, brought up to date with what it says.

``python -m analysis.report.translating`` takes every message of the code, of the templates and of
the hypotheses' titles into ``locale/*/LC_MESSAGES/report.po``; ``--check`` says what is missing
and changes nothing. A message that changed is another message: it is said in English until
somebody has translated it, since a guess by likeness may say the opposite.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from babel.messages import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

from analysis.regime.query import hypotheses
from analysis.report.words import DOMAIN
from probe.i18n import LANGUAGES

HERE = Path(__file__).parent
COUNTRY = "belarus"
METHODS = [("**.py", "python"), ("templates/**.jinja", "jinja2")]
PLACE = "locale/{}/LC_MESSAGES/" + f"{DOMAIN}.po"


def messages() -> Catalog:
    """Every message that the report may say, with where it stands."""
    catalog = Catalog(project="zond report", charset="utf-8")
    found = extract_from_dir(HERE, METHODS, options_map={"**.jinja": {"trimmed": "false"}})
    for file, _line, message, comments, context in sorted(found, key=lambda f: (f[0], f[1])):
        catalog.add(message, locations=[(file, 0)], auto_comments=comments, context=context)
    for hypothesis in hypotheses(COUNTRY):
        catalog.add(hypothesis.title, locations=[(f"hypotheses/{hypothesis.id}", 0)])
    return catalog


def updated(language: str, template: Catalog) -> str:
    """The catalogue of *language* as it is to be: what is known of *template*, in its order."""
    path = HERE / PLACE.format(language)
    catalog = Catalog(language, project="zond report", charset="utf-8", fuzzy=False)
    known = read_po(io.BytesIO(path.read_bytes() if path.exists() else b""), locale=language)
    for message in template:
        if message.id:
            before = known.get(message.id)
            catalog.add(message.id, before.string if before else None, message.locations)
    written = io.BytesIO()
    write_po(written, catalog, width=100, omit_header=True, include_lineno=False)
    return f"{_header(catalog)}\n{written.getvalue().decode()}"


def _header(catalog: Catalog) -> str:
    """Of the header only what gettext reads; the rest would differ by the clock."""
    kept = ("Language", "MIME-Version", "Content-Type", "Content-Transfer-Encoding", "Plural-Forms")
    lines = [f'"{name}: {value}\\n"' for name, value in catalog.mime_headers if name in kept]
    return "\n".join(['msgid ""', 'msgstr ""', *lines, ""])


def unsaid(text: str, language: str) -> Iterator[str]:
    """The messages in the catalogue *text* that have no translation."""
    for message in read_po(io.BytesIO(text.encode()), locale=language):
        said = message.string if isinstance(message.string, tuple) else (message.string,)
        if message.id and (message.fuzzy or not all(said)):
            yield message.id if isinstance(message.id, str) else message.id[0]


def main(arguments: Sequence[str]) -> int:
    check, wrong = "--check" in arguments, 0
    template = messages()
    for language in (code for code in LANGUAGES if code != "en"):
        path, text = HERE / PLACE.format(language), updated(language, template)
        if not check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
        elif not path.exists() or path.read_text("utf-8") != text:
            wrong += 1
            print(f"{path.name}, {language}: run python -m analysis.report.translating",
                  file=sys.stderr)  # fmt: skip
        for message in unsaid(text, language):
            wrong += 1
            print(f"{language}: not translated: {message}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
