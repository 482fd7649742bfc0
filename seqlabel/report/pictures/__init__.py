"""Pictures of signals and features as SVG or PNG."""
