/* The manifest, then _CURRENT: from here on readers see the snapshot. */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/text.h"
#include "formats/manifest_build.h"
#include "snapshot/manifest_names.h"
#include "writer/publish.h"

#include <stdlib.h>
#include <string.h>

#define CONTENT_TYPE "application/x-sqlite3"

/* ---- the last step: what failed attempts left behind ---- */

static void losers_gone(struct shf_losers *losers) {
    struct shf_publish_op *publish = SHF_CONTAINER(losers, struct shf_publish_op, losers);
    publish->info.attempts_left = losers->left;
    shf_losers_free(losers);
    shf_publish_succeed(publish);
}

static void delete_losers(struct shf_publish_op *publish) {
    struct shf_writer *writer = publish->writer;
    const struct shf_claim *claim = &writer->claim;
    struct shf_losers *losers = &publish->losers;
    bool keeps = writer->setup.flags & SHF_WRITE_KEEP_ATTEMPTS;
    losers->items = keeps ? NULL : shf_alloc_zero(claim->old_count + publish->num_dbs, sizeof *losers->items);
    if (!losers->items) {
        shf_publish_succeed(publish);
        return;
    }
    for (size_t i = 0; !claim->keeps_attempts && i < claim->old_count; i++) {
        losers->items[losers->count++] = (struct shf_loser){claim->old_shards[i], 0, claim->first_attempt};
    }
    for (uint32_t i = 0; i < publish->num_dbs; i++) {
        const struct shf_shard_result *result = &publish->results[i];
        if (!result->failed_attempts) continue;
        losers->items[losers->count++] =
            (struct shf_loser){i, result->attempt - result->failed_attempts, result->attempt};
    }
    losers->setup = &writer->setup;
    losers->cancel = publish->op.cancel;
    losers->deadline_ns = publish->op.deadline_ns;
    losers->done = losers_gone;
    shf_losers_delete(losers);
}

/* ---- the pointer ---- */

static void manifest_deleted(struct shf_errand *errand) {
    struct shf_publish_op *publish = SHF_CONTAINER(errand, struct shf_publish_op, errand);
    if (errand->status) {
        shf_log_write(shf_rt_log(publish->writer->runtime), SHF_LOG_WARNING,
                      "the manifest of a run that lost was not deleted: %s", shf_error_message(errand->request.error));
    }
    shf_publish_fail(publish);
}

/* A manifest that nothing will ever name must not stand first in the history. */
static void delete_manifest(struct shf_publish_op *publish) {
    struct shf_errand *errand = &publish->errand;
    char *key = errand->key; /* of the PUT that wrote it */
    errand->key = NULL;
    publish->manifest_is_left = false;
    shf_errand_delete(errand, key, manifest_deleted);
}

static void pointer_written(struct shf_pointer *pointer) {
    struct shf_publish_op *publish = SHF_CONTAINER(pointer, struct shf_publish_op, pointer);
    if (pointer->status) {
        shf_publish_note(publish, pointer->status, pointer->error);
        if (pointer->is_refused) {
            delete_manifest(publish);
        } else {
            shf_publish_fail(publish);
        }
        return;
    }
    publish->info.is_unconditional = pointer->is_unconditional;
    if (pointer->is_unconditional) {
        shf_log_write(shf_rt_log(publish->writer->runtime), SHF_LOG_INFO,
                      "the store of %s can not replace _CURRENT conditionally: of two writers the last wins",
                      publish->writer->setup.location.url);
    }
    delete_losers(publish);
}

static void manifest_written(struct shf_errand *errand) {
    struct shf_publish_op *publish = SHF_CONTAINER(errand, struct shf_publish_op, errand);
    struct shf_writer *writer = publish->writer;
    if (errand->status) {
        shf_publish_note(publish, errand->status, shf_errand_take_error(errand));
        shf_publish_fail(publish);
        return;
    }
    publish->manifest_is_left = true;
    publish->pointer = (struct shf_pointer){.runtime = writer->runtime,
                                            .store = writer->setup.store,
                                            .location = &writer->setup.location,
                                            .manifest_ref = publish->manifest_ref,
                                            .run_id = writer->setup.run_id,
                                            .if_version = writer->claim.current_version,
                                            .cancel = publish->op.cancel,
                                            .deadline_ns = publish->op.deadline_ns,
                                            .done = pointer_written};
    shf_pointer_write(&publish->pointer);
}

static void put_manifest(struct shf_publish_op *publish) {
    char *key = publish->manifest_key, *manifest = (char *)publish->manifest;
    publish->manifest_key = NULL;
    publish->manifest = NULL;
    shf_errand_put(&publish->errand, key, manifest, publish->manifest_size, CONTENT_TYPE, NULL, manifest_written);
}

static void lease_renewed(struct shf_lease *lease) {
    struct shf_writer *writer = SHF_CONTAINER(lease, struct shf_writer, lease);
    struct shf_publish_op *publish = writer->publishing;
    if (lease->status) {
        shf_publish_note(publish, lease->status, shf_error_clone(lease->error));
        shf_publish_fail(publish);
        return;
    }
    publish->run_record = lease->key ? shf_location_key_url(lease->location, lease->key) : NULL;
    if (lease->key && !publish->run_record) {
        struct shf_error *error = NULL;
        shf_status status = shf_error_set(&error, SHF_E_NO_MEMORY, "no memory for the URL of the run record");
        shf_publish_note(publish, status, error);
        shf_publish_fail(publish);
        return;
    }
    publish->errand = (struct shf_errand){
        .store = writer->setup.store, .cancel = publish->op.cancel, .deadline_ns = publish->op.deadline_ns};
    if (publish->table.tail) {
        shf_vector_table_put(publish, put_manifest);
    } else {
        put_manifest(publish);
    }
}

/* ---- the manifest: worker ---- */

static void made(struct shf_task *task) {
    struct shf_publish_op *publish = SHF_CONTAINER(task, struct shf_publish_op, task);
    if (publish->status) {
        shf_publish_fail(publish);
    } else {
        const struct shf_lease_patience patience = {.cancel = publish->op.cancel, .deadline_ns = publish->op.deadline_ns};
        shf_lease_renew(&publish->writer->lease, patience, lease_renewed);
    }
}

static char *object_path(const struct shf_writer_setup *setup, uint32_t shard, uint32_t attempt, const char *name) {
    struct shf_text path = {0};
    char *tail = shf_writer_attempt_tail(setup->run_id, shard, attempt);
    shf_text_format(&path, "%s/%s", tail ? tail : "", name);
    if (!tail) path.failed = true;
    shf_free(tail);
    return shf_text_take(&path);
}

struct objects {
    struct shf_manifest_object *items;
    size_t count;
};

static bool add_object(struct objects *objects, char *path, uint64_t size, const uint8_t sha256[32]) {
    struct shf_manifest_object *object = &objects->items[objects->count];
    if (!path) return false;
    object->path = path;
    object->size = size;
    memcpy(object->sha256, sha256, 32);
    objects->count++;
    return true;
}

static void free_objects(struct objects *objects) {
    for (size_t i = 0; i < objects->count; i++) shf_free((char *)(uintptr_t)objects->items[i].path);
    shf_free(objects->items);
}

static bool list_objects(const struct shf_publish_op *publish, struct objects *out) {
    const struct shf_writer_setup *setup = &publish->writer->setup;
    const struct shf_vector_table *table = &publish->table;
    out->items = shf_alloc_zero((size_t)publish->num_dbs * 2 + 1, sizeof *out->items);
    if (!out->items) return false;
    for (uint32_t i = 0; i < publish->num_dbs; i++) {
        const struct shf_shard_result *result = &publish->results[i];
        if (!result->rows) continue;
        if (!add_object(out, object_path(setup, i, result->attempt, "shard.db"), result->db_bytes, result->sha256)) {
            return false;
        }
        if (result->sidecar_bytes && !add_object(out, object_path(setup, i, result->attempt, "shard.sidecar"),
                                                 result->sidecar_bytes, result->sidecar_sha256)) {
            return false;
        }
    }
    return !table->tail || add_object(out, shf_strdup(table->tail), table->size, table->sha256);
}

static shf_status make_custom(struct shf_publish_op *publish, char **out, struct shf_error **error) {
    const struct shf_writer *writer = publish->writer;
    struct objects objects = {0};
    char *vector = NULL;
    shf_status status = writer->setup.vectors ? shf_vector_table_describe(publish, &vector, error) : SHF_OK;
    if (!status && !list_objects(publish, &objects)) {
        status = shf_error_set(error, SHF_E_NO_MEMORY, "no memory for the list of objects");
    }
    if (!status) {
        const struct shf_manifest_custom_spec spec = {.user = writer->setup.custom,
                                                      .has_sidecar = !(writer->setup.flags & SHF_WRITE_NO_SIDECAR),
                                                      .page_size = writer->setup.page_size,
                                                      .dimension = writer->setup.is_unified ? writer->dimension : 0,
                                                      .metric = writer->setup.metric,
                                                      .vector = vector,
                                                      .objects = objects.items,
                                                      .object_count = objects.count};
        status = shf_manifest_custom_build(&spec, out, error);
    }
    free_objects(&objects);
    shf_free(vector);
    return status;
}

static uint32_t list_shards(const struct shf_publish_op *publish, struct shf_manifest_spec_shard *out) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < publish->num_dbs; i++) {
        const struct shf_shard_result *result = &publish->results[i];
        if (!result->rows) continue;
        out[count++] = (struct shf_manifest_spec_shard){.db_id = i,
                                                        .attempt = result->attempt,
                                                        .db_url = result->db_url,
                                                        .row_count = result->rows,
                                                        .db_bytes = result->db_bytes,
                                                        .min_key = result->min_key,
                                                        .max_key = result->max_key,
                                                        .checkpoint_id = result->checkpoint,
                                                        .duration_ms = result->duration_ms};
    }
    return count;
}

static shf_status make_manifest(struct shf_publish_op *publish, const char *custom, const char *sharding,
                                struct shf_error **error) {
    const struct shf_writer *writer = publish->writer;
    struct shf_manifest_spec_shard *shards = shf_alloc_zero(publish->num_dbs, sizeof *shards);
    if (!shards) return shf_error_set(error, SHF_E_NO_MEMORY, "no memory for the manifest");
    const struct shf_manifest_spec spec = {.run_id = writer->setup.run_id,
                                           .s3_prefix = writer->setup.location.url,
                                           .key_col = writer->setup.key_column,
                                           .created_at_us = shf_clock_wall_us(),
                                           .num_dbs = publish->num_dbs,
                                           .key_encoding = writer->key_encoding,
                                           .db_path_template = SHF_DB_PATH_TEMPLATE,
                                           .shard_prefix = SHF_SHARD_PREFIX,
                                           .sharding = sharding,
                                           .custom = custom,
                                           .shards = shards,
                                           .shard_count = list_shards(publish, shards)};
    shf_status status = shf_manifest_build(&spec, &publish->manifest, &publish->manifest_size, error);
    shf_free(shards);
    return status;
}

static shf_status name_manifest(struct shf_publish_op *publish, struct shf_error **error) {
    const struct shf_location *location = &publish->writer->setup.location;
    char time[SHF_TIME_TEXT_BYTES];
    struct shf_text tail = {0};
    shf_time_format(shf_clock_wall_us(), time);
    shf_text_format(&tail, SHF_MANIFESTS_DIRECTORY "%s_run_id=%s/manifest", time, publish->writer->setup.run_id);
    char *text = shf_text_take(&tail);
    publish->manifest_key = text ? shf_location_key(location, text) : NULL;
    publish->manifest_ref = text ? shf_location_url(location, text) : NULL;
    shf_free(text);
    if (publish->manifest_key && publish->manifest_ref) return SHF_OK;
    return shf_error_set(error, SHF_E_NO_MEMORY, "no memory for the name of the manifest");
}

static void make(struct shf_task *task) {
    struct shf_publish_op *publish = SHF_CONTAINER(task, struct shf_publish_op, task);
    struct shf_error *error = NULL;
    const struct shf_sharder *by = publish->writer->setup.sharder;
    char *custom = NULL, *sharding = NULL;
    shf_status status = shf_op_check(&publish->op, &error);
    if (!status && publish->writer->setup.vectors) status = shf_vector_table_make(publish, &error);
    if (!status) status = make_custom(publish, &custom, &error);
    if (!status && by && !publish->writer->setup.vectors) status = shf_sharder_text(by, &sharding, &error);
    if (!status) status = make_manifest(publish, custom, sharding, &error);
    if (!status) status = name_manifest(publish, &error);
    shf_free(custom);
    shf_free(sharding);
    if (status) shf_publish_note(publish, status, error);
    task->run = made;
    shf_rt_post_loop(publish->writer->runtime, task);
}

void shf_publish_announce(struct shf_publish_op *publish) {
    if (publish->writer->setup.flags & SHF_WRITE_DRY_RUN) {
        shf_publish_succeed(publish);
        return;
    }
    atomic_store(&publish->writer->progress.phase, SHF_PHASE_PUBLISH);
    publish->task.run = make;
    shf_rt_post_worker(publish->writer->runtime, &publish->task);
}
