#include "cli/pipeline.h"

#include "cli/memory.h"

#include <stdlib.h>
#include <string.h>

enum group_state { GROUP_FILLING, GROUP_UNSENT, GROUP_SENT, GROUP_DONE };

struct group {
    enum group_state state;
    size_t count; /* items */
    size_t asked; /* of them sent: those without an error of their own */
    unsigned char *items;
    char *errors[CLI_PIPELINE_GROUP_SIZE];
    shf_op_id id;
    shf_op *op;
};

struct pipeline {
    struct cli_session *session;
    const struct cli_pipeline_type *type;
    void *context;
    struct group groups[CLI_PIPELINE_GROUPS]; /* a ring */
    size_t first, used;
    size_t under_way; /* operations not yet polled */
    bool ended;
    bool narrow;    /* memory ran out: from now on one question at a time */
    shf_op *single; /* the finished operation of a question that was asked alone */
};

static struct group *group_at(struct pipeline *p, size_t i) { return &p->groups[(p->first + i) % CLI_PIPELINE_GROUPS]; }

static void *item_at(const struct pipeline *p, const struct group *group, size_t i) {
    return group->items + i * p->type->item_size;
}

static void clear_group(struct pipeline *p, struct group *group) {
    for (size_t i = 0; i < group->count; i++) {
        p->type->free_item(item_at(p, group, i));
        free(group->errors[i]);
        group->errors[i] = NULL;
    }
    shf_op_release(group->op);
    group->op = NULL;
    group->count = 0;
}

static bool stopping(const struct pipeline *p) { return cli_session_stopping(p->session); }

/* Takes finished operations; the tag says whose they are. */
static bool drain(struct pipeline *p) {
    shf_op *ops[CLI_PIPELINE_GROUPS];
    size_t n = shf_cq_poll(p->session->cq, ops, CLI_PIPELINE_GROUPS, 0);
    for (size_t i = 0; i < n; i++) {
        struct group *group = shf_op_tag(ops[i]);
        p->under_way--;
        if (!group) {
            p->single = ops[i];
            continue;
        }
        group->op = ops[i];
        group->state = GROUP_DONE;
        if (shf_op_status(ops[i]) == SHF_E_NO_MEMORY) p->narrow = true;
    }
    return n > 0;
}

/* Sends what can be sent of a group. Refused for now (full, no memory): it stays unsent and is asked one by one. */
static void send_group(struct pipeline *p, struct group *group) {
    void *items[CLI_PIPELINE_GROUP_SIZE];
    shf_call call = cli_session_call(p->session, group);
    group->asked = 0;
    for (size_t i = 0; i < group->count; i++) {
        if (!group->errors[i]) items[group->asked++] = item_at(p, group, i);
    }
    group->state = GROUP_UNSENT;
    if (p->narrow || stopping(p)) return;
    if (!group->asked) {
        group->state = GROUP_DONE;
        return;
    }
    if (p->type->submit(p->context, items, group->asked, &call, &group->id) != SHF_OK) return;
    group->state = GROUP_SENT;
    p->under_way++;
}

/* Reads items until the window is full or no input is there. */
static enum cli_input fill(struct pipeline *p) {
    while (!p->ended && !stopping(p)) {
        struct group *group = p->used ? group_at(p, p->used - 1) : NULL;
        if (!group || group->state != GROUP_FILLING) {
            if (p->used == CLI_PIPELINE_GROUPS) return CLI_INPUT_READY;
            group = group_at(p, p->used++);
            group->state = GROUP_FILLING;
            group->count = 0;
        }
        void *item = item_at(p, group, group->count);
        memset(item, 0, p->type->item_size);
        enum cli_input input = p->type->next(p->context, item, &group->errors[group->count]);
        if (input == CLI_INPUT_READY) {
            if (++group->count == p->type->group_size) send_group(p, group);
            continue;
        }
        p->ended = input != CLI_INPUT_WAIT;
        if (group->count)
            send_group(p, group);
        else
            p->used--;
        if (!p->ended) return input;
    }
    return CLI_INPUT_END;
}

static void print_group(struct pipeline *p, struct group *group) {
    size_t index = 0;
    for (size_t i = 0; i < group->count && !p->session->out.failed; i++) {
        const char *error = group->errors[i];
        p->type->print(p->context, item_at(p, group, i), error ? NULL : group->op, error ? 0 : index, error);
        if (!error) index++;
    }
}

/* Asks one item and waits for it; other operations may finish meanwhile. */
static void ask_single(struct pipeline *p, void *item) {
    shf_call call = cli_session_call(p->session, NULL);
    shf_op_id id = 0;
    bool cancelled = false;
    shf_status status = p->type->submit(p->context, &item, 1, &call, &id);
    if (status != SHF_OK) {
        p->type->print(p->context, item, NULL, 0, shf_status_text(status));
        return;
    }
    p->under_way++;
    for (p->single = NULL; !p->single;) {
        if (drain(p)) continue;
        if (stopping(p) && !cancelled) {
            shf_cancel(p->session->runtime, id);
            cancelled = true;
        }
        cli_session_wait(p->session, -1);
    }
    const char *error = shf_op_status(p->single) == SHF_OK ? NULL : shf_error_message(shf_op_error(p->single));
    if (!stopping(p)) p->type->print(p->context, item, error ? NULL : p->single, 0, error);
    shf_op_release(p->single);
    p->single = NULL;
}

/* Results of later groups go when memory is short; they are asked again in their turn. */
static void give_memory_back(struct pipeline *p) {
    while (p->under_way && !stopping(p)) {
        if (!drain(p)) cli_session_wait(p->session, -1);
    }
    for (size_t i = 0; i < p->used; i++) {
        struct group *group = group_at(p, i);
        if (group->state != GROUP_DONE || !group->op) continue;
        shf_op_release(group->op);
        group->op = NULL;
        group->state = GROUP_UNSENT;
    }
}

static void ask_one_by_one(struct pipeline *p, struct group *group) {
    shf_op_release(group->op);
    group->op = NULL;
    if (p->narrow) give_memory_back(p);
    for (size_t i = 0; i < group->count && !stopping(p); i++) {
        void *item = item_at(p, group, i);
        if (group->errors[i])
            p->type->print(p->context, item, NULL, 0, group->errors[i]);
        else
            ask_single(p, item);
    }
}

/* A failure that would only repeat itself, or ends everything, is not asked again. */
static bool worth_asking_again(const struct pipeline *p, const struct group *group) {
    shf_status status = shf_op_status(group->op);
    return (group->asked > 1 || p->narrow) && status != SHF_E_DEADLINE && status != SHF_E_CANCELLED &&
           status != SHF_E_CLOSED;
}

static void spread_error(struct group *group) {
    for (size_t i = 0; i < group->count; i++) {
        if (!group->errors[i]) group->errors[i] = cli_strdup(shf_error_message(shf_op_error(group->op)));
    }
}

/* Prints the groups at the head that are answered. */
static bool print_answered(struct pipeline *p) {
    bool progress = false;
    while (p->used && !stopping(p)) {
        struct group *group = group_at(p, 0);
        if (group->state == GROUP_FILLING || group->state == GROUP_SENT) break;
        bool failed = group->op && shf_op_status(group->op) != SHF_OK;
        if (group->state == GROUP_UNSENT || (failed && worth_asking_again(p, group))) {
            ask_one_by_one(p, group);
        } else {
            if (failed) spread_error(group);
            print_group(p, group);
        }
        clear_group(p, group);
        p->first = (p->first + 1) % CLI_PIPELINE_GROUPS;
        p->used--;
        progress = true;
    }
    return progress;
}

/* After an interrupt or a broken output: everything under way is cancelled and taken. */
static void abandon(struct pipeline *p) {
    for (size_t i = 0; i < p->used; i++) {
        struct group *group = group_at(p, i);
        if (group->state == GROUP_SENT) shf_cancel(p->session->runtime, group->id);
    }
    while (p->under_way) {
        if (!drain(p)) cli_session_wait(p->session, -1);
    }
    for (size_t i = 0; i < p->used; i++) clear_group(p, group_at(p, i));
}

void cli_pipeline_run(struct cli_session *session, const struct cli_pipeline_type *type, void *context) {
    struct pipeline *p = cli_alloc(sizeof *p);
    p->session = session;
    p->type = type;
    p->context = context;
    for (size_t i = 0; i < CLI_PIPELINE_GROUPS; i++) {
        p->groups[i].items = cli_alloc_array(type->group_size, type->item_size);
    }
    while (!stopping(p)) {
        enum cli_input input = fill(p);
        bool progress = drain(p);
        progress |= print_answered(p);
        if (p->ended && !p->used) break;
        if (progress) continue;
        cli_session_wait(session, input == CLI_INPUT_WAIT ? type->input_fd : -1);
    }
    abandon(p);
    for (size_t i = 0; i < CLI_PIPELINE_GROUPS; i++) free(p->groups[i].items);
    free(p);
}
