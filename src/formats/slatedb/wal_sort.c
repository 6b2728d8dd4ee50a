/* Sorting the rows of a replay, and writing them. */
#include "formats/slatedb/wal_priv.h"

#include "base/alloc.h"
#include "base/cursor.h"
#include "base/hash.h"
#include "formats/slatedb/sorted_priv.h"

#include <inttypes.h>

/* Key ascending, sequence number descending. */
static int compare_rows(const struct shf_replay_row *a, const struct shf_replay_row *b) {
    if (a->key_part != b->key_part) return a->key_part < b->key_part ? -1 : 1;
    int order = shf_slatedb_compare(shf_replay_key(a), shf_replay_key(b));
    if (order) return order;
    return (a->seq < b->seq) - (a->seq > b->seq);
}

static uint64_t least(uint64_t a, uint64_t b) { return a < b ? a : b; }

/*
 * Merges from[begin..middle) and from[middle..end) to the same places of `to`. Of equal rows the later one comes first.
 */
static void merge(const struct shf_replay_row *from, struct shf_replay_row *to, uint64_t begin, uint64_t middle,
                  uint64_t end) {
    uint64_t left = begin, right = middle;
    for (uint64_t at = begin; at < end; at++) {
        bool takes_left = left < middle && (right == end || compare_rows(&from[left], &from[right]) < 0);
        to[at] = takes_left ? from[left++] : from[right++];
    }
}

/* Runs of 1, 2, 4, ... rows. */
static void merge_all(struct shf_slatedb_replay *replay, struct shf_replay_row *other) {
    struct shf_replay_row *from = replay->rows, *to = other;
    uint64_t count = replay->row_count;
    for (uint64_t width = 1; width < count; width *= 2) {
        for (uint64_t begin = 0; begin < count; begin += 2 * width) {
            merge(from, to, begin, least(begin + width, count), least(begin + 2 * width, count));
        }
        struct shf_replay_row *swap = from;
        from = to;
        to = swap;
    }
    if (from != replay->rows) memcpy(replay->rows, from, (size_t)count * sizeof *from);
}

/* Keys ascend, each once: as a single batch leaves them. */
static bool is_sorted(const struct shf_slatedb_replay *replay) {
    for (uint64_t i = 1; i < replay->row_count; i++) {
        const struct shf_replay_row *a = &replay->rows[i - 1], *b = &replay->rows[i];
        if (a->key_part > b->key_part) return false;
        if (a->key_part == b->key_part && shf_slatedb_compare(shf_replay_key(a), shf_replay_key(b)) >= 0) return false;
    }
    return true;
}

static void keep_newest(struct shf_slatedb_replay *replay) {
    uint64_t kept = 0;
    for (uint64_t i = 0; i < replay->row_count; i++) {
        const struct shf_replay_row *last = kept ? &replay->rows[kept - 1] : NULL;
        if (last && shf_slatedb_compare(shf_replay_key(last), shf_replay_key(&replay->rows[i])) == 0) continue;
        replay->rows[kept++] = replay->rows[i];
    }
    replay->row_count = kept;
}

static shf_status sort(struct shf_slatedb_replay *replay, struct shf_error **error) {
    uint64_t count = replay->row_count, bytes = count * sizeof *replay->rows;
    for (uint64_t i = 0; i < count; i++) {
        replay->rows[i].key_part = shf_slatedb_key_part(shf_replay_key(&replay->rows[i]), replay->prefix_size);
    }
    if (is_sorted(replay)) return SHF_OK;
    if (!shf_budget_take(replay->budget, bytes))
        return shf_budget_refuse(replay->budget, bytes, "sorting a WAL", error);
    struct shf_replay_row *other = shf_alloc_array((size_t)count, sizeof *other);
    if (other) merge_all(replay, other);
    shf_free(other);
    shf_budget_give(replay->budget, bytes);
    if (!other) return shf_error_set(error, SHF_E_NO_MEMORY, "no memory to sort a WAL");
    keep_newest(replay);
    return SHF_OK;
}

/* ---- writing ---- */

/* What lies behind the header, a piece at a time. */
struct stream {
    struct shf_slatedb_sink *sink;
    struct shf_error **error;
    uint8_t *piece;
    size_t used;
    uint64_t offset; /* in the file, of the piece */
    uint64_t sum;
};

static shf_status flush(struct stream *stream) {
    size_t size = stream->used;
    uint64_t offset = stream->offset;
    if (size == 0) return SHF_OK;
    stream->used = 0;
    stream->offset += size;
    stream->sum = shf_slatedb_sorted_add(stream->sum, stream->piece, size);
    return stream->sink->write(stream->sink, offset, stream->piece, size, stream->error);
}

static shf_status add(struct stream *stream, const uint8_t *data, uint64_t size) {
    shf_status status = SHF_OK;
    while (size > 0 && !status) {
        size_t take = (size_t)least(SHF_SLATEDB_SORTED_PIECE - stream->used, size);
        memcpy(stream->piece + stream->used, data, take);
        stream->used += take;
        data += take;
        size -= take;
        if (stream->used == SHF_SLATEDB_SORTED_PIECE) status = flush(stream);
    }
    return status;
}

static uint64_t row_size(const struct shf_replay_row *row) {
    return (uint64_t)SHF_SORTED_ROW + row->key_size + row->value_size;
}

static void put_head(uint8_t out[SHF_SORTED_ROW], const struct shf_replay_row *row) {
    out[0] = (uint8_t)row->key_size;
    out[1] = (uint8_t)(row->key_size >> 8);
    out[2] = row->kind;
    out[3] = 0;
    shf_store_u32le(out + 4, row->value_size);
    shf_store_u64le(out + 8, row->seq);
}

static shf_status add_row(struct stream *stream, const struct shf_replay_row *row) {
    uint8_t head[SHF_SORTED_ROW], *out = stream->piece + stream->used;
    uint64_t size = row_size(row);
    if (size < SHF_SLATEDB_SORTED_PIECE - stream->used) { /* as most do: in one go */
        put_head(out, row);
        memcpy(out + SHF_SORTED_ROW, row->key, row->key_size);
        if (row->value_size) memcpy(out + SHF_SORTED_ROW + row->key_size, row->value, row->value_size);
        stream->used += (size_t)size;
        return SHF_OK;
    }
    put_head(head, row);
    shf_status status = add(stream, head, sizeof head);
    if (!status) status = add(stream, row->key, row->key_size);
    return status ? status : add(stream, row->value, row->value_size);
}

/* *end: of the file. */
static shf_status add_all(struct stream *stream, const struct shf_slatedb_replay *replay, uint64_t *end) {
    uint8_t entry[SHF_SORTED_ENTRY];
    uint64_t offset = SHF_SLATEDB_SORTED_HEADER + replay->row_count * SHF_SORTED_ENTRY;
    shf_status status = SHF_OK;
    for (uint64_t i = 0; i < replay->row_count && !status; i++) {
        shf_store_u64le(entry, replay->rows[i].key_part);
        shf_store_u64le(entry + 8, offset);
        offset += row_size(&replay->rows[i]);
        status = add(stream, entry, sizeof entry);
    }
    for (uint64_t i = 0; i < replay->row_count && !status; i++) status = add_row(stream, &replay->rows[i]);
    *end = offset;
    return status ? status : flush(stream);
}

static shf_status write_header(const struct shf_slatedb_replay *replay, const struct stream *stream, uint64_t size) {
    uint8_t header[SHF_SLATEDB_SORTED_HEADER];
    shf_store_u64le(header, SHF_SORTED_MAGIC);
    shf_store_u32le(header + 8, SHF_SLATEDB_SORTED_VERSION);
    shf_store_u32le(header + 12, (uint32_t)replay->prefix_size);
    shf_store_u64le(header + 16, replay->row_count);
    shf_store_u64le(header + 24, size);
    shf_store_u64le(header + 32, replay->replay_after_wal_id);
    shf_store_u64le(header + 40, replay->next_id);
    shf_store_u64le(header + 48, replay->last_l0_seq);
    shf_store_u64le(header + 56, stream->sum);
    shf_store_u64le(header + 64, shf_hash64(header, 64));
    return stream->sink->write(stream->sink, 0, header, sizeof header, stream->error);
}

shf_status shf_slatedb_replay_write(struct shf_slatedb_replay *replay, struct shf_slatedb_sink *sink,
                                    struct shf_error **error) {
    struct stream stream = {.sink = sink, .error = error, .offset = SHF_SLATEDB_SORTED_HEADER};
    uint64_t size = 0;
    if (replay->is_over) {
        return shf_error_set(error, SHF_E_INTERNAL, "a replayed WAL was written twice, or after an error");
    }
    replay->is_over = true;
    shf_status status = sort(replay, error);
    if (status) return status;
    stream.piece = shf_arena_alloc(&replay->arena, SHF_SLATEDB_SORTED_PIECE, 1);
    if (!stream.piece) return shf_arena_refuse(&replay->arena, "writing a WAL", error);
    status = add_all(&stream, replay, &size);
    return status ? status : write_header(replay, &stream, size);
}
