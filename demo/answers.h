/* Recorded questions: their vectors, and the exact answers. */
#ifndef DEMO_ANSWERS_H
#define DEMO_ANSWERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DEMO_MAX_QUESTIONS 256u
#define DEMO_MAX_LINE (64u << 10)
#define DEMO_DIMENSION_MAX 4096u

struct demo_answer {
    char *id;
    double distance;
};

struct demo_question {
    char *text;
    bool is_like; /* text is an id, and the vector that of its row */
    float *vector;
    uint32_t dimension;
    struct demo_answer *answers;
    uint32_t answer_count;
};

struct demo_questions {
    struct demo_question items[DEMO_MAX_QUESTIONS];
    size_t count;
    char **keys; /* every id that is an answer, once */
    size_t key_count;
};

/* Line i of the two files belongs together. False, with a message on stderr, when they cannot be read. */
bool demo_questions_load(struct demo_questions *out, const char *queries_path, const char *answers_path);
void demo_questions_free(struct demo_questions *questions);

/* NULL when there is no such question. */
const struct demo_question *demo_question_find(const struct demo_questions *questions, const char *text);

#endif
