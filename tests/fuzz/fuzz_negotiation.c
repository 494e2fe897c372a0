// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Input: two configurations, a Request and a Reply, all arbitrary. Whatever a
 * peer claims, the settings stay within the device and the frames are legal.
 */
#include "fuzz.h"
#include "proto/mpa.h"

static void take_config(struct input *in, struct mpa_config *cfg)
{
	u8 flags = take_u8(in);

	memset(cfg, 0, sizeof(*cfg));
	cfg->crc = flags & 1;
	cfg->markers = flags & 2;
	cfg->enhanced = flags & 4;
	cfg->p2p = flags & 8;
	cfg->rtr = take_u8(in);
	cfg->rtr_prefer = 1 << take_u8(in) % 4 & MPA_RTR_ALL;
	cfg->ird = take_u16(in);
	cfg->ord = take_u16(in);
	cfg->max_ird = take_u16(in);
	cfg->max_ord = take_u16(in);
}

/* As mpa_startup_decode() might deliver them. */
static void take_params(struct input *in, struct mpa_params *p)
{
	u8 flags = take_u8(in);

	memset(p, 0, sizeof(*p));
	p->rev = flags & 1 ? MPA_REV_2 : MPA_REV_1;
	p->markers = flags & 2;
	p->crc = flags & 4;
	p->reject = flags & 8;
	p->enhanced = p->rev == MPA_REV_2 && flags & 16;
	if (!p->enhanced)
		return;
	p->p2p = flags & 32;
	p->rtr = take_u8(in) & MPA_RTR_ALL;
	p->ird = take_u16(in) & MPA_ENH_DEPTH;
	p->ord = take_u16(in) & MPA_ENH_DEPTH;
}

static bool one_bit(u8 x)
{
	return x && !(x & (x - 1));
}

static void check_settings(const struct mpa_config *cfg,
			   const struct mpa_settings *set)
{
	/* one slot more than the device has only for a granted RTR Read */
	MUST(set->ird <= cfg->max_ird);
	MUST(set->ord <= cfg->max_ord);
	MUST(set->p2p ? one_bit(set->rtr) : !set->rtr);
	MUST(set->rev == MPA_REV_1 || set->rev == MPA_REV_2);
}

static void check_frame(enum mpa_frame type, const struct mpa_params *p)
{
	u8 buf[MPA_FRAME_MAX];
	struct mpa_params back;
	const void *pdata;
	int n = mpa_startup_encode(buf, sizeof(buf), type, p, NULL);

	MUST(n == (p->enhanced ? 24 : 20));
	MUST(mpa_startup_decode(buf, n, type, &back, &pdata) == IW_OK);
	MUST(back.rtr == p->rtr && back.p2p == p->p2p);
}

static void respond(const struct mpa_config *cfg, const struct mpa_params *req,
		    struct mpa_params *rep)
{
	struct mpa_settings set;

	if (mpa_respond(cfg, req, rep, &set)) {
		MUST(req->enhanced && !cfg->enhanced);
		MUST(mpa_respond_reject(cfg, req, rep) == IW_ERR_MPA_REV);
		return;
	}
	check_settings(cfg, &set);
	check_frame(MPA_REPLY, rep);
	MUST(set.hold && rep->enhanced == req->enhanced && !rep->reject);
	MUST(set.crc == (cfg->crc || req->crc));
	MUST(set.tx_markers == req->markers);
	if (req->enhanced) {
		MUST(rep->p2p == req->p2p);
		MUST(rep->ord <= req->ird);
		MUST(req->p2p ? one_bit(rep->rtr) : !rep->rtr);
	}
}

static void conclude(const struct mpa_config *cfg, const struct mpa_params *req,
		     const struct mpa_params *rep)
{
	struct mpa_settings set;
	enum iw_err err = mpa_conclude(cfg, req, rep, &set);

	MUST(err == IW_OK || err == IW_ERR_REJECTED || err == IW_ERR_MPA_IRD ||
	     err == IW_ERR_MPA_RTR || err == IW_ERR_MPA_ENHANCED);
	if (err)
		return;
	check_settings(cfg, &set);
	MUST(!set.hold && !rep->reject);
	MUST(set.crc == (req->crc || rep->crc));
	MUST(set.tx_markers == rep->markers);
	if (rep->enhanced && rep->ird != MPA_DEPTH_NONE)
		MUST(set.ord <= rep->ird);
	if (rep->enhanced && rep->ord != MPA_DEPTH_NONE)
		MUST(set.ird >= rep->ord);
	if (req->p2p)
		MUST(set.rtr & rep->rtr & cfg->rtr);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct input in = { data, size };
	struct mpa_config ini, res;
	struct mpa_params req, rep;

	take_config(&in, &ini);
	take_config(&in, &res);
	mpa_request(&ini, &req);
	check_frame(MPA_REQUEST, &req);
	respond(&res, &req, &rep);
	if (!req.enhanced || res.enhanced)
		conclude(&ini, &req, &rep);	/* ours with ours */

	take_params(&in, &rep);
	conclude(&ini, &req, &rep);		/* ours with anything */
	take_params(&in, &req);
	req.reject = false;
	respond(&res, &req, &rep);
	MUST(mpa_respond_reject(&res, &req, &rep) == IW_OK ||
	     (req.enhanced && !res.enhanced));
	return 0;
}
