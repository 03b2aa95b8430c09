/* The real servers of scripts/run-tests.sh, as faults need them. A test with servers of somebody else's (no DIR) ends with a message. */
#ifndef WEIR_TESTS_CONFORMANCE_SERVERS_H
#define WEIR_TESTS_CONFORMANCE_SERVERS_H

#include "tests/conformance/conformance.h"

extern const struct conformance_server kafka_server, postgres_server;

const char *kafka_bootstrap(void);   /* HOST:PORT, past the proxy */
const char *postgres_conninfo(void); /* past the proxy */

#endif
