/* The commands. Each opens what it needs, prints its result, and leaves its exit code in the session. */
#ifndef CLI_COMMANDS_H
#define CLI_COMMANDS_H

#include "cli/json.h"
#include "cli/session.h"

void cli_command_get(struct cli_session *session);
void cli_command_multiget(struct cli_session *session);
void cli_command_flat(struct cli_session *session); /* multiget --flat */
void cli_command_search(struct cli_session *session);
void cli_command_queries(struct cli_session *session); /* search --queries */
void cli_command_info(struct cli_session *session);
void cli_command_shards(struct cli_session *session);
void cli_command_route(struct cli_session *session);
void cli_command_health(struct cli_session *session);
void cli_command_history(struct cli_session *session);
void cli_command_build(struct cli_session *session);
void cli_command_recall(struct cli_session *session);

/* Shared: values as --value-encoding says. */
bool cli_value_showable(const struct cli_settings *settings, shf_slice value); /* false: not UTF-8 */
void cli_value_json(struct cli_json *json, const struct cli_settings *settings, shf_slice value);
void cli_value_print(struct cli_out *out, const struct cli_settings *settings, shf_slice value);
#define CLI_VALUE_NOT_UTF8 "the value is not UTF-8: use --value-encoding base64 or hex"

/* JSON text of the snapshot (a payload, a key of the manifest) made fit for a line. Other text becomes a string. */
void cli_stored_json(struct cli_out *out, const char *text, size_t size, const char *what);

/* True for json and jsonl. */
static inline bool cli_wants_json(const struct cli_session *session) {
    return session->settings->format == CLI_JSON || session->settings->format == CLI_JSONL;
}

#endif
