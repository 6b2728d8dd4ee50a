/* search for one query: floats, a file with one vector, or the vector of an id. */
#include "cli/columns.h"
#include "cli/commands.h"
#include "cli/memory.h"
#include "cli/number.h"
#include "cli/query.h"
#include "cli/query_file.h"
#include "cli/search_output.h"

#include <stdlib.h>
#include <string.h>

static void print(struct cli_session *session, const struct cli_answer *answer) {
    struct cli_json json;
    bool explain = session->settings->options->explain;
    if (cli_wants_json(session)) {
        cli_json_init(&json, &session->out, session->settings->format == CLI_JSON);
        cli_answer_json(session, &json, answer);
        cli_out_char(&session->out, '\n');
        return;
    }
    if (session->settings->format == CLI_TABLE)
        cli_answer_table(session, answer);
    else
        cli_answer_text(session, answer);
    if (!explain) return;
    if (session->settings->format == CLI_TABLE) cli_out_char(&session->out, '\n');
    cli_explain_text(session, answer);
}

static shf_op *ask(struct cli_session *session, const shf_query *query, shf_status *status, char **error) {
    shf_call call = cli_session_call(session, NULL);
    shf_op_id id = 0;
    shf_status submitted = shf_search(session->reader, query, &call, &id);
    return cli_session_try(session, submitted, id, status, error);
}

/* An id that reads as an integer is first looked for as one, then as text. */
static shf_op *ask_like(struct cli_session *session, const struct cli_query *query,
                        const struct cli_query_defaults *defaults, char **error) {
    const char *text = session->settings->options->like;
    shf_vector_id id = {.kind = SHF_ID_INT};
    shf_query built;
    shf_status status;
    if (cli_parse_i64(text, strlen(text), &id.int_value)) {
        built = cli_query_build(query, defaults, &id);
        shf_op *op = ask(session, &built, &status, error);
        if (op || status != SHF_E_INVALID) return op;
        free(*error);
        *error = NULL;
    }
    id = (shf_vector_id){.kind = SHF_ID_TEXT, .text = {text, strlen(text)}};
    built = cli_query_build(query, defaults, &id);
    return ask(session, &built, &status, error);
}

static char *read_query(const struct cli_options *o, struct cli_query *query) {
    if (o->like) return NULL;
    if (o->vector_file) return cli_query_from_file(o->vector_file, query);
    return cli_query_from_text(o->arguments.items[0], query);
}

void cli_command_search(struct cli_session *session) {
    const struct cli_options *o = session->settings->options;
    struct cli_query_defaults defaults = {.options = o};
    struct cli_query query = {0};
    shf_status status;
    shf_op *op = NULL;
    char *error = cli_context_parse(&o->contexts, &defaults.context);
    if (!error) error = read_query(o, &query);
    /* The others need not be opened. */
    bool in_some = o->has_shard_ids || o->num_probes || session->settings->reader.max_open_shards;
    if (!error && !cli_session_open(session, in_some ? SHF_OPEN_LAZY : 0)) goto done;
    if (!error) error = cli_columns_apply(session->snapshot, &defaults.context);
    if (!error) cli_query_defaults_apply(&defaults, session->snapshot);
    if (!error && o->like) {
        op = ask_like(session, &query, &defaults, &error);
    } else if (!error) {
        shf_query built = cli_query_build(&query, &defaults, NULL);
        op = ask(session, &built, &status, &error);
    }
    if (op) {
        struct cli_answer answer = {op, 0, o->top_k ? o->top_k : CLI_DEFAULT_TOP_K, -1};
        print(session, &answer);
    } else if (!cli_session_stopping(session)) {
        cli_session_error(session, o->like, error);
    }
done:
    shf_op_release(op);
    free(error);
    cli_query_free(&query);
    cli_query_defaults_free(&defaults);
}
