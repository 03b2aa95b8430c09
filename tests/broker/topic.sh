#!/bin/sh
# Kafka's own topic tool: tests/broker/topic.sh DIR|HOST:PORT --create --topic orders --partitions 6
set -eu
. "$(dirname "$0")/common.sh"
tool org.apache.kafka.tools.TopicCommand "$@"
