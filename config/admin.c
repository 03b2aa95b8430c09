/* `admin: false`, or {listen: host:port}. */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "config/file.h"
#include "config/found.h"
#include "config/loader.h"

struct listen {
    const char *host;
    uint16_t port;
};

struct admin_map {
    struct config_head head;
    struct listen listen;
    int tap; /* index into TAP */
};

enum { TAP_LOCAL, TAP_ALWAYS, TAP_NEVER };
static const char *const TAP[] = {[TAP_LOCAL] = "local", [TAP_ALWAYS] = "always", [TAP_NEVER] = "never", NULL};

static bool is_host(const char *host)
{
    struct in6_addr address;
    return strcmp(host, "localhost") == 0 || inet_pton(AF_INET, host, &address) == 1 ||
           inet_pton(AF_INET6, host, &address) == 1;
}

static bool parse_port(const char *text, uint16_t *ret)
{
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > 5 || text[digits] != '\0')
        return false;
    long port = strtol(text, NULL, 10);
    *ret = (uint16_t)port;
    return port <= UINT16_MAX;
}

/* host:port; a host with colons in it stands in brackets. */
static bool parse_listen(struct config_loader *loader, const struct config_node *node, void *ret)
{
    char found[FOUND_MAX];
    const char *text = node->kind == NODE_SCALAR ? node->text : "", *colon = strrchr(text, ':');
    struct listen listen = {0};
    size_t size = colon != NULL ? (size_t)(colon - text) : 0;
    bool brackets = size > 2 && text[0] == '[' && text[size - 1] == ']';
    char *host = arena_string(&loader->arena, text + brackets, size - (brackets ? 2 : 0));
    if (host == NULL) {
        config_error(loader->report, node, "no memory");
        return false;
    }
    listen.host = host;
    if (colon == NULL || !parse_port(colon + 1, &listen.port) || !is_host(host) ||
        (strchr(host, ':') != NULL) != brackets) {
        config_error(
            loader->report, node,
            "expected address:port (127.0.0.1:8080, [::1]:8080, localhost:8080; 0.0.0.0 is all interfaces), found %s",
            found_words(node, found));
        return false;
    }
    *(struct listen *)ret = listen;
    return true;
}

static void listen_schema(FILE *out)
{
    fputs("{\"type\": \"string\", \"pattern\": \":[0-9]+$|\\\\$\\\\{\"}", out);
}

static const struct config_custom LISTEN = {
    .name = "an address and port", .size = sizeof(struct listen), .parse = parse_listen, .schema = listen_schema};

static const struct config_field MAP_FIELDS[] = {
    {.name = "listen",
     .help = "Address and port; an address other than 127.0.0.1 lets others see the metrics. Port 0: any free one.",
     .kind = CONFIG_CUSTOM,
     .offset = offsetof(struct admin_map, listen),
     .fallback = "127.0.0.1:8080",
     .custom = &LISTEN},
    {.name = "tap",
     .help = "Whether records, and messages with parts of them, are shown to whoever reaches the port (`weir tap`); "
             "local: only when it listens on a loopback address.",
     .kind = CONFIG_ENUM,
     .offset = offsetof(struct admin_map, tap),
     .fallback = "local",
     .choices = TAP},
    {0},
};

static const struct config_table MAP_TABLE = {
    .name = "admin", .help = "The admin port.", .size = sizeof(struct admin_map), .fields = MAP_FIELDS};

static const struct config_field MAP = {
    .name = "admin", .help = "The admin port.", .kind = CONFIG_OBJECT, .table = &MAP_TABLE};

static bool is_loopback(const char *host)
{
    struct in_addr v4;
    struct in6_addr v6;
    if (inet_pton(AF_INET, host, &v4) == 1)
        return ntohl(v4.s_addr) >> 24 == IN_LOOPBACKNET;
    return strcmp(host, "localhost") == 0 || (inet_pton(AF_INET6, host, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6));
}

static bool parse_admin(struct config_loader *loader, const struct config_node *node, void *ret)
{
    static const struct config_field BOOL = {.kind = CONFIG_BOOL};
    struct config_admin admin = {.enabled = true};
    struct admin_map map;
    bool scalar = node->kind == NODE_SCALAR && !config_tree_is_null(node);
    if (scalar && !config_parse(loader, &BOOL, node, &admin.enabled))
        return false;
    if (!config_parse(loader, &MAP, scalar ? NULL : node, &map))
        return false;
    admin.head.node = node->line > 0 ? node : NULL;
    admin.host = map.listen.host;
    admin.port = map.listen.port;
    admin.tap = map.tap == TAP_ALWAYS || (map.tap == TAP_LOCAL && is_loopback(map.listen.host));
    *(struct config_admin *)ret = admin;
    return true;
}

static void admin_schema(FILE *out)
{
    fputs("{\"anyOf\": [{\"type\": \"boolean\"}, ", out);
    config_schema_field(&MAP, out, 4);
    fputs("]}", out);
}

const struct config_custom admin_custom = {.name = "false or the admin port's settings",
                                           .size = sizeof(struct config_admin),
                                           .parse = parse_admin,
                                           .schema = admin_schema};
