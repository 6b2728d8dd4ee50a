/* Shared by the tests of the program's parts. */
#ifndef CLI_TEST_H
#define CLI_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

/* Takes an error text: it must be there and hold `part`. */
#define assert_wrong(call, part)                                                                                       \
    do {                                                                                                               \
        char *wrong_ = (call);                                                                                         \
        assert_non_null(wrong_);                                                                                       \
        if (!strstr(wrong_, part)) fail_msg("'%s' does not hold '%s'", wrong_, part);                                  \
        free(wrong_);                                                                                                  \
    } while (0)

#define assert_right(call)                                                                                             \
    do {                                                                                                               \
        char *wrong_ = (call);                                                                                         \
        if (wrong_) fail_msg("unexpected: %s", wrong_);                                                                \
    } while (0)

#endif
