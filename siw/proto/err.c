// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * The table of protocol faults: names, Terminate triples (RFC 6580 3.1 to
 * 3.3, RFC 6581 8, RFC 7306 8) and what a Terminate quotes (RFC 5040 Fig. 10).
 */
#include <iwarp/rdmap.h>
#include "err.h"

#define FAULT(err_, name_, layer_, etype_, code_, quote_, send_)	\
	[err_] = {						\
		.name = name_, .layer = layer_, .etype = etype_,	\
		.code = code_, .quote = IW_QUOTE_##quote_, .send = send_ }

#define RDMAP_LOCAL(e, n, c) \
	FAULT(e, n, RDMAP_LAYER_RDMAP, RDMAP_ETYPE_LOCAL, c, NONE, true)
#define RDMAP_PROT(e, n, c) \
	FAULT(e, n, RDMAP_LAYER_RDMAP, RDMAP_ETYPE_PROTECTION, c, READ, true)
#define RDMAP_OPER(e, n, c) \
	FAULT(e, n, RDMAP_LAYER_RDMAP, RDMAP_ETYPE_OPERATION, c, DDP, true)
#define DDP_LOCAL(e, n, c) \
	FAULT(e, n, RDMAP_LAYER_DDP, DDP_ETYPE_LOCAL, c, DDP, true)
#define DDP_TAG(e, n, c) \
	FAULT(e, n, RDMAP_LAYER_DDP, DDP_ETYPE_TAGGED, c, DDP, true)
#define DDP_UNTAG(e, n, c) \
	FAULT(e, n, RDMAP_LAYER_DDP, DDP_ETYPE_UNTAGGED, c, DDP, true)
#define MPA(e, n, c) \
	FAULT(e, n, RDMAP_LAYER_LLP, MPA_ETYPE_ERROR, c, NONE, true)
/* known to the RFCs by a code that no Terminate ever carries */
#define MPA_SILENT(e, n, c) \
	FAULT(e, n, RDMAP_LAYER_LLP, MPA_ETYPE_ERROR, c, NONE, false)

static const struct iw_err_info faults[IW_ERR_COUNT] = {
	[IW_OK] = { .name = "ok" },

	RDMAP_LOCAL(IW_ERR_LOCAL,		"local",		0x00),

	RDMAP_PROT(IW_ERR_SRC_STAG,		"src_stag",		0x00),
	RDMAP_PROT(IW_ERR_SRC_BOUNDS,		"src_bounds",		0x01),
	RDMAP_PROT(IW_ERR_SRC_ACCESS,		"src_access",		0x02),
	RDMAP_PROT(IW_ERR_SRC_STREAM,		"src_stream",		0x03),
	RDMAP_PROT(IW_ERR_SRC_WRAP,		"src_wrap",		0x04),
	RDMAP_PROT(IW_ERR_SRC_REVOKED,		"src_revoked",		0x00),
	RDMAP_PROT(IW_ERR_INV_STREAM,		"inv_stream",		0x09),

	RDMAP_OPER(IW_ERR_RDMAP_VERSION,	"rdmap_version",	0x05),
	RDMAP_OPER(IW_ERR_OPCODE,		"opcode",		0x06),
	RDMAP_OPER(IW_ERR_OPCODE_TAG,		"opcode_tag",		0x06),
	RDMAP_OPER(IW_ERR_OPCODE_CHANGED,	"opcode_changed",	0x06),
	RDMAP_OPER(IW_ERR_ATOMIC_OPCODE,	"atomic_opcode",	0x06),
	RDMAP_OPER(IW_ERR_RESP_UNSOLICITED,	"resp_unsolicited",	0x06),
	RDMAP_OPER(IW_ERR_ATOMIC_ALIGN,	"atomic_align",		0x07),
	RDMAP_OPER(IW_ERR_INV_STAG,		"inv_stag",		0x09),
	RDMAP_OPER(IW_ERR_IMM_LEN,		"imm_len",		0xff),
	RDMAP_OPER(IW_ERR_ATOMIC_RESP_ID,	"atomic_resp_id",	0xff),
	RDMAP_OPER(IW_ERR_ULP_WORD_CHANGED,	"ulp_word_changed",	0xff),

	DDP_LOCAL(IW_ERR_DDP_LOCAL,		"ddp_local",		0x00),

	DDP_TAG(IW_ERR_TAG_STAG,		"tag_stag",		0x00),
	DDP_TAG(IW_ERR_TAG_ACCESS,		"tag_access",		0x00),
	DDP_TAG(IW_ERR_TAG_BOUNDS,		"tag_bounds",		0x01),
	DDP_TAG(IW_ERR_TAG_STREAM,		"tag_stream",		0x02),
	DDP_TAG(IW_ERR_TAG_WRAP,		"tag_wrap",		0x03),
	DDP_TAG(IW_ERR_TAG_VERSION,		"tag_version",		0x04),
	DDP_TAG(IW_ERR_TAG_CHANGED,		"tag_changed",		0x00),
	DDP_TAG(IW_ERR_RESP_STAG,		"resp_stag",		0x00),
	DDP_TAG(IW_ERR_RESP_BOUNDS,		"resp_bounds",		0x01),

	DDP_UNTAG(IW_ERR_QN,			"qn",			0x01),
	DDP_UNTAG(IW_ERR_NO_BUFFER,		"no_buffer",		0x02),
	DDP_UNTAG(IW_ERR_IRD,			"ird",			0x02),
	DDP_UNTAG(IW_ERR_ATOMIC_UNSOLICITED,	"atomic_unsolicited",	0x02),
	DDP_UNTAG(IW_ERR_TERM_TWICE,		"term_twice",		0x02),
	DDP_UNTAG(IW_ERR_MSN,			"msn",			0x03),
	DDP_UNTAG(IW_ERR_MO,			"mo",			0x04),
	DDP_UNTAG(IW_ERR_TOO_LONG,		"too_long",		0x05),
	DDP_UNTAG(IW_ERR_FIXED_LEN,		"fixed_len",		0x05),
	DDP_UNTAG(IW_ERR_UNTAG_VERSION,	"untag_version",	0x06),

	MPA_SILENT(IW_ERR_CLOSED,		"closed",		0x01),
	MPA(IW_ERR_CRC,			"crc",			0x02),
	MPA(IW_ERR_MARKER,			"marker",		0x03),
	MPA(IW_ERR_FPDU_LEN,			"fpdu_len",		0x03),
	MPA_SILENT(IW_ERR_MPA_KEY,		"mpa_key",		0x04),
	MPA_SILENT(IW_ERR_MPA_ROLE,		"mpa_role",		0x04),
	MPA_SILENT(IW_ERR_MPA_REV,		"mpa_rev",		0x04),
	MPA_SILENT(IW_ERR_MPA_PD_LEN,		"mpa_pd_len",		0x04),
	MPA_SILENT(IW_ERR_MPA_ENHANCED,	"mpa_enhanced",		0x04),
	MPA_SILENT(IW_ERR_MPA_TRAILING,	"mpa_trailing",		0x04),
	MPA_SILENT(IW_ERR_MPA_TIMEOUT,		"mpa_timeout",		0x04),
	MPA(IW_ERR_MPA_LOCAL,			"mpa_local",		0x05),
	MPA(IW_ERR_MPA_IRD,			"mpa_ird",		0x06),
	MPA(IW_ERR_MPA_RTR,			"mpa_rtr",		0x07),

	MPA_SILENT(IW_ERR_REJECTED,		"rejected",		0x00),
	MPA_SILENT(IW_ERR_TERMINATED,		"terminated",		0x00),
};

const struct iw_err_info *iw_err_info(enum iw_err err)
{
	if ((unsigned int)err >= IW_ERR_COUNT)
		err = IW_ERR_LOCAL;
	return &faults[err];
}
