"""Options of the recurrence and its gradient."""

from dataclasses import dataclass

from seqlabel.errors import InputError


@dataclass(frozen=True)
class Recurrence:
    """Two kinds of truncated backpropagation through time.

    `truncate` is the rule of 1997: error leaves gates and cell inputs towards the input of their
    own frame only, not through the recurrent source, the peepholes or the gates of the frame
    before; only the constant error carousel carries it back. `tbptt` = k > 0 cuts the gradient
    (and no value) wherever k consecutive frames end, counted from the first frame, in both
    directions: with the state carried from call to call this is truncated BPTT over k frames.
    """

    truncate: bool = False
    tbptt: int = 0

    def __post_init__(self) -> None:
        if self.tbptt < 0:
            raise InputError(f"tbptt={self.tbptt} frames: must be positive, or 0 for full BPTT")

    def cuts(self, t: int, backwards: bool) -> bool:
        """Whether no gradient passes between frame t and the frame computed just before it.

        The cuts lie at fixed frames, so they do not depend on the batch a sequence is in.
        """
        boundary = t + 1 if backwards else t
        return self.tbptt > 0 and boundary > 0 and boundary % self.tbptt == 0
