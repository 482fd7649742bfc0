"""The common interface of encoders."""

from torch import Tensor, nn


class FrameEncoder(nn.Module):
    """Frames (B, T, F) -> outputs (B, T', E) with E = `output_size`, T' = ceil(T / reduction).

    reduction: frames that become one output.
    """

    output_size: int

    def __init__(self, reduction: int) -> None:
        super().__init__()
        self.reduction = reduction

    def output_lengths(self, lengths: Tensor) -> Tensor:
        """T' of sequences of (B,) `lengths` frames."""
        return -(-lengths // self.reduction)

    def forward(
        self,
        x: Tensor,
        lengths: Tensor,
        elapsed: Tensor | None = None,
        heights: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """x (B, T, F) and lengths (B,) -> outputs (B, T', E), lengths' (B,).

        Padding changes no output. elapsed: (B, T) seconds since the previous frame, if
        `ModelOptions.timed`. heights: of images (B,), F if None.
        """
        raise NotImplementedError
