/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a rule may match, protocol by protocol, as tables: an attribute is a name, a form, and the protocols that have it. A value
 * is a variable, or it is read in its form and written anew in the one way that is printed. */
#define ERROR_DOMAIN VIR_FROM_NWFILTER

#include <arpa/inet.h>
#include <stddef.h>
#include <string.h>

#include "base/error.h"
#include "base/ids.h"
#include "base/text.h"
#include "model/nwfilter.h"

#define COMMENT_BYTES_MAX 256
#define IPSET_NAME_MAX 31
#define IPSET_FLAGS_MAX 6

typedef struct {
    const char *word;
    guint value;
} Word;

static const Word mac_protocols[] = {{"ipv4", 0x800},  {"arp", 0x806},   {"rarp", 0x8035},
                                     {"ipv6", 0x86dd}, {"vlan", 0x8100}, {0}};
static const Word ip_protocols[] = {{"tcp", 6},     {"udp", 17}, {"udplite", 136}, {"esp", 50},
                                    {"ah", 51},     {"icmp", 1}, {"igmp", 2},      {"sctp", 132},
                                    {"icmpv6", 58}, {0}};
static const Word arp_opcodes[] = {{"Request", 1},         {"Reply", 2},
                                   {"Request_Reverse", 3}, {"Reply_Reverse", 4},
                                   {"DRARP_Request", 5},   {"DRARP_Reply", 6},
                                   {"DRARP_Error", 7},     {"InARP_Request", 8},
                                   {"ARP_NAK", 9},         {0}};
static const Word tcp_flags[] = {{"FIN", 1},  {"SYN", 2},    {"RST", 4},  {"PSH", 8}, {"ACK", 16},
                                 {"URG", 32}, {"ALL", 0x3f}, {"NONE", 0}, {0}};
static const Word states[] = {{"NEW", 1},     {"ESTABLISHED", 2}, {"RELATED", 4},
                              {"INVALID", 8}, {"NONE", 16},       {0}};

typedef enum {
    FORM_NUMBER, /* min, max, words */
    FORM_MAC,
    FORM_MAC_MASK,
    FORM_IP, /* of the protocol's family */
    FORM_IP_MASK,
    FORM_BOOLEAN,
    FORM_STATE,
    FORM_TCP_FLAGS,
    FORM_COMMENT,
    FORM_IPSET,
    FORM_IPSET_FLAGS,
} Form;

#define BIT(name) (1U << FILTER_PROTOCOL_KIND_##name)
#define BOTH(name) (BIT(name) | BIT(name##_IPV6))
#define LINK (BIT(MAC) | BIT(VLAN) | BIT(ARP) | BIT(RARP) | BIT(IP) | BIT(IPV6))
#define ARPS (BIT(ARP) | BIT(RARP))
#define ICMPS (BIT(ICMP) | BIT(ICMPV6))
#define PORTED (BOTH(TCP) | BOTH(UDP) | BOTH(SCTP))
/* Matched above the network layer: these share the address, state and set attributes. */
#define UPPER (PORTED | BOTH(UDPLITE) | BOTH(ESP) | BOTH(AH) | BOTH(ALL) | ICMPS | BIT(IGMP))
#define IPS (BIT(IP) | BIT(IPV6))
#define V6                                                                            \
    (BIT(IPV6) | BIT(TCP_IPV6) | BIT(UDP_IPV6) | BIT(SCTP_IPV6) | BIT(UDPLITE_IPV6) | \
     BIT(ESP_IPV6) | BIT(AH_IPV6) | BIT(ALL_IPV6) | BIT(ICMPV6))
#define EVERY (LINK | BIT(STP) | UPPER)

typedef struct {
    const char *name;
    gsize offset;
    Form form;
    guint32 protocols;
    guint min, max;
    const Word *words;
} Attribute;

#define AT(member) offsetof(FilterMatch, member)
#define NUMBER(name, member, protocols, max)                   \
    {                                                          \
        name, AT(member), FORM_NUMBER, protocols, 0, max, NULL \
    }

/* In the order of reading: the first that is wrong is the one that is told. */
static const Attribute attributes[] = {
    {"srcmacaddr", AT(srcmacaddr), FORM_MAC, EVERY},
    {"srcmacmask", AT(srcmacmask), FORM_MAC_MASK, LINK | BIT(STP)},
    {"dstmacaddr", AT(dstmacaddr), FORM_MAC, LINK},
    {"dstmacmask", AT(dstmacmask), FORM_MAC_MASK, LINK},
    {"protocolid", AT(protocolid), FORM_NUMBER, BIT(MAC), 0x600, 0xffff, mac_protocols},
    NUMBER("vlanid", vlanid, BIT(VLAN), 4095),
    {"encap-protocol", AT(encap_protocol), FORM_NUMBER, BIT(VLAN), 0, 0xffff, mac_protocols},
    NUMBER("type", type, BIT(STP), 0xff),
    {"flags", AT(flags), FORM_NUMBER, BIT(STP), 0, 0xff},
    NUMBER("root-priority", root_priority, BIT(STP), 0xffff),
    NUMBER("root-priority-hi", root_priority_hi, BIT(STP), 0xffff),
    {"root-address", AT(root_address), FORM_MAC, BIT(STP)},
    {"root-address-mask", AT(root_address_mask), FORM_MAC_MASK, BIT(STP)},
    NUMBER("root-cost", root_cost, BIT(STP), 0xffffffff),
    NUMBER("root-cost-hi", root_cost_hi, BIT(STP), 0xffffffff),
    NUMBER("sender-priority", sender_priority, BIT(STP), 0xffff),
    NUMBER("sender-priority-hi", sender_priority_hi, BIT(STP), 0xffff),
    {"sender-address", AT(sender_address), FORM_MAC, BIT(STP)},
    {"sender-address-mask", AT(sender_address_mask), FORM_MAC_MASK, BIT(STP)},
    NUMBER("port", port, BIT(STP), 0xffff),
    NUMBER("port-hi", port_hi, BIT(STP), 0xffff),
    NUMBER("age", age, BIT(STP), 0xffff),
    NUMBER("age-hi", age_hi, BIT(STP), 0xffff),
    NUMBER("max-age", max_age, BIT(STP), 0xffff),
    NUMBER("max-age-hi", max_age_hi, BIT(STP), 0xffff),
    NUMBER("hello-time", hello_time, BIT(STP), 0xffff),
    NUMBER("hello-time-hi", hello_time_hi, BIT(STP), 0xffff),
    NUMBER("forward-delay", forward_delay, BIT(STP), 0xffff),
    NUMBER("forward-delay-hi", forward_delay_hi, BIT(STP), 0xffff),
    NUMBER("hwtype", hwtype, ARPS, 0xffff),
    NUMBER("protocoltype", protocoltype, ARPS, 0xffff),
    {"opcode", AT(opcode), FORM_NUMBER, ARPS, 0, 0xffff, arp_opcodes},
    {"arpsrcmacaddr", AT(arpsrcmacaddr), FORM_MAC, ARPS},
    {"arpdstmacaddr", AT(arpdstmacaddr), FORM_MAC, ARPS},
    {"arpsrcipaddr", AT(arpsrcipaddr), FORM_IP, ARPS},
    {"arpsrcipmask", AT(arpsrcipmask), FORM_IP_MASK, ARPS},
    {"arpdstipaddr", AT(arpdstipaddr), FORM_IP, ARPS},
    {"arpdstipmask", AT(arpdstipmask), FORM_IP_MASK, ARPS},
    {"gratuitous", AT(gratuitous), FORM_BOOLEAN, ARPS},
    {"srcipaddr", AT(srcipaddr), FORM_IP, IPS | UPPER},
    {"dstipaddr", AT(dstipaddr), FORM_IP, IPS | UPPER},
    {"srcipfrom", AT(srcipfrom), FORM_IP, UPPER},
    {"srcipto", AT(srcipto), FORM_IP, UPPER},
    {"dstipfrom", AT(dstipfrom), FORM_IP, UPPER},
    {"dstipto", AT(dstipto), FORM_IP, UPPER},
    {"protocol", AT(protocol), FORM_NUMBER, IPS, 0, 0xff, ip_protocols},
    NUMBER("srcportstart", srcportstart, IPS | PORTED, 0xffff),
    NUMBER("srcportend", srcportend, IPS | PORTED, 0xffff),
    NUMBER("dstportstart", dstportstart, IPS | PORTED, 0xffff),
    NUMBER("dstportend", dstportend, IPS | PORTED, 0xffff),
    NUMBER("dscp", dscp, BIT(IP) | UPPER, 0x3f),
    NUMBER("option", option, BOTH(TCP), 0xff),
    {"flags", AT(flags), FORM_TCP_FLAGS, BOTH(TCP)},
    NUMBER("type", type, BIT(IPV6) | ICMPS, 0xff),
    NUMBER("typeend", typeend, BIT(IPV6), 0xff),
    NUMBER("code", code, BIT(IPV6) | ICMPS, 0xff),
    NUMBER("codeend", codeend, BIT(IPV6), 0xff),
    {"state", AT(state), FORM_STATE, UPPER},
    NUMBER("connlimit-above", connlimit_above, UPPER, 0xffff),
    {"ipset", AT(ipset), FORM_IPSET, UPPER},
    {"ipsetflags", AT(ipsetflags), FORM_IPSET_FLAGS, UPPER},
    {"srcipmask", AT(srcipmask), FORM_IP_MASK, IPS | UPPER},
    {"dstipmask", AT(dstipmask), FORM_IP_MASK, IPS | UPPER},
    {"comment", AT(comment), FORM_COMMENT, EVERY},
};

/* ---- forms: the value as it is printed, or NULL ---- */

static char *
clean_number(const Attribute *attribute, const char *text)
{
    const bool is_hex = g_ascii_strncasecmp(text, "0x", 2) == 0;
    unsigned int value;

    for (const Word *word = attribute->words; word && word->word; word++)
        if (g_ascii_strcasecmp(word->word, text) == 0)
            return g_strdup(word->word);
    if (!text_to_uint(text, is_hex ? 16 : 10, &value) || value < attribute->min ||
        value > attribute->max)
        return NULL;
    for (const Word *word = attribute->words; word && word->word; word++)
        if (word->value == value)
            return g_strdup(word->word);
    return g_strdup_printf(is_hex ? "0x%x" : "%u", value);
}

/* Ones, then zeros. */
static bool
is_mask(const guchar *bytes, gsize len, guint *n_ones)
{
    guint i = 0;

    while (i < len * 8 && (bytes[i / 8] >> (7 - i % 8) & 1))
        i++;
    *n_ones = i;
    for (; i < len * 8; i++)
        if (bytes[i / 8] >> (7 - i % 8) & 1)
            return false;
    return true;
}

static char *
clean_mac(const char *text, bool must_be_mask)
{
    char clean[MAC_TEXT];
    guchar mac[6];
    guint n_ones;

    if (!mac_parse(text, mac) || (must_be_mask && !is_mask(mac, sizeof mac, &n_ones)))
        return NULL;
    mac_format(mac, clean);
    return g_strdup(clean);
}

static char *
clean_ip(const char *text, int family)
{
    char clean[INET6_ADDRSTRLEN];
    guchar bytes[16];

    if (inet_pton(family, text, bytes) != 1 || !inet_ntop(family, bytes, clean, sizeof clean))
        return NULL;
    return g_strdup(clean);
}

static char *
clean_ip_mask(const char *text, int family)
{
    const gsize len = family == AF_INET ? 4 : 16;
    guchar bytes[16];
    unsigned int bits;

    if (inet_pton(family, text, bytes) == 1)
        return is_mask(bytes, len, &bits) ? g_strdup_printf("%u", bits) : NULL;
    return text_to_uint(text, 10, &bits) && bits <= len * 8 ? g_strdup_printf("%u", bits) : NULL;
}

static char *
clean_boolean(const char *text)
{
    if (!strcmp(text, "1") || !strcmp(text, "yes") || !strcmp(text, "true"))
        return g_strdup("true");
    if (!strcmp(text, "0") || !strcmp(text, "no") || !strcmp(text, "false"))
        return g_strdup("false");
    return NULL;
}

/* Words between commas as bits; nothing at all is no bit. */
static bool
read_words(const Word *words, const char *text, guint *bits)
{
    g_auto(GStrv) parts = g_strsplit(text, ",", -1);

    *bits = 0;
    for (char **part = parts; *part; part++) {
        const Word *word = words;

        while (word->word && g_ascii_strcasecmp(word->word, *part) != 0)
            word++;
        if (!word->word && (**part || part[1]))
            return false;
        *bits |= word->value;
    }
    return true;
}

/* A word for all of the bits if there is one, else a word for each. */
static void
print_words(GString *out, const Word *words, guint bits)
{
    const gsize start = out->len;

    for (const Word *word = words; word->word; word++)
        if (word->value == bits) {
            g_string_append(out, word->word);
            return;
        }
    for (const Word *word = words; word->word; word++)
        if (word->value && (bits & word->value) == word->value)
            g_string_append_printf(out, "%s%s", out->len > start ? "," : "", word->word);
}

static char *
clean_state(const char *text)
{
    GString *out;
    guint bits;

    if (!read_words(states, text, &bits) || !bits)
        return NULL;
    out = g_string_new(NULL);
    print_words(out, states, bits);
    return g_string_free(out, FALSE);
}

/* Which flags are looked at, and which of them must be set. */
static char *
clean_tcp_flags(const char *text)
{
    g_auto(GStrv) halves = g_strsplit(text, "/", 2);
    guint mask, set;
    GString *out;

    if (!halves[0] || !halves[1] || !read_words(tcp_flags, halves[0], &mask) ||
        !read_words(tcp_flags, halves[1], &set))
        return NULL;
    out = g_string_new(NULL);
    print_words(out, tcp_flags, mask);
    g_string_append_c(out, '/');
    print_words(out, tcp_flags, set);
    return g_string_free(out, FALSE);
}

static char *
clean_ipset(const char *text)
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.:-+ ";
    const gsize len = strlen(text);

    return len && len <= IPSET_NAME_MAX && strspn(text, allowed) == len ? g_strdup(text) : NULL;
}

static char *
clean_ipset_flags(const char *text)
{
    g_auto(GStrv) parts = g_strsplit(text, ",", -1);
    const guint n = g_strv_length(parts);

    for (guint i = 0; i < n; i++)
        if (g_ascii_strcasecmp(parts[i], "src") != 0 && g_ascii_strcasecmp(parts[i], "dst") != 0)
            return NULL;
    return n && n <= IPSET_FLAGS_MAX ? g_ascii_strdown(text, -1) : NULL;
}

static char *
clean_value(const Attribute *attribute, FilterProtocolKind protocol, const char *text)
{
    const int family = V6 & 1U << protocol ? AF_INET6 : AF_INET;

    switch (attribute->form) {
    case FORM_NUMBER:
        return clean_number(attribute, text);
    case FORM_MAC:
    case FORM_MAC_MASK:
        return clean_mac(text, attribute->form == FORM_MAC_MASK);
    case FORM_IP:
        return clean_ip(text, family);
    case FORM_IP_MASK:
        return clean_ip_mask(text, family);
    case FORM_BOOLEAN:
        return clean_boolean(text);
    case FORM_STATE:
        return clean_state(text);
    case FORM_TCP_FLAGS:
        return clean_tcp_flags(text);
    case FORM_IPSET:
        return clean_ipset(text);
    case FORM_IPSET_FLAGS:
        return clean_ipset_flags(text);
    case FORM_COMMENT:
        return g_strndup(text, COMMENT_BYTES_MAX);
    }
    return NULL;
}

/* ---- variables: $NAME, $NAME[3], $NAME[@3] ---- */

static bool
is_variable(const char *text)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";
    const gsize len = strspn(text + 1, allowed);
    const char *rest = text + 1 + len;

    if (!len || !*rest)
        return len != 0;
    if (*rest++ != '[')
        return false;
    rest += *rest == '@';
    return g_ascii_isdigit(*rest) && rest[strspn(rest, "0123456789")] == ']' &&
           !rest[strspn(rest, "0123456789") + 1];
}

/* The first iterator needs no saying. */
static char *
clean_variable(const char *text)
{
    return g_str_has_suffix(text, "[@0]") ? g_strndup(text, strlen(text) - strlen("[@0]"))
                                          : g_strdup(text);
}

bool
filter_match_clean(FilterMatch *match, FilterProtocolKind protocol, GError **err)
{
    g_autoptr(FilterMatch) clean = filter_match_new();
    FilterMatch dirty;

    for (gsize i = 0; i < G_N_ELEMENTS(attributes); i++) {
        const Attribute *attribute = &attributes[i];
        const char *text = *(char **)((char *)match + attribute->offset);
        char *value;

        if (!text || !(attribute->protocols & 1U << protocol))
            continue;
        value = *text != '$'        ? clean_value(attribute, protocol, text)
                : is_variable(text) ? clean_variable(text)
                                    : NULL;
        if (!value)
            return fail(err, VIR_ERR_INTERNAL_ERROR, "%s has illegal value %s", attribute->name,
                        text);
        *(char **)((char *)clean + attribute->offset) = value;
    }
    clean->negated = !g_strcmp0(match->negated, "no") ? g_strdup("no") : NULL;
    dirty = *match;
    *match = *clean;
    *clean = dirty;
    return true;
}
