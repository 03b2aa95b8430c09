/*
 * Reading a stretch (processor/stretch.h) of topics beside the live group:
 *
 *   stretch_find.c      what a request comes to: asks the brokers
 *   stretch_end.c       where a time ends: reads on where they answer with what is no record
 *   stretch_bounds.c    the bounds of each partition, out of their answers or of what was begun under the same name
 *   stretch_sample.c    how old its first and its last record are, and how large its records
 *   stretch_progress.c  what is kept in the group of its own
 *   stretch.c           the run: assigned, not subscribed
 *   stretch_rival.c     whether another process runs under the same name
 *
 * The progress is the committed offsets of a group `GROUP.NAME` that has no members. With each goes a text (the seal) that keeps the request and its answer, so that
 * the same name gives the same bounds again. All partitions' are written in one request before the first record is read.
 */
#ifndef WEIR_CONNECTORS_KAFKA_STRETCH_H
#define WEIR_CONNECTORS_KAFKA_STRETCH_H

#include <librdkafka/rdkafka.h>

#include "connectors/kafka/client.h"
#include "connectors/kafka/source.h"
#include "processor/connector.h"
#include "processor/stretch.h"

extern const struct source_stretch kafka_stretch;

/* -- the group of its own -- */

enum { KAFKA_STRETCH_GROUP = 512 };
void kafka_stretch_group(const struct kafka_source_config *config, const char *progress,
                         char group[static KAFKA_STRETCH_GROUP]);
/* As the source's, but in the group of its own, as no member and by no instance's name. progress NULL: a group that nothing is ever committed to. */
rd_kafka_conf_t *kafka_stretch_conf(const struct kafka_source_config *config, const char *progress,
                                    struct error *error);
/* After an assignment: nobody told librdkafka of the topics yet, as a group would have, and it would ask for their leaders only when its timer of a second is over. */
void kafka_stretch_ask_leaders(struct kafka_client *client);
/* Asks for what is committed, with its seals: `offset` and `metadata` of the list, which may be large. */
enum status kafka_stretch_committed(struct kafka_client *client, struct context *context,
                                    rd_kafka_topic_partition_list_t *list, struct error *error);

/* -- seals -- */

struct kafka_seal_bound {
    char kind;     /* of enum stretch_bound_kind: 'b', 'n', 't' ('r': relative), 'o' */
    int64_t value; /* the time, how far (ms) it was counted back, or the offset */
};

struct kafka_seal {
    int64_t first, end;
    unsigned parts; /* how many partitions the stretch has */
    char named;     /* 'n': by name, 'a': all that there were */
    struct kafka_seal_bound from, to;
    int64_t from_time, to_time; /* of the filter */
    int64_t run;                /* when the run began that wrote it (ms); 0: that is not told */
};

void kafka_seal_write(const struct kafka_seal *seal, char *text, size_t size);
/* False: nothing that we wrote. */
bool kafka_seal_read(const rd_kafka_topic_partition_t *entry, struct kafka_seal *ret);
/* Puts a copy of the text into the entry. */
void kafka_seal_put(rd_kafka_topic_partition_t *entry, const char *text);
/* The seal of a part, and the run that writes it. */
enum { KAFKA_SEAL = 192 };
void kafka_seal_of_run(const struct stretch_part *part, int64_t run, char text[static KAFKA_SEAL]);
/* In words: "2026-11-25T10:00:00.000Z", "-2h", "offset 12", "the beginning". */
const char *kafka_seal_words(struct kafka_seal_bound bound, char words[static 64]);

/* -- samples -- */

/* Sets what the handle that takes samples needs: it fetches little ahead. As kafka_conf_with: takes conf, which may be NULL, and answers it, or NULL. */
rd_kafka_conf_t *kafka_stretch_sample_conf(rd_kafka_conf_t *conf, struct error *error);

/* Fills in first_time, last_time and bytes. low: where each part's partition begins. What does not come in time stays unknown. */
void kafka_stretch_sample(struct kafka_client *client, struct stretch *stretch, const int64_t *low,
                          struct context *context);

#endif
