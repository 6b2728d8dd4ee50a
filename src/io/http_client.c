#include "io/http_client.h"

#include "base/alloc.h"
#include "base/clock.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define LOOK_EVERY_MS 50u /* at deadlines and silences of running transfers */
#define RECEIVE_BUFFER_BYTES (256L * 1024)

struct shf_http_client {
    struct shf_rt_service service; /* first */
    shf_runtime *runtime;
    CURLM *multi;
    uv_timer_t curl_timer, look_timer;
    struct shf_http_request *active, *waiting, *waiting_tail;
    uint32_t active_count;
    bool stopped;
};

struct http_socket {
    uv_poll_t poll;
    struct shf_http_client *client;
    curl_socket_t fd;
};

static const char client_kind;
static pthread_once_t global_once = PTHREAD_ONCE_INIT;
static CURLcode global_status;
static void global_init(void) { global_status = curl_global_init(CURL_GLOBAL_DEFAULT); }

static void start_waiting(struct shf_http_client *client);

/* ---- the end of a transfer ---- */

static void unlink_active(struct shf_http_client *client, struct shf_http_request *request) {
    if (request->previous) {
        request->previous->next = request->next;
    } else {
        client->active = request->next;
    }
    if (request->next) request->next->previous = request->previous;
    client->active_count--;
    if (!client->active) (void)uv_timer_stop(&client->look_timer);
}

static void end_transfer(struct shf_http_request *request, shf_status status, const char *problem) {
    struct shf_http_client *client = request->client;
    unlink_active(client, request);
    (void)curl_multi_remove_handle(client->multi, request->easy);
    curl_easy_cleanup(request->easy);
    request->easy = NULL;
    request->status = status;
    (void)snprintf(request->problem, sizeof request->problem, "%s", problem);
    request->done(request); /* may free the request and start others */
    start_waiting(client);
}

static shf_status status_of(CURLcode code) {
    return code == CURLE_OK ? SHF_OK : code == CURLE_OUT_OF_MEMORY ? SHF_E_NO_MEMORY : SHF_E_STORE_RETRY;
}

static void read_facts(struct shf_http_request *request) {
    curl_off_t length = -1;
    (void)curl_easy_getinfo(request->easy, CURLINFO_RESPONSE_CODE, &request->http_status);
    (void)curl_easy_getinfo(request->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
    request->content_length = length;
}

static void reap(struct shf_http_client *client) {
    CURLMsg *message;
    int left;
    while ((message = curl_multi_info_read(client->multi, &left)) != NULL) {
        if (message->msg != CURLMSG_DONE) continue;
        CURLcode code = message->data.result;
        struct shf_http_request *request = NULL;
        (void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&request);
        read_facts(request);
        if (request->stopped) {
            end_transfer(request, SHF_OK, "");
        } else {
            const char *text = *request->error_text ? request->error_text : curl_easy_strerror(code);
            end_transfer(request, status_of(code), code == CURLE_OK ? "" : text);
        }
    }
}

/* Ends what was cancelled, is over time, or is silent. */
static void look(struct shf_http_client *client) {
    int64_t now = shf_clock_monotonic_ns();
    struct shf_http_request *request = client->active;
    while (request) {
        struct shf_http_request *next = request->next;
        int64_t silence_ms = (now - request->last_activity_ns) / 1000000;
        if (shf_cancel_requested(request->cancel)) {
            end_transfer(request, SHF_E_CANCELLED, "cancelled");
            next = client->active; /* ending one may have changed the list */
        } else if (now >= request->deadline_ns) {
            end_transfer(request, SHF_E_DEADLINE, "the time given to the operation is over");
            next = client->active;
        } else if (!request->paused && silence_ms > (int64_t)request->inactivity_ms) {
            char text[96];
            (void)snprintf(text, sizeof text, "no byte came for %u ms", request->inactivity_ms);
            end_transfer(request, SHF_E_STORE_RETRY, text);
            next = client->active;
        }
        request = next;
    }
}

static void look_fired(uv_timer_t *timer) { look(timer->data); }

/* ---- libcurl's callbacks ---- */

static void copy_value(char *out, size_t room, const char *value, size_t size) {
    while (size && (*value == ' ' || *value == '\t')) value++, size--;
    while (size && (value[size - 1] == '\r' || value[size - 1] == '\n' || value[size - 1] == ' ')) size--;
    if (size >= room) size = 0; /* a value longer than any sensible one is as good as none */
    memcpy(out, value, size);
    out[size] = '\0';
}

static size_t header_came(char *data, size_t size, size_t count, void *context) {
    struct shf_http_request *request = context;
    size_t length = size * count;
    const struct {
        const char *name;
        char *out;
        size_t room;
    } wanted[] = {{"etag:", request->etag, sizeof request->etag},
                  {"content-range:", request->content_range, sizeof request->content_range},
                  {"retry-after:", request->retry_after, sizeof request->retry_after},
                  {"x-amz-bucket-region:", request->bucket_region, sizeof request->bucket_region}};
    request->last_activity_ns = shf_clock_monotonic_ns();
    if (length > 5 && strncasecmp(data, "HTTP/", 5) == 0) { /* a new answer (after 100 Continue) begins anew */
        for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) wanted[i].out[0] = '\0';
    }
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        size_t name = strlen(wanted[i].name);
        if (length > name && strncasecmp(data, wanted[i].name, name) == 0) {
            copy_value(wanted[i].out, wanted[i].room, data + name, length - name);
        }
    }
    return length;
}

static bool begin_body(struct shf_http_request *request) {
    request->begun = true;
    read_facts(request);
    return request->begin_body(request);
}

static size_t body_came(char *data, size_t size, size_t count, void *context) {
    struct shf_http_request *request = context;
    size_t length = size * count;
    request->last_activity_ns = shf_clock_monotonic_ns();
    if (!request->begun && !begin_body(request)) {
        request->stopped = true;
        return 0;
    }
    switch (request->take_body(request, (const uint8_t *)data, length)) {
    case SHF_HTTP_PAUSE:
        request->paused = true;
        return CURL_WRITEFUNC_PAUSE;
    case SHF_HTTP_STOP:
        request->stopped = true;
        return 0;
    case SHF_HTTP_TOOK:
        break;
    }
    request->body_bytes += length;
    atomic_fetch_add_explicit(&shf_rt_counters(request->runtime)->downloaded_bytes, length, memory_order_relaxed);
    return length;
}

static void drive(struct shf_http_client *client, curl_socket_t fd, int events) {
    int running;
    (void)curl_multi_socket_action(client->multi, fd, events, &running);
    reap(client);
}

static void socket_ready(uv_poll_t *poll, int status, int events) {
    struct http_socket *socket = SHF_CONTAINER(poll, struct http_socket, poll);
    int bits = (events & UV_READABLE ? CURL_CSELECT_IN : 0) | (events & UV_WRITABLE ? CURL_CSELECT_OUT : 0);
    drive(socket->client, socket->fd, status < 0 ? CURL_CSELECT_ERR : bits);
}

static void socket_closed(uv_handle_t *handle) { shf_free(SHF_CONTAINER(handle, struct http_socket, poll)); }

static int watch_socket(CURL *easy, curl_socket_t fd, int what, void *context, void *socket_context) {
    struct shf_http_client *client = context;
    struct http_socket *socket = socket_context;
    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        if (!socket) return 0;
        (void)uv_poll_stop(&socket->poll);
        uv_close((uv_handle_t *)&socket->poll, socket_closed);
        (void)curl_multi_assign(client->multi, fd, NULL);
        return 0;
    }
    if (!socket) {
        socket = shf_alloc_zero(1, sizeof *socket);
        if (!socket) return -1;
        socket->client = client;
        socket->fd = fd;
        if (uv_poll_init_socket(shf_rt_loop(client->runtime), &socket->poll, fd) != 0) {
            shf_free(socket);
            return -1;
        }
        (void)curl_multi_assign(client->multi, fd, socket);
    }
    int events = (what != CURL_POLL_OUT ? UV_READABLE : 0) | (what != CURL_POLL_IN ? UV_WRITABLE : 0);
    return uv_poll_start(&socket->poll, events, socket_ready) == 0 ? 0 : -1;
}

static void curl_timer_fired(uv_timer_t *timer) { drive(timer->data, CURL_SOCKET_TIMEOUT, 0); }

static int set_curl_timer(CURLM *multi, long timeout_ms, void *context) {
    struct shf_http_client *client = context;
    (void)multi;
    if (timeout_ms < 0) {
        (void)uv_timer_stop(&client->curl_timer);
    } else { /* 0 stays 0: rounding it up would cost a millisecond a request */
        (void)uv_timer_start(&client->curl_timer, curl_timer_fired, (uint64_t)timeout_ms, 0);
    }
    return 0;
}

/* ---- starting ---- */

static CURLcode set_options(struct shf_http_request *r) {
    CURL *easy = r->easy;
    CURLcode code = CURLE_OK;
#define SET(option, value)                                                                                   \
    if (code == CURLE_OK) code = curl_easy_setopt(easy, option, value)
    SET(CURLOPT_URL, r->url);
    SET(CURLOPT_HTTPHEADER, r->headers);
    SET(CURLOPT_PRIVATE, r);
    SET(CURLOPT_NOBODY, strcmp(r->method, "HEAD") == 0 ? 1L : 0L);
    SET(CURLOPT_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_PATH_AS_IS, 1L);
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_QUICK_EXIT, 1L); /* else cancelling during a slow name look-up blocks the loop */
    SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    SET(CURLOPT_TCP_NODELAY, 1L);
    SET(CURLOPT_TCP_KEEPALIVE, 1L);
    SET(CURLOPT_BUFFERSIZE, RECEIVE_BUFFER_BYTES);
    SET(CURLOPT_CONNECTTIMEOUT_MS, (long)r->connect_timeout_ms);
    SET(CURLOPT_ERRORBUFFER, r->error_text);
    SET(CURLOPT_HEADERFUNCTION, header_came);
    SET(CURLOPT_HEADERDATA, r);
    SET(CURLOPT_WRITEFUNCTION, body_came);
    SET(CURLOPT_WRITEDATA, r);
    SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    if (r->ca_bundle) SET(CURLOPT_CAINFO, r->ca_bundle);
    if (r->insecure_skip_verify) {
        SET(CURLOPT_SSL_VERIFYPEER, 0L);
        SET(CURLOPT_SSL_VERIFYHOST, 0L);
    }
#undef SET
    return code;
}

static void start_transfer(struct shf_http_client *client, struct shf_http_request *request) {
    request->previous = NULL;
    request->next = client->active;
    if (request->next) request->next->previous = request;
    client->active = request;
    if (client->active_count++ == 0) (void)uv_timer_start(&client->look_timer, look_fired, LOOK_EVERY_MS, LOOK_EVERY_MS);
    request->last_activity_ns = shf_clock_monotonic_ns();
    request->easy = curl_easy_init();
    CURLcode code = request->easy ? set_options(request) : CURLE_OUT_OF_MEMORY;
    if (code == CURLE_OK && curl_multi_add_handle(client->multi, request->easy) != CURLM_OK) code = CURLE_OUT_OF_MEMORY;
    if (code == CURLE_OK) {
        atomic_fetch_add_explicit(&shf_rt_counters(client->runtime)->store_requests, 1, memory_order_relaxed);
    } else {
        end_transfer(request, status_of(code), curl_easy_strerror(code));
    }
}

static void start_waiting(struct shf_http_client *client) {
    while (client->waiting && client->active_count < SHF_HTTP_CONNECTIONS) {
        struct shf_http_request *request = client->waiting;
        client->waiting = request->next;
        start_transfer(client, request);
    }
}

static void refuse(struct shf_http_request *request, shf_status status, const char *problem) {
    request->status = status;
    (void)snprintf(request->problem, sizeof request->problem, "%s", problem);
    request->done(request);
}

/* Requests that wait for a connection end too when they are cancelled or the client stops. */
static void look_at_waiting(struct shf_http_client *client) {
    struct shf_http_request **at = &client->waiting;
    while (*at) {
        struct shf_http_request *request = *at;
        if (client->stopped || shf_cancel_requested(request->cancel)) {
            *at = request->next;
            refuse(request, SHF_E_CANCELLED, "cancelled");
            at = &client->waiting; /* the list may have changed */
        } else {
            at = &request->next;
        }
    }
}

/* ---- the service ---- */

static void sweep(struct shf_rt_service *service) {
    struct shf_http_client *client = SHF_CONTAINER(service, struct shf_http_client, service);
    look(client);
    look_at_waiting(client);
}

static void stop(struct shf_rt_service *service) {
    struct shf_http_client *client = SHF_CONTAINER(service, struct shf_http_client, service);
    client->stopped = true;
    look_at_waiting(client);
    while (client->active) end_transfer(client->active, SHF_E_CANCELLED, "the runtime is being freed");
}

static void close_handles(struct shf_rt_service *service) {
    struct shf_http_client *client = SHF_CONTAINER(service, struct shf_http_client, service);
    (void)curl_multi_cleanup(client->multi); /* closes kept connections: watch_socket ends their handles */
    client->multi = NULL;
    uv_close((uv_handle_t *)&client->curl_timer, NULL);
    uv_close((uv_handle_t *)&client->look_timer, NULL);
}

static void destroy(struct shf_rt_service *service, bool forked) {
    (void)forked; /* a child leaves libcurl's memory alone: cleaning up would talk on the parent's connections */
    shf_free(SHF_CONTAINER(service, struct shf_http_client, service));
}

static bool set_up_multi(struct shf_http_client *client) {
    (void)pthread_once(&global_once, global_init);
    if (global_status != CURLE_OK) return false;
    client->multi = curl_multi_init();
    if (!client->multi) return false;
    return curl_multi_setopt(client->multi, CURLMOPT_SOCKETFUNCTION, watch_socket) == CURLM_OK &&
           curl_multi_setopt(client->multi, CURLMOPT_SOCKETDATA, client) == CURLM_OK &&
           curl_multi_setopt(client->multi, CURLMOPT_TIMERFUNCTION, set_curl_timer) == CURLM_OK &&
           curl_multi_setopt(client->multi, CURLMOPT_TIMERDATA, client) == CURLM_OK &&
           curl_multi_setopt(client->multi, CURLMOPT_MAXCONNECTS, (long)SHF_HTTP_CONNECTIONS) == CURLM_OK;
}

static struct shf_http_client *client_of(shf_runtime *runtime) {
    struct shf_rt_service *found = shf_rt_service_find(runtime, &client_kind);
    if (found) return SHF_CONTAINER(found, struct shf_http_client, service);
    struct shf_http_client *client = shf_alloc_zero(1, sizeof *client);
    if (!client) return NULL;
    client->runtime = runtime;
    if (!set_up_multi(client)) {
        if (client->multi) (void)curl_multi_cleanup(client->multi);
        shf_free(client);
        return NULL;
    }
    (void)uv_timer_init(shf_rt_loop(runtime), &client->curl_timer);
    (void)uv_timer_init(shf_rt_loop(runtime), &client->look_timer);
    client->curl_timer.data = client;
    client->look_timer.data = client;
    client->service = (struct shf_rt_service){
        .kind = &client_kind, .sweep = sweep, .stop = stop, .close = close_handles, .destroy = destroy};
    shf_rt_service_add(runtime, &client->service);
    return client;
}

void shf_http_start(shf_runtime *runtime, struct shf_http_request *request) {
    struct shf_http_client *client = client_of(runtime);
    request->runtime = runtime;
    request->client = client;
    request->status = SHF_OK;
    request->stopped = request->paused = request->begun = false;
    request->http_status = 0;
    request->content_length = -1;
    request->body_bytes = 0;
    request->etag[0] = request->content_range[0] = request->retry_after[0] = request->bucket_region[0] = '\0';
    request->problem[0] = request->error_text[0] = '\0';
    request->next = request->previous = NULL;
    if (!client) {
        refuse(request, SHF_E_NO_MEMORY, "no memory for the HTTP client");
    } else if (client->stopped || shf_cancel_requested(request->cancel)) {
        refuse(request, SHF_E_CANCELLED, "cancelled");
    } else if (client->active_count < SHF_HTTP_CONNECTIONS) {
        start_transfer(client, request);
    } else {
        if (client->waiting) {
            client->waiting_tail->next = request;
        } else {
            client->waiting = request;
        }
        client->waiting_tail = request;
    }
}

void shf_http_resume(struct shf_http_request *request) {
    if (!request->paused || !request->easy) return;
    struct shf_http_client *client = request->client;
    request->paused = false;
    request->last_activity_ns = shf_clock_monotonic_ns();
    (void)curl_easy_pause(request->easy, CURLPAUSE_CONT);
    reap(client);
}
