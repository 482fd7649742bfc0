"""Scores as people read them: text, JSON and HTML, with the evidence behind them."""

from seqlabel.report.files import read_report, write_report, write_reports
from seqlabel.report.text import report_to_text

__all__ = ["read_report", "report_to_text", "write_report", "write_reports"]
