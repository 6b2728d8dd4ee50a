#include "fault/scenarios_read.h"

#include <string.h>

static bool info_of(struct session *session, const shf_op *op, shf_open_info *info) {
    return shf_op_open_info(op, info) == SHF_OK || session_wrong(session, "shf_op_open_info");
}

static void refreshed(struct session *session, shf_status submitted, shf_op_id id, uint32_t changed, uint32_t malformed) {
    shf_open_info info;
    SHF_INIT(&info);
    shf_op *op = session_wait(session, submitted, id);
    if (!op) return;
    if (info_of(session, op, &info) && info.manifest_malformed && !malformed) {
        (void)session_status(session, SHF_E_MANIFEST, "the refresh finds the manifest malformed");
    } else if (info.changed != changed || info.manifest_malformed != malformed) {
        (void)session_wrong(session, "refresh says changed %u, malformed %u", info.changed, info.manifest_malformed);
    }
    if (info.changed) session->serves = session->scenario->published == WORLD_SECOND;
    shf_op_release(op);
}
static void refresh_to(struct session *session, uint32_t changed, uint32_t malformed) {
    shf_call call = session_call(session);
    shf_op_id id = 0;
    shf_status submitted = shf_refresh(session->reader, &call, &id);
    refreshed(session, submitted, id, changed, malformed);
}
void refresh_given(struct session *session) {
    shf_call call = session_call(session);
    shf_op_id id = 0;
    shf_status submitted = shf_refresh_to(session->reader, "kept elsewhere", world->second_manifest, &call, &id);
    refreshed(session, submitted, id, 1, 0);
}
void refresh_changed(struct session *session) { refresh_to(session, 1, 0); }
void refresh_unchanged(struct session *session) { refresh_to(session, 0, 0); }
void refresh_malformed(struct session *session) { refresh_to(session, 0, 1); }

/* The stores go on with the old ones, or with the new ones. */
void set_credentials(struct session *session) {
    shf_status status = shf_reader_set_credentials(session->reader, "key-id", "secret", "token");
    if (session_status(session, status, "shf_reader_set_credentials")) (void)get_one(session, 3);
}

/* Another operation may be running: it ends, one way or the other. */
static void close_with(struct session *session, int mode) {
    shf_query query = world_query(0);
    shf_call call = session_call(session);
    shf_op_id ids[2] = {0, 0};
    shf_op *op = NULL;
    shf_status searching = shf_search(session->reader, &query, &call, &ids[0]);
    shf_status closing = shf_close(session->reader, mode, &call, &ids[1]);
    if (!searching && shf_await(session->cq, ids[0], 60000, &op) == SHF_OK) {
        shf_status status = shf_op_status(op);
        if (status && mode == SHF_CLOSE_DRAIN) (void)session_ended(session, status, op);
        if (!status) (void)session_hits_are_right(session, op, 1);
        shf_op_release(op);
    }
    shf_op_release(session_wait(session, closing, ids[1]));
    (void)session_status(session, searching, "shf_search");
}
void close_drain(struct session *session) { close_with(session, SHF_CLOSE_DRAIN); }
void close_cancel(struct session *session) { close_with(session, SHF_CLOSE_CANCEL); }

void release_unclosed(struct session *session) {
    shf_reader_release(session->reader);
    session->reader = NULL;
}

/* The shards that a search waits for are still being opened. */
void search_and_release(struct session *session) {
    shf_query query = world_query(0);
    shf_call call = session_call(session);
    shf_op_id id = 0;
    shf_status submitted = shf_search(session->reader, &query, &call, &id);
    release_unclosed(session);
    shf_op *op = NULL;
    if (!session_status(session, submitted, "shf_search")) return;
    if (shf_await(session->cq, id, 60000, &op)) {
        (void)session_wrong(session, "a search does not end");
    } else if (shf_op_status(op) == SHF_OK) {
        (void)session_hits_are_right(session, op, 1);
    }
    shf_op_release(op);
}

void history(struct session *session) {
    shf_reader_options options = session_options(session);
    shf_call call = session_call(session);
    shf_op_id id = 0;
    shf_status submitted = shf_history(session->runtime, &options, 2, &call, &id);
    shf_op *op = session_wait(session, submitted, id);
    shf_manifest_entry entry;
    SHF_INIT(&entry);
    if (op &&
        (shf_op_manifest_count(op) != 2 || shf_op_manifest(op, 1, &entry) || strncmp(entry.run_id, "5ec0d0", 6) != 0)) {
        (void)session_wrong(session, "the history is not right");
    }
    shf_op_release(op);
}
