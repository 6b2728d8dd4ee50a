/* Answers of a search, in every output format. */
#ifndef CLI_SEARCH_OUTPUT_H
#define CLI_SEARCH_OUTPUT_H

#include "cli/commands.h"

/* One answer. `sequence` counts the answers before it (a table or text of several is told apart by it); -1 = it is alone. */
struct cli_answer {
    const shf_op *op;
    size_t index; /* which query of op */
    uint32_t top_k;
    long long sequence;
};

/* In json, an array of answers is written by the caller around them: `json` may be inside one. */
void cli_answer_json(struct cli_session *session, struct cli_json *json, const struct cli_answer *answer);
void cli_answer_text(struct cli_session *session, const struct cli_answer *answer);
void cli_answer_table(struct cli_session *session, const struct cli_answer *answer);

/* How much of a vector-only snapshot the answer rests on, for people: "2 of 64 shards probed". Nothing for other snapshots. */
void cli_probed_text(struct cli_session *session, const struct cli_answer *answer, const char *before);

/* --explain: for people. In JSON it is a member of the answer. */
void cli_explain_text(struct cli_session *session, const struct cli_answer *answer);

/* "0.123456", "null" or "inf". */
#define CLI_SCORE_TEXT_BYTES 330u
void cli_score_text(double score, char out[CLI_SCORE_TEXT_BYTES]);
/* The payload as one line of JSON, or NULL data when there is none; out is memory. */
bool cli_payload_line(const shf_hit *hit, struct cli_out *out);

#endif
