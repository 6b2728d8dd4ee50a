#include "reader/value_buf.h"

#include "base/alloc.h"

#include <inttypes.h>

/* Many values of a kilobyte or two are as good as the budget only if what surrounds each is counted too. */
static uint64_t cost(uint64_t size) { return shf_alloc_cost(size + sizeof(struct shf_buf)); }

static void destroy(struct shf_buf *buf) {
    shf_runtime *runtime = buf->context;
    shf_budget_give(shf_rt_budget(runtime), cost(buf->size));
    shf_free(buf);
    shf_rt_release(runtime);
}

struct shf_buf *shf_value_buf_new(shf_runtime *runtime, uint64_t size, struct shf_error **error) {
    struct shf_budget *budget = shf_rt_budget(runtime);
    if (!shf_budget_take(budget, cost(size))) {
        (void)shf_error_set(error, SHF_E_NO_MEMORY,
                            "a value of %" PRIu64 " bytes does not fit the memory budget (%" PRIu64 " of %" PRIu64
                            " bytes in use); release operations or raise memory_budget_bytes",
                            size, (uint64_t)atomic_load(&budget->used_bytes), budget->limit_bytes);
        return NULL;
    }
    struct shf_buf *buf = shf_buf_new((size_t)size);
    if (!buf) {
        shf_budget_give(budget, cost(size));
        (void)shf_error_set(error, SHF_E_NO_MEMORY, "no memory for a value of %" PRIu64 " bytes", size);
        return NULL;
    }
    buf->destroy = destroy;
    buf->context = shf_rt_retain(runtime);
    return buf;
}
