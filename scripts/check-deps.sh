#!/bin/sh
# Hold the folders to who may include whom: dependencies point inward, stages and connectors never see each other, and
# each library stays behind the folder that it belongs to. Prints FILE:LINE: of each breach and exits 1.
set -eu
cd "$(dirname "$0")/.."

find processor config stages connectors admin scenario cli -name '*.[ch]' -o -name '*.cpp' -o -name '*.hpp' 2>/dev/null | LC_ALL=C sort | xargs -r awk '
function breach(text) {
    printf "%s:%d: %s\n", FILENAME, FNR, text
    breaches++
}

# home: the folder whose rule holds; a connector is its own folder below connectors/.
function home_of(path,    part) {
    split(path, part, "/")
    return part[1]
}

function connector_of(path,    part, count) {
    count = split(path, part, "/")
    return part[1] == "connectors" && count > 2 ? part[2] : ""
}

BEGIN {
    may["processor"] = " processor "
    may["config"] = " config processor "
    may["stages"] = " stages config processor "
    may["connectors"] = " connectors config processor "
    may["admin"] = " admin config processor "
    may["scenario"] = " scenario stages config processor "
    may["cli"] = " cli scenario admin connectors stages config processor "

    # Whose a library is: the paths that may include it begin so. cli/ ties everything together and may see all.
    owner["librdkafka/"] = "^connectors/kafka/"
    owner["sqlite3.h"] = "^connectors/sqlite/"
    owner["libpq"] = "^connectors/postgres/"
    owner["yaml.h"] = "^config/"
    owner["microhttpd.h"] = "^admin/"
    owner["simdjson"] = "^stages/.*[.]cpp$"
    owner["snappy"] = "^(stages|connectors)/"
    owner["lz4"] = "^(stages|connectors)/"
    owner["zlib.h"] = "^(stages|connectors)/"
    owner["zstd"] = "^(stages|connectors)/"
}

/^[ \t]*#[ \t]*include[ \t]*"/ {
    match($0, /"[^"]*"/)
    target = substr($0, RSTART + 1, RLENGTH - 2)
    if (target == "version.h")
        next
    if (target ~ /(^|\/)\.\.?\// || target !~ /\//) {
        breach("\"" target "\" is not written from the root, as \"processor/queue.h\" is")
        next
    }
    from = home_of(FILENAME)
    to = home_of(target)
    if (index(may[from], " " to " ") == 0)
        breach(from "/ may not include " to "/ (\"" target "\"); it may include:" may[from])
    else if (from == "connectors" && to == "connectors" && connector_of(FILENAME) != "" \
             && connector_of(target) != connector_of(FILENAME))
        breach("the connector " connector_of(FILENAME) " may include only its own folder of connectors/, not \"" target "\"")
}

/^[ \t]*#[ \t]*include[ \t]*</ && FILENAME !~ /^cli\// {
    match($0, /<[^>]*>/)
    target = substr($0, RSTART + 1, RLENGTH - 2)
    for (library in owner)
        if (index(target, library) == 1 && FILENAME !~ owner[library])
            breach("<" target "> belongs behind " owner[library])
}

END { if (breaches) { printf "check-deps: %d includes against the rules\n", breaches; exit 1 } }
' >&2
