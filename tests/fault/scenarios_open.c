#include "fault/scenarios_read.h"

#include "fault/stand_in.h"

#include <string.h>

/* ---- runtime, inspection ---- */

void make_runtime(struct session *session) {
    shf_runtime_stats stats;
    SHF_INIT(&stats);
    if (!session_make_runtime(session)) return;
    if (shf_runtime_stats_get(session->runtime, &stats) || stats.inflight_ops) (void)session_wrong(session, "stats");
    if (shf_cq_fd(session->cq) < 0) (void)session_wrong(session, "no descriptor");
}

/* Nothing here may need memory but the error of a failure. */
static bool inspect_routing(struct session *session, const shf_snapshot *snapshot) {
    shf_key keys[2] = {world_key(0), world_key(1)}, bad = shf_key_from_text("\xff", 1);
    shf_error *error = NULL;
    uint32_t shards[2] = {9, 9}, shard = 9;
    shf_status status = shf_snapshot_route_key(snapshot, &keys[0], NULL, &shard, &error);
    if (status || error || shard > 1) return session_wrong(session, "route_key");
    status = shf_snapshot_shards_for_keys(snapshot, keys, 2, NULL, shards, &error);
    if (status || error || shards[0] != shard) return session_wrong(session, "shards_for_keys");
    status = shf_snapshot_route_key(snapshot, &bad, NULL, &shard, &error);
    bool is_right = error && shf_error_code(error) == status && *shf_error_message(error);
    shf_error_free(error);
    if (!is_right) return session_wrong(session, "no error object for a bad key");
    if (status == SHF_E_INVALID) return true;
    return session_status(session, status, "shf_snapshot_route_key");
}

void inspect(struct session *session) {
    shf_snapshot *snapshot = NULL;
    shf_snapshot_info info;
    shf_shard_info shard;
    shf_vector_info vectors;
    shf_health_info health;
    SHF_INIT(&info);
    SHF_INIT(&shard);
    SHF_INIT(&vectors);
    SHF_INIT(&health);
    if (!session_status(session, shf_reader_snapshot(session->reader, &snapshot), "shf_reader_snapshot")) return;
    if (shf_snapshot_describe(snapshot, &info) || info.num_dbs != 2 || info.row_count != 1000) {
        (void)session_wrong(session, "shf_snapshot_describe");
    }
    if (shf_snapshot_shard(snapshot, 1, &shard) || shard.row_count != 509)
        (void)session_wrong(session, "shf_snapshot_shard");
    if (shf_snapshot_vectors(snapshot, &vectors) || vectors.dimension != WORLD_UNIFIED_DIMENSION) {
        (void)session_wrong(session, "shf_snapshot_vectors");
    }
    if (shf_health(session->reader, 0, &health) || health.status != SHF_HEALTHY || health.num_shards != 2) {
        (void)session_wrong(session, "shf_health");
    }
    (void)inspect_routing(session, snapshot);
    shf_snapshot_release(snapshot);
}

/* ---- open ---- */

void open_reader(struct session *session) { (void)session_open(session); }

void open_sync(struct session *session) {
    shf_reader_options options = session_options(session);
    shf_op *op = NULL;
    shf_status status = shf_open_sync(session->runtime, &options, session_timeout_ms, &op);
    if (session_ended(session, status, op)) {
        status = shf_op_take_reader(op, &session->reader);
        if (status) (void)session_wrong(session, "shf_op_take_reader: %d", status);
    }
    shf_op_release(op);
}

/* With more options, and not taken: it goes with its operation. */
void open_pinned(struct session *session) {
    static const char *const prefixes[] = {"/nonexistent/a", "/nonexistent/b", NULL};
    shf_reader_options options = session_options(session);
    shf_op *op = NULL;
    options.history_offset = 3; /* behind the malformed one and the second run */
    options.allowed_prefixes = prefixes;
    shf_status status = shf_open_sync(session->runtime, &options, session_timeout_ms, &op);
    (void)session_ended(session, status, op);
    shf_op_release(op);
}

/* The second run's manifest, kept elsewhere, with the pointer at its default place named. */
void open_given(struct session *session) {
    shf_reader_options options = session_options(session);
    shf_op *op = NULL;
    options.manifest = world->second_manifest;
    options.manifest_ref = "kept elsewhere";
    options.current_pointer_key = "_CURRENT";
    session->serves = 1;
    shf_status status = shf_open_sync(session->runtime, &options, session_timeout_ms, &op);
    if (session_ended(session, status, op) && shf_op_take_reader(op, &session->reader)) {
        (void)session_wrong(session, "shf_op_take_reader");
    }
    shf_op_release(op);
}

/* The malformed manifest is the newest; the second run is the one before. */
void open_fallback(struct session *session) {
    shf_snapshot *snapshot = NULL;
    session->serves = 1;
    if (!session_open(session) || !session_manifests_may_go) return;
    shf_snapshot_info info;
    SHF_INIT(&info);
    if (shf_reader_snapshot(session->reader, &snapshot) || shf_snapshot_describe(snapshot, &info)) {
        (void)session_wrong(session, "no snapshot");
    } else {
        session->serves = strncmp(info.run_id, "5ec0d0", 6) == 0;
    }
    shf_snapshot_release(snapshot);
}

bool get_one(struct session *session, size_t row) {
    shf_key key = world_key(row);
    shf_call call = session_call(session);
    shf_op_id id = 0;
    shf_status submitted = shf_get(session->reader, &key, NULL, &call, &id);
    shf_op *op = session_wait(session, submitted, id);
    bool ok = op && session_values_are_right(session, op, row, 1);
    shf_op_release(op);
    return ok;
}

void open_and_get(struct session *session) {
    (void)(session_open(session) && get_one(session, 0) && get_one(session, 1) && get_one(session, 500));
}

/* An object is gone when it is asked for, and there the next time: who opens looks for a newer manifest. */
static void open_with_a_gap(struct session *session, enum shf_store_verb verb, uint64_t ordinal) {
    const struct shf_fault_rule rule = {
        .verb = verb, .first = ordinal, .count = 1, .kind = SHF_FAULT_FAIL, .status = SHF_E_NOT_FOUND, .http_status = 404};
    if (!shf_store_fault_add(stand_in_store(), &rule)) {
        (void)session_wrong(session, "no room for a rule");
    } else {
        (void)session_open(session);
    }
}
/* The rule may not have been met. */
void heal(struct session *session) {
    (void)session;
    shf_store_fault_reset(stand_in_store());
}
void open_gone_1(struct session *session) { open_with_a_gap(session, SHF_STORE_HEAD, 1); }
void open_gone_3(struct session *session) { open_with_a_gap(session, SHF_STORE_HEAD, 3); }
void open_gone_get_4(struct session *session) { open_with_a_gap(session, SHF_STORE_GET, 4); }
void open_gone_get_8(struct session *session) { open_with_a_gap(session, SHF_STORE_GET, 8); }
