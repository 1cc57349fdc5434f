/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Letting a person change text in $VISUAL or $EDITOR. */
#pragma once

#include "tools/virsh/shell.h"

/* The text after editing; NULL after saying why. */
char *edit_text(Shell *shell, const char *text);
/* Get, edit, put; when putting fails the person may edit again, and nothing typed is lost. @what names it in messages. */
bool edit_xml(Shell *shell, const char *what, void *object, char *(*get)(void *object),
              bool (*put)(Shell *shell, void *object, const char *xml, bool validate),
              bool validate);
