/* The log hook: formats a line and hands it to the caller's function. No global state. */
#ifndef SHF_BASE_LOG_H
#define SHF_BASE_LOG_H

#include "shardyfusion/runtime.h"

struct shf_log {
    shf_log_function *function; /* NULL = silence */
    void *context;
    uint32_t level; /* most talkative SHF_LOG_* that is passed on */
};

/* log may be NULL. Messages are cut at SHF_LIMIT_LOG_MESSAGE. Secrets must not be in the arguments. */
void shf_log_write(const struct shf_log *log, int level, const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
