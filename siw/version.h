/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Version of the module.
 */
#ifndef _SIW_VERSION_H
#define _SIW_VERSION_H

#include <linux/stringify.h>

#define SIW_VERSION_MAJOR	0
#define SIW_VERSION_MINOR	1
#define SIW_VERSION_PATCH	0

#define SIW_VERSION	__stringify(SIW_VERSION_MAJOR) "." \
			__stringify(SIW_VERSION_MINOR) "." \
			__stringify(SIW_VERSION_PATCH)

/* As libsiw takes it apart */
#define SIW_FW_VER	((u64)SIW_VERSION_MAJOR << 32 | \
			 SIW_VERSION_MINOR << 16 | SIW_VERSION_PATCH)

#endif
