/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Taking memory streams apart, on streams written here: pages land at their offsets, the last of two
 * counts, holes stay holes, other blocks stay in the stream, and what is not known is refused. */
#include "image/memory_stream.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <libvirt/virterror.h>

#include "base/error.h"

typedef struct {
    int in, ram, state;
    GByteArray *bytes;
    guint64 size;
} Fixture;

static int
scratch(void)
{
    g_autofree char *path = NULL;
    int fd = g_file_open_tmp("stream-XXXXXX", &path, NULL);

    unlink(path);
    return fd;
}

static void
set_up(Fixture *fixture, gconstpointer data)
{
    fixture->in = scratch();
    fixture->ram = scratch();
    fixture->state = scratch();
    fixture->bytes = g_byte_array_new();
}

static void
tear_down(Fixture *fixture, gconstpointer data)
{
    close(fixture->in);
    close(fixture->ram);
    close(fixture->state);
    g_byte_array_unref(fixture->bytes);
}

static void
u8(Fixture *fixture, guint8 value)
{
    g_byte_array_append(fixture->bytes, &value, 1);
}

static void
u32(Fixture *fixture, guint32 value)
{
    value = GUINT32_TO_BE(value);
    g_byte_array_append(fixture->bytes, (guint8 *)&value, 4);
}

static void
u64(Fixture *fixture, guint64 value)
{
    value = GUINT64_TO_BE(value);
    g_byte_array_append(fixture->bytes, (guint8 *)&value, 8);
}

static void
name(Fixture *fixture, const char *text)
{
    u8(fixture, (guint8)strlen(text));
    g_byte_array_append(fixture->bytes, (const guint8 *)text, (guint)strlen(text));
}

static void
page(Fixture *fixture, guint64 offset, const char *block, guint8 byte)
{
    guint8 bytes[MEMORY_PAGE_BYTES];

    memset(bytes, byte, sizeof(bytes));
    u64(fixture, offset | 0x08 | (block ? 0 : 0x20));
    if (block)
        name(fixture, block);
    g_byte_array_append(fixture->bytes, bytes, sizeof(bytes));
}

static void
fill(Fixture *fixture, guint64 offset, const char *block, guint8 byte)
{
    u64(fixture, offset | 0x02 | (block ? 0 : 0x20));
    if (block)
        name(fixture, block);
    u8(fixture, byte);
}

/* Up to the first round, which is empty. */
static void
begin(Fixture *fixture)
{
    u32(fixture, 0x5145564d);
    u32(fixture, 3);
    u8(fixture, 7);
    u32(fixture, 2);
    g_byte_array_append(fixture->bytes, (const guint8 *)"pc", 2);
    u8(fixture, 1);
    u32(fixture, 2);
    name(fixture, "ram");
    u32(fixture, 0);
    u32(fixture, 4);
    u64(fixture, 0x6000 | 0x04);
    name(fixture, "pc.ram");
    u64(fixture, 0x4000);
    name(fixture, "vga");
    u64(fixture, 0x2000);
    u64(fixture, 0x10);
    u8(fixture, 0x7e);
    u32(fixture, 2);
}

static void
round_begins(Fixture *fixture, guint8 type)
{
    u8(fixture, type);
    u32(fixture, 2);
}

static void
round_ends(Fixture *fixture)
{
    u64(fixture, 0x10);
    u8(fixture, 0x7e);
    u32(fixture, 2);
}

static int
open_block(void *opaque, const char *block, guint64 size, GError **err)
{
    Fixture *fixture = opaque;

    if (strcmp(block, "pc.ram") != 0)
        return -1;
    fixture->size = size;
    g_assert_cmpint(ftruncate(fixture->ram, (off_t)size), ==, 0);
    return fixture->ram;
}

static bool
go_on(void *opaque, guint64 done)
{
    return true;
}

static bool
split(Fixture *fixture, GError **err)
{
    g_assert_cmpint(pwrite(fixture->in, fixture->bytes->data, fixture->bytes->len, 100), ==,
                    fixture->bytes->len);
    return memory_stream_split(&(MemorySplit){.in_fd = fixture->in,
                                              .begin = 100,
                                              .state_fd = fixture->state,
                                              .open_block = open_block,
                                              .go_on = go_on,
                                              .opaque = fixture},
                               err);
}

static guint8
ram_at(const Fixture *fixture, off_t offset)
{
    guint8 byte;

    g_assert_cmpint(pread(fixture->ram, &byte, 1, offset), ==, 1);
    return byte;
}

static void
test_pages_land_at_their_offsets_and_the_last_counts(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GError) err = NULL;

    begin(fixture);
    round_begins(fixture, 2);
    page(fixture, 0x1000, "pc.ram", 5);
    page(fixture, 0x2000, NULL, 6);
    round_ends(fixture);
    round_begins(fixture, 3);
    page(fixture, 0x3000, NULL, 7); /* the same block, over the border of sections */
    fill(fixture, 0x2000, NULL, 0); /* was 6 */
    fill(fixture, 0x1000, NULL, 9);
    round_ends(fixture);
    u8(fixture, 4);
    u32(fixture, 77);
    g_assert_true(split(fixture, &err));
    g_assert_no_error(err);
    g_assert_cmpuint(fixture->size, ==, 0x4000);
    g_assert_cmpuint(ram_at(fixture, 0), ==, 0);
    g_assert_cmpuint(ram_at(fixture, 0x1fff), ==, 9);
    g_assert_cmpuint(ram_at(fixture, 0x2000), ==, 0);
    g_assert_cmpuint(ram_at(fixture, 0x3000), ==, 7);
}

static void
test_everything_else_is_a_stream_without_those_pages(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GByteArray) wanted = NULL;
    g_autofree guint8 *got = NULL;
    struct stat st;

    begin(fixture);
    round_begins(fixture, 3);
    page(fixture, 0x1000, "vga", 3);
    fill(fixture, 0, NULL, 1);
    round_ends(fixture);
    u8(fixture, 4);
    u32(fixture, 77);
    wanted = g_byte_array_new();
    g_byte_array_append(wanted, fixture->bytes->data, fixture->bytes->len);

    g_byte_array_set_size(fixture->bytes, 0);
    begin(fixture);
    round_begins(fixture, 3);
    page(fixture, 0x1000, "vga", 3);
    page(fixture, 0x2000, "pc.ram", 4);
    fill(fixture, 0, "vga", 1);
    round_ends(fixture);
    u8(fixture, 4);
    u32(fixture, 77);
    g_assert_true(split(fixture, NULL));
    /* Names are said each time: that is four bytes more than the shortest form. */
    g_assert_cmpint(fstat(fixture->state, &st), ==, 0);
    g_assert_cmpint(st.st_size, ==, wanted->len + 4);
    got = g_malloc((gsize)st.st_size);
    g_assert_cmpint(pread(fixture->state, got, (gsize)st.st_size, 0), ==, st.st_size);
    g_assert_cmpmem(got, 128, wanted->data, 128);
    g_assert_cmpmem(got + st.st_size - 19, 19, wanted->data + wanted->len - 19, 19);
}

static void
expect_refusal(Fixture *fixture, int code)
{
    g_autoptr(GError) err = NULL;

    g_assert_false(split(fixture, &err));
    g_assert_cmpint(error_code(err), ==, code);
}

static void
test_page_outside_of_its_block_is_refused(Fixture *fixture, gconstpointer data)
{
    begin(fixture);
    round_begins(fixture, 2);
    page(fixture, 0x4000, "pc.ram", 5);
    expect_refusal(fixture, VIR_ERR_OPERATION_UNSUPPORTED);
}

static void
test_page_of_an_unknown_block_is_refused(Fixture *fixture, gconstpointer data)
{
    begin(fixture);
    round_begins(fixture, 2);
    page(fixture, 0, NULL, 5);
    expect_refusal(fixture, VIR_ERR_OPERATION_UNSUPPORTED);
}

static void
test_compressed_page_is_refused(Fixture *fixture, gconstpointer data)
{
    begin(fixture);
    round_begins(fixture, 2);
    u64(fixture, 0x100);
    expect_refusal(fixture, VIR_ERR_OPERATION_UNSUPPORTED);
}

static void
test_other_contents_are_refused(Fixture *fixture, gconstpointer data)
{
    begin(fixture);
    u8(fixture, 1);
    u32(fixture, 3);
    name(fixture, "dirty-bitmap");
    u32(fixture, 0);
    u32(fixture, 1);
    expect_refusal(fixture, VIR_ERR_OPERATION_UNSUPPORTED);
}

static void
test_stream_that_ends_early_is_an_error(Fixture *fixture, gconstpointer data)
{
    begin(fixture);
    round_begins(fixture, 2);
    page(fixture, 0, "pc.ram", 5);
    g_byte_array_set_size(fixture->bytes, fixture->bytes->len - 1);
    expect_refusal(fixture, VIR_ERR_OPERATION_FAILED);
}

static bool
stop(void *opaque, guint64 done)
{
    return false;
}

static void
test_it_stops_when_told_to(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GError) err = NULL;

    begin(fixture);
    round_begins(fixture, 2);
    for (int i = 0; i < 3000; i++)
        page(fixture, 0, "pc.ram", 5);
    g_assert_cmpint(pwrite(fixture->in, fixture->bytes->data, fixture->bytes->len, 0), ==,
                    fixture->bytes->len);
    g_assert_false(memory_stream_split(&(MemorySplit){.in_fd = fixture->in,
                                                      .state_fd = fixture->state,
                                                      .open_block = open_block,
                                                      .go_on = stop,
                                                      .opaque = fixture},
                                       &err));
    g_assert_cmpint(error_code(err), ==, VIR_ERR_OPERATION_ABORTED);
}

#define ADD(test) g_test_add("/memory-stream/" #test, Fixture, NULL, set_up, test_##test, tear_down)

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD(pages_land_at_their_offsets_and_the_last_counts);
    ADD(everything_else_is_a_stream_without_those_pages);
    ADD(page_outside_of_its_block_is_refused);
    ADD(page_of_an_unknown_block_is_refused);
    ADD(compressed_page_is_refused);
    ADD(other_contents_are_refused);
    ADD(stream_that_ends_early_is_an_error);
    ADD(it_stops_when_told_to);
    return g_test_run();
}
