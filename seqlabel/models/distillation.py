"""Distillation: the distributions of a teacher as targets at each frame (Hinton et al. 2015).

    L = (1 - α) L(labels) + α L_KD,    L_KD = Σ_t KL(p_t || y_t)

with p the teacher's distributions, through which no gradient flows, and the derivative y_t - p_t of
L_KD by the logits. A teacher of the student's own shape makes a born-again network (Furlanello et
al. 2018); a teacher whose weights are the moving average of the student's is a mean teacher
(Tarvainen & Valpola 2017).

CTC fixes the order of the labels, not their frames, and networks trained apart place them in
different ones; the student takes over the frames of its teacher. Takashima et al. 2018 ("An
investigation of a knowledge distillation method for CTC acoustic models") compare this sum over
frames with distillation of whole labellings.
"""

from torch import Tensor

from seqlabel.models.consistency import FLOOR, divergence, sum_over_frames


def distillation_losses(targets: Tensor, log_probs: Tensor, lengths: Tensor) -> Tensor:
    """L_KD of B utterances, in nats.

    targets, log_probs: (B, T, N) natural log-probabilities of the teacher and of the student.
    lengths: (B,) frames; those behind have no effect. Returns (B,).
    """
    taught, found = targets.detach().clamp(min=FLOOR), log_probs.clamp(min=FLOOR)
    return sum_over_frames(divergence(taught, found), lengths)
