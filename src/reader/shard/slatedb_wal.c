/* What the log of a SlateDB database adds to its SSTs: which objects are to be replayed, and whether their rows are in the cache. */
#include "base/alloc.h"
#include "base/text.h"
#include "reader/shard/slatedb_wal_priv.h"

#include <inttypes.h>
#include <stdio.h>

#define WAL "wal/"

void shf_slatedb_wal_load_free(struct shf_slatedb_wal_load *load) {
    if (!load) return;
    shf_wal_drop_fetches(load);
    shf_store_request_clear(&load->listing);
    shf_slatedb_replay_free(load->replay);
    for (uint64_t id = load->first_id; load->bodies && id < load->end_id; id++) {
        shf_buf_release(load->bodies[id - load->first_id]);
    }
    shf_free(load->bodies);
    shf_free(load->directory);
    shf_free(load);
}

static void swap(char **a, char **b) {
    char *other = *a;
    *a = *b;
    *b = other;
}

/*
 * The objects behind the ones that are in SSTs already, without a gap. Nobody leaves one: a reader that went on without
 * the rows of a lost object would give wrong answers.
 */
static shf_status find_objects(struct shf_slatedb_wal_load *load, struct shf_error **error) {
    struct shf_store_request *listing = &load->listing;
    load->end_id = load->first_id;
    for (size_t i = 0; i < listing->name_count; i++) {
        char name[SHF_SLATEDB_NAME_BYTES];
        int size = snprintf(name, sizeof name, WAL "%s", listing->names[i]);
        if (size < 0 || (size_t)size >= sizeof name) continue; /* longer than any name of the format */
        struct shf_slatedb_object object = shf_slatedb_name_parse(name, (size_t)size);
        if (object.kind != SHF_SLATEDB_WAL || object.id < load->first_id) continue;
        if (object.id != load->end_id) {
            shf_wal_name(load->end_id, name);
            return shf_error_set(error, SHF_E_CORRUPT, "%s is missing, though later ones are there: its rows are lost",
                                 name);
        }
        if (object.id == UINT64_MAX) return shf_error_set(error, SHF_E_CORRUPT, "%s: no WAL id follows it", name);
        swap(&listing->names[i], &listing->names[load->end_id - load->first_id]);
        if (listing->versions) swap(&listing->versions[i], &listing->versions[load->end_id - load->first_id]);
        load->end_id++;
    }
    return SHF_OK;
}

/* What the rows depend on: the manifest, and every object that is replayed. */
static shf_status make_identity(struct shf_slatedb_wal_load *load, struct shf_error **error) {
    const struct shf_shard *shard = load->opening->shard;
    const struct shf_newest *newest = &load->opening->newest;
    struct shf_text objects = {0};
    for (uint64_t id = load->first_id; id < load->end_id; id++) {
        const char *version = shf_wal_version(load, id);
        shf_text_format(&objects, "%" PRIu64 " %s\n", id, version ? version : "");
    }
    if (objects.failed) {
        shf_text_free(&objects);
        return shf_error_set(error, SHF_E_NO_MEMORY, "no memory for the list of WAL objects");
    }
    const char *parts[] = {"sorted WAL 1", shard->store->endpoint ? shard->store->endpoint : "",
                           shard->url,     shard->checkpoint_id ? shard->checkpoint_id : "",
                           newest->name,   newest->version,
                           objects.data};
    shf_status status = shf_cache_key_make(parts, sizeof parts / sizeof parts[0], &load->identity, error);
    shf_text_free(&objects);
    return status;
}

/* *found: the rows are in the cache. */
static shf_status look_for_sorted(struct shf_slatedb_wal_load *load, bool *found, struct shf_error **error) {
    struct shf_slatedb *made = load->opening->made;
    struct shf_disk_cache *cache;
    shf_status status = make_identity(load, error);
    if (!status) status = shf_source_cache(load->opening->shard->source, &cache, error);
    if (!status) status = shf_disk_cache_find(cache, &load->identity, "wal", found, &made->wal_file, error);
    if (!status && *found) status = shf_wal_use_sorted(load, error);
    if (!status && !*found) {
        status = shf_slatedb_replay_new(made->manifest, shf_rt_budget(shf_wal_runtime(load)), &load->replay, error);
        if (!status) load->bodies = shf_alloc_zero(load->end_id - load->first_id, sizeof(struct shf_buf *));
        if (!status && !load->bodies) {
            status = shf_error_set(error, SHF_E_NO_MEMORY, "no memory for the list of WAL objects");
        }
    }
    return status;
}

static void listed_task(struct shf_task *task) {
    struct shf_slatedb_wal_load *load = SHF_CONTAINER(task, struct shf_slatedb_wal_load, task);
    struct shf_error *error = load->listing.error;
    shf_status status = load->listing.status;
    bool found = false;
    load->listing.error = NULL;
    if (!status) status = find_objects(load, &error);
    if (!status && load->end_id != load->first_id) {
        status = look_for_sorted(load, &found, &error);
        if (!status && !found) {
            shf_wal_replay(load);
            return;
        }
    }
    shf_slatedb_opening_go_on(load->opening, status, error);
}

static void listed(struct shf_store_request *request) {
    struct shf_slatedb_wal_load *load = SHF_CONTAINER(request, struct shf_slatedb_wal_load, listing);
    load->task.run = listed_task;
    shf_rt_post_worker(shf_wal_runtime(load), &load->task);
}

void shf_slatedb_wal_start(struct shf_slatedb_opening *opening) {
    struct shf_error *error = NULL;
    struct shf_slatedb_wal_load *load = opening->wal = shf_alloc_zero(1, sizeof *load);
    if (load) {
        load->opening = opening;
        load->directory = shf_shard_key_of(opening->shard, WAL);
    }
    if (!load || !load->directory) {
        shf_status status = shf_error_set(&error, SHF_E_NO_MEMORY, "no memory to replay a WAL");
        shf_slatedb_opening_go_on(opening, status, error);
        return;
    }
    load->first_id = opening->made->manifest->replay_after_wal_id + 1;
    struct shf_store_request *request = &load->listing;
    request->wants_versions = true;
    request->body_fd = -1;
    shf_shard_ask(opening->shard, request, SHF_STORE_LIST, load->directory, opening->cancel, listed);
}
