#!/usr/bin/env bash
# Training on several machines under Slurm: one torchrun per machine, one process per GPU.
#
#   sbatch --nodes 4 --gpus-per-node 8 scripts/train_slurm.sh CONFIG DATA EXP
#
# The folders must lie on a file system that all machines see. The run takes the same steps whatever
# the number of processes: batches are those of the configuration, shared out. A machine that is
# lost is waited for and training goes on from the last checkpoint (--max-restarts); after the time
# limit, submit the same command again.
#
# Without Slurm, run on every machine, with the name of one of them as the meeting point:
#   torchrun --nnodes 4 --nproc-per-node 8 --rdzv-backend c10d --rdzv-endpoint HOST:29400 \
#       --max-restarts 3 -m seqlabel.cli train CONFIG --data DATA --out EXP --resume
# On CPUs give --nproc-per-node the number of cores divided by the threads of a process.
#
# With --run COMMAND each task runs a command of its own, such as a worker of a search that takes its
# share of an array (recipes/odyssey/run.sh):
#   sbatch --array 0-15 --cpus-per-task 1 scripts/train_slurm.sh --run COMMAND [ARGUMENTS]
#SBATCH --job-name=seqlabel
#SBATCH --ntasks-per-node=1
#SBATCH --signal=TERM@120
set -euo pipefail
if [ "${1-}" = --run ] && [ $# -gt 1 ]; then
    shift
    exec srun "$@"
fi
if [ $# -lt 3 ]; then
    echo "usage: sbatch [OPTIONS] $0 CONFIG DATA EXP [seqlabel train options]" >&2
    exit 2
fi
config=$1 data=$2 exp=$3
shift 3
host=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
srun torchrun \
    --nnodes "$SLURM_JOB_NUM_NODES" \
    --nproc-per-node "${SLURM_GPUS_ON_NODE:-${SLURM_CPUS_ON_NODE:-1}}" \
    --rdzv-id "$SLURM_JOB_ID" \
    --rdzv-backend c10d \
    --rdzv-endpoint "$host:29400" \
    --max-restarts 3 \
    -m seqlabel.cli train "$config" --data "$data" --out "$exp" --resume "$@"
