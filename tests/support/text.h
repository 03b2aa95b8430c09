/* Views of bytes in tests. */
#ifndef WEIR_TESTS_SUPPORT_TEXT_H
#define WEIR_TESTS_SUPPORT_TEXT_H

#include "processor/bytes.h"

/* A copy in a heap block of just its size, so that a sanitizer sees each byte that is read past it. Free with text_free. */
struct bytes text_copy(const char *text);
void text_free(struct bytes copy);
void assert_text(struct bytes found, const char *expected);

#endif
