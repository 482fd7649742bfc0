"""The page of configuration keys is that of the code; `seqlabel keys` prints its sections."""

import importlib.util
import re
from pathlib import Path

from seqlabel.cli import main
from seqlabel.cli.key_sections import sections
from seqlabel.corpora import CORPORA

DOCS = Path(__file__).parents[2] / "docs"


def test_the_page_of_keys_is_up_to_date():
    spec = importlib.util.spec_from_file_location("generate", DOCS / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    generate = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generate)
    page = "\n".join(generate.configuration()).rstrip() + "\n"
    found = (DOCS / "reference" / "configuration.md").read_text("utf-8")
    assert found == page, "run: python docs/generate.py docs/reference"


def test_every_option_is_explained():
    """By its name in the docstring of its table."""
    for section in sections():
        missing = [key for key, *_ in section.keys if not re.search(rf"\b{key}\b", section.text)]
        assert not missing, (section.name, missing)
    assert {f"prepare.{name}" for name in CORPORA} <= {section.name for section in sections()}


def test_keys_are_found_by_table_and_by_name(capsys):
    assert main(["keys"]) == 0
    listed = capsys.readouterr().out
    assert "features.fbank  " in listed
    assert main(["keys", "prepare.folder", "patience"]) == 0
    told = capsys.readouterr().out
    assert "skip_bad: leave out unusable files" in told
    assert '  by             "any"  ("any", "speaker", "utterance")\n' in told
    assert "[[phases]] with method" in told
    assert main(["keys", "patiense"]) == 2
    assert "did you mean 'patience'" in capsys.readouterr().err
