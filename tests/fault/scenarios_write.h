/* Scenarios of the writer: a snapshot is built and published under a prefix of its own, where nothing was. */
#ifndef SHF_TESTS_FAULT_SCENARIOS_WRITE_H
#define SHF_TESTS_FAULT_SCENARIOS_WRITE_H

#include "fault/session.h"

void write_and_publish(struct session *session);
void write_by_expression(struct session *session);
void write_and_train(struct session *session); /* vectors alone: centroids are found among them */
void write_hashed_vectors(struct session *session);
void write_more_than_fits(struct session *session); /* rows are sorted on the disk */
void write_and_give_up(struct session *session);    /* closed before it is published */
void write_duplicates(struct session *session);     /* ends with SHF_E_INVALID */

/* Without faults: what was told to be published is served, whole; else nothing is. Tidies up. */
void write_check(struct session *session);

#endif
