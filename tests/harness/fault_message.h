/* HTTP/1.1 messages as the fault proxy reads, changes and makes them: whole, in memory. */
#ifndef SHF_TESTS_HARNESS_FAULT_MESSAGE_H
#define SHF_TESTS_HARNESS_FAULT_MESSAGE_H

#include "harness/fault_proxy.h"

#include <stdbool.h>
#include <stddef.h>

/* Zeroed before use. */
struct message {
    char *head; /* with its empty line, NUL-terminated */
    size_t head_size;
    char *body;
    size_t body_size;
};

void message_free(struct message *message);
/* The head only. False at the end of the connection, or when it is no request of S3. */
bool message_read_request(int fd, struct message *request, char *method, size_t method_room, char *target,
                          size_t target_room);
/* What the request has of a body, but at most so many bytes. */
bool message_read_body(int fd, struct message *request, size_t most);
/* Reads up to the end of the connection. */
bool message_read_answer(int fd, struct message *answer);
/* Adds or replaces a header line, or removes it (value NULL). */
bool message_set_header(struct message *message, const char *name, const char *value);
/* An answer for FAULT_STATUS, FAULT_ANSWER or FAULT_REDIRECT; `endpoint` goes before a location that is a path. */
bool message_make_error(struct message *answer, const struct fault *fault, const char *endpoint, bool is_head);
/* What a fault changes in an answer before it is sent. */
bool message_spoil(struct message *answer, const struct fault *fault);

#endif
