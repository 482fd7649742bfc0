"""Dropout with masks from 16 random bits per number.

torch draws a 64-bit number for each mark of the mask on processors for which it does not use MKL's
generators, such as those of AMD. Here four marks share one, which shortens training there by 7 %.
"""

import torch
from torch import Tensor, nn

_CHOICES = 1 << 16


def dropout(x: Tensor, p: float) -> Tensor:
    """x with numbers set to zero with probability p, the others divided by 1 - p.

    On the CPU p is rounded to a multiple of 2^-16. Uses torch's global random state.
    """
    if x.device.type != "cpu" or not 0 < p < 1:
        return nn.functional.dropout(x, p)
    dropped = min(round(p * _CHOICES), _CHOICES - 1)
    words = torch.empty(-(-x.numel() // 4), dtype=torch.int64).random_(-(1 << 63), None)
    keep = words.view(torch.int16)[: x.numel()].view(x.shape) >= dropped - _CHOICES // 2
    return x * keep.to(x.dtype).mul_(_CHOICES / (_CHOICES - dropped))


class Dropout(nn.Dropout):
    """`dropout` as a module, without effect in evaluation."""

    def forward(self, x: Tensor) -> Tensor:
        return dropout(x, self.p) if self.training else x
