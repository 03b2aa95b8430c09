#!/bin/bash
# Dead letters redriven: a table that lacks customers makes a hundredth of the orders dead letters. The table is mended but for a few, the redrive is killed
# half-way and goes on, what fails again is redriven again, and in the end every order is stored, none twice in an upsert store. The live group is left alone.
#   RECORDS=500000 (of them 5,000 become dead letters) SEED=random
RECORDS=${RECORDS:-500000}
BROKEN=0
. "$(dirname "$0")/lib.sh"

store_yaml() {
    cat <<END
      sqlite:
        path: $scratch/$1.db
        table: orders
        mode: upsert
        key: [order_id]
        columns: {order_id: .order_id, customer_id: .customer_id, tier: .tier, total: .total, partition: "{{partition}}", offset: "{{offset}}"}
END
}

# table LACKS: the customers, but for those whose number (of 100000) is under LACKS.
table() {
    awk -F, -v lacks="$1" 'NR == 1 || substr($1, 3) + 0 >= lacks' "$scratch/all.csv" >"$scratch/customers.csv"
}

redrive() { # redrive [OPTION...]: to its end
    "$weir" dlq redrive "$scratch/m.yaml" --execute --receipt "$scratch/redrive.receipt" "$@" >>"$scratch/redrive.log" 2>&1 ||
        fail "weir dlq redrive exited with $?"
}

field() { # field NAME: of the latest redrive's receipt
    receipt redrive "$1"
}

letters() {
    "$weir" dlq list "$scratch/m.yaml" --json | python3 -c 'import json, sys; print(json.load(sys.stdin)["letters"])'
}

expect() { # expect WHAT FOUND EXPECTED
    [ "$2" -eq "$3" ] || fail "$1: $2, not $3"
    note "$1: $2"
}

count() {
    sqlite3 -readonly "$scratch/m.db" "$1"
}

prepare
"$produce" --brokers "$broker" --topic "$topic.none" --partitions 1 --records 0 >/dev/null || fail "no topic"
mv "$scratch/customers.csv" "$scratch/all.csv"
orders "$RECORDS" || fail "no orders"
table 1000
config m
sed -i 's/fields: \[tier\]}/fields: [tier], on_missing: reject}/' "$scratch/m.yaml"
start m --exit-at-end
wait_exit m 300
[ $status -eq 0 ] || fail "weir exited with $status"
dead=$(receipt m dead_lettered)
[ "$dead" -gt 0 ] || fail "there are no dead letters: the run does not count"
expect "stored at first" "$(count 'SELECT count(*) FROM orders')" $((RECORDS - dead))
expect "dead letters" "$(letters)" "$dead"

# The plan does nothing.
"$weir" dlq redrive "$scratch/m.yaml" >"$scratch/plan.log" 2>&1 || fail "no plan"
grep -q "$(sed ':again; s/\B[0-9]\{3\}\>/,&/; t again' <<<"$dead") dead letters to redrive" "$scratch/plan.log" || fail "the plan does not say how many"
expect "stored after the plan" "$(count 'SELECT count(*) FROM orders')" $((RECORDS - dead))

# Mended but for a few, and killed half-way.
table 20
background redrive "$weir" dlq redrive "$scratch/m.yaml" --rate $((dead / 6 + 1)) --execute --receipt "$scratch/redrive.receipt"
wait_until 120 "half of the letters" at_least $((RECORDS - dead / 2)) count 'SELECT count(*) FROM orders'
kill_hard redrive
note "killed at $(($(count 'SELECT count(*) FROM orders') - RECORDS + dead)) of $dead"
redrive
again=$((RECORDS - $(count 'SELECT count(*) FROM orders')))
[ "$again" -gt 0 ] && [ "$again" -lt $((dead / 10)) ] || fail "$again orders are not stored: expected those of the customers that are still missing"
note "went on with $(field consumed), $again fail again"
expect "twice in the store" "$(count 'SELECT count(*) - count(DISTINCT order_id) FROM orders')" 0

# A letter may have failed before the kill and after it: at least once.
[ "$(letters)" -ge $((dead + again)) ] || fail "$(letters) letters: expected $dead and $again more"
twice=$(($(letters) - dead))

# All is mended: the same command takes what came since, and that only.
cp "$scratch/all.csv" "$scratch/customers.csv"
redrive
# Of a record with two of these only the later one.
expect "redriven again" "$(($(field stored) + $(field passed_over)))" "$twice"
redrive
"$weir" dlq redrive "$scratch/m.yaml" >"$scratch/plan.log" 2>&1 || fail "no plan"
grep -q 'nothing' "$scratch/plan.log" || fail "something is left to redrive"
# Those that were refused twice are passed over, and the first letters of the same records too.
redrive --name guarded --max-attempts 2
expect "passed over" "$(field passed_over)" "$((twice + again))"
expect "stored" "$(count 'SELECT count(*) FROM orders')" "$RECORDS"

# The order of rows is no order of delivery any more.
sqlite3 -readonly -separator "$(printf '\t')" "$scratch/m.db" \
    'SELECT order_id, customer_id, tier, total, partition, offset FROM orders ORDER BY partition, offset' >"$scratch/store.tsv"
"$verify" --brokers "$broker" --topic "$topic" --group "$group" --dead-letters "$topic.none" --records "$RECORDS" --broken 0 \
    --partitions $partitions --duplicates 0 --dead-duplicates 0 "$scratch/store.tsv" || fail "the oracle says no"
note "passed"
