"""Wait until a Kafka broker answers a Metadata request with itself in it: ready.py PORT PID SECONDS.

A port that accepts is not enough: a broker that is still fenced accepts, and then refuses to make topics.
"""

import socket
import struct
import sys
import time

# Metadata v1 (Kafka protocol guide): api key, version, correlation id, client id (null), and an empty list of topics.
REQUEST = struct.pack(">hhihi", 3, 1, 1, -1, 0)


def receive(connection, size):
    data = b""
    while len(data) < size:
        part = connection.recv(size - len(data))
        if not part:
            raise OSError("closed")
        data += part
    return data


def brokers(port):
    """How many brokers the cluster at this port says it has; 0 while it does not answer."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2) as connection:
            connection.sendall(struct.pack(">i", len(REQUEST)) + REQUEST)
            (size,) = struct.unpack(">i", receive(connection, 4))
            _, count = struct.unpack_from(">ii", receive(connection, size))
            return count
    except (OSError, struct.error):
        return 0


def running(pid):
    """Whether the process is there and no zombie; the state is the first field after the name's bracket (proc(5))."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as stat:
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def main():
    port, pid, seconds = (int(argument) for argument in sys.argv[1:4])
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not running(pid):
            sys.exit("the broker ended before it was ready")
        if brokers(port) > 0:
            return
        time.sleep(0.05)
    sys.exit(f"the broker did not answer on 127.0.0.1:{port} within {seconds} s")


main()
