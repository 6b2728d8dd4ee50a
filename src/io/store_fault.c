#include "io/store_fault.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "io/fs.h"
#include "io/store_body.h"
#include "rt/wait.h"

#include <pthread.h>
#include <string.h>

#define EXTRA_BYTE 0xee

struct rule {
    struct shf_fault_rule script;
    uint64_t seen;
};

struct fault_store {
    struct shf_store base;
    struct shf_store *inner;
    pthread_mutex_t mutex; /* guards rules and counts */
    struct rule rules[SHF_FAULT_RULES];
    size_t rule_count;
    uint64_t seen[SHF_STORE_DELETE + 1]; /* by verb; 0 = all */
    struct shf_task resume;
    atomic_bool resume_posted;
    struct call *stalled; /* loop thread only */
};

/* One request under way: the outer one waits until the inner one has been answered. */
struct call {
    struct fault_store *fault; /* its base is retained */
    struct shf_store_request *outer;
    struct shf_store_request inner;
    struct shf_fault_rule rule; /* kind 0: none */
    struct shf_task task;
    struct shf_wait wait;
    struct call *next, **link; /* among the stalled */
};

static struct fault_store *fault_of(struct shf_store *store) { return SHF_CONTAINER(store, struct fault_store, base); }

/* ---- the script ---- */

bool shf_store_fault_add(struct shf_store *store, const struct shf_fault_rule *rule) {
    struct fault_store *fault = fault_of(store);
    (void)pthread_mutex_lock(&fault->mutex);
    bool room = fault->rule_count < SHF_FAULT_RULES;
    if (room) fault->rules[fault->rule_count++] = (struct rule){.script = *rule};
    (void)pthread_mutex_unlock(&fault->mutex);
    return room;
}

void shf_store_fault_reset(struct shf_store *store) {
    struct fault_store *fault = fault_of(store);
    (void)pthread_mutex_lock(&fault->mutex);
    fault->rule_count = 0;
    memset(fault->seen, 0, sizeof fault->seen);
    (void)pthread_mutex_unlock(&fault->mutex);
}

uint64_t shf_store_fault_seen(struct shf_store *store, enum shf_store_verb verb) {
    struct fault_store *fault = fault_of(store);
    (void)pthread_mutex_lock(&fault->mutex);
    uint64_t seen = fault->seen[verb];
    (void)pthread_mutex_unlock(&fault->mutex);
    return seen;
}

/* Counts the request and says which rule it meets (kind 0: none). Every rule counts what it looks at. */
static struct shf_fault_rule meet(struct fault_store *fault, enum shf_store_verb verb) {
    struct shf_fault_rule met = {0};
    (void)pthread_mutex_lock(&fault->mutex);
    fault->seen[0]++;
    fault->seen[verb]++;
    for (size_t i = 0; i < fault->rule_count; i++) {
        struct rule *rule = &fault->rules[i];
        const struct shf_fault_rule *script = &rule->script;
        if (script->verb && script->verb != verb) continue;
        uint64_t ordinal = ++rule->seen;
        if (met.kind || ordinal < script->first) continue;
        if (script->count == 0 || ordinal - script->first < script->count) met = *script;
    }
    (void)pthread_mutex_unlock(&fault->mutex);
    return met;
}

/* ---- the end of a call; loop thread ---- */

static void finish(struct call *call) {
    struct shf_store_request *outer = call->outer;
    struct shf_store *store = &call->fault->base;
    shf_free(call);
    outer->internal = NULL;
    outer->done(outer);
    shf_store_release(store);
}

static void fail(struct call *call, shf_status status, int32_t http_status, const char *why) {
    struct shf_store_request *outer = call->outer;
    outer->status = shf_error_set(&outer->error, status, "%s/%s: %s", call->fault->base.root_url, outer->key, why);
    if (outer->error) shf_error_set_http_status(outer->error, http_status);
    finish(call);
}

/* The body, wherever it is, with another size: cut, or filled up with EXTRA_BYTE. */
static shf_status resize_body(struct call *call, uint64_t size) {
    struct shf_store_request *outer = call->outer;
    uint64_t kept = size < outer->body_size ? size : outer->body_size;
    if (outer->body_fd >= 0) {
        if (shf_fs_truncate(outer->body_fd, kept) != 0) return SHF_E_LOCAL;
        for (uint64_t at = kept; at < size; at++) {
            const uint8_t extra = EXTRA_BYTE;
            if (shf_fs_write(outer->body_fd, &extra, 1, at) != 0) return SHF_E_LOCAL;
        }
    } else {
        struct shf_buf *body = NULL;
        shf_status status = shf_store_body_new(call->fault->base.runtime, size, outer->key, &body, NULL);
        if (status) return status;
        memcpy(body->data, outer->body->data, (size_t)kept);
        memset(body->data + kept, EXTRA_BYTE, (size_t)(size - kept));
        shf_buf_release(outer->body);
        outer->body = body;
    }
    outer->body_size = size;
    return SHF_OK;
}

static shf_status flip(struct call *call, uint64_t at) {
    struct shf_store_request *outer = call->outer;
    uint8_t byte;
    if (at >= outer->body_size) return SHF_OK;
    if (outer->body_fd < 0) {
        outer->body->data[at] ^= 1;
        return SHF_OK;
    }
    if (shf_fs_read(outer->body_fd, &byte, 1, at) != 1) return SHF_E_LOCAL;
    byte ^= 1;
    return shf_fs_write(outer->body_fd, &byte, 1, at) == 0 ? SHF_OK : SHF_E_LOCAL;
}

static shf_status spoil(struct call *call) {
    struct shf_store_request *outer = call->outer;
    const struct shf_fault_rule *rule = &call->rule;
    bool has_body = outer->verb == SHF_STORE_GET;
    bool changes_body = rule->kind == SHF_FAULT_TRUNCATE || rule->kind == SHF_FAULT_EXTRA || rule->kind == SHF_FAULT_FLIP;
    outer->has_md5 = outer->has_md5 && !changes_body;
    outer->has_sha256 = outer->has_sha256 && !changes_body;
    if (rule->kind == SHF_FAULT_WRONG_ETAG) {
        char *etag = shf_strdup("\"not-the-etag\""), *version = shf_strdup("\"not-the-etag\"");
        if (!etag || !version) {
            shf_free(etag);
            shf_free(version);
            return SHF_E_NO_MEMORY;
        }
        shf_free(outer->etag);
        shf_free(outer->version);
        outer->etag = etag;
        outer->version = version;
    } else if (has_body && rule->kind == SHF_FAULT_TRUNCATE && rule->amount < outer->body_size) {
        return resize_body(call, rule->amount);
    } else if (has_body && rule->kind == SHF_FAULT_EXTRA) {
        return resize_body(call, outer->body_size + rule->amount);
    } else if (has_body && rule->kind == SHF_FAULT_FLIP) {
        return flip(call, rule->amount);
    }
    return SHF_OK;
}

/* ---- passing on ---- */

/* What the inner store told becomes what we tell, spoiled. */
static void answered(struct shf_store_request *inner) {
    struct call *call = SHF_CONTAINER(inner, struct call, inner);
    struct shf_store_request *outer = call->outer;
    if (call->rule.kind == SHF_FAULT_LOSE) {
        shf_store_request_clear(inner);
        fail(call, call->rule.status, call->rule.http_status, "its answer is lost as scripted");
        return;
    }
    outer->status = inner->status;
    outer->error = inner->error;
    outer->body = inner->body;
    outer->body_size = inner->body_size;
    outer->object_size = inner->object_size;
    outer->etag = inner->etag;
    outer->version = inner->version;
    outer->condition_ignored = inner->condition_ignored;
    outer->was_sent_again = inner->was_sent_again;
    outer->modified_ns = inner->modified_ns;
    outer->inode = inner->inode;
    outer->has_md5 = inner->has_md5;
    memcpy(outer->md5, inner->md5, sizeof outer->md5);
    outer->has_sha256 = inner->has_sha256;
    memcpy(outer->received_sha256, inner->received_sha256, sizeof outer->received_sha256);
    outer->names = inner->names;
    outer->name_count = inner->name_count;
    outer->versions = inner->versions;
    shf_status status = outer->status ? SHF_OK : spoil(call);
    if (status) { /* nothing half spoiled goes out */
        shf_buf_release(outer->body);
        outer->body = NULL;
        outer->body_size = 0;
        fail(call, status, 0, "the fault could not be made");
    } else {
        finish(call);
    }
}

static void pass_on(struct call *call) {
    const struct shf_store_request *outer = call->outer;
    call->inner = (struct shf_store_request){.verb = outer->verb,
                                             .key = outer->key,
                                             .has_range = outer->has_range,
                                             .range_offset = outer->range_offset,
                                             .range_size = outer->range_size,
                                             .if_match = outer->if_match,
                                             .max_bytes = outer->max_bytes,
                                             .body_fd = outer->body_fd,
                                             .wants_sha256 = outer->wants_sha256,
                                             .wants_versions = outer->wants_versions,
                                             .data = outer->data,
                                             .data_size = outer->data_size,
                                             .source_fd = outer->source_fd,
                                             .has_source = outer->has_source,
                                             .source_path = outer->source_path,
                                             .sha256 = outer->sha256,
                                             .content_type = outer->content_type,
                                             .if_version = outer->if_version,
                                             .deadline_ns = outer->deadline_ns,
                                             .cancel = outer->cancel,
                                             .done = answered};
    shf_store_submit(call->fault->inner, &call->inner);
}

/* ---- waiting ---- */

static void woken(struct shf_wait *wait, shf_status reason) {
    struct call *call = SHF_CONTAINER(wait, struct call, wait);
    *call->link = call->next;
    if (call->next) call->next->link = call->link;
    bool is_late = shf_deadline_over(call->outer->deadline_ns);
    if (reason == SHF_E_CANCELLED) {
        fail(call, reason, 0, "was cancelled");
    } else if (reason == SHF_E_DEADLINE && (call->rule.kind == SHF_FAULT_STALL || is_late)) {
        fail(call, reason, 0, "the time given to the operation is over");
    } else if (reason == SHF_OK) {
        fail(call, SHF_E_STORE_RETRY, 0, "stalled");
    } else {
        pass_on(call);
    }
}

static void begin_wait(struct call *call) {
    struct fault_store *fault = call->fault;
    int64_t until_ns = call->outer->deadline_ns;
    if (call->rule.kind == SHF_FAULT_DELAY) {
        int64_t amount = call->rule.amount < INT64_MAX ? (int64_t)call->rule.amount : INT64_MAX;
        int64_t delayed_ns = shf_deadline_after_ms(amount);
        if (delayed_ns < until_ns) until_ns = delayed_ns;
    }
    call->next = fault->stalled;
    if (call->next) call->next->link = &call->next;
    call->link = &fault->stalled;
    fault->stalled = call;
    call->wait = (struct shf_wait){.deadline_ns = until_ns, .cancel = call->outer->cancel, .wake = woken};
    shf_wait_begin(fault->base.runtime, &call->wait);
}

static void resume_stalled(struct shf_task *task) {
    struct fault_store *fault = SHF_CONTAINER(task, struct fault_store, resume);
    atomic_store(&fault->resume_posted, false);
    for (struct call *call = fault->stalled, *next; call; call = next) {
        next = call->next;
        if (call->rule.kind == SHF_FAULT_STALL) shf_wait_end(fault->base.runtime, &call->wait, SHF_OK);
    }
    shf_store_release(&fault->base);
}

void shf_store_fault_resume(struct shf_store *store) {
    struct fault_store *fault = fault_of(store);
    if (atomic_exchange(&fault->resume_posted, true)) return;
    (void)shf_store_retain(store);
    fault->resume.run = resume_stalled;
    shf_rt_post_loop(store->runtime, &fault->resume);
}

/* ---- the way of a request ---- */

static void act(struct shf_task *task) {
    struct call *call = SHF_CONTAINER(task, struct call, task);
    switch (call->rule.kind) {
    case SHF_FAULT_FAIL: fail(call, call->rule.status, call->rule.http_status, "fails as scripted"); break;
    case SHF_FAULT_DELAY:
    case SHF_FAULT_STALL: begin_wait(call); break;
    default: pass_on(call); break;
    }
}

static void fail_without_call(struct shf_task *task) {
    struct shf_store_request *outer = SHF_CONTAINER(task, struct shf_store_request, task);
    outer->status = shf_error_set(&outer->error, SHF_E_NO_MEMORY, "no memory for a request of %s", outer->key);
    outer->done(outer);
}

static void submit(struct shf_store *store, struct shf_store_request *request) {
    struct fault_store *fault = fault_of(store);
    struct call *call = shf_alloc_zero(1, sizeof *call);
    if (!call) {
        request->task.run = fail_without_call;
        shf_rt_post_loop(store->runtime, &request->task);
        return;
    }
    call->fault = fault_of(shf_store_retain(store));
    call->outer = request;
    call->rule = meet(fault, request->verb);
    call->task.run = act;
    shf_rt_post_loop(store->runtime, &call->task);
}

static void destroy(struct shf_store *store) {
    struct fault_store *fault = fault_of(store);
    shf_store_release(fault->inner);
    (void)pthread_mutex_destroy(&fault->mutex);
    shf_free(store->root_url);
    shf_free(store->endpoint);
    shf_free(fault);
}

static void use_credentials(struct shf_store *store, struct shf_credentials *credentials) {
    shf_store_use_credentials(fault_of(store)->inner, credentials);
}

/* Files stay local only where nothing is to go wrong with them: no local_path, so that every byte comes by a request. */
shf_status shf_store_fault_new(struct shf_store *inner, struct shf_store **out, struct shf_error **error) {
    static const struct shf_store_class class = {"fault", submit, NULL, destroy, use_credentials};
    struct fault_store *fault = shf_alloc_zero(1, sizeof *fault);
    char *url = shf_strdup(inner->root_url), *endpoint = shf_strdup(inner->endpoint);
    if (!fault || !url || !endpoint) {
        shf_free(fault);
        shf_free(url);
        shf_free(endpoint);
        return shf_error_set(error, SHF_E_NO_MEMORY, "no memory for a fault store");
    }
    fault->base.class = &class;
    atomic_init(&fault->base.references, 1);
    fault->base.runtime = inner->runtime;
    fault->base.root_url = url;
    fault->base.endpoint = endpoint;
    fault->inner = shf_store_retain(inner);
    (void)pthread_mutex_init(&fault->mutex, NULL);
    *out = &fault->base;
    return SHF_OK;
}
