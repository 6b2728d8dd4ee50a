/* search --queries: many queries, answered in their order. */
#include "cli/columns.h"
#include "cli/commands.h"
#include "cli/pipeline.h"
#include "cli/query.h"
#include "cli/query_file.h"
#include "cli/search_output.h"

#include <stdlib.h>
#include <string.h>

#define QUERY_GROUP 16u /* queries that one operation takes: enough to share a scan, few enough to stream */

struct queries {
    struct cli_session *session;
    struct cli_query_defaults defaults;
    struct cli_query_file file;
    struct cli_json json; /* of the array around the answers in json */
    long long printed;
};

static enum cli_input next_query(void *context, void *item, char **error) {
    struct queries *q = context;
    enum cli_input input = cli_query_file_next(&q->file, item, error);
    if (input == CLI_INPUT_FAILED) {
        cli_session_error(q->session, NULL, *error);
        free(*error);
        *error = NULL;
    }
    return input;
}

static shf_status submit_queries(void *context, void *const *items, size_t count, const shf_call *call, shf_op_id *id) {
    struct queries *q = context;
    shf_query built[QUERY_GROUP];
    for (size_t i = 0; i < count; i++) built[i] = cli_query_build(items[i], &q->defaults, NULL);
    return shf_batch_search(q->session->reader, built, count, call, id);
}

static void print_error(struct queries *q, const char *error) {
    struct cli_out *out = &q->session->out;
    q->session->exit_code = CLI_EXIT_FAILED;
    if (!cli_wants_json(q->session)) {
        cli_out_format(out, "%s%squery %lld\nerror: ", q->printed ? "\n" : "",
                       q->session->settings->format == CLI_TEXT ? "# " : "", q->printed);
        cli_out_printable(out, error, strlen(error));
        cli_out_char(out, '\n');
        return;
    }
    cli_json_begin(&q->json, '{');
    cli_json_member_string(&q->json, "op", "search");
    cli_json_member_string(&q->json, "error", error);
    cli_json_end(&q->json, '}');
}

static void print_query(void *context, const void *item, const shf_op *op, size_t index, const char *error) {
    struct queries *q = context;
    const struct cli_query *query = item;
    const struct cli_options *o = q->defaults.options;
    enum cli_format format = q->session->settings->format;
    uint32_t top_k = query->top_k ? query->top_k : o->top_k ? o->top_k : CLI_DEFAULT_TOP_K;
    struct cli_answer answer = {op, index, top_k, q->printed};
    if (error)
        print_error(q, error);
    else if (cli_wants_json(q->session))
        cli_answer_json(q->session, &q->json, &answer);
    else if (format == CLI_TABLE)
        cli_answer_table(q->session, &answer);
    else
        cli_answer_text(q->session, &answer);
    if (!error && !cli_wants_json(q->session) && o->explain) cli_explain_text(q->session, &answer);
    if (format == CLI_JSONL) cli_out_char(&q->session->out, '\n');
    q->printed++;
}

static void free_query(void *item) { cli_query_free(item); }

static void run(struct cli_session *session, struct queries *q) {
    bool array = session->settings->format == CLI_JSON;
    struct cli_pipeline_type type = {sizeof(struct cli_query),
                                     QUERY_GROUP,
                                     q->file.is_npy ? -1 : q->file.fd,
                                     next_query,
                                     submit_queries,
                                     print_query,
                                     free_query};
    cli_json_init(&q->json, &session->out, array);
    if (array) cli_json_begin(&q->json, '[');
    cli_pipeline_run(session, &type, q);
    if (array) {
        cli_json_end(&q->json, ']');
        cli_out_char(&session->out, '\n');
    }
}

void cli_command_queries(struct cli_session *session) {
    const struct cli_options *o = session->settings->options;
    struct queries q = {.session = session, .defaults = {.options = o}, .file = {.fd = -1}};
    char *error = cli_context_parse(&o->contexts, &q.defaults.context);
    if (!error) error = cli_query_file_open(&q.file, o->queries);
    bool in_some = o->has_shard_ids || session->settings->reader.max_open_shards; /* the others need not be opened */
    if (!error && !cli_session_open(session, in_some ? SHF_OPEN_LAZY : 0)) goto done;
    if (!error) error = cli_columns_apply(session->snapshot, &q.defaults.context);
    if (!error) cli_query_defaults_apply(&q.defaults, session->snapshot);
    if (error)
        cli_session_error(session, NULL, error);
    else
        run(session, &q);
done:
    free(error);
    cli_query_file_close(&q.file);
    cli_query_defaults_free(&q.defaults);
}
