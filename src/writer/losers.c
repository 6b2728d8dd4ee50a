#include "writer/losers.h"

#include "base/alloc.h"
#include "base/text.h"

static void next(struct shf_losers *losers);

static void deleted(struct shf_errand *errand) {
    struct shf_losers *losers = SHF_CONTAINER(errand, struct shf_losers, errand);
    if (errand->status) {
        losers->failed = true;
        shf_log_write(shf_rt_log(losers->setup->runtime), SHF_LOG_WARNING,
                      "what a failed attempt left was not deleted: %s", shf_error_message(errand->request.error));
    }
    if (losers->is_sidecar) {
        losers->attempt++;
        losers->left += losers->failed;
        losers->failed = false;
    }
    losers->is_sidecar = !losers->is_sidecar;
    next(losers);
}

static void next(struct shf_losers *losers) {
    while (losers->at < losers->count && losers->attempt >= losers->items[losers->at].end) {
        losers->at++;
        if (losers->at < losers->count) losers->attempt = losers->items[losers->at].first;
    }
    if (losers->at == losers->count) {
        losers->done(losers);
        return;
    }
    struct shf_text tail = {0};
    char *attempt = shf_writer_attempt_tail(losers->setup->run_id, losers->items[losers->at].shard, losers->attempt);
    shf_text_format(&tail, "%s/%s", attempt ? attempt : "", losers->is_sidecar ? "shard.sidecar" : "shard.db");
    char *text = shf_text_take(&tail);
    shf_errand_delete(&losers->errand, attempt && text ? shf_location_key(&losers->setup->location, text) : NULL,
                      deleted);
    shf_free(text);
    shf_free(attempt);
}

void shf_losers_delete(struct shf_losers *losers) {
    losers->errand =
        (struct shf_errand){.store = losers->setup->store, .cancel = losers->cancel, .deadline_ns = losers->deadline_ns};
    if (losers->count) losers->attempt = losers->items[0].first;
    next(losers);
}

void shf_losers_free(struct shf_losers *losers) {
    shf_errand_end(&losers->errand);
    shf_free(losers->items);
    losers->items = NULL;
    losers->count = 0;
}
