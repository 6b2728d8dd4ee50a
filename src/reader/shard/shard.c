/*
 * Opening a shard, a chain of steps on two kinds of thread:
 *
 *   loop    wait for a place among the reader's shard operations
 *   keys    shard.db (object.h) -> worker: parse, lay the vectors of a unified shard out
 *           not there, and it may be SlateDB; or it is: slatedb.h
 *   vectors beside the keys, or alone, where they are a Lance dataset: lance.h -> worker: lay them out
 *   loop    tell the waiters
 *
 * The opening belongs to no operation: it goes on while at least one waiter is interested, and is cancelled when the
 * last one leaves. When one half fails the other is cancelled.
 */
#include "reader/shard/shard.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/text.h"
#include "reader/shard/separators.h"
#include "reader/shard/vectors.h"

enum half { KEYS, VECTORS, HALVES };

struct shf_shard_opening {
    struct shf_shard *shard; /* retained */
    struct shf_cancel cancel;
    bool is_abandoned;    /* loop thread only: the last waiter has left */
    struct shf_turn turn; /* among the reader's shard operations */
    bool has_place;
    struct shf_task loop;
    struct shf_shard_waiter *waiters;
    shf_status status;
    struct shf_error *error;

    struct shf_object object; /* shard.db */
    struct shf_slatedb_opening slatedb;
    struct shf_lance_opening lance;
    struct {
        shf_status status;
        struct shf_error *error;
        uint64_t downloaded_bytes;
    } halves[HALVES];
    atomic_uint halves_left;
};

struct shf_shard *shf_shard_retain(struct shf_shard *shard) {
    atomic_fetch_add_explicit(&shard->references, 1, memory_order_relaxed);
    return shard;
}

static void close_files(struct shf_shard *shard) {
    shf_slatedb_free(shard->slatedb);
    shf_lance_free(shard->lance);
    shf_buf_release(shard->layout_file.buf);
    shf_buf_release(shard->file.buf);
    shard->slatedb = NULL;
    shard->lance = NULL;
    shard->layout_file.buf = NULL;
    shard->file.buf = NULL;
}

void shf_shard_release(struct shf_shard *shard) {
    if (!shard || atomic_fetch_sub_explicit(&shard->references, 1, memory_order_acq_rel) != 1) return;
    shf_shard_set_gone(shard);
    shf_shard_free_separators(shard);
    close_files(shard);
    shf_free(shard->directory_key);
    shf_free(shard->url);
    shf_free(shard->object_url);
    shf_free(shard->checkpoint_id);
    shf_source_release(shard->source);
    shf_free(shard);
}

char *shf_shard_key_of(const struct shf_shard *shard, const char *name) {
    struct shf_text key = {0};
    shf_text_add_string(&key, shard->directory_key);
    shf_text_add_string(&key, name);
    return shf_text_take(&key);
}

shf_status shf_shard_check_cancelled(const struct shf_cancel *cancel, struct shf_error **error) {
    if (!shf_cancel_requested(cancel)) return SHF_OK;
    return shf_error_set(error, SHF_E_CANCELLED, "opening was cancelled: nobody waits for it any more");
}

void shf_shard_ask(const struct shf_shard *shard, struct shf_store_request *request, enum shf_store_verb verb,
                   const char *key, const struct shf_cancel *cancel, void (*done)(struct shf_store_request *request)) {
    request->verb = verb;
    request->key = key;
    request->deadline_ns = SHF_DEADLINE_NONE;
    request->cancel = cancel;
    request->done = done;
    shf_store_submit(shard->store, request);
}

static void cancel(struct shf_shard_opening *opening) {
    shf_cancel_request(&opening->cancel);
    shf_rt_sweep(opening->shard->source->runtime);
}

/* ---- the end: back on the loop, tell everybody ---- */

static shf_status begin_opening(struct shf_shard *shard, struct shf_error **error);

/* Somebody came after the last waiter had left and the opening was being cancelled: begin again for them. */
static bool begin_again(struct shf_shard_opening *opening) {
    struct shf_shard *shard = opening->shard;
    if (!opening->status || !opening->waiters || !opening->is_abandoned) return false;
    shf_error_free(opening->error);
    opening->error = NULL;
    opening->status = begin_opening(shard, &opening->error);
    if (opening->status) return false; /* they were not cancelled: there is no memory */
    shard->opening->waiters = opening->waiters;
    opening->waiters = NULL;
    return true;
}

/* When it is ready each of them holds it. */
static uint32_t count_waiters(const struct shf_shard_opening *opening) {
    uint32_t count = 0;
    for (const struct shf_shard_waiter *waiter = opening->waiters; waiter; waiter = waiter->next) count++;
    return count;
}

static void finish(struct shf_task *task) {
    struct shf_shard_opening *opening = SHF_CONTAINER(task, struct shf_shard_opening, loop);
    struct shf_shard *shard = opening->shard;
    shf_runtime *runtime = shard->source->runtime;
    shard->opening = NULL;
    if (opening->has_place) shf_limiter_done(&shard->source->limiter, SHF_PLACE_OPENING);
    bool is_ready = opening->status == SHF_OK;
    if (!is_ready) close_files(shard);
    shf_shard_set_opened(shard, is_ready, count_waiters(opening));
    shard->was_opened = shard->was_opened || is_ready;
    (void)begin_again(opening);
    if (opening->waiters) {
        opening->waiters->downloaded_bytes =
            opening->halves[KEYS].downloaded_bytes + opening->halves[VECTORS].downloaded_bytes;
    }
    if (opening->error) {
        shf_error_prefix(&opening->error, "shard %u", shard->id);
        shf_error_set_shard(opening->error, shard->id);
        if (!*shf_error_object(opening->error)) shf_error_set_object(opening->error, shard->url);
    }
    while (opening->waiters) {
        struct shf_shard_waiter *waiter = opening->waiters;
        opening->waiters = waiter->next;
        waiter->error = shf_error_clone(opening->error);
        shf_wait_end(runtime, &waiter->wait, opening->status);
    }
    shf_error_free(opening->error);
    shf_free(opening);
    shf_shard_release(shard);
    shf_rt_background_end(runtime);
}

static void finish_soon(struct shf_shard_opening *opening, shf_status status) {
    opening->status = status;
    opening->loop.run = finish;
    shf_rt_post_loop(opening->shard->source->runtime, &opening->loop);
}

/* ---- two halves ---- */

/* What to tell: of two failures not the one that the other brought about. */
static void finish_halves(struct shf_shard_opening *opening) {
    const struct shf_shard *shard = opening->shard;
    bool second = opening->halves[VECTORS].status &&
                  (!opening->halves[KEYS].status || opening->halves[KEYS].status == SHF_E_CANCELLED);
    enum half told = second ? VECTORS : KEYS, other = second ? KEYS : VECTORS;
    opening->error = opening->halves[told].error;
    shf_error_free(opening->halves[other].error);
    if (opening->error && shard->vectors == SHF_VECTORS_LANCE) {
        shf_error_prefix(&opening->error, told == KEYS ? "keys" : "vectors");
    }
    finish_soon(opening, opening->halves[told].status);
}

/* Any thread. */
static void end_half(struct shf_shard_opening *opening, enum half half, shf_status status, struct shf_error *error) {
    opening->halves[half].status = status;
    opening->halves[half].error = error;
    if (status && opening->shard->vectors == SHF_VECTORS_LANCE) cancel(opening); /* the other one */
    if (atomic_fetch_sub(&opening->halves_left, 1) == 1) finish_halves(opening);
}

static void slatedb_failing(struct shf_slatedb_opening *slatedb) {
    cancel(SHF_CONTAINER(slatedb, struct shf_shard_opening, slatedb));
}

static void lance_failing(struct shf_lance_opening *lance) {
    cancel(SHF_CONTAINER(lance, struct shf_shard_opening, lance));
}

static void slatedb_there(struct shf_slatedb_opening *slatedb) {
    struct shf_shard_opening *opening = SHF_CONTAINER(slatedb, struct shf_shard_opening, slatedb);
    struct shf_shard *shard = opening->shard;
    shard->slatedb = slatedb->made;
    opening->halves[KEYS].downloaded_bytes = slatedb->downloaded_bytes;
    if (slatedb->is_absent && shard->keys == SHF_KEYS_WHAT_IS_THERE) {
        shf_error_free(slatedb->error);
        slatedb->error = NULL;
        slatedb->status = shf_error_set(&slatedb->error, SHF_E_NOT_FOUND,
                                        "%s is not there, nor is there a SlateDB database beside it", shard->object_url);
    }
    end_half(opening, KEYS, slatedb->status, slatedb->error);
}

static void open_slatedb(struct shf_shard_opening *opening) {
    opening->slatedb = (struct shf_slatedb_opening){
        .shard = opening->shard, .cancel = &opening->cancel, .failing = slatedb_failing, .done = slatedb_there};
    shf_slatedb_opening_start(&opening->slatedb);
}

static void object_there(struct shf_object *object) {
    struct shf_shard_opening *opening = SHF_CONTAINER(object, struct shf_shard_opening, object);
    struct shf_shard *shard = opening->shard;
    struct shf_error *error = object->error;
    shf_status status = object->status;
    object->error = NULL;
    if (status == SHF_E_NOT_FOUND && shard->keys == SHF_KEYS_WHAT_IS_THERE) {
        shf_error_free(error);
        shf_object_clear(object);
        open_slatedb(opening);
        return;
    }
    opening->halves[KEYS].downloaded_bytes = object->downloaded_bytes;
    shard->file = object->file;
    object->file.buf = NULL;
    if (!status) status = shf_shard_parse_sqlite(shard, &object->identity, &error);
    shf_object_clear(object);
    end_half(opening, KEYS, status, error);
}

static void open_object(struct shf_shard_opening *opening) {
    const struct shf_shard *shard = opening->shard;
    opening->object = (struct shf_object){.shard = shard,
                                          .key = shf_shard_key_of(shard, "shard.db"),
                                          .kind = "shard",
                                          .cancel = &opening->cancel,
                                          .expected_sha256 = shard->has_object ? shard->object_sha256 : NULL,
                                          .expected_size = shard->object_size,
                                          .done = object_there};
    shf_object_start(&opening->object);
}

static shf_status read_lance(const void *context, uint64_t rows, float *vectors, int64_t *rowids,
                             struct shf_error **error) {
    return shf_lance_dataset_read(context, rows, vectors, rowids, error);
}

static void lance_there(struct shf_lance_opening *lance) {
    struct shf_shard_opening *opening = SHF_CONTAINER(lance, struct shf_shard_opening, lance);
    struct shf_shard *shard = opening->shard;
    struct shf_vector_source source = {.dimension = shard->dimension, .read = read_lance};
    shf_status status = lance->status;
    struct shf_error *error = lance->error;
    shard->lance = lance->made;
    if (!status && !lance->made && shard->keys == SHF_KEYS_NONE) {
        status = shf_error_set(&error, SHF_E_NOT_FOUND, "%s has neither a Lance dataset nor a shard.db", shard->url);
    }
    opening->halves[VECTORS].downloaded_bytes = lance->downloaded_bytes;
    if (!status && lance->made) {
        source.context = lance->made->dataset;
        source.rows = shf_lance_dataset_count(lance->made->dataset);
        source.dimension = shf_lance_dataset_dimension(lance->made->dataset);
    }
    if (!status) status = shf_shard_lay_out_vectors(shard, &source, &lance->identity, &error);
    end_half(opening, VECTORS, status, error);
}

static void open_halves(struct shf_shard_opening *opening) {
    const struct shf_shard *shard = opening->shard;
    bool has_lance = shard->vectors == SHF_VECTORS_LANCE, has_keys = shard->keys != SHF_KEYS_NONE;
    atomic_init(&opening->halves_left, has_lance && has_keys ? 2 : 1);
    if (shard->keys == SHF_KEYS_SLATEDB) {
        open_slatedb(opening);
    } else if (has_keys || !has_lance) {
        open_object(opening);
    }
    if (!has_lance) return;
    opening->lance = (struct shf_lance_opening){
        .shard = shard, .cancel = &opening->cancel, .failing = lance_failing, .done = lance_there};
    shf_lance_opening_start(&opening->lance);
}

static void turn_came(struct shf_turn *turn, shf_status status) {
    struct shf_shard_opening *opening = SHF_CONTAINER(turn, struct shf_shard_opening, turn);
    opening->has_place = status == SHF_OK;
    if (opening->has_place) {
        open_halves(opening);
    } else {
        finish_soon(opening, shf_shard_check_cancelled(&opening->cancel, &opening->error));
    }
}

static shf_status begin_opening(struct shf_shard *shard, struct shf_error **error) {
    struct shf_shard_opening *opening = shf_alloc_zero(1, sizeof *opening);
    if (!opening) return shf_error_set(error, SHF_E_NO_MEMORY, "no memory to open shard %u", shard->id);
    opening->shard = shf_shard_retain(shard);
    shf_cancel_init(&opening->cancel);
    shard->opening = opening;
    shf_shard_set_opening(shard);
    shf_rt_background_begin(shard->source->runtime);
    opening->turn = (struct shf_turn){.wait = {.deadline_ns = SHF_DEADLINE_NONE, .cancel = &opening->cancel},
                                      .place = SHF_PLACE_OPENING,
                                      .begin = turn_came};
    shf_limiter_wait(&shard->source->limiter, &opening->turn);
    return SHF_OK;
}

/* ---- waiters ---- */

static void waiter_woken(struct shf_wait *wait, shf_status reason) {
    struct shf_shard_waiter *waiter = SHF_CONTAINER(wait, struct shf_shard_waiter, wait);
    struct shf_shard_opening *opening = waiter->shard->opening;
    for (struct shf_shard_waiter **at = opening ? &opening->waiters : NULL; at && *at; at = &(*at)->next) {
        if (*at != waiter) continue;
        *at = waiter->next; /* left early: deadline or cancelled */
        if (!opening->waiters) {
            opening->is_abandoned = true;
            cancel(opening);
        }
        break;
    }
    if (reason == SHF_E_DEADLINE && !waiter->error) {
        (void)shf_error_set(&waiter->error, reason,
                            "the time given to the operation ended while shard %u was being opened", waiter->shard->id);
    } else if (reason == SHF_E_CANCELLED && !waiter->error) {
        (void)shf_error_set(&waiter->error, reason, "cancelled while shard %u was being opened", waiter->shard->id);
    }
    struct shf_error *error = waiter->error;
    waiter->error = NULL;
    waiter->done(waiter, reason, error);
}

void shf_shard_wait(struct shf_shard *shard, struct shf_shard_waiter *waiter) {
    waiter->shard = shard;
    waiter->error = NULL;
    waiter->next = NULL;
    waiter->downloaded_bytes = 0;
    if (shf_shard_hold(shard)) {
        waiter->done(waiter, SHF_OK, NULL);
        return;
    }
    if (!shard->opening) {
        struct shf_error *error = NULL;
        shf_status status = begin_opening(shard, &error);
        if (status) {
            waiter->done(waiter, status, error);
            return;
        }
    }
    waiter->next = shard->opening->waiters;
    shard->opening->waiters = waiter;
    waiter->wait.wake = waiter_woken;
    shf_wait_begin(shard->source->runtime, &waiter->wait);
}
