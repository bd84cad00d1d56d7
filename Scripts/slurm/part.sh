#!/bin/sh
# One task of a job array: measures its part of a sweep into a store on this machine's own disk, and copies it to DIRECTORY.
# Usage (by sweep.sh): part.sh DIRECTORY PARTS BITPLAN OPTIONS-OF-SWEEP...
set -eu
directory=$1 parts=$2 bitplan=$3
shift 3
part=${SLURM_ARRAY_TASK_ID:?part.sh: expected to run as a task of a job array, see sweep.sh}
local=$(mktemp -d "${TMPDIR:-/tmp}/bitplan-part.XXXXXX")

# SQLite's locks do not hold on network file systems, so nobody opens a store there: it is copied, whole, under its final name.
keep() {
    [ -f "$local/store" ] || return 0
    "$bitplan" store merge "$local/store" "$local/store" --output "$local/copy" > "$local/merge.log" || return 0
    cp "$local/copy" "$directory/.part.$part.$$" && mv "$directory/.part.$part.$$" "$directory/part.$part"
}
# A task that is ended before its time keeps what it has; one that is killed outright starts again from its last copy.
trap 'kill "$child" 2> /dev/null || true; wait "$child" 2> /dev/null || true; keep; rm -rf "$local"; exit 143' TERM INT
[ ! -f "$directory/part.$part" ] || cp "$directory/part.$part" "$local/store"
"$bitplan" sweep "$@" --shard "$part/$parts" --store "$local/store" &
child=$!
status=0
wait "$child" || status=$?
keep
rm -rf "$local"
[ "$status" -eq 0 ] || exit "$status"
: > "$directory/done.$part"
