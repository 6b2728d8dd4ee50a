/* The line on standard error that tells how far a build is: rewritten in place, at most ten times a second. */
#ifndef CLI_BUILD_PROGRESS_H
#define CLI_BUILD_PROGRESS_H

#include "cli/out.h"

#include <stdbool.h>
#include <stdint.h>

struct cli_progress_view {
    uint32_t phase;       /* SHF_PHASE_* */
    uint64_t rows;        /* so far in this phase */
    uint64_t rows_total;  /* 0 = not known */
    uint64_t bytes;       /* so far in this phase: read, or of shards that were built */
    uint64_t bytes_total; /* 0 = not known */
    uint32_t shards_done, num_dbs;
};

struct cli_progress {
    bool is_on;
    bool is_shown; /* a line stands there */
    uint32_t phase;
    int64_t shown_ns, phase_ns; /* when it was last shown, when the phase began */
};

void cli_progress_init(struct cli_progress *progress, bool is_on);
bool cli_progress_is_due(const struct cli_progress *progress);
void cli_progress_show(struct cli_progress *progress, const struct cli_progress_view *view);
void cli_progress_clear(struct cli_progress *progress);

/* The text of the line, `seconds` after the phase began. */
void cli_progress_text(struct cli_out *out, const struct cli_progress_view *view, double seconds);

int64_t cli_now_ns(void); /* a clock that only goes forward */

#endif
