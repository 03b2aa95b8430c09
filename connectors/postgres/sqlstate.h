/* What the server's error codes mean here (Appendix A of PostgreSQL's manual). */
#ifndef WEIR_CONNECTORS_POSTGRES_SQLSTATE_H
#define WEIR_CONNECTORS_POSTGRES_SQLSTATE_H

#include "processor/error.h"

/* state: five characters; NULL or "": the connection went, or libpq itself is to blame. */
enum error_class postgres_error_class(const char *state);
/* The word for a record that was rejected: "type", "constraint", "size", "utf8". */
const char *postgres_reject_class(const char *state);

#endif
