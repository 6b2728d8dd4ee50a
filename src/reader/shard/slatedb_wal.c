/* What the WAL of a SlateDB database adds to its SSTs: replayed once, then found sorted in the local cache. */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/text.h"
#include "io/fs.h"
#include "reader/shard/shard.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define AT_ONCE 16u /* objects that are fetched side by side, and held until they have been replayed */
#define WAL "wal/"

struct fetch {
    struct shf_slatedb_wal_load *load;
    struct shf_store_request request;
    char *key;
};

struct shf_slatedb_wal_load {
    struct shf_slatedb_opening *opening;
    struct shf_task task;
    char *directory;
    struct shf_store_request listing;
    uint64_t first_id, end_id; /* the objects to be replayed: [first_id, end_id); the first ones of the listing, then */
    struct shf_cache_key identity;
    struct shf_slatedb_replay *replay;
    struct shf_buf **bodies; /* of all objects, one each: the replay refers to them */
    struct fetch fetches[AT_ONCE];
    uint32_t fetch_count;
    uint32_t pending;     /* loop thread only */
    struct fetch *failed; /* the first that did; likewise, then the worker's */
};

static shf_runtime *runtime_of(const struct shf_slatedb_wal_load *load) {
    return load->opening->shard->source->runtime;
}

static const char *version_of(const struct shf_slatedb_wal_load *load, uint64_t id) {
    return load->listing.versions ? load->listing.versions[id - load->first_id] : NULL;
}

static void drop_fetches(struct shf_slatedb_wal_load *load) {
    for (uint32_t i = 0; i < load->fetch_count; i++) {
        load->opening->downloaded_bytes += load->fetches[i].request.body_size;
        shf_store_request_clear(&load->fetches[i].request);
        shf_free(load->fetches[i].key);
    }
    load->fetch_count = 0;
}

void shf_slatedb_wal_load_free(struct shf_slatedb_wal_load *load) {
    if (!load) return;
    drop_fetches(load);
    shf_store_request_clear(&load->listing);
    shf_slatedb_replay_free(load->replay);
    for (uint64_t id = load->first_id; load->bodies && id < load->end_id; id++) {
        shf_buf_release(load->bodies[id - load->first_id]);
    }
    shf_free(load->bodies);
    shf_free(load->directory);
    shf_free(load);
}

/* ---- the sorted rows ---- */

static shf_status use_sorted(struct shf_slatedb_wal_load *load, struct shf_error **error) {
    struct shf_slatedb *made = load->opening->made;
    const struct shf_buf *bytes = made->wal_file.buf;
    shf_status status = shf_slatedb_sorted_open(bytes->data, bytes->size, &made->wal, error);
    if (status) return status;
    if (made->wal.replay_after_wal_id + 1 == load->first_id && made->wal.next_wal_id == load->end_id &&
        made->wal.last_l0_seq == made->manifest->last_l0_seq) {
        return SHF_OK;
    }
    return shf_error_set(error, SHF_E_CORRUPT, "sorted WAL: it is of other objects; remove the cache directory");
}

struct file_sink {
    struct shf_slatedb_sink sink;
    int fd;
};

static shf_status write_sorted(struct shf_slatedb_sink *sink, uint64_t offset, const void *data, size_t size,
                               struct shf_error **error) {
    const struct file_sink *file = SHF_CONTAINER(sink, struct file_sink, sink);
    if (shf_fs_write(file->fd, data, size, offset) == 0) return SHF_OK;
    return shf_fs_error(error, SHF_E_LOCAL, errno, "cannot write the sorted rows of a log into the cache directory");
}

static shf_status make_sorted(struct shf_slatedb_wal_load *load, struct shf_error **error) {
    struct shf_disk_cache *cache;
    struct shf_cache_writer writer;
    struct shf_slatedb *made = load->opening->made;
    shf_status status = shf_source_cache(load->opening->shard->source, &cache, error);
    if (!status) status = shf_disk_cache_begin(cache, &writer, error);
    if (status) return status;
    struct file_sink file = {{write_sorted}, writer.fd};
    status = shf_slatedb_replay_write(load->replay, &file.sink, error);
    if (status) {
        shf_disk_cache_abort(&writer);
        return status;
    }
    status = shf_disk_cache_commit(&writer, &load->identity, "wal", &made->wal_file, error);
    return status ? status : use_sorted(load, error);
}

/* ---- fetching and replaying ---- */

static void fetch_more(struct shf_slatedb_wal_load *load);

static void name_object(uint64_t id, char name[SHF_SLATEDB_NAME_BYTES]) {
    const struct shf_slatedb_object object = {.kind = SHF_SLATEDB_WAL, .id = id};
    shf_slatedb_name_format(&object, name);
}

/* Some servers leave the quotes of an ETag out, in one place or the other. */
static bool is_same_version(const char *a, const char *b) {
    size_t a_size = strlen(a), b_size = strlen(b);
    bool a_quoted = a_size >= 2 && a[0] == '"' && a[a_size - 1] == '"';
    bool b_quoted = b_size >= 2 && b[0] == '"' && b[b_size - 1] == '"';
    a_size -= a_quoted ? 2 : 0;
    b_size -= b_quoted ? 2 : 0;
    return a_size == b_size && memcmp(a + a_quoted, b + b_quoted, a_size) == 0;
}

static shf_status replay_one(struct shf_slatedb_wal_load *load, struct fetch *fetch, struct shf_error **error) {
    struct shf_store_request *request = &fetch->request;
    uint64_t id = shf_slatedb_replay_next_id(load->replay);
    if (request->status) {
        *error = request->error;
        request->error = NULL;
        return request->status;
    }
    const char *listed = version_of(load, id);
    shf_status status = SHF_OK;
    if (listed && request->version && !is_same_version(listed, request->version)) {
        status = shf_error_set(error, SHF_E_STORE_RETRY, "it changed since it was listed; try again");
    } else if (request->body_size != request->object_size) { /* cut to nothing it would be a fence */
        status = shf_error_set(error, SHF_E_STORE_RETRY, "received %" PRIu64 " bytes of %" PRIu64 "; try again",
                               request->body_size, request->object_size);
    } else {
        struct shf_buf *body = load->bodies[id - load->first_id] = request->body;
        request->body = NULL;
        status = shf_slatedb_replay_add(load->replay, body->data, body->size, error);
    }
    if (status) {
        char name[SHF_SLATEDB_NAME_BYTES];
        name_object(id, name);
        shf_error_prefix(error, "%s", name);
    }
    return status;
}

static void replay_task(struct shf_task *task) {
    struct shf_slatedb_wal_load *load = SHF_CONTAINER(task, struct shf_slatedb_wal_load, task);
    struct shf_error *error = NULL;
    /* The one that failed first, as the others may have been cancelled for it. */
    shf_status status = load->failed ? replay_one(load, load->failed, &error)
                                     : shf_shard_check_cancelled(load->opening->cancel, &error);
    for (uint32_t i = 0; i < load->fetch_count && !status; i++) status = replay_one(load, &load->fetches[i], &error);
    drop_fetches(load);
    if (!status && shf_slatedb_replay_next_id(load->replay) < load->end_id) {
        fetch_more(load);
        return;
    }
    if (!status) status = make_sorted(load, &error);
    shf_slatedb_opening_go_on(load->opening, status, error);
}

static void fetched(struct shf_store_request *request) {
    struct fetch *fetch = SHF_CONTAINER(request, struct fetch, request);
    struct shf_slatedb_wal_load *load = fetch->load;
    if (request->status && !load->failed) {
        load->failed = fetch;
        shf_slatedb_opening_lacks(load->opening, request->status);
    }
    if (--load->pending > 0) return;
    load->task.run = replay_task;
    shf_rt_post_worker(runtime_of(load), &load->task);
}

/* On a worker: `pending` is set before the first request goes out. */
static void fetch_more(struct shf_slatedb_wal_load *load) {
    uint64_t id = shf_slatedb_replay_next_id(load->replay), left = load->end_id - id;
    uint32_t count = left < AT_ONCE ? (uint32_t)left : AT_ONCE;
    struct shf_error *error = NULL;
    for (uint32_t i = 0; i < count; i++) {
        char name[SHF_SLATEDB_NAME_BYTES];
        name_object(id + i, name);
        load->fetches[i] = (struct fetch){.load = load, .key = shf_shard_key_of(load->opening->shard, name)};
        load->fetch_count = i + 1;
        if (load->fetches[i].key) continue;
        shf_status status = shf_error_set(&error, SHF_E_NO_MEMORY, "no memory for the name of a WAL object");
        shf_slatedb_opening_go_on(load->opening, status, error);
        return;
    }
    load->pending = count;
    for (uint32_t i = 0; i < count; i++) {
        struct shf_store_request *request = &load->fetches[i].request;
        request->verb = SHF_STORE_GET;
        request->key = load->fetches[i].key;
        request->body_fd = -1;
        request->max_bytes = SHF_LIMIT_SLATEDB_WAL_BYTES;
        request->may_map = !(load->opening->shard->source->flags & SHF_OPEN_PRIVATE_COPY);
        request->deadline_ns = SHF_DEADLINE_NONE;
        request->cancel = load->opening->cancel;
        request->done = fetched;
        shf_store_submit(load->opening->shard->store, request);
    }
}

/* ---- the listing ---- */

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
            name_object(load->end_id, name);
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
        const char *version = version_of(load, id);
        shf_text_format(&objects, "%" PRIu64 " %s\n", id, version ? version : "");
    }
    if (objects.failed) {
        shf_text_free(&objects);
        return shf_error_set(error, SHF_E_NO_MEMORY, "no memory for the list of WAL objects");
    }
    const char *parts[] = {"sorted WAL 1",       shard->store->endpoint ? shard->store->endpoint : "",
                           shard->directory_key, shard->checkpoint_id ? shard->checkpoint_id : "",
                           newest->name,         newest->version,
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
    if (!status && *found) status = use_sorted(load, error);
    if (!status && !*found) {
        status = shf_slatedb_replay_new(made->manifest, shf_rt_budget(runtime_of(load)), &load->replay, error);
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
            fetch_more(load);
            return;
        }
    }
    shf_slatedb_opening_go_on(load->opening, status, error);
}

static void listed(struct shf_store_request *request) {
    struct shf_slatedb_wal_load *load = SHF_CONTAINER(request, struct shf_slatedb_wal_load, listing);
    load->task.run = listed_task;
    shf_rt_post_worker(runtime_of(load), &load->task);
}

void shf_slatedb_wal_start(struct shf_slatedb_opening *opening) {
    struct shf_error *error = NULL;
    struct shf_slatedb_wal_load *load = opening->wal = shf_alloc_zero(1, sizeof *load);
    if (load) load->directory = shf_shard_key_of(opening->shard, WAL);
    if (!load || !load->directory) {
        shf_status status = shf_error_set(&error, SHF_E_NO_MEMORY, "no memory to replay a WAL");
        shf_slatedb_opening_go_on(opening, status, error);
        return;
    }
    load->opening = opening;
    load->first_id = opening->made->manifest->replay_after_wal_id + 1;
    struct shf_store_request *request = &load->listing;
    request->verb = SHF_STORE_LIST;
    request->wants_versions = true;
    request->key = load->directory;
    request->body_fd = -1;
    request->deadline_ns = SHF_DEADLINE_NONE;
    request->cancel = opening->cancel;
    request->done = listed;
    shf_store_submit(opening->shard->store, request);
}
