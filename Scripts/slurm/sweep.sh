#!/bin/sh
# A sweep on a cluster with Slurm: a job array measures the parts, their stores are merged, and the table is written.
# Usage: sweep.sh DIRECTORY PARTS OUTPUT OPTIONS-OF-SWEEP...
#   sweep.sh shared/run 16 table.json MODEL --data dev.src dev.ref --schemes auto
#
# DIRECTORY is one that all machines see: it gets each part's store (part.N), done.N once the part is whole, and logs. Parts that
# failed are submitted again, TRIES times in all (3); the same command later goes on with those that are missing. In the
# environment: BITPLAN, the program (bitplan), and SBATCH_... as sbatch reads them (SBATCH_PARTITION, SBATCH_TIMELIMIT...).
set -eu
[ $# -ge 4 ] || {
    echo "sweep.sh: expected DIRECTORY PARTS OUTPUT OPTIONS-OF-SWEEP..., got $# arguments" >&2
    exit 64
}
directory=$1 parts=$2 output=$3
shift 3
bitplan=${BITPLAN:-bitplan}
here=$(cd "$(dirname "$0")" && pwd)
case $parts in
'' | *[!0-9]* | 0*) echo "sweep.sh: PARTS: expected a number of at least 1, got '$parts'" >&2 && exit 64 ;;
esac
mkdir -p "$directory"
directory=$(cd "$directory" && pwd)

# Parts of another sweep would be taken for this one's.
printf '%s\n' "$parts" "$@" > "$directory/.command.$$"
if [ -f "$directory/command" ] && ! cmp -s "$directory/command" "$directory/.command.$$"; then
    rm "$directory/.command.$$"
    echo "sweep.sh: $directory: has the parts of another sweep; expected an empty directory, or the same command" >&2
    exit 1
fi
mv "$directory/.command.$$" "$directory/command"

missing() {
    part=1 list=
    while [ "$part" -le "$parts" ]; do
        [ -f "$directory/done.$part" ] || list=$list${list:+,}$part
        part=$((part + 1))
    done
    echo "$list"
}

try=1
while left=$(missing) && [ -n "$left" ]; do
    [ "$try" -le "${TRIES:-3}" ] || {
        echo "sweep.sh: parts $left failed $((try - 1)) times; $directory/log.N.txt say why" >&2
        exit 1
    }
    echo "try $try: parts $left of $parts"
    sbatch --wait --array="$left" --job-name=bitplan-sweep --output="$directory/log.%a.txt" --open-mode=append \
        "$here/part.sh" "$directory" "$parts" "$bitplan" "$@" || true
    try=$((try + 1))
done

# Merged on a disk of this machine.
local=$(mktemp -d "${TMPDIR:-/tmp}/bitplan-sweep.XXXXXX")
trap 'rm -rf "$local"' EXIT
part=1
while [ "$part" -le "$parts" ]; do
    cp "$directory/part.$part" "$local/part.$part"
    part=$((part + 1))
done
mv "$local/part.1" "$local/store"
[ "$parts" -eq 1 ] || "$bitplan" store merge "$local/store" "$local"/part.*
"$bitplan" sweep "$@" --store "$local/store" --output "$output"
cp "$local/store" "$directory/store"
