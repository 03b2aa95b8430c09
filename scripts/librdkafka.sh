#!/bin/sh
# Make sure that there is a librdkafka that weir can trust: >= 2.12 (older ones lose messages or assignments in ways
# that weir can't work around; 2.12 is also the first with the new consumer protocol in full).
#
# When the system's is new enough this does nothing. Otherwise it builds the pinned version as a static archive into
# build/deps/, from its official source: out of its maintainers' own npm package when npm is there (npm checks the
# package's signature of integrity, this script checks it again), else out of its GitHub release. Both must give the
# very same source files, which are checked one by one through SOURCE_SHA512 before anything of them is run.
#
#   scripts/librdkafka.sh                    silent and instant when it is there already
#   LIBRDKAFKA_SOURCE=DIR scripts/...        build from a source tree that is already on this machine (also checked)
#   LIBRDKAFKA_FORCE=1 scripts/...           build the pinned version even when the system's would do
set -eu

MIN_VERSION=2.12
VERSION=2.15.1
NPM_PACKAGE=@confluentinc/kafka-javascript
NPM_VERSION=1.10.1
NPM_SHA512=29578f5019f6d44a8254ff667f1cc4b8cdd26091c7105ed7fa2882d9ee374108034b211a92c2279821a8a13df0e6af9c340764482acaef58f42027eaa12a992f
RELEASE=https://github.com/confluentinc/librdkafka/archive/refs/tags/v$VERSION.tar.gz
# Over all files that the build reads or runs: see source_hash.
SOURCE_SHA512=7801594fbafed01791e9ef334c41617ef6f63d0382c39dcc5ce41b82e3620b4b1a837b568e8bfcb30cf8a7f59f08b1421c82a1cf2c699e490e559ec85e680924

root=$(cd "$(dirname "$0")/.." && pwd)
deps=${DEPS:-$root/build/deps}
case $deps in /*) ;; *) deps=$root/$deps ;; esac
stamp=$deps/librdkafka-$VERSION.done

[ -e "$stamp" ] && exit 0
if [ -z "${LIBRDKAFKA_FORCE:-}" ] && pkg-config --exists "rdkafka >= $MIN_VERSION" 2>/dev/null; then
    exit 0
fi

say() {
    echo "librdkafka: $*" >&2
}

# One hash over the names and contents of the files that the build uses; the rest (tests, examples) is not run.
source_hash() {
    (cd "$1" && LC_ALL=C find configure configure.self mklove src Makefile lds-gen.py -type f ! -name '.*' | LC_ALL=C sort \
        | xargs sha512sum | sha512sum | cut -d' ' -f1)
}

from_npm() {
    command -v npm >/dev/null 2>&1 || return 1
    say "fetching $VERSION ($NPM_PACKAGE $NPM_VERSION, with npm)"
    (cd "$work" && npm pack --silent "$NPM_PACKAGE@$NPM_VERSION" </dev/null >/dev/null 2>npm.log) || {
        say "npm pack failed: $(tail -n 1 "$work/npm.log")"
        return 1
    }
    package=$(echo "$work"/confluentinc-kafka-javascript-*.tgz)
    if ! echo "$NPM_SHA512  $package" | sha512sum --check --status; then
        say "the npm package has sha512 $(sha512sum "$package" | cut -c1-16)..., expected $(echo $NPM_SHA512 | cut -c1-16)...: not used"
        return 1
    fi
    tar -xzf "$package" -C "$work" package/deps/librdkafka
    source=$work/package/deps/librdkafka
}

from_release() {
    command -v curl >/dev/null 2>&1 || return 1
    say "fetching $RELEASE"
    curl --fail --silent --show-error --location --retry 3 --connect-timeout 20 --max-time 300 \
        --output "$work/release.tar.gz" "$RELEASE" || return 1
    tar -xzf "$work/release.tar.gz" -C "$work"
    source=$work/librdkafka-$VERSION
}

mkdir -p "$deps"
# Two makes at once must not build it twice into the same place: the second one waits and finds it done.
exec 9>"$deps/.lock"
flock 9
[ -e "$stamp" ] && exit 0

work=$(mktemp -d "$deps/librdkafka.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

if [ -n "${LIBRDKAFKA_SOURCE:-}" ]; then
    cp -R "$LIBRDKAFKA_SOURCE" "$work/source"
    source=$work/source
elif ! from_npm && ! from_release; then
    say "could not get the source of librdkafka $VERSION. Any of these helps:"
    say "  - a librdkafka >= $MIN_VERSION with its pkg-config file on this system"
    say "  - npm on this machine (apt-get install npm), or a way to $RELEASE"
    say "  - LIBRDKAFKA_SOURCE=DIR, an unpacked source tree of $VERSION"
    exit 1
fi

found=$(source_hash "$source")
if [ "$found" != "$SOURCE_SHA512" ]; then
    say "the source files of $VERSION have the hash $found, expected $SOURCE_SHA512: refusing to build them"
    exit 1
fi

say "building $VERSION into ${deps#"$root"/} (about a minute, once)"
# configure leaves out what it does not find: look that zstd, lz4, zlib and TLS are in, so that a missing one is an error
# here and not at run time.
# SCRAM and PLAIN need TLS's library only. GSSAPI (Kerberos) and curl (OIDC tokens) would pull in some twenty libraries.
if ! (cd "$source" \
    && ./configure --prefix="$deps" --enable-zlib --enable-zstd --enable-ssl --enable-lz4-ext --disable-gssapi \
        --disable-curl --no-download \
    && for with in ZLIB ZSTD SSL LZ4_EXT; do
        grep -qx "#define WITH_$with 1" config.h || { echo "configure found no $with"; exit 1; }
    done \
    && make -C src -j"$(nproc)" lib && make -C src install) </dev/null >"$deps/librdkafka.log" 2>&1; then
    tail -n 30 "$deps/librdkafka.log" >&2
    say "the build failed; its whole output is in $deps/librdkafka.log"
    exit 1
fi
# Only the archive stays: weir has librdkafka inside and needs no library path of ours at run time.
rm -f "$deps"/lib/librdkafka.so*
: >"$stamp"
say "built $VERSION"
