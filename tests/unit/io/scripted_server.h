/*
 * An HTTP/1.1 server on 127.0.0.1 that answers by a script: the n-th request gets the n-th answer, every request after
 * the last one the last one again. It keeps what it was asked. A thread a connection.
 */
#ifndef TESTS_UNIT_IO_SCRIPTED_SERVER_H
#define TESTS_UNIT_IO_SCRIPTED_SERVER_H

#include <stdbool.h>
#include <stddef.h>

#define SCRIPTED_NO_LENGTH ((size_t)-1)

enum scripted_end {
    SCRIPTED_KEEP,  /* the connection stays open for the next request */
    SCRIPTED_CLOSE, /* orderly */
    SCRIPTED_RESET, /* RST */
    SCRIPTED_HANG   /* silence until the other side closes */
};

struct scripted_answer {
    int status;          /* 0: nothing is sent before the end */
    const char *headers; /* lines, each with its \r\n; or NULL */
    const char *body;    /* NULL = empty */
    size_t body_size;    /* 0 = up to the NUL */
    size_t declared;     /* Content-Length; 0 = the body's size; SCRIPTED_NO_LENGTH = no such header */
    int pause_ms;        /* before the answer */
    int drip_ms;         /* before each byte of the body */
    unsigned wait_for;   /* not before so many requests have come in all */
    bool echo;           /* the body is the path that was asked for */
    bool early;          /* the answer comes before the body of the request was read, which is never read */
    bool uploads;        /* as S3 answers the steps of an upload in parts, whichever comes; HEAD tells `declared` */
    size_t most;         /* no more of the body of the request is read than so many bytes; 0 = all */
    enum scripted_end end;
};

struct scripted_server;
/* The answers are copied, not what they point at. */
struct scripted_server *scripted_server_start(const struct scripted_answer *answers, size_t count);
/* Whatever it is doing. */
void scripted_server_stop(struct scripted_server *server);
int scripted_server_port(const struct scripted_server *server);
/* Another script; counts and records begin anew. */
void scripted_server_script(struct scripted_server *server, const struct scripted_answer *answers, size_t count);
unsigned scripted_server_requests(struct scripted_server *server);
unsigned scripted_server_connections(struct scripted_server *server);
/* The n-th request (0 = first) from the request line on, with its body; it must be there. Lives as long as the server. */
const char *scripted_server_request(struct scripted_server *server, unsigned n);
/* Waits until so many came; false after ten seconds. */
bool scripted_server_wait(struct scripted_server *server, unsigned requests);

#endif
