/*
 * A stream of questions (keys, queries) answered in order while a window of them is under way. Questions travel in
 * groups, one operation a group; what is held is bounded by CLI_PIPELINE_GROUPS groups. A group whose operation
 * fails is asked again one by one, so that one bad question spoils no other.
 */
#ifndef CLI_PIPELINE_H
#define CLI_PIPELINE_H

#include "cli/lines.h"
#include "cli/session.h"

#define CLI_PIPELINE_GROUPS 16u
#define CLI_PIPELINE_GROUP_SIZE 64u

struct cli_pipeline_type {
    size_t item_size;
    size_t group_size; /* at most CLI_PIPELINE_GROUP_SIZE */
    int input_fd;      /* to wait on; -1 = input is always there */
    /* Fills one item. A question that is wrong in itself is an item with *error set (the caller's to free). */
    enum cli_input (*next)(void *context, void *item, char **error);
    shf_status (*submit)(void *context, void *const *items, size_t count, const shf_call *call, shf_op_id *id);
    /* One answer: part `index` of op, or the error. */
    void (*print)(void *context, const void *item, const shf_op *op, size_t index, const char *error);
    void (*free_item)(void *item);
};

/* Runs until the input ends or the session is stopping. */
void cli_pipeline_run(struct cli_session *session, const struct cli_pipeline_type *type, void *context);

#endif
