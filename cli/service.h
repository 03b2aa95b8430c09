/*
 * A config run as a service in this process: the pipeline under its supervisor, with the admin port, signals, systemd, live progress and the receipt
 * around it.
 *
 * Threads: one makes, runs and frees it; service_stop from any.
 */
#ifndef WEIR_CLI_SERVICE_H
#define WEIR_CLI_SERVICE_H

#include <stdbool.h>
#include <stdint.h>

#include "cli/exit.h"
#include "cli/plan.h"
#include "cli/progress.h"
#include "cli/receipt.h"
#include "processor/error.h"

struct config;
struct metrics;
struct service;

/* For service_options.admin_port. */
enum { SERVICE_ADMIN_AS_CONFIG = 0, SERVICE_NO_ADMIN = -1 };

struct service_options {
    struct plan_changes changes;
    enum progress_mode progress;
    int64_t total;  /* records that will come, for the progress; 0: not known */
    int admin_port; /* another one than the config's, on the same host; or one of the above */
};

/* Opens the admin port. config lives longer. attendant_block_signals has been called. STATUS_FAILED: see error. */
enum status service_new(const struct config *config, const struct service_options *options, struct service **ret,
                        struct error *error) WARN_UNUSED;
void service_free(struct service *service); /* NULL is fine */
struct metrics *service_metrics(struct service *service);
/* "http://127.0.0.1:8080", or NULL when there is no admin port. */
const char *service_admin_url(const struct service *service);
/* As the first signal does: drain. */
void service_stop(struct service *service);
/* Once. Blocks until drained, abandoned or failed. ret is filled in any case; its offsets are the service's. */
void service_run(struct service *service, struct receipt *ret);

enum exit_code service_exit_code(const struct receipt *receipt);

#endif
