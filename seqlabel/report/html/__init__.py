"""The parts of the HTML report: page template, style, script, charts and evidence panels."""
