/* `_CURRENT`. */
#include "hostile/hostile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REF "\"manifest_ref\":\"s3://bucket/snap/manifests/2026-03-14T10:30:00.123456Z_run_id=0123/manifest\""
#define TYPE "\"manifest_content_type\":\"application/x-sqlite3\""
#define RUN "\"run_id\":\"0123\""
#define TIME "\"updated_at\":\"2026-03-14T10:30:00.123456Z\""

static void literal_pointers(void) {
    static const struct {
        enum hostile_wish wish;
        const char *rule, *text;
    } pointers[] = {
        {HOSTILE_ANSWERS, "nothing", "{" REF "," TYPE "," RUN "," TIME "}"},
        {HOSTILE_ANSWERS, "nothing: unknown members", "{" REF "," TYPE "," RUN "," TIME ",\"x\":[[[[{}]]]]}"},
        {HOSTILE_ANSWERS, "nothing: blanks", " \n\t{ " REF " , " TYPE "," RUN "," TIME "}\r\n"},
        {HOSTILE_FAILS, "JSON", ""},
        {HOSTILE_FAILS, "JSON", " "},
        {HOSTILE_FAILS, "JSON", "{"},
        {HOSTILE_FAILS, "JSON", "}"},
        {HOSTILE_FAILS, "JSON", "{}{}"},
        {HOSTILE_FAILS, "JSON", "null"},
        {HOSTILE_FAILS, "JSON", "[]"},
        {HOSTILE_FAILS, "JSON", "\"s3://bucket/snap/manifests/x/manifest\""},
        {HOSTILE_FAILS, "JSON", "1e999999999"},
        {HOSTILE_FAILS, "JSON", "<html><body>404</body></html>"},
        {HOSTILE_FAILS, "JSON", "\xef\xbb\xbf{" REF "," TYPE "," RUN "," TIME "}"},
        {HOSTILE_FAILS, "JSON", "\xff\xfe{\0}"},
        {HOSTILE_FAILS, "JSON", "{" REF "," TYPE "," RUN "," TIME ",}"},
        {HOSTILE_FAILS, "JSON", "{" REF "," TYPE "," RUN "," TIME "} trailing"},
        {HOSTILE_FAILS, "JSON", "{'manifest_ref':'x'}"},
        {HOSTILE_FAILS, "UTF-8", "{" REF "," TYPE ",\"run_id\":\"\xff\"," TIME "}"},
        {HOSTILE_FAILS, "manifest_ref", "{" TYPE "," RUN "," TIME "}"},
        {HOSTILE_FAILS, "manifest_ref", "{\"manifest_ref\":null," TYPE "," RUN "," TIME "}"},
        {HOSTILE_FAILS, "manifest_ref", "{\"manifest_ref\":5," TYPE "," RUN "," TIME "}"},
        {HOSTILE_FAILS, "manifest_ref", "{\"manifest_ref\":[\"x\"]," TYPE "," RUN "," TIME "}"},
        {HOSTILE_FAILS, "manifest_ref", "{\"manifest_ref\":\"\"," TYPE "," RUN "," TIME "}"},
        {HOSTILE_FAILS, "manifest_ref",
         "{\"manifest_ref\":\"s3://bucket/snap/manifests/\\u0000/manifest\"," TYPE "," RUN "," TIME "}"},
        {HOSTILE_FAILS, "manifest_ref",
         "{\"manifest_ref\":\"s3://bucket/snap/manifests/a\\u000ab/manifest\"," TYPE "," RUN "," TIME "}"},
        {HOSTILE_FAILS, "manifest_ref",
         "{\"manifest_ref\":\"s3://bucket/snap/manifests/../../x/manifest\"," TYPE "," RUN "," TIME "}"},
        {HOSTILE_FAILS, "manifest_content_type", "{" REF "," RUN "," TIME "}"},
        {HOSTILE_FAILS, "manifest_content_type", "{" REF ",\"manifest_content_type\":{}," RUN "," TIME "}"},
        {HOSTILE_FAILS, "run_id", "{" REF "," TYPE "," TIME "}"},
        {HOSTILE_FAILS, "run_id", "{" REF "," TYPE ",\"run_id\":1," TIME "}"},
        {HOSTILE_FAILS, "run_id", "{" REF "," TYPE ",\"run_id\":\"\\u0000\"," TIME "}"},
        {HOSTILE_FAILS, "updated_at", "{" REF "," TYPE "," RUN "}"},
        {HOSTILE_FAILS, "updated_at", "{" REF "," TYPE "," RUN ",\"updated_at\":\"yesterday\"}"},
        {HOSTILE_FAILS, "updated_at", "{" REF "," TYPE "," RUN ",\"updated_at\":\"2026-13-14T10:30:00Z\"}"},
        {HOSTILE_FAILS, "updated_at", "{" REF "," TYPE "," RUN ",\"updated_at\":{}}"},
        {HOSTILE_FAILS, "updated_at", "{" REF "," TYPE "," RUN ",\"updated_at\":1e308}"},
        {HOSTILE_FAILS, "format_version", "{\"format_version\":\"x\"," REF "," TYPE "," RUN "," TIME "}"},
        {HOSTILE_FAILS, "format_version", "{\"format_version\":{}," REF "," TYPE "," RUN "," TIME "}"},
        {HOSTILE_MAY_DO, "format_version", "{\"format_version\":99999999999999999999," REF "," TYPE "," RUN "," TIME "}"},
        {HOSTILE_MAY_DO, "one member of a name", "{" REF "," REF "," TYPE "," RUN "," TIME "}"},
    };
    for (size_t i = 0; i < sizeof pointers / sizeof pointers[0]; i++) {
        hostile_try(HOSTILE_CURRENT, pointers[i].wish, pointers[i].rule, pointers[i].text, strlen(pointers[i].text),
                    "%.150s", pointers[i].text);
    }
}

/* begin, then `count` times the middle, then end. */
static void large(enum hostile_wish wish, const char *begin, const char *middle, size_t count, const char *end,
                  const char *what) {
    size_t from = strlen(begin), part = strlen(middle), to = strlen(end), size = from + count * part + to;
    char *text = malloc(size + 1);
    memcpy(text, begin, from);
    for (size_t i = 0; i < count; i++) memcpy(text + from + i * part, middle, part);
    memcpy(text + from + count * part, end, to + 1);
    hostile_try(HOSTILE_CURRENT, wish, "size and depth of a pointer", text, size, "%s, %zu bytes", what, size);
    free(text);
}

void hostile_pointers(void **state) {
    static const char sound[] = "{" REF "," TYPE "," RUN "," TIME;
    const struct bytes *whole = hostile_sound(HOSTILE_CURRENT, 0);
    (void)state;
    hostile_use_page_size(4096);
    literal_pointers();
    large(HOSTILE_FAILS, sound, ",\"a\":[", 10000, "", "open lists");
    large(HOSTILE_FAILS, "{" REF "," TYPE "," RUN "," TIME ",\"a\":", "[", 60000, "", "open brackets");
    large(HOSTILE_FAILS, "", "[", 60000, "", "open brackets alone");
    large(HOSTILE_FAILS, "", "{\"a\":", 13000, "", "open objects");
    large(HOSTILE_FAILS, "{" REF "," TYPE "," RUN "," TIME ",\"a\":", "[", 256, "1]}", "256 levels");
    large(HOSTILE_MAY_DO, "{" REF "," TYPE "," RUN "," TIME ",\"a\":", "9", 60000, "}", "digits");
    large(HOSTILE_MAY_DO, "{" REF "," TYPE "," RUN "," TIME ",\"a\":[", "[],", 20000, "1]}", "lists");
    large(HOSTILE_FAILS, "{" REF "," TYPE "," RUN "," TIME ",\"a\":\"", "x", 65536, "\"}", "more than 64 KiB");
    large(HOSTILE_FAILS, "", " ", 40000000, "", "40 MB of blanks");
    large(HOSTILE_FAILS, "{\"manifest_ref\":\"s3://bucket/snap/manifests/", "x", 20000,
          "/manifest\"," TYPE "," RUN "," TIME "}", "a long ref");
    large(HOSTILE_FAILS, "{\"manifest_ref\":\"s3://bucket/snap/", "manifests/", 2000,
          "manifest\"," TYPE "," RUN "," TIME "}", "a deep ref");
    for (size_t cut = 1; cut < whole->size; cut += 9) {
        hostile_try(HOSTILE_CURRENT, HOSTILE_FAILS, "JSON", whole->data, cut, "cut at %zu", cut);
    }
    uint8_t *with_nul = calloc(1, whole->size + 1);
    memcpy(with_nul, whole->data, whole->size);
    hostile_try(HOSTILE_CURRENT, HOSTILE_FAILS, "JSON", with_nul, whole->size + 1, "a NUL behind it");
    with_nul[0] = 0;
    hostile_try(HOSTILE_CURRENT, HOSTILE_FAILS, "JSON", with_nul, whole->size, "a NUL before it");
    free(with_nul);
    hostile_count("_CURRENT");
}
