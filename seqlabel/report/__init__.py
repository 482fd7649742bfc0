"""Reports of scores as text, JSON and HTML, with signals and posteriors."""

from seqlabel.report.files import read_report, write_report, write_reports
from seqlabel.report.text import report_to_text

__all__ = ["read_report", "report_to_text", "write_report", "write_reports"]
