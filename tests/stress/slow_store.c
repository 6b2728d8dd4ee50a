#include "stress/slow_store.h"

#include "stress/stress.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define REQUEST_BYTES 8192u
#define PIECE_BYTES (32u << 10)
#define LOOK_MS 20

struct slow_store {
    char *directory, *bucket;
    char endpoint[64];
    int listener;
    pthread_t acceptor;
    atomic_bool stop;
    atomic_uint longest_us, connections, requests;
};

struct connection {
    struct slow_store *store;
    int fd;
    struct stress_random random;
};

struct request {
    char method[8];
    char path[2048];  /* decoded, below the bucket */
    char prefix[512]; /* of a listing */
    bool is_listing;
};

static void dawdle(struct connection *connection) {
    unsigned longest = atomic_load(&connection->store->longest_us);
    if (longest) stress_nap_us(stress_random_below(&connection->random, longest));
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

static bool send_head(struct connection *connection, const char *status, const char *etag, size_t size) {
    char head[512];
    int length =
        snprintf(head, sizeof head, "HTTP/1.1 %s\r\nContent-Length: %zu\r\nETag: \"%s\"\r\n\r\n", status, size, etag);
    return send_all(connection->fd, head, (size_t)length);
}

/* In pieces, so that this server itself needs next to no memory. */
static bool send_file(struct connection *connection, int fd, size_t size) {
    char piece[PIECE_BYTES];
    for (size_t at = 0; at < size; at += sizeof piece) {
        size_t wanted = size - at < sizeof piece ? size - at : sizeof piece;
        if (at) dawdle(connection);
        REQUIRE(pread(fd, piece, wanted, (off_t)at) == (ssize_t)wanted);
        if (!send_all(connection->fd, piece, wanted)) return false;
    }
    return true;
}

/* ---- requests ---- */

static void decode(const char *text, size_t size, char *out, size_t room) {
    size_t used = 0;
    for (size_t i = 0; i < size && used + 1 < room; i++) {
        unsigned byte = (unsigned char)text[i];
        if (byte == '%' && i + 2 < size && sscanf(text + i + 1, "%2x", &byte) == 1) i += 2;
        out[used++] = (char)byte;
    }
    out[used] = '\0';
}

/* Reads up to the empty line; false at the end of the connection. */
static bool read_request(struct connection *connection, struct request *out) {
    char text[REQUEST_BYTES], target[4096];
    size_t size = 0;
    *out = (struct request){.is_listing = false};
    do {
        struct pollfd watched = {.fd = connection->fd, .events = POLLIN};
        if (atomic_load(&connection->store->stop)) return false;
        if (poll(&watched, 1, LOOK_MS) == 0) continue;
        ssize_t got = recv(connection->fd, text + size, sizeof text - 1 - size, 0);
        if (got <= 0) return false;
        size += (size_t)got;
        text[size] = '\0';
    } while (size == 0 || !strstr(text, "\r\n\r\n"));
    if (sscanf(text, "%7s %4095s", out->method, target) != 2) return false;
    const char *path = target + strlen(connection->store->bucket), *query = strchr(target, '?');
    decode(path, query ? (size_t)(query - path) : strlen(path), out->path, sizeof out->path);
    const char *prefix = query ? strstr(query, "prefix=") : NULL;
    out->is_listing = prefix != NULL;
    if (prefix) decode(prefix + 7, strcspn(prefix + 7, "&"), out->prefix, sizeof out->prefix);
    return true;
}

static bool list(struct connection *connection, const struct request *request) {
    char *path = support_path("%s/%s", connection->store->directory, request->prefix), *body = NULL;
    size_t size = 0;
    FILE *text = open_memstream(&body, &size);
    struct dirent **entries = NULL;
    int count = scandir(path, &entries, NULL, alphasort);
    (void)fprintf(text, "<ListBucketResult><IsTruncated>false</IsTruncated>");
    for (int i = 0; i < count; i++) {
        bool deeper = entries[i]->d_type == DT_DIR;
        if (entries[i]->d_name[0] != '.') {
            (void)fprintf(text,
                          deeper ? "<CommonPrefixes><Prefix>%s%s/</Prefix></CommonPrefixes>"
                                 : "<Contents><Key>%s%s</Key></Contents>",
                          request->prefix, entries[i]->d_name);
        }
        free(entries[i]);
    }
    (void)fprintf(text, "</ListBucketResult>");
    (void)fclose(text);
    free(entries);
    bool ok = send_head(connection, "200 OK", "list", size) && send_all(connection->fd, body, size);
    free(body);
    free(path);
    return ok;
}

static bool give_object(struct connection *connection, const struct request *request) {
    char etag[64];
    struct stat facts;
    bool with_body = strcmp(request->method, "GET") == 0;
    char *path = support_path("%s%s", connection->store->directory, request->path);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool ok;
    if (fd < 0 || fstat(fd, &facts) != 0 || !S_ISREG(facts.st_mode)) {
        static const char body[] = "<Error><Code>NoSuchKey</Code></Error>";
        ok = send_head(connection, "404 Not Found", "none", sizeof body - 1);
        ok = ok && (!with_body || send_all(connection->fd, body, sizeof body - 1));
    } else {
        size_t size = (size_t)facts.st_size;
        (void)snprintf(etag, sizeof etag, "%llx-%zx", (unsigned long long)facts.st_ino, size); /* not an MD5 */
        ok = send_head(connection, "200 OK", etag, size) && (!with_body || send_file(connection, fd, size));
    }
    if (fd >= 0) (void)close(fd);
    free(path);
    return ok;
}

static void *serve(void *argument) {
    struct connection *connection = argument;
    struct request request;
    bool go_on = true;
    while (go_on && read_request(connection, &request)) {
        atomic_fetch_add(&connection->store->requests, 1);
        dawdle(connection);
        go_on = request.is_listing ? list(connection, &request) : give_object(connection, &request);
    }
    (void)close(connection->fd);
    atomic_fetch_sub(&connection->store->connections, 1);
    free(connection);
    return NULL;
}

static void *accept_all(void *argument) {
    struct slow_store *store = argument;
    while (!atomic_load(&store->stop)) {
        struct pollfd watched = {.fd = store->listener, .events = POLLIN};
        if (poll(&watched, 1, LOOK_MS) != 1) continue;
        int fd = accept4(store->listener, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0) continue;
        const int at_once = 1;
        REQUIRE(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &at_once, sizeof at_once) == 0);
        struct connection *connection = calloc(1, sizeof *connection);
        pthread_t thread;
        *connection = (struct connection){store, fd, stress_random_stream(5000 + (unsigned)fd)};
        atomic_fetch_add(&store->connections, 1);
        REQUIRE(pthread_create(&thread, NULL, serve, connection) == 0);
        REQUIRE(pthread_detach(thread) == 0);
    }
    return NULL;
}

/* ---- the server ---- */

struct slow_store *slow_store_start(const char *directory, const char *bucket) {
    struct slow_store *store = calloc(1, sizeof *store);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof address;
    store->directory = strdup(directory);
    store->bucket = support_path("/%s", bucket);
    store->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    REQUIRE(bind(store->listener, (struct sockaddr *)&address, sizeof address) == 0);
    REQUIRE(listen(store->listener, 512) == 0);
    REQUIRE(getsockname(store->listener, (struct sockaddr *)&address, &size) == 0);
    (void)snprintf(store->endpoint, sizeof store->endpoint, "http://127.0.0.1:%u", ntohs(address.sin_port));
    REQUIRE(pthread_create(&store->acceptor, NULL, accept_all, store) == 0);
    return store;
}

void slow_store_wait_until_idle(struct slow_store *store) {
    while (atomic_load(&store->connections)) stress_nap_us(1000);
}

void slow_store_stop(struct slow_store *store) {
    atomic_store(&store->stop, true);
    REQUIRE(pthread_join(store->acceptor, NULL) == 0);
    slow_store_wait_until_idle(store);
    (void)close(store->listener);
    free(store->directory);
    free(store->bucket);
    free(store);
}

const char *slow_store_endpoint(const struct slow_store *store) { return store->endpoint; }

void slow_store_set_delay(struct slow_store *store, unsigned longest_us) {
    atomic_store(&store->longest_us, longest_us);
}

unsigned slow_store_requests(const struct slow_store *store) { return atomic_load(&store->requests); }
