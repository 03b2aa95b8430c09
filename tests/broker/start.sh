#!/bin/sh
# Start a real Kafka broker (one KRaft node, data in DIR) and wait until it answers.
#
#   tests/broker/start.sh DIR
#
# Writes DIR/bootstrap (HOST:PORT) and DIR/broker.pid. Started again on the same DIR after a stop or a kill it comes back
# on the same port with the same data. Its log is DIR/broker.log. Ends only by stop.sh or a kill: it outlives the caller.
#
# A broker tells its clients where to find it, so whoever wants to stand between needs a place that it knows of. DIR/proxied has
# two ports: the broker listens on the first, too, and who comes there is told to come to the second, where a test puts its proxy.
set -eu

dir=${1:?usage: start.sh DIR}
. "$(dirname "$0")/common.sh"
mkdir -p "$dir"
dir=$(cd "$dir" && pwd)
properties=$dir/server.properties

! broker_runs "$dir" || exit 0
fetch_jars

configure() {
    # All sockets at once, so that each gets a port of its own. The last one stays free for long: it is not among those that Linux
    # gives to whoever asks for any (32768 and up).
    set -- $(python3 -c '
import random, socket
sockets = [socket.socket() for _ in range(4)]
for s in sockets[:3]:
    s.bind(("127.0.0.1", 0))
while True:
    try:
        sockets[3].bind(("127.0.0.1", random.randrange(20000, 32000)))
        break
    except OSError:
        pass
print(*[s.getsockname()[1] for s in sockets])')
    echo "127.0.0.1:$1" >"$dir/bootstrap"
    echo "$3 $4" >"$dir/proxied"
    # One partition for each internal topic and no rebalance delay: a group's first join then takes no second.
    # No retention: tests write records with timestamps of long ago, which would be deleted half a minute after the start.
    # Topics that are compacted are looked at five times a second.
    # A transaction that nobody ends is looked at every second once its time is over.
    # A short broker session: a killed broker comes back only when the controller has given up its predecessor.
    cat >"$properties" <<END
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$2
listeners=PLAINTEXT://127.0.0.1:$1,CONTROLLER://127.0.0.1:$2,PROXIED://127.0.0.1:$3
advertised.listeners=PLAINTEXT://127.0.0.1:$1,PROXIED://127.0.0.1:$4
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,PROXIED:PLAINTEXT,CONTROLLER:PLAINTEXT
controller.listener.names=CONTROLLER
log.dirs=$dir/data
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
log.retention.ms=-1
log.cleaner.dedupe.buffer.size=16777216
log.cleaner.backoff.ms=200
transaction.abort.timed.out.transaction.cleanup.interval.ms=1000
END
    rm -rf "$dir/data"
    # With `=`: an id may begin with a dash.
    (kafka_java -Xmx128m -XX:TieredStopAtLevel=1 kafka.tools.StorageTool format --cluster-id="$(python3 -c '
import base64, uuid
print(base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("="))')" -c "$properties") >"$dir/format.log" 2>&1 || {
        cat "$dir/format.log" >&2
        echo "broker: could not format $dir/data" >&2
        exit 1
    }
}

launch() {
    # Its own session: the terminal's Ctrl-C is for the test run, which then stops the broker in order.
    (
        cd "$dir"
        exec setsid java -Xms256m -Xmx512m -XX:+UseSerialGC -XX:-UsePerfData \
            -Dorg.slf4j.simpleLogger.defaultLogLevel=warn -Dorg.slf4j.simpleLogger.showDateTime=true \
            -cp "$jars/$version/*" kafka.Kafka "$properties"
    ) </dev/null >>"$dir/broker.log" 2>&1 &
    echo $! >"$dir/broker.pid"
}

fresh=no
[ -e "$properties" ] || fresh=yes
for attempt in 1 2 3; do
    [ $fresh = no ] || configure
    launch
    if python3 "$here/ready.py" "$(sed 's/.*://' "$dir/bootstrap")" "$(cat "$dir/broker.pid")" 60; then
        exit 0
    fi
    # Another process may have taken a port between its choice and its use: choose again, if nobody knows it yet.
    "$here/stop.sh" "$dir"
    [ $fresh = yes ] && grep -q 'Address already in use' "$dir/broker.log" || break
done
tail -n 30 "$dir/broker.log" >&2
echo "broker: not started; the end of its log is above" >&2
exit 1
