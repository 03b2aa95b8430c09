#!/bin/sh
# Kafka's own group tool: tests/broker/group.sh DIR|HOST:PORT --describe --group orders-store
set -eu
. "$(dirname "$0")/common.sh"
tool org.apache.kafka.tools.consumer.group.ConsumerGroupCommand "$@"
