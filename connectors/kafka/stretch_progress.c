/* See stretch.h. A seal: "weir/1 FIRST END PARTS a|n FROM TO FROM_TIME TO_TIME", with FROM and TO as "t1764064800000"; and, of a run,
 * " rMS", when it began. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "connectors/kafka/ask.h"
#include "connectors/kafka/stretch.h"
#include "processor/check.h"
#include "processor/clock.h"
#include "processor/timestamp.h"

/* -- seals -- */

void kafka_seal_write(const struct kafka_seal *seal, char *text, size_t size)
{
    int length = snprintf(text, size,
                          "weir/1 %" PRId64 " %" PRId64 " %u%c %c%" PRId64 " %c%" PRId64 " %" PRId64 " %" PRId64,
                          seal->first, seal->end, seal->parts, seal->named, seal->from.kind, seal->from.value,
                          seal->to.kind, seal->to.value, seal->from_time, seal->to_time);
    CHECK(length > 0 && (size_t)length < size);
}

static const char RUN[] = " r";

void kafka_seal_of_run(const struct stretch_part *part, int64_t run, char text[static KAFKA_SEAL])
{
    snprintf(text, KAFKA_SEAL, "%s%s%" PRId64, part->seal, RUN, run);
}

/* What is read of a seal: once something is not as we write it, nothing more is. */
struct reader {
    const char *at;
    bool good;
};

static int64_t read_number(struct reader *reader)
{
    char *end = NULL;
    errno = 0;
    long long number = strtoll(reader->at, &end, 10);
    reader->good = reader->good && end != reader->at && errno == 0;
    reader->at = end;
    return number;
}

static char read_letter(struct reader *reader)
{
    reader->good = reader->good && *reader->at >= 'a' && *reader->at <= 'z';
    return reader->good ? *reader->at++ : '\0';
}

static struct kafka_seal_bound read_bound(struct reader *reader)
{
    reader->at += *reader->at == ' ';
    char kind = read_letter(reader);
    return (struct kafka_seal_bound){.kind = kind, .value = read_number(reader)};
}

bool kafka_seal_read(const rd_kafka_topic_partition_t *entry, struct kafka_seal *ret)
{
    static const char VERSION[] = "weir/1 ";
    char text[KAFKA_SEAL];
    if (entry->metadata == NULL || entry->metadata_size >= sizeof text)
        return false;
    memcpy(text, entry->metadata, entry->metadata_size);
    text[entry->metadata_size] = '\0';
    if (strncmp(text, VERSION, strlen(VERSION)) != 0)
        return false;
    struct reader reader = {.at = text + strlen(VERSION), .good = true};
    struct kafka_seal seal = {.first = read_number(&reader)};
    seal.end = read_number(&reader);
    int64_t parts = read_number(&reader);
    seal.named = read_letter(&reader);
    seal.from = read_bound(&reader);
    seal.to = read_bound(&reader);
    seal.from_time = read_number(&reader);
    seal.to_time = read_number(&reader);
    if (reader.good && strncmp(reader.at, RUN, strlen(RUN)) == 0) {
        reader.at += strlen(RUN);
        seal.run = read_number(&reader);
    }
    if (!reader.good || *reader.at != '\0' || seal.first < 0 || seal.end < seal.first || parts < 1 ||
        parts > UINT32_MAX)
        return false;
    seal.parts = (unsigned)parts;
    *ret = seal;
    return true;
}

void kafka_seal_put(rd_kafka_topic_partition_t *entry, const char *text)
{
    free(entry->metadata);
    entry->metadata = strdup(text);
    entry->metadata_size = entry->metadata != NULL ? strlen(text) : 0;
}

const char *kafka_seal_words(struct kafka_seal_bound bound, char words[static 64])
{
    switch (bound.kind) {
    case 'b':
        return "the beginning";
    case 'n':
        return "what was the end then";
    case 'r':
        stretch_ago_words(bound.value, words, 64);
        return words;
    case 't':
        words[timestamp_write((uint8_t *)words, bound.value)] = '\0';
        return words;
    default:
        snprintf(words, 64, "offset %" PRId64, bound.value);
        return words;
    }
}

/* -- the group of its own -- */

void kafka_stretch_group(const struct kafka_source_config *config, const char *progress,
                         char group[static KAFKA_STRETCH_GROUP])
{
    snprintf(group, KAFKA_STRETCH_GROUP, "%s.%s", config->group, progress != NULL ? progress : "unnamed-replay");
}

rd_kafka_conf_t *kafka_stretch_conf(const struct kafka_source_config *config, const char *progress, struct error *error)
{
    const bool told = kafka_properties_have(&config->connection.properties, "auto.commit.interval.ms");
    char interval[24];
    /* Each run another one: who commits in step with another never finds that one's commit (stretch_rival.c). */
    snprintf(interval, sizeof interval, "%d", 700 + (int)(clock_wall_ms() % 600));
    const struct kafka_setting own[] = {
        {"auto.commit.interval.ms", told ? NULL : interval},
        {"enable.auto.commit", progress != NULL ? "true" : "false"},
        {"allow.auto.create.topics", "false"},
        /* Of a member; what is set for the live one's protocol may not go together in this one. */
        {"session.timeout.ms", "45000"},
        {"max.poll.interval.ms", "300000"},
        {NULL, NULL},
    };
    struct kafka_source_config alone = *config;
    char group[KAFKA_STRETCH_GROUP];
    kafka_stretch_group(config, progress, group);
    alone.group = group;
    alone.instance = NULL;
    /* Whoever is no member commits in the classic protocol. */
    alone.protocol = KAFKA_PROTOCOL_CLASSIC;
    return kafka_conf_with(kafka_source_conf(&alone, error), own, error);
}

enum status kafka_stretch_committed(struct kafka_client *client, struct context *context,
                                    rd_kafka_topic_partition_list_t *list, struct error *error)
{
    rd_kafka_resp_err_t err = kafka_ask_committed(client, context, list);
    for (int i = 0; i < list->cnt && err == RD_KAFKA_RESP_ERR_NO_ERROR; i++)
        err = list->elems[i].err;
    return kafka_ask_judge(client, err, "the offsets that its group keeps", error);
}
