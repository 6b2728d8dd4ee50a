/*
 * Memory of each side in a process of its own: anonymous memory (what the process itself allocated) once the work is
 * done, and the highest resident set, which counts the pages of mapped files too.
 */
#include "bench/bench.h"
#include "bench/lookup_peer.h"
#include "bench/machine.h"
#include "bench/peer_process.h"
#include "bench/vectors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MEGABYTE (1024.0 * 1024.0)
#define SEARCHES 32u

/* ---- in the child ---- */

static bool look_up_all(const char *data, const char *side) {
    struct bench_keys keys;
    struct bench_ours ours = {0};
    struct bench_lmdb *lmdb = NULL;
    struct bench_sqlite *sqlite = NULL;
    if (!bench_keys_load(&keys, data)) return false;
    double before = bench_memory_now().anonymous; /* the keys are the benchmark's */
    bool ok = strcmp(side, "get") == 0    ? bench_ours_open(&ours, data, "kv", 0)
              : strcmp(side, "lmdb") == 0 ? (lmdb = bench_lmdb_open(data, &keys)) != NULL
                                          : (sqlite = bench_sqlite_open(data, "kv", BENCH_KV_SHARDS)) != NULL;
    for (size_t i = 0; ok && i < BENCH_LOOKUPS; i++) {
        if (lmdb) (void)bench_lmdb_get(lmdb, keys.lookups[i]);
        if (sqlite) (void)bench_sqlite_get(sqlite, keys.lookups[i]);
        if (!ours.reader) continue;
        shf_key key = shf_key_from_bytes(keys.lookups[i], BENCH_KEY_SIZE);
        shf_op *op = NULL;
        ok = !shf_get_sync(ours.reader, &key, NULL, 0, &op);
        shf_op_release(op);
    }
    struct bench_memory memory = bench_memory_now();
    if (ok) printf("%.0f %.0f\n", memory.anonymous - before, memory.peak);
    bench_ours_close(&ours);
    bench_lmdb_close(lmdb);
    bench_sqlite_close(sqlite);
    bench_keys_free(&keys);
    return ok;
}

static bool search_all(const char *data) {
    struct bench_vectors vectors;
    struct bench_ours ours = {0};
    if (!bench_vectors_load(&vectors, data)) return false;
    double before = bench_memory_now().anonymous;
    bool ok = bench_ours_open(&ours, data, "vectors/shards-1", 1);
    for (unsigned i = 0; ok && i < SEARCHES; i++) {
        shf_query query = bench_query(&vectors, i);
        shf_op *op = NULL;
        ok = !shf_search_sync(ours.reader, &query, 0, &op);
        shf_op_release(op);
    }
    struct bench_memory memory = bench_memory_now();
    if (ok) printf("%.0f %.0f\n", memory.anonymous - before, memory.peak);
    bench_ours_close(&ours);
    bench_vectors_free(&vectors);
    return ok;
}

bool bench_memory_child(const char *data, const char *side) {
    if (strcmp(side, "build") == 0) return bench_build_memory_child(data);
    return strcmp(side, "search") == 0 ? search_all(data) : look_up_all(data, side);
}

/* ---- in the parent ---- */

static bool read_memory(const char *text, struct bench_memory *out) {
    char *end;
    out->anonymous = strtod(text, &end);
    out->peak = strtod(end, NULL);
    if (out->peak > 0) return true;
    fprintf(stderr, "a child did not say how much memory it took\n");
    return false;
}

bool bench_memory_of(const struct bench *bench, const char *side, struct bench_memory *out) {
    char command[8192], line[128] = "";
    (void)snprintf(command, sizeof command, "'%s' --data '%s' --memory %s", bench->program, bench->data, side);
    FILE *child = popen(command, "r"); /* NOLINT(cert-env33-c): this program itself */
    if (!child) return false;
    bool ok = fgets(line, sizeof line, child) != NULL;
    return pclose(child) == 0 && ok && read_memory(line, out);
}

static bool ask_peer(const struct bench *bench, const char *name, struct bench_memory *out) {
    struct bench_peer *peer = bench_peer_start(bench->python, BENCH_VECTORS_SCRIPT, bench->data, name);
    bool ok = peer && bench_peer_ask(peer, "round", 0, SEARCHES) && bench_peer_ask(peer, "memory", 0, 0) &&
              read_memory(peer->answer, out);
    bench_peer_stop(peer);
    return ok;
}

static void add(struct bench *bench, const char *name, struct bench_memory ours, struct bench_memory peer) {
    bench_report_add(&bench->report,
                     (struct bench_result){name, ours.anonymous / MEGABYTE, peer.anonymous / MEGABYTE, "MiB", 0, 0, ""},
                     "anonymous memory; with mapped files at most %.0f MiB, the peer %.0f", ours.peak / MEGABYTE,
                     peer.peak / MEGABYTE);
}

bool bench_memory(struct bench *bench) {
    struct bench_memory get, lmdb, sqlite, search, sqlite_vec, faiss;
    if (!bench_memory_of(bench, "get", &get) || !bench_memory_of(bench, "lmdb", &lmdb) ||
        !bench_memory_of(bench, "sqlite", &sqlite) || !bench_memory_of(bench, "search", &search) ||
        !ask_peer(bench, "sqlite-vec", &sqlite_vec) || !ask_peer(bench, "faiss", &faiss)) {
        return false;
    }
    add(bench, "memory_get_vs_lmdb", get, lmdb);
    add(bench, "memory_get_vs_sqlite", get, sqlite);
    add(bench, "memory_search_vs_sqlite_vec", search, sqlite_vec);
    add(bench, "memory_search_vs_faiss", search, faiss);
    return true;
}
