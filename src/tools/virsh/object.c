/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See object.h. */
#include "tools/virsh/object.h"

#include <string.h>

#include "tools/virsh/edit.h"
#include "tools/virsh/output.h"
#include "tools/virsh/xpath.h"

void *
args_object(Shell *shell, const Args *args, const ObjectKind *kind)
{
    const char *name = args_text(args, kind->option);
    void *object = kind->find(shell, name);

    if (!object)
        shell_fail(shell, "failed to get %s '%s'", kind->what, name);
    return object;
}

bool
cmd_object_verb(Shell *shell, const Args *args)
{
    const ObjectVerb *verb = args_detail(args);
    void *object = args_object(shell, args, verb->kind);
    bool good;

    if (!object)
        return false;
    /* The name is gone with the object: keep it. */
    g_autofree char *name = g_strdup(verb->kind->name(object));
    good = verb->call(object) >= 0;
    if (good)
        shell_note(shell, verb->done, name);
    else
        shell_fail(shell, verb->failed, name);
    verb->kind->release(object);
    return good;
}

bool
cmd_object_autostart(Shell *shell, const Args *args)
{
    const ObjectAutostart *autostart = args_detail(args);
    bool off = args_has(args, "disable"), good;
    void *object = args_object(shell, args, autostart->kind);
    g_autofree char *what = g_strdup(autostart->kind->what);

    if (!object)
        return false;
    good = autostart->set(object, !off) >= 0;
    if (!good) {
        shell_fail(shell, "failed to %smark %s %s as autostarted", off ? "un" : "", what,
                   autostart->kind->name(object));
    } else {
        *what = g_ascii_toupper(*what);
        shell_note(shell, "%s %s %smarked as autostarted\n", what, autostart->kind->name(object),
                   off ? "un" : "");
    }
    autostart->kind->release(object);
    return good;
}

bool
cmd_object_dumpxml(Shell *shell, const Args *args)
{
    const ObjectDump *dump = args_detail(args);
    void *object = args_object(shell, args, dump->kind);
    g_autofree char *xml = NULL;

    if (!object)
        return false;
    xml = dump->kind->get_xml(object, args_has(args, "inactive") ? dump->inactive_flag : 0);
    dump->kind->release(object);
    return xml && print_xml_parts(shell, args, xml);
}

bool
cmd_object_define(Shell *shell, const Args *args)
{
    const ObjectDefine *define = args_detail(args);
    const char *file = args_text(args, "file");
    g_autofree char *xml = args_file(shell, args, "file");
    void *object;

    if (!xml)
        return false;
    object =
        define->define(shell_connection(shell), xml, args_bits(args, define->bits, define->n_bits));
    if (!object)
        return shell_fail(shell, define->failed, file);
    shell_note(shell, define->done, define->kind->name(object), file);
    define->kind->release(object);
    return true;
}

typedef struct {
    const ObjectEdit *edit;
    void *object;
} Edited;

static char *
get_xml(void *opaque)
{
    Edited *edited = opaque;

    return edited->edit->kind->get_xml(edited->object, edited->edit->get_flags);
}

static bool
put_xml(Shell *shell, void *opaque, const char *xml, bool validate)
{
    Edited *edited = opaque;
    void *made = edited->edit->define(shell_connection(shell), xml, 0);

    if (made)
        edited->edit->kind->release(made);
    return made != NULL;
}

bool
cmd_object_edit(Shell *shell, const Args *args)
{
    const ObjectEdit *edit = args_detail(args);
    Edited edited = {edit, args_object(shell, args, edit->kind)};
    g_autofree char *title = NULL;
    bool good;

    if (!edited.object)
        return false;
    title = g_strdup_printf(edit->title, edit->kind->name(edited.object));
    good = edit_xml(shell, title, &edited, get_xml, put_xml, false);
    edit->kind->release(edited.object);
    return good;
}

bool
cmd_object_text(Shell *shell, const Args *args)
{
    const ObjectText *wanted = args_detail(args);
    void *object = args_object(shell, args, wanted->kind);
    char buffer[VIR_UUID_STRING_BUFLEN] = "";
    const char *text = buffer;

    if (!object)
        return false;
    if (wanted->to_buffer && wanted->to_buffer(object, buffer) < 0)
        text = NULL;
    else if (!wanted->to_buffer)
        text = wanted->get(object);
    if (text)
        print_value(shell, wanted->key, text);
    wanted->kind->release(object);
    return text != NULL;
}

/* ---- trees ---- */

static bool
is_root(const TreeNode *nodes, gsize n, gsize i)
{
    for (gsize k = 0; k < n && nodes[i].parent; k++) {
        if (g_str_equal(nodes[k].name, nodes[i].parent))
            return false;
    }
    return true;
}

/* The node and what is below it; @indent is what stands before all of it. A blank line follows the last leaf of a branch. */
static void
print_branch(Shell *shell, const TreeNode *nodes, gsize n, gsize at, const char *indent, bool root,
             bool last)
{
    g_autofree char *inner = g_strdup_printf("%s%s", indent, root ? "" : last ? "  " : "| ");
    g_autofree char *below = g_strdup_printf("%s  ", inner);
    gsize left = 0;

    shell_print(shell, "%s%s%s\n", indent, root ? "" : "+- ", nodes[at].name);
    for (gsize i = 0; i < n; i++)
        left += g_strcmp0(nodes[i].parent, nodes[at].name) == 0;
    if (left)
        shell_print(shell, "%s  |\n", inner);
    else if (last)
        shell_print(shell, "%s\n", inner);
    for (gsize i = 0; i < n && left; i++) {
        if (g_strcmp0(nodes[i].parent, nodes[at].name) == 0)
            print_branch(shell, nodes, n, i, below, false, --left == 0);
    }
}

void
tree_print(Shell *shell, const TreeNode *nodes, gsize n)
{
    for (gsize i = 0; i < n; i++) {
        if (is_root(nodes, n, i))
            print_branch(shell, nodes, n, i, "", true, true);
    }
}
