"""One plain loop, optimisers, distribution, checkpoints."""
