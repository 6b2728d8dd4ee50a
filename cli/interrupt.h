/* Signals: SIGINT and SIGTERM are noted (a second one ends the program at once), SIGPIPE is ignored. */
#ifndef CLI_INTERRUPT_H
#define CLI_INTERRUPT_H

void cli_interrupt_setup(void);
int cli_interrupted(void);  /* the signal that asked us to stop, or 0 */
int cli_interrupt_fd(void); /* becomes readable then; -1 before the setup */

#endif
