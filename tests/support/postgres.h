/*
 * The PostgreSQL store by itself on a real server, whose connection string is in WEIR_TEST_POSTGRES (a superuser's). Each test has the schema `t` for itself, and a connection of its own
 * to look with.
 */
#ifndef WEIR_TESTS_SUPPORT_POSTGRES_H
#define WEIR_TESTS_SUPPORT_POSTGRES_H

#include <libpq-fe.h>

#include "tests/support/stored.h"

struct postgres_scene {
    struct stored stored;
    PGconn *pg; /* the test's own connection */
};

extern const char POSTGRES_ORDERS[]; /* the table of stored_batch's orders, id the key */
extern const char POSTGRES_APPEND[]; /* configs for it, without the dsn */
extern const char POSTGRES_UPSERT[];

const char *postgres_scene_dsn(void);
/* setup: statements that make what the test needs. yaml: what stands beside `dsn` in the config. */
void postgres_scene_begin(struct postgres_scene *scene, const char *setup, const char *yaml);
/* The same with a dsn that is not the server's own. */
void postgres_scene_begin_at(struct postgres_scene *scene, const char *dsn, const char *setup, const char *yaml);
void postgres_scene_end(struct postgres_scene *scene);
void postgres_scene_open(struct postgres_scene *scene); /* asserts that it goes well */
/* Statements that must go well. */
void postgres_scene_run(struct postgres_scene *scene, const char *sql);
/* The first value of a query's answer, "NULL" for none; lives until the next call. */
const char *postgres_scene_ask(struct postgres_scene *scene, const char *sql);
long postgres_scene_count(struct postgres_scene *scene, const char *sql);
/* Asks until it is so many, for ten seconds at most; then the test fails. */
void postgres_scene_await(struct postgres_scene *scene, const char *sql, long count);
/* Writes, flushes and frees; asserts that all goes well. */
void postgres_scene_put(struct postgres_scene *scene, struct batch *batch);
void postgres_scene_put_json(struct postgres_scene *scene, const char *json);
/* Writes and flushes as the framework does: what is rejected has its verdict, the rest comes again. Answers how often it was flushed. */
unsigned postgres_scene_settle(struct postgres_scene *scene, struct batch **batches, unsigned count);
unsigned postgres_scene_rejected(struct batch **batches, unsigned count);

#endif
