#!/bin/bash
# `weir replay`: a window of time out of a topic whose timestamps span hours and are out of order, while a live group consumes it. The rows are exactly
# those of the window, also after kill -9 half way; the live group's offsets and rate are unharmed; into an upsert store twice is as once.
#   RECORDS=3000000 SPAN=6 (hours) WINDOW=10 (minutes) RATE=RECORDS/200 (of what is produced meanwhile) JITTER=20 (seconds) SEED=random
RECORDS=${RECORDS:-3000000}
SPAN=${SPAN:-6}
WINDOW=${WINDOW:-10}
RATE=${RATE:-$((RECORDS / 200))}
JITTER=${JITTER:-20}
. "$(dirname "$0")/lib.sh"

# Order N is of begin_ms + N * every_us / 1000 - (N * 7919 mod jitter): tests/bench/produce.c. Most of them are there before anything is replayed.
begin_ms=$(($(date +%s) * 1000 - SPAN * 3600000))
every_us=$((SPAN * 3600000000 / RECORDS))
before=$((RECORDS * 9 / 10))
# The window begins somewhere in the first half, on no round number.
from_ms=$((begin_ms + (SPAN * 3600000 * (20 + RANDOM % 30) / 100) + RANDOM % 1000))
to_ms=$((from_ms + WINDOW * 60000))

iso() { # iso MS
    date -u -d "@$(($1 / 1000)).$(printf '%03d' $(($1 % 1000)))" +%Y-%m-%dT%H:%M:%S.%3NZ
}

produced() { # produced FIRST COUNT [OPTION...]
    local first=$1 count=$2
    shift 2
    orders "$count" --first "$first" --begin "$begin_ms" --every "$every_us" --jitter $((JITTER * 1000)) "$@"
}

# replay_config NAME [SED...]: a config as the live service's, into a database and with dead letters of its own.
replay_config() {
    local what=$1
    shift
    config "$what"
    sed -i -e "s|topic: $topic.dlq|topic: $topic.$what.dlq|" "$@" "$scratch/$what.yaml"
    "$produce" --brokers "$broker" --topic "$topic.$what.dlq" --partitions 1 --records 0 >/dev/null || fail "no topic for dead letters"
}

window=(--from "$(iso $from_ms)" --to "$(iso $to_ms)")
replay() { # replay NAME [OPTION...]
    local what=$1
    shift
    "$weir" replay "$scratch/$what.yaml" "${window[@]}" --receipt "$scratch/$what.receipt" "$@"
}

stored_orders() { # stored_orders NAME: how many rows, and how many different orders
    sqlite3 -readonly -separator ' ' "$scratch/$1.db" 'SELECT count(*), count(DISTINCT order_id) FROM orders'
}

# compare NAME ROWS: the orders in its database are those of the window, each of them, and there are so many rows ("": as many as there must be).
compare() {
    local rows distinct
    sqlite3 -readonly "$scratch/$1.db" 'SELECT DISTINCT order_id FROM orders ORDER BY 1' >"$scratch/$1.ids"
    cmp -s "$scratch/expected.ids" "$scratch/$1.ids" ||
        fail "$1: not the orders of the window: $(diff "$scratch/expected.ids" "$scratch/$1.ids" | grep -c '^<') are missing, $(diff "$scratch/expected.ids" "$scratch/$1.ids" | grep -c '^>') are too much"
    read -r rows distinct < <(stored_orders "$1")
    [ -z "${2:-}" ] || [ "$rows" -eq "$2" ] || fail "$1: $rows rows of $distinct orders, expected $2 rows"
    note "$1: $rows rows of $distinct orders, exactly those of the window"
}

committed() { # of the live group, over all partitions
    "$read_topic" offsets "$broker" "$topic" "$group" | awk '{n += $3 < 0 ? 0 : $3} END {print n + 0}'
}

# live_rate SECONDS: while it is produced, what the live group commits a second.
live_rate() {
    local first second began ended
    first=$(committed) began=$(date +%s%N)
    sleep "$1"
    second=$(committed) ended=$(date +%s%N)
    ! has_ended producer || fail "the load had ended: the rate does not count"
    [ "$second" -ge "$first" ] || fail "the live group's offsets went back: $first, then $second"
    echo $(((second - first) * 1000000000 / (ended - began)))
}

prepare
config live
replay_config once
replay_config killed
replay_config exact -e 's/^delivery: .*/delivery: exactly_once/'
replay_config upsert -e 's/^        table: orders$/        table: orders\n        mode: upsert\n        key: [order_id]/'
produced 0 "$before" || fail "the producer failed"

# What must come out: those in the window that are no broken JSON.
"$produce" --records "$before" --broken "$broken" --begin "$begin_ms" --every "$every_us" --jitter $((JITTER * 1000)) \
    --list-from "$from_ms" --list-to "$to_ms" >"$scratch/window" || fail "no list of what is in the window"
sed -n 's/ good$//p' "$scratch/window" | sort >"$scratch/expected.ids"
sed -n 's/ broken$//p' "$scratch/window" >"$scratch/broken.ids"
expected=$(wc -l <"$scratch/expected.ids") letters=$(wc -l <"$scratch/broken.ids")
[ "$expected" -gt 0 ] || fail "the window is empty"
note "the window ${window[*]} has $expected good orders and $letters broken ones"

start live
wait_until 120 "the live group at the end of what is there" lag_is_zero
background producer produced "$before" $((RECORDS - before)) --rate "$RATE"
wait_until 60 "the live group to move" at_least $((before + RATE)) committed
live_rate 3 >"$scratch/alone" || exit 1

# The plan alone does nothing.
replay once --json >"$scratch/plan.json" || fail "no plan"
[ ! -e "$scratch/once.db" ] || fail "the plan has made a database"
python3 - "$scratch/plan.json" "$((expected + letters))" <<'END' || fail "the plan is wrong: $(cat "$scratch/plan.json")"
import json, sys
plan, window = json.load(open(sys.argv[1])), int(sys.argv[2])
# More than are in the window, as they lie out of order; by a minute at each partition's end at most, when nothing else is known.
sys.exit(0 if plan["records"] >= window and not plan["execute"] and len(plan["partitions"]) == 6 else 1)
END

# As fast as it goes, with all that is there.
background everything replay once --from beginning --to now --dry-run-store --execute
live_rate 3 >"$scratch/beside" || exit 1
wait_exit everything 300
[ "$status" -eq 0 ] || fail "the dry run exited with $status"
[ ! -e "$scratch/once.db" ] || fail "the dry run has made a database"
[ "$(receipt once stored)" -ge "$((before - before / 900))" ] || fail "the dry run would store $(receipt once stored) only"

# In one go.
replay once --execute --quiet >>"$scratch/once.log" 2>&1 || fail "the replay exited with $?"
compare once "$expected"
[ "$(receipt once dead_lettered)" -eq "$letters" ] || fail "$(receipt once dead_lettered) dead letters, expected $letters"
[ "$(receipt once finished)" = True ] || fail "the receipt does not say that it is finished"

# kill -9 half way: slowly enough to be met.
slow=$((expected / 6 + 1))
for name_of in killed exact; do
    background $name_of "$weir" replay "$scratch/$name_of.yaml" "${window[@]}" --name $name_of --execute --rate "$slow/s"
    wait_until 60 "half of $name_of" at_least $((expected / 2)) rows $name_of
    kill_hard $name_of
    has=$(rows $name_of)
    [ "$has" -lt "$expected" ] || fail "$name_of: all was stored before the kill"
    note "$name_of: killed at $has rows"
    replay $name_of --name $name_of >"$scratch/$name_of.plan" || fail "no plan to go on"
    grep -q 'it goes on' "$scratch/$name_of.plan" || fail "$name_of: the plan does not say that it goes on: $(cat "$scratch/$name_of.plan")"
    replay $name_of --name $name_of --execute --quiet >>"$scratch/$name_of.log" 2>&1 || fail "$name_of: going on, it exited with $?"
    [ "$(receipt $name_of consumed)" -lt $((expected + letters)) ] || fail "$name_of: it began from the start"
done
compare killed
compare exact "$expected"
replay killed --name killed --execute >"$scratch/killed.plan" 2>&1 || fail "a finished replay exits with $?"
grep -q 'is finished' "$scratch/killed.plan" || fail "a finished replay does not say so: $(cat "$scratch/killed.plan")"

# Twice is as once.
for again in 1 2; do
    replay upsert --execute --quiet >>"$scratch/upsert.log" 2>&1 || fail "the replay exited with $?"
    sqlite3 -readonly "$scratch/upsert.db" 'SELECT * FROM orders ORDER BY order_id' >"$scratch/upsert.$again"
done
cmp -s "$scratch/upsert.1" "$scratch/upsert.2" || fail "the second replay into an upsert store changed it"
compare upsert "$expected"

# The live group: as fast as it was, and at the end it has each order once.
wait_exit producer 600
[ "$status" -eq 0 ] || fail "the producer exited with $status"
wait_until 180 "everything committed" lag_is_zero
note "the live group committed $(cat "$scratch/alone") a second alone, $(cat "$scratch/beside") beside a replay, of $RATE that were produced"
[ "$(cat "$scratch/beside")" -ge $((RATE * 7 / 10)) ] || fail "the live group was slowed down"
[ "$(metric live weir_restarts_total)" -eq 0 ] || fail "the live service restarted its pipeline"
stop live
judge "$RECORDS" 0 0 live
