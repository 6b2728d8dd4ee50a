#include "writer/write.h"

#include "base/alloc.h"
#include "base/limits.h"

#include <string.h>

static void destroy(struct shf_op *op) {
    struct shf_write_op *write = SHF_CONTAINER(op, struct shf_write_op, op);
    shf_writer_drop(write->writer);
    shf_free(write);
}

static void finish(struct shf_write_op *write) {
    if (write->charged_bytes) shf_budget_give(shf_rt_budget(write->writer->runtime), write->charged_bytes);
    shf_free(write->copy);
    shf_free(write->own_places);
    write->copy = NULL;
    write->own_places = NULL;
    write->charged_bytes = 0;
    struct shf_error *error = write->outcome_error;
    write->outcome_error = NULL;
    shf_op_finish(&write->op, write->outcome, error);
}

/* ---- into memory; all with the mutex held ---- */

static shf_status make_rows(struct shf_writer *writer, struct shf_error **error) {
    const struct shf_writer_setup *setup = &writer->setup;
    struct shf_vector_sharder *vectors = setup->vectors;
    if (writer->rows) return SHF_OK;
    shf_status status = vectors ? shf_vector_sharder_begin(vectors, writer->dimension, error) : SHF_OK;
    if (status) return status;
    bool decides = vectors && shf_vector_sharder_decides(vectors), trains = vectors && vectors->trains;
    uint32_t num_dbs = setup->sharder ? SHF_LIMIT_WRITER_SHARDS
                       : trains       ? 0
                                      : setup->num_dbs; /* 0: places come later */
    const struct shf_rows_options options = {.runtime = writer->runtime,
                                             .memory_bytes = setup->memory_bytes - (vectors ? vectors->sample_bytes : 0),
                                             .num_dbs = num_dbs,
                                             .dimension = writer->dimension,
                                             .place = decides ? shf_vector_sharder_place : NULL,
                                             .place_context = vectors,
                                             .last_wins = setup->flags & SHF_WRITE_LAST_WINS,
                                             .scratch_fd = writer->scratch.fd,
                                             .scratch_name = writer->scratch.path,
                                             .room = shf_writer_room,
                                             .context = writer};
    return shf_rows_new(&options, &writer->rows, error);
}

static struct shf_row_rules rules_of(const struct shf_writer *writer) {
    const struct shf_vector_sharder *vectors = writer->setup.vectors;
    return (struct shf_row_rules){.is_unified = writer->setup.is_unified,
                                  .is_vector_only = vectors != NULL,
                                  .strategy = vectors ? vectors->strategy : 0,
                                  .num_dbs = writer->setup.num_dbs,
                                  .key_encoding = writer->key_encoding,
                                  .dimension = writer->dimension,
                                  .id_kind = writer->id_kind,
                                  .ids_differ = writer->ids_differ};
}

static shf_status place_row(struct shf_write_op *write, const shf_row *row, size_t index, uint64_t *cut,
                            struct shf_error **error) {
    bool is_cut = false;
    if (!write->places) return SHF_OK;
    shf_status status = shf_sharder_place(write->writer->setup.sharder, row, &write->places[index], &is_cut, error);
    *cut += !status && is_cut;
    return status;
}

/* Every row, before any is taken. */
static shf_status check_all(struct shf_write_op *write, struct shf_row_rules *rules, struct shf_error **error) {
    uint64_t cut = 0;
    if (write->writer->setup.sharder) {
        write->places = write->own_places = shf_alloc_array(write->count, sizeof *write->places);
        if (!write->places) return shf_error_set(error, SHF_E_NO_MEMORY, "no memory for the shards of rows");
    }
    for (size_t i = 0; i < write->count; i++) {
        shf_row row;
        struct shf_row_ready ready;
        shf_status status = shf_row_at(write->rows, write->stride, i, &row);
        if (status) {
            (void)shf_error_set(error, status, "its struct_size is none of shf_row");
        } else {
            status = shf_row_check(&row, rules, &ready, error);
        }
        if (!status) status = place_row(write, &row, i, &cut, error);
        if (!status) continue;
        if (status == SHF_E_NO_MEMORY) return status; /* no row is to blame */
        write->has_bad_row = true;
        write->bad_row = i;
        if (row.origin) {
            shf_error_prefix(error, "row %llu", (unsigned long long)row.origin);
        } else {
            shf_error_prefix(error, "row %zu of this write", i);
        }
        return status;
    }
    write->rows_cut = cut;
    return SHF_OK;
}

static uint64_t bytes_of(const struct shf_rows_row *row, uint32_t dimension) {
    return (uint64_t)row->key_size + row->value_size + row->id_text_size + row->payload_size +
           (uint64_t)dimension * sizeof(float);
}

/* SHF_E_BUSY: memory is full, write->at says where to go on. */
static shf_status take_rows(struct shf_write_op *write, struct shf_error **error) {
    struct shf_writer *writer = write->writer;
    struct shf_row_rules rules = rules_of(writer);
    struct shf_vector_sharder *vectors = writer->setup.vectors;
    rules.was_checked = true;
    uint64_t bytes = 0, before = write->at;
    shf_status status = SHF_OK;
    for (; !status && write->at < write->count; write->at += status == SHF_OK) {
        shf_row row;
        struct shf_row_ready ready;
        size_t added = 0;
        status = shf_row_at(write->rows, write->stride, write->at, &row);
        if (!status) status = shf_row_check(&row, &rules, &ready, error);
        if (status) break; /* it was fine before: the caller changed it meanwhile */
        if (!ready.row.origin) ready.row.origin = writer->row_count + 1;
        if (write->places) ready.row.hash = write->places[write->at];
        status = shf_rows_add(writer->rows, &ready.row, 1, &added, error);
        if (status) break;
        write->has_begun = true;
        writer->row_count++;
        if (write->places) shf_sharder_use(writer->setup.sharder, write->places[write->at]);
        if (vectors) shf_vector_sharder_see(vectors, ready.row.key, ready.row.key_size, row.vector);
        bytes += bytes_of(&ready.row, writer->dimension);
    }
    atomic_fetch_add_explicit(&writer->progress.rows, write->at - before, memory_order_relaxed);
    atomic_fetch_add_explicit(&writer->progress.bytes, bytes, memory_order_relaxed);
    if (status && status != SHF_E_BUSY) shf_writer_fail_locked(writer, error ? *error : NULL);
    return status;
}

/* ---- waiting for memory ---- */

static const void *put(unsigned char **at, const void *data, size_t size) {
    if (!data) return NULL;
    unsigned char *copy = *at;
    if (size) memcpy(copy, data, size);
    *at += (size + 7) / 8 * 8;
    return copy;
}

static size_t room_for(size_t size) { return (size + 7) / 8 * 8; }

static bool is_bytes(const shf_key *key) { return key->kind == SHF_KEY_TEXT || key->kind == SHF_KEY_BYTES; }

/* Bytes of a copy of what is left of the rows. They were checked. */
static uint64_t copy_size(const struct shf_write_op *write) {
    uint64_t size = (write->count - write->at) * sizeof(shf_row);
    if (write->places) size += room_for((write->count - write->at) * sizeof *write->places);
    for (size_t i = write->at; i < write->count; i++) {
        shf_row row;
        if (shf_row_at(write->rows, write->stride, i, &row)) continue;
        size += room_for(row.value.size) + room_for(row.payload.size) + room_for((size_t)row.dimension * sizeof(float));
        if (is_bytes(&row.key)) size += room_for(row.key.as.bytes.size);
        if (row.id.kind == SHF_ID_TEXT) size += room_for(row.id.text.size);
    }
    return size;
}

static void copy_row(shf_row *row, unsigned char **at) {
    row->struct_size = sizeof *row;
    row->context = NULL; /* its place is known */
    row->value.data = put(at, row->value.data, row->value.size);
    row->payload.data = put(at, row->payload.data, row->payload.size);
    row->vector = put(at, row->vector, (size_t)row->dimension * sizeof(float));
    if (is_bytes(&row->key)) row->key.as.bytes.data = put(at, row->key.as.bytes.data, row->key.as.bytes.size);
    if (row->id.kind == SHF_ID_TEXT) row->id.text.data = put(at, row->id.text.data, row->id.text.size);
}

/* A synchronous form keeps its rows until the end; others need a copy. */
static shf_status keep_rows(struct shf_write_op *write, struct shf_error **error) {
    uint64_t size = copy_size(write);
    if (write->op.waiter) return SHF_OK;
    if (!shf_budget_take(shf_rt_budget(write->writer->runtime), size)) {
        return shf_error_set(error, SHF_E_BUSY,
                             "rows of %llu bytes have to wait, and the memory budget has no room for them: take the "
                             "completions of earlier writes first, or use the synchronous form",
                             (unsigned long long)size);
    }
    write->charged_bytes = size;
    unsigned char *copy = shf_alloc(size);
    if (!copy)
        return shf_error_set(error, SHF_E_NO_MEMORY, "no memory for rows of %llu bytes", (unsigned long long)size);
    size_t count = write->count - write->at;
    shf_row *rows = (shf_row *)(void *)copy;
    unsigned char *at = copy + count * sizeof *rows;
    for (size_t i = 0; i < count; i++) {
        (void)shf_row_at(write->rows, write->stride, write->at + i, &rows[i]);
        copy_row(&rows[i], &at);
    }
    if (write->places) {
        write->places = (uint32_t *)(uintptr_t)put(&at, write->places + write->at, count * sizeof *write->places);
        shf_free(write->own_places);
        write->own_places = NULL;
    }
    write->copy = copy;
    write->rows = rows;
    write->stride = sizeof *rows;
    write->count = count;
    write->at = 0;
    return SHF_OK;
}

static void line_up(struct shf_write_op *write) {
    struct shf_writer *writer = write->writer;
    write->next = NULL;
    *writer->pending_tail = write;
    writer->pending_tail = &write->next;
}

static struct shf_write_op *take_first(struct shf_writer *writer) {
    struct shf_write_op *first = writer->pending;
    writer->pending = first->next;
    if (!writer->pending) writer->pending_tail = &writer->pending;
    return first;
}

void shf_write_end_pending(struct shf_writer *writer, shf_status status) {
    (void)pthread_mutex_lock(&writer->mutex);
    struct shf_write_op *write = writer->pending, *next;
    writer->pending = NULL;
    writer->pending_tail = &writer->pending;
    (void)pthread_mutex_unlock(&writer->mutex);
    for (; write; write = next) {
        next = write->next;
        write->outcome = status;
        finish(write);
    }
}

/* Goes on with the first that waits; NULL when memory is full again or none is left. Mutex held. */
static struct shf_write_op *go_on(struct shf_writer *writer) {
    struct shf_write_op *write = writer->pending;
    if (!write) return NULL;
    shf_status status = SHF_OK;
    struct shf_error *error = NULL;
    if (writer->failed) {
        error = shf_error_clone(writer->failure);
        status = shf_error_code(error);
    } else if (!write->has_begun) {
        status = shf_op_check(&write->op, &error);
    }
    if (!status) status = take_rows(write, &error);
    if (status == SHF_E_BUSY) {
        shf_error_free(error);
        return NULL;
    }
    write->outcome = status;
    write->outcome_error = error;
    return take_first(writer);
}

static void drain(struct shf_task *task) {
    struct shf_writer *writer = SHF_CONTAINER(task, struct shf_writer, drain_task);
    struct shf_write_op *write;
    atomic_store(&writer->drain_posted, false);
    do {
        (void)pthread_mutex_lock(&writer->mutex);
        write = go_on(writer);
        struct shf_publish_op *publish = write && !writer->pending ? writer->publishing : NULL;
        (void)pthread_mutex_unlock(&writer->mutex);
        if (write) finish(write);
        if (publish) shf_publish_begin(publish);
    } while (write);
    shf_writer_drop(writer);
}

void shf_writer_room(void *context) {
    struct shf_writer *writer = context;
    if (atomic_exchange(&writer->drain_posted, true)) return;
    (void)shf_writer_retain(writer);
    writer->drain_task.run = drain;
    shf_rt_post_worker(writer->runtime, &writer->drain_task);
}

/* ---- the call ---- */

static void take_in(struct shf_write_op *write) {
    struct shf_writer *writer = write->writer;
    struct shf_row_rules rules = rules_of(writer);
    struct shf_error **error = &write->outcome_error;
    if (writer->failed) {
        write->outcome_error = shf_error_clone(writer->failure);
        write->outcome = shf_error_code(write->outcome_error);
        return;
    }
    if (writer->publish_called) {
        write->outcome = shf_error_set(error, SHF_E_STATE, "the writer was published; rows come before that");
        return;
    }
    write->outcome = check_all(write, &rules, error);
    if (write->outcome) return;
    writer->key_encoding = rules.key_encoding;
    writer->dimension = rules.dimension;
    writer->id_kind = rules.id_kind;
    writer->ids_differ = rules.ids_differ;
    write->outcome = make_rows(writer, error);
    if (write->outcome) return;
    /* Room for a copy first: a write of several rows must not be refused once some of them are in. */
    uint64_t copy = write->op.waiter || write->count == 1 ? 0 : copy_size(write);
    struct shf_budget *budget = shf_rt_budget(writer->runtime);
    if (copy && !shf_budget_take(budget, copy)) {
        write->outcome =
            shf_error_set(error, SHF_E_BUSY,
                          "the memory budget has no room for rows of %llu bytes that may have to wait: take "
                          "the completions of earlier writes first, or write fewer rows at a time",
                          (unsigned long long)copy);
        return;
    }
    if (writer->setup.vectors) write->outcome = shf_vector_sharder_expect(writer->setup.vectors, write->count, error);
    if (!write->outcome) write->outcome = writer->pending ? SHF_E_BUSY : take_rows(write, error);
    if (copy) shf_budget_give(budget, copy);
    if (write->outcome != SHF_E_BUSY) return;
    shf_error_free(*error);
    *error = NULL;
    write->outcome = keep_rows(write, error);
    if (write->outcome && write->has_begun) shf_writer_fail_locked(writer, *error);
}

shf_status shf_writer_write(struct shf_writer *writer, const shf_row *rows, size_t count,
                            const struct shf_submission *submission, shf_op_id *id) {
    struct shf_write_op *write = shf_alloc_zero(1, sizeof *write);
    if (!write) return SHF_E_NO_MEMORY;
    write->rows = rows;
    write->stride = rows->struct_size;
    write->count = count;
    (void)pthread_mutex_lock(&writer->mutex);
    bool closed = writer->closed;
    shf_status status =
        closed ? SHF_E_CLOSED
               : shf_op_begin(&write->op, writer->runtime, SHF_OP_WRITE, submission, writer->setup.timeout_ms, destroy);
    if (status) {
        (void)pthread_mutex_unlock(&writer->mutex);
        shf_free(write);
        return status;
    }
    if (id) *id = write->op.id;
    write->writer = shf_writer_retain(writer);
    take_in(write);
    if (!write->outcome) writer->rows_cut += write->rows_cut;
    bool waits = !write->outcome && write->at < write->count;
    if (waits) line_up(write);
    (void)pthread_mutex_unlock(&writer->mutex);
    if (!waits) finish(write);
    return SHF_OK;
}
