#!/bin/sh
# One task of a job array: measures its part into a store on this machine's own disk, and copies it to DIRECTORY.
# Usage (by parts.sh): part.sh DIRECTORY PARTS BITPLAN COMMAND OPTIONS-OF-COMMAND...
set -eu
directory=$1 parts=$2 bitplan=$3 command=$4
shift 4
part=${SLURM_ARRAY_TASK_ID:?part.sh: expected to run as a task of a job array, see parts.sh}
local=$(mktemp -d "${TMPDIR:-/tmp}/bitplan-part.XXXXXX")

# SQLite's locks do not hold on network file systems, so nobody opens a store there: it is copied, whole, under its final name.
keep() {
    [ -f "$local/store" ] || return 0
    "$bitplan" store merge "$local/store" "$local/store" --output "$local/copy" > "$local/merge.log" || return 0
    cp "$local/copy" "$directory/.part.$part.$$" && mv "$directory/.part.$part.$$" "$directory/part.$part"
}
# A task that is ended before its time keeps what it has; one that is killed outright starts again from its last copy, or from what
# was merged before it.
trap 'kill "$child" 2> /dev/null || true; wait "$child" 2> /dev/null || true; keep; rm -rf "$local"; exit 143' TERM INT
for start in "$directory/store" "$directory/part.$part"; do
    [ ! -f "$start" ] || cp "$start" "$local/store"
done
"$bitplan" "$command" "$@" --shard "$part/$parts" --store "$local/store" --json > "$local/said" &
child=$!
status=0
wait "$child" || status=$?
keep
[ "$status" -ne 0 ] || { cp "$local/said" "$directory/.done.$part" && mv "$directory/.done.$part" "$directory/done.$part"; }
rm -rf "$local"
exit "$status"
