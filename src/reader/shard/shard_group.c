#include "reader/shard/shard_group.h"

#include "base/alloc.h"

struct shf_group_member {
    struct shf_shard_waiter waiter;
    struct shf_shard_group *group;
};

static void advance(struct shf_shard_group *group);

static void member_done(struct shf_shard_waiter *waiter, shf_status status, struct shf_error *error) {
    struct shf_group_member *member = SHF_CONTAINER(waiter, struct shf_group_member, waiter);
    struct shf_shard_group *group = member->group;
    group->pending--;
    group->downloaded_bytes += waiter->downloaded_bytes;
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

static void advance(struct shf_shard_group *group) {
    const uint32_t limit = group->count ? group->shards[0]->source->max_concurrency : 0;
    group->starting = true; /* members that are done at once come back through member_done: do not nest */
    while (!group->status && group->next < group->count && group->pending < limit) {
        uint32_t index = group->next++;
        struct shf_group_member *member = &group->members[index];
        member->group = group;
        member->waiter.wait.deadline_ns = group->deadline_ns;
        member->waiter.wait.cancel = group->cancel;
        member->waiter.done = member_done;
        group->pending++;
        if (!shf_shard_is_ready(group->shards[index])) group->opened++;
        shf_shard_wait(group->shards[index], &member->waiter);
    }
    if (group->status && group->pending) leave_all(group);
    group->starting = false;
    if (group->pending || (!group->status && group->next < group->count)) return;
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
