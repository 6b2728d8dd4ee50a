#include "demo/show.h"

#include "demo/screen.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#define BAR_WIDTH 12
#define NAME_WIDTH 20
#define TEXT_WIDTH 42

#define C demo_colours

void demo_show_open(const shf_op *open_op, double took) {
    shf_open_info info;
    SHF_INIT(&info);
    (void)shf_op_open_info(open_op, &info);
    printf("\n  %sopened in %s%s%s   %s_CURRENT %s, manifest %s, %u shards %s", C.strong, C.number, demo_time(took),
           C.plain, C.dim, demo_time((double)info.current_ns), demo_time((double)info.manifest_ns), info.shards_opened,
           demo_time((double)info.shards_ns));
    if (info.downloaded_bytes) printf(", %.1f MB downloaded", (double)info.downloaded_bytes / 1e6);
    printf("%s\n", C.plain);
}

void demo_show_refresh(const shf_open_info *info, double took) {
    printf("\n  %srefreshed in %s%s%s   %schanged = %u, %u shards opened", C.strong, C.number, demo_time(took), C.plain,
           C.dim, info->changed, info->shards_opened);
    if (info->downloaded_bytes) printf(", %.1f MB downloaded", (double)info->downloaded_bytes / 1e6);
    printf("%s\n", C.plain);
}

/* A text member of JSON text, printed as a cell. */
static void json_cell(shf_slice json, const char *member, int width, const char *colour) {
    json_t *object = json.data ? json_loadb(json.data, json.size, 0, NULL) : NULL;
    const char *text = json_string_value(json_object_get(object, member));
    if (!text) text = "";
    demo_cell(text, strlen(text), width, colour);
    json_decref(object);
}

bool demo_show_lookup(struct demo_run *run, const char *text) {
    const shf_key key = shf_key_from_text(text, strlen(text));
    shf_op *op = NULL;
    double begin = demo_now();
    shf_status status = shf_get_sync(run->reader, &key, NULL, 0, &op);
    double took = demo_now() - begin;
    if (status) return demo_failed(text, status, op);
    shf_value value;
    SHF_INIT(&value);
    (void)shf_op_value(op, 0, &value);
    printf("    ");
    demo_cell(text, strlen(text), NAME_WIDTH, C.name);
    printf("  ");
    if (value.status == SHF_NOT_FOUND) {
        demo_cell("not found", 9, TEXT_WIDTH, C.dim);
    } else {
        json_cell(value.data, "summary", TEXT_WIDTH, "");
    }
    demo_cell_right(demo_time(took), 14, C.number);
    printf("\n");
    shf_op_release(op);
    return true;
}

/* Hits as bars: long is near. */
static void show_hits(const shf_op *op, size_t first, size_t count) {
    for (size_t i = first; i < first + count && i < shf_op_hit_count(op, 0); i++) {
        shf_hit hit;
        SHF_INIT(&hit);
        if (shf_op_hit(op, 0, i, &hit)) return;
        printf("    ");
        demo_bar(1 - hit.score, BAR_WIDTH);
        printf(" %s%.3f%s  ", C.dim, hit.score, C.plain);
        demo_cell(hit.id.text.data, hit.id.text.size, NAME_WIDTH, C.name);
        printf("  ");
        json_cell(hit.payload, "summary", TEXT_WIDTH, "");
        printf("\n");
    }
}

static bool search(struct demo_run *run, const shf_query *query, const char *heading, size_t first, size_t count) {
    shf_op *op = NULL;
    double begin = demo_now();
    shf_status status = shf_search_sync(run->reader, query, 0, &op);
    double took = demo_now() - begin;
    if (status) return demo_failed(heading, status, op);
    printf("\n  ");
    demo_cell(heading, strlen(heading), 66, C.strong);
    demo_cell_right(demo_time(took), 14, C.number);
    printf("\n");
    show_hits(op, first, count);
    shf_op_release(op);
    return true;
}

bool demo_show_like(struct demo_run *run, const char *text, uint32_t count) {
    const shf_vector_id id = {SHF_ID_TEXT, 0, 0, {text, strlen(text)}};
    char heading[96];
    (void)snprintf(heading, sizeof heading, "What is like %s?", text);
    shf_query query;
    SHF_INIT(&query);
    query.top_k = count + 1; /* the row itself comes first, and is left out */
    query.like = &id;
    return search(run, &query, heading, 1, count);
}

bool demo_show_question(struct demo_run *run, const char *text, uint32_t count) {
    const struct demo_question *question = demo_question_find(run->questions, text);
    if (!question) {
        fprintf(stderr, "'%s' is not among the recorded questions\n", text);
        return false;
    }
    char heading[96];
    (void)snprintf(heading, sizeof heading, demo_screen_unicode() ? "\u201c%s\u201d" : "\"%s\"", text);
    shf_query query;
    SHF_INIT(&query);
    query.top_k = count;
    query.vector = question->vector;
    query.dimension = question->dimension;
    return search(run, &query, heading, 0, count);
}

void demo_show_totals(const struct demo_run *run) {
    const struct demo_numbers *n = &run->numbers;
    char text[192];
    printf("\n");
    if (run->wrong) {
        (void)snprintf(text, sizeof text, "%s answers differ from the recorded ones", demo_count(run->wrong));
        demo_bad(text);
        return;
    }
    (void)snprintf(text, sizeof text, "all %s recorded searches give the exact ten nearest, in order (median %s)",
                   demo_count((unsigned long long)n->questions), demo_time(n->search_median));
    demo_good(text);
    (void)snprintf(text, sizeof text, "%s lookups streamed through one completion queue: %s%s a second%s",
                   demo_count(DEMO_STREAM_LOOKUPS), C.number, demo_count((unsigned long long)n->streamed_per_second),
                   C.plain);
    demo_good(text);
}
