"""The file formats of digital ink."""
