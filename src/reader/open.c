/*
 * Open and refresh: the same chain of steps.
 *
 *   worker  (open) parse the URL, make the stores
 *   loop    (refresh) wait for the turn; load _CURRENT and the manifest; of a vector-only snapshot its parts
 *   worker  make the state: kind, URLs, shards taken over from the old state
 *   loop    open the shards (unless lazily); serve the state; finish
 */
#include "reader/open.h"

#include "base/alloc.h"

static void destroy(struct shf_op *op) {
    struct shf_load_op *load = SHF_CONTAINER(op, struct shf_load_op, base.op);
    shf_manifest_given_free(&load->given); /* that of one that never got to work */
    shf_snapshot_drop(load->base.snapshot);
    if (load->owns_reader) shf_reader_release(load->base.reader);
    shf_free(load);
}

/* The next refresh in line gets its turn. */
static void pass_turn(struct shf_reader *reader) {
    reader->loading = false;
    if (!reader->turns) return;
    shf_wait_end(reader->runtime, &reader->turns->turn, SHF_OK); /* takes itself out of the line */
}

static void finish(struct shf_load_op *load, shf_status status, struct shf_error *error) {
    struct shf_reader *reader = load->base.reader;
    shf_snapshot_drop(load->fresh);
    load->fresh = NULL;
    shf_snapshot_drop(load->base.snapshot); /* a refresh that nobody released must not keep the old state alive */
    load->base.snapshot = NULL;
    shf_manifest_given_free(&load->given);
    shf_vector_parts_clear(&load->parts);
    shf_manifest_free(load->manifests.manifest);
    shf_free(load->manifests.manifest_ref);
    load->manifests.manifest = NULL;
    load->manifests.manifest_ref = NULL;
    bool had_turn = load->has_turn;
    load->has_turn = false;
    (void)shf_reader_retain(reader); /* the operation may be released, and the reader with it, before we are done */
    if (had_turn) pass_turn(reader);
    shf_reader_finish(&load->base, status, error);
    shf_reader_drop(reader);
}

/* ---- serve ---- */

static void serve(struct shf_load_op *load) {
    struct shf_snapshot *fresh = load->fresh;
    load->fresh = NULL;
    shf_status status = shf_reader_serve(load->base.reader, fresh);
    if (!status) load->info.changed = 1;
    finish(load, status, NULL);
}

static void shards_ready(struct shf_shard_group *group) {
    struct shf_load_op *load = SHF_CONTAINER(group, struct shf_load_op, group);
    load->info.shards_ns = shf_clock_monotonic_ns() - load->phase_began_ns;
    load->info.shards_opened = group->opened;
    load->info.downloaded_bytes = group->downloaded_bytes;
    if (group->status) {
        finish(load, group->status, group->error);
        return;
    }
    serve(load);
}

static void state_made(struct shf_task *task) {
    struct shf_load_op *load = SHF_CONTAINER(task, struct shf_load_op, base.task);
    struct shf_error *error = load->error;
    load->error = NULL;
    shf_vector_parts_clear(&load->parts);
    if (load->status) {
        finish(load, load->status, error);
        return;
    }
    load->phase_began_ns = shf_clock_monotonic_ns();
    const struct shf_source *source = load->base.reader->source;
    if (source->access_mode == SHF_ACCESS_RANGE && source->location.scheme == SHF_SCHEME_S3) {
        shf_log_write(shf_rt_log(source->runtime), SHF_LOG_INFO,
                      "range reads are not in this version: shards are downloaded whole");
    }
    if (source->open_shards.limit && load->fresh->kind != SHF_KIND_VECTOR_ONLY) {
        shf_log_write(shf_rt_log(source->runtime), SHF_LOG_INFO,
                      "max_open_shards is for vector-only snapshots: the shards of %s stay open",
                      load->fresh->manifest_ref);
    }
    if (source->flags & SHF_OPEN_LAZY) {
        serve(load);
        return;
    }
    load->group = (struct shf_shard_group){.runtime = source->runtime,
                                           .shards = load->fresh->shards,
                                           .count = load->fresh->shard_count,
                                           .deadline_ns = load->base.op.deadline_ns,
                                           .cancel = load->base.op.cancel,
                                           .skips_seen = true,
                                           .done = shards_ready};
    shf_shard_group_start(&load->group);
}

static void make_state(struct shf_task *task) {
    struct shf_load_op *load = SHF_CONTAINER(task, struct shf_load_op, base.task);
    struct shf_manifest_load *manifests = &load->manifests;
    load->status = shf_snapshot_new(load->base.reader->source, manifests->manifest, manifests->manifest_ref,
                                    manifests->published_at_us, &load->parts, load->base.snapshot, &load->fresh,
                                    &load->info.shards_reused, &load->error);
    manifests->manifest = NULL;
    manifests->manifest_ref = NULL;
    load->base.task.run = state_made;
    shf_rt_post_loop(load->base.reader->runtime, &load->base.task);
}

/* ---- manifests ---- */

static void keep_old(struct shf_load_op *load) {
    struct shf_manifest_load *manifests = &load->manifests;
    shf_runtime *runtime = load->base.reader->runtime;
    load->info.manifest_malformed = 1;
    atomic_fetch_add(&shf_rt_counters(runtime)->refresh_failures, 1);
    shf_log_write(shf_rt_log(runtime), SHF_LOG_WARNING, "refresh keeps serving %s: %s",
                  load->base.snapshot->manifest_ref, shf_error_message(manifests->error));
    shf_error_free(manifests->error);
    manifests->error = NULL;
    finish(load, SHF_OK, NULL);
}

static void parts_there(struct shf_vector_parts *parts) {
    struct shf_load_op *load = SHF_CONTAINER(parts, struct shf_load_op, parts);
    load->info.manifest_ns += shf_clock_monotonic_ns() - load->phase_began_ns;
    if (parts->status) {
        struct shf_error *error = parts->error;
        parts->error = NULL;
        finish(load, parts->status, error);
        return;
    }
    load->base.task.run = make_state;
    shf_rt_post_worker(load->base.reader->runtime, &load->base.task);
}

static void load_parts(struct shf_load_op *load) {
    load->phase_began_ns = shf_clock_monotonic_ns();
    load->parts = (struct shf_vector_parts){.source = load->base.reader->source,
                                            .manifest = load->manifests.manifest,
                                            .manifest_ref = load->manifests.manifest_ref,
                                            .deadline_ns = load->base.op.deadline_ns,
                                            .cancel = load->base.op.cancel,
                                            .done = parts_there};
    shf_vector_parts_start(&load->parts);
}

static void manifests_loaded(struct shf_manifest_load *manifests) {
    struct shf_load_op *load = SHF_CONTAINER(manifests, struct shf_load_op, manifests);
    shf_manifest_given_free(&load->given);
    manifests->given = NULL;
    load->info.current_ns = manifests->current_ns;
    load->info.manifest_ns = manifests->manifest_ns;
    load->info.fallback_attempts = manifests->fallback_attempts;
    if (manifests->manifest_malformed && load->is_refresh) {
        keep_old(load);
        return;
    }
    if (manifests->status || manifests->unchanged) {
        struct shf_error *error = manifests->error;
        manifests->error = NULL;
        finish(load, manifests->status, error);
        return;
    }
    if (shf_is_vector_only(manifests->manifest)) {
        load_parts(load);
        return;
    }
    load->base.task.run = make_state;
    shf_rt_post_worker(load->base.reader->runtime, &load->base.task);
}

static void load_manifests(struct shf_load_op *load) {
    struct shf_reader *reader = load->base.reader;
    struct shf_source *source = reader->source;
    reader->loading = true;
    load->has_turn = true;
    if (load->is_refresh) { /* the state may have changed while this one waited for its turn */
        struct shf_snapshot *served = shf_reader_pin(reader, NULL);
        shf_snapshot_drop(load->base.snapshot);
        load->base.snapshot = served;
        if (!served) {
            finish(load, SHF_E_CLOSED, NULL);
            return;
        }
    }
    load->manifests =
        (struct shf_manifest_load){.store = source->store,
                                   .location = &source->location,
                                   .given = load->given.body ? &load->given : NULL,
                                   .pinned_ref = load->is_refresh ? NULL : source->manifest_ref,
                                   .pinned_offset = load->is_refresh ? -1 : source->pinned_offset,
                                   .known_ref = load->is_refresh ? load->base.snapshot->manifest_ref : NULL,
                                   .max_fallback_attempts = load->is_refresh ? 0 : source->max_fallback_attempts,
                                   .deadline_ns = load->base.op.deadline_ns,
                                   .cancel = load->base.op.cancel,
                                   .done = manifests_loaded};
    shf_manifest_load_start(&load->manifests);
}

/* ---- the beginnings ---- */

static void connected(struct shf_task *task) {
    struct shf_load_op *load = SHF_CONTAINER(task, struct shf_load_op, base.task);
    struct shf_error *error = load->error;
    load->error = NULL;
    if (load->status) {
        finish(load, load->status, error);
    } else {
        load_manifests(load);
    }
}

static void connect_task(struct shf_task *task) {
    struct shf_load_op *load = SHF_CONTAINER(task, struct shf_load_op, base.task);
    load->status = shf_source_connect(load->base.reader->source, &load->error);
    load->base.task.run = connected;
    shf_rt_post_loop(load->base.reader->runtime, &load->base.task);
}

/* Transfers are bounded by inactivity: unless the call says otherwise, an open or a refresh takes the time it needs. */
#define NO_DEFAULT_TIMEOUT (-1)

shf_status shf_reader_open(struct shf_source *source, const struct shf_submission *submission, shf_op_id *id) {
    struct shf_reader *reader = NULL;
    shf_runtime *runtime = source->runtime;
    struct shf_load_op *load = shf_alloc_zero(1, sizeof *load);
    shf_status status = load ? shf_reader_new(source, &reader) : SHF_E_NO_MEMORY;
    if (status) {
        shf_free(load);
        shf_source_release(source);
        return status;
    }
    status = shf_op_begin(&load->base.op, runtime, SHF_OP_OPEN, submission, NO_DEFAULT_TIMEOUT, destroy);
    if (status) {
        shf_reader_release(reader);
        shf_free(load);
        return status;
    }
    if (id) *id = load->base.op.id;
    load->base.reader = reader;
    load->owns_reader = true;
    load->given = source->given;
    source->given = (struct shf_manifest_given){0};
    load->base.task.run = connect_task;
    if (shf_reader_activate(&load->base)) shf_rt_post_worker(runtime, &load->base.task);
    return SHF_OK;
}

static void turn_came(struct shf_wait *wait, shf_status reason) {
    struct shf_load_op *load = SHF_CONTAINER(wait, struct shf_load_op, turn);
    struct shf_load_op **at = &load->base.reader->turns;
    while (*at && *at != load) at = &(*at)->next_turn;
    if (*at) *at = load->next_turn;
    if (reason) {
        finish(load, reason, NULL);
    } else {
        load_manifests(load);
    }
}

static void line_up(struct shf_task *task) {
    struct shf_load_op *load = SHF_CONTAINER(task, struct shf_load_op, base.task);
    struct shf_reader *reader = load->base.reader;
    if (!reader->loading) {
        load_manifests(load);
        return;
    }
    struct shf_load_op **at = &reader->turns;
    while (*at) at = &(*at)->next_turn;
    load->next_turn = NULL;
    *at = load;
    load->turn =
        (struct shf_wait){.deadline_ns = load->base.op.deadline_ns, .cancel = load->base.op.cancel, .wake = turn_came};
    shf_wait_begin(reader->runtime, &load->turn);
}

shf_status shf_reader_refresh(struct shf_reader *reader, struct shf_manifest_given *given,
                              const struct shf_submission *submission, shf_op_id *id) {
    struct shf_submission patient = *submission;
    if (patient.timeout_ms == 0) patient.timeout_ms = NO_DEFAULT_TIMEOUT;
    struct shf_load_op *load = shf_alloc_zero(1, sizeof *load);
    if (!load) return SHF_E_NO_MEMORY;
    load->is_refresh = true;
    shf_status status = shf_reader_enter(reader, &load->base, SHF_OP_REFRESH, &patient, destroy);
    if (status) {
        shf_free(load);
        return status;
    }
    if (id) *id = load->base.op.id;
    if (given) {
        load->given = *given;
        *given = (struct shf_manifest_given){0};
    }
    load->base.task.run = line_up;
    if (shf_reader_activate(&load->base)) shf_rt_post_loop(reader->runtime, &load->base.task);
    return SHF_OK;
}
