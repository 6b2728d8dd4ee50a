/* Merging the sources: a heap, by key and then by age. */
#include "formats/slatedb/scan_priv.h"

#include "base/alloc.h"
#include "base/arena.h"

struct shf_slatedb_scan {
    struct shf_scan_place place;
    struct shf_slatedb_unpacker unpacker;
    struct shf_arena arena;
    struct shf_scan_cursor *cursors; /* newest first */
    uint32_t cursor_count;
    uint32_t *heap; /* numbers of cursors that have a row */
    uint32_t heap_count;
    bool started;
    bool is_out; /* the row of the first one in the heap was given out */
    uint8_t *last_key;
    size_t last_size; /* 0 = none yet */
};

/* ---- heap ---- */

static bool is_before(const struct shf_slatedb_scan *scan, uint32_t a, uint32_t b) {
    int order = shf_slatedb_compare(scan->cursors[a].row.key, scan->cursors[b].row.key);
    return order ? order < 0 : a < b;
}

static void swap(uint32_t *a, uint32_t *b) {
    uint32_t kept = *a;
    *a = *b;
    *b = kept;
}

static void sift_down(struct shf_slatedb_scan *scan, uint32_t at) {
    for (;;) {
        uint32_t child = 2 * at + 1;
        if (child >= scan->heap_count) return;
        if (child + 1 < scan->heap_count && is_before(scan, scan->heap[child + 1], scan->heap[child])) child++;
        if (!is_before(scan, scan->heap[child], scan->heap[at])) return;
        swap(&scan->heap[child], &scan->heap[at]);
        at = child;
    }
}

static void push(struct shf_slatedb_scan *scan, uint32_t cursor) {
    uint32_t at = scan->heap_count++;
    scan->heap[at] = cursor;
    while (at > 0 && is_before(scan, scan->heap[at], scan->heap[(at - 1) / 2])) {
        swap(&scan->heap[at], &scan->heap[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
}

/* Moves the first cursor on. */
static shf_status advance(struct shf_slatedb_scan *scan, struct shf_error **error) {
    bool done = false;
    shf_status status = shf_scan_cursor_next(&scan->cursors[scan->heap[0]], &scan->place, &done, error);
    if (status) return status;
    if (done) {
        shf_scan_cursor_close(&scan->cursors[scan->heap[0]]);
        scan->heap[0] = scan->heap[--scan->heap_count];
    }
    if (scan->heap_count) sift_down(scan, 0);
    return SHF_OK;
}

/* ---- sources ---- */

static void add_cursors(struct shf_slatedb_scan *scan, const struct shf_slatedb_sorted *wal) {
    const struct shf_slatedb_manifest *m = scan->place.manifest;
    struct shf_scan_cursor *cursor = scan->cursors;
    if (wal) (cursor++)->wal = wal;
    for (uint32_t s = 0; s < m->segment_count; s++) {
        const struct shf_slatedb_segment *segment = &m->segments[s];
        for (uint32_t i = 0; i < segment->l0_count; i++, cursor++) {
            *cursor = (struct shf_scan_cursor){.segment = segment, .next_sst = segment->l0_first + i};
            cursor->sst_end = cursor->next_sst + 1;
        }
        for (uint32_t i = 0; i < segment->run_count; i++, cursor++) {
            const struct shf_slatedb_run *run = &m->runs[segment->run_first + i];
            *cursor = (struct shf_scan_cursor){.segment = segment, .next_sst = run->first};
            cursor->sst_end = run->first + run->count;
        }
    }
    scan->cursor_count = (uint32_t)(cursor - scan->cursors);
}

shf_status shf_slatedb_scan_new(const struct shf_slatedb_manifest *manifest, const struct shf_slatedb_sorted *wal,
                                struct shf_slatedb_bytes_source *source, struct shf_budget *budget,
                                struct shf_slatedb_scan **out, struct shf_error **error) {
    struct shf_arena arena = {.budget = budget};
    struct shf_slatedb_scan *scan = shf_arena_zero(&arena, 1, sizeof *scan);
    size_t most = (size_t)manifest->sst_count + manifest->run_count + 1;
    if (scan) {
        scan->place = (struct shf_scan_place){manifest, source, &scan->unpacker};
        scan->unpacker.budget = budget;
        scan->cursors = shf_arena_zero(&arena, most, sizeof *scan->cursors);
        scan->heap = shf_arena_alloc(&arena, most, sizeof *scan->heap);
        scan->last_key = shf_arena_alloc(&arena, SHF_SLATEDB_KEY_BYTES, 1);
    }
    if (!scan || !scan->cursors || !scan->heap || !scan->last_key) {
        shf_status status = shf_arena_refuse(&arena, "a scan", error);
        shf_arena_free(&arena);
        return status;
    }
    add_cursors(scan, wal);
    scan->arena = arena;
    *out = scan;
    return SHF_OK;
}

void shf_slatedb_scan_free(struct shf_slatedb_scan *scan) {
    if (!scan) return;
    for (uint32_t i = 0; i < scan->cursor_count; i++) shf_scan_cursor_close(&scan->cursors[i]);
    shf_slatedb_unpacker_free(&scan->unpacker);
    struct shf_arena arena = scan->arena; /* the scan itself lies in it */
    shf_arena_free(&arena);
}

/* ---- rows ---- */

static shf_status start(struct shf_slatedb_scan *scan, struct shf_error **error) {
    shf_status status = SHF_OK;
    scan->started = true;
    for (uint32_t i = 0; i < scan->cursor_count && !status; i++) {
        bool done = false;
        status = shf_scan_cursor_next(&scan->cursors[i], &scan->place, &done, error);
        if (!status && !done) push(scan, i);
    }
    return status;
}

/* *is_new: the first row in the heap is the newest of its key. */
static shf_status look_at_first(struct shf_slatedb_scan *scan, bool *is_new, struct shf_error **error) {
    const struct shf_slatedb_row *row = &scan->cursors[scan->heap[0]].row;
    struct shf_slatedb_bytes last = {scan->last_key, scan->last_size};
    int order = shf_slatedb_compare(last, row->key);
    if (order > 0) return shf_error_set(error, SHF_E_CORRUPT, "SST: the keys of an SST or a run do not ascend");
    *is_new = order < 0;
    if (order == 0) return SHF_OK;
    memcpy(scan->last_key, row->key.data, row->key.size);
    scan->last_size = row->key.size;
    if (row->kind == SHF_SLATEDB_MERGE) {
        return shf_error_set(error, SHF_E_UNSUPPORTED,
                             "the newest row of a key is a merge operand; databases that need a merge operator are not "
                             "supported");
    }
    *is_new = row->kind == SHF_SLATEDB_VALUE;
    return SHF_OK;
}

shf_status shf_slatedb_scan_next(struct shf_slatedb_scan *scan, bool *done, struct shf_slatedb_row *row,
                                 struct shf_error **error) {
    shf_status status = scan->started ? SHF_OK : start(scan, error);
    if (!status && scan->is_out) status = advance(scan, error);
    scan->is_out = false;
    while (!status && scan->heap_count) {
        status = look_at_first(scan, &scan->is_out, error);
        if (status) return status;
        if (scan->is_out) {
            *row = scan->cursors[scan->heap[0]].row;
            *done = false;
            return SHF_OK;
        }
        status = advance(scan, error);
    }
    if (!status) *done = true;
    return status;
}
