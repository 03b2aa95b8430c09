/*
 * The demo's Kafka: librdkafka's mock cluster in this process, on a loopback port, and a thread that feeds it orders at the pace at which they are
 * consumed. The mock keeps 5 MiB a partition and silently forgets what is older, so the feeder never runs further ahead than that.
 */
#ifndef WEIR_CLI_DEMO_CLUSTER_H
#define WEIR_CLI_DEMO_CLUSTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "processor/error.h"

struct demo_cluster;
struct metrics;

enum { DEMO_PARTITIONS = 6 };

/* With the topics "orders" and "orders.dlq". NULL: see error. */
struct demo_cluster *demo_cluster_new(struct error *error) WARN_UNUSED;
void demo_cluster_free(struct demo_cluster *cluster);                 /* after demo_cluster_join; NULL is fine */
const char *demo_cluster_brokers(const struct demo_cluster *cluster); /* HOST:PORT */

/* Starts to feed `records` orders. metrics: of the service that consumes them. When all of them were consumed, done is called in the
 * feeder's thread. */
enum status demo_cluster_feed(struct demo_cluster *cluster, uint64_t records, struct metrics *metrics,
                              void (*done)(void *arg), void *arg, struct error *error) WARN_UNUSED;
/* Ends the feeding, finished or not. False: an order could not be produced (and the log says why). */
bool demo_cluster_join(struct demo_cluster *cluster);
/* After demo_cluster_join: CPU of the feeder and of the cluster's threads, in ns. */
int64_t demo_cluster_cpu(const struct demo_cluster *cluster);

/* The first dead letter, in words: where from, and why. False: there is none. */
bool demo_cluster_dead_letter(const struct demo_cluster *cluster, char *text, size_t size);

#endif
