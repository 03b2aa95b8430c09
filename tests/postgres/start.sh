#!/bin/sh
# Start a PostgreSQL server of our own (Debian's programs, data in DIR) and wait until it answers.
#
#   tests/postgres/start.sh DIR
#
# Writes DIR/conninfo (libpq's keyword form, with the password; the user may do everything) and DIR/postmaster.pid, which is
# PostgreSQL's own. Listens on 127.0.0.1 and, unless its path is too long for one, on a socket in DIR. Started again on the
# same DIR after a stop or a kill it comes back on the same port with the same data. Its log is DIR/postgres.log. Ends only by
# stop.sh or a kill: it outlives the caller. Started by root it runs as the user postgres, who must be able to enter DIR's
# parents.
set -eu

dir=${1:?usage: start.sh DIR}
. "$(dirname "$0")/common.sh"
if [ ! -x "$pg_bin/postgres" ]; then
    echo "postgres: no server here; 'make deps' installs Debian's" >&2
    exit 1
fi
mkdir -p "$dir"
dir=$(cd "$dir" && pwd -P)

! postmaster "$dir" >/dev/null || exit 0

make_cluster() {
    [ "$(id -u)" -ne 0 ] || chown postgres:postgres "$dir"
    if ! as_owner test -x "$dir" || ! as_owner test -w "$dir"; then
        echo "postgres: the user postgres cannot use $dir (chmod a+x its parents)" >&2
        exit 1
    fi
    password=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
    (umask 077 && echo "$password" >"$dir/password")
    [ "$(id -u)" -ne 0 ] || chown postgres:postgres "$dir/password"
    rm -rf "$dir/data"
    # The password is asked for everywhere: whoever else is on this machine is not let in.
    (cd "$dir" && as_owner "$pg_bin/initdb" -D "$dir/data" -U weir --pwfile="$dir/password" -A scram-sha-256 -E UTF8 --no-locale --no-sync) \
        >"$dir/initdb.log" 2>&1 || {
        cat "$dir/initdb.log" >&2
        echo "postgres: could not make $dir/data" >&2
        exit 1
    }
    # A socket's path has room for 107 bytes (unix(7)).
    sockets=$dir
    [ ${#dir} -lt 85 ] || sockets=
    as_owner tee -a "$dir/data/postgresql.conf" >/dev/null <<END
listen_addresses = '127.0.0.1'
unix_socket_directories = '$sockets'
max_connections = 50
superuser_reserved_connections = 0
shared_buffers = 16MB
max_wal_size = 256MB
fsync = on
log_line_prefix = '%m [%p] %a: '
END
    as_owner ln -sfn data/postmaster.pid "$dir/postmaster.pid"
}

choose_port() {
    port=$(python3 -c '
import socket
s = socket.socket()
s.bind(("127.0.0.1", 0))
print(s.getsockname()[1])')
    as_owner sed -i '/^port = /d' "$dir/data/postgresql.conf"
    echo "port = $port" | as_owner tee -a "$dir/data/postgresql.conf" >/dev/null
    (umask 077 && echo "host=127.0.0.1 port=$port user=weir password=$(cat "$dir/password") dbname=postgres" >"$dir/conninfo")
}

launch() {
    # What a killed server left goes by itself, soon; until then the shared memory is taken.
    if ! none_left "$dir" 100; then
        echo "postgres: still running on $dir/data:" $(processes "$dir") >&2
        exit 1
    fi
    # Nobody has the pid in them, or a zombie that nobody waits for, which PostgreSQL would take for a running server.
    rm -f "$dir/data/postmaster.pid" "$dir"/.s.PGSQL.*
    # pg_ctl has it run in a session of its own: the terminal's Ctrl-C is for the test run, which then stops it in order.
    (cd "$dir" && as_owner "$pg_bin/pg_ctl" -D "$dir/data" -l "$dir/postgres.log" -s -w -t 60 start </dev/null >/dev/null 2>&1)
}

fresh=no
[ -e "$dir/conninfo" ] || fresh=yes
[ $fresh = no ] || make_cluster
for attempt in 1 2 3; do
    [ $fresh = no ] || choose_port
    ! launch || exit 0
    # Another process may have taken the port between its choice and its use: choose again, if nobody knows it yet.
    [ $fresh = yes ] && grep -q 'Address already in use' "$dir/postgres.log" || break
done
tail -n 30 "$dir/postgres.log" >&2
echo "postgres: not started; the end of its log is above" >&2
exit 1
