#include "scripted_server.h"

#include <arpa/inet.h>
#include <assert.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MOST_CONNECTIONS 2048
#define MOST_RECORDS 1024
#define LONGEST_HEAD 8192

struct connection {
    struct scripted_server *server;
    int fd;
    pthread_t thread;
};

struct scripted_server {
    int listener, stop_event, port;
    pthread_t thread;
    pthread_mutex_t mutex; /* guards what follows */
    pthread_cond_t changed;
    struct scripted_answer *answers; /* a copy: the test's may be gone before the last connection is */
    size_t answer_count;
    unsigned requests, connections;
    char *records[MOST_RECORDS];
    char *old_records[MOST_RECORDS]; /* of scripts before: somebody may look at them */
    size_t old_count;
    bool stopping;
    struct connection all[MOST_CONNECTIONS];
    size_t thread_count;
};

/* True: fd is ready. False: the server stops, or the time (-1 = none) is over. */
static bool wait_for(struct scripted_server *server, int fd, short events, int timeout_ms) {
    struct pollfd entries[2] = {{.fd = server->stop_event, .events = POLLIN}, {.fd = fd, .events = events}};
    if (poll(entries, 2, timeout_ms) <= 0 || entries[0].revents) return false;
    return entries[1].revents != 0;
}

static void pause_for(struct scripted_server *server, int ms) {
    if (ms > 0) (void)wait_for(server, -1, 0, ms);
}

/* False: the other side is gone. */
static bool send_all(struct scripted_server *server, int fd, const char *data, size_t size) {
    while (size) {
        if (!wait_for(server, fd, POLLOUT, -1)) return false;
        ssize_t sent = send(fd, data, size, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent <= 0) return false;
        data += sent;
        size -= (size_t)sent;
    }
    return true;
}

/* One request's head, and perhaps the beginning of its body. NULL: the connection is over. */
static char *read_head(struct scripted_server *server, int fd, size_t *read) {
    char *head = calloc(1, LONGEST_HEAD + 1);
    size_t size = 0;
    assert(head);
    while (!strstr(head, "\r\n\r\n")) {
        ssize_t got = -1;
        if (size < LONGEST_HEAD && wait_for(server, fd, POLLIN, -1))
            got = recv(fd, head + size, LONGEST_HEAD - size, 0);
        if (got <= 0) {
            free(head);
            return NULL;
        }
        size += (size_t)got;
    }
    *read = size;
    return head;
}

/* The same with its body, or the first bytes of it. NULL: the connection is over. */
static char *read_body(struct scripted_server *server, int fd, char *head, size_t read, size_t most) {
    const char *length = strcasestr(head, "\r\nContent-Length:"), *end = strstr(head, "\r\n\r\n") + 4;
    size_t size = length && length < end ? (size_t)strtoull(length + 17, NULL, 10) : 0;
    if (most && size > most) size = most;
    size += (size_t)(end - head);
    char *whole = size > read ? realloc(head, size + 1) : head;
    assert(whole);
    while (read < size) {
        ssize_t got = wait_for(server, fd, POLLIN, -1) ? recv(fd, whole + read, size - read, 0) : -1;
        if (got <= 0) {
            free(whole);
            return NULL;
        }
        read += (size_t)got;
    }
    whole[read] = '\0';
    return whole;
}

/* Which answer the next request gets: one connection at a time, where that matters. */
static struct scripted_answer peek_answer(struct scripted_server *server) {
    (void)pthread_mutex_lock(&server->mutex);
    unsigned n = server->requests;
    struct scripted_answer answer = server->answers[n < server->answer_count ? n : server->answer_count - 1];
    (void)pthread_mutex_unlock(&server->mutex);
    return answer;
}

/* Of a request whose place in the script can not be known. */
static struct scripted_answer upload_answer(const char *head, size_t declared) {
    static const char begun[] =
        "<InitiateMultipartUploadResult><UploadId>id</UploadId></InitiateMultipartUploadResult>";
    static const char completed[] =
        "<CompleteMultipartUploadResult><ETag>\"e-2\"</ETag></CompleteMultipartUploadResult>";
    struct scripted_answer answer = {.status = 200, .headers = "ETag: \"e\"\r\n"};
    if (strncmp(head, "POST ", 5) == 0) answer.body = strstr(head, "?uploads=") ? begun : completed;
    if (strncmp(head, "HEAD ", 5) == 0) answer.declared = declared;
    if (strncmp(head, "DELETE ", 7) == 0) answer.status = 204;
    return answer;
}

static struct scripted_answer next_answer(struct scripted_server *server, char *head) {
    (void)pthread_mutex_lock(&server->mutex);
    unsigned n = server->requests++;
    assert(n < MOST_RECORDS);
    server->records[n] = head;
    struct scripted_answer answer = server->answers[n < server->answer_count ? n : server->answer_count - 1];
    if (answer.uploads) answer = upload_answer(head, answer.declared);
    (void)pthread_cond_broadcast(&server->changed);
    while (server->requests < answer.wait_for && !server->stopping) {
        (void)pthread_cond_wait(&server->changed, &server->mutex);
    }
    (void)pthread_mutex_unlock(&server->mutex);
    return answer;
}

static bool send_answer(struct scripted_server *server, int fd, const char *head, const struct scripted_answer *answer) {
    char text[4096], path[2048] = "", length[64] = "";
    const char *body = answer->body ? answer->body : "";
    size_t size = answer->body_size ? answer->body_size : strlen(body);
    if (answer->echo && sscanf(head, "%*s %2047s", path) == 1) {
        body = path;
        size = strlen(path);
    }
    if (answer->declared != SCRIPTED_NO_LENGTH) {
        (void)snprintf(length, sizeof length, "Content-Length: %zu\r\n", answer->declared ? answer->declared : size);
    }
    int made = snprintf(text, sizeof text, "HTTP/1.1 %d Scripted\r\n%s%s\r\n", answer->status,
                        answer->headers ? answer->headers : "", length);
    assert(made > 0 && (size_t)made < sizeof text);
    if (!send_all(server, fd, text, (size_t)made)) return false;
    if (strncmp(head, "HEAD ", 5) == 0) return true;
    if (!answer->drip_ms) return send_all(server, fd, body, size);
    for (size_t i = 0; i < size; i++) {
        pause_for(server, answer->drip_ms);
        if (!send_all(server, fd, body + i, 1)) return false;
    }
    return true;
}

/* False: the connection is over. */
static bool finish_answer(struct scripted_server *server, int fd, enum scripted_end end) {
    const struct linger reset = {.l_onoff = 1};
    char byte;
    switch (end) {
    case SCRIPTED_KEEP: return true;
    case SCRIPTED_CLOSE: break;
    case SCRIPTED_RESET: (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset); break;
    case SCRIPTED_HANG:
        while (wait_for(server, fd, POLLIN, -1) && recv(fd, &byte, 1, 0) > 0) {
        }
        break;
    }
    return false;
}

static void *serve_connection(void *context) {
    struct connection *connection = context;
    struct scripted_server *server = connection->server;
    char *head;
    size_t read = 0;
    while ((head = read_head(server, connection->fd, &read)) != NULL) {
        struct scripted_answer next = peek_answer(server);
        if (!next.early) head = read_body(server, connection->fd, head, read, next.most);
        if (!head) break;
        struct scripted_answer answer = next_answer(server, head);
        pause_for(server, answer.pause_ms);
        if (answer.status && !send_answer(server, connection->fd, head, &answer)) break;
        if (!finish_answer(server, connection->fd, answer.end)) break;
    }
    (void)close(connection->fd);
    return NULL;
}

static void *accept_all(void *context) {
    struct scripted_server *server = context;
    const int on = 1;
    while (wait_for(server, server->listener, POLLIN, -1)) {
        int fd = accept4(server->listener, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0) continue;
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        (void)pthread_mutex_lock(&server->mutex);
        assert(server->thread_count < MOST_CONNECTIONS);
        struct connection *connection = &server->all[server->thread_count++];
        *connection = (struct connection){.server = server, .fd = fd};
        server->connections++;
        (void)pthread_mutex_unlock(&server->mutex);
        if (pthread_create(&connection->thread, NULL, serve_connection, connection) != 0) abort();
    }
    return NULL;
}

static void take_answers(struct scripted_server *server, const struct scripted_answer *answers, size_t count) {
    free(server->answers);
    server->answers = malloc(count * sizeof *answers);
    assert(server->answers);
    memcpy(server->answers, answers, count * sizeof *answers);
    server->answer_count = count;
}

struct scripted_server *scripted_server_start(const struct scripted_answer *answers, size_t count) {
    struct scripted_server *server = calloc(1, sizeof *server);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    assert(server);
    (void)pthread_mutex_init(&server->mutex, NULL);
    (void)pthread_cond_init(&server->changed, NULL);
    take_answers(server, answers, count);
    server->stop_event = eventfd(0, EFD_CLOEXEC);
    server->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (server->stop_event < 0 || server->listener < 0 ||
        bind(server->listener, (struct sockaddr *)&address, sizeof address) != 0 ||
        listen(server->listener, MOST_CONNECTIONS) != 0 ||
        getsockname(server->listener, (struct sockaddr *)&address, &size) != 0) {
        abort();
    }
    server->port = ntohs(address.sin_port);
    if (pthread_create(&server->thread, NULL, accept_all, server) != 0) abort();
    return server;
}

void scripted_server_stop(struct scripted_server *server) {
    const uint64_t one = 1;
    (void)pthread_mutex_lock(&server->mutex);
    server->stopping = true;
    (void)pthread_cond_broadcast(&server->changed);
    (void)pthread_mutex_unlock(&server->mutex);
    if (write(server->stop_event, &one, sizeof one) != sizeof one) abort();
    (void)pthread_join(server->thread, NULL);
    for (size_t i = 0; i < server->thread_count; i++) (void)pthread_join(server->all[i].thread, NULL);
    for (unsigned i = 0; i < MOST_RECORDS; i++) free(server->records[i]);
    for (size_t i = 0; i < server->old_count; i++) free(server->old_records[i]);
    (void)close(server->listener);
    (void)close(server->stop_event);
    (void)pthread_cond_destroy(&server->changed);
    (void)pthread_mutex_destroy(&server->mutex);
    free(server->answers);
    free(server);
}

int scripted_server_port(const struct scripted_server *server) { return server->port; }

void scripted_server_script(struct scripted_server *server, const struct scripted_answer *answers, size_t count) {
    (void)pthread_mutex_lock(&server->mutex);
    for (unsigned i = 0; i < server->requests; i++) {
        assert(server->old_count < MOST_RECORDS);
        server->old_records[server->old_count++] = server->records[i];
        server->records[i] = NULL;
    }
    take_answers(server, answers, count);
    server->requests = server->connections = 0;
    (void)pthread_mutex_unlock(&server->mutex);
}

unsigned scripted_server_requests(struct scripted_server *server) {
    (void)pthread_mutex_lock(&server->mutex);
    unsigned requests = server->requests;
    (void)pthread_mutex_unlock(&server->mutex);
    return requests;
}

unsigned scripted_server_connections(struct scripted_server *server) {
    (void)pthread_mutex_lock(&server->mutex);
    unsigned connections = server->connections;
    (void)pthread_mutex_unlock(&server->mutex);
    return connections;
}

const char *scripted_server_request(struct scripted_server *server, unsigned n) {
    (void)pthread_mutex_lock(&server->mutex);
    const char *head = n < server->requests ? server->records[n] : NULL;
    (void)pthread_mutex_unlock(&server->mutex);
    assert(head);
    return head;
}

bool scripted_server_wait(struct scripted_server *server, unsigned requests) {
    struct timespec until;
    int result = 0;
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 10;
    (void)pthread_mutex_lock(&server->mutex);
    while (server->requests < requests && result == 0) {
        result = pthread_cond_timedwait(&server->changed, &server->mutex, &until);
    }
    bool came = server->requests >= requests;
    (void)pthread_mutex_unlock(&server->mutex);
    return came;
}
