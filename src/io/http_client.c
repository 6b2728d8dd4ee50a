/* The client: which request is where, and when it ends. What a transfer is for libcurl is in http_transfer.c. */
#include "base/alloc.h"
#include "base/clock.h"
#include "io/http_priv.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

/* Deadlines and silences are looked at this often at least: the base clock may be a test's, libuv's is not. */
#define LONGEST_LOOK_MS 50

static const char client_kind;
static pthread_once_t global_once = PTHREAD_ONCE_INIT;
static CURLcode global_status;
static void global_init(void) { global_status = curl_global_init(CURL_GLOBAL_DEFAULT); }

/* ---- lists ---- */

static void list_add(struct shf_http_list *list, struct shf_http_request *request) {
    request->next = NULL;
    request->previous = list->tail;
    if (list->tail) {
        list->tail->next = request;
    } else {
        list->head = request;
    }
    list->tail = request;
    list->count++;
}

static void list_remove(struct shf_http_list *list, struct shf_http_request *request) {
    if (request->previous) {
        request->previous->next = request->next;
    } else {
        list->head = request->next;
    }
    if (request->next) {
        request->next->previous = request->previous;
    } else {
        list->tail = request->previous;
    }
    request->previous = request->next = NULL;
    list->count--;
}

static void move(struct shf_http_request *request, enum shf_http_place place) {
    struct shf_http_client *client = request->client;
    if (request->place != SHF_HTTP_NOWHERE) list_remove(&client->lists[request->place], request);
    request->place = place;
    if (place != SHF_HTTP_NOWHERE) list_add(&client->lists[place], request);
}

/* ---- the end of requests ---- */

/* Takes it out of the client. Its done is called by finish_all, when no list is being walked. */
void shf_http_end(struct shf_http_request *request, shf_status status, const char *problem, struct shf_http_list *ending) {
    if (request->easy) shf_http_transfer_end(request);
    move(request, SHF_HTTP_NOWHERE);
    request->status = status;
    (void)snprintf(request->problem, sizeof request->problem, "%s", problem);
    list_add(ending, request);
}

static void finish_all(struct shf_http_list *ending) {
    while (ending->head) {
        struct shf_http_request *request = ending->head;
        char *location = request->location;
        list_remove(ending, request);
        request->done(request); /* may free it, or start it again */
        shf_free(location);
    }
}

/* ---- what is due ---- */

/* Not SHF_OK: the request must end now. Else *due is when to look again at the latest. */
static shf_status look_at(struct shf_http_request *r, int64_t now, int64_t *due, char *problem, size_t room) {
    if (shf_cancel_requested(r->cancel)) {
        (void)snprintf(problem, room, "cancelled");
        return SHF_E_CANCELLED;
    }
    if (now >= r->deadline_ns) {
        (void)snprintf(problem, room, "the time given to the operation is over");
        return SHF_E_DEADLINE;
    }
    *due = r->deadline_ns;
    if (r->place == SHF_HTTP_PARKED && r->not_before_ns < *due) *due = r->not_before_ns;
    if (r->place != SHF_HTTP_ACTIVE || r->paused) return SHF_OK;
    int64_t since = r->connected ? r->last_activity_ns : r->started_ns;
    uint32_t most_ms = r->connected ? r->inactivity_ms : r->connect_timeout_ms;
    int64_t end = since + (int64_t)most_ms * 1000000;
    if (now >= end) {
        const char *what = !r->connected ? "no connection within"
                           : r->has_body ? "no byte came or went for"
                                         : "no byte came for";
        (void)snprintf(problem, room, "%s %u ms", what, most_ms);
        return SHF_E_STORE_RETRY;
    }
    if (end < *due) *due = end;
    return SHF_OK;
}

static void look_fired(uv_timer_t *timer);

static void arm(struct shf_http_client *client, int64_t due) {
    int64_t left_ms = shf_deadline_left_ms(due);
    if (left_ms > LONGEST_LOOK_MS) left_ms = LONGEST_LOOK_MS;
    client->look_due = due;
    (void)uv_timer_start(&client->look_timer, look_fired, (uint64_t)left_ms, 0);
}

/* A request came or changed its place: the timer must not fire later than is due for it. */
static void note(struct shf_http_client *client, const struct shf_http_request *request) {
    int64_t due = request->deadline_ns;
    if (request->place == SHF_HTTP_PARKED && request->not_before_ns < due) due = request->not_before_ns;
    if (!uv_is_active((uv_handle_t *)&client->look_timer) || due < client->look_due) arm(client, due);
}

/* Ends what must end, queues what was parked for long enough, starts what can start. */
static void look(struct shf_http_client *client) {
    struct shf_http_list ending = {0};
    int64_t now = shf_clock_monotonic_ns(), nearest = SHF_DEADLINE_NONE;
    for (int place = SHF_HTTP_PARKED; place <= SHF_HTTP_ACTIVE; place++) {
        for (struct shf_http_request *r = client->lists[place].head, *next; r; r = next) {
            char problem[64];
            int64_t due = SHF_DEADLINE_NONE;
            next = r->next;
            shf_status status = look_at(r, now, &due, problem, sizeof problem);
            if (status) {
                shf_http_end(r, status, problem, &ending);
            } else if (place == SHF_HTTP_PARKED && r->not_before_ns <= now) {
                move(r, SHF_HTTP_QUEUED);
            } else if (due < nearest) {
                nearest = due;
            }
        }
    }
    finish_all(&ending);
    shf_http_pump(client);
    bool empty = true;
    for (int place = SHF_HTTP_PARKED; place <= SHF_HTTP_ACTIVE; place++) empty = empty && !client->lists[place].head;
    if (empty) {
        (void)uv_timer_stop(&client->look_timer);
    } else {
        arm(client, nearest);
    }
}

static void look_fired(uv_timer_t *timer) { look(timer->data); }

/* ---- starting ---- */

static void start(struct shf_http_request *request, struct shf_http_list *ending) {
    struct shf_http_client *client = request->client;
    if (shf_cancel_requested(request->cancel)) {
        shf_http_end(request, SHF_E_CANCELLED, "cancelled", ending);
        return;
    }
    switch (request->prepare(request)) {
    case SHF_HTTP_HOLD:
        request->not_before_ns = SHF_DEADLINE_NONE;
        move(request, SHF_HTTP_PARKED);
        return;
    case SHF_HTTP_REFUSE:
        request->stopped = true;
        shf_http_end(request, SHF_OK, "", ending);
        return;
    case SHF_HTTP_SEND: break;
    }
    move(request, SHF_HTTP_ACTIVE);
    CURLcode code = shf_http_transfer_begin(request);
    if (code != CURLE_OK) {
        shf_http_end(request, shf_http_status_of(code), curl_easy_strerror(code), ending);
        return;
    }
    atomic_fetch_add_explicit(&shf_rt_counters(client->runtime)->store_requests, 1, memory_order_relaxed);
}

/* Not from within itself: done may start the next one, which then only waits in the queue. */
void shf_http_pump(struct shf_http_client *client) {
    struct shf_http_list ending = {0};
    if (client->pumping) return;
    client->pumping = true;
    while (client->lists[SHF_HTTP_QUEUED].head && client->lists[SHF_HTTP_ACTIVE].count < SHF_HTTP_CONNECTIONS) {
        start(client->lists[SHF_HTTP_QUEUED].head, &ending);
        finish_all(&ending);
    }
    client->pumping = false;
}

/* Nobody would tell of bytes that come on their sockets. */
static void end_unwatched(struct shf_http_client *client, struct shf_http_list *ending) {
    for (struct shf_http_request *r = client->lists[SHF_HTTP_ACTIVE].head, *next; r; r = next) {
        next = r->next;
        if (r->unwatched) shf_http_end(r, SHF_E_NO_MEMORY, "no memory to watch a socket", ending);
    }
    client->has_unwatched = false;
}

void shf_http_reap(struct shf_http_client *client) {
    struct shf_http_list ending = {0};
    shf_http_transfers_collect(client, &ending);
    if (client->has_unwatched) end_unwatched(client, &ending);
    finish_all(&ending);
    shf_http_pump(client);
}

/* ---- the service ---- */

static void sweep(struct shf_rt_service *service) { look(SHF_CONTAINER(service, struct shf_http_client, service)); }

static void stop(struct shf_rt_service *service) {
    struct shf_http_client *client = SHF_CONTAINER(service, struct shf_http_client, service);
    struct shf_http_list ending = {0};
    client->stopped = true;
    for (struct shf_http_stop_hook *hook = client->hooks, *next; hook; hook = next) {
        next = hook->next;
        hook->stop(hook);
    }
    for (int place = SHF_HTTP_PARKED; place <= SHF_HTTP_ACTIVE; place++) {
        while (client->lists[place].head) {
            shf_http_end(client->lists[place].head, SHF_E_CANCELLED, "the runtime is being freed", &ending);
        }
    }
    finish_all(&ending);
}

static void close_handles(struct shf_rt_service *service) {
    struct shf_http_client *client = SHF_CONTAINER(service, struct shf_http_client, service);
    shf_http_transfers_fini(client); /* closes kept connections, and so the handles of their sockets */
    uv_close((uv_handle_t *)&client->curl_timer, NULL);
    uv_close((uv_handle_t *)&client->look_timer, NULL);
}

/* A child of fork leaves libcurl's own memory alone: cleaning up would talk on the parent's connections. */
static void destroy(struct shf_rt_service *service, bool forked) {
    (void)forked;
    shf_free(SHF_CONTAINER(service, struct shf_http_client, service));
}

static struct shf_http_client *client_new(shf_runtime *runtime) {
    (void)pthread_once(&global_once, global_init);
    struct shf_http_client *client = global_status == CURLE_OK ? shf_alloc_zero(1, sizeof *client) : NULL;
    if (!client) return NULL;
    client->runtime = runtime;
    if (!shf_http_transfers_init(client)) {
        shf_free(client);
        return NULL;
    }
    (void)uv_timer_init(shf_rt_loop(runtime), &client->curl_timer); /* cannot fail */
    (void)uv_timer_init(shf_rt_loop(runtime), &client->look_timer);
    client->curl_timer.data = client;
    client->look_timer.data = client;
    client->service = (struct shf_rt_service){
        .kind = &client_kind, .sweep = sweep, .stop = stop, .close = close_handles, .destroy = destroy};
    shf_rt_service_add(runtime, &client->service);
    return client;
}

static struct shf_http_client *client_of(shf_runtime *runtime) {
    struct shf_rt_service *found = shf_rt_service_find(runtime, &client_kind);
    return found ? SHF_CONTAINER(found, struct shf_http_client, service) : client_new(runtime);
}

/* ---- requests ---- */

static void reset(struct shf_http_request *r, shf_runtime *runtime, struct shf_http_client *client) {
    r->method = r->url = NULL;
    r->has_body = false;
    r->body_size = 0;
    r->headers = NULL;
    r->status = SHF_OK;
    r->stopped = r->connected = r->paused = r->begun = r->unwatched = false;
    r->problem[0] = r->error_text[0] = '\0';
    r->http_status = 0;
    r->content_length = -1;
    r->etag[0] = r->content_range[0] = r->retry_after[0] = r->bucket_region[0] = '\0';
    r->location = NULL;
    r->body_bytes = 0;
    r->runtime = runtime;
    r->client = client;
    r->place = SHF_HTTP_NOWHERE;
    r->previous = r->next = NULL;
    r->easy = NULL;
}

static void refuse(struct shf_http_request *request, shf_status status, const char *problem) {
    request->status = status;
    (void)snprintf(request->problem, sizeof request->problem, "%s", problem);
    request->done(request);
}

void shf_http_start(shf_runtime *runtime, struct shf_http_request *request) {
    struct shf_http_client *client = client_of(runtime);
    reset(request, runtime, client);
    if (!client) {
        refuse(request, SHF_E_NO_MEMORY, "no memory for the HTTP client");
    } else if (client->stopped) {
        refuse(request, SHF_E_CANCELLED, "the runtime is being freed");
    } else if (shf_cancel_requested(request->cancel)) {
        refuse(request, SHF_E_CANCELLED, "cancelled");
    } else if (shf_deadline_over(request->deadline_ns)) {
        refuse(request, SHF_E_DEADLINE, "the time given to the operation is over");
    } else {
        move(request, request->not_before_ns > shf_clock_monotonic_ns() ? SHF_HTTP_PARKED : SHF_HTTP_QUEUED);
        note(client, request);
        shf_http_pump(client);
    }
}

void shf_http_resume(struct shf_http_request *request) {
    struct shf_http_client *client = request->client;
    struct shf_http_list ending = {0};
    if (!request->paused || !request->easy) return;
    shf_http_transfer_resume(request, &ending);
    finish_all(&ending);
    shf_http_reap(client);
}

void shf_http_wake(struct shf_http_request *request) {
    if (request->place != SHF_HTTP_PARKED) return;
    request->not_before_ns = 0;
    move(request, SHF_HTTP_QUEUED);
    shf_http_pump(request->client);
}

void shf_http_hook_add(shf_runtime *runtime, struct shf_http_stop_hook *hook) {
    struct shf_http_client *client = client_of(runtime);
    hook->previous = hook->next = NULL;
    if (!client) return; /* then no request waits for the work either */
    hook->next = client->hooks;
    if (hook->next) hook->next->previous = hook;
    client->hooks = hook;
}

void shf_http_hook_remove(shf_runtime *runtime, struct shf_http_stop_hook *hook) {
    struct shf_http_client *client = client_of(runtime);
    if (!client || (!hook->previous && client->hooks != hook)) return;
    if (hook->previous) {
        hook->previous->next = hook->next;
    } else {
        client->hooks = hook->next;
    }
    if (hook->next) hook->next->previous = hook->previous;
}
