#!/bin/bash
# The store is blocked for long with far more behind it than memory may hold: memory stays bounded, partitions are paused, the group keeps its member, and
# everything flows when the store is back. The block is another connection's lock on the SQLite database.
#   RECORDS=6500000 (1.15 GB) BLOCK=600 (seconds) MEMORY=64MiB
RECORDS=${RECORDS:-6500000}
BLOCK=${BLOCK:-600}
. "$(dirname "$0")/lib.sh"

FIRST=$((20000 / partitions * partitions))
limit_kib=$(($(numfmt --from=iec-i "${memory%B}") / 1024 + 64 * 1024))
# A block past both time-outs shows that heartbeats and polling go on; Kafka's own are shorter than ten minutes as they are.
[ "$BLOCK" -gt 300 ] || session_ms=6000 poll_ms=7000
[ $((RECORDS * 177 / 1024)) -gt $((2 * limit_kib)) ] || fail "RECORDS is too small to fill the memory: the run would not count"

peak_kib() {
    awk '/^VmHWM:/ {print $2}' "/proc/${pid[a]}/status"
}

prepare
orders $FIRST || fail "could not produce"
config a "instance: chaos-a"
start a
wait_until 60 "the first orders stored" lag_is_zero
lock_store a
blocked_rows=$(rows a) rebalances=$(metric a weir_rebalances_total)
orders $((RECORDS - FIRST)) --first $FIRST || fail "could not produce"

began=$SECONDS paused=0 unready=0 unhealthy=0
while [ $((SECONDS - began)) -lt "$BLOCK" ]; do
    now_paused=$(metric a weir_kafka_partition_paused)
    [ "$now_paused" -le $paused ] || paused=$now_paused
    ! is_not_ready a || unready=1
    [ "$(http_status a /healthz)" = 200 ] || unhealthy=1
    has_ended a && fail "it ended while the store was blocked"
    sleep 0.5
done
peak=$(peak_kib)
note "blocked for $BLOCK s: peak RSS $((peak / 1024)) MiB of at most $((limit_kib / 1024)), $paused partitions paused"
[ "$(rows a)" -eq "$blocked_rows" ] || fail "the store was not blocked: the run does not count"
[ $paused -eq $partitions ] || fail "$paused of $partitions partitions were paused"
[ $unready -eq 1 ] || fail "it was ready all the time with its store blocked"
[ $unhealthy -eq 0 ] || fail "it was unhealthy: a blocked store is no reason for a restart"
[ "$(metric a weir_rebalances_total)" -eq "$rebalances" ] || fail "the group rebalanced while the store was blocked"

unlock_store
wait_until 600 "everything stored after the block" lag_is_zero
[ "$(metric a weir_kafka_partition_paused)" -eq 0 ] || fail "partitions are still paused"
[ "$(metric a weir_rebalances_total)" -eq "$rebalances" ] || fail "the group rebalanced after the block"
peak=$(peak_kib)
[ "$peak" -le $limit_kib ] || fail "peak RSS was $((peak / 1024)) MiB"
stop a
judge "$RECORDS" 0 0 a
