#!/bin/bash
# `delivery: exactly_once`: members are killed, join and leave, the store's server is killed and comes back; every order is stored once, those of a partition in their order.
#   STORE=sqlite|postgres|file|kafka RECORDS=1000000 RATE=5000 KILLS=10 MEMBERS=10 (joins and leaves) RESTARTS=2 (postgres, kafka) SEED=random
RECORDS=${RECORDS:-1000000}
RATE=${RATE:-5000}
KILLS=${KILLS:-10}
MEMBERS=${MEMBERS:-10}
RESTARTS=${RESTARTS:-2}
# It is restarted.
NEEDS_OWN_BROKER=1
. "$(dirname "$0")/lib.sh"
. "$here/stores.sh"
delivery=exactly_once
session_ms=6000
case $STORE in sqlite | file) RESTARTS=0 ;; esac

# The events in an order that the seed decides, at even distances over the load.
events=()
for ((i = 0; i < KILLS; i++)); do events+=(kill); done
for ((i = 0; i < MEMBERS; i++)); do events+=(member); done
for ((i = 0; i < RESTARTS; i++)); do events+=(restart); done
for ((i = ${#events[@]} - 1; i > 0; i--)); do
    j=$((RANDOM % (i + 1))) event=${events[i]}
    events[i]=${events[j]} events[j]=$event
done
# A restart takes as long as two others.
distance_ms=$((RECORDS * 1000 / RATE / (${#events[@]} + 2 * RESTARTS + 1)))

live() { # the members that run, but for the producer
    local member
    for member in "${!pid[@]}"; do
        [ "$member" = producer ] || echo "$member"
    done | sort
}

any_member() {
    local members
    mapfile -t members < <(live)
    echo "${members[RANDOM % ${#members[@]}]}"
}

# Into Kafka with a static membership, as the docs advise: else the transactions of who was killed have to time out.
next=0
new_member() {
    member=m$((++next))
    if [ "$STORE" = kafka ]; then config "$member" "instance: $member"; else config "$member"; fi
    start "$member"
}

# happen EVENT: `kill` leaves as many members as there were, `member` brings a third or takes one.
happen() {
    local member
    case $1 in
    kill)
        member=$(any_member)
        kill_hard "$member"
        if [ "$STORE" = kafka ]; then start "$member"; else new_member; fi
        ;;
    member)
        if [ "$(live | wc -l)" -lt 3 ]; then
            new_member
        else
            member=$(any_member)
            stop "$member"
        fi
        ;;
    restart) restart_server ;;
    esac
}

prepare
make_store
background producer orders "$RECORDS" --rate "$RATE"
new_member
new_member
wait_until 60 "something stored" at_least 1 stored
for event in "${events[@]}"; do
    sleep "$(printf '%d.%03d' $((distance_ms / 1000)) $((distance_ms % 1000)))"
    ! has_ended producer || fail "the load had ended before the last event: the run does not count"
    note "$event at $(stored) stored"
    happen "$event"
done
wait_exit producer 600
[ "$status" -eq 0 ] || fail "the producer exited with $status"
wait_until 180 "everything committed" lag_is_zero
for member in $(live); do
    note "$member: restarted its pipeline $(metric "$member" weir_restarts_total) times"
    stop "$member"
done
dump_store
# Dead letters are promised at least once.
judge "$RECORDS" 0 "$RECORDS" "$scratch/store.tsv"
