#!/bin/bash
# `kill -9` at random moments: afterwards every order is in the store or among the dead letters, and nothing is there twice but what was stored and not
# yet committed at a kill.
#   RECORDS=2000000 KILLS=5 SEED=random RATE=all produced before (else orders a second, produced meanwhile)
RECORDS=${RECORDS:-2000000}
KILLS=${KILLS:-5}
RATE=${RATE:-0}
. "$(dirname "$0")/lib.sh"

# What can be on its way at most: three queues, a flush, a batch in each hand. Beside it, what is settled between two commits: the interval, and the
# half second in which the source looks what may be committed.
IN_FLIGHT=$((3 * 8192 + 16384 + 16 * 1024))
BETWEEN_MS=$((commit_ms + 500 + 200))

# Where in the stream the kills fall: one in each of equal stretches, so that the seed alone decides.
moments=()
for ((k = 0; k < KILLS; k++)); do
    share=$((RECORDS * 9 / 10 / KILLS))
    moments+=($((k * share + (RANDOM * 32768 + RANDOM) % share)))
done

prepare
if [ "$RATE" -gt 0 ]; then
    background producer orders "$RECORDS" --rate "$RATE"
else
    orders "$RECORDS" --compression lz4 || fail "could not produce"
fi
config a "instance: chaos-a"
note "kills when $(printf '%s ' "${moments[@]}")rows are stored"

duplicates=0 dead_duplicates=0
for moment in "${moments[@]}"; do
    [ "$RATE" -eq 0 ] || ! has_ended producer || fail "the load had ended before the kill: the run does not count"
    before=$(rows a)
    start a
    wait_until 60 "something stored after the start" at_least $((before + 1)) rows a
    began=$(date +%s%N) first=$(rows a)
    [ "$moment" -gt "$first" ] && wait_until 120 "$moment rows stored" at_least "$moment" rows a
    kill_hard a
    ns=$(($(date +%s%N) - began))
    after=$(rows a) left=$(lag) again=$(replayable a)
    [ "$left" -gt 0 ] || fail "all was committed when the kill came: the run does not count"
    bound=$((IN_FLIGHT + (after - before) * BETWEEN_MS * 1000000 / (ns > 100000000 ? ns : 100000000)))
    note "killed at $after rows, $left not committed, $again of them stored (at most $bound)"
    [ "$again" -le "$bound" ] || fail "more is stored and not committed than can be in flight"
    duplicates=$((duplicates + again))
    dead_duplicates=$((dead_duplicates + again + IN_FLIGHT))
done

if [ "$RATE" -gt 0 ]; then
    wait_exit producer 600
    [ "$status" -eq 0 ] || fail "the producer exited with $status"
fi
start a --exit-at-end
wait_exit a 300
[ "$status" -eq 0 ] || fail "exited with $status"
# A broken order in the stretch that comes again is dead-lettered again: about one in a thousand of it, but how many just there is chance.
judge "$RECORDS" "$duplicates" "$dead_duplicates" a
