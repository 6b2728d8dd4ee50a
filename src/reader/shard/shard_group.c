#include "reader/shard/shard_group.h"

#include "base/alloc.h"

struct shf_group_member {
    struct shf_shard_waiter waiter;
    struct shf_shard_group *group;
    bool is_held;
};

static void advance(struct shf_shard_group *group);

static void member_done(struct shf_shard_waiter *waiter, shf_status status, struct shf_error *error) {
    struct shf_group_member *member = SHF_CONTAINER(waiter, struct shf_group_member, waiter);
    struct shf_shard_group *group = member->group;
    group->pending--;
    group->downloaded_bytes += waiter->downloaded_bytes;
    member->is_held = status == SHF_OK && group->keeps;
    if (!status && !group->keeps) shf_shard_let_go(waiter->shard);
    if (status && !group->status) {
        group->status = status;
        group->error = error;
    } else {
        shf_error_free(error);
    }
    if (!group->starting) advance(group);
}

/* After a failure nobody waits for the rest: leaving cancels what no other operation needs. */
static void leave_all(struct shf_shard_group *group) {
    for (uint32_t i = 0; i < group->next; i++) {
        shf_wait_end(group->runtime, &group->members[i].waiter.wait, SHF_E_CANCELLED);
    }
}

/* How many may wait at once. Those that nobody keeps are not to be more than may be open. */
static uint32_t limit_of(const struct shf_shard_group *group) {
    if (!group->count) return 0;
    const struct shf_shard *shard = group->shards[0];
    uint32_t limit = shard->source->max_concurrency, open = shard->source->open_shards.limit;
    return shard->use.is_counted && !group->keeps && open < limit ? open : limit;
}

static void start_next(struct shf_shard_group *group) {
    uint32_t index = group->next++;
    struct shf_shard *shard = group->shards[index];
    struct shf_group_member *member = &group->members[index];
    if (group->skips_seen && shard->was_opened) return;
    member->group = group;
    member->waiter.wait.deadline_ns = group->deadline_ns;
    member->waiter.wait.cancel = group->cancel;
    member->waiter.done = member_done;
    group->pending++;
    if (!shf_shard_is_ready(shard)) group->opened++;
    shf_shard_wait(shard, &member->waiter);
}

static void advance(struct shf_shard_group *group) {
    const uint32_t limit = limit_of(group);
    group->starting = true; /* members that are done at once come back through member_done: do not nest */
    while (!group->status && group->next < group->count && group->pending < limit) start_next(group);
    if (group->status && group->pending) leave_all(group);
    group->starting = false;
    if (group->pending || (!group->status && group->next < group->count)) return;
    for (uint32_t i = 0; group->status && i < group->next; i++) {
        if (group->members[i].is_held) shf_shard_let_go(group->shards[i]);
    }
    shf_free(group->members);
    group->members = NULL;
    group->done(group);
}

void shf_shard_group_start(struct shf_shard_group *group) {
    group->status = SHF_OK;
    group->error = NULL;
    group->opened = group->next = group->pending = 0;
    group->downloaded_bytes = 0;
    group->members = shf_alloc_zero(group->count, sizeof *group->members);
    if (!group->members) {
        group->status = shf_error_set(&group->error, SHF_E_NO_MEMORY, "no memory to open %u shards", group->count);
        group->done(group);
        return;
    }
    advance(group);
}
