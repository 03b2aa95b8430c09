/* What this program is made of. */
#ifndef WEIR_CLI_RELEASE_H
#define WEIR_CLI_RELEASE_H

struct metrics;

/* One JSON object; constant for the process. */
const char *release_json(void);
/* weir_build_info. */
void release_metric(struct metrics *metrics);
/* "0.1.0 (revision)" */
const char *release_text(void);

#endif
