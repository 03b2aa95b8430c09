#include "connectors/postgres/buffer.h"

#include <stdlib.h>

enum { FIRST_ROOM = 64 * 1024 };

void postgres_buffer_fini(struct postgres_buffer *buffer)
{
    free(buffer->data);
    *buffer = (struct postgres_buffer){0};
}

void postgres_buffer_reset(struct postgres_buffer *buffer, size_t keep)
{
    buffer->size = 0;
    if (buffer->room > keep)
        postgres_buffer_fini(buffer);
}

bool postgres_buffer_grow(struct postgres_buffer *buffer, size_t more)
{
    size_t room = buffer->room > 0 ? buffer->room : FIRST_ROOM;
    while (room - buffer->size < more) {
        if (room > SIZE_MAX / 2)
            return false;
        room *= 2;
    }
    uint8_t *data = realloc(buffer->data, room);
    if (data == NULL)
        return false;
    buffer->data = data;
    buffer->room = room;
    return true;
}
