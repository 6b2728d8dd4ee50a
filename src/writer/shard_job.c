#include "writer/shard_job.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/cursor.h"
#include "base/hash.h"
#include "base/text.h"
#include "formats/manifest_build.h"
#include "writer/vector_key.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define SLICE_BYTES (UINT64_C(4) << 20) /* of rows, between two looks at the token and at other work */
#define SLICE_ROWS 4096u
#define LONGEST_SHOWN_KEY 1024u /* bytes of min_key and max_key in the manifest, which nobody routes by */
#define FITTING_PERCENT 95u
#define CONTENT_TYPE "application/x-sqlite3"
#define SIDECAR_CONTENT_TYPE "application/octet-stream"

static void build_slice(struct shf_task *task);
static void hash_slice(struct shf_task *task);
static void upload(struct shf_task *task);
static void make_sidecar(struct shf_task *task);
static void upload_sidecar(struct shf_task *task);

void shf_shard_result_free(struct shf_shard_result *result) {
    shf_free(result->min_key);
    shf_free(result->max_key);
    shf_free(result->db_url);
    *result = (struct shf_shard_result){0};
}

static struct shf_shard_job *job_of(struct shf_task *task) { return SHF_CONTAINER(task, struct shf_shard_job, task); }

static void on_worker(struct shf_shard_job *job, void (*run)(struct shf_task *)) {
    job->task.run = run;
    shf_rt_post_worker(job->writer->runtime, &job->task);
}

static void on_loop(struct shf_shard_job *job, void (*run)(struct shf_task *)) {
    job->task.run = run;
    shf_rt_post_loop(job->writer->runtime, &job->task);
}

/* ---- the end ---- */

static void deliver(struct shf_task *task) {
    struct shf_shard_job *job = job_of(task);
    job->done(job);
}

/* On a worker: files may be large. */
static void clean_up(struct shf_task *task) {
    struct shf_shard_job *job = job_of(task);
    shf_rows_merge_free(job->merge);
    shf_shard_build_free(job->build);
    shf_shard_pages_free(&job->pages);
    shf_shard_file_remove(&job->file);
    shf_shard_file_remove(&job->sidecar);
    shf_errand_end(&job->errand);
    shf_free(job->tail);
    job->result.duration_ms = (uint64_t)((shf_clock_monotonic_ns() - job->began_ns) / 1000000);
    on_loop(job, deliver);
}

static void finish(struct shf_shard_job *job) {
    if (job->status && job->error) {
        shf_error_prefix(&job->error, "shard %" PRIu32, job->shard);
        shf_error_set_shard(job->error, job->shard);
    }
    on_worker(job, clean_up);
}

/* Why it must stop now, if it must. */
static bool must_stop(struct shf_shard_job *job) {
    if (shf_cancel_requested(job->stop)) {
        job->status = shf_error_set(&job->error, SHF_E_CANCELLED, "the operation was cancelled");
    } else if (shf_deadline_over(job->deadline_ns)) {
        job->status = shf_error_set(&job->error, SHF_E_DEADLINE, "the time given to the operation is over");
    }
    return job->status != SHF_OK;
}

/* ---- building: workers ---- */

/* Under what its rows were sorted. */
static uint32_t place_of(const struct shf_shard_job *job) {
    const struct shf_sharder *sharder = job->writer->setup.sharder;
    return sharder ? shf_sharder_place_of(sharder, job->shard) : job->shard;
}

static uint32_t choose_page_size(const struct shf_shard_job *job) {
    struct shf_rows_shard shard;
    uint32_t page_size = job->writer->setup.page_size;
    if (page_size) return page_size;
    shf_rows_shard_get(job->writer->rows, place_of(job), &shard);
    for (uint32_t i = 0; i < SHF_ROWS_PAGE_SIZES; i++) {
        if (shard.fitting[i] >= shard.rows / 100 * FITTING_PERCENT + shard.rows % 100 * FITTING_PERCENT / 100) {
            return 4096u << i;
        }
    }
    return 4096u; /* most values overflow anyway: small pages waste least */
}

static shf_status begin_build(struct shf_shard_job *job) {
    struct shf_writer *writer = job->writer;
    char name[32];
    uint32_t page_size = choose_page_size(job);
    shf_status status = shf_rows_merge_new(writer->rows, place_of(job), &job->merge, &job->error);
    if (status || (writer->setup.flags & SHF_WRITE_DRY_RUN)) return status;
    (void)snprintf(name, sizeof name, "%05" PRIu32 ".db", job->shard);
    status = shf_shard_file_open(&job->file, &writer->scratch, name, page_size, &job->error);
    if (status) return status;
    job->file.stays = writer->setup.location.scheme == SHF_SCHEME_FILE && !writer->setup.local_root;
    const struct shf_shard_build_options options = {.page_size = page_size,
                                                    .dimension = shf_writer_has_vectors(writer) ? writer->dimension : 0,
                                                    .is_vector_only = writer->setup.vectors != NULL,
                                                    .metric = writer->setup.metric,
                                                    .sink = &job->file.pages,
                                                    .budget = shf_rt_budget(writer->runtime)};
    return shf_shard_build_new(&options, &job->build, &job->error);
}

/* JSON text of a stored key; NULL where it is not to be shown. */
static shf_status show_key(const struct shf_shard_job *job, const uint8_t *key, uint32_t size, char **out,
                           struct shf_error **error) {
    enum shf_key_encoding encoding = job->writer->key_encoding;
    struct shf_text text = {0};
    *out = NULL;
    if (encoding == SHF_ENCODING_RAW || size > LONGEST_SHOWN_KEY) return SHF_OK;
    if (encoding == SHF_ENCODING_UTF8) {
        *out = shf_json_quote((const char *)key, size);
    } else {
        shf_text_format(&text, "%" PRIu64, size == 4 ? (uint64_t)shf_load_u32be(key) : shf_load_u64be(key));
        *out = shf_text_take(&text);
    }
    return *out ? SHF_OK : shf_error_set(error, SHF_E_NO_MEMORY, "no memory to show a key");
}

static uint64_t id_as_integer(const struct shf_shard_job *job) {
    const struct shf_rows_row *row = &job->row;
    if (job->writer->setup.vectors) return (uint64_t)shf_vector_key_read(row->key);
    if (!row->id_is_key) return (uint64_t)row->id_integer;
    return row->key_size == 4 ? shf_load_u32be(row->key) : shf_load_u64be(row->key);
}

/* What belongs together: the digest of the id, and that of the key. Ids are all of one kind. */
static void hash_id(struct shf_shard_job *job) {
    const struct shf_rows_row *row = &job->row;
    uint8_t integer[8];
    if (!row->id_is_text) {
        shf_store_u64le(integer, id_as_integer(job));
        shf_hash128(integer, sizeof integer, job->id_hash);
    } else if (row->id_is_key) {
        shf_hash128(row->key_size ? row->key : (const uint8_t *)"", row->key_size, job->id_hash);
    } else {
        shf_hash128(row->id_text_size ? row->id_text : "", row->id_text_size, job->id_hash);
    }
}

static shf_status add_row(struct shf_shard_job *job) {
    const struct shf_rows_row *row = &job->row;
    bool is_text = row->id_is_text, is_key = row->id_is_key;
    const struct shf_shard_row out = {.key = row->key,
                                      .key_size = row->key_size,
                                      .value = row->value,
                                      .value_size = row->value_size,
                                      .vector = row->vector,
                                      .id_is_text = is_text,
                                      .id_integer = is_text ? 0 : (int64_t)id_as_integer(job),
                                      .id_text = is_key ? (const char *)row->key : row->id_text,
                                      .id_text_size = is_key ? row->key_size : row->id_text_size,
                                      .payload = row->payload,
                                      .payload_size = row->payload_size};
    return job->build ? shf_shard_build_add(job->build, &out, &job->error) : SHF_OK;
}

/* False: no room for the id now, the same row again later. */
static bool give_id(struct shf_shard_job *job, shf_status *status) {
    size_t added = 0;
    if (!job->ids) return true;
    hash_id(job);
    const struct shf_rows_row pair = {.hash = shf_load_u64le(job->id_hash),
                                      .origin = job->row.origin,
                                      .key = job->id_hash,
                                      .key_size = sizeof job->id_hash,
                                      .id_is_key = true};
    *status = shf_rows_add(job->ids, &pair, 1, &added, &job->error);
    if (*status != SHF_E_BUSY) return true;
    shf_error_free(job->error);
    job->error = NULL;
    *status = SHF_OK;
    return false;
}

static shf_status remember_key(struct shf_shard_job *job) {
    const struct shf_rows_row *row = &job->row;
    if (job->result.rows == 0) {
        shf_status status = show_key(job, row->key, row->key_size, &job->result.min_key, &job->error);
        if (status) return status;
    }
    job->result.rows++;
    return SHF_OK;
}

static shf_status end_build(struct shf_shard_job *job) {
    if (!job->build) return SHF_OK;
    shf_status status = shf_shard_build_finish(job->build, &job->pages, &job->error);
    shf_shard_build_free(job->build);
    job->build = NULL;
    return status;
}

/* The last row is still a view into memory that the merge keeps. */
static shf_status end_merge(struct shf_shard_job *job) {
    if (job->has_row) {
        shf_status status = show_key(job, job->row.key, job->row.key_size, &job->result.max_key, &job->error);
        if (status) return status;
    }
    shf_rows_merge_free(job->merge);
    job->merge = NULL;
    return end_build(job);
}

/* What is equal is the id, where there are no keys. */
static void name_ids(struct shf_shard_job *job) {
    shf_error_free(job->error);
    job->error = NULL;
    (void)shf_error_set(&job->error, SHF_E_INVALID,
                        "the rows with origins %" PRIu64 " and %" PRIu64
                        " have the same id; leave one out, or let the last one win",
                        job->first_origin, job->second_origin);
}

/* SHF_OK and *more: the slice is over, the rows are not. */
static shf_status add_slice(struct shf_shard_job *job, bool *more) {
    uint64_t bytes = 0, rows = 0;
    shf_status status = SHF_OK;
    while (!status && bytes < SLICE_BYTES && rows < SLICE_ROWS) {
        bool done = false;
        struct shf_rows_row row;
        if (!job->has_id_waiting) {
            status = shf_rows_merge_next(job->merge, &row, &done, &job->result.replaced, &job->error);
            if (status == SHF_E_INVALID) {
                job->has_conflict = true;
                shf_rows_merge_conflict(job->merge, &job->first_origin, &job->second_origin);
                if (job->writer->setup.vectors) name_ids(job);
            }
            if (status || done) {
                *more = false;
                break;
            }
            row.id_is_text = job->writer->id_kind == SHF_ID_TEXT; /* of an id that is the key nothing else is stored */
            job->row = row;
            job->has_row = true;
        }
        job->has_id_waiting = !give_id(job, &status);
        if (status || job->has_id_waiting) break;
        status = add_row(job);
        if (!status) status = remember_key(job);
        bytes += (uint64_t)job->row.key_size + job->row.value_size + job->row.payload_size;
        rows++;
    }
    atomic_fetch_add_explicit(&job->writer->progress.rows_built, rows, memory_order_relaxed);
    return status;
}

static void rows_over(struct shf_shard_job *job) {
    atomic_fetch_add_explicit(&job->writer->progress.rows_built, job->result.replaced, memory_order_relaxed);
    job->status = end_merge(job);
    if (!job->status && (job->writer->setup.flags & SHF_WRITE_DRY_RUN)) {
        finish(job);
        return;
    }
    if (!job->status && job->result.rows) job->status = shf_shard_file_map(&job->file, &job->error);
    if (job->status || !job->result.rows) {
        finish(job);
        return;
    }
    job->result.db_bytes = job->file.size;
    atomic_fetch_add_explicit(&job->writer->progress.built_bytes, job->file.size, memory_order_relaxed);
    on_worker(job, hash_slice);
}

static void build_slice(struct shf_task *task) {
    struct shf_shard_job *job = job_of(task);
    bool more = true;
    if (must_stop(job)) {
        finish(job);
        return;
    }
    if (!job->merge) job->status = begin_build(job);
    if (!job->status) job->status = add_slice(job, &more);
    if (job->status) {
        finish(job);
    } else if (more) {
        on_worker(job, build_slice);
    } else {
        rows_over(job);
    }
}

static void hash_slice(struct shf_task *task) {
    struct shf_shard_job *job = job_of(task);
    bool done = false;
    if (!must_stop(job)) job->status = shf_shard_file_hash(&job->file, &done, job->result.sha256, &job->error);
    if (job->status) {
        finish(job);
    } else if (!done) {
        on_worker(job, hash_slice);
    } else {
        shf_hex_encode(job->result.sha256, 16, job->result.checkpoint);
        on_loop(job, upload);
    }
}

/* ---- uploading: loop thread ---- */

static char *object_key(const struct shf_shard_job *job, const char *name) {
    struct shf_text tail = {0};
    shf_text_format(&tail, "%s/%s", job->tail, name);
    char *text = shf_text_take(&tail);
    char *key = text ? shf_location_key(&job->writer->setup.location, text) : NULL;
    shf_free(text);
    return key;
}

static void pause_over(struct shf_wait *wait, shf_status reason) {
    struct shf_shard_job *job = SHF_CONTAINER(wait, struct shf_shard_job, pause);
    if (reason == SHF_E_CANCELLED || must_stop(job)) {
        if (!job->status) job->status = shf_error_set(&job->error, SHF_E_CANCELLED, "the operation was cancelled");
        finish(job);
    } else {
        upload(&job->task);
    }
}

#define FIRST_PAUSE_MS 1000
#define LONGEST_PAUSE_MS 30000

/* Under another name: what was written there is not known. */
static void try_next_attempt(struct shf_shard_job *job) {
    int64_t pause_ms = FIRST_PAUSE_MS;
    for (uint32_t i = 0; i < job->result.failed_attempts && pause_ms < LONGEST_PAUSE_MS; i++) pause_ms *= 3;
    if (pause_ms > LONGEST_PAUSE_MS) pause_ms = LONGEST_PAUSE_MS;
    shf_log_write(shf_rt_log(job->writer->runtime), SHF_LOG_WARNING,
                  "shard %" PRIu32 ", attempt %" PRIu32 " failed, the next in %" PRId64 " ms: %s", job->shard,
                  job->result.attempt, pause_ms, shf_error_message(job->errand.request.error));
    job->result.failed_attempts++;
    job->result.attempt++;
    job->pause =
        (struct shf_wait){.deadline_ns = shf_deadline_after_ms(pause_ms), .cancel = job->stop, .wake = pause_over};
    shf_wait_begin(job->writer->runtime, &job->pause);
}

static void uploaded(struct shf_errand *errand) {
    struct shf_shard_job *job = SHF_CONTAINER(errand, struct shf_shard_job, errand);
    const struct shf_writer_setup *setup = &job->writer->setup;
    if (errand->status && shf_error_retryable(errand->request.error) && errand->status != SHF_E_DEADLINE &&
        job->result.failed_attempts + 1 < setup->shard_attempts) {
        try_next_attempt(job);
        return;
    }
    if (errand->status) {
        job->status = errand->status;
        job->error = shf_errand_take_error(errand);
        job->result.failed_attempts++;
        finish(job);
        return;
    }
    atomic_fetch_add_explicit(&job->writer->progress.uploaded_bytes, job->file.size, memory_order_relaxed);
    job->result.db_url = shf_location_url(&setup->location, job->tail);
    if (!job->result.db_url) {
        job->status = shf_error_set(&job->error, SHF_E_NO_MEMORY, "no memory for a URL");
        finish(job);
    } else if (setup->flags & SHF_WRITE_NO_SIDECAR) {
        finish(job);
    } else {
        on_worker(job, make_sidecar);
    }
}

static void put_file(struct shf_shard_job *job, struct shf_shard_file *file, const char *name, const uint8_t *sha256,
                     const char *content_type, void (*then)(struct shf_errand *)) {
    shf_errand_put_file(&job->errand, object_key(job, name), file->fd, file->path, file->size, sha256, content_type,
                        then);
}

static void upload(struct shf_task *task) {
    struct shf_shard_job *job = job_of(task);
    shf_free(job->tail);
    job->tail = shf_writer_attempt_tail(job->writer->setup.run_id, job->shard, job->result.attempt);
    job->errand.store = job->writer->setup.store;
    job->errand.cancel = job->stop;
    job->errand.deadline_ns = job->deadline_ns;
    if (must_stop(job)) {
        finish(job);
    } else if (!job->tail) {
        job->status = shf_error_set(&job->error, SHF_E_NO_MEMORY, "no memory for the name of an object");
        finish(job);
    } else {
        put_file(job, &job->file, "shard.db", job->result.sha256, CONTENT_TYPE, uploaded);
    }
}

/* ---- the sidecar: a convenience, what goes wrong with it is logged ---- */

static void go_without(struct shf_shard_job *job, const struct shf_error *error) {
    shf_log_write(shf_rt_log(job->writer->runtime), SHF_LOG_WARNING, "shard %" PRIu32 " has no sidecar: %s", job->shard,
                  shf_error_message(error));
    job->result.sidecar_bytes = 0;
}

static void make_sidecar(struct shf_task *task) {
    struct shf_shard_job *job = job_of(task);
    struct shf_error *error = NULL;
    char name[32];
    bool done = false;
    (void)snprintf(name, sizeof name, "%05" PRIu32 ".sidecar", job->shard);
    shf_status status = shf_shard_file_open(&job->sidecar, &job->writer->scratch, name, 0, &error);
    if (!status) {
        status = shf_sidecar_build(job->file.map, job->file.size, &job->pages, job->errand.request.etag,
                                   &job->sidecar.bytes, &error);
    }
    if (!status) status = shf_shard_file_map(&job->sidecar, &error);
    while (!status && !done) status = shf_shard_file_hash(&job->sidecar, &done, job->result.sidecar_sha256, &error);
    if (!status) {
        job->result.sidecar_bytes = job->sidecar.size;
        on_loop(job, upload_sidecar);
        return;
    }
    go_without(job, error);
    shf_error_free(error);
    finish(job);
}

static void sidecar_uploaded(struct shf_errand *errand) {
    struct shf_shard_job *job = SHF_CONTAINER(errand, struct shf_shard_job, errand);
    if (errand->status) go_without(job, errand->request.error);
    finish(job);
}

static void upload_sidecar(struct shf_task *task) {
    struct shf_shard_job *job = job_of(task);
    put_file(job, &job->sidecar, "shard.sidecar", job->result.sidecar_sha256, SIDECAR_CONTENT_TYPE, sidecar_uploaded);
}

void shf_shard_job_start(struct shf_shard_job *job) {
    job->began_ns = shf_clock_monotonic_ns();
    job->file.fd = job->sidecar.fd = -1;
    job->result.attempt = job->writer->claim.first_attempt;
    on_worker(job, build_slice);
}
