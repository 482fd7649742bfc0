"""Trained models as ONNX files, and reading with them where there is no torch.

`writer` makes the file of a model directory: the encoder (`encoder`, `cells`), the output layer
and, on request, the speech front end (`front_end`) as one graph, built by hand (`graph`).
`description` holds what a file says of itself, `runtime` runs it with onnxruntime; these two need
no torch.
"""
