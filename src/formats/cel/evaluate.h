/* The evaluator, between its files. Private to formats/cel. */
#ifndef SHF_FORMATS_CEL_EVALUATE_H
#define SHF_FORMATS_CEL_EVALUATE_H

#include "formats/cel/cel_priv.h"

/* Why an evaluation failed. The text is made only when nothing absorbs the failure. */
enum shf_cel_failure {
    SHF_CEL_FAILED_NOT,
    SHF_CEL_FAILED_OVERFLOW,
    SHF_CEL_FAILED_DIVISION,
    SHF_CEL_FAILED_MODULO,
    SHF_CEL_FAILED_INDEX,
    SHF_CEL_FAILED_KEY,
    SHF_CEL_FAILED_REPEATED_KEY,
    SHF_CEL_FAILED_KEY_TYPE,
    SHF_CEL_FAILED_COLUMN, /* absent, or does not fit */
    SHF_CEL_FAILED_RANGE,
    SHF_CEL_FAILED_NUMBER,
    SHF_CEL_FAILED_BOOL,
    SHF_CEL_FAILED_UTF8,
    SHF_CEL_FAILED_HASH,
    SHF_CEL_FAILED_PATTERN,
    /* Never absorbed: */
    SHF_CEL_FAILED_FOR_ALL,
    SHF_CEL_FAILED_MATCH,
    SHF_CEL_FAILED_ITERATIONS,
    SHF_CEL_FAILED_STEPS,
    SHF_CEL_FAILED_SIZE,
    SHF_CEL_FAILED_MEMORY
};

struct shf_cel_run {
    const struct shf_cel_value *columns;
    struct shf_cel_scratch *scratch;
    enum shf_cel_failure failure;
    const struct shf_cel_node *place; /* where it failed */
    uint32_t iterations;
    uint64_t steps;
    struct shf_cel_value locals[SHF_LIMIT_CEL_DEPTH]; /* by slot */
};

/* Every one of these returns false after failing. */
bool shf_cel_run_node(struct shf_cel_run *run, const struct shf_cel_node *node, struct shf_cel_value *out);
bool shf_cel_run_arithmetic(struct shf_cel_run *run, const struct shf_cel_node *node, struct shf_cel_value *out);
bool shf_cel_run_relation(struct shf_cel_run *run, const struct shf_cel_node *node, struct shf_cel_value *out);
bool shf_cel_run_container(struct shf_cel_run *run, const struct shf_cel_node *node, struct shf_cel_value *out);
bool shf_cel_run_comprehension(struct shf_cel_run *run, const struct shf_cel_node *node, struct shf_cel_value *out);
bool shf_cel_run_function(struct shf_cel_run *run, const struct shf_cel_node *node, struct shf_cel_value *out);
bool shf_cel_run_conversion(struct shf_cel_run *run, const struct shf_cel_node *node, struct shf_cel_value *out);
bool shf_cel_run_concatenation(struct shf_cel_run *run, const struct shf_cel_node *node, struct shf_cel_value *out);

bool shf_cel_fail(struct shf_cel_run *run, const struct shf_cel_node *node, enum shf_cel_failure failure)
    __attribute__((cold, noinline));
/* Work that grows with the data. */
#define SHF_CEL_BYTES_A_STEP 64u /* compared, searched, copied */
bool shf_cel_charge(struct shf_cel_run *run, const struct shf_cel_node *node, uint64_t steps);
/* Memory of the scratch; fails the node. */
void *shf_cel_run_alloc(struct shf_cel_run *run, const struct shf_cel_node *node, size_t count, size_t size);
/* Why so much could not be had: SHF_CEL_FAILED_SIZE (the limit) or _MEMORY. */
enum shf_cel_failure shf_cel_memory_failure(const struct shf_cel_memory *memory, size_t count, size_t size);
/* Forgets a failure that something absorbs; false when it must not. */
bool shf_cel_absorb(struct shf_cel_run *run);

/* Of one type on both sides. *steps grows by what was looked at. */
bool shf_cel_values_are_equal(const struct shf_cel_value *a, const struct shf_cel_value *b, uint64_t *steps);
/* The index of an item, or of the entry with this key; false when there is none. */
bool shf_cel_list_find(const struct shf_cel_list *list, bool is_map, const struct shf_cel_value *value, size_t *index,
                       uint64_t *steps);
/* Gives a list or map of many scalars its hash table. Small ones, and those of doubles, go without. */
enum shf_cel_failure shf_cel_list_index(struct shf_cel_list *list, bool is_map, struct shf_cel_memory *memory);
/* -1, 0, 1; 2 when a NaN is one of them. Scalars of one type. */
int shf_cel_compare(const struct shf_cel_value *a, const struct shf_cel_value *b);

/* A list header over items that are in the scratch already. */
bool shf_cel_run_list(struct shf_cel_run *run, const struct shf_cel_node *node, struct shf_cel_value *items,
                      size_t count, struct shf_cel_value *out);

/* The error of a run that failed. */
shf_status shf_cel_run_error(const struct shf_cel *cel, const struct shf_cel_run *run, struct shf_error **error);

/* For values that the host or the expression gives: no NULL with memcmp and the like. */
static inline const void *shf_cel_bytes(shf_slice slice) { return slice.size ? slice.data : ""; }
static inline bool shf_cel_slices_are_equal(shf_slice a, shf_slice b) {
    return a.size == b.size && __builtin_memcmp(shf_cel_bytes(a), shf_cel_bytes(b), a.size) == 0;
}

#endif
