#!/bin/bash
# Static membership: with `instance` a killed and restarted process stores its first record within 3 s of its start. The control: without it, the dead
# member's session must time out first.
#   RECORDS=500000 CONTROL=1
RECORDS=${RECORDS:-500000}
CONTROL=${CONTROL:-1}
. "$(dirname "$0")/lib.sh"
RECORDS=$((RECORDS / partitions * partitions))
# The least that Kafka's brokers allow by default: so long the control waits.
session_ms=6000

# restart [LINE]: kills it under way, starts it again, and sets $ms to the time from the start to the first row.
restart() {
    local before began
    topic=$name-$$-$#${1:+i} group=$name-$$-$#
    rm -f "$scratch"/*.db*
    prepare
    orders "$RECORDS" || fail "could not produce"
    config a "$@"
    start a
    wait_until 60 "the first rows" at_least 1 rows a
    kill_hard a
    [ "$(lag)" -gt 0 ] || fail "all was committed when the kill came: the run does not count"
    before=$(rows a)
    began=$(date +%s%N)
    start a
    wait_until 60 "a row after the restart" at_least $((before + 1)) rows a
    ms=$((($(date +%s%N) - began) / 1000000))
    wait_until 120 "everything committed" lag_is_zero
    stop a
    judge "$RECORDS" "$RECORDS" "$RECORDS" a
}

if [ "$CONTROL" -eq 1 ]; then
    restart
    note "without instance: the first row $ms ms after the restart"
    [ $ms -gt 3000 ] || fail "the control was quick as well: the run does not count"
fi
restart "instance: chaos-a"
note "with instance: the first row $ms ms after the restart"
[ $ms -le 3000 ] || fail "more than 3 s"
