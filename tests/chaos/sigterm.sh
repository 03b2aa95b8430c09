#!/bin/bash
# Signals: the first drains (exit 0, nothing twice afterwards), a drain that does not finish within `shutdown` exits with 75, a second signal ends it at once.
#   RECORDS=1000000
RECORDS=${RECORDS:-1000000}
. "$(dirname "$0")/lib.sh"


# end MEMBER SECONDS STATUS: how it must end, and how soon.
end() {
    local began=$(date +%s%N)
    wait_exit "$1" "$2"
    ms=$((($(date +%s%N) - began) / 1000000))
    [ $status -eq "$3" ] || fail "exited with $status instead of $3"
    left=$(lag) abandoned=$(receipt "$1" abandoned)
    note "exit status $status after $ms ms, $abandoned abandoned, $left left in the topic"
    [ "$left" -gt 0 ] || fail "everything was done already: the run does not count"
}

start_blocked() {
    lock_store a
    start a
    wait_until 60 "records in flight" at_least 1 metric a weir_records_in_flight
}

prepare
orders "$RECORDS" || fail "could not produce"

note "a signal under load"
config a "instance: chaos-a"
start a
wait_until 60 "rows" at_least $((RECORDS / 100 + RANDOM % (RECORDS / 4))) rows a
kill -TERM "${pid[a]}"
end a 30 0
[ "$abandoned" -eq 0 ] || fail "it exited with 0 and abandoned records"
[ "$(receipt a consumed)" -eq $(($(receipt a stored) + $(receipt a dead_lettered))) ] || fail "consumed is not stored and dead-lettered"
[ "$(replayable a)" -eq 0 ] || fail "records are stored and not committed after a clean end"

note "a drain that cannot finish within shutdown"
shutdown=3s
config a "instance: chaos-a"
start_blocked
kill -TERM "${pid[a]}"
end a 15 75
[ $ms -ge 2500 ] || fail "it did not wait for the store until the deadline"
[ $ms -le 8000 ] || fail "it took long after its deadline"
[ "$abandoned" -gt 0 ] || fail "nothing was abandoned: the run does not count"
unlock_store

note "a second signal"
shutdown=60s
config a "instance: chaos-a"
start_blocked
kill -TERM "${pid[a]}"
wait_until 10 "that it says it is not ready" is_not_ready a
sleep 1
! has_ended a || fail "the first signal ended it with its store blocked"
kill -TERM "${pid[a]}"
end a 10 75
[ $ms -le 5000 ] || fail "the second signal did not end it at once"
unlock_store

shutdown=30s
config a "instance: chaos-a"
start a --exit-at-end
wait_exit a 300
[ "$status" -eq 0 ] || fail "exited with $status"
# What was dead-lettered while the store was blocked could not be committed, and came again.
judge "$RECORDS" 0 "$RECORDS" a
