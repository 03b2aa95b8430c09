#!/bin/bash
# Two more members join and leave under load: nothing is missing, and as they leave cleanly, nothing is there twice.
#   RECORDS=1500000 RATE=50000 PROTOCOLS="classic consumer"
RECORDS=${RECORDS:-1500000}
RATE=${RATE:-50000}
PROTOCOLS=${PROTOCOLS:-classic consumer}
. "$(dirname "$0")/lib.sh"

under_load() {
    ! has_ended producer || fail "the load had ended when $1: the run does not count"
}

run() {
    local member protocol=$1 lines=()
    topic=$name-$$-$protocol group=$name-$$-$protocol
    rm -f "$scratch"/*.db*
    [ "$protocol" = classic ] || lines=("protocol: $protocol")
    for member in a b c; do
        config $member "${lines[@]}"
    done
    if [ "$protocol" != classic ]; then
        # These are the group's on the broker then.
        sed -i 's/, session.timeout.ms: [0-9]*//' "$scratch"/*.yaml
    fi
    prepare
    background producer "$produce" --brokers "$broker" --topic "$topic" --partitions $partitions --records "$RECORDS" --broken "$broken" --rate "$RATE"
    start a
    wait_until 60 "rows of a" at_least 1 rows a
    start b
    wait_until 60 "rows of b" at_least 1 rows b
    start c
    wait_until 60 "rows of c" at_least 1 rows c
    under_load "three members had joined"
    note "$protocol: three members under load: $(rows a), $(rows b), $(rows c) rows"
    stop b
    wait_until 60 "a third rebalance" at_least 3 metric a weir_rebalances_total
    stop c
    under_load "two members had left"
    wait_exit producer 600
    [ $status -eq 0 ] || fail "the producer exited with $status"
    wait_until 120 "everything committed" lag_is_zero
    note "$protocol: a saw $(metric a weir_rebalances_total) rebalances"
    stop a
    judge "$RECORDS" 0 0 a b c
}

for protocol in $PROTOCOLS; do
    run "$protocol"
done
