"""Corpora on disk become manifests: readers, the manifest, the synthetic corpora."""
