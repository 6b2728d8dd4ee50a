/* Several objects: a few lanes, each of which brings one in after the other. */
#include "reader/shard/object.h"

#include "base/alloc.h"

#define LANES 8u

static void go_on(struct shf_object_group *group);

static void object_done(struct shf_object *object) {
    struct shf_object_group *group = object->owner;
    if (object->status && !atomic_exchange(&group->failed, true)) {
        group->status = object->status;
        group->error = object->error;
        object->error = NULL;
        if (group->failing) group->failing(group, object->status); /* before this lane ends, so before `done` */
    }
    go_on(group);
}

/* A lane takes its next object; the last one to find none ends the group. */
static void go_on(struct shf_object_group *group) {
    uint32_t index = atomic_fetch_add(&group->next, 1);
    if (index < group->count && !atomic_load(&group->failed)) {
        shf_object_start(&group->objects[index]);
    } else if (atomic_fetch_sub(&group->lanes, 1) == 1) {
        group->done(group);
    }
}

void shf_object_group_start(struct shf_object_group *group) {
    uint32_t lanes = group->count < LANES ? group->count : LANES;
    for (uint32_t i = 0; i < group->count; i++) {
        group->objects[i].owner = group;
        group->objects[i].done = object_done;
    }
    atomic_init(&group->next, lanes);
    atomic_init(&group->lanes, lanes);
    atomic_init(&group->failed, false);
    /* The first ones may be done before the last ones begin; the group lives until every lane has ended. */
    for (uint32_t i = 0; i < lanes; i++) shf_object_start(&group->objects[i]);
}

uint64_t shf_object_group_clear(struct shf_object_group *group) {
    uint64_t downloaded_bytes = 0;
    for (uint32_t i = 0; group->objects && i < group->count; i++) {
        downloaded_bytes += group->objects[i].downloaded_bytes;
        shf_object_clear(&group->objects[i]);
    }
    shf_free(group->objects);
    *group = (struct shf_object_group){0};
    return downloaded_bytes;
}
