"""Files are written whole or not at all, and read with errors that name them."""

from seqlabel.files.json_files import (
    check_characters,
    parse_object,
    read_json,
    read_jsonl,
    read_jsonl_places,
    write_json,
    write_jsonl,
)
from seqlabel.files.locks import Busy, sole_writer, taking_turns
from seqlabel.files.text import fingerprint, is_file, read_text
from seqlabel.files.writing import keep_apart, whole_file, whole_folder

__all__ = [
    "Busy",
    "check_characters",
    "fingerprint",
    "is_file",
    "keep_apart",
    "parse_object",
    "read_json",
    "read_jsonl",
    "read_jsonl_places",
    "read_text",
    "sole_writer",
    "taking_turns",
    "whole_file",
    "whole_folder",
    "write_json",
    "write_jsonl",
]
