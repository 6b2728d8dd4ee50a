#include "formats/cel/regex_priv.h"

#include "base/alloc.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <string.h>

/*
 * PCRE2's second matcher follows all possibilities at once and never goes back. With a leading .*? the search has one
 * starting place; so its time is linear in the subject, as RE2's is, times the states that are alive at once, which the
 * workspace bounds. It has no captures, which nobody needs here.
 */
#define WORKSPACE 2048u
#define MATCH_CALLS 1000u /* of the matcher by itself: only what is never compiled here would need them */
#define MATCH_HEAP_KILOBYTES 256u
#define BEFORE "\\A(?s:.*?)(?:"
#define AFTER ")"

struct shf_cel_pattern {
    struct shf_cel_pattern *next;
    pcre2_code *code;
};

struct shf_cel_match {
    pcre2_match_data *data;
    pcre2_match_context *limits;
    int workspace[WORKSPACE];
};

static void *allocate(size_t size, void *unused) {
    (void)unused;
    return shf_alloc(size);
}
static void release(void *memory, void *unused) {
    (void)unused;
    shf_free(memory);
}

static shf_status refuse(const struct shf_cel *cel, const struct shf_cel_node *node, const char *what,
                         struct shf_error **error) {
    return shf_cel_error(cel, node->offset, SHF_E_INVALID, error, "patterns with %s are not supported; use another one",
                         what);
}

/* SHF_E_NO_MEMORY and NULL, or the code; NULL with SHF_OK when PCRE2 does not take it. */
static shf_status compile(const struct shf_text *text, pcre2_code **out, bool *is_too_large) {
    pcre2_general_context *general = pcre2_general_context_create(allocate, release, NULL);
    pcre2_compile_context *context = general ? pcre2_compile_context_create(general) : NULL;
    shf_status status = SHF_OK;
    int code = 0;
    size_t offset;
    *out = NULL;
    if (context) {
        (void)pcre2_set_newline(context, PCRE2_NEWLINE_LF);
        *out = pcre2_compile((const uint8_t *)text->data, text->size,
                             PCRE2_UTF | PCRE2_NEVER_UCP | PCRE2_NEVER_BACKSLASH_C, &code, &offset, context);
    }
    if (!context || (!*out && code == PCRE2_ERROR_HEAP_FAILED)) status = SHF_E_NO_MEMORY;
    *is_too_large = !*out && code == PCRE2_ERROR_PATTERN_TOO_LARGE;
    pcre2_compile_context_free(context);
    pcre2_general_context_free(general);
    return status;
}

shf_status shf_cel_pattern_compile(struct shf_cel *cel, const struct shf_cel_node *node, struct shf_cel_pattern **out,
                                   struct shf_error **error) {
    shf_slice source = node->constant.as.text;
    if (source.size > SHF_LIMIT_CEL_PATTERN_BYTES) return refuse(cel, node, "more than 1024 bytes", error);
    struct shf_cel_regex regex = {.at = source.data, .end = (const char *)source.data + source.size};
    shf_status status = SHF_OK;
    pcre2_code *code = NULL;
    bool is_too_large = false;
    shf_text_add_string(&regex.out, BEFORE);
    shf_cel_regex_translate(&regex);
    shf_text_add_string(&regex.out, AFTER);
    struct shf_cel_pattern *made = shf_cel_alloc(&cel->memory, 1, sizeof *made);
    if (regex.out.failed || !made) {
        status = shf_cel_no_memory(error);
    } else if (regex.state == SHF_CEL_REGEX_UNSUPPORTED) {
        status = refuse(cel, node, regex.unsupported, error);
    } else if (regex.state == SHF_CEL_REGEX_VALID && (status = compile(&regex.out, &code, &is_too_large))) {
        (void)shf_cel_no_memory(error);
    }
    shf_text_free(&regex.out);
    if (!status && is_too_large) status = refuse(cel, node, "such large repetitions", error);
    if (status) return status;
    *out = NULL;
    if (!code) return SHF_OK;
    made->code = code;
    made->next = cel->patterns;
    cel->patterns = made;
    *out = made;
    return SHF_OK;
}

void shf_cel_patterns_free(struct shf_cel_pattern *patterns) {
    for (; patterns; patterns = patterns->next) pcre2_code_free(patterns->code); /* the structs are the expression's */
}

static struct shf_cel_match *new_match(void) {
    struct shf_cel_match *match = shf_alloc(sizeof *match);
    pcre2_general_context *general = match ? pcre2_general_context_create(allocate, release, NULL) : NULL;
    if (!general) {
        shf_free(match);
        return NULL;
    }
    match->data = pcre2_match_data_create(1, general);
    match->limits = pcre2_match_context_create(general);
    pcre2_general_context_free(general);
    if (!match->data || !match->limits) {
        shf_cel_match_free(match);
        return NULL;
    }
    (void)pcre2_set_match_limit(match->limits, MATCH_CALLS);
    (void)pcre2_set_depth_limit(match->limits, MATCH_CALLS);
    (void)pcre2_set_heap_limit(match->limits, MATCH_HEAP_KILOBYTES);
    return match;
}

enum shf_cel_match_outcome shf_cel_match(const struct shf_cel_pattern *pattern, shf_slice subject,
                                         struct shf_cel_match **match) {
    if (!*match) *match = new_match();
    if (!*match) return SHF_CEL_MATCH_NO_MEMORY;
    int result = pcre2_dfa_match(pattern->code, subject.size ? subject.data : (const void *)"", subject.size, 0,
                                 PCRE2_ANCHORED | PCRE2_DFA_SHORTEST, (*match)->data, (*match)->limits,
                                 (*match)->workspace, WORKSPACE);
    if (result >= 0) return SHF_CEL_MATCH;
    if (result == PCRE2_ERROR_NOMATCH) return SHF_CEL_NO_MATCH;
    return result == PCRE2_ERROR_NOMEMORY ? SHF_CEL_MATCH_NO_MEMORY : SHF_CEL_MATCH_TOO_COMPLEX;
}

void shf_cel_match_free(struct shf_cel_match *match) {
    if (!match) return;
    pcre2_match_context_free(match->limits);
    pcre2_match_data_free(match->data);
    shf_free(match);
}
