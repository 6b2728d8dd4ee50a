#include "formats/lance/memory_priv.h"

#include "base/alloc.h"
#include "base/arena.h"

#include <inttypes.h>

shf_status shf_lance_memory_take(struct shf_budget *budget, uint64_t bytes, const char *what, struct shf_error **error) {
    if (!budget || shf_budget_take(budget, bytes)) return SHF_OK;
    return shf_failed(shf_budget_refuse(budget, bytes, what, error));
}

void shf_lance_memory_give(struct shf_budget *budget, uint64_t bytes) {
    if (budget && bytes) shf_budget_give(budget, bytes);
}

shf_status shf_lance_memory_zero(struct shf_budget *budget, size_t count, size_t size, const char *what, void **out,
                                 uint64_t *charged_bytes, struct shf_error **error) {
    size_t bytes = SIZE_MAX;
    (void)shf_mul(count, size, &bytes); /* what overflows fits into no budget, and into no machine */
    shf_status status = shf_lance_memory_take(budget, bytes, what, error);
    if (status) return status;
    *out = shf_alloc_zero(count, size);
    if (!*out) {
        shf_lance_memory_give(budget, bytes);
        return shf_error_set(error, SHF_E_NO_MEMORY, "no memory for %s (%zu bytes)", what, bytes);
    }
    *charged_bytes += bytes;
    return SHF_OK;
}

void shf_lance_memory_free(struct shf_budget *budget, void *memory, uint64_t bytes, uint64_t *charged_bytes) {
    shf_free(memory);
    shf_lance_memory_give(budget, bytes);
    *charged_bytes -= bytes;
}
