#!/bin/sh
# Print the compiler and linker flags of the libraries as make variables; the Makefile keeps them in $(DEPS)/flags.mk.
set -eu

deps=${DEPS:-build/deps}
libraries='libzstd liblz4 snappy zlib simdjson sqlite3 libpq yaml-0.1 libmicrohttpd libxxhash libcrypto'

if ls "$deps"/librdkafka-*.done >/dev/null 2>&1; then
    PKG_CONFIG_PATH=$deps/lib/pkgconfig${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH}
    export PKG_CONFIG_PATH
    rdkafka=rdkafka-static
else
    rdkafka=rdkafka
fi

# -isystem: our warnings are for our own code.
cflags=$(pkg-config --cflags $rdkafka $libraries | sed -E 's/(^| )-I/\1-isystem /g')
# All that its cflags say is where the system keeps its headers.
libs=$(pkg-config --libs $rdkafka $libraries libcurl)

echo "# written by scripts/flags.sh"
echo "LIB_CFLAGS := $cflags"
echo "LIB_LIBS := $libs"
