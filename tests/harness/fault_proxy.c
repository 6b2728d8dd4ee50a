#include "harness/fault_proxy.h"

#include "harness/fault_message.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MOST_CONNECTIONS 4096u
#define MOST_REQUESTS 8192u
#define SLOW_PIECE_MS 10
#define STOP_LOOK_MS 20

struct connection {
    struct fault_proxy *proxy;
    pthread_t thread;
    int fd;
};

struct seen {
    char method[8];
    char *target;
};

struct fault_proxy {
    uint16_t server_port;
    char endpoint[64];
    int listener;
    pthread_t acceptor;
    atomic_bool stop;
    struct connection connections[MOST_CONNECTIONS]; /* the acceptor's */
    atomic_uint connection_count;
    pthread_mutex_t mutex; /* for what follows */
    struct fault faults[FAULT_PROXY_MOST];
    uint32_t fitting[FAULT_PROXY_MOST]; /* requests that fitted each fault */
    uint32_t fault_count, request_count, spoilt;
    struct seen requests[MOST_REQUESTS];
};

/* ---- the script ---- */

static bool fits(const char *method, const char *target, const char *wanted_method, const char *wanted_target) {
    if (wanted_method && strcmp(method, wanted_method) != 0) return false;
    return !wanted_target || strstr(target, wanted_target) != NULL;
}

/* Remembers the request, and chooses what happens to it: true and *out, or it passes. */
static bool choose(struct fault_proxy *proxy, const char *method, const char *target, struct fault *out) {
    bool found = false;
    (void)pthread_mutex_lock(&proxy->mutex);
    if (proxy->request_count < MOST_REQUESTS) {
        struct seen *seen = &proxy->requests[proxy->request_count++];
        (void)snprintf(seen->method, sizeof seen->method, "%s", method);
        free(seen->target);
        seen->target = strdup(target);
    }
    for (uint32_t i = 0; !found && i < proxy->fault_count; i++) {
        const struct fault *fault = &proxy->faults[i];
        if (!fits(method, target, fault->method, fault->target)) continue;
        uint32_t place = proxy->fitting[i]++;
        found = place >= fault->skip && (!fault->times || place < fault->skip + fault->times);
        if (found) *out = *fault;
    }
    proxy->spoilt += found;
    (void)pthread_mutex_unlock(&proxy->mutex);
    return found;
}

void fault_proxy_set(struct fault_proxy *proxy, const struct fault *faults, uint32_t count) {
    (void)pthread_mutex_lock(&proxy->mutex);
    if (count) memcpy(proxy->faults, faults, count * sizeof *faults);
    memset(proxy->fitting, 0, sizeof proxy->fitting);
    proxy->fault_count = count;
    proxy->request_count = proxy->spoilt = 0;
    (void)pthread_mutex_unlock(&proxy->mutex);
}

void fault_proxy_heal(struct fault_proxy *proxy) { fault_proxy_set(proxy, NULL, 0); }

uint32_t fault_proxy_requests_of(struct fault_proxy *proxy, const char *method, const char *target) {
    uint32_t count = 0;
    (void)pthread_mutex_lock(&proxy->mutex);
    for (uint32_t i = 0; i < proxy->request_count; i++) {
        count += fits(proxy->requests[i].method, proxy->requests[i].target, method, target);
    }
    (void)pthread_mutex_unlock(&proxy->mutex);
    return count;
}

uint32_t fault_proxy_requests(struct fault_proxy *proxy) { return fault_proxy_requests_of(proxy, NULL, NULL); }

uint32_t fault_proxy_spoilt(struct fault_proxy *proxy) {
    (void)pthread_mutex_lock(&proxy->mutex);
    uint32_t spoilt = proxy->spoilt;
    (void)pthread_mutex_unlock(&proxy->mutex);
    return spoilt;
}

uint32_t fault_proxy_connections(struct fault_proxy *proxy) { return atomic_load(&proxy->connection_count); }

const char *fault_proxy_endpoint(const struct fault_proxy *proxy) { return proxy->endpoint; }

/* ---- answers ---- */

static void nap_ms(long ms) {
    (void)nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

static bool send_all(int fd, const char *data, size_t size) {
    while (size) {
        ssize_t sent = send(fd, data, size, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) continue;
        if (sent <= 0) return false;
        data += sent;
        size -= (size_t)sent;
    }
    return true;
}

/* Until the client goes away, or the proxy stops. */
static void stall(struct connection *connection) {
    struct pollfd watched = {.fd = connection->fd, .events = POLLRDHUP};
    while (!atomic_load(&connection->proxy->stop) && poll(&watched, 1, STOP_LOOK_MS) == 0) continue;
}

static bool send_slowly(struct connection *connection, const char *data, size_t size, uint64_t bytes_a_second) {
    size_t piece = (size_t)(bytes_a_second * SLOW_PIECE_MS / 1000);
    long pause_ms = SLOW_PIECE_MS;
    if (!piece) { /* a byte at a time, further apart */
        piece = 1;
        pause_ms = (long)(1000 / bytes_a_second);
    }
    while (size && !atomic_load(&connection->proxy->stop)) {
        size_t part = size < piece ? size : piece;
        nap_ms(pause_ms);
        if (!send_all(connection->fd, data, part)) return false;
        data += part;
        size -= part;
    }
    return size == 0;
}

/* Closing then sends RST instead of FIN. */
static void arm_reset(int fd) {
    const struct linger linger = {.l_onoff = 1, .l_linger = 0};
    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
}

/* Sends the answer, spoilt on its way where the fault is of that kind. False: the connection must end. */
static bool answer(struct connection *connection, const struct fault *fault, const struct message *reply) {
    uint64_t number = fault ? fault->number : 0;
    size_t part = number < reply->body_size ? (size_t)number : reply->body_size;
    if (fault && (fault->kind == FAULT_RESET || fault->kind == FAULT_STALL) && number == 0) {
        if (fault->kind == FAULT_STALL) stall(connection);
        if (fault->kind == FAULT_RESET) arm_reset(connection->fd);
        return false;
    }
    if (!send_all(connection->fd, reply->head, reply->head_size)) return false;
    if (!fault) return send_all(connection->fd, reply->body, reply->body_size);
    switch (fault->kind) {
    case FAULT_SLOW: return send_slowly(connection, reply->body, reply->body_size, number);
    case FAULT_RESET:
        (void)send_all(connection->fd, reply->body, part);
        nap_ms(SLOW_PIECE_MS); /* else the reset may overtake the bytes */
        arm_reset(connection->fd);
        return false;
    case FAULT_STALL:
        if (send_all(connection->fd, reply->body, part)) stall(connection);
        return false;
    case FAULT_TRUNCATE: (void)send_all(connection->fd, reply->body, part); return false;
    case FAULT_EXCESS:
    case FAULT_NO_LENGTH: (void)send_all(connection->fd, reply->body, reply->body_size); return false;
    default: return send_all(connection->fd, reply->body, reply->body_size);
    }
}

/* ---- a connection ---- */

static int connect_server(const struct fault_proxy *proxy) {
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(proxy->server_port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0) return fd;
    if (fd >= 0) (void)close(fd);
    return -1;
}

static bool ask_server(struct fault_proxy *proxy, const struct message *request, struct message *reply) {
    int fd = connect_server(proxy);
    bool ok = fd >= 0 && send_all(fd, request->head, request->head_size) &&
              send_all(fd, request->body, request->body_size) && message_read_answer(fd, reply);
    if (fd >= 0) (void)close(fd);
    return ok;
}

/* False: the connection must end. */
static bool serve(struct connection *connection) {
    struct message request = {0}, reply = {0};
    struct fault fault;
    char method[8], target[8192];
    bool on = false;
    if (!message_read_request(connection->fd, &request, method, sizeof method, target, sizeof target)) goto done;
    bool spoilt = choose(connection->proxy, method, target, &fault);
    if (spoilt && (fault.kind == FAULT_CUT || fault.kind == FAULT_DEAF)) {
        (void)message_read_body(connection->fd, &request, (size_t)fault.number);
        if (fault.kind == FAULT_DEAF) stall(connection);
        if (fault.kind == FAULT_CUT) arm_reset(connection->fd);
        goto done;
    }
    if (!message_read_body(connection->fd, &request, SIZE_MAX)) goto done;
    bool ok = message_set_header(&request, "Connection", "close");
    if (spoilt && fault.kind == FAULT_WHOLE) ok = ok && message_set_header(&request, "Range", NULL);
    if (spoilt && (fault.kind == FAULT_STATUS || fault.kind == FAULT_REDIRECT || fault.kind == FAULT_ANSWER)) {
        ok = message_make_error(&reply, &fault, connection->proxy->endpoint, strcmp(method, "HEAD") == 0);
    } else {
        ok = ok && ask_server(connection->proxy, &request, &reply) && message_set_header(&reply, "Connection", NULL) &&
             (!spoilt || message_spoil(&reply, &fault));
    }
    on = ok && answer(connection, spoilt ? &fault : NULL, &reply);
done:
    message_free(&request);
    message_free(&reply);
    return on;
}

static void *run_connection(void *argument) {
    struct connection *connection = argument;
    while (!atomic_load(&connection->proxy->stop) && serve(connection)) continue;
    /* The descriptor stays ours until the stop, so that its number names no other; the peer sees the end now. */
    struct linger linger;
    socklen_t size = sizeof linger;
    bool reset = getsockopt(connection->fd, SOL_SOCKET, SO_LINGER, &linger, &size) == 0 && linger.l_onoff;
    if (reset) {
        int spare = open("/dev/null", O_RDWR | O_CLOEXEC);
        if (spare >= 0) (void)dup2(spare, connection->fd); /* closes the socket, keeps the number */
        if (spare >= 0) (void)close(spare);
    } else {
        (void)shutdown(connection->fd, SHUT_RDWR);
    }
    return NULL;
}

static void *accept_all(void *argument) {
    struct fault_proxy *proxy = argument;
    while (!atomic_load(&proxy->stop)) {
        struct pollfd watched = {.fd = proxy->listener, .events = POLLIN};
        if (poll(&watched, 1, STOP_LOOK_MS) <= 0) continue;
        int fd = accept4(proxy->listener, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0) continue;
        uint32_t place = atomic_load(&proxy->connection_count);
        struct connection *connection = place < MOST_CONNECTIONS ? &proxy->connections[place] : NULL;
        if (connection) *connection = (struct connection){.proxy = proxy, .fd = fd};
        if (!connection || pthread_create(&connection->thread, NULL, run_connection, connection) != 0) {
            (void)close(fd);
            continue;
        }
        atomic_store(&proxy->connection_count, place + 1);
    }
    return NULL;
}

/* ---- its life ---- */

static bool listen_anywhere(struct fault_proxy *proxy) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    proxy->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (proxy->listener < 0 || bind(proxy->listener, (struct sockaddr *)&address, size) != 0 ||
        listen(proxy->listener, 256) != 0 || getsockname(proxy->listener, (struct sockaddr *)&address, &size) != 0) {
        return false;
    }
    (void)snprintf(proxy->endpoint, sizeof proxy->endpoint, "http://127.0.0.1:%u", ntohs(address.sin_port));
    return true;
}

struct fault_proxy *fault_proxy_start(uint16_t server_port) {
    struct fault_proxy *proxy = calloc(1, sizeof *proxy);
    if (!proxy) return NULL;
    proxy->server_port = server_port;
    (void)pthread_mutex_init(&proxy->mutex, NULL);
    if (listen_anywhere(proxy) && pthread_create(&proxy->acceptor, NULL, accept_all, proxy) == 0) return proxy;
    (void)fprintf(stderr, "the fault proxy does not start: %s\n", strerror(errno));
    if (proxy->listener >= 0) (void)close(proxy->listener);
    free(proxy);
    return NULL;
}

void fault_proxy_stop(struct fault_proxy *proxy) {
    if (!proxy) return;
    atomic_store(&proxy->stop, true);
    (void)pthread_join(proxy->acceptor, NULL);
    (void)close(proxy->listener);
    for (uint32_t i = 0; i < atomic_load(&proxy->connection_count); i++) {
        (void)shutdown(proxy->connections[i].fd, SHUT_RDWR); /* ends its reads */
        (void)pthread_join(proxy->connections[i].thread, NULL);
        (void)close(proxy->connections[i].fd);
    }
    for (uint32_t i = 0; i < MOST_REQUESTS; i++) free(proxy->requests[i].target);
    (void)pthread_mutex_destroy(&proxy->mutex);
    free(proxy);
}
