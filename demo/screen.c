#include "demo/screen.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define BOX_WIDTH 86
#define TEXT_BUFFERS 4

struct demo_colours demo_colours;
static bool unicode;

/* A locale that names another character set has no box-drawing characters; C and unset are taken for UTF-8. */
static bool locale_is_utf8(void) {
    const char *names[] = {getenv("LC_ALL"), getenv("LC_CTYPE"), getenv("LANG")}; /* NOLINT(concurrency-mt-unsafe) */
    for (size_t i = 0; i < 3; i++) {
        if (!names[i] || !*names[i]) continue;
        const char *dot = strchr(names[i], '.');
        return !dot || !strncmp(dot, ".UTF-8", 6) || !strncmp(dot, ".utf8", 5);
    }
    return true;
}

void demo_screen_begin(void) {
    const char *terminal = getenv("TERM"), *no_color = getenv("NO_COLOR"); /* NOLINT(concurrency-mt-unsafe) */
    unicode = locale_is_utf8();
    demo_colours = (struct demo_colours){"", "", "", "", "", "", "", "", ""};
    if (!isatty(STDOUT_FILENO) || (no_color && *no_color) || !terminal || !strcmp(terminal, "dumb")) return;
    demo_colours = (struct demo_colours){
        .title = "\033[1;36m",
        .strong = "\033[1m",
        .dim = "\033[2m",
        .name = "\033[33m",
        .number = "\033[36m",
        .good = "\033[32m",
        .bad = "\033[1;31m",
        .bar = "\033[34m",
        .plain = "\033[0m",
    };
}

bool demo_screen_unicode(void) { return unicode; }

static void repeat(const char *text, int count) {
    for (int i = 0; i < count; i++) fputs(text, stdout);
}

/* Bytes of the UTF-8 character at text, at least 1 and within size. */
static size_t character_size(const char *text, size_t size) {
    unsigned char first = (unsigned char)*text;
    size_t wanted = first < 0xc0 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    return wanted < size ? wanted : size;
}

/* Columns of the text (wide characters do not occur here), and the bytes of its first `width` columns. */
static int measure(const char *text, size_t size, int width, size_t *fitting) {
    int columns = 0;
    *fitting = size;
    for (size_t at = 0; at < size; columns++) {
        if (columns == width) *fitting = at;
        at += character_size(text + at, size - at);
    }
    return columns;
}

void demo_cell(const char *text, size_t size, int width, const char *colour) {
    size_t fitting;
    int columns = measure(text, size, width, &fitting);
    if (columns > width) {
        const char *ellipsis = unicode ? "\u2026" : "~";
        (void)measure(text, size, width - 1, &fitting);
        printf("%s%.*s%s%s", colour, (int)fitting, text, ellipsis, demo_colours.plain);
    } else {
        printf("%s%.*s%s%*s", colour, (int)size, text, demo_colours.plain, width - columns, "");
    }
}

void demo_cell_right(const char *text, int width, const char *colour) {
    size_t fitting;
    int columns = measure(text, strlen(text), width, &fitting);
    printf("%*s%s%s%s", width > columns ? width - columns : 0, "", colour, text, demo_colours.plain);
}

void demo_box(const char *const *lines, size_t count) {
    const char *horizontal = unicode ? "\u2500" : "-", *vertical = unicode ? "\u2502" : "|";
    printf("\n%s%s", demo_colours.dim, unicode ? "\u256d" : "+");
    repeat(horizontal, BOX_WIDTH);
    printf("%s%s\n", unicode ? "\u256e" : "+", demo_colours.plain);
    for (size_t i = 0; i < count; i++) {
        printf("%s%s%s  ", demo_colours.dim, vertical, demo_colours.plain);
        demo_cell(lines[i], strlen(lines[i]), BOX_WIDTH - 4, i == 0 ? demo_colours.title : "");
        printf("  %s%s%s\n", demo_colours.dim, vertical, demo_colours.plain);
    }
    printf("%s%s", demo_colours.dim, unicode ? "\u2570" : "+");
    repeat(horizontal, BOX_WIDTH);
    printf("%s%s\n", unicode ? "\u256f" : "+", demo_colours.plain);
}

void demo_heading(const char *text) { printf("\n  %s%s%s\n", demo_colours.strong, text, demo_colours.plain); }

static void marked(const char *colour, const char *mark, const char *text) {
    printf("  %s%s%s %s\n", colour, mark, demo_colours.plain, text);
}

void demo_good(const char *text) { marked(demo_colours.good, unicode ? "\u2714" : "ok", text); }
void demo_bad(const char *text) { marked(demo_colours.bad, unicode ? "\u2718" : "bad", text); }

void demo_bar(double share, int width) {
    static const char *const eighths[] = {"", "\u258f", "\u258e", "\u258d", "\u258c", "\u258b", "\u258a", "\u2589"};
    if (!(share > 0)) share = 0;
    if (share > 1) share = 1;
    int units = (int)(share * width * 8 + 0.5), full = units / 8, rest = units % 8;
    fputs(demo_colours.bar, stdout);
    repeat(unicode ? "\u2588" : "#", full);
    if (unicode) fputs(eighths[rest], stdout);
    printf("%s%*s", demo_colours.plain, width - full - (unicode && rest ? 1 : 0), "");
}

static char *next_buffer(size_t *size) {
    static char buffers[TEXT_BUFFERS][48];
    static size_t next;
    *size = sizeof buffers[0];
    return buffers[next++ % TEXT_BUFFERS];
}

const char *demo_time(double nanoseconds) {
    size_t size;
    char *text = next_buffer(&size);
    const char *micro = unicode ? "\u00b5s" : "us";
    if (nanoseconds < 1e6) {
        (void)snprintf(text, size, "%.1f %s", nanoseconds / 1e3, micro);
    } else if (nanoseconds < 1e9) {
        (void)snprintf(text, size, "%.*f ms", nanoseconds < 1e7 ? 2 : 1, nanoseconds / 1e6);
    } else {
        (void)snprintf(text, size, "%.2f s", nanoseconds / 1e9);
    }
    return text;
}

const char *demo_count(unsigned long long value) {
    size_t size;
    char digits[32], *text = next_buffer(&size), *out = text;
    int length = snprintf(digits, sizeof digits, "%llu", value);
    for (int i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0) *out++ = ',';
        *out++ = digits[i];
    }
    *out = '\0';
    return text;
}

double demo_now(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}
