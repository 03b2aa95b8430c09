#!/bin/bash
# `delivery: exactly_once`: a member is stopped (SIGSTOP) under load, for longer than its session; another one takes its partitions over and stores all of the rest. Woken up again, the zombie
# stores nothing of what it still holds.
#   STORE=postgres|file|kafka RECORDS=300000 (a stopped writer of SQLite may hold the lock that all others wait for)
RECORDS=${RECORDS:-300000}
. "$(dirname "$0")/lib.sh"
. "$here/stores.sh"
delivery=exactly_once
session_ms=6000

prepare
make_store
orders "$RECORDS" --compression lz4 || fail "could not produce"
config zombie
config heir
start zombie
wait_until 60 "something stored" at_least $((RECORDS / 10)) stored
kill -STOP "${pid[zombie]}"
before=$(stored)
[ "$(lag)" -gt 0 ] || fail "all was committed when it was stopped: the run does not count"
note "stopped at about $before stored"
start heir
wait_until 120 "everything committed by the heir" lag_is_zero
dump_store
mv "$scratch/store.tsv" "$scratch/before.tsv"
kill -CONT "${pid[zombie]}"
wait_until 60 "the zombie back in the group" at_least 2 metric zombie weir_rebalances_total
wait_until 60 "the zombie ready" is_ready zombie
dump_store
# Of a topic one sees nothing behind the zombie's open transaction, of files nothing that is not finished: there the oracle alone decides.
[ "$STORE" != postgres ] || cmp -s "$scratch/before.tsv" "$scratch/store.tsv" || fail "the zombie has written"
stop zombie
stop heir
dump_store
judge "$RECORDS" 0 "$RECORDS" "$scratch/store.tsv"
