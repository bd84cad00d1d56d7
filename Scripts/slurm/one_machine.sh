#!/bin/sh
# Runs a command with a Slurm of its own on this machine: munged, slurmctld and slurmd, ended with it. Needs root, and Debian's
# slurmctld, slurmd, slurm-client and munge. For tests.
# Usage: one_machine.sh DIRECTORY COMMAND...
set -eu
directory=$(mkdir -p "$1" && cd "$1" && pwd)
shift
for program in munged slurmctld slurmd sbatch; do
    command -v "$program" > /dev/null || {
        echo "one_machine.sh: $program is missing: expected Debian's slurmctld, slurmd, slurm-client and munge" >&2
        exit 1
    }
done
host=$(hostname -s)
mkdir -p "$directory/state" "$directory/spool"
chmod 700 "$directory"
dd if=/dev/urandom of="$directory/key" bs=128 count=1 2> /dev/null
chmod 400 "$directory/key"
cat > "$directory/slurm.conf" << CONF
ClusterName=one
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=${SLURM_ONE_PORT:-16817}
SlurmdPort=$((${SLURM_ONE_PORT:-16817} + 1))
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket=$directory/munge.socket
CredType=cred/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
ReturnToService=2
SchedulerParameters=sched_interval=1
StateSaveLocation=$directory/state
SlurmdSpoolDir=$directory/spool
SlurmctldPidFile=$directory/slurmctld.pid
SlurmdPidFile=$directory/slurmd.pid
SlurmctldLogFile=$directory/slurmctld.log
SlurmdLogFile=$directory/slurmd.log
JobCompType=jobcomp/none
KillWait=5
NodeName=$host NodeAddr=127.0.0.1 CPUs=$(nproc) State=UNKNOWN
PartitionName=all Nodes=$host Default=YES MaxTime=INFINITE State=UP
CONF
export SLURM_CONF="$directory/slurm.conf"
munged --foreground --force --key-file "$directory/key" --socket "$directory/munge.socket" --pid-file "$directory/munge.pid" \
    --log-file "$directory/munge.log" --seed-file "$directory/munge.seed" > "$directory/munge.out" 2>&1 &
munge=$!
slurmctld -D > "$directory/slurmctld.out" 2>&1 &
control=$!
slurmd -D > "$directory/slurmd.out" 2>&1 &
node=$!
trap 'kill $node $control $munge 2> /dev/null || true; wait' EXIT
for _ in $(seq 100); do
    case $(sinfo -h -o %t 2> /dev/null || true) in
    idle) break ;;
    esac
    sleep 0.2
done
[ "$(sinfo -h -o %t)" = idle ] || {
    echo "one_machine.sh: Slurm did not start; $directory has its logs" >&2
    exit 1
}
"$@"
