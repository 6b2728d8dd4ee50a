#include "demo/answers.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int base64_digit(char c) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = c ? strchr(digits, c) : NULL;
    return at ? (int)(at - digits) : -1;
}

/* Little-endian float32 values in base64. */
static bool read_vector(const char *text, struct demo_question *out) {
    size_t size = strlen(text) / 4 * 3;
    if (size > DEMO_DIMENSION_MAX * sizeof(float)) return false;
    uint8_t *bytes = calloc(size + 1, 1);
    out->vector = calloc(size / sizeof(float) + 1, sizeof(float));
    if (!bytes || !out->vector) {
        free(bytes);
        return false;
    }
    uint32_t bits = 0;
    size_t held = 0, used = 0;
    for (const char *c = text; *c && *c != '='; c++) {
        int digit = base64_digit(*c);
        if (digit < 0) break;
        bits = bits << 6 | (uint32_t)digit;
        if (++held % 4 == 1) continue;
        bytes[used++] = (uint8_t)(bits >> (8 - held % 4 * 2) % 8);
    }
    out->dimension = (uint32_t)(used / sizeof(float));
    for (uint32_t i = 0; i < out->dimension; i++) {
        const uint8_t *b = bytes + i * sizeof(float);
        uint32_t word = (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
        memcpy(&out->vector[i], &word, sizeof word);
    }
    free(bytes);
    return out->dimension > 0;
}

static bool read_question(const char *query_line, const char *answer_line, struct demo_question *out) {
    bool ok = false;
    json_t *query = json_loads(query_line, 0, NULL), *answer = json_loads(answer_line, 0, NULL);
    const char *vector = json_string_value(json_object_get(query, "vector_base64"));
    const char *text = json_string_value(json_object_get(answer, "text"));
    const char *kind = json_string_value(json_object_get(answer, "kind"));
    json_t *hits = json_object_get(answer, "top10");
    if (!vector || !text || !kind || !json_is_array(hits)) goto done;
    out->text = strdup(text);
    out->is_like = !strcmp(kind, "like");
    out->answers = calloc(json_array_size(hits) + 1, sizeof *out->answers);
    if (!out->text || !out->answers || !read_vector(vector, out)) goto done;
    for (size_t i = 0; i < json_array_size(hits); i++) {
        json_t *hit = json_array_get(hits, i);
        const char *id = json_string_value(json_object_get(hit, "id"));
        char *copy = id ? strdup(id) : NULL;
        if (!copy) goto done;
        out->answers[out->answer_count++] =
            (struct demo_answer){copy, json_number_value(json_object_get(hit, "distance"))};
    }
    ok = true;

done:
    json_decref(query);
    json_decref(answer);
    return ok;
}

static int by_text(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

/* The keys borrow the answers' ids. */
static bool collect_keys(struct demo_questions *questions) {
    size_t count = 0;
    for (size_t i = 0; i < questions->count; i++) count += questions->items[i].answer_count;
    questions->keys = calloc(count + 1, sizeof *questions->keys);
    if (!questions->keys) return false;
    size_t used = 0;
    for (size_t i = 0; i < questions->count; i++) {
        const struct demo_question *question = &questions->items[i];
        for (uint32_t k = 0; k < question->answer_count; k++) questions->keys[used++] = question->answers[k].id;
    }
    qsort(questions->keys, used, sizeof *questions->keys, by_text);
    for (size_t i = 0; i < used; i++) {
        if (i > 0 && !strcmp(questions->keys[i], questions->keys[questions->key_count - 1])) continue;
        questions->keys[questions->key_count++] = questions->keys[i];
    }
    return questions->key_count > 0;
}

bool demo_questions_load(struct demo_questions *out, const char *queries_path, const char *answers_path) {
    static char query_line[DEMO_MAX_LINE], answer_line[DEMO_MAX_LINE];
    bool ok = false;
    FILE *queries = fopen(queries_path, "r"), *answers = fopen(answers_path, "r");
    memset(out, 0, sizeof *out);
    if (!queries || !answers) goto done;
    ok = true;
    while (ok && out->count < DEMO_MAX_QUESTIONS && fgets(query_line, sizeof query_line, queries) &&
           fgets(answer_line, sizeof answer_line, answers)) {
        ok = read_question(query_line, answer_line, &out->items[out->count++]);
    }
    ok = ok && collect_keys(out);

done:
    if (queries) (void)fclose(queries);
    if (answers) (void)fclose(answers);
    if (!ok) fprintf(stderr, "cannot read the recorded questions of %s and %s\n", queries_path, answers_path);
    return ok;
}

void demo_questions_free(struct demo_questions *questions) {
    for (size_t i = 0; i < questions->count; i++) {
        struct demo_question *question = &questions->items[i];
        for (uint32_t k = 0; k < question->answer_count; k++) free(question->answers[k].id);
        free(question->answers);
        free(question->text);
        free(question->vector);
    }
    free(questions->keys);
}

const struct demo_question *demo_question_find(const struct demo_questions *questions, const char *text) {
    for (size_t i = 0; i < questions->count; i++) {
        const struct demo_question *question = &questions->items[i];
        if (!question->is_like && !strcmp(question->text, text)) return question;
    }
    return NULL;
}
