/* Memory for the program: these never return NULL. Without memory the program says so and exits with code 1. */
#ifndef CLI_MEMORY_H
#define CLI_MEMORY_H

#include <stddef.h>

void *cli_alloc(size_t size);                     /* zeroed */
void *cli_alloc_array(size_t count, size_t size); /* zeroed */
void *cli_realloc_array(void *old, size_t count, size_t size);
char *cli_strdup(const char *text);
char *cli_strndup(const char *data, size_t size); /* copies all `size` bytes and adds a NUL */
/* What errno says; thread-safe, never NULL. */
const char *cli_errno_text(int number);
/* An environment variable; NULL when it is unset or empty. Only before the library's threads are there. */
const char *cli_environment(const char *name);
char *cli_format(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
