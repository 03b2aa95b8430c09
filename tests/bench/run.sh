#!/bin/bash
# `make bench`: CPU per record of whole `weir run` processes on a real broker, against a bare consumer (bench.py tells how).
#   WEIR_BROKER=HOST:PORT   a broker of your own, instead of one that is started with its data in a temporary folder
#   RECORDS=5000000 ROUNDS=3 COMPRESSION=lz4 MEMORY=24MiB
#   PIPELINES=floor,file,sqlite+once,kafka@256MiB,postgres,...   STORE[@MEMORY][+once|+replay|+tap]; +once: with delivery: exactly_once;
#                           +replay: by `weir replay` of all of it; +tap: with a `weir tap` of all that passes
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
scratch=$(mktemp -d "${TMPDIR:-/tmp}/weir-bench.XXXXXX")
cleanup() {
    [ ! -d "$scratch/broker" ] || "$here/../broker/stop.sh" "$scratch/broker"
    [ ! -d "$scratch/postgres" ] || "$here/../postgres/stop.sh" "$scratch/postgres"
    rm -rf "$scratch"
}
trap cleanup EXIT
trap 'exit 130' HUP INT TERM

if [ -z "${WEIR_BROKER:-}" ]; then
    "$here/../broker/start.sh" "$scratch/broker"
    WEIR_BROKER=$(cat "$scratch/broker/bootstrap")
fi
case ${PIPELINES:-postgres} in *postgres* | *upsert*)
    # PostgreSQL's own user has to come through.
    chmod a+x "$scratch"
    "$here/../postgres/start.sh" "$scratch/postgres"
    BENCH_POSTGRES=$(cat "$scratch/postgres/conninfo")
    export BENCH_POSTGRES
    ;;
esac
export WEIR_BROKER
python3 "$here/bench.py" "$scratch"
