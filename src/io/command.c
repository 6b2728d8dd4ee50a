#include "io/command.h"

#include "base/alloc.h"
#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define MOST_WORDS 64u

extern char **environ;

/* Cuts the copy into words, in place. False for an open quote, too many words, or none. */
static bool split(char *text, char *words[MOST_WORDS + 1]) {
    size_t count = 0;
    char *to = text;
    while (*text) {
        text += strspn(text, " \t");
        if (!*text) break;
        if (count == MOST_WORDS) return false;
        words[count++] = to;
        char quote = '\0';
        for (; *text && (quote || (*text != ' ' && *text != '\t')); text++) {
            if (*text == quote) {
                quote = '\0';
            } else if (!quote && (*text == '\'' || *text == '"')) {
                quote = *text;
            } else {
                if (*text == '\\' && quote != '\'' && text[1]) text++;
                *to++ = *text;
            }
        }
        if (quote) return false;
        bool last = *text == '\0';
        text += !last;
        *to++ = '\0'; /* never ahead of text: a blank or the end was passed */
        if (last) break;
    }
    words[count] = NULL;
    return count > 0;
}

static int spawn(char *const words[], int output, pid_t *child) {
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none, defaults;
    sigemptyset(&none);
    sigemptyset(&defaults);
    sigaddset(&defaults, SIGPIPE);
    int problem = posix_spawn_file_actions_init(&actions);
    if (problem) return problem;
    problem = posix_spawnattr_init(&attributes);
    if (!problem) {
        problem = posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
        if (!problem) problem = posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
        /* Our threads block every signal; the command gets an ordinary mask. */
        if (!problem) problem = posix_spawnattr_setsigmask(&attributes, &none);
        if (!problem) problem = posix_spawnattr_setsigdefault(&attributes, &defaults);
        if (!problem) problem = posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
        if (!problem) problem = posix_spawnp(child, words[0], &actions, &attributes, words, environ);
        (void)posix_spawnattr_destroy(&attributes);
    }
    (void)posix_spawn_file_actions_destroy(&actions);
    return problem;
}

/* Reads to the end; NULL or what went wrong. */
static const char *read_all(int fd, size_t most, int64_t deadline_ns, char *out, size_t *size) {
    *size = 0;
    for (;;) {
        struct pollfd entry = {.fd = fd, .events = POLLIN};
        int64_t left = shf_deadline_left_ms(deadline_ns);
        int ready = left > 0 ? poll(&entry, 1, (int)left) : 0;
        if (ready == 0) return "takes too long";
        if (ready < 0 && errno == EINTR) continue;
        ssize_t got = ready < 0 ? -1 : read(fd, out + *size, most + 1 - *size);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return "can not be read";
        if (got == 0) return NULL;
        *size += (size_t)got;
        if (*size > most) return "prints too much";
    }
}

static const char *run(char *const words[], size_t most, int64_t timeout_ms, char *out, size_t *size) {
    int ends[2];
    pid_t child;
    int result = 0;
    if (pipe2(ends, O_CLOEXEC) != 0) return "could not be given a pipe";
    int problem = spawn(words, ends[1], &child);
    (void)close(ends[1]);
    if (problem) {
        (void)close(ends[0]);
        return "could not be started";
    }
    const char *wrong = read_all(ends[0], most, shf_deadline_after_ms(timeout_ms), out, size);
    (void)close(ends[0]);
    if (wrong) (void)kill(child, SIGKILL);
    while (waitpid(child, &result, 0) < 0 && errno == EINTR) {
    }
    if (!wrong && !(WIFEXITED(result) && WEXITSTATUS(result) == 0)) wrong = "failed";
    return wrong;
}

shf_status shf_command_run(const char *command_line, size_t most, int64_t timeout_ms, char **out, size_t *size,
                           struct shf_error **error) {
    char *words[MOST_WORDS + 1], *copy = shf_strdup(command_line), *printed = shf_alloc(most + 1);
    const char *wrong = "has an open quote or no words";
    if (!copy || !printed) {
        shf_free(copy);
        shf_free(printed);
        return shf_error_set(error, SHF_E_NO_MEMORY, "no memory to run a command");
    }
    if (split(copy, words)) wrong = run(words, most, timeout_ms, printed, size);
    shf_status status = wrong ? shf_error_set(error, SHF_E_ACCESS, "the command %s", wrong) : SHF_OK;
    shf_free(copy);
    if (status) {
        shf_free(printed);
    } else {
        *out = printed;
    }
    return status;
}
