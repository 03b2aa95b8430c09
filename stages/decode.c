/*
 * decode: makes a document out of a record's value: inflates it, parses it, indexes its members.
 *
 * Memory: inflated values lie in the batch's arena, so the batch is cut when that has grown past BATCH_LIMIT. A parser's buffers take about
 * 14 bytes for each byte of the largest text: they are paid from the budget, and given back after the batch when they are large; texts past LARGE_TEXT
 * are parsed one at a time in the whole stage.
 */
#include <pthread.h>
#include <stdlib.h>

#include "config/table.h"
#include "processor/budget.h"
#include "processor/check.h"
#include "processor/stage.h"
#include "stages/codec.h"
#include "stages/file.h"
#include "stages/json_document.h"
#include "stages/simdjson.h"

/* Of the budget: what a worker's parser may keep. */
enum { KEPT_SHARE = 32 };
enum { LARGE_TEXT = 1024 * 1024, DICTIONARY_MAX = 16 * 1024 * 1024, CODECS = 4 };

enum format { FORMAT_JSON, FORMAT_RAW };
enum empty { EMPTY_REJECT, EMPTY_DROP, EMPTY_FORWARD };
/* In the order of COMPRESSIONS; between none and auto they are indexes into codec_types, one more. */
enum compression {
    COMPRESSION_NONE,
    COMPRESSION_ZSTD,
    COMPRESSION_GZIP,
    COMPRESSION_LZ4,
    COMPRESSION_SNAPPY,
    COMPRESSION_AUTO
};

static const char *const FORMATS[] = {"json", "raw", NULL};
static const char *const EMPTIES[] = {"reject", "drop", "forward", NULL};
static const char *const COMPRESSIONS[] = {"none", "zstd", "gzip", "lz4", "snappy", "auto", NULL};

struct decode_config {
    struct config_head head;
    int format, compression, empty;
    const char *dictionary;
    int64_t max_size;
};

struct decode {
    const struct decode_config *config;
    void *dictionary;      /* digested; NULL: none */
    pthread_mutex_t large; /* held while a large text is parsed; guards nothing but memory */
    struct budget *budget; /* NULL: nobody counts */
};

struct decode_worker {
    struct decode *decode;
    struct simdjson_parser *parser;
    struct codec codecs[CODECS]; /* as codec_types; made when first needed */
    size_t paid;                 /* to the budget, for the parser's buffers */
};

static void decode_close(void *stage)
{
    struct decode *decode = stage;
    if (decode == NULL)
        return;
    if (decode->dictionary != NULL)
        codec_zstd.unload(decode->dictionary);
    CHECK_CALL(pthread_mutex_destroy(&decode->large));
    free(decode);
}

static enum status load_dictionary(struct decode *decode, const struct stage_env *env, struct error *error)
{
    char *path = file_resolve(env->config_dir, decode->config->dictionary);
    if (path == NULL)
        return error_set(error, ERROR_TRANSIENT, "out of memory");
    uint8_t *data;
    size_t size;
    enum status status = file_read(path, DICTIONARY_MAX, &data, &size, NULL, error);
    if (status == STATUS_OK) {
        decode->dictionary = codec_zstd.load(bytes_of(data, (uint32_t)size));
        free(data);
        if (decode->dictionary == NULL)
            status = error_set(error, ERROR_FATAL,
                               "%s: expected a zstd dictionary (zstd --train makes one), found none", path);
    }
    free(path);
    return status;
}

static enum status decode_init(const void *config, const struct stage_env *env, void **ret_stage, struct error *error)
{
    struct decode *decode = calloc(1, sizeof *decode);
    if (decode == NULL)
        return error_set(error, ERROR_TRANSIENT, "out of memory");
    decode->config = config;
    decode->budget = env->budget;
    CHECK_CALL(pthread_mutex_init(&decode->large, NULL));
    if (decode->config->dictionary != NULL) {
        enum status status = load_dictionary(decode, env, error);
        if (status != STATUS_OK) {
            decode_close(decode);
            return status;
        }
    }
    *ret_stage = decode;
    return STATUS_OK;
}

static enum status decode_start(void *stage, void **ret_worker, struct error *error)
{
    struct decode_worker *worker = calloc(1, sizeof *worker);
    if (worker != NULL)
        worker->parser = simdjson_new();
    if (worker == NULL || worker->parser == NULL) {
        free(worker);
        return error_set(error, ERROR_TRANSIENT, "out of memory");
    }
    worker->decode = stage;
    *ret_worker = worker;
    return STATUS_OK;
}

/* The parser's buffers count as records' memory does. */
static void pay(struct decode_worker *worker, size_t owed)
{
    struct budget *budget = worker->decode->budget;
    if (budget != NULL && owed > worker->paid)
        budget_take(budget, owed - worker->paid);
    else if (budget != NULL && owed < worker->paid)
        budget_give(budget, worker->paid - owed);
    worker->paid = owed;
}

/* Large buffers are kept to the end of the batch only, or workers that have nothing to do would hold the budget that the source waits for. */
static void settle_up(struct decode_worker *worker)
{
    struct budget *budget = worker->decode->budget;
    if (budget == NULL)
        return;
    if (simdjson_memory(worker->parser) > budget_size(budget) / KEPT_SHARE)
        simdjson_shrink(worker->parser, 0);
    pay(worker, simdjson_memory(worker->parser));
}

static void decode_stop(void *arg)
{
    struct decode_worker *worker = arg;
    if (worker == NULL)
        return;
    pay(worker, 0);
    for (int i = 0; i < CODECS; i++)
        codec_fini(&worker->codecs[i]);
    simdjson_free(worker->parser);
    free(worker);
}

/* Which codec the value wants: an index into codec_types, or -1 for none. */
static int choose_codec(const struct decode_config *config, struct bytes value)
{
    if (config->compression != COMPRESSION_AUTO)
        return config->compression - 1;
    for (int i = 0; i < CODECS; i++) {
        if (codec_types[i]->recognises(value))
            return i;
    }
    return -1;
}

static void reject_size(const struct decode_worker *worker, struct batch *batch, struct record *record,
                        const char *what)
{
    batch_reject(batch, record, "size", "%s than max_size allows: %lld", what,
                 (long long)worker->decode->config->max_size);
}

/* *value: as received, then inflated. false: the record is answered. */
static bool inflate_value(struct decode_worker *worker, struct batch *batch, struct record *record, struct bytes *value)
{
    int which = choose_codec(worker->decode->config, *value);
    if (which < 0)
        return true;
    struct codec *codec = &worker->codecs[which];
    const struct codec_type *type = codec_types[which];
    const char *why = "";
    enum codec_answer answer = CODEC_NO_MEMORY;
    if (codec->context != NULL ||
        codec_init(codec, type, type->load != NULL ? worker->decode->dictionary : NULL) == STATUS_OK)
        answer = codec_inflate(codec, *value, (size_t)worker->decode->config->max_size, &batch->arena, value, &why);
    switch (answer) {
    case CODEC_OK:
        return true;
    case CODEC_FULL:
        reject_size(worker, batch, record, "the value inflates to more bytes");
        return false;
    case CODEC_BROKEN:
        batch_reject(batch, record, "codec", "%s: %s", type->name, why);
        return false;
    default:
        batch_retry(batch, record, "memory", "no memory to inflate the value");
        return false;
    }
}

static void answer_empty(const struct decode_config *config, struct batch *batch, struct record *record,
                         struct bytes value)
{
    switch (config->empty) {
    case EMPTY_DROP:
        batch_drop(record);
        break;
    case EMPTY_FORWARD:
        record->document = (struct document){.kind = DOCUMENT_NULL, .text = value};
        break;
    default:
        batch_reject(batch, record, "empty",
                     "expected a value, found %s; `empty: drop` or `empty: forward` lets it pass",
                     value.data == NULL ? "null (a tombstone)" : "no bytes");
    }
}

static void answer_fault(struct batch *batch, struct record *record, const struct json_fault *fault)
{
    if (fault->at < 0)
        batch_reject(batch, record, fault->class, "%s", fault->words);
    else
        batch_reject(batch, record, fault->class, "%s, at byte %ld", fault->words, fault->at);
}

static void parse_value(struct decode_worker *worker, struct batch *batch, struct record *record, struct bytes value)
{
    struct json_fault fault;
    bool large = value.size > LARGE_TEXT;
    if (large)
        CHECK_CALL(pthread_mutex_lock(&worker->decode->large));
    enum status status = json_document(worker->parser, value, &batch->arena, &record->document, &fault);
    pay(worker, simdjson_memory(worker->parser));
    if (large) {
        simdjson_shrink(worker->parser, LARGE_TEXT);
        pay(worker, simdjson_memory(worker->parser));
        CHECK_CALL(pthread_mutex_unlock(&worker->decode->large));
    }
    if (__builtin_expect(status == STATUS_OK, 1))
        return;
    if (status == STATUS_FAILED)
        answer_fault(batch, record, &fault);
    else
        batch_retry(batch, record, "memory", "no memory to parse the value");
}

static void decode_record(struct decode_worker *worker, struct batch *batch, struct record *record)
{
    const struct decode_config *config = worker->decode->config;
    struct bytes value = record->value;
    if (value.size > 0 && !inflate_value(worker, batch, record, &value))
        return;
    if (value.size == 0)
        answer_empty(config, batch, record, value);
    else if (value.size > (uint64_t)config->max_size)
        reject_size(worker, batch, record, "the value has more bytes");
    else if (config->format == FORMAT_JSON)
        parse_value(worker, batch, record, value);
    else
        record->document = (struct document){.kind = DOCUMENT_RAW, .text = value};
}

static void decode_batch(struct decode_worker *worker, struct batch *batch)
{
    BATCH_EACH(batch, record)
    {
        decode_record(worker, batch, record);
        uint32_t next = (uint32_t)(record - batch->records) + 1;
        /* Not when asked again: the records behind a repeated one have been decoded before. */
        if (batch->arena.held > BATCH_LIMIT && next < batch->count && record->attempts == 0) {
            batch->cut = next;
            return;
        }
    }
}

static void decode_process(void *stage, void *worker, struct batch *batch)
{
    (void)stage;
    decode_batch(worker, batch);
    settle_up(worker);
}

static void decode_check(const void *arg, struct config_report *report)
{
    const struct decode_config *config = arg;
    if (config->dictionary != NULL && config->compression != COMPRESSION_ZSTD &&
        config->compression != COMPRESSION_AUTO)
        config_error(report, config_tree_get(config->head.node, "dictionary"),
                     "a dictionary is for `compression: zstd` or `auto`, found `compression: %s`",
                     COMPRESSIONS[config->compression]);
}

static const struct config_field DECODE_FIELDS[] = {
    {.name = "format",
     .help = "What a value holds: JSON text (RFC 8259, checked in full), or bytes that are passed on as they are.",
     .kind = CONFIG_ENUM,
     .offset = offsetof(struct decode_config, format),
     .fallback = "json",
     .choices = FORMATS},
    {.name = "compression",
     .help = "How each value is compressed by itself (the topic's own compression needs nothing here); auto looks at "
             "its first bytes.",
     .kind = CONFIG_ENUM,
     .offset = offsetof(struct decode_config, compression),
     .fallback = "none",
     .choices = COMPRESSIONS},
    {.name = "dictionary",
     .help = "File with the zstd dictionary that the values were compressed with.",
     .kind = CONFIG_STRING,
     .offset = offsetof(struct decode_config, dictionary)},
    {.name = "max_size",
     .help = "The largest value, in bytes after decompression; a larger one is a record error of class size.",
     .kind = CONFIG_SIZE,
     .offset = offsetof(struct decode_config, max_size),
     .fallback = "16MiB",
     .min = 1,
     .max = 1024 * 1024 * 1024},
    {.name = "empty",
     .help = "A value that is null (a tombstone) or has no bytes: a record error, dropped, or forwarded as it is, "
             "past all enrichers.",
     .kind = CONFIG_ENUM,
     .offset = offsetof(struct decode_config, empty),
     .fallback = "reject",
     .choices = EMPTIES},
    {0},
};

static const struct config_table DECODE_TABLE = {
    .name = "decode",
    .help = "Makes a document out of a record's value.",
    .size = sizeof(struct decode_config),
    .fields = DECODE_FIELDS,
    .check = decode_check,
};

static const struct config_field DECODE_CONFIG = {
    .name = "decode",
    .help = "Makes a document out of a record's value.",
    .kind = CONFIG_OBJECT,
    .table = &DECODE_TABLE,
};

const struct stage_type decode_stage = {
    .name = "decode",
    .help = "makes a document out of a record's value",
    .config = &DECODE_CONFIG,
    .init = decode_init,
    .start = decode_start,
    .process = decode_process,
    .stop = decode_stop,
    .close = decode_close,
};
