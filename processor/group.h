/*
 * An errgroup: threads that stand and fall together. The first error cancels the group's context and is what group_wait returns; group_wait joins all members
 * before it returns.
 * Threads: group_go and group_fail from any thread (members included); group_wait from one that is no member.
 */
#ifndef WEIR_PROCESSOR_GROUP_H
#define WEIR_PROCESSOR_GROUP_H

#include "processor/context.h"
#include "processor/error.h"
#include "processor/status.h"

struct group;

/* A member's work. STATUS_FAILED: error tells why and ends the group. Any other status ends only this member. */
typedef enum status group_run(void *arg, struct context *context, struct error *error);

struct group *group_new(struct context *parent) WARN_UNUSED;
/* All members must have been joined by group_wait. NULL is fine. */
void group_free(struct group *group);
struct context *group_context(struct group *group);
/* Starts a member in a thread of its own. name: at most 15 bytes are shown by the system. STATUS_FAILED (with error) when no thread can be had. */
enum status group_go(struct group *group, const char *name, group_run *run, void *arg, struct error *error) WARN_UNUSED;
/* As if a member had failed. */
void group_fail(struct group *group, const struct error *error);
/* Joins the members that have ended by themselves: for pools that shrink. From any thread that is no member. */
void group_reap(struct group *group);
/* Waits for all. STATUS_FAILED: the first error. */
enum status group_wait(struct group *group, struct error *error);
unsigned group_running(struct group *group);

#endif
