/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Messages whose bytes never change: written by hand from the layout of the protocol, not by the codec.
 *
 * Each is encoded from a structure and must give exactly these bytes, and decoded from them and encoded again. One message
 * for each shape that the protocol has; that all others are made of the same parts is checked in tests/gen. */
#include "gen/api-codec.h"

#include <libvirt/libvirt.h>
#include <string.h>

#define UUID                                                                                      \
    {                                                                                             \
        0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, \
            0xff                                                                                  \
    }
#define UUID_HEX "00112233 44556677 8899aabb ccddeeff "
#define WEB1_HEX "00000004 77656231 " UUID_HEX

/* "0000002a 61620000" as bytes. */
static GByteArray *
bytes_of(const char *hex)
{
    GByteArray *bytes = g_byte_array_new();

    for (const char *at = hex; *at; at++) {
        guint8 byte;

        if (*at == ' ')
            continue;
        byte = (guint8)(g_ascii_xdigit_value(at[0]) << 4 | g_ascii_xdigit_value(at[1]));
        g_byte_array_append(bytes, &byte, 1);
        at++;
    }
    return bytes;
}

static void
assert_frozen(const CodecType *type, const void *value, const char *hex)
{
    g_autoptr(GByteArray) expected = bytes_of(hex);
    g_autoptr(GByteArray) encoded = g_byte_array_new();
    g_autoptr(GByteArray) again = g_byte_array_new();
    g_autoptr(GError) err = NULL;
    g_autofree void *decoded = codec_new(type);

    g_assert_true(codec_encode(type, value, encoded, &err));
    g_assert_no_error(err);
    g_assert_cmpmem(encoded->data, encoded->len, expected->data, expected->len);
    g_assert_true(codec_decode(type, expected->data, expected->len, decoded, &err));
    g_assert_no_error(err);
    g_assert_true(codec_encode(type, decoded, again, &err));
    g_assert_cmpmem(again->data, again->len, expected->data, expected->len);
    codec_free(type, decoded);
}

static void
packet_header_is_six_words(void)
{
    NetMessageHeader header = {0x20008086, 1, 16, VIR_NET_REPLY, 7, VIR_NET_ERROR};

    assert_frozen(CODEC(NetMessageHeader), &header,
                  "20008086 00000001 00000010 00000001 00000007 00000001");
}

static void
stream_hole_is_a_hyper_and_flags(void)
{
    NetStreamHole hole = {0x100000002, 0};

    assert_frozen(CODEC(NetStreamHole), &hole, "00000001 00000002 00000000");
}

static void
string_is_padded_without_a_final_nul(void)
{
    RemoteDomainLookupByNameArgs lookup = {.name = (char *)"web10"};

    assert_frozen(CODEC(RemoteDomainLookupByNameArgs), &lookup, "00000005 77656231 30000000");
    lookup.name = (char *)"";
    assert_frozen(CODEC(RemoteDomainLookupByNameArgs), &lookup, "00000000");
}

static void
optional_string_has_a_word_before_it(void)
{
    RemoteConnectOpenArgs open = {.name = NULL, .flags = 1};

    assert_frozen(CODEC(RemoteConnectOpenArgs), &open, "00000000 00000001");
    open.name = (char *)"test:///";
    assert_frozen(CODEC(RemoteConnectOpenArgs), &open,
                  "00000001 00000008 74657374 3a2f2f2f 00000001");
}

static void
domain_is_name_uuid_and_id(void)
{
    RemoteDomainSetMemoryFlagsArgs memory = {
        .dom = {(char *)"web1", UUID, -1}, .memory = G_GUINT64_CONSTANT(0x123456789), .flags = 2};

    assert_frozen(CODEC(RemoteDomainSetMemoryFlagsArgs), &memory,
                  WEB1_HEX "ffffffff 00000001 23456789 00000002");
}

static void
list_is_a_count_and_its_elements(void)
{
    RemoteNonnullDomain domains[] = {{(char *)"web1", UUID, 3}, {(char *)"web1", UUID, -1}};
    RemoteConnectListAllDomainsRet list = {.domains = {2, domains}, .ret = 2};

    assert_frozen(CODEC(RemoteConnectListAllDomainsRet), &list,
                  "00000002 " WEB1_HEX "00000003 " WEB1_HEX "ffffffff 00000002");
}

static void
small_numbers_take_a_whole_word(void)
{
    RemoteDomainGetInfoRet info = {
        .state = 5, .maxMem = 1048576, .memory = 1, .nrVirtCpu = 65535, .cpuTime = 2};

    assert_frozen(CODEC(RemoteDomainGetInfoRet), &info,
                  "00000005 00000000 00100000 00000000 00000001 0000ffff 00000000 00000002");
}

static void
characters_of_a_model_take_a_word_each(void)
{
    RemoteNodeGetInfoRet node = {.model = "x86_64",
                                 .memory = 16,
                                 .cpus = 1,
                                 .mhz = 2,
                                 .nodes = 3,
                                 .sockets = 4,
                                 .cores = 5,
                                 .threads = 6};

    assert_frozen(CODEC(RemoteNodeGetInfoRet), &node,
                  "00000078 00000038 00000036 0000005f 00000036 00000034 00000000 00000000 "
                  "00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 "
                  "00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 "
                  "00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 "
                  "00000000 00000010 00000001 00000002 00000003 00000004 00000005 00000006");
}

static void
security_label_counts_words_and_its_nul(void)
{
    RemoteDomainGetSecurityLabelRet label = {.label = {3, (char *)"a:"}, .enforcing = 1};

    assert_frozen(CODEC(RemoteDomainGetSecurityLabelRet), &label,
                  "00000003 00000061 0000003a 00000000 00000001");
}

static void
negative_character_is_sign_extended(void)
{
    char text[] = {(char)0xff};
    RemoteDomainGetSecurityLabelRet label = {.label = {1, text}};

    assert_frozen(CODEC(RemoteDomainGetSecurityLabelRet), &label, "00000001 ffffffff 00000000");
}

static void
opaque_is_packed(void)
{
    guchar map[] = {0x81, 0x02, 0x03, 0x04, 0x05};
    RemoteDomainPinVcpuArgs pin = {.dom = {(char *)"web1", UUID, 3}, .vcpu = 1, .cpumap = {5, map}};

    assert_frozen(CODEC(RemoteDomainPinVcpuArgs), &pin,
                  WEB1_HEX "00000003 00000001 00000005 81020304 05000000");
}

static void
typed_parameters_have_seven_forms(void)
{
    RemoteTypedParam params[] = {
        {(char *)"i", {VIR_TYPED_PARAM_INT, {.i = -2}}},
        {(char *)"u", {VIR_TYPED_PARAM_UINT, {.ui = 0xfffffffe}}},
        {(char *)"l", {VIR_TYPED_PARAM_LLONG, {.l = -2}}},
        {(char *)"U", {VIR_TYPED_PARAM_ULLONG, {.ul = 2}}},
        {(char *)"d", {VIR_TYPED_PARAM_DOUBLE, {.d = 1.5}}},
        {(char *)"b", {VIR_TYPED_PARAM_BOOLEAN, {.b = 1}}},
        {(char *)"s", {VIR_TYPED_PARAM_STRING, {.s = (char *)"abc"}}},
    };
    RemoteDomainGetJobStatsRet stats = {.type = 1, .params = {G_N_ELEMENTS(params), params}};

    assert_frozen(CODEC(RemoteDomainGetJobStatsRet), &stats,
                  "00000001 00000007 "
                  "00000001 69000000 00000001 fffffffe "
                  "00000001 75000000 00000002 fffffffe "
                  "00000001 6c000000 00000003 ffffffff fffffffe "
                  "00000001 55000000 00000004 00000000 00000002 "
                  "00000001 64000000 00000005 3ff80000 00000000 "
                  "00000001 62000000 00000006 00000001 "
                  "00000001 73000000 00000007 00000003 61626300");
}

static void
event_carries_the_callback_id_first(void)
{
    RemoteDomainEventCallbackLifecycleMsg event = {
        .callbackID = 9, .msg = {{(char *)"web1", UUID, 3}, .event = 2, .detail = 1}};

    assert_frozen(CODEC(RemoteDomainEventCallbackLifecycleMsg), &event,
                  "00000009 " WEB1_HEX "00000003 00000002 00000001");
    assert_frozen(CODEC(RemoteDomainEventLifecycleMsg), &event.msg,
                  WEB1_HEX "00000003 00000002 00000001");
}

static void
error_has_eleven_fields(void)
{
    NetMessageNonnullDomain domain = {(char *)"web1", UUID, -1};
    NetMessageError error = {.code = 42,
                             .domain = 10,
                             .message = (char *)"no",
                             .level = 2,
                             .dom = &domain,
                             .str1 = (char *)"x",
                             .int1 = -1,
                             .int2 = 0};

    assert_frozen(CODEC(NetMessageError), &error,
                  "0000002a 0000000a 00000001 00000002 6e6f0000 00000002 00000001 " WEB1_HEX
                  "ffffffff "
                  "00000001 00000001 78000000 00000000 00000000 ffffffff 00000000 00000000");
    /* The remote program's own name for the same thing. */
    g_assert_cmpuint(sizeof(NetMessageError), ==, sizeof(RemoteError));
    assert_frozen(CODEC(RemoteError), &error,
                  "0000002a 0000000a 00000001 00000002 6e6f0000 00000002 00000001 " WEB1_HEX
                  "ffffffff "
                  "00000001 00000001 78000000 00000000 00000000 ffffffff 00000000 00000000");
}

static void
lists_nest(void)
{
    RemoteDomainIpAddr address = {0, (char *)"::1", 128};
    RemoteDomainInterface interfaces[] = {{(char *)"lo", NULL, {1, &address}},
                                          {(char *)"e", (char *)"m", {0, NULL}}};
    RemoteDomainInterfaceAddressesRet ret = {.ifaces = {2, interfaces}};

    assert_frozen(
        CODEC(RemoteDomainInterfaceAddressesRet), &ret,
        "00000002 00000002 6c6f0000 00000000 00000001 00000000 00000003 3a3a3100 00000080 "
        "00000001 65000000 00000001 00000001 6d000000 00000000");
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define ADD(name) g_test_add_func("/frozen/" #name, name)
    ADD(packet_header_is_six_words);
    ADD(stream_hole_is_a_hyper_and_flags);
    ADD(string_is_padded_without_a_final_nul);
    ADD(optional_string_has_a_word_before_it);
    ADD(domain_is_name_uuid_and_id);
    ADD(list_is_a_count_and_its_elements);
    ADD(small_numbers_take_a_whole_word);
    ADD(characters_of_a_model_take_a_word_each);
    ADD(security_label_counts_words_and_its_nul);
    ADD(negative_character_is_sign_extended);
    ADD(opaque_is_packed);
    ADD(typed_parameters_have_seven_forms);
    ADD(event_carries_the_callback_id_first);
    ADD(error_has_eleven_fields);
    ADD(lists_nest);
    return g_test_run();
}
