/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See memory_stream.h. Integers are big-endian. A page may come more than once: the last one
 * counts. */
#define ERROR_DOMAIN VIR_FROM_STORAGE

#include "image/memory_stream.h"

#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"

#define STREAM_MAGIC 0x5145564du
#define STREAM_VERSION 3u

enum {
    SECTION_START = 1,
    SECTION_PART,
    SECTION_END,
    SECTION_FULL,
    SECTION_CONFIGURATION = 7,
    SECTION_FOOTER = 0x7e,
};

enum {
    PAGE_FILL = 0x02,
    PAGE_BLOCKS = 0x04,
    PAGE_BYTES = 0x08,
    PAGE_ROUND_ENDS = 0x10,
    PAGE_SAME_BLOCK = 0x20,
    PAGE_FLUSH = 0x200,
};

enum {
    BUFFER_BYTES = 1024 * 1024,
    BLOCKS_MAX = 1024,
    NAME_MAX_BYTES = 255,
    MACHINE_NAME_MAX = 1024,
    GO_ON_EVERY = 8 * BUFFER_BYTES,
};

typedef struct {
    char *name;
    guint64 size;
    int fd;          /* -1: its pages stay in the stream */
    guint8 *written; /* a bit for each page that is not a hole */
} Block;

typedef struct {
    const MemorySplit *split;
    GError **err;

    guint8 *in;
    gsize in_at, in_len;
    gint64 in_offset; /* of what follows the buffer */
    guint64 reported;

    GByteArray *out; /* of the state, not written yet */

    GPtrArray *blocks;
    Block *block; /* of the page before */

    guint8 *run; /* pages that follow each other in one block, not written yet */
    gsize run_len;
    guint64 run_offset;
    Block *run_block;

    guint32 ram_id;
    bool has_ram;
} Splitter;

static void
block_free(Block *block)
{
    g_free(block->name);
    g_free(block->written);
    g_free(block);
}

static bool
refuse(Splitter *splitter, const char *what)
{
    return fail(splitter->err, VIR_ERR_OPERATION_UNSUPPORTED,
                "the memory stream has %s at byte %" G_GINT64_FORMAT, what,
                splitter->in_offset - (gint64)(splitter->in_len - splitter->in_at) -
                    splitter->split->begin);
}

/* ---- reading ---- */

static bool
report(Splitter *splitter)
{
    guint64 done = (guint64)(splitter->in_offset - splitter->split->begin);

    if (done < splitter->reported + GO_ON_EVERY)
        return true;
    splitter->reported = done;
    if (splitter->split->go_on(splitter->split->opaque, done))
        return true;
    return fail(splitter->err, VIR_ERR_OPERATION_ABORTED, "stopped before its end");
}

/* At least @wanted bytes in the buffer; false with an error when the file ends before. */
static bool
need(Splitter *splitter, gsize wanted)
{
    gsize left = splitter->in_len - splitter->in_at;

    if (left >= wanted)
        return true;
    memmove(splitter->in, splitter->in + splitter->in_at, left);
    splitter->in_at = 0;
    splitter->in_len = left;
    while (splitter->in_len < wanted) {
        ssize_t got = pread(splitter->split->in_fd, splitter->in + splitter->in_len,
                            BUFFER_BYTES - splitter->in_len, splitter->in_offset);

        if (got < 0)
            return fail_errno(splitter->err, "read", "the memory stream");
        if (got == 0)
            return fail(splitter->err, VIR_ERR_OPERATION_FAILED,
                        "the memory stream ends too early");
        splitter->in_len += (gsize)got;
        splitter->in_offset += got;
    }
    return report(splitter);
}

static bool
take(Splitter *splitter, gsize len, const guint8 **bytes)
{
    if (!need(splitter, len))
        return false;
    *bytes = splitter->in + splitter->in_at;
    splitter->in_at += len;
    return true;
}

static bool
take_u8(Splitter *splitter, guint8 *value)
{
    const guint8 *bytes;

    if (!take(splitter, 1, &bytes))
        return false;
    *value = bytes[0];
    return true;
}

static bool
take_u32(Splitter *splitter, guint32 *value)
{
    const guint8 *bytes;

    if (!take(splitter, 4, &bytes))
        return false;
    memcpy(value, bytes, 4);
    *value = GUINT32_FROM_BE(*value);
    return true;
}

static bool
take_u64(Splitter *splitter, guint64 *value)
{
    const guint8 *bytes;

    if (!take(splitter, 8, &bytes))
        return false;
    memcpy(value, bytes, 8);
    *value = GUINT64_FROM_BE(*value);
    return true;
}

static bool
take_name(Splitter *splitter, char name[NAME_MAX_BYTES + 1])
{
    const guint8 *bytes;
    guint8 len;

    if (!take_u8(splitter, &len) || !take(splitter, len, &bytes))
        return false;
    memcpy(name, bytes, len);
    name[len] = '\0';
    return true;
}

/* ---- writing the state ---- */

static bool
flush_state(Splitter *splitter)
{
    GByteArray *out = splitter->out;

    if (!fd_write_all(splitter->split->state_fd, out->data, out->len))
        return fail_errno(splitter->err, "write", "the state of the devices");
    g_byte_array_set_size(out, 0);
    return true;
}

static bool
put(Splitter *splitter, const void *bytes, gsize len)
{
    g_byte_array_append(splitter->out, bytes, (guint)len);
    return splitter->out->len < BUFFER_BYTES || flush_state(splitter);
}

static bool
put_u8(Splitter *splitter, guint8 value)
{
    return put(splitter, &value, 1);
}

static bool
put_u32(Splitter *splitter, guint32 value)
{
    value = GUINT32_TO_BE(value);
    return put(splitter, &value, 4);
}

static bool
put_u64(Splitter *splitter, guint64 value)
{
    value = GUINT64_TO_BE(value);
    return put(splitter, &value, 8);
}

static bool
put_name(Splitter *splitter, const char *name)
{
    gsize len = strlen(name);

    return put_u8(splitter, (guint8)len) && put(splitter, name, len);
}

static bool
copy_rest(Splitter *splitter)
{
    for (;;) {
        gsize left = splitter->in_len - splitter->in_at;
        ssize_t got;

        if (!put(splitter, splitter->in + splitter->in_at, left))
            return false;
        splitter->in_at = splitter->in_len = 0;
        got = pread(splitter->split->in_fd, splitter->in, BUFFER_BYTES, splitter->in_offset);
        if (got < 0)
            return fail_errno(splitter->err, "read", "the memory stream");
        if (got == 0)
            return flush_state(splitter);
        splitter->in_len = (gsize)got;
        splitter->in_offset += got;
        if (!report(splitter))
            return false;
    }
}

/* ---- writing pages ---- */

static bool
flush_run(Splitter *splitter)
{
    gsize done = 0;

    while (done < splitter->run_len) {
        ssize_t put = pwrite(splitter->run_block->fd, splitter->run + done,
                             splitter->run_len - done, (off_t)(splitter->run_offset + done));

        if (put < 0)
            return fail_errno(splitter->err, "write", splitter->run_block->name);
        done += (gsize)put;
    }
    splitter->run_len = 0;
    return true;
}

static bool
write_page(Splitter *splitter, Block *block, guint64 offset, const guint8 *page)
{
    guint64 number = offset / MEMORY_PAGE_BYTES;

    if (splitter->run_len > 0 &&
        (splitter->run_block != block || splitter->run_offset + splitter->run_len != offset ||
         splitter->run_len == BUFFER_BYTES) &&
        !flush_run(splitter))
        return false;
    if (splitter->run_len == 0) {
        splitter->run_block = block;
        splitter->run_offset = offset;
    }
    memcpy(splitter->run + splitter->run_len, page, MEMORY_PAGE_BYTES);
    splitter->run_len += MEMORY_PAGE_BYTES;
    block->written[number / 8] |= (guint8)(1u << number % 8);
    return true;
}

/* What is zero and was never anything else stays a hole. */
static bool
write_fill(Splitter *splitter, Block *block, guint64 offset, guint8 byte)
{
    guint64 number = offset / MEMORY_PAGE_BYTES;
    guint8 page[MEMORY_PAGE_BYTES];

    if (byte == 0 && !(block->written[number / 8] & 1u << number % 8))
        return true;
    memset(page, byte, sizeof(page));
    return write_page(splitter, block, offset, page);
}

/* ---- pages ---- */

static Block *
find_block(const Splitter *splitter, const char *name)
{
    for (guint i = 0; i < splitter->blocks->len; i++) {
        Block *block = splitter->blocks->pdata[i];

        if (strcmp(block->name, name) == 0)
            return block;
    }
    return NULL;
}

static bool
add_block(Splitter *splitter, const char *name, guint64 size)
{
    const MemorySplit *split = splitter->split;
    Block *block;
    GError *why = NULL;

    if (splitter->blocks->len == BLOCKS_MAX || find_block(splitter, name))
        return refuse(splitter, "too many blocks of memory");
    block = g_new0(Block, 1);
    block->name = g_strdup(name);
    block->size = size;
    g_ptr_array_add(splitter->blocks, block);
    block->fd = split->open_block(split->opaque, name, size, &why);
    if (why) {
        g_propagate_error(splitter->err, why);
        return false;
    }
    if (block->fd < 0)
        return true;
    block->written = g_try_malloc0(size / MEMORY_PAGE_BYTES / 8 + 1);
    if (!block->written)
        return refuse(splitter, "a block of memory that is too large");
    return true;
}

/* The list of all blocks, @total bytes together. */
static bool
split_blocks(Splitter *splitter, guint64 total)
{
    while (total > 0) {
        char name[NAME_MAX_BYTES + 1];
        guint64 size;

        if (!take_name(splitter, name) || !take_u64(splitter, &size))
            return false;
        if (size == 0 || size > total)
            return refuse(splitter, "a list of blocks that does not add up");
        if (!add_block(splitter, name, size) || !put_name(splitter, name) ||
            !put_u64(splitter, size))
            return false;
        total -= size;
    }
    return true;
}

static bool
choose_block(Splitter *splitter, guint64 flags)
{
    char name[NAME_MAX_BYTES + 1];

    if (!(flags & PAGE_SAME_BLOCK)) {
        if (!take_name(splitter, name))
            return false;
        splitter->block = find_block(splitter, name);
    }
    return splitter->block || refuse(splitter, "a page of an unknown block");
}

static bool
split_page(Splitter *splitter, guint64 offset, guint64 flags)
{
    const guint8 *bytes;
    gsize len = flags & PAGE_FILL ? 1 : MEMORY_PAGE_BYTES;
    Block *block;

    if (!choose_block(splitter, flags))
        return false;
    block = splitter->block;
    if (offset + MEMORY_PAGE_BYTES > block->size || offset % MEMORY_PAGE_BYTES)
        return refuse(splitter, "a page outside of its block");
    if (!take(splitter, len, &bytes))
        return false;
    if (block->fd < 0)
        /* Pages are left out in between: the name is always said. */
        return put_u64(splitter, offset | (flags & ~(guint64)PAGE_SAME_BLOCK)) &&
               put_name(splitter, block->name) && put(splitter, bytes, len);
    return len == 1 ? write_fill(splitter, block, offset, bytes[0])
                    : write_page(splitter, block, offset, bytes);
}

/* What one section says about RAM, up to the end of its round. */
static bool
split_pages(Splitter *splitter)
{
    const guint64 mask = MEMORY_PAGE_BYTES - 1;

    for (;;) {
        guint64 word, flags;

        if (!take_u64(splitter, &word))
            return false;
        flags = word & mask;
        word &= ~mask;
        switch (flags & ~(guint64)PAGE_SAME_BLOCK) {
        case PAGE_BLOCKS:
            if (!put_u64(splitter, word | flags) || !split_blocks(splitter, word))
                return false;
            break;
        case PAGE_FILL:
        case PAGE_BYTES:
            if (!split_page(splitter, word, flags))
                return false;
            break;
        case PAGE_FLUSH:
            if (!put_u64(splitter, word | flags))
                return false;
            break;
        case PAGE_ROUND_ENDS:
            return put_u64(splitter, word | flags);
        default:
            return refuse(splitter, "pages of a kind that is not known");
        }
    }
}

/* ---- sections ---- */

static bool
split_head(Splitter *splitter)
{
    guint32 magic, version;

    if (!take_u32(splitter, &magic) || !take_u32(splitter, &version))
        return false;
    if (magic != STREAM_MAGIC || version != STREAM_VERSION)
        return refuse(splitter, "another beginning than QEMU's");
    return put_u32(splitter, magic) && put_u32(splitter, version);
}

static bool
copy_configuration(Splitter *splitter)
{
    const guint8 *bytes;
    guint32 len;

    if (!take_u32(splitter, &len))
        return false;
    if (len > MACHINE_NAME_MAX)
        return refuse(splitter, "a machine name that is too long");
    return put_u32(splitter, len) && take(splitter, len, &bytes) && put(splitter, bytes, len);
}

static bool
copy_footer(Splitter *splitter, guint32 id)
{
    guint8 type;
    guint32 again;

    if (!take_u8(splitter, &type) || !take_u32(splitter, &again))
        return false;
    if (type != SECTION_FOOTER || again != id)
        return refuse(splitter, "a section without its end");
    return put_u8(splitter, type) && put_u32(splitter, again);
}

static bool
split_first_section(Splitter *splitter)
{
    char name[NAME_MAX_BYTES + 1];
    guint32 id, instance, version;

    if (!take_u32(splitter, &id) || !take_name(splitter, name) || !take_u32(splitter, &instance) ||
        !take_u32(splitter, &version))
        return false;
    if (strcmp(name, "ram") != 0 || splitter->has_ram)
        return refuse(splitter, "contents besides RAM");
    splitter->has_ram = true;
    splitter->ram_id = id;
    return put_u32(splitter, id) && put_name(splitter, name) && put_u32(splitter, instance) &&
           put_u32(splitter, version) && split_pages(splitter) && copy_footer(splitter, id);
}

static bool
split_next_section(Splitter *splitter)
{
    guint32 id;

    if (!take_u32(splitter, &id))
        return false;
    if (!splitter->has_ram || id != splitter->ram_id)
        return refuse(splitter, "contents besides RAM");
    return put_u32(splitter, id) && split_pages(splitter) && copy_footer(splitter, id);
}

static bool
split_sections(Splitter *splitter)
{
    if (!split_head(splitter))
        return false;
    for (;;) {
        guint8 type;
        bool ok;

        if (!take_u8(splitter, &type) || !put_u8(splitter, type))
            return false;
        switch (type) {
        case SECTION_CONFIGURATION:
            ok = copy_configuration(splitter);
            break;
        case SECTION_START:
            ok = split_first_section(splitter);
            break;
        case SECTION_PART:
        case SECTION_END:
            ok = split_next_section(splitter);
            break;
        case SECTION_FULL:
            if (!splitter->has_ram)
                return refuse(splitter, "devices before RAM");
            return copy_rest(splitter); /* RAM is complete: devices follow */
        default:
            return refuse(splitter, "a section of a kind that is not known");
        }
        if (!ok)
            return false;
    }
}

bool
memory_stream_split(const MemorySplit *split, GError **err)
{
    g_autoptr(GPtrArray) blocks = g_ptr_array_new_with_free_func((GDestroyNotify)block_free);
    g_autoptr(GByteArray) out = g_byte_array_new();
    g_autofree guint8 *in = g_malloc(BUFFER_BYTES);
    g_autofree guint8 *run = g_malloc(BUFFER_BYTES);
    Splitter splitter = {.split = split,
                         .err = err,
                         .in = in,
                         .in_offset = split->begin,
                         .out = out,
                         .blocks = blocks,
                         .run = run};

    return split_sections(&splitter) && flush_run(&splitter);
}
