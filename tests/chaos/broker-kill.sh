#!/bin/bash
# The broker is killed and restarted under load: weir waits and says so, goes on by itself, and nothing is missing.
#   RECORDS=600000 RATE=20000 KILLS=3
RECORDS=${RECORDS:-600000}
RATE=${RATE:-20000}
KILLS=${KILLS:-3}
NEEDS_OWN_BROKER=1
. "$(dirname "$0")/lib.sh"

prepare
config a "instance: chaos-a"
background producer "$produce" --brokers "$broker" --topic "$topic" --partitions $partitions --records "$RECORDS" --broken "$broken" --rate "$RATE"
start a
wait_until 60 "ready" is_ready a
for ((k = 0; k < KILLS; k++)); do
    before=$(rows a)
    wait_until 60 "rows before the kill" at_least $((before + RATE / 2)) rows a
    ! has_ended producer || fail "the load had ended before the kill: the run does not count"
    kill -KILL "$(cat "$own_broker/broker.pid")"
    wait_until 30 "that it says it is not ready" is_not_ready a
    note "broker killed: $(tr '\n' ' ' <"$scratch/answer")"
    [ "$(http_status a /healthz)" = 200 ] || fail "it was unhealthy: a broker that is away is no reason for a restart"
    "$broker_scripts/start.sh" "$own_broker" || fail "the broker did not come back"
    began=$(date +%s%N) before=$(rows a)
    wait_until 30 "a row after the broker was back" at_least $((before + 1)) rows a
    note "the first row $((($(date +%s%N) - began) / 1000000)) ms after the broker was back"
done
wait_exit producer 600
[ "$status" -eq 0 ] || fail "the producer exited with $status"
wait_until 120 "everything committed" lag_is_zero
wait_until 30 "ready again" is_ready a
note "$(metric a weir_rebalances_total) rebalances, $(metric a weir_restarts_total) restarts"
[ "$(metric a weir_restarts_total)" -eq 0 ] || fail "the pipeline was restarted: a broker that is away is waited for"
stop a
judge "$RECORDS" 0 0 a
