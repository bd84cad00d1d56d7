#!/bin/sh
# A sweep, or planning in context, on a cluster with Slurm: job arrays measure the parts, their stores are merged, and the table or plan
# is written.
# Usage: parts.sh DIRECTORY PARTS OUTPUT COMMAND OPTIONS-OF-COMMAND...
#   parts.sh shared/sweep 16 table.json sweep MODEL --data dev.src dev.ref --schemes auto
#   parts.sh shared/plan 16 plan.json plan table.json --size 20MB --model MODEL --data dev.src dev.ref
#
# DIRECTORY is one that all machines see: it gets each part's store (part.N), done.N once the part is whole, the merged store, and logs.
# A sweep is one job array, planning one a round: until the parts say that the merged store has all that the plan needs. Parts that
# failed are submitted again, TRIES times in all (3); the same command later goes on with those that are missing. In the
# environment: BITPLAN, the program (bitplan), and SBATCH_... as sbatch reads them (SBATCH_PARTITION, SBATCH_TIMELIMIT...).
set -eu
[ $# -ge 5 ] || {
    echo "parts.sh: expected DIRECTORY PARTS OUTPUT COMMAND OPTIONS-OF-COMMAND..., got $# arguments" >&2
    exit 64
}
directory=$1 parts=$2 output=$3 command=$4
shift 4
bitplan=${BITPLAN:-bitplan}
here=$(cd "$(dirname "$0")" && pwd)
case $parts in
'' | *[!0-9]* | 0*) echo "parts.sh: PARTS: expected a number of at least 1, got '$parts'" >&2 && exit 64 ;;
esac
case $command in
sweep | plan) ;;
*) echo "parts.sh: COMMAND: expected sweep or plan, got '$command'" >&2 && exit 64 ;;
esac
mkdir -p "$directory"
directory=$(cd "$directory" && pwd)

# Parts of another command would be taken for this one's.
printf '%s\n' "$parts" "$command" "$@" > "$directory/.command.$$"
if [ -f "$directory/command" ] && ! cmp -s "$directory/command" "$directory/.command.$$"; then
    rm "$directory/.command.$$"
    echo "parts.sh: $directory: has the parts of another command; expected an empty directory, or the same command" >&2
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

measure() {
    try=1
    while left=$(missing) && [ -n "$left" ]; do
        [ "$try" -le "${TRIES:-3}" ] || {
            echo "parts.sh: parts $left failed $((try - 1)) times; $directory/log.N.txt say why" >&2
            exit 1
        }
        echo "try $try: parts $left of $parts"
        sbatch --wait --array="$left" --job-name="bitplan-$command" --output="$directory/log.%a.txt" --open-mode=append \
            "$here/part.sh" "$directory" "$parts" "$bitplan" "$command" "$@" || true
        try=$((try + 1))
    done
}

# On a disk of this machine; what was merged before is merged again with the parts.
local=$(mktemp -d "${TMPDIR:-/tmp}/bitplan-parts.XXXXXX")
trap 'rm -rf "$local"' EXIT
merge() {
    rm -f "$local"/*
    [ ! -f "$directory/store" ] || cp "$directory/store" "$local/before"
    part=1
    while [ "$part" -le "$parts" ]; do
        [ ! -f "$directory/part.$part" ] || cp "$directory/part.$part" "$local/part.$part"
        part=$((part + 1))
    done
    # The first twice: a merge takes two.
    set -- "$local"/*
    "$bitplan" store merge "$@" "$1" --output "$local/store"
    cp "$local/store" "$directory/.store.$$" && mv "$directory/.store.$$" "$directory/store"
}

round=1
while :; do
    measure "$@"
    merge
    # Planning asks for more until a part has found all that it needs; a sweep's parts say nothing of that.
    grep -q '"isComplete" *: *true' "$directory"/done.* && break
    grep -q '"isComplete"' "$directory"/done.* || break
    echo "round $round is merged"
    round=$((round + 1))
    rm -f "$directory"/done.* "$directory"/part.*
done
"$bitplan" "$command" "$@" --store "$local/store" --output "$output"
cp "$local/store" "$directory/.store.$$" && mv "$directory/.store.$$" "$directory/store"
