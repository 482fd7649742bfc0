"""Training: methods, optimisers, distribution, checkpoints, the model directory."""
