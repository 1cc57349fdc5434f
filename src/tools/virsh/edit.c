/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See edit.h. The editor is run from a split command line, never through a shell. */
#include "tools/virsh/edit.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static bool
run_editor(Shell *shell, const char *path)
{
    const char *editor = g_getenv("VISUAL");
    g_auto(GStrv) words = NULL;
    g_autoptr(GPtrArray) argv = g_ptr_array_new();
    g_autoptr(GError) err = NULL;
    int status;

    if (!editor || !*editor)
        editor = g_getenv("EDITOR");
    if (!editor || !*editor)
        editor = "vi";
    if (!g_shell_parse_argv(editor, NULL, &words, &err))
        return shell_fail(shell, "cannot read $EDITOR '%s': %s", editor, err->message);
    for (char **word = words; *word; word++)
        g_ptr_array_add(argv, *word);
    g_ptr_array_add(argv, (char *)path);
    g_ptr_array_add(argv, NULL);
    if (!g_spawn_sync(NULL, (char **)argv->pdata, NULL,
                      G_SPAWN_SEARCH_PATH | G_SPAWN_CHILD_INHERITS_STDIN, NULL, NULL, NULL, NULL,
                      &status, &err) ||
        !g_spawn_check_wait_status(status, &err))
        return shell_fail(shell, "editor '%s' failed: %s", editor, err->message);
    return true;
}

char *
edit_text(Shell *shell, const char *text)
{
    g_autofree char *path = NULL;
    g_autoptr(GError) err = NULL;
    char *edited = NULL;
    int fd = g_file_open_tmp("virshXXXXXX.xml", &path, &err);

    if (fd < 0 || close(fd) < 0 || !g_file_set_contents(path, text, -1, &err)) {
        shell_fail(shell, "cannot write the file to edit: %s", err ? err->message : "disk full");
        return NULL;
    }
    if (run_editor(shell, path) && !g_file_get_contents(path, &edited, NULL, &err))
        shell_fail(shell, "cannot read the edited file '%s': %s", path, err->message);
    unlink(path);
    return edited;
}

static char
ask_again(void)
{
    char answer[16];

    while (true) {
        printf("Failed. Try again? [y,n,i,f,?]: ");
        fflush(stdout);
        if (!fgets(answer, sizeof answer, stdin))
            return 'n';
        char c = g_ascii_tolower(answer[0]);
        if (strchr("ynif", c) && c)
            return c;
        printf("y - yes, edit again\nn - no, throw the changes away\ni - try once more without "
               "schema validation\n"
               "f - force: put the document although somebody changed it meanwhile\n");
    }
}

bool
edit_xml(Shell *shell, const char *what, void *object, char *(*get)(void *object),
         bool (*put)(Shell *shell, void *object, const char *xml, bool validate), bool validate)
{
    g_autofree char *before = get(object);
    g_autofree char *text = g_strdup(before);
    bool forced = false;

    while (text) {
        g_autofree char *edited = edit_text(shell, text);
        if (!edited)
            return false;
        if (g_str_equal(edited, before)) {
            shell_note(shell, "%s not changed.\n", what);
            return true;
        }
        for (bool again = true; again;) {
            g_autofree char *now = get(object);
            bool moved = now && !g_str_equal(now, before) && !forced;
            if (moved)
                shell_fail(shell, "the XML was changed by somebody else meanwhile");
            else if (put(shell, object, edited, validate)) {
                shell_note(shell, "%s edited.\n", what);
                return true;
            } else if (virGetLastErrorMessage())
                shell_fail(shell, "%s", virGetLastErrorMessage());
            shell_forget_error();
            if (!isatty(STDIN_FILENO))
                return false;
            char answer = ask_again();
            if (answer == 'n')
                return false;
            forced = forced || answer == 'f';
            validate = validate && answer != 'i';
            again = answer != 'y';
        }
        g_free(text);
        text = g_steal_pointer(&edited);
    }
    return false;
}
