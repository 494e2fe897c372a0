// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Layout checks against the running machine: the static assertions of pabi.h
 * and abi.h are checked by compiling this file; at run time it checks that the
 * installed library exports each symbol the provider binds to.
 */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>

#include "../abi.h"

static const char * const symbols[] = {
	"_verbs_init_and_alloc_context",
	"ibv_cmd_advise_mr",
	"ibv_cmd_alloc_mw",
	"ibv_cmd_alloc_pd",
	"ibv_cmd_create_cq_ex",
	"ibv_cmd_create_qp_ex",
	"ibv_cmd_create_srq",
	"ibv_cmd_create_srq_ex",
	"ibv_cmd_dealloc_mw",
	"ibv_cmd_dealloc_pd",
	"ibv_cmd_dereg_mr",
	"ibv_cmd_destroy_cq",
	"ibv_cmd_destroy_qp",
	"ibv_cmd_destroy_srq",
	"ibv_cmd_free_dm",
	"ibv_cmd_get_context",
	"ibv_cmd_modify_cq",
	"ibv_cmd_modify_qp",
	"ibv_cmd_modify_srq",
	"ibv_cmd_post_send",
	"ibv_cmd_query_context",
	"ibv_cmd_query_device_any",
	"ibv_cmd_query_mr",
	"ibv_cmd_query_port",
	"ibv_cmd_query_qp",
	"ibv_cmd_query_srq",
	"ibv_cmd_reg_dm_mr",
	"ibv_cmd_reg_dmabuf_mr",
	"ibv_cmd_reg_mr",
	"ibv_cmd_rereg_mr",
	"ibv_cmd_resize_cq",
	"verbs_set_ops",
	"verbs_uninit_context",
};

int main(void)
{
	char node[32];
	void *lib;
	size_t i;
	int bad = 0;

	snprintf(node, sizeof(node), "IBVERBS_PRIVATE_%d", SIW_PABI);
	printf("KTAP version 1\n1..%zu\n", sizeof(symbols) / sizeof(*symbols));
	lib = dlopen("libibverbs.so.1", RTLD_NOW);
	for (i = 0; i < sizeof(symbols) / sizeof(*symbols); i++) {
		int ok = lib && dlvsym(lib, symbols[i], node);

		printf("%sok %zu %s@%s\n", ok ? "" : "not ", i + 1, symbols[i],
		       node);
		bad |= !ok;
	}
	return bad;
}
