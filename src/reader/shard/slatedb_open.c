/* Opening a SlateDB database: manifest, WAL (slatedb_wal.c), SSTs. */
#include "base/alloc.h"
#include "base/arena.h"
#include "base/clock.h"
#include "reader/shard/shard.h"

#include <stdio.h>
#include <stdlib.h>

static shf_runtime *runtime_of(const struct shf_slatedb_opening *opening) { return opening->shard->source->runtime; }

static void drop_all(struct shf_slatedb_opening *opening) {
    shf_newest_clear(&opening->newest);
    opening->downloaded_bytes += shf_object_group_clear(&opening->group);
}

/* An object that the manifest names is gone: a newer manifest may name others. True when it was begun anew. */
static bool begin_again(struct shf_slatedb_opening *opening, shf_status status, struct shf_error *error) {
    if (status != SHF_E_NOT_FOUND || opening->asked_again || !opening->made) return false;
    shf_log_write(shf_rt_log(runtime_of(opening)), SHF_LOG_WARNING, "looking for a newer manifest: %s",
                  shf_error_message(error));
    shf_error_free(error);
    drop_all(opening);
    shf_slatedb_free(opening->made);
    opening->made = NULL;
    opening->asked_again = true;
    shf_slatedb_opening_start(opening);
    return true;
}

/* One that is gone may be so because of a newer manifest; nothing else is mended by waiting for the others. */
void shf_slatedb_opening_lacks(struct shf_slatedb_opening *opening, shf_status status) {
    if (status != SHF_E_NOT_FOUND || opening->asked_again) opening->failing(opening);
}

/* On a worker. */
static void end(struct shf_slatedb_opening *opening, shf_status status, struct shf_error *error) {
    if (begin_again(opening, status, error)) return;
    drop_all(opening);
    if (status) {
        shf_slatedb_free(opening->made);
        opening->made = NULL;
    }
    opening->status = status;
    opening->error = error;
    opening->done(opening);
}

/* ---- SSTs ---- */

static void object_failing(struct shf_object_group *group, shf_status status) {
    shf_slatedb_opening_lacks(SHF_CONTAINER(group, struct shf_slatedb_opening, group), status);
}

static void objects_there(struct shf_object_group *group) {
    struct shf_slatedb_opening *opening = SHF_CONTAINER(group, struct shf_slatedb_opening, group);
    struct shf_slatedb *slatedb = opening->made;
    struct shf_error *error = group->error;
    shf_status status = group->status;
    for (uint32_t i = 0; i < group->count && !status; i++) {
        slatedb->tables[i].file = group->objects[i].file;
        group->objects[i].file.buf = NULL;
    }
    if (!status) status = shf_slatedb_open_tables(slatedb, &error);
    end(opening, status, error);
}

struct place {
    struct shf_slatedb_ulid id;
    uint32_t place;
};

static int by_id(const void *a, const void *b) {
    const struct place *x = a, *y = b;
    int order = shf_slatedb_ulid_compare(x->id, y->id);
    return order ? order : (x->place > y->place) - (x->place < y->place);
}

/* Each SST once, however many places it has. */
static shf_status number_tables(struct shf_slatedb *slatedb, struct place *places, struct shf_error **error) {
    const struct shf_slatedb_manifest *manifest = slatedb->manifest;
    uint32_t first = 0; /* place of the same SST */
    for (uint32_t i = 0; i < manifest->sst_count; i++) places[i] = (struct place){manifest->ssts[i].id, i};
    if (manifest->sst_count) qsort(places, manifest->sst_count, sizeof *places, by_id);
    for (uint32_t i = 0; i < manifest->sst_count; i++) {
        if (i == 0 || shf_slatedb_ulid_compare(places[i].id, places[i - 1].id) != 0) {
            slatedb->table_count++;
            first = i;
        }
        if (i - first == SHF_LIMIT_SLATEDB_PLACES_OF_SST) {
            return shf_error_set(error, SHF_E_LIMIT, "the manifest names one SST in more than %u places", i - first);
        }
        slatedb->table_of[places[i].place] = slatedb->table_count - 1;
    }
    slatedb->tables = shf_alloc_zero(slatedb->table_count, sizeof *slatedb->tables);
    if (slatedb->tables) return SHF_OK;
    return shf_error_set(error, SHF_E_NO_MEMORY, "no memory for %u SSTs", slatedb->table_count);
}

static shf_status list_tables(struct shf_slatedb_opening *opening, struct shf_error **error) {
    struct shf_slatedb *slatedb = opening->made;
    const struct shf_slatedb_manifest *manifest = slatedb->manifest;
    uint64_t bytes = opening->newest.body->size + /* the manifest has a copy */
                     (uint64_t)manifest->sst_count * (sizeof *manifest->ssts + sizeof *slatedb->table_of +
                                                      sizeof *slatedb->tables + sizeof *opening->group.objects);
    if (!shf_budget_take(slatedb->budget, bytes)) {
        return shf_budget_refuse(slatedb->budget, bytes, "the list of SSTs", error);
    }
    slatedb->charged_bytes += bytes;
    struct place *places = shf_alloc_array(manifest->sst_count, sizeof *places);
    slatedb->table_of = shf_alloc_array(manifest->sst_count, sizeof *slatedb->table_of);
    shf_status status = SHF_OK;
    if (!places || !slatedb->table_of) {
        status = shf_error_set(error, SHF_E_NO_MEMORY, "no memory for %u SSTs", manifest->sst_count);
    }
    if (!status) status = number_tables(slatedb, places, error);
    shf_free(places);
    return status;
}

static shf_status name_objects(struct shf_slatedb_opening *opening, struct shf_error **error) {
    const struct shf_slatedb *slatedb = opening->made;
    struct shf_object_group *group = &opening->group;
    group->objects = shf_alloc_zero(slatedb->table_count, sizeof *group->objects);
    if (!group->objects) return shf_error_set(error, SHF_E_NO_MEMORY, "no memory for %u SSTs", slatedb->table_count);
    group->count = slatedb->table_count;
    group->done = objects_there;
    group->failing = object_failing;
    for (uint32_t i = 0; i < slatedb->manifest->sst_count; i++) {
        struct shf_object *object = &group->objects[slatedb->table_of[i]];
        const struct shf_slatedb_object name = {.kind = SHF_SLATEDB_SST, .ulid = slatedb->manifest->ssts[i].id};
        char text[SHF_SLATEDB_NAME_BYTES];
        if (object->shard) continue;
        shf_slatedb_name_format(&name, text);
        object->shard = opening->shard;
        object->key = shf_shard_key_of(opening->shard, text);
        object->kind = "sst";
        object->cancel = opening->cancel;
    }
    return SHF_OK;
}

void shf_slatedb_opening_go_on(struct shf_slatedb_opening *opening, shf_status status, struct shf_error *error) {
    shf_slatedb_wal_load_free(opening->wal);
    opening->wal = NULL;
    if (!status) status = list_tables(opening, &error);
    if (!status) status = name_objects(opening, &error);
    if (status || opening->group.count == 0) {
        end(opening, status, error);
    } else {
        shf_object_group_start(&opening->group);
    }
}

/* ---- manifest ---- */

static const char *choose_manifest(char *const *names, size_t count) {
    const char *chosen = NULL;
    uint64_t latest = 0;
    for (size_t i = 0; i < count; i++) {
        char name[SHF_SLATEDB_NAME_BYTES];
        uint64_t before = latest;
        int size = snprintf(name, sizeof name, SHF_SLATEDB_MANIFESTS "%s", names[i]);
        if (size < 0 || (size_t)size >= sizeof name) continue; /* longer than any name of the format */
        shf_slatedb_latest_manifest(&latest, name, (size_t)size);
        if (latest != before) chosen = names[i];
    }
    return chosen;
}

static shf_status parse_manifest(struct shf_slatedb_opening *opening, struct shf_error **error) {
    const struct shf_newest *newest = &opening->newest;
    shf_status status = shf_shard_check_cancelled(opening->cancel, error);
    if (status) return status;
    struct shf_slatedb *slatedb = shf_alloc_zero(1, sizeof *slatedb);
    if (!slatedb) return shf_error_set(error, SHF_E_NO_MEMORY, "no memory for a SlateDB database");
    opening->made = slatedb;
    slatedb->budget = shf_rt_budget(runtime_of(opening));
    status = shf_slatedb_manifest_parse(newest->body->data, newest->body->size, &slatedb->manifest, error);
    if (status) shf_error_prefix(error, SHF_SLATEDB_MANIFESTS "%s", newest->name);
    return status;
}

static void parse_task(struct shf_task *task) {
    struct shf_slatedb_opening *opening = SHF_CONTAINER(task, struct shf_slatedb_opening, task);
    struct shf_error *error = opening->newest.error;
    shf_status status = opening->newest.status;
    opening->newest.error = NULL;
    if (!status && !opening->newest.name) {
        opening->is_absent = true;
        status = shf_error_set(&error, SHF_E_NOT_FOUND, "there is no SlateDB manifest below %s", opening->shard->url);
    }
    if (!status) status = parse_manifest(opening, &error);
    if (status) {
        end(opening, status, error);
    } else {
        shf_slatedb_wal_start(opening);
    }
}

static void manifest_there(struct shf_newest *newest) {
    struct shf_slatedb_opening *opening = SHF_CONTAINER(newest, struct shf_slatedb_opening, newest);
    opening->task.run = parse_task;
    shf_rt_post_worker(runtime_of(opening), &opening->task);
}

void shf_slatedb_opening_start(struct shf_slatedb_opening *opening) {
    opening->newest = (struct shf_newest){.shard = opening->shard,
                                          .directory = shf_shard_key_of(opening->shard, SHF_SLATEDB_MANIFESTS),
                                          .max_bytes = SHF_LIMIT_SLATEDB_MANIFEST_BYTES,
                                          .choose = choose_manifest,
                                          .cancel = opening->cancel,
                                          .done = manifest_there};
    shf_newest_start(&opening->newest);
}
