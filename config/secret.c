#include "config/secret.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

enum { ANYWHERE = 8, AS_WORD = 6 };

static bool contains(const char *name, size_t size, const char *word)
{
    size_t length = strlen(word);
    for (size_t i = 0; i + length <= size; i++) {
        if (strncasecmp(name + i, word, length) == 0)
            return true;
    }
    return false;
}

bool secret_name(const char *name, size_t size)
{
    static const char *const WORDS[] = {"password", "passwd",     "passphrase",  "secret",      "token",
                                        "jaas",     "credential", "private.key", "private_key", "key.pem",
                                        "key_pem",  "api.key",    "api_key",     "apikey",      "userinfo",
                                        "ssl_key",  "access_key", "accesskey"};
    for (size_t i = 0; i < sizeof WORDS / sizeof WORDS[0]; i++) {
        if (contains(name, size, WORDS[i]))
            return true;
    }
    return false;
}

bool secret_by_key(const struct config_node *node)
{
    while (node != NULL && node->key == NULL)
        node = node->parent;
    if (node == NULL)
        return false;
    const struct config_node *around = node->parent;
    return secret_name(node->key, strlen(node->key)) ||
           (around != NULL && around->key != NULL && secret_name(around->key, strlen(around->key)));
}

static bool is_word(char c)
{
    return isalnum((unsigned char)c) || c == '_' || (unsigned char)c >= 0x80;
}

static bool is_quote(char c)
{
    return c == '"' || c == '\'' || c == '`';
}

static bool stands_alone(const char *text, const char *at, size_t length, bool own)
{
    char before = at > text ? at[-1] : ' ', behind = at[length];
    if (length >= ANYWHERE || (is_quote(before) && is_quote(behind)))
        return true;
    return (own || length >= AS_WORD) && !is_word(before) && !is_word(behind);
}

void secret_scrub(char *text, size_t room, const char *secret, bool own)
{
    static const char STARS[] = "***";
    size_t length = strlen(secret);
    if (length == 0)
        return;
    for (char *at = text; (at = strstr(at, secret)) != NULL;) {
        if (!stands_alone(text, at, length, own)) {
            at++;
            continue;
        }
        size_t rest = strlen(at + length);
        size_t left = room - (size_t)(at - text) - 1;
        size_t stars = left < sizeof STARS - 1 ? left : sizeof STARS - 1;
        if (rest > left - stars)
            rest = left - stars;
        memmove(at + stars, at + length, rest);
        memcpy(at, STARS, stars);
        at += stars;
        at[rest] = '\0';
    }
}
