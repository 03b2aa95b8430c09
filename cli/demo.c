/* `weir demo`: an embedded broker, generated orders, and an ordinary config that is loaded and run as any other is. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/attendant.h"
#include "cli/demo_cluster.h"
#include "cli/demo_files.h"
#include "cli/demo_orders.h"
#include "cli/load.h"
#include "cli/service.h"
#include "cli/text.h"
#include "cli/verbs.h"
#include "config/config.h"
#include "processor/clock.h"
#include "processor/log.h"

enum { RECORDS_DEFAULT = 1000000 };

struct demo {
    const struct command *command;
    uint64_t records;
    struct demo_cluster *cluster;
    struct demo_files files;
    const struct config *config;
    struct service *service;
};

static void introduce(const struct demo *demo)
{
    char records[TEXT_MAX];
    const char *url = service_admin_url(demo->service);
    if (command_has(demo->command, OPTION_QUIET))
        return;
    fprintf(stderr, "%s orders through a Kafka cluster inside this process, at %s\n",
            text_count(records, (int64_t)demo->records), demo_cluster_brokers(demo->cluster));
    fprintf(stderr, "  config   %s\n", demo->files.config);
    if (url != NULL)
        fprintf(stderr, "  metrics  curl %s/metrics\n  watch    weir top --admin %s\n", url, url);
}

/* -- what came of it -- */

/* The same orders every time, so each must be where it belongs. */
static bool check_counts(const struct demo *demo, const struct receipt *receipt)
{
    uint64_t kinds[ORDER_KINDS];
    order_expect(demo->records, kinds);
    const struct ledger_counts *counts = &receipt->counts;
    uint64_t broken = kinds[ORDER_BROKEN] + kinds[ORDER_UNREADABLE];
    if (counts->stored == kinds[ORDER_GOOD] && counts->dropped == kinds[ORDER_TEST] && counts->dead_lettered == broken)
        return true;
    log_error("demo",
              "%" PRIu64 " good, %" PRIu64 " broken and %" PRIu64
              " test orders were produced: the receipt should say so",
              kinds[ORDER_GOOD], broken, kinds[ORDER_TEST]);
    return false;
}

static void show_results(const struct demo *demo, const struct receipt *receipt)
{
    char text[1024];
    if (receipt->counts.dead_lettered > 0 && demo_cluster_dead_letter(demo->cluster, text, sizeof text))
        printf("\nA dead letter, as orders.dlq has it:\n  %s\n", text);
    printf("\nThe database: %s\n  sqlite3 %s '%s'\n\n", demo->files.database, demo->files.database, demo_query);
    if (!demo_files_query(&demo->files))
        printf("  (it can't be read)\n");
}

/* What the service took: the process without the generator and the broker, which a real one has elsewhere. */
static void show_receipt(const struct demo *demo, struct receipt *receipt, int64_t cpu_before)
{
    static char beside[128];
    char cpu[TEXT_MAX];
    int64_t cluster = demo_cluster_cpu(demo->cluster);
    receipt->cpu -= cpu_before + cluster;
    snprintf(beside, sizeof beside, " (generator and broker, in this process too: %s more)", text_time(cpu, cluster));
    receipt->cpu_note = beside;
    receipt->memory_note = " (with generator and broker)";
    receipt_print(receipt, stdout);
}

static void stop_service(void *arg)
{
    service_stop(arg);
}

static enum exit_code run_service(struct demo *demo)
{
    struct receipt receipt;
    struct error error;
    int64_t cpu_before = clock_process_cpu() - demo_cluster_cpu(demo->cluster);
    if (demo_cluster_feed(demo->cluster, demo->records, service_metrics(demo->service), stop_service, demo->service,
                          &error) != STATUS_OK) {
        log_error("demo", "%s", error.text);
        return EXIT_FAILED;
    }
    service_run(demo->service, &receipt);
    bool fed = demo_cluster_join(demo->cluster);
    if (receipt.status == STATUS_FAILED)
        log_error("service", "%s", receipt.error.text);
    show_receipt(demo, &receipt, cpu_before);
    enum exit_code code = service_exit_code(&receipt);
    /* Stopped by hand it has less. */
    bool whole = receipt.counts.issued >= demo->records;
    if (code == EXIT_OK && (!fed || (whole && !check_counts(demo, &receipt))))
        code = EXIT_FAILED;
    if (receipt.counts.stored > 0)
        show_results(demo, &receipt);
    return code;
}

/* -- setting it up -- */

static enum exit_code set_up(struct demo *demo)
{
    const struct command *command = demo->command;
    const struct service_options options = {.progress = load_progress_mode(command), .total = (int64_t)demo->records};
    struct error error;
    demo->cluster = demo_cluster_new(&error);
    if (demo->cluster == NULL ||
        demo_files_write(&demo->files, command->values[OPTION_DIR], command_has(command, OPTION_KEEP),
                         demo_cluster_brokers(demo->cluster), &error) != STATUS_OK) {
        log_error("demo", "%s", error.text);
        return EXIT_FAILED;
    }
    demo->config = load_config(demo->files.config, command);
    if (demo->config == NULL)
        return EXIT_INTERNAL;
    if (service_new(demo->config, &options, &demo->service, &error) != STATUS_OK) {
        log_error("demo", "%s", error.text);
        return EXIT_UNAVAILABLE;
    }
    return EXIT_OK;
}

enum exit_code verb_demo(const struct command *command)
{
    const char *records = command->values[OPTION_RECORDS];
    struct demo demo = {.command = command, .records = records != NULL ? strtoull(records, NULL, 10) : RECORDS_DEFAULT};
    attendant_block_signals();
    enum exit_code code = set_up(&demo);
    if (code == EXIT_OK) {
        introduce(&demo);
        code = run_service(&demo);
    }
    service_free(demo.service);
    config_free(demo.config);
    demo_cluster_free(demo.cluster);
    return code;
}
