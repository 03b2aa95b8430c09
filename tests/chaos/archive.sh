#!/bin/bash
# A window of a topic is archived (killed half-way, and gone on with), the topic deleted, and the archive replayed into a new one: keys, values, headers, timestamps and partitions
# are the same, bit for bit and in their order. The records are of every kind: null, empty, text, bytes; headers twice, without a value; timestamps out of order.
#   RECORDS=3000000 KILL=1 (0: the archive is not interrupted) SEED=random
RECORDS=${RECORDS:-3000000}
KILL=${KILL:-1}
. "$(dirname "$0")/lib.sh"
oddities=$build/tests/chaos/oddities

# The records span 5 hours; the window is from the second to the fourth.
begin=$(($(date +%s) - 6 * 3600))
step_ms=$((5 * 3600 * 1000 * partitions / RECORDS))
from=$((begin + 3600 + RANDOM % 600))
to=$((begin + 3 * 3600 + RANDOM % 600))

rfc3339() {
    date -u -d "@$1" +%Y-%m-%dT%H:%M:%SZ
}

window=(--from "$(rfc3339 "$from")" --to "$(rfc3339 "$to")")
dir=$scratch/archive

exact() { # exact TOPIC [FROM TO]: what it has, by partition, in its order there
    "$read_topic" exact "$broker" "$@" | sort -s -k1,1n
}

archived() { # bytes
    cat "$dir"/*/*.weir 2>/dev/null | wc -c
}

archive() {
    "$weir" archive "$scratch/m.yaml" --dir "$dir" --name one "${window[@]}" --execute "$@" >>"$scratch/archive.log" 2>&1
}

"$oddities" "$broker" "$topic" $partitions "$RECORDS" $((begin * 1000)) "$step_ms" || fail "no records"
config m
exact "$topic" $((from * 1000)) $((to * 1000)) >"$scratch/before"
expected=$(wc -l <"$scratch/before")
[ "$expected" -gt $((RECORDS / 4)) ] || fail "the window has only $expected of $RECORDS records"

if [ "$KILL" != 0 ]; then
    # So slow that it is still at it when it is killed.
    background first "$weir" archive "$scratch/m.yaml" --dir "$dir" --name one "${window[@]}" --execute --rate $((expected / 10))/s
    wait_until 60 "something archived" at_least 1000 archived
    kill_hard first
    note "killed with $(archived) bytes"
fi
archive || fail "the archive"
"$weir" archive --dir "$dir" --verify --json >"$scratch/list" || fail "the archive is damaged"
found=$(python3 -c 'import json, sys; print(sum(json.loads(line)["records"] for line in sys.stdin))' <"$scratch/list")
[ "$found" -eq "$expected" ] || fail "the archive has $found records, not $expected"
# Once more, under no name: all of it is there.
"$weir" archive "$scratch/m.yaml" --dir "$dir" "${window[@]}" --execute --quiet || fail "the archive, again"
"$weir" archive --dir "$dir" --verify --json | cmp - "$scratch/list" || fail "the archive is not the same after archiving again"

note "deleting the topic, of which $expected records are archived"
"$broker_scripts/topic.sh" "$broker" --delete --topic "$topic" || fail "the topic is not deleted"
"$oddities" "$broker" "$topic.small" 2 0 0 1
"$weir" replay "$scratch/m.yaml" --from-archive "$dir" --into-topic "$topic.small" --execute 2>/dev/null && fail "into a topic with too few partitions"
"$weir" replay "$scratch/m.yaml" --from-archive "$dir" --into-topic "$topic" --execute 2>/dev/null && fail "into the service's own topic"
"$oddities" "$broker" "$topic.restored" $partitions 0 0 1
"$weir" replay "$scratch/m.yaml" --from-archive "$dir" --into-topic "$topic.restored" --execute >"$scratch/replay.log" 2>&1 || fail "the replay"
exact "$topic.restored" >"$scratch/after"
cmp "$scratch/before" "$scratch/after" || fail "what came back is not what was archived"
[ "$("$read_topic" count "$broker" "$topic.small")" -eq 0 ] || fail "something was written into a topic with too few partitions"
note "passed: $expected records, the same bit for bit"
