# Sourced by the scripts of this folder: where the broker's jars are, and how to get them there once.
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
mkdir -p "${DEPS:-$root/build/deps}"
jars=$(cd "${DEPS:-$root/build/deps}" && pwd)/kafka

# broker_runs DIR: is the broker of this folder alive? Its pid may be another process's by now, or a zombie's: only what has
# our own file on its command line counts.
broker_runs() {
    [ -e "$1/broker.pid" ] || return 1
    tr '\0' '\n' 2>/dev/null <"/proc/$(cat "$1/broker.pid")/cmdline" | grep -qxF "$(cd "$1" && pwd)/server.properties"
}

fetch_jars() {
    version=$(sed -n 's|.*<kafka.version>\(.*\)</kafka.version>.*|\1|p' "$here/pom.xml")
    [ -e "$jars/$version/.done" ] && return 0
    mkdir -p "$jars"
    (
        flock 8
        [ -e "$jars/$version/.done" ] && exit 0
        echo "broker: fetching Kafka $version with Maven (once)" >&2
        rm -rf "${jars:?}/$version"
        mvn --quiet --batch-mode -f "$here/pom.xml" dependency:copy-dependencies -DoutputDirectory="$jars/$version" \
            </dev/null >"$jars/maven.log" 2>&1 || {
            cat "$jars/maven.log" >&2
            echo "broker: Maven could not fetch Kafka's jars; its output is above" >&2
            exit 1
        }
        : >"$jars/$version/.done"
    ) 8>"$jars/.lock"
}

# kafka_java OPTION... CLASS ARGUMENT...: becomes the JVM.
kafka_java() {
    exec java -XX:+UseSerialGC -XX:-UsePerfData -Dorg.slf4j.simpleLogger.defaultLogLevel=warn \
        -Dorg.slf4j.simpleLogger.showDateTime=true -cp "$jars/$version/*" "$@"
}

# tool CLASS DIR|HOST:PORT ARGUMENT...: one of Kafka's own command line tools against the broker of DIR.
tool() {
    class=$1
    target=${2:?which broker? DIR of start.sh, or HOST:PORT}
    shift 2
    [ ! -d "$target" ] || target=$(cat "$target/bootstrap")
    fetch_jars
    kafka_java -Xmx128m -XX:TieredStopAtLevel=1 -Dorg.slf4j.simpleLogger.defaultLogLevel=error "$class" --bootstrap-server "$target" "$@"
}
