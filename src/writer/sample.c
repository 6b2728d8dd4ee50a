#include "writer/sample.h"

#include "base/alloc.h"
#include "base/arena.h"
#include "base/hash.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define ALIGNMENT 64u
#define FIRST_ROWS 64u

struct entry {
    uint64_t hash;
    uint32_t slot; /* in `rows` */
};

struct shf_sample {
    struct shf_sample_options options;
    uint64_t expected; /* rows that will have been added, at most */
    uint32_t count, capacity;
    struct entry *entries; /* with `limit` rows a heap, the largest on top */
    float *rows;           /* capacity of them, and room to align them */
    float *spare;          /* one */
    uint64_t charged_bytes;
};

uint64_t shf_sample_row_bytes(uint32_t dimension) { return (uint64_t)dimension * sizeof(float) + sizeof(struct entry); }

shf_status shf_sample_new(const struct shf_sample_options *options, struct shf_sample **out, struct shf_error **error) {
    struct shf_sample *sample = shf_alloc_zero(1, sizeof *sample);
    if (sample) sample->spare = shf_alloc_array(options->dimension, sizeof *sample->spare);
    if (!sample || !sample->spare) {
        shf_free(sample);
        return shf_error_set(error, SHF_E_NO_MEMORY, "no memory for a sample of rows");
    }
    sample->options = *options;
    *out = sample;
    return SHF_OK;
}

void shf_sample_free(struct shf_sample *sample) {
    if (!sample) return;
    shf_free(sample->entries);
    shf_free(sample->rows);
    shf_free(sample->spare);
    shf_budget_give(sample->options.budget, sample->charged_bytes);
    shf_free(sample);
}

uint32_t shf_sample_count(const struct shf_sample *sample) { return sample->count; }

/* ---- room ---- */

static shf_status grow(struct shf_sample *sample, uint32_t capacity, struct shf_error **error) {
    uint64_t bytes = shf_sample_row_bytes(sample->options.dimension) * capacity + ALIGNMENT;
    uint64_t more = bytes - sample->charged_bytes;
    if (!shf_budget_take(sample->options.budget, more)) {
        return shf_budget_refuse(sample->options.budget, more, "a sample of rows to find centroids among", error);
    }
    sample->charged_bytes = bytes;
    struct entry *entries = shf_realloc_array(sample->entries, capacity, sizeof *entries);
    if (entries) sample->entries = entries;
    size_t row_size = sample->options.dimension * sizeof(float), size = (size_t)capacity * row_size + ALIGNMENT;
    float *rows = entries ? shf_realloc_array(sample->rows, size, 1) : NULL;
    if (!rows) { /* what is there stays good */
        return shf_error_set(error, SHF_E_NO_MEMORY,
                             "no memory for a sample of %u rows to find centroids among; give fewer training_rows",
                             capacity);
    }
    sample->rows = rows;
    sample->capacity = capacity;
    return SHF_OK;
}

shf_status shf_sample_expect(struct shf_sample *sample, size_t count, struct shf_error **error) {
    uint64_t limit = sample->options.limit, expected = sample->expected + count;
    uint64_t needed = expected < limit ? expected : limit, capacity = sample->capacity;
    if (needed > capacity) {
        capacity = capacity ? 2 * capacity : FIRST_ROWS;
        if (capacity < needed) capacity = needed;
        if (capacity > limit) capacity = limit;
        shf_status status = grow(sample, (uint32_t)capacity, error);
        if (status) return status;
    }
    sample->expected = expected;
    return SHF_OK;
}

/* ---- rows ---- */

static float *row_at(const struct shf_sample *sample, uint32_t slot) {
    return sample->rows + (size_t)slot * sample->options.dimension;
}

/* By the hash; where two are the same by the vector, so that it never matters which came first. */
static int compare(const struct shf_sample *sample, uint64_t hash, const float *vector, const struct entry *other) {
    if (hash != other->hash) return hash < other->hash ? -1 : 1;
    return memcmp(vector, row_at(sample, other->slot), sample->options.dimension * sizeof(float));
}

static int compare_entries(const struct shf_sample *sample, const struct entry *a, const struct entry *b) {
    return compare(sample, a->hash, row_at(sample, a->slot), b);
}

static void sift_down(struct shf_sample *sample, uint32_t at, uint32_t count) {
    struct entry *entries = sample->entries, entry = entries[at];
    for (uint64_t child; (child = 2 * (uint64_t)at + 1) < count; at = (uint32_t)child) {
        if (child + 1 < count && compare_entries(sample, &entries[child], &entries[child + 1]) < 0) child++;
        if (compare_entries(sample, &entry, &entries[child]) >= 0) break;
        entries[at] = entries[child];
    }
    entries[at] = entry;
}

static void make_heap(struct shf_sample *sample) {
    for (uint32_t i = sample->count / 2; i-- > 0;) sift_down(sample, i, sample->count);
}

void shf_sample_add(struct shf_sample *sample, const uint8_t *id, size_t id_size, const float *vector) {
    size_t row_size = sample->options.dimension * sizeof(float);
    uint64_t hash = shf_hash64_seeded(id_size ? id : (const uint8_t *)"", id_size, sample->options.seed);
    if (sample->count < sample->options.limit) {
        assert(sample->count < sample->capacity);
        uint32_t slot = sample->count++;
        sample->entries[slot] = (struct entry){hash, slot};
        memcpy(row_at(sample, slot), vector, row_size);
        if (sample->count == sample->options.limit) make_heap(sample);
        return;
    }
    if (compare(sample, hash, vector, &sample->entries[0]) >= 0) return;
    sample->entries[0].hash = hash;
    memcpy(row_at(sample, sample->entries[0].slot), vector, row_size);
    sift_down(sample, 0, sample->count);
}

/* ---- the end ---- */

static void sort(struct shf_sample *sample) {
    make_heap(sample);
    for (uint32_t last = sample->count; last-- > 1;) {
        struct entry largest = sample->entries[0];
        sample->entries[0] = sample->entries[last];
        sample->entries[last] = largest;
        sift_down(sample, 0, last);
    }
}

/* Each row to the place of its entry, one circle of rows after the other. */
static void move_rows(struct shf_sample *sample) {
    size_t row_size = sample->options.dimension * sizeof(float);
    struct entry *entries = sample->entries;
    for (uint32_t first = 0; first < sample->count; first++) {
        if (entries[first].slot == first) continue;
        uint32_t at = first;
        memcpy(sample->spare, row_at(sample, first), row_size);
        for (uint32_t from; (from = entries[at].slot) != first; at = from) {
            memcpy(row_at(sample, at), row_at(sample, from), row_size);
            entries[at].slot = at;
        }
        memcpy(row_at(sample, at), sample->spare, row_size);
        entries[at].slot = at;
    }
}

float *shf_sample_rows(struct shf_sample *sample) {
    size_t size = sample->count * (size_t)sample->options.dimension * sizeof(float);
    if (!sample->count) return sample->rows;
    sort(sample);
    move_rows(sample);
    size_t beyond = (uintptr_t)sample->rows % ALIGNMENT;
    char *aligned = (char *)sample->rows + (beyond ? ALIGNMENT - beyond : 0);
    memmove(aligned, sample->rows, size);
    return (float *)(void *)aligned;
}
