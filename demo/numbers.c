#include "demo/numbers.h"

#include "demo/screen.h"

#include <stdio.h>
#include <string.h>

#define C demo_colours

/* The file lives as long as the demo and is read by the program that wrote it. */
bool demo_numbers_save(const struct demo_numbers *numbers, const char *path) {
    FILE *file = fopen(path, "wb");
    bool ok = file && fwrite(numbers, sizeof *numbers, 1, file) == 1;
    if (file && fclose(file)) ok = false;
    if (!ok) fprintf(stderr, "cannot write %s\n", path);
    return ok;
}

bool demo_numbers_load(struct demo_numbers *numbers, const char *path) {
    FILE *file = fopen(path, "rb");
    bool ok = file && fread(numbers, sizeof *numbers, 1, file) == 1;
    if (file) (void)fclose(file);
    if (!ok) fprintf(stderr, "cannot read %s\n", path);
    return ok;
}

static void row(const char *what, const char *files, const char *s3) {
    printf("    ");
    demo_cell(what, strlen(what), 44, "");
    demo_cell_right(files, 18, C.number);
    demo_cell_right(s3, 18, C.number);
    printf("\n");
}

static void row_time(const char *what, double files, double s3) { row(what, demo_time(files), demo_time(s3)); }

static void row_count(const char *what, double files, double s3) {
    row(what, demo_count((unsigned long long)files), demo_count((unsigned long long)s3));
}

static void head(void) {
    demo_heading("Side by side");
    printf("    ");
    demo_cell("", 0, 44, "");
    demo_cell_right("files", 18, C.dim);
    demo_cell_right("S3", 18, C.dim);
    printf("\n    %s", C.dim);
    for (int i = 0; i < 80; i++) fputs(demo_screen_unicode() ? "\u2500" : "-", stdout);
    printf("%s\n", C.plain);
}

void demo_numbers_compare(const struct demo_numbers *files, const struct demo_numbers *s3) {
    char text[96];
    head();
    (void)snprintf(text, sizeof text, "build and publish %s rows", demo_count((unsigned long long)files->built_rows));
    row_time(text, files->build, s3->build);
    row_time("open, nothing in the local cache", files->open_cold, s3->open_cold);
    row_time("open again", files->open_warm, s3->open_warm);
    row_time("refresh to the next snapshot", files->refresh, s3->refresh);
    row_time("get, median", files->get_median, s3->get_median);
    row_time("get, 99th percentile", files->get_99, s3->get_99);
    (void)snprintf(text, sizeof text, "multi_get of %s keys", demo_count((unsigned long long)files->keys));
    row_time(text, files->multi_get, s3->multi_get);
    row_time("search, median", files->search_median, s3->search_median);
    (void)snprintf(text, sizeof text, "batch_search of %s", demo_count((unsigned long long)files->questions));
    row_time(text, files->batch, s3->batch);
    row_count("streamed gets a second, one thread", files->streamed_per_second, s3->streamed_per_second);
    row("requests to the store", "-", demo_count((unsigned long long)s3->requests));
    printf("\n");
    if (files->digest == s3->digest) {
        demo_good("the same answers from both, bit for bit");
    } else {
        demo_bad("the answers from files and from S3 differ");
    }
}
