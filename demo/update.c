#include "demo/update.h"

#include "demo/command.h"
#include "demo/screen.h"
#include "demo/show.h"

#include <stdio.h>
#include <string.h>

/* What next_edition.py changes. */
#define CHANGED "ncdu"
#define ADDED "office-pranks"
#define REMOVED "duf"
#define QUESTION "something silly to make my colleagues laugh"
#define OLD_VERSION "\"version\": \"1.18-0.2\""
#define NEW_VERSION "\"version\": \"2.3-1\""

#define GETS_AT_ONCE 512u

static bool wrong(const char *what) {
    demo_bad(what);
    return false;
}

static shf_op *get(struct demo_run *run, const char *text) {
    const shf_key key = shf_key_from_text(text, strlen(text));
    shf_op *op = NULL;
    shf_status status = shf_get_sync(run->reader, &key, NULL, 0, &op);
    if (!status) return op;
    (void)demo_failed(text, status, op);
    return NULL;
}

/* Whether the value that op got holds the text; NULL for the text: whether it got none. */
static bool value_holds(const shf_op *op, const char *text) {
    shf_value value;
    SHF_INIT(&value);
    if (!op || shf_op_value(op, 0, &value)) return false;
    if (value.status == SHF_NOT_FOUND) return !text;
    return text && memmem(value.data.data, value.data.size, text, strlen(text));
}

static bool holds(struct demo_run *run, const char *key, const char *text) {
    shf_op *op = get(run, key);
    bool ok = value_holds(op, text);
    shf_op_release(op);
    return ok;
}

static bool show_rows(struct demo_run *run) {
    return demo_show_lookup(run, CHANGED) && demo_show_lookup(run, ADDED) && demo_show_lookup(run, REMOVED) &&
           demo_show_question(run, QUESTION, 3);
}

/* A second writer: begun before the next snapshot is there, and too late afterwards. */
static shf_writer *begin_rival(struct demo_run *run, const char *url) {
    shf_writer_options options;
    SHF_INIT(&options);
    options.url = url;
    options.backend = SHF_WRITE_KV;
    options.num_dbs = 1;
    shf_row row;
    SHF_INIT(&row);
    row.key = shf_key_from_text("rival", 5);
    row.value = (shf_slice){"too late", 8};
    shf_writer *writer = NULL;
    shf_op *op = NULL;
    shf_status status = shf_writer_open_sync(run->runtime, &options, 0, &op);
    if (!status) {
        (void)shf_op_take_writer(op, &writer);
        shf_op_release(op);
        op = NULL;
        status = shf_write_sync(writer, &row, 1, 0, &op);
    }
    if (!status) {
        shf_op_release(op);
        return writer;
    }
    (void)demo_failed("a second writer", status, op);
    shf_writer_release(writer);
    return NULL;
}

static bool is_refused(shf_writer *writer) {
    shf_op *op = NULL;
    shf_status status = shf_publish_sync(writer, 0, &op);
    if (status == SHF_E_STATE) {
        demo_good("a second writer, begun before that one was published, is refused and changes nothing");
    } else {
        fprintf(stderr, "the second writer got: %s\n",
                op ? shf_error_message(shf_op_error(op)) : shf_status_text(status));
    }
    shf_op_release(op);
    return status == SHF_E_STATE;
}

static bool end_rival(shf_writer *writer) {
    shf_op *op = NULL;
    shf_status status = shf_writer_close_sync(writer, 0, &op);
    shf_writer_release(writer);
    if (status) return demo_failed("the second writer does not close", status, op);
    shf_op_release(op);
    return true;
}

/* Lookups all the while; every one of them must be answered by the snapshot that the reader is pinned to. */
static bool build_meanwhile(struct demo_run *run, char **words) {
    struct demo_command command;
    char text[128];
    unsigned long long answered = 0;
    bool ok = true;
    if (!demo_command_start(&command, words)) return false;
    while (demo_command_runs(&command) && ok) {
        for (size_t i = 0; i < GETS_AT_ONCE && ok; i++) ok = holds(run, CHANGED, OLD_VERSION);
        answered += GETS_AT_ONCE;
    }
    if (!demo_command_end(&command)) return false;
    if (!ok) return wrong("the reader answered something else while the next snapshot was built");
    (void)snprintf(text, sizeof text, "meanwhile this reader answered %s lookups, all from its own snapshot",
                   demo_count(answered));
    demo_good(text);
    return true;
}

static bool refresh(struct demo_run *run) {
    shf_open_info info;
    shf_op *op = NULL;
    SHF_INIT(&info);
    double begin = demo_now();
    shf_status status = shf_refresh_sync(run->reader, 0, &op);
    run->numbers.refresh = demo_now() - begin;
    if (status) return demo_failed("refresh", status, op);
    (void)shf_op_open_info(op, &info);
    shf_op_release(op);
    demo_show_refresh(&info, run->numbers.refresh);
    return info.changed == 1 || wrong("the refresh found nothing new");
}

static bool found_first(struct demo_run *run) {
    const struct demo_question *question = demo_question_find(run->questions, QUESTION);
    shf_query query;
    shf_hit hit;
    shf_op *op = NULL;
    SHF_INIT(&query);
    SHF_INIT(&hit);
    query.top_k = 1;
    query.vector = question->vector;
    query.dimension = question->dimension;
    bool ok = shf_search_sync(run->reader, &query, 0, &op) == SHF_OK && shf_op_hit(op, 0, 0, &hit) == SHF_OK &&
              hit.id.text.size == strlen(ADDED) && !memcmp(hit.id.text.data, ADDED, hit.id.text.size);
    shf_op_release(op);
    return ok;
}

static bool check_after(struct demo_run *run, const shf_op *before) {
    if (!value_holds(before, OLD_VERSION)) return wrong("the answer from before the refresh has changed");
    if (!holds(run, CHANGED, NEW_VERSION)) return wrong("the changed value is not there");
    if (!holds(run, REMOVED, NULL)) return wrong("the removed package is still there");
    if (!found_first(run)) return wrong("the added package is not found");
    return true;
}

bool demo_update(struct demo_run *run, const char *url, const char *cache, char **words) {
    shf_op *opened = NULL, *before = NULL;
    if (!demo_open(run, url, cache, &opened)) return false;
    shf_op_release(opened);
    demo_heading("A reader, before");
    bool ok = show_rows(run);
    before = get(run, CHANGED);
    shf_writer *rival = ok && before ? begin_rival(run, url) : NULL;
    ok = rival && build_meanwhile(run, words) && is_refused(rival);
    if (rival) ok = end_rival(rival) && ok;
    ok = ok && refresh(run) && show_rows(run) && check_after(run, before);
    if (ok) {
        printf("\n");
        demo_good("changed, added and removed as they should be; an answer from before the refresh is still whole");
    }
    shf_op_release(before);
    return ok;
}
