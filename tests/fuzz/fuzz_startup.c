// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Input: one octet for the frame that is due, then a startup frame. What is
 * accepted must come back from the encoder octet by octet, but for the bits
 * that a receiver ignores.
 */
#include "fuzz.h"
#include "proto/mpa.h"

static void encode_again(enum mpa_frame type, const struct mpa_params *p,
			 const void *pdata, const u8 *frame, size_t len)
{
	u8 buf[MPA_FRAME_MAX];
	struct mpa_params back;
	const void *back_pdata;
	int n;

	n = mpa_startup_encode(buf, sizeof(buf), type, p, pdata);
	MUST(n == (int)len);
	MUST(!memcmp(buf, frame, 16) && !memcmp(buf + 17, frame + 17, 3));
	MUST(!(buf[16] & ~frame[16]));
	MUST(mpa_startup_decode(buf, n, type, &back, &back_pdata) == IW_OK);
	MUST(back.ird == p->ird && back.ord == p->ord);
	MUST(back.p2p == p->p2p && back.pd_len == p->pd_len);
	MUST(!memcmp(back_pdata, pdata, p->pd_len));
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct input in = { data, size };
	enum mpa_frame type = take_u8(&in) & 1 ? MPA_REPLY : MPA_REQUEST;
	u8 *frame = exact(in.p, in.left);
	enum iw_err check = IW_OK, err;
	struct mpa_params p;
	const void *pdata;
	u16 pd_len = 0;
	size_t len;

	if (in.left >= (size_t)MPA_STARTUP_LEN)
		check = mpa_startup_check(frame, type, &pd_len);
	MUST(pd_len <= MPA_PD_MAX);
	err = mpa_startup_decode(frame, in.left, type, &p, &pdata);
	if (!err) {
		len = MPA_STARTUP_LEN + pd_len;
		MUST(!check && len <= in.left);
		MUST((const u8 *)pdata + p.pd_len == frame + len);
		MUST(p.pd_len <= mpa_pd_max(p.enhanced));
		MUST(p.ird <= MPA_ENH_DEPTH && p.ord <= MPA_ENH_DEPTH);
		MUST(!p.reject || type == MPA_REPLY);
		encode_again(type, &p, pdata, frame, len);
	} else {
		MUST(!iw_err_info(err)->send);
	}
	free(frame);
	return 0;
}
