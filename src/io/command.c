#include "io/command.h"

#include "base/alloc.h"
#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define MOST_WORDS 64u
#define LOOK_EVERY_MS 20 /* at `abandon`, and at the end of a command that closed its output */

/* Cuts the copy into words, in place. False for an open quote, too many words, or none. */
static bool split(char *text, char *words[MOST_WORDS + 1]) {
    size_t count = 0;
    char *to = text; /* never ahead of text */
    for (;;) {
        text += strspn(text, " \t");
        if (!*text) break;
        if (count == MOST_WORDS) return false;
        words[count++] = to;
        char quote = '\0';
        for (; *text && (quote || (*text != ' ' && *text != '\t')); text++) {
            if (quote && *text == quote) {
                quote = '\0';
            } else if (!quote && (*text == '\'' || *text == '"')) {
                quote = *text;
            } else {
                if (*text == '\\' && quote != '\'' && text[1]) text++;
                *to++ = *text;
            }
        }
        if (quote) return false;
        bool more = *text != '\0';
        *to++ = '\0';
        if (!more) break;
        text++;
    }
    words[count] = NULL;
    return count > 0 && *words[0];
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
        if (!problem) problem = posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
        /* Our threads block every signal; the command gets an ordinary mask. */
        if (!problem) problem = posix_spawnattr_setsigmask(&attributes, &none);
        if (!problem) problem = posix_spawnattr_setsigdefault(&attributes, &defaults);
        if (!problem) problem = posix_spawnattr_setpgroup(&attributes, 0);
        const short flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP;
        if (!problem) problem = posix_spawnattr_setflags(&attributes, flags);
        if (!problem) problem = posix_spawnp(child, words[0], &actions, &attributes, words, environ);
        (void)posix_spawnattr_destroy(&attributes);
    }
    (void)posix_spawn_file_actions_destroy(&actions);
    return problem;
}

/* Why to stop waiting, or NULL. */
static const char *is_over(const struct shf_command *command, int64_t deadline_ns) {
    if (command->abandon && atomic_load(command->abandon)) return "was abandoned";
    return shf_deadline_over(deadline_ns) ? "takes too long" : NULL;
}

/* Reads to the end; NULL or what went wrong. */
static const char *read_all(const struct shf_command *command, int fd, int64_t deadline_ns, char *out, size_t *size) {
    *size = 0;
    for (;;) {
        struct pollfd entry = {.fd = fd, .events = POLLIN};
        const char *wrong = is_over(command, deadline_ns);
        if (wrong) return wrong;
        int ready = poll(&entry, 1, LOOK_EVERY_MS);
        if (ready == 0 || (ready < 0 && errno == EINTR)) continue;
        ssize_t got = ready < 0 ? -1 : read(fd, out + *size, command->most_bytes + 1 - *size);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return "can not be read";
        if (got == 0) return NULL;
        *size += (size_t)got;
        if (*size > command->most_bytes) return "prints too much";
    }
}

/* Waits for its end, which may come long after that of its output. NULL or what went wrong. */
static const char *reap(const struct shf_command *command, pid_t child, int64_t deadline_ns, const char *wrong) {
    int result = 0;
    for (;;) {
        if (!wrong) wrong = is_over(command, deadline_ns);
        if (wrong) (void)kill(-child, SIGKILL);
        pid_t ended = waitpid(child, &result, wrong ? 0 : WNOHANG);
        if (ended == child) break;
        if (ended < 0 && errno == EINTR) continue;
        if (ended < 0) return wrong; /* the program reaps every child itself: how it ended is not known */
        (void)poll(NULL, 0, LOOK_EVERY_MS);
    }
    return wrong || (WIFEXITED(result) && WEXITSTATUS(result) == 0) ? wrong : "failed";
}

static const char *run(const struct shf_command *command, char *const words[], char *out, size_t *size) {
    int ends[2];
    pid_t child;
    int64_t deadline_ns = shf_deadline_after_ms(command->timeout_ms);
    if (pipe2(ends, O_CLOEXEC) != 0) return "could not be given a pipe";
    int problem = spawn(words, ends[1], &child);
    (void)close(ends[1]);
    if (problem) {
        (void)close(ends[0]);
        return problem == ENOENT ? "is not there" : "could not be started";
    }
    const char *wrong = read_all(command, ends[0], deadline_ns, out, size);
    (void)close(ends[0]);
    return reap(command, child, deadline_ns, wrong);
}

shf_status shf_command_run(const struct shf_command *command, char **out, size_t *size, struct shf_error **error) {
    char *words[MOST_WORDS + 1], *copy = shf_strdup(command->line), *printed = shf_alloc(command->most_bytes + 1);
    const char *wrong = "has an open quote or no words";
    shf_status status = SHF_E_NO_MEMORY;
    if (!copy || !printed) {
        (void)shf_error_set(error, status, "no memory to run a command");
        goto done;
    }
    if (split(copy, words)) wrong = run(command, words, printed, size);
    if (wrong && command->abandon && atomic_load(command->abandon)) {
        status = shf_error_set(error, SHF_E_CANCELLED, "the command was abandoned");
    } else if (wrong) {
        status = shf_error_set(error, SHF_E_ACCESS, "the command %s; run it by hand to see why", wrong);
    } else {
        printed[*size] = '\0';
        *out = printed;
        printed = NULL;
        status = SHF_OK;
    }
done:
    if (printed) OPENSSL_cleanse(printed, command->most_bytes + 1);
    shf_free(printed);
    shf_free(copy);
    return status;
}
