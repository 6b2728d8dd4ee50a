/*
 * Memory that a dataset makes room for, charged to a budget: how much it is, is what foreign bytes say. Without a budget
 * (NULL) it is just allocated. Private to formats.
 */
#ifndef SHF_FORMATS_LANCE_MEMORY_PRIV_H
#define SHF_FORMATS_LANCE_MEMORY_PRIV_H

#include "base/budget.h"
#include "base/error.h"

#include <stddef.h>

/* Charges bytes that are allocated elsewhere. SHF_E_NO_MEMORY, SHF_E_INVALID (more than the budget has altogether). */
shf_status shf_lance_memory_take(struct shf_budget *budget, uint64_t bytes, const char *what, struct shf_error **error);
void shf_lance_memory_give(struct shf_budget *budget, uint64_t bytes);

/* `count` zeroed things of `size` bytes; adds what they were charged to *charged_bytes. Also SHF_E_NO_MEMORY. */
shf_status shf_lance_memory_zero(struct shf_budget *budget, size_t count, size_t size, const char *what, void **out,
                                 uint64_t *charged_bytes, struct shf_error **error);
/* Frees one such block. */
void shf_lance_memory_free(struct shf_budget *budget, void *memory, uint64_t bytes, uint64_t *charged_bytes);

#endif
