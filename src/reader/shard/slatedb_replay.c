/* The objects of a SlateDB log: fetched, replayed, their rows put sorted into the local cache. */
#include "base/alloc.h"
#include "io/fs.h"
#include "reader/shard/slatedb_wal_priv.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

/* ---- the sorted rows ---- */

shf_status shf_wal_use_sorted(struct shf_slatedb_wal_load *load, struct shf_error **error) {
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
    return status ? status : shf_wal_use_sorted(load, error);
}

/* ---- fetching and replaying ---- */

void shf_wal_drop_fetches(struct shf_slatedb_wal_load *load) {
    bool is_local = load->opening->shard->store->class->local_path != NULL;
    for (uint32_t i = 0; i < load->fetch_count; i++) {
        if (!is_local) load->opening->downloaded_bytes += load->fetches[i].request.body_size;
        shf_store_request_clear(&load->fetches[i].request);
        shf_free(load->fetches[i].key);
    }
    load->fetch_count = 0;
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

static shf_status replay_one(struct shf_slatedb_wal_load *load, struct shf_wal_fetch *fetch, struct shf_error **error) {
    struct shf_store_request *request = &fetch->request;
    uint64_t id = shf_slatedb_replay_next_id(load->replay);
    if (request->status) {
        *error = request->error;
        request->error = NULL;
        return request->status;
    }
    const char *listed = shf_wal_version(load, id);
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
        shf_wal_name(id, name);
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
    shf_wal_drop_fetches(load);
    if (!status && shf_slatedb_replay_next_id(load->replay) < load->end_id) {
        shf_wal_replay(load);
        return;
    }
    if (!status) status = make_sorted(load, &error);
    shf_slatedb_opening_go_on(load->opening, status, error);
}

static void fetched(struct shf_store_request *request) {
    struct shf_wal_fetch *fetch = SHF_CONTAINER(request, struct shf_wal_fetch, request);
    struct shf_slatedb_wal_load *load = fetch->load;
    if (request->status && !load->failed) {
        load->failed = fetch;
        shf_slatedb_opening_lacks(load->opening, request->status);
    }
    if (--load->pending > 0) return;
    load->task.run = replay_task;
    shf_rt_post_worker(shf_wal_runtime(load), &load->task);
}

/* On a worker: `pending` is set before the first request goes out. */
void shf_wal_replay(struct shf_slatedb_wal_load *load) {
    uint64_t id = shf_slatedb_replay_next_id(load->replay), left = load->end_id - id;
    uint32_t count = left < SHF_WAL_AT_ONCE ? (uint32_t)left : SHF_WAL_AT_ONCE;
    struct shf_error *error = NULL;
    for (uint32_t i = 0; i < count; i++) {
        char name[SHF_SLATEDB_NAME_BYTES];
        shf_wal_name(id + i, name);
        load->fetches[i] = (struct shf_wal_fetch){.load = load, .key = shf_shard_key_of(load->opening->shard, name)};
        load->fetch_count = i + 1;
        if (load->fetches[i].key) continue;
        shf_status status = shf_error_set(&error, SHF_E_NO_MEMORY, "no memory for the name of a WAL object");
        shf_slatedb_opening_go_on(load->opening, status, error);
        return;
    }
    load->pending = count;
    for (uint32_t i = 0; i < count; i++) {
        struct shf_store_request *request = &load->fetches[i].request;
        request->body_fd = -1;
        request->max_bytes = SHF_LIMIT_SLATEDB_WAL_BYTES;
        request->may_map = !(load->opening->shard->source->flags & SHF_OPEN_PRIVATE_COPY);
        shf_shard_ask(load->opening->shard, request, SHF_STORE_GET, load->fetches[i].key, load->opening->cancel, fetched);
    }
}
