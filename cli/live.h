/* What a config names outside of itself, looked at before anything runs: `weir check`, and `weir check --live`. Nothing is changed out there. */
#ifndef WEIR_CLI_LIVE_H
#define WEIR_CLI_LIVE_H

#include <stdint.h>

struct config;
struct probe;

/* The files that stages read: tables, dictionaries. */
void live_check_stages(const struct config *config, struct probe *probe);
/* The source and each store, which have `timeout` ns each to answer. */
void live_check_connectors(const struct config *config, int64_t timeout, struct probe *probe);

#endif
