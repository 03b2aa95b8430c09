/* `weir lag`: see struct source_lag in processor/connector.h. */
#ifndef WEIR_CONNECTORS_KAFKA_LAG_H
#define WEIR_CONNECTORS_KAFKA_LAG_H

#include "processor/connector.h"

extern const struct source_lag kafka_lag;

#endif
