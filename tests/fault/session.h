/*
 * One run of a scenario: the handles that it uses, and how it came out. A scenario is prepared without faults, run with
 * them, and checked without them.
 */
#ifndef SHF_TESTS_FAULT_SESSION_H
#define SHF_TESTS_FAULT_SESSION_H

#include "fault/world.h"

/* What is there before the faults begin. */
enum session_start { START_NOTHING, START_RUNTIME, START_READER };
/* The local cache: what the run before left, or an empty directory. */
enum session_cache { CACHE_WARM, CACHE_COLD };

struct session;
struct scenario {
    const char *name;
    void (*run)(struct session *session);
    void (*check)(struct session *session); /* NULL: what a reader must be able to do is all */
    enum world_kind world;
    enum session_start start;
    enum session_cache cache;
    uint32_t flags;               /* SHF_OPEN_* */
    uint32_t max_open_shards;     /* 0 = all */
    enum world_pointer opened;    /* what _CURRENT names when the reader is opened */
    enum world_pointer published; /* and when the run begins */
    shf_status expected;          /* how it ends without a fault */
    bool closes;                  /* the reader is closed in the run */
    bool writes;                  /* not under session_base */
    bool over_store;              /* s3://, answered by the stand-in; else files, or session_base */
};

struct outcome {
    shf_status status; /* of the first call that failed */
    int retryable;
    int32_t http_status;
    char message[512];
    bool is_wrong; /* an answer was not right; message says which */
};

struct session {
    const struct scenario *scenario;
    shf_runtime *runtime;
    shf_cq *cq;
    shf_reader *reader;
    const char *cache;
    char url[256];
    int serves; /* the run that the reader must answer from */
    struct outcome outcome;
};

/* Where readers are opened from, above the name of the world; NULL = files. Both are borrowed. */
extern const char *session_base;
extern void (*session_publish)(enum world_pointer pointer); /* there too; may be NULL */
extern const shf_s3_options *session_s3;
/* Deadline of the operations that the run begins: 0 = the default. */
extern int64_t session_timeout_ms;
/* A manifest that is gone or malformed is skipped on the walk back: an open may come to serve an older run. */
extern bool session_manifests_may_go;

/* Group set-up and tear-down, after and before the world's. */
void session_setup(void);
void session_teardown(void);

void session_begin(struct session *session, const struct scenario *scenario);
/* What the library must still be able to do, and what it must have given back. */
void session_check(struct session *session);
void session_end(struct session *session);
/* Open descriptors of the process but for those that somebody else keeps, who says how many (or NULL). */
int session_count_descriptors(void);
extern int (*session_foreign_descriptors)(void);

/* ---- for scenarios: each records a failure in the outcome and says false ---- */

shf_reader_options session_options(const struct session *session);
shf_call session_call(const struct session *session);
bool session_status(struct session *session, shf_status status, const char *what);
/* Waits for an operation; NULL when it was refused or failed, or hangs. */
shf_op *session_wait(struct session *session, shf_status submitted, shf_op_id id);
/* The same for a synchronous form. */
bool session_ended(struct session *session, shf_status status, const shf_op *op);
bool session_wrong(struct session *session, const char *format, ...) __attribute__((format(printf, 2, 3)));

bool session_make_runtime(struct session *session);
bool session_open(struct session *session);
bool session_values_are_right(struct session *session, const shf_op *op, size_t first_row, size_t count);
bool session_hits_are_right(struct session *session, const shf_op *op, size_t count);

#endif
