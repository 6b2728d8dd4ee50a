#include "reader/shard/newest.h"

#include "base/alloc.h"
#include "base/text.h"
#include "reader/shard/shard.h"

#include <inttypes.h>

static void ask_list(struct shf_newest *newest);

void shf_newest_clear(struct shf_newest *newest) {
    shf_store_request_clear(&newest->request);
    shf_buf_release(newest->body);
    shf_error_free(newest->error);
    shf_free(newest->directory);
    shf_free(newest->name);
    shf_free(newest->version);
    shf_free(newest->key);
    *newest = (struct shf_newest){0};
}

static void end(struct shf_newest *newest, shf_status status) {
    newest->status = status;
    if (status && !newest->error) {
        newest->error = newest->request.error;
        newest->request.error = NULL;
    }
    newest->done(newest);
}

static shf_status no_memory(struct shf_newest *newest) {
    return shf_error_set(&newest->error, SHF_E_NO_MEMORY, "no memory for the name of a manifest");
}

/* What was there a moment ago: to say that there is none would let a shard pass for one without vectors. */
static shf_status gone(struct shf_newest *newest) {
    return shf_error_set(&newest->error, SHF_E_NOT_FOUND,
                         "%s%s is gone, and no other manifest is there: the database was removed", newest->directory,
                         newest->name);
}

static void got(struct shf_store_request *request) {
    struct shf_newest *newest = SHF_CONTAINER(request, struct shf_newest, request);
    shf_status status = request->status;
    if (status == SHF_E_NOT_FOUND && !newest->asked_again) {
        newest->asked_again = true;
        ask_list(newest);
        return;
    }
    if (!status && request->body_size != request->object_size) {
        status =
            shf_error_set(&newest->error, SHF_E_STORE_RETRY, "%s: received %" PRIu64 " bytes of %" PRIu64 "; try again",
                          newest->key, request->body_size, request->object_size);
    }
    if (!status) {
        newest->body = request->body;
        newest->version = request->version ? request->version : shf_strdup("");
        request->body = NULL;
        request->version = NULL;
        if (!newest->version) status = no_memory(newest);
    }
    end(newest, status);
}

static void ask_get(struct shf_newest *newest) {
    struct shf_store_request *request = &newest->request;
    shf_store_request_clear(request);
    request->body_fd = -1;
    request->max_bytes = newest->max_bytes;
    shf_shard_ask(newest->shard, request, SHF_STORE_GET, newest->key, newest->cancel, got);
}

/* A listing may be long: on a worker. */
static void choose_task(struct shf_task *task) {
    struct shf_newest *newest = SHF_CONTAINER(task, struct shf_newest, task);
    const struct shf_store_request *request = &newest->request;
    const char *name = newest->choose(request->names, request->name_count);
    if (!name) {
        end(newest, newest->asked_again ? gone(newest) : SHF_OK);
        return;
    }
    struct shf_text key = {0};
    shf_free(newest->name);
    shf_free(newest->key);
    newest->name = shf_strdup(name);
    shf_text_add_string(&key, newest->directory);
    shf_text_add_string(&key, name);
    newest->key = shf_text_take(&key);
    if (newest->name && newest->key) {
        ask_get(newest);
    } else {
        end(newest, no_memory(newest));
    }
}

static void listed(struct shf_store_request *request) {
    struct shf_newest *newest = SHF_CONTAINER(request, struct shf_newest, request);
    if (request->status) {
        end(newest, request->status);
        return;
    }
    newest->task.run = choose_task;
    shf_rt_post_worker(newest->shard->source->runtime, &newest->task);
}

static void ask_list(struct shf_newest *newest) {
    struct shf_store_request *request = &newest->request;
    shf_store_request_clear(request);
    request->body_fd = -1;
    request->max_bytes = 0;
    shf_shard_ask(newest->shard, request, SHF_STORE_LIST, newest->directory, newest->cancel, listed);
}

static void no_memory_task(struct shf_task *task) {
    struct shf_newest *newest = SHF_CONTAINER(task, struct shf_newest, task);
    end(newest, no_memory(newest));
}

void shf_newest_start(struct shf_newest *newest) {
    if (newest->directory) {
        ask_list(newest);
        return;
    }
    newest->task.run = no_memory_task;
    shf_rt_post_worker(newest->shard->source->runtime, &newest->task);
}
