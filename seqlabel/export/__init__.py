"""Trained models as ONNX files, and their use without torch.

`writer` makes the file of a model directory: the encoder (`encoder`, `cells`), the output layer
and, on request, the speech front end (`front_end`) as one graph, built by hand (`graph`).
`description` has the metadata of a file, `runtime` runs it with onnxruntime; these two need no
torch.
"""
