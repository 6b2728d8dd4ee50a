#include "cli/memory.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void *checked(void *memory) {
    static const char message[] = "error: out of memory\n";
    if (memory) return memory;
    if (write(STDERR_FILENO, message, sizeof message - 1) < 0) _exit(1); /* nowhere left to say it */
    _exit(1);
}

void *cli_alloc(size_t size) { return checked(calloc(1, size ? size : 1)); }

void *cli_alloc_array(size_t count, size_t size) { return checked(calloc(count ? count : 1, size ? size : 1)); }

void *cli_realloc_array(void *old, size_t count, size_t size) {
    return checked(reallocarray(old, count ? count : 1, size ? size : 1));
}

char *cli_strdup(const char *text) { return cli_strndup(text, strlen(text)); }

char *cli_strndup(const char *data, size_t size) {
    char *copy = checked(size < SIZE_MAX ? malloc(size + 1) : NULL);
    if (size) memcpy(copy, data, size);
    copy[size] = '\0';
    return copy;
}

const char *cli_errno_text(int number) {
    const char *text = strerrordesc_np(number);
    return text ? text : "unknown error";
}

const char *cli_environment(const char *name) {
    const char *value = getenv(name); /* NOLINT(concurrency-mt-unsafe): nothing here changes the environment */
    return value && *value ? value : NULL;
}

char *cli_format(const char *format, ...) {
    va_list arguments;
    char *text = NULL;
    va_start(arguments, format);
    int size = vasprintf(&text, format, arguments);
    va_end(arguments);
    return checked(size < 0 ? NULL : text);
}
