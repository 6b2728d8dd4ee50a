#include "reader/shard/separators.h"

#include "base/alloc.h"
#include "formats/kv_separators.h"

#define SHARE_OF_FILE 200u /* at most 0.5 % of the mapped bytes */

/* Without memory for them lookups walk; nobody needs to be told. */
static void make(struct shf_task *task) {
    struct shf_shard *shard = SHF_CONTAINER(task, struct shf_shard, separators_task);
    shf_runtime *runtime = shard->source->runtime;
    struct shf_budget *budget = shf_rt_budget(runtime);
    struct shf_kv_separators *made = NULL;
    uint64_t most = shard->file.buf->size / SHARE_OF_FILE;
    if (shf_budget_take(budget, most)) {
        if (shf_kv_separators_build(&shard->kv, most, &made)) made = NULL;
        shf_budget_give(budget, made ? most - made->bytes : most);
        atomic_store_explicit(&shard->separators, made, memory_order_release);
    }
    shf_shard_release(shard);
    shf_rt_background_end(runtime);
}

void shf_shard_make_separators(struct shf_shard *shard) {
    shf_runtime *runtime = shard->source->runtime;
    (void)shf_shard_retain(shard);
    shf_rt_background_begin(runtime);
    shard->separators_task.run = make;
    shf_rt_post_worker(runtime, &shard->separators_task);
}

void shf_shard_free_separators(struct shf_shard *shard) {
    struct shf_kv_separators *made = atomic_load_explicit(&shard->separators, memory_order_acquire);
    if (!made) return;
    shf_budget_give(shf_rt_budget(shard->source->runtime), made->bytes);
    shf_kv_separators_free(made);
}
