/* admit.h - the checks that a request passes when its headers are complete. Implemented in
 * server/http/admit.c. Thread: the connection's. */
#ifndef ADMIT_H
#define ADMIT_H
#include "exchange.h"
#include "head.h"

/* Takes over into the exchange what it needs of the head and checks it. Afterwards job.error says
 * what is wrong, if anything is; where the answer is known already (401, 405, a preflight) it is
 * made. */
void admit(struct exchange *exchange, const struct head *head);

#endif
