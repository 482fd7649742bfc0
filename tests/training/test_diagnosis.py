"""What a person is told when training goes wrong."""

import pytest
import torch

from seqlabel.data import Batch
from seqlabel.errors import InputError
from seqlabel.training.checkpoint import Progress
from seqlabel.training.diagnosis import explain_blanks, skip_update


@pytest.mark.parametrize(
    ("labels_per_frame", "epoch", "said"),
    [
        (0.0, 1, "blanks only so far"),
        (0.003, 9, "hardly anything but blanks so far"),
        (0.0, 10, "still blanks only: try a higher learning_rate"),
        (0.003, 10, "still hardly anything but blanks"),
        (0.006, 1, ""),
    ],
)
def test_blanks(labels_per_frame, epoch, said):
    remark = explain_blanks(labels_per_frame, epoch)
    assert remark.startswith(said)
    assert bool(remark) == bool(said)


def batch(*ids: str) -> Batch:
    empty = torch.zeros(len(ids), 1, dtype=torch.int64)
    return Batch(empty[:, :, None].float(), empty[:, 0], empty, empty[:, 0], ids)


def test_the_utterances_at_fault_are_named_and_counted(caplog):
    progress = Progress()
    skip_update(progress, ["b"], [batch("a", "b")], 1.0, limit=3)
    assert "loss is not finite in b" in caplog.text
    skip_update(progress, [], [batch("a"), batch("c", "d", "e", "f", "g")], float("inf"), limit=3)
    assert "gradient (norm inf) is not finite in a, c, d, e, f and 1 more" in caplog.text
    assert (progress.skipped, progress.skipped_in_row) == (2, 2)


@pytest.mark.parametrize(
    ("culprits", "advice"), [(["a"], "seqlabel check"), ([], "lower learning_rate")]
)
def test_many_in_a_row_end_the_run_with_advice(culprits, advice):
    progress = Progress()
    skip_update(progress, culprits, [batch("a")], float("nan"), limit=2)
    with pytest.raises(InputError, match=f"2 updates in a row were not finite.*{advice}"):
        skip_update(progress, culprits, [batch("a")], float("nan"), limit=2)
