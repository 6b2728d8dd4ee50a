#include "reader/shard/open_shards.h"

#include "reader/shard/shard.h"

#include <assert.h>

void shf_open_shards_init(struct shf_open_shards *open, uint32_t limit) {
    *open = (struct shf_open_shards){.limit = limit};
    (void)pthread_mutex_init(&open->mutex, NULL);
}

void shf_open_shards_fini(struct shf_open_shards *open) { (void)pthread_mutex_destroy(&open->mutex); }

static struct shf_open_shards *of(const struct shf_shard *shard) { return &shard->source->open_shards; }

static void set_state(struct shf_shard *shard, enum shf_shard_state state) {
    atomic_store_explicit(&shard->state, (int)state, memory_order_release);
}

/* ---- the list; under the mutex ---- */

static void add_newest(struct shf_open_shards *open, struct shf_shard *shard) {
    shard->use.older = open->newest;
    shard->use.newer = NULL;
    *(open->newest ? &open->newest->use.newer : &open->oldest) = shard;
    open->newest = shard;
}

static void take_out(struct shf_open_shards *open, struct shf_shard *shard) {
    struct shf_shard_use *use = &shard->use;
    *(use->older ? &use->older->use.newer : &open->oldest) = use->newer;
    *(use->newer ? &use->newer->use.older : &open->newest) = use->older;
}

/* ---- closing ---- */

/* What a shard without keys has open. */
struct files {
    struct shf_lance *lance;
    struct shf_buf *layout, *file;
};

/* The files are taken away under the mutex: after it the shard may be opened again by others, or be gone. */
static bool take_surplus(struct shf_open_shards *open, uint32_t coming, struct files *files) {
    (void)pthread_mutex_lock(&open->mutex);
    struct shf_shard *shard = (uint64_t)open->count + coming > open->limit ? open->oldest : NULL;
    if (shard) {
        take_out(open, shard);
        *files = (struct files){shard->lance, shard->layout_file.buf, shard->file.buf};
        shard->lance = NULL;
        shard->layout_file.buf = NULL;
        shard->file.buf = NULL;
        set_state(shard, SHF_SHARD_IDLE);
        open->count--;
    }
    (void)pthread_mutex_unlock(&open->mutex);
    return shard != NULL;
}

void shf_open_shards_make_room(struct shf_open_shards *open, uint32_t coming) {
    struct files files;
    while (take_surplus(open, coming, &files)) {
        shf_lance_free(files.lance);
        shf_buf_release(files.layout);
        shf_buf_release(files.file);
    }
}

/* ---- holds ---- */

bool shf_shard_hold(struct shf_shard *shard) {
    if (!shard->use.is_counted) return shf_shard_is_ready(shard);
    struct shf_open_shards *open = of(shard);
    (void)pthread_mutex_lock(&open->mutex);
    bool is_ready = shf_shard_is_ready(shard);
    if (is_ready && shard->use.holds++ == 0) take_out(open, shard);
    (void)pthread_mutex_unlock(&open->mutex);
    return is_ready;
}

void shf_shard_let_go(struct shf_shard *shard) {
    if (!shard->use.is_counted) return;
    struct shf_open_shards *open = of(shard);
    (void)pthread_mutex_lock(&open->mutex);
    assert(shard->use.holds > 0);
    if (--shard->use.holds == 0) add_newest(open, shard);
    (void)pthread_mutex_unlock(&open->mutex);
    shf_open_shards_make_room(open, 0);
}

/* ---- states ---- */

void shf_shard_set_opening(struct shf_shard *shard) {
    struct shf_open_shards *open = of(shard);
    set_state(shard, SHF_SHARD_OPENING);
    if (!shard->use.is_counted) return;
    (void)pthread_mutex_lock(&open->mutex);
    open->count++;
    (void)pthread_mutex_unlock(&open->mutex);
    shf_open_shards_make_room(open, 0);
}

void shf_shard_set_opened(struct shf_shard *shard, bool is_ready, uint32_t holds) {
    struct shf_open_shards *open = of(shard);
    enum shf_shard_state state = is_ready ? SHF_SHARD_READY : SHF_SHARD_IDLE;
    if (!shard->use.is_counted) {
        set_state(shard, state);
        return;
    }
    (void)pthread_mutex_lock(&open->mutex);
    set_state(shard, state);
    if (is_ready) {
        shard->use.holds = holds;
        if (!holds) add_newest(open, shard);
    } else {
        open->count--;
    }
    (void)pthread_mutex_unlock(&open->mutex);
    shf_open_shards_make_room(open, 0);
}

void shf_shard_set_gone(struct shf_shard *shard) {
    /* In a child of a fork the mutex may be locked for ever, and nobody looks at the list. */
    if (!shard->use.is_counted || shf_rt_forked(shard->source->runtime)) return;
    struct shf_open_shards *open = of(shard);
    (void)pthread_mutex_lock(&open->mutex);
    if (shf_shard_is_ready(shard)) {
        take_out(open, shard);
        open->count--;
    }
    (void)pthread_mutex_unlock(&open->mutex);
}
