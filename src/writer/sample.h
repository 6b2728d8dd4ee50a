/*
 * A sample of rows to find centroids among: those whose ids have the smallest seeded hashes. So it is the same in whatever
 * order the rows come, and the chance of each to be in it is the same. One thread at a time.
 */
#ifndef SHF_WRITER_SAMPLE_H
#define SHF_WRITER_SAMPLE_H

#include "base/budget.h"
#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

struct shf_sample;

struct shf_sample_options {
    uint32_t dimension;
    uint32_t limit; /* rows, at least 1 */
    uint64_t seed;
    struct shf_budget *budget; /* memory is taken when rows come */
};

shf_status shf_sample_new(const struct shf_sample_options *options, struct shf_sample **out, struct shf_error **error);
void shf_sample_free(struct shf_sample *sample); /* NULL is fine */
/* Bytes that a row takes. */
uint64_t shf_sample_row_bytes(uint32_t dimension);

/* So many more will be added: after that adding can not fail. SHF_E_NO_MEMORY. */
shf_status shf_sample_expect(struct shf_sample *sample, size_t count, struct shf_error **error);
void shf_sample_add(struct shf_sample *sample, const uint8_t *id, size_t id_size, const float *vector);

uint32_t shf_sample_count(const struct shf_sample *sample);
/* No more rows: count * dimension floats in the order of the hashes, 64-byte aligned; they live as long as the sample. */
float *shf_sample_rows(struct shf_sample *sample);

#endif
