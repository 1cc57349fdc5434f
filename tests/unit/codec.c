/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The codec engine against every type of the protocols, filled with pseudo-random content.
 *
 * The filler below walks the same tables as the engine; that the tables are right is the business of
 * tests/gen/test_wire_facts.py and of the frozen bytes in tests/wire. */
#include "base/error.h"
#include "gen/api-codec.h"
#include "gen/api-procs.h"
#include "wire/codec.h"

#include <libvirt/libvirt.h>
#include <string.h>

/* -- pseudo-random content --------------------------------------------------------------------------- */

static void fill_struct(GRand *rand, const CodecType *type, void *value);

static char *
random_text(GRand *rand)
{
    gsize len = g_rand_int_range(rand, 0, 12);
    char *text = g_malloc0(len + 1);

    for (gsize i = 0; i < len; i++)
        text[i] = (char)g_rand_int_range(rand, 1, 127);
    return text;
}

static void
fill_bytes(GRand *rand, guint8 *bytes, gsize len)
{
    for (gsize i = 0; i < len; i++)
        bytes[i] = (guint8)g_rand_int_range(rand, 0, 256);
}

static void
fill_opaque(GRand *rand, const CodecField *field, CodecArray *array)
{
    array->count = MIN((guint32)g_rand_int_range(rand, 0, 9), field->bound);
    array->items = array->count ? g_malloc(array->count) : NULL;
    fill_bytes(rand, array->items, array->count);
}

static void
fill_one(GRand *rand, const CodecField *field, void *value)
{
    double number = g_rand_double_range(rand, -1e9, 1e9);

    if (field->kind == CODEC_STRING)
        *(char **)value = random_text(rand);
    else if (field->kind == CODEC_OPAQUE)
        fill_opaque(rand, field, value);
    else if (field->kind == CODEC_STRUCT)
        fill_struct(rand, field->type, value);
    else if (field->kind == CODEC_DOUBLE)
        memcpy(value, &number, sizeof(number));
    else
        fill_bytes(rand, value, field->size);
}

static void
fill_field(GRand *rand, const CodecField *field, void *value)
{
    CodecArray *array = value;
    guint32 count = field->shape == CODEC_FIXED ? field->bound : 1;
    char *items = value;

    if (field->shape == CODEC_OPTIONAL && g_rand_boolean(rand))
        return;
    if (field->shape == CODEC_OPTIONAL && field->kind != CODEC_STRING)
        items = *(void **)value = g_malloc0(field->size);
    if (field->shape == CODEC_COUNTED) {
        count = array->count = MIN((guint32)g_rand_int_range(rand, 0, 4), field->bound);
        items = array->items = count ? g_malloc0_n(count, field->size) : NULL;
    }
    for (guint32 i = 0; i < count; i++)
        fill_one(rand, field, items + (gsize)i * field->size);
}

static void
fill_struct(GRand *rand, const CodecType *type, void *value)
{
    if (type->is_union) {
        const CodecField *arm = &type->fields[g_rand_int_range(rand, 0, type->n_fields)];

        *(gint32 *)value = arm->tag;
        fill_field(rand, arm, (char *)value + arm->offset);
        return;
    }
    for (guint32 i = 0; i < type->n_fields; i++)
        fill_field(rand, &type->fields[i], (char *)value + type->fields[i].offset);
}

static GByteArray *
encode_random(GRand *rand, const CodecType *type)
{
    GByteArray *bytes = g_byte_array_new();
    void *value = codec_new(type);

    fill_struct(rand, type, value);
    g_assert_true(codec_encode(type, value, bytes, NULL));
    codec_free_boxed(type, value);
    return bytes;
}

static void
assert_same_bytes(const CodecType *type, const void *value, const GByteArray *expected)
{
    g_autoptr(GByteArray) bytes = g_byte_array_new();

    g_assert_true(codec_encode(type, value, bytes, NULL));
    g_assert_cmpmem(bytes->data, bytes->len, expected->data, expected->len);
}

/* -- every type -------------------------------------------------------------------------------------- */

static void
test_every_type_survives_a_round_trip(void)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(20);

    for (const CodecType *const *type = api_codecs; *type; type++) {
        for (int round = 0; round < 20; round++) {
            g_autoptr(GByteArray) bytes = encode_random(rand, *type);
            g_autoptr(GError) err = NULL;
            void *value = codec_new(*type);
            gsize used = 0;

            g_assert_cmpuint(bytes->len % 4, ==, 0);
            g_assert_cmpuint(bytes->len, >=, (*type)->wire_min);
            g_assert_true(codec_decode_prefix(*type, bytes->data, bytes->len, value, &used, &err));
            g_assert_no_error(err);
            g_assert_cmpuint(used, ==, bytes->len);
            assert_same_bytes(*type, value, bytes);
            codec_free_boxed(*type, value);
        }
    }
}

static void
test_a_copy_owns_everything(void)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(21);

    for (const CodecType *const *type = api_codecs; *type; type++) {
        g_autoptr(GByteArray) bytes = encode_random(rand, *type);
        void *value = codec_new(*type);
        void *copy = NULL;

        g_assert_true(codec_decode(*type, bytes->data, bytes->len, value, NULL));
        copy = codec_dup(*type, value);
        codec_free_boxed(*type, value);
        assert_same_bytes(*type, copy, bytes);
        codec_free_boxed(*type, copy);
    }
}

static void
test_a_truncated_message_fails_and_leaves_nothing(void)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(22);

    for (const CodecType *const *type = api_codecs; *type; type++) {
        g_autoptr(GByteArray) bytes = encode_random(rand, *type);
        g_autofree void *zeros = codec_new(*type);
        g_autofree void *value = codec_new(*type);

        for (guint len = 0; len < bytes->len; len += 1 + bytes->len / 64) {
            g_autoptr(GError) err = NULL;
            /* A buffer of its own, so that a sanitizer sees the first byte too many. */
            g_autofree guint8 *exact = g_memdup2(bytes->data, len);

            g_assert_false(codec_decode(*type, exact, len, value, &err));
            g_assert_true(error_is(err, VIR_ERR_RPC));
            g_assert_cmpmem(value, (*type)->size, zeros, (*type)->size);
        }
    }
}

static void
test_corrupt_messages_never_harm(void)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(23);

    for (const CodecType *const *type = api_codecs; *type; type++) {
        for (int round = 0; round < 30; round++) {
            g_autoptr(GByteArray) bytes = encode_random(rand, *type);
            g_autofree void *value = codec_new(*type);
            g_autoptr(GError) err = NULL;

            for (int i = 0; i < 3; i++)
                bytes->data[g_rand_int_range(rand, 0, bytes->len)] = (guint8)g_rand_int(rand);
            g_assert_true(codec_decode(*type, bytes->data, bytes->len, value, &err) ==
                          (err == NULL));
            codec_free(*type, value);
        }
    }
}

static void
test_bytes_behind_a_message_are_ignored(void)
{
    const guint8 bytes[] = {0, 0, 0, 7, 0xff, 0xff};
    RemoteDomainLookupByIdArgs args;

    g_assert_true(
        codec_decode(CODEC(RemoteDomainLookupByIdArgs), bytes, sizeof(bytes), &args, NULL));
    g_assert_cmpint(args.id, ==, 7);
}

/* -- bounds ------------------------------------------------------------------------------------------ */

static void
test_a_count_is_checked_before_memory_is_taken(void)
{
    /* 16385 names when 16384 are allowed; then 16384 names with no byte behind. */
    const guint8 too_many[] = {0, 0, 0x40, 0x01};
    const guint8 no_bytes[] = {0, 0, 0x40, 0x00};
    const guint8 huge[] = {0xff, 0xff, 0xff, 0xff};
    RemoteConnectListDefinedDomainsRet ret;
    g_autoptr(GError) err = NULL;

    g_assert_false(
        codec_decode(CODEC(RemoteConnectListDefinedDomainsRet), too_many, 4, &ret, &err));
    g_assert_nonnull(strstr(err->message, "at most 16384"));
    g_clear_error(&err);
    g_assert_false(
        codec_decode(CODEC(RemoteConnectListDefinedDomainsRet), no_bytes, 4, &ret, &err));
    g_assert_nonnull(strstr(err->message, "ends in the middle of names"));
    g_clear_error(&err);
    g_assert_false(codec_decode(CODEC(RemoteDomainGetXmlDescRet), huge, 4, &ret, &err));
    g_assert_true(error_is(err, VIR_ERR_RPC));
}

static void
test_encoding_refuses_what_peers_would_refuse(void)
{
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    g_autofree char *text = g_strnfill(REMOTE_STRING_MAX + 1, 'x');
    RemoteDomainLookupByNameArgs lookup = {NULL};
    RemoteConnectListDefinedDomainsRet names = {{REMOTE_DOMAIN_LIST_MAX + 1, NULL}};
    RemoteTypedParam param = {(char *)"x", {8, {0}}};
    g_autoptr(GError) err = NULL;

    g_byte_array_append(bytes, (const guint8 *)"head", 4);
    g_assert_false(codec_encode(CODEC(RemoteDomainLookupByNameArgs), &lookup, bytes, &err));
    g_assert_nonnull(strstr(err->message, "name must not be absent"));
    g_clear_error(&err);
    lookup.name = text;
    g_assert_false(codec_encode(CODEC(RemoteDomainLookupByNameArgs), &lookup, bytes, &err));
    g_assert_nonnull(strstr(err->message, "4194305 bytes"));
    g_clear_error(&err);
    g_assert_false(codec_encode(CODEC(RemoteConnectListDefinedDomainsRet), &names, bytes, &err));
    g_assert_nonnull(strstr(err->message, "16385 entries"));
    g_clear_error(&err);
    g_assert_false(codec_encode(CODEC(RemoteTypedParam), &param, bytes, &err));
    g_assert_nonnull(strstr(err->message, "no value of type 8"));
    g_assert_cmpmem(bytes->data, bytes->len, "head", 4);
}

static void
test_decoding_refuses_what_c_cannot_hold(void)
{
    const guint8 nul[] = {0, 0, 0, 3, 'a', 0, 'b', 0};
    const guint8 neither[] = {0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0};
    RemoteDomainLookupByNameArgs lookup;
    RemoteConnectOpenArgs open;
    g_autoptr(GError) err = NULL;

    g_assert_false(
        codec_decode(CODEC(RemoteDomainLookupByNameArgs), nul, sizeof(nul), &lookup, &err));
    g_assert_nonnull(strstr(err->message, "NUL"));
    g_clear_error(&err);
    g_assert_false(
        codec_decode(CODEC(RemoteConnectOpenArgs), neither, sizeof(neither), &open, &err));
    g_assert_nonnull(strstr(err->message, "neither absent"));
}

/* -- procedures -------------------------------------------------------------------------------------- */

static void
test_a_flag_can_make_a_read_a_write(void)
{
    const ApiProc *xml = API_PROC(REMOTE_DOMAIN_GET_XML_DESC);
    const ApiProc *addresses = API_PROC(REMOTE_DOMAIN_INTERFACE_ADDRESSES);
    RemoteDomainGetXmlDescArgs plain = {.flags = 0};
    RemoteDomainGetXmlDescArgs secret = {.flags = VIR_DOMAIN_XML_SECURE | VIR_DOMAIN_XML_INACTIVE};
    RemoteDomainInterfaceAddressesArgs lease = {.source = VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_LEASE};
    RemoteDomainInterfaceAddressesArgs agent = {.source = VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_AGENT};

    g_assert_false(api_needs_write(xml, &plain));
    g_assert_true(api_needs_write(xml, &secret));
    g_assert_false(api_needs_write(addresses, &lease));
    g_assert_true(api_needs_write(addresses, &agent));
    g_assert_true(api_needs_write(API_PROC(REMOTE_DOMAIN_CREATE), NULL));
    g_assert_false(api_needs_write(API_PROC(REMOTE_NODE_DEVICE_GET_XML_DESC), NULL));
    /* Its access rule only says read. */
    g_assert_true(api_needs_write(API_PROC(REMOTE_DOMAIN_SET_SCHEDULER_PARAMETERS), NULL));
}

static void
test_procedures_are_found_by_number_and_name(void)
{
    guint32 version = 99;

    g_assert_true(api_proc_find(REMOTE_PROGRAM, 16, &version) == API_PROC(REMOTE_DOMAIN_GET_INFO));
    g_assert_cmpuint(version, ==, 1);
    g_assert_true(api_proc_by_name(QEMU_PROGRAM, "domain_attach") == API_PROC(QEMU_DOMAIN_ATTACH));
    g_assert_null(api_proc_find(REMOTE_PROGRAM, 0, NULL));
    g_assert_null(api_proc_find(REMOTE_PROGRAM, 100000, NULL));
    g_assert_null(api_proc_find(REMOTE_PROGRAM, -1, NULL));
    g_assert_null(api_proc_find(1, 1, &version));
    g_assert_cmpuint(version, ==, 0);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define ADD(name) g_test_add_func("/codec/" #name, test_##name)
    ADD(every_type_survives_a_round_trip);
    ADD(a_copy_owns_everything);
    ADD(a_truncated_message_fails_and_leaves_nothing);
    ADD(corrupt_messages_never_harm);
    ADD(bytes_behind_a_message_are_ignored);
    ADD(a_count_is_checked_before_memory_is_taken);
    ADD(encoding_refuses_what_peers_would_refuse);
    ADD(decoding_refuses_what_c_cannot_hold);
    ADD(a_flag_can_make_a_read_a_write);
    ADD(procedures_are_found_by_number_and_name);
    return g_test_run();
}
