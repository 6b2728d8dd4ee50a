/* Transfers: libcurl's multi interface by socket_action, its sockets and its timer on the libuv loop. */
#include "base/alloc.h"
#include "base/clock.h"
#include "io/fs.h"
#include "io/http_priv.h"
#include "shardyfusion/types.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

/*
 * A socket of libcurl's that the loop watches, by a descriptor of our own for it: 7.88 closes a socket that is still
 * connecting before it says so, and by then its number may be a file of another thread.
 */
struct http_socket {
    uv_poll_t poll;
    struct shf_http_client *client;
    curl_socket_t fd;
    int watched_fd;
};

/* Which failures another attempt can not mend. */
shf_status shf_http_status_of(CURLcode code) {
    switch (code) {
    case CURLE_OK: return SHF_OK;
    case CURLE_OUT_OF_MEMORY: return SHF_E_NO_MEMORY;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_NOT_BUILT_IN: return SHF_E_STORE;
    default: return SHF_E_STORE_RETRY;
    }
}

/* ---- what comes in ---- */

static bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

static void copy_value(char *out, size_t room, const char *value, size_t size) {
    while (size && is_blank(*value)) value++, size--;
    while (size && is_blank(value[size - 1])) size--;
    if (size >= room || memchr(value, '\0', size)) size = 0; /* no sensible value: as good as none */
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
    if (request->begun) return length;                      /* trailers of a chunked body */
    if (length > 5 && strncasecmp(data, "HTTP/", 5) == 0) { /* an answer begins: one before it was an interim one */
        for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) wanted[i].out[0] = '\0';
    }
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        size_t name = strlen(wanted[i].name);
        if (length <= name || strncasecmp(data, wanted[i].name, name) != 0) continue;
        copy_value(wanted[i].out, wanted[i].room, data + name, length - name);
    }
    return length;
}

static bool begin_body(struct shf_http_request *request) {
    curl_off_t length = -1;
    request->begun = true;
    (void)curl_easy_getinfo(request->easy, CURLINFO_RESPONSE_CODE, &request->http_status);
    (void)curl_easy_getinfo(request->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
    request->content_length = length;
    if (request->begin_body(request)) return true;
    request->stopped = true;
    return false;
}

static size_t body_came(char *data, size_t size, size_t count, void *context) {
    struct shf_http_request *request = context;
    size_t length = size * count;
    request->last_activity_ns = shf_clock_monotonic_ns();
    if (!request->begun && !begin_body(request)) return 0;
    switch (request->take_body(request, (const uint8_t *)data, length)) {
    case SHF_HTTP_PAUSE: request->paused = true; return CURL_WRITEFUNC_PAUSE;
    case SHF_HTTP_STOP: request->stopped = true; return 0;
    case SHF_HTTP_TOOK: break;
    }
    request->body_bytes += length;
    atomic_fetch_add_explicit(&shf_rt_counters(request->runtime)->downloaded_bytes, length, memory_order_relaxed);
    return length;
}

/* ---- what goes out ---- */

static size_t body_wanted(char *out, size_t size, size_t count, void *context) {
    struct shf_http_request *request = context;
    size_t given = request->give_body(request, (uint8_t *)out, size * count);
    if (given == SHF_HTTP_GIVE_PAUSE) {
        request->paused = true;
        return CURL_READFUNC_PAUSE;
    }
    if (given == SHF_HTTP_GIVE_STOP) {
        request->stopped = true;
        return CURL_READFUNC_ABORT;
    }
    request->last_activity_ns = shf_clock_monotonic_ns();
    atomic_fetch_add_explicit(&shf_rt_counters(request->runtime)->uploaded_bytes, given, memory_order_relaxed);
    return given;
}

/* A kept connection was dead: libcurl sends the request once more, over another. */
static int body_again(void *context, curl_off_t offset, int origin) {
    struct shf_http_request *request = context;
    if (offset != 0 || origin != SEEK_SET) return CURL_SEEKFUNC_CANTSEEK;
    return request->rewind_body(request) ? CURL_SEEKFUNC_OK : CURL_SEEKFUNC_FAIL;
}

/* The connection is there (new or kept), the request goes out: from now on silence counts. */
static int connection_is_there(void *context, char *peer, char *local, int peer_port, int local_port) {
    struct shf_http_request *request = context;
    (void)peer, (void)local, (void)peer_port, (void)local_port;
    request->connected = true;
    request->last_activity_ns = shf_clock_monotonic_ns();
    return CURL_PREREQFUNC_OK;
}

/* Programs that the caller starts must not inherit connections. */
static curl_socket_t open_socket(void *context, curlsocktype purpose, struct curl_sockaddr *address) {
    (void)context, (void)purpose;
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

/* ---- the end ---- */

void shf_http_transfer_end(struct shf_http_request *request) {
    struct shf_http_client *client = request->client;
    (void)curl_multi_remove_handle(client->multi, request->easy);
    if (client->spare_count < SHF_HTTP_CONNECTIONS) {
        curl_easy_reset(request->easy);
        client->spare[client->spare_count++] = request->easy;
    } else {
        curl_easy_cleanup(request->easy);
    }
    request->easy = NULL;
    request->paused = false;
}

/* Rubbish that an answer before left behind on a kept connection; a new one has none. */
static bool is_leftover(struct shf_http_request *request, CURLcode code) {
    long connects = 1;
    (void)curl_easy_getinfo(request->easy, CURLINFO_NUM_CONNECTS, &connects);
    return code == CURLE_UNSUPPORTED_PROTOCOL && connects == 0;
}

static void end_transfer(struct shf_http_request *request, CURLcode code, struct shf_http_list *ending) {
    char text[sizeof request->error_text], *location = NULL;
    (void)snprintf(text, sizeof text, "%s", *request->error_text ? request->error_text : curl_easy_strerror(code));
    (void)curl_easy_getinfo(request->easy, CURLINFO_RESPONSE_CODE, &request->http_status);
    if (code == CURLE_OK && !request->begun && !request->stopped) (void)begin_body(request);
    (void)curl_easy_getinfo(request->easy, CURLINFO_REDIRECT_URL, &location);
    if (location && strlen(location) <= SHF_HTTP_LOCATION_BYTES) {
        request->location = shf_strdup(location); /* without memory: as if it named none */
    }
    if (is_leftover(request, code)) code = CURLE_WEIRD_SERVER_REPLY;
    if (request->stopped) code = CURLE_OK;
    shf_http_end(request, shf_http_status_of(code), code == CURLE_OK ? "" : text, ending);
}

/* The bytes that were not taken come again from within; when they are refused then, nobody else ends the transfer. */
void shf_http_transfer_resume(struct shf_http_request *request, struct shf_http_list *ending) {
    request->paused = false;
    request->last_activity_ns = shf_clock_monotonic_ns();
    CURLcode code = curl_easy_pause(request->easy, CURLPAUSE_CONT);
    if (code != CURLE_OK) end_transfer(request, code, ending);
}

void shf_http_transfers_collect(struct shf_http_client *client, struct shf_http_list *ending) {
    CURLMsg *message;
    int left;
    while ((message = curl_multi_info_read(client->multi, &left)) != NULL) {
        if (message->msg != CURLMSG_DONE) continue;
        struct shf_http_request *request = NULL;
        (void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&request);
        end_transfer(request, message->data.result, ending);
    }
}

/* ---- sockets and the timer ---- */

static void drive(struct shf_http_client *client, curl_socket_t fd, int events) {
    int running;
    (void)curl_multi_socket_action(client->multi, fd, events, &running);
    shf_http_reap(client);
}

static void socket_ready(uv_poll_t *poll, int status, int events) {
    struct http_socket *socket = SHF_CONTAINER(poll, struct http_socket, poll);
    int bits = (events & UV_READABLE ? CURL_CSELECT_IN : 0) | (events & UV_WRITABLE ? CURL_CSELECT_OUT : 0);
    /*
     * An error of the socket: libcurl is to meet it in a call of its own. Told CURL_CSELECT_ERR it fails the transfer;
     * from recv it learns that a kept connection was dead, and sends the request over another one.
     */
    if (status < 0) bits = CURL_CSELECT_IN | CURL_CSELECT_OUT;
    drive(socket->client, socket->fd, bits);
}

static void socket_closed(uv_handle_t *handle) {
    struct http_socket *socket = SHF_CONTAINER((uv_poll_t *)handle, struct http_socket, poll);
    shf_fs_close(socket->watched_fd);
    shf_free(socket);
}

static struct http_socket *socket_new(struct shf_http_client *client, curl_socket_t fd) {
    struct http_socket *socket = shf_alloc_zero(1, sizeof *socket);
    if (!socket) return NULL;
    socket->client = client;
    socket->fd = fd;
    socket->watched_fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (socket->watched_fd < 0 ||
        uv_poll_init_socket(shf_rt_loop(client->runtime), &socket->poll, socket->watched_fd) != 0) {
        if (socket->watched_fd >= 0) shf_fs_close(socket->watched_fd);
        shf_free(socket);
        return NULL;
    }
    (void)curl_multi_assign(client->multi, fd, socket);
    return socket;
}

/*
 * libcurl is not told: 7.88 would keep what it knows of the socket, and never take the next one of the same number back.
 * shf_http_reap ends the transfer.
 */
static void leave_unwatched(CURL *easy) {
    struct shf_http_request *request = NULL;
    (void)curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&request);
    if (request) request->unwatched = request->client->has_unwatched = true;
}

static int watch_socket(CURL *easy, curl_socket_t fd, int what, void *context, void *socket_context) {
    struct shf_http_client *client = context;
    struct http_socket *socket = socket_context;
    if (what == CURL_POLL_REMOVE) {
        if (!socket) return 0;
        (void)uv_poll_stop(&socket->poll);
        uv_close((uv_handle_t *)&socket->poll, socket_closed);
        (void)curl_multi_assign(client->multi, fd, NULL);
        return 0;
    }
    if (!socket) socket = socket_new(client, fd);
    int events = (what != CURL_POLL_OUT ? UV_READABLE : 0) | (what != CURL_POLL_IN ? UV_WRITABLE : 0);
    if (!socket || uv_poll_start(&socket->poll, events, socket_ready) != 0) leave_unwatched(easy);
    return 0;
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

/* ---- the beginning ---- */

static CURLcode set_options(struct shf_http_request *r) {
    CURL *easy = r->easy;
    CURLcode code = CURLE_OK;
#define SET(option, value)                                                                                             \
    if (code == CURLE_OK) code = curl_easy_setopt(easy, option, value)
    SET(CURLOPT_URL, r->url);
    SET(CURLOPT_HTTPHEADER, r->headers);
    SET(CURLOPT_USERAGENT, "libshardyfusion/" SHF_VERSION_STRING);
    SET(CURLOPT_PRIVATE, r);
    SET(CURLOPT_NOBODY, strcmp(r->method, "HEAD") == 0 ? 1L : 0L);
    SET(CURLOPT_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_PATH_AS_IS, 1L);
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_QUICK_EXIT, 1L); /* else cancelling during a slow name look-up blocks the loop */
    SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    SET(CURLOPT_FRESH_CONNECT, r->fresh_connection ? 1L : 0L);
    SET(CURLOPT_TCP_KEEPALIVE, 1L);
    SET(CURLOPT_BUFFERSIZE, (long)SHF_HTTP_PIECE_BYTES);
    SET(CURLOPT_CONNECTTIMEOUT_MS, (long)r->connect_timeout_ms);
    SET(CURLOPT_ERRORBUFFER, r->error_text);
    SET(CURLOPT_HEADERFUNCTION, header_came);
    SET(CURLOPT_HEADERDATA, r);
    SET(CURLOPT_WRITEFUNCTION, body_came);
    SET(CURLOPT_WRITEDATA, r);
    SET(CURLOPT_PREREQFUNCTION, connection_is_there);
    SET(CURLOPT_PREREQDATA, r);
    SET(CURLOPT_OPENSOCKETFUNCTION, open_socket);
    SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    if (r->has_body) { /* which libcurl calls an upload, whatever the method */
        SET(CURLOPT_UPLOAD, 1L);
        SET(CURLOPT_INFILESIZE_LARGE, (curl_off_t)r->body_size);
        SET(CURLOPT_READFUNCTION, body_wanted);
        SET(CURLOPT_READDATA, r);
        SET(CURLOPT_SEEKFUNCTION, body_again);
        SET(CURLOPT_SEEKDATA, r);
    }
    if (strcmp(r->method, "GET") != 0 && strcmp(r->method, "HEAD") != 0) SET(CURLOPT_CUSTOMREQUEST, r->method);
    if (r->ca_bundle) SET(CURLOPT_CAINFO, r->ca_bundle);
    if (r->insecure_skip_verify) {
        SET(CURLOPT_SSL_VERIFYPEER, 0L);
        SET(CURLOPT_SSL_VERIFYHOST, 0L);
    }
#undef SET
    return code;
}

CURLcode shf_http_transfer_begin(struct shf_http_request *request) {
    struct shf_http_client *client = request->client;
    request->started_ns = request->last_activity_ns = shf_clock_monotonic_ns();
    request->easy = client->spare_count ? client->spare[--client->spare_count] : curl_easy_init();
    CURLcode code = request->easy ? set_options(request) : CURLE_OUT_OF_MEMORY;
    if (code != CURLE_OK) return code;
    return curl_multi_add_handle(client->multi, request->easy) == CURLM_OK ? CURLE_OK : CURLE_OUT_OF_MEMORY;
}

bool shf_http_transfers_init(struct shf_http_client *client) {
    CURLM *multi = curl_multi_init();
    if (!multi) return false;
    client->multi = multi;
    if (curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, watch_socket) == CURLM_OK &&
        curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, client) == CURLM_OK &&
        curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, set_curl_timer) == CURLM_OK &&
        curl_multi_setopt(multi, CURLMOPT_TIMERDATA, client) == CURLM_OK &&
        curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, (long)SHF_HTTP_CONNECTIONS) == CURLM_OK) {
        return true;
    }
    (void)curl_multi_cleanup(multi);
    return false;
}

void shf_http_transfers_fini(struct shf_http_client *client) {
    while (client->spare_count) curl_easy_cleanup(client->spare[--client->spare_count]);
    (void)curl_multi_cleanup(client->multi);
    client->multi = NULL;
}
