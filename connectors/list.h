/*
 * The connectors that are built in, a line each: one more connector is a folder and a line here. No guard: expanded with SOURCE and STORE defined anew.
 */
SOURCE(kafka_source)

STORE(kafka_store)
STORE(postgres_store)
STORE(sqlite_store)
STORE(file_store)
STORE(stdout_store)
