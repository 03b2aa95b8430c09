# Sourced by the scripts of this folder: where PostgreSQL's programs are, who runs them, and what runs on a folder.
pg_bin=${PG_BIN:-$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1)}
if [ ! -x "$pg_bin/postgres" ]; then
    pg_bin=$(dirname "$(command -v postgres 2>/dev/null || echo none/none)")
fi

# as_owner PROGRAM ARGUMENT...: PostgreSQL refuses to run as root, so root becomes the user that Debian's package made for it.
as_owner() {
    if [ "$(id -u)" -eq 0 ]; then
        HOME=/nonexistent setpriv --reuid=postgres --regid=postgres --init-groups "$@"
    else
        "$@"
    fi
}

# processes DIR: the pids of all that runs on its data. The server and its children have the data folder as their own, which
# tells them from whoever has the pid in an old postmaster.pid by now.
processes() {
    for cwd in /proc/[0-9]*/cwd; do
        if [ "$(readlink "$cwd" 2>/dev/null)" = "$1/data" ]; then
            cwd=${cwd%/cwd}
            echo "${cwd#/proc/}"
        fi
    done
}

# postmaster DIR: its pid when it runs.
postmaster() {
    pid=$(head -n 1 "$1/data/postmaster.pid" 2>/dev/null) || return 1
    [ -n "$pid" ] && [ "$(readlink "/proc/$pid/cwd" 2>/dev/null)" = "$1/data" ] && echo "$pid"
}

# none_left DIR TENTHS: waits until nothing runs on its data.
none_left() {
    n=0
    while [ -n "$(processes "$1")" ]; do
        [ $n -lt "$2" ] || return 1
        sleep 0.1
        n=$((n + 1))
    done
}
