#include "cli/interrupt.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

static volatile sig_atomic_t caught;
static int pipe_fds[2] = {-1, -1};

static void note(int signal_number) {
    int saved = errno;
    caught = signal_number;
    if (write(pipe_fds[1], "!", 1) < 0) caught = signal_number; /* full: it is readable already */
    errno = saved;
}

/* A signal that the program was started with ignored (a shell does that to a background job) stays ignored. */
static void catch (int signal_number, const struct sigaction *action) {
    struct sigaction before;
    if (!sigaction(signal_number, NULL, &before) && before.sa_handler == SIG_IGN) return;
    sigaction(signal_number, action, NULL);
}

void cli_interrupt_setup(void) {
    struct sigaction action = {0};
    if (pipe2(pipe_fds, O_CLOEXEC | O_NONBLOCK)) pipe_fds[0] = pipe_fds[1] = -1;
    sigemptyset(&action.sa_mask);
    action.sa_handler = note;
    action.sa_flags = (int)SA_RESETHAND; /* no SA_RESTART: a blocked read or write is to end */
    catch (SIGINT, &action);
    catch (SIGTERM, &action);
    action.sa_handler = SIG_IGN;
    action.sa_flags = 0;
    sigaction(SIGPIPE, &action, NULL);
}

int cli_interrupted(void) { return caught; }

int cli_interrupt_fd(void) { return pipe_fds[0]; }
