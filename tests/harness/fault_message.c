#include "harness/fault_message.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#define LARGEST_HEAD 65536u

void message_free(struct message *message) {
    free(message->head);
    free(message->body);
    memset(message, 0, sizeof *message);
}

static ssize_t receive(int fd, char *data, size_t size) {
    ssize_t got;
    do got = recv(fd, data, size, 0);
    while (got < 0 && errno == EINTR);
    return got;
}

bool message_read_request(int fd, struct message *request, char *method, size_t method_room, char *target,
                          size_t target_room) {
    request->head = malloc(LARGEST_HEAD + 1);
    while (request->head && request->head_size < LARGEST_HEAD) {
        ssize_t got = receive(fd, request->head + request->head_size, 1); /* never into the next request */
        if (got <= 0) return false;
        request->head[++request->head_size] = '\0';
        if (request->head_size >= 4 && strcmp(request->head + request->head_size - 4, "\r\n\r\n") == 0) break;
    }
    const char *space = request->head ? strchr(request->head, ' ') : NULL;
    const char *end = space ? strchr(space + 1, ' ') : NULL;
    if (!end || (size_t)(space - request->head) >= method_room || (size_t)(end - space) > target_room) return false;
    (void)snprintf(method, method_room, "%.*s", (int)(space - request->head), request->head);
    (void)snprintf(target, target_room, "%.*s", (int)(end - space - 1), space + 1);
    static const char *const methods[] = {"GET", "HEAD", "PUT", "POST", "DELETE"};
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        if (strcmp(method, methods[i]) == 0) return true;
    }
    return false;
}

static bool read_all(int fd, char **out, size_t *size) {
    size_t capacity = 1u << 16, used = 0;
    char *data = malloc(capacity + 1);
    for (;;) {
        if (data && used == capacity) {
            char *grown = realloc(data, 2 * capacity + 1);
            if (!grown) free(data);
            data = grown;
            capacity *= 2;
        }
        ssize_t got = data ? receive(fd, data + used, capacity - used) : -1;
        if (got < 0) {
            free(data);
            return false;
        }
        if (got == 0) break;
        used += (size_t)got;
    }
    data[used] = '\0';
    *out = data;
    *size = used;
    return true;
}

bool message_read_answer(int fd, struct message *answer) {
    char *data = NULL;
    size_t size = 0;
    if (!read_all(fd, &data, &size)) return false;
    char *end = strstr(data, "\r\n\r\n");
    if (end) {
        answer->head_size = (size_t)(end + 4 - data);
        answer->body_size = size - answer->head_size;
        answer->head = strndup(data, answer->head_size);
        answer->body = malloc(answer->body_size + 1);
        if (answer->body) memcpy(answer->body, data + answer->head_size, answer->body_size);
    }
    free(data);
    return answer->head && answer->body;
}

/* The line "name: ..." of a head, or NULL. */
static char *find_header(char *head, const char *name) {
    size_t size = strlen(name);
    for (char *line = strstr(head, "\r\n"); line && line[2] != '\r'; line = strstr(line + 2, "\r\n")) {
        if (strncasecmp(line + 2, name, size) == 0 && line[2 + size] == ':') return line + 2;
    }
    return NULL;
}

bool message_read_body(int fd, struct message *request, size_t most) {
    const char *length = find_header(request->head, "Content-Length");
    size_t size = length ? (size_t)strtoull(length + strlen("Content-Length:"), NULL, 10) : 0;
    if (size > most) size = most;
    request->body = malloc(size + 1);
    while (request->body && request->body_size < size) {
        ssize_t got = receive(fd, request->body + request->body_size, size - request->body_size);
        if (got <= 0) return false;
        request->body_size += (size_t)got;
    }
    return request->body != NULL;
}

bool message_set_header(struct message *message, const char *name, const char *value) {
    char *line = find_header(message->head, name);
    if (line) {
        char *next = strstr(line, "\r\n") + 2;
        memmove(line, next, strlen(next) + 1);
        message->head_size = strlen(message->head);
    }
    if (!value) return true;
    char *longer = NULL;
    int size = asprintf(&longer, "%.*s%s: %s\r\n\r\n", (int)message->head_size - 2, message->head, name, value);
    if (size < 0) return false;
    free(message->head);
    message->head = longer;
    message->head_size = (size_t)size;
    return true;
}

/* ---- answers of our own ---- */

static bool make_location(char *out, size_t room, const char *location, const char *endpoint) {
    return snprintf(out, room, "%s%s", *location == '/' ? endpoint : "", location) < (int)room;
}

bool message_make_error(struct message *answer, const struct fault *fault, const char *endpoint, bool is_head) {
    char location[2048] = "";
    char *head = NULL, *body = NULL;
    bool moves = fault->kind == FAULT_REDIRECT;
    if (moves && !make_location(location, sizeof location, fault->text, endpoint)) return false;
    int body_size =
        fault->kind == FAULT_ANSWER
            ? asprintf(&body, "%s", fault->text)
            : asprintf(&body,
                       "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>%s</Code><Message>The fault "
                       "proxy says so.</Message></Error>",
                       moves ? "TemporaryRedirect" : fault->text);
    int head_size =
        body_size < 0 ? -1
                      : asprintf(&head,
                                 "HTTP/1.1 %" PRIu64 " Fault\r\nContent-Type: application/xml\r\n"
                                 "Content-Length: %d\r\n%s%s%s%s%s\r\n",
                                 fault->number, body_size, fault->header ? fault->header : "",
                                 fault->header ? "\r\n" : "", moves ? "Location: " : "", location, moves ? "\r\n" : "");
    if (head_size < 0) {
        if (body_size >= 0) free(body);
        return false;
    }
    *answer = (struct message){head, (size_t)head_size, body, is_head ? 0 : (size_t)body_size};
    return true;
}

/* ---- spoiling ---- */

static bool grow(struct message *answer, size_t more) {
    char *grown = realloc(answer->body, answer->body_size + more + 1);
    if (!grown) return false;
    memset(grown + answer->body_size, 'x', more);
    answer->body = grown;
    answer->body_size += more;
    return true;
}

bool message_spoil(struct message *answer, const struct fault *fault) {
    char length[32];
    switch (fault->kind) {
    case FAULT_LONGER:
        if (!grow(answer, (size_t)fault->number)) return false;
        (void)snprintf(length, sizeof length, "%zu", answer->body_size);
        return message_set_header(answer, "Content-Length", length);
    case FAULT_EXCESS: return grow(answer, (size_t)fault->number);
    case FAULT_NO_LENGTH:
        return message_set_header(answer, "Content-Length", NULL) && message_set_header(answer, "Connection", "close");
    case FAULT_FLIP:
        if (fault->number < answer->body_size) answer->body[fault->number] ^= 1;
        return true;
    case FAULT_ETAG: return message_set_header(answer, "ETag", fault->text);
    case FAULT_CONTENT_RANGE: return message_set_header(answer, "Content-Range", fault->text);
    default: return true;
    }
}
