#include "fault/scenarios_read.h"

#include <stdlib.h>

#define MANY_KEYS 10000
#define SOME_KEYS 100

void get(struct session *session) { (void)get_one(session, 700); }
void get_long(struct session *session) { (void)(get_one(session, 0) && get_one(session, 1)); }

void get_sync(struct session *session) {
    shf_key key = world_key(3), absent = shf_key_from_text("no such key", 11);
    shf_op *op = NULL, *none = NULL;
    shf_status status = shf_get_sync(session->reader, &key, NULL, 0, &op);
    if (session_ended(session, status, op)) (void)session_values_are_right(session, op, 3, 1);
    status = shf_get_sync(session->reader, &absent, NULL, 0, &none);
    if (session_ended(session, status, none)) {
        shf_value value;
        SHF_INIT(&value);
        if (shf_op_value(none, 0, &value) || value.status != SHF_NOT_FOUND)
            (void)session_wrong(session, "a key too many");
    }
    shf_op_release(op);
    shf_op_release(none);
}

static void get_many(struct session *session, size_t count) {
    shf_key *keys = malloc(count * sizeof *keys);
    shf_call call = session_call(session);
    shf_op_id id = 0;
    for (size_t i = 0; i < count; i++) keys[i] = world_key(i);
    shf_status submitted = shf_multi_get(session->reader, keys, count, NULL, &call, &id);
    free(keys); /* copied by the call */
    shf_op *op = session_wait(session, submitted, id);
    if (op) (void)session_values_are_right(session, op, 0, count);
    shf_op_release(op);
}
/* The answers within the call, and the refusal where there is none. */
void get_now(struct session *session) {
    shf_key keys[2] = {world_key(3), world_key(4)};
    shf_op *one = NULL, *both = NULL;
    shf_status status = shf_get_now(session->reader, &keys[0], NULL, &one);
    if (status == SHF_WOULD_WAIT) {
        if (one) (void)session_wrong(session, "an operation beside SHF_WOULD_WAIT");
        get_many(session, 2);
        return;
    }
    if (session_ended(session, status, one)) (void)session_values_are_right(session, one, 3, 1);
    status = shf_multi_get_now(session->reader, keys, 2, NULL, &both);
    if (session_ended(session, status, both)) (void)session_values_are_right(session, both, 3, 2);
    shf_op_release(one);
    shf_op_release(both);
}

/* By stored bytes, in the shard that the key is in. */
void get_stored(struct session *session) {
    const shf_key key = world_key(3);
    shf_snapshot *snapshot = NULL;
    shf_call call = session_call(session);
    shf_op_id id = 0;
    uint32_t shard = 0;
    if (shf_reader_snapshot(session->reader, &snapshot) || shf_snapshot_route_key(snapshot, &key, NULL, &shard, NULL)) {
        (void)session_wrong(session, "no snapshot");
    } else {
        shf_status submitted = shf_get_stored(session->reader, snapshot, shard, &key.as.bytes, 1, &call, &id);
        shf_op *op = session_wait(session, submitted, id);
        if (op) (void)session_values_are_right(session, op, 3, 1);
        shf_op_release(op);
    }
    shf_snapshot_release(snapshot);
}

void multi_get_1(struct session *session) { get_many(session, 1); }
void multi_get_100(struct session *session) { get_many(session, SOME_KEYS); }
void multi_get_10000(struct session *session) { get_many(session, MANY_KEYS); }

/* An integer is no key of this snapshot: the operation fails with a text that names the key. */
void multi_get_bad(struct session *session) {
    shf_key keys[3] = {world_key(0), world_key(1), shf_key_from_int(5)};
    shf_op *op = NULL;
    shf_status status = shf_multi_get_sync(session->reader, keys, 3, NULL, 0, &op);
    (void)session_ended(session, status, op);
    shf_op_release(op);
}

/* Buffers outlive their operation. */
void buffers(struct session *session) {
    shf_op *op = NULL;
    shf_buf *held[2] = {NULL, NULL};
    shf_slice data[2] = {{NULL, 0}, {NULL, 0}};
    static const size_t rows[2] = {0, 600};
    for (int i = 0; i < 2; i++) {
        shf_key key = world_key(rows[i]);
        shf_value value;
        SHF_INIT(&value);
        shf_status status = shf_get_sync(session->reader, &key, NULL, 0, &op);
        if (session_ended(session, status, op) && shf_op_value(op, 0, &value) == SHF_OK) {
            held[i] = shf_buf_retain(value.buf);
            data[i] = value.data;
        }
        shf_op_release(op);
        op = NULL;
    }
    for (int i = 0; i < 2; i++) {
        shf_value value = {sizeof value, SHF_OK, data[i], held[i]};
        if (held[i] && !world_value_is(rows[i], session->serves, &value))
            (void)session_wrong(session, "a held value changed");
        shf_buf_release(held[i]);
    }
}
