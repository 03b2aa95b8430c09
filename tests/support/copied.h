/*
 * A topic of numbered records and its copy, as a reader with read_committed sees it: what is there how often, and in which order. For exactly-once delivery on a real broker
 * (scene.h). Record N has the key "k-N".
 */
#ifndef WEIR_TESTS_SUPPORT_COPIED_H
#define WEIR_TESTS_SUPPORT_COPIED_H

#include <stdbool.h>

struct copied {
    int count;     /* records */
    int distinct;  /* numbers among them */
    bool in_order; /* those of each source partition, of four, in each partition of the copy: by what came first */
    char last[64]; /* the key of the record that was read last */
    unsigned char *times;
    int room;
    int highest[64][4];
};

/* Reads the whole topic. */
void copied_init(struct copied *copied, const char *brokers, const char *topic);
void copied_fini(struct copied *copied);

/* Records `from` to `from + count - 1`, in turn over the partitions (one, two or four); flushes. */
void copied_send(const char *topic, int partitions, int from, int count);
/* Waits until so many records can be read. False: a minute is over. */
bool copied_wait_count(const char *brokers, const char *topic, int count);
/* Waits until there is something in the topic and no transaction is open in it. False: a minute is over. */
bool copied_wait_readable(const char *brokers, const char *topic);

#endif
